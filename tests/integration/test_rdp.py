"""The main job: a real RDP client reaches a real RDP server at 127.0.0.2:3389 through sshd."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from support.forwarding import netkit_forward
from support.peers import require
from support.tunnels import TestGateway
from support.waiting import wait_until

ADDRESS = ("127.0.0.2", 3389)
USER, PASSWORD = "alice", "wonderland"


@contextlib.contextmanager
def running(argv: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in the background; its output goes to ``log``."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **environment},
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def display(tmp_path: Path) -> Iterator[str]:
    """An X server without a screen; it chooses its own number."""
    read, write = os.pipe()
    argv = [
        *(str(require("xvfb")), "-displayfd", str(write), "-screen", "0", "800x600x24"),
        *("-nolisten", "tcp"),
    ]
    with (tmp_path / "xvfb.log").open("wb") as log:
        process = subprocess.Popen(argv, pass_fds=[write], stdout=log, stderr=log)
    os.close(write)
    try:
        with os.fdopen(read) as told:
            number = told.readline().strip()
        assert number, (tmp_path / "xvfb.log").read_text()
        yield f":{number}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def desktop(tmp_path: Path, display: str) -> Iterator[int]:
    """A desktop that is shared by RDP with network level authentication; yields its port."""
    server = require("freerdp-shadow-cli", "winpr-hash", "xfreerdp")
    sam = tmp_path / "sam"
    made = subprocess.run(
        [require("winpr-hash"), "-u", USER, "-p", PASSWORD, "-f", "sam"],
        check=True,
        capture_output=True,
        text=True,
    )
    sam.write_text(made.stdout.splitlines()[0] + "\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    argv = [
        *(str(server), f"/port:{port}", "/bind-address:127.0.0.1", f"/sam-file:{sam}"),
        *("+auth", "/sec:nla"),
    ]
    log = tmp_path / "shadow.log"
    with running(argv, log, DISPLAY=display, HOME=str(tmp_path)) as process:

        def listens() -> bool:
            assert process.poll() is None, log.read_text()
            with socket.socket() as sock:
                return sock.connect_ex(("127.0.0.1", port)) == 0

        wait_until(listens, timeout=30, what="the RDP server")
        yield port


def authenticate(home: Path, display: str, password: str) -> subprocess.CompletedProcess[str]:
    """Log in to 127.0.0.2:3389 as a user's client does, and leave."""
    return subprocess.run(
        [
            *(str(require("xfreerdp")), f"/v:{ADDRESS[0]}:{ADDRESS[1]}", f"/u:{USER}"),
            *(f"/p:{password}", "/cert:ignore", "+auth-only"),
        ],
        env={**os.environ, "DISPLAY": display, "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def port_is_free() -> None:
    """Fail, with who it is, where somebody else holds 127.0.0.2:3389."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(ADDRESS)
        except OSError as error:
            holders = [
                f"{psutil.Process(each.pid).name()} (process {each.pid})" if each.pid else "?"
                for each in psutil.net_connections("tcp")
                if each.laddr and each.laddr.port == ADDRESS[1] and each.status == "LISTEN"
            ]
            pytest.fail(f"127.0.0.2:3389 is not free on this machine: {error}; {holders}")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="the RDP server is FreeRDP's for X11")
def test_rdp_client_logs_in_at_127_0_0_2(
    tmp_path: Path, sshd: TestGateway, display: str, desktop: int
):
    port_is_free()
    words = ("--bind", "127.0.0.2:3389", "--to", f"127.0.0.1:{desktop}")
    with netkit_forward(sshd, *words, home=tmp_path) as forward:
        assert forward.addresses == ["127.0.0.2:3389"]
        done = authenticate(tmp_path, display, PASSWORD)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{forward.stderr}"
        # and it really is the server that decides
        refused = authenticate(tmp_path, display, "wrong")
        assert refused.returncode != 0
        assert forward.stop() == 0
        assert "Traceback" not in forward.stderr
