"""``netkit rdp`` from the first word to the last: a real server, a real client, a real gateway.

The client is FreeRDP's, found in PATH by netkit as a user's is; a wrapper adds the password.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from support import rdp, targets, tunnels
from support.forwarding import gateway_options
from support.tunnels import TestGateway
from support.waiting import holds_within, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="the RDP server is FreeRDP's for X11"),
]

ANYWHERE = ("--bind", "127.0.0.2:0")


@pytest.fixture(scope="module")
def display(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with rdp.x_display(tmp_path_factory.mktemp("display")) as display:
        yield display


@pytest.fixture(scope="module")
def desktop(tmp_path_factory: pytest.TempPathFactory, display: str) -> Iterator[int]:
    with rdp.shared_desktop(tmp_path_factory.mktemp("desktop"), display) as port:
        yield port


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestGateway]:
    with tunnels.start("sshd", tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


def test_the_client_logs_in_and_the_tunnel_ends_with_it(
    tmp_path: Path, gateway: TestGateway, display: str, desktop: int
):
    programs = rdp.client_on_path(tmp_path, "+auth-only")
    words = [*gateway_options(gateway, tmp_path), "--to", f"127.0.0.1:{desktop}", *ANYWHERE]
    with rdp.netkit_command(
        *("rdp", *words, "--user", rdp.USER, "--size", "640x480"),
        home=tmp_path,
        programs=programs,
        DISPLAY=display,
    ) as run:
        assert run.wait(60) == 0, f"{run.stderr}\n{(tmp_path / 'said').read_text()}"
    at = run.addresses[0]
    argv = (tmp_path / "argv").read_text().splitlines()
    assert argv == [f"/v:{at}", f"/u:{rdp.USER}", "/size:640x480"]
    assert at.startswith("127.0.0.2:")
    assert f"127.0.0.1:{desktop} answers (RDP, network level authentication)" in run.stderr
    assert "started xfreerdp (process " in run.stderr
    assert rdp.PASSWORD not in run.stderr + "".join(run.lines)


def test_a_login_that_the_server_refuses_is_an_error(
    tmp_path: Path, gateway: TestGateway, display: str, desktop: int
):
    programs = rdp.client_on_path(tmp_path, "+auth-only", password="wrong")
    words = [*gateway_options(gateway, tmp_path), "--to", f"127.0.0.1:{desktop}", *ANYWHERE]
    with rdp.netkit_command(
        *("rdp", *words, "--user", rdp.USER), home=tmp_path, programs=programs, DISPLAY=display
    ) as run:
        assert run.wait(60) == 3, run.stderr
    error = run.stderr.splitlines()[-3:]
    assert error[0].startswith("netkit: xfreerdp failed: ")
    assert error[0].endswith(" [client-failed]")


def test_ctrl_c_ends_the_client_and_the_tunnel(
    tmp_path: Path, gateway: TestGateway, display: str, desktop: int
):
    programs = rdp.client_on_path(tmp_path)  # shows the desktop, and stays
    words = [*gateway_options(gateway, tmp_path), "--to", f"127.0.0.1:{desktop}", *ANYWHERE]
    with rdp.netkit_command(
        *("rdp", *words, "--user", rdp.USER, "--json"),
        home=tmp_path,
        programs=programs,
        DISPLAY=display,
    ) as run:
        wait_until(lambda: _events(run.lines, "client-started") or run.process.poll() is not None)
        (started,) = _events(run.lines, "client-started")
        client = psutil.Process(started["pid"])
        wait_until(lambda: len(_events(run.lines, "flow-opened")) >= 2, what="the client's flow")
        assert not holds_within(lambda: not client.is_running(), timeout=0.5)
        assert run.stop(signal.SIGINT) == 130
        assert not client.is_running(), "the client was left behind"
    (ended,) = _events(run.lines, "client-ended")
    assert not ended["stays"]
    with socket.socket() as probe:
        (bound,) = _events(run.lines, "forward-bound")
        at = bound["addresses"][0]
        assert probe.connect_ex((at["host"], at["port"])) != 0


def test_scripts_get_the_line_to_type_once_the_server_has_answered(
    tmp_path: Path, gateway: TestGateway, desktop: int
):
    words = [*gateway_options(gateway, tmp_path), "--to", f"127.0.0.1:{desktop}", *ANYWHERE]
    with rdp.netkit_command("rdp", *words, "--no-launch", home=tmp_path) as run:
        run.wait_for_lines(2)
        assert run.lines[1] == f"xfreerdp /v:{run.addresses[0]}"
        assert run.process.poll() is None
        assert run.stop() == 0


def test_without_a_screen_it_says_what_to_do_and_stays(
    tmp_path: Path, gateway: TestGateway, desktop: int
):
    words = [*gateway_options(gateway, tmp_path), "--to", f"127.0.0.1:{desktop}", *ANYWHERE]
    with rdp.netkit_command("rdp", *words, home=tmp_path) as run:
        wait_until(lambda: "no screen here" in run.stderr or run.process.poll() is not None)
        assert f"try: xfreerdp /v:{run.addresses[0]}" in run.stderr
        assert run.stop(signal.SIGINT) == 130


def test_a_saved_tunnel_is_enough(tmp_path: Path, gateway: TestGateway, display: str, desktop: int):
    where, _, config = gateway_options(gateway, tmp_path)
    save = ("profile", "save", "work", where, "-F", config, "--launch", "rdp")
    forward = ("-L", f"127.0.0.2:0:127.0.0.1:{desktop}")
    with rdp.netkit_command(*save, *forward, home=tmp_path) as saved:
        assert saved.wait() == 0, saved.stderr
    programs = rdp.client_on_path(tmp_path, "+auth-only")
    with rdp.netkit_command(
        *("rdp", "work", "--user", rdp.USER), home=tmp_path, programs=programs, DISPLAY=display
    ) as run:
        assert run.wait(60) == 0, run.stderr
    assert f"/v:{run.addresses[0]}" in (tmp_path / "argv").read_text()


# ---------------------------------------------------------------- no server to speak of


def test_another_server_is_named(tmp_path: Path, gateway: TestGateway, display: str):
    programs = rdp.client_on_path(tmp_path)
    with targets.greeting(b"HTTP/1.1 400 Bad Request\r\n\r\n") as target:
        error = _failing(tmp_path, gateway, display, programs, f"127.0.0.1:{target.port}")
    assert error[0] == (
        f"netkit: 127.0.0.1:{target.port} is not an RDP server: a web server answers [wrong-server]"
    )
    assert error[2].startswith("  next:  netkit open ")
    assert not (tmp_path / "argv").exists(), "a client was started"


def test_a_silent_server_is_waited_for_no_longer_than_said(
    tmp_path: Path, gateway: TestGateway, display: str
):
    programs = rdp.client_on_path(tmp_path)
    with targets.blackhole() as target:
        to = f"127.0.0.1:{target.port}"
        error = _failing(tmp_path, gateway, display, programs, to, "--wait", "0.5")
    assert error[0].endswith("did not answer as an RDP server within 0.5 s [server-silent]")
    assert "--wait 120" in error[2]
    assert not (tmp_path / "argv").exists(), "a client was started"


def test_a_port_where_nothing_listens(tmp_path: Path, gateway: TestGateway, display: str):
    programs = rdp.client_on_path(tmp_path)
    with targets.refuse() as target:
        to = f"127.0.0.1:{target.port}"
        error = _failing(tmp_path, gateway, display, programs, to)
    assert error[0] == f"netkit: 127.0.0.1 cannot connect to {to} [target-refused]"
    assert error[1].startswith("  cause: nothing accepts connections")
    assert not (tmp_path / "argv").exists(), "a client was started"


def test_a_machine_that_is_starting_is_waited_for(tmp_path: Path, gateway: TestGateway):
    with targets.refuse() as target:
        port = target.port
        words = [*gateway_options(gateway, tmp_path), "--to", f"127.0.0.1:{port}", *ANYWHERE]
        with rdp.netkit_command(
            *("rdp", *words, "--no-launch", "--wait", "30"), home=tmp_path
        ) as run:
            run.wait_for_lines(1)
            wait_until(lambda: "waiting for the RDP server" in run.stderr)
            assert not holds_within(lambda: run.process.poll() is not None, timeout=0.3)
            target.stop()
            with socket.create_server(("127.0.0.1", port)) as server:
                server.settimeout(20)
                sock, _ = server.accept()
                with sock:
                    sock.recv(100)
                    sock.sendall(bytes.fromhex("0300000b06d00000123400"))
                    run.wait_for_lines(2)
            assert run.stop() == 0
    assert f"127.0.0.1:{port} answers (RDP)" in run.stderr


def _failing(
    home: Path, gateway: TestGateway, display: str, programs: Path, to: str, *more: str
) -> list[str]:
    """Return the three lines of an error that ends with exit code 3."""
    words = [*gateway_options(gateway, home), "--to", to, *ANYWHERE, *more]
    with rdp.netkit_command("rdp", *words, home=home, programs=programs, DISPLAY=display) as run:
        assert run.wait(20) == 3, run.stderr
    assert "Traceback" not in run.stderr
    return run.stderr.splitlines()[-3:]


def _events(lines: list[str], kind: str) -> list[dict[str, Any]]:
    events = [json.loads(line) for line in list(lines)]
    return [event for event in events if event["event"] == kind]


# ---------------------------------------------------------------- where it listens


@pytest.mark.serial
def test_the_first_address_is_the_recipes(tmp_path: Path, gateway: TestGateway, desktop: int):
    rdp.port_is_free()
    words = [*gateway_options(gateway, tmp_path), "--to", f"127.0.0.1:{desktop}", "--no-launch"]
    with rdp.netkit_command("rdp", *words, home=tmp_path) as run:
        run.wait_for_lines(2)
        assert run.addresses[0] == "127.0.0.2:3389"
        assert run.stop() == 0


@pytest.mark.serial
def test_a_taken_port_gives_way_to_the_next(tmp_path: Path, gateway: TestGateway, desktop: int):
    rdp.port_is_free()
    words = [*gateway_options(gateway, tmp_path), "--to", f"127.0.0.1:{desktop}", "--no-launch"]
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(rdp.ADDRESS)
        holder.listen()
        with rdp.netkit_command("rdp", *words, home=tmp_path) as run:
            run.wait_for_lines(2)
            assert run.addresses[0] == "127.0.0.2:13389"
            assert run.lines[1] == "xfreerdp /v:127.0.0.2:13389"
            assert run.stop() == 0
