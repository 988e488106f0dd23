"""The recipe's own way: ``netkit x11 gw --display N``, with netkit's cookie.

What the X server sees is counted by a proxy in front of it.
"""

from __future__ import annotations

import re
import signal
import socket
import struct
import subprocess
from pathlib import Path

import pytest

from netkit.wire.x11 import MAGIC_COOKIE, setup
from support.faults import Direction
from support.tunnels import read_all
from support.xdesk import Desk, forwarding_sshd, free_number, there, xdpyinfo
from support.xvfb import Xvfb, entry

TO_SERVER = Direction.TO_TARGET


def test_the_display_at_a_number_of_the_gateway(counted, x_server: Xvfb, tmp_path: Path):
    desk, proxy = counted
    number = free_number()
    with desk.start("x11", "-Y", "--display", str(number), lines=3) as running:
        assert running.addresses[0] == f"localhost:{6000 + number}"
        assert running.lines[1].startswith(f"DISPLAY=localhost:{number} on 127.0.0.1 shows here")
        before = proxy.passed(TO_SERVER)
        told = re.fullmatch(rf"xauth add unix:{number} \. ([0-9a-f]{{32}})", running.lines[2])
        assert told is not None, running.lines
        cookie = bytes.fromhex(told[1])
        assert cookie != x_server.cookie
        keys = {
            "wrong": (bytes(16), "does not match"),
            "the server's own": (x_server.cookie, "does not match"),
        }
        for name, (value, text) in keys.items():
            (tmp_path / name).write_bytes(entry(value, number))
            refused = xdpyinfo(f"localhost:{number}", tmp_path / name)
            assert refused.returncode == 1
            assert text in refused.stderr
        assert "missing" in xdpyinfo(f"localhost:{number}", "/nonexistent").stderr
        assert proxy.passed(TO_SERVER) == before

        authority = tmp_path / "right"
        subprocess.run(
            ["xauth", "-f", str(authority), *running.lines[2].split()[1:]],
            check=True,
            capture_output=True,
        )
        done = xdpyinfo(f"localhost:{number}", authority)
        assert done.returncode == 0, done.stderr
        assert "The X.Org Foundation" in done.stdout
        assert proxy.passed(TO_SERVER) > before
        old_client(number, cookie)
        assert running.stop(signal.SIGINT) == 130
    assert xdpyinfo(f"localhost:{number}", authority).returncode == 1


def old_client(number: int, cookie: bytes) -> None:
    """Talk as a big-endian workstation: with the cookie, without, and as no X client at all."""
    address = ("127.0.0.1", 6000 + number)
    with socket.create_connection(address, 20) as sock:
        data = setup(">", MAGIC_COOKIE, cookie)
        sock.sendall(data[:5])
        sock.sendall(data[5:])
        status, major, words = struct.unpack(">BxHxxH", sock.recv(8, socket.MSG_WAITALL))
        assert (status, major) == (1, 11)
        assert len(sock.recv(4 * words, socket.MSG_WAITALL)) == 4 * words
    with socket.create_connection(address, 20) as sock:
        sock.sendall(setup(">", MAGIC_COOKIE, bytes(16)))
        status, length, major = struct.unpack(">BBHxxxx", sock.recv(8, socket.MSG_WAITALL))
        assert (status, major) == (0, 11)
        assert read_all(sock)[:length] == b"netkit: X11 cookie does not match"
    with socket.create_connection(address, 20) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert read_all(sock) == b""


@pytest.mark.parametrize("trust", ["-X", "-Y"])
def test_the_cookie_is_installed(desk: Desk, x_server: Xvfb, trust: str):
    number = free_number()
    words = (trust, "--display", str(number), "--install-cookie")
    with desk.start("x11", *words, lines=2) as running:
        done = xdpyinfo(f"localhost:{number}", there(desk.gateway))
        assert done.returncode == 0, done.stderr
        assert ("SECURITY" in done.stdout) == (trust == "-Y")
        assert running.stop() == 0
    assert "xauth add" not in "".join(running.lines)
    assert x_server.cookie not in there(desk.gateway).read_bytes()


