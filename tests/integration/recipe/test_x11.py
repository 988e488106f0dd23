"""X through a gateway with real programs at every place: ``netkit x11 gw xdpyinfo``, and
``netkit forward -Y`` with sshd's cookie.

What the X server sees is counted by a proxy in front of it.
"""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from support.faults import Direction
from support.peers import require
from support.waiting import wait_until
from support.xdesk import Desk, forwarding_sshd, free_number, there, windows, xdpyinfo
from support.xvfb import Xvfb, entry

TO_SERVER = Direction.TO_TARGET


# ---------------------------------------------------------------- one program


def test_a_trusted_program(desk: Desk):
    done = desk.run("x11", "-Y", "xdpyinfo; echo done >&2; exit 7")
    assert done.returncode == 7, done.stderr
    assert "vendor string:    The X.Org Foundation" in done.stdout
    assert "SECURITY" in done.stdout
    assert done.stderr == "done\n"
    name = re.search(r"name of display:\s+(\S+)", done.stdout)
    assert name is not None
    assert name[1].startswith("localhost:")


def test_an_untrusted_program_is_limited(desk: Desk):
    done = desk.run("x11", "xdpyinfo", "&&", "xwininfo", "-root", "-tree")
    assert "vendor string:    The X.Org Foundation" in done.stdout, done.stderr
    assert "SECURITY" not in done.stdout
    trusted = desk.run("x11", "-Y", "xdpyinfo")
    assert done.stdout.count("\n") < trusted.stdout.count("\n")


def test_a_window_lives_until_ctrl_c(desk: Desk, x_server: Xvfb):
    require("xeyes")
    authority = desk.home / ".Xauthority"
    with desk.start("x11", "-Y", "xeyes", lines=0) as running:
        wait_until(lambda: "xeyes" in windows(x_server, authority), what="the eyes", timeout=20)
        assert running.stop(signal.SIGINT) == 130
    wait_until(lambda: "xeyes" not in windows(x_server, authority), what="their end", timeout=20)
    assert running.stderr == ""


def test_it_is_seen_and_ended_as_any_tunnel(desk: Desk, x_server: Xvfb):
    require("xeyes")
    number = free_number()
    with (
        desk.start("x11", "-Y", "xeyes", lines=0) as program,
        desk.start("x11", "-Y", "--display", str(number), lines=3) as lent,
    ):
        wait_until(lambda: "xeyes" in windows(x_server, desk.home / ".Xauthority"), timeout=20)
        name = f"{desk.gateway.user}@127.0.0.1:{desk.gateway.port}"
        seen = desk.netkit("status").stdout
        assert {line.split()[0] for line in seen.splitlines() if line[0] != " "} == {
            name,
            f"{name}-2",
        }
        assert "1 flow of 1" in seen
        assert f"localhost:{6000 + number} on the gateway" in seen
        assert desk.netkit("down", "--all", "--now").returncode == 0
        assert (program.wait(), lent.wait()) == (0, 0)


def test_a_window_outlives_the_command_that_opened_it(desk: Desk, x_server: Xvfb):
    """sshd takes the display away with the session, but not from who has connected."""
    authority = desk.home / ".Xauthority"
    seen = "until xwininfo -root -tree | grep -q xeyes; do :; done"
    command = f"xeyes >/dev/null 2>&1 </dev/null & {seen}; echo $!"
    with desk.start("x11", "-Y", command, lines=1) as running:
        assert "xeyes" in windows(x_server, authority)
        with pytest.raises(subprocess.TimeoutExpired):
            running.process.wait(0.5)
        psutil.Process(int(running.lines[0])).kill()
        assert running.wait() == 0
    assert "xeyes" not in windows(x_server, authority)


def test_the_x_server_dies_under_a_window(desk: Desk, tmp_path: Path):
    with Xvfb(tmp_path, "-noreset") as mortal:
        mortal.give(tmp_path / ".Xauthority")
        short = Desk(tmp_path, mortal.display, desk.gateway)
        with short.start("x11", "-Y", "xeyes", lines=0) as running:
            wait_until(lambda: "xeyes" in windows(mortal, tmp_path / ".Xauthority"), timeout=20)
            mortal.crash()
            assert running.wait() == 1  # Xlib's: "X connection to … broken"
        assert "X connection to localhost:" in running.stderr


def test_a_single_connection(desk: Desk):
    done = desk.run(
        "x11", "-Y", "--single", "xdpyinfo >/dev/null && echo one; xdpyinfo && echo two"
    )
    assert done.stdout == "one\n"
    assert "unable to open display" in done.stderr