def test_a_bind_of_another_loopback_address(desk: Desk, tmp_path: Path):
    """sshd keeps to 127.0.0.1 without GatewayPorts; with it, cookies are kept by address."""
    number = free_number()
    with forwarding_sshd(tmp_path / "g", GatewayPorts="clientspecified") as gateway:
        wide = Desk(desk.home, desk.display, gateway)
        words = ("-Y", "--display", str(number), "--bind", "127.0.0.2", "--install-cookie")
        with wide.start("x11", *words, lines=2) as running:
            assert f"DISPLAY=127.0.0.2:{number} on" in running.lines[1]
            done = xdpyinfo(f"127.0.0.2:{number}", there(gateway))
            assert done.returncode == 0, done.stderr
            assert running.stop() == 0


@pytest.mark.parametrize("ports", ["no", "clientspecified"])
def test_for_other_hosts_only_where_they_get_there(desk: Desk, tmp_path: Path, ports: str):
    number = free_number()
    with forwarding_sshd(tmp_path / "g", GatewayPorts=ports) as gateway:
        wide = Desk(desk.home, desk.display, gateway)
        words = ("-Y", "--display", str(number), "--bind", "*")
        refused = wide.run("x11", *words)
        assert (refused.returncode, "--expose" in refused.stderr) == (2, True)
        exposed = ports != "no"
        with wide.start("x11", *words, "--expose", lines=5 if exposed else 3) as running:
            assert f"DISPLAY=localhost:{number} on 127.0.0.1 shows here" in running.lines[1]
            if exposed:
                assert f"DISPLAY=127.0.0.1:{number} elsewhere shows here" in running.lines[2]
                assert f"xauth add 127.0.0.1:{number} . " in running.lines[4]
            assert running.stop() == 0
        assert ("GatewayPorts clientspecified" in running.stderr) is not exposed


def test_a_number_that_is_taken(desk: Desk, x_server: Xvfb):
    done = desk.run("x11", "-Y", "--display", str(x_server.number))
    assert (done.returncode, done.stdout) == (8, "")
    assert f"display {x_server.number} of" in done.stderr
    assert "[x-display-collides]" in done.stderr
    free = re.search(r"--display=(\d+)", done.stderr)
    assert free is not None
    assert int(free[1]) != x_server.number


def test_a_port_that_is_taken_where_no_shell_tells(desk: Desk, tmp_path: Path):
    number = free_number()
    with (
        forwarding_sshd(tmp_path / "g", ForceCommand="/bin/false") as gateway,
        socket.create_server(("127.0.0.1", 6000 + number)),
        # with one of the two free sshd would agree, and listen there alone
        socket.create_server(("::1", 6000 + number), family=socket.AF_INET6),
    ):
        mute = Desk(desk.home, desk.display, gateway)
        done = mute.run("x11", "-Y", "--display", str(number))
    assert done.returncode == 8
    assert f"gives display {number} (port {6000 + number}) to nobody" in done.stderr
    assert "taken" in done.stderr


def test_a_server_that_asks_nobody_is_not_exposed(desk: Desk, tmp_path: Path):
    number = free_number()
    with Xvfb(tmp_path, "-noreset", control=False) as naive:
        open_desk = Desk(tmp_path, naive.display, desk.gateway)
        words = ("-Y", "--display", str(number))
        done = open_desk.run("x11", *words, "--bind", "*", "--expose")
        assert done.returncode == 3
        assert "xhost -" in done.stderr
        with open_desk.start("x11", *words, "--install-cookie", lines=2) as running:
            assert "xhost -" in running.stderr
            # The cookie is asked for all the same.
            assert "missing" in xdpyinfo(f"localhost:{number}", "/nonexistent").stderr
            done = xdpyinfo(f"localhost:{number}", there(desk.gateway))
            assert done.returncode == 0, done.stderr
            assert running.stop() == 0