def test_output_is_passed_on_whole_and_no_faster_than_it_is_read(desk: Desk):
    done = desk.run("x11", "-Y", "head -c 30000000 /dev/zero | tr '\\0' x; exit 3")
    assert (done.returncode, len(done.stdout)) == (3, 30_000_000)
    argv = [sys.executable, *desk.argv("x11", "-Y", "yes | head -n 50000000")]
    piped = subprocess.run(
        ["sh", "-c", f"{shlex.join(argv)} | head -n 2"],
        env=desk.environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (piped.stdout, piped.stderr) == (b"y\ny\n", b"")


# ---------------------------------------------------------------- netkit forward -Y


def test_programs_of_the_gateway_use_the_display_of_a_forward(
    counted, x_server: Xvfb, tmp_path: Path
):
    desk, proxy = counted
    with desk.start("forward", "-Y", lines=1) as running:
        display = re.fullmatch(r"DISPLAY=(\S+) on 127.0.0.1 shows here \(\S+\)", running.lines[0])
        assert display is not None, running.lines
        before = proxy.passed(TO_SERVER)
        (tmp_path / "none").touch()
        for authority, text in {
            tmp_path / "none": "netkit: X11 cookie is missing",
            wrong_cookie(tmp_path / "wrong", display[1]): "netkit: X11 cookie does not match",
        }.items():
            refused = xdpyinfo(display[1], authority)
            assert refused.returncode == 1
            assert text in refused.stderr
        assert proxy.passed(TO_SERVER) == before
        done = xdpyinfo(display[1], there(desk.gateway))
        assert done.returncode == 0, done.stderr
        assert proxy.passed(TO_SERVER) > before
        assert x_server.cookie not in there(desk.gateway).read_bytes()
        assert running.stop(signal.SIGINT) == 130
    assert x_server.cookie.hex() not in running.stderr + "".join(running.lines)
    assert "was not let in: it sent no cookie" in running.stderr


def test_the_display_here_is_gone(desk: Desk, tmp_path: Path):
    with Xvfb(tmp_path) as mortal:
        mortal.give(tmp_path / ".Xauthority")
        short = Desk(tmp_path, mortal.display, desk.gateway)
        with short.start("forward", "-Y", lines=1) as running:
            display = running.addresses[0].removeprefix("DISPLAY=")
            mortal.stop()
            done = xdpyinfo(display, there(desk.gateway))
            assert "netkit: X server" in done.stderr
            assert "is not reached" in done.stderr
            assert running.stop() == 0


def test_an_untrusted_forward(desk: Desk):
    with desk.start("forward", "-X", "-D", "127.0.0.1:0", lines=2) as running:
        display = running.lines[1].split()[0].removeprefix("DISPLAY=")
        done = xdpyinfo(display, there(desk.gateway))
        assert done.returncode == 0, done.stderr
        assert "SECURITY" not in done.stdout
        assert running.stop() == 0


# ---------------------------------------------------------------- gateways that will not


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"X11Forwarding": "no"}, "x-forwarding-refused"),
        ({"XAuthLocation": "/nonexistent"}, "x-forwarding-no-xauth"),
        ({"ForceCommand": "/bin/false"}, "gateway-no-shell"),
        ({"MaxSessions": "0"}, "gateway-no-sessions"),
    ],
    ids=str,
)
def test_a_gateway_that_will_not(desk: Desk, tmp_path: Path, words: dict[str, str], code: str):
    with forwarding_sshd(tmp_path / "g", **words) as gateway:
        done = Desk(desk.home, desk.display, gateway).run("forward", "-Y")
    assert (done.returncode, done.stdout) == (8, "")
    lines = done.stderr.splitlines()
    assert len(lines) in (3, 4), done.stderr
    assert f"[{code}]" in lines[0]


def test_a_key_that_may_not(desk: Desk, tmp_path: Path):
    with forwarding_sshd(tmp_path / "g") as gateway:
        file = gateway.server.authorized_keys
        file.write_text(f"no-X11-forwarding {file.read_text()}")
        done = Desk(desk.home, desk.display, gateway).run("x11", "-Y", "xdpyinfo")
    assert done.returncode == 8
    assert "[x-forwarding-forbidden-to-key]" in done.stderr


def test_the_session_that_holds_the_display_is_killed(desk: Desk, tmp_path: Path):
    with forwarding_sshd(tmp_path / "g") as gateway:
        own = Desk(desk.home, desk.display, gateway)
        with own.start("forward", "-Y", lines=1) as running:
            for process in psutil.Process(gateway.main).children(recursive=True):
                if process.name() == "cat":
                    process.kill()
            wait_until(lambda: "ended the session" in running.stderr, what="the notice")
            assert running.process.poll() is None
            assert running.stop() == 0


def wrong_cookie(path: Path, display: str) -> Path:
    number = int(display.rpartition(":")[2].partition(".")[0])
    path.write_bytes(entry(bytes(16), number))
    return path
