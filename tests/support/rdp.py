"""A real RDP server and client: FreeRDP's, on X servers without a screen.

with x_display(tmp_path) as display, shared_desktop(tmp_path, display) as port:
    client_on_path(folder, log)      # an `xfreerdp` that knows the password
"""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from support import cli
from support.forwarding import Forwarding
from support.peers import require
from support.ports import free_port
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


@contextlib.contextmanager
def x_display(folder: Path) -> Iterator[str]:
    """Run an X server without a screen; it chooses its own number.

    The server of FreeRDP looks at the screens, leaves, and comes back: without ``-noreset`` the X
    server would close what comes back while it starts afresh.
    """
    read, write = os.pipe()
    argv = [
        *(str(require("xvfb")), "-displayfd", str(write), "-noreset", "-screen", "0", "800x600x24"),
        *("-nolisten", "tcp"),
    ]
    with (folder / "xvfb.log").open("wb") as log:
        process = subprocess.Popen(argv, pass_fds=[write], stdout=log, stderr=log)
    os.close(write)
    try:
        with os.fdopen(read) as told:
            number = told.readline().strip()
        assert number, (folder / "xvfb.log").read_text()
        yield f":{number}"
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def shared_desktop(folder: Path, display: str) -> Iterator[int]:
    """Share a desktop by RDP with network level authentication; yields its port."""
    server = require("freerdp-shadow-cli", "winpr-hash", "xfreerdp")
    sam = folder / "sam"
    made = subprocess.run(
        [require("winpr-hash"), "-u", USER, "-p", PASSWORD, "-f", "sam"],
        check=True,
        capture_output=True,
        text=True,
    )
    sam.write_text(made.stdout.splitlines()[0] + "\n")
    port = free_port()
    argv = [
        *(str(server), f"/port:{port}", "/bind-address:127.0.0.1", f"/sam-file:{sam}"),
        *("+auth", "/sec:nla"),
    ]
    log = folder / "shadow.log"
    with running(argv, log, DISPLAY=display, HOME=str(folder)) as process:

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


# ---------------------------------------------------------------- netkit's own clients


def client_on_path(folder: Path, *options: str, password: str = PASSWORD) -> Path:
    """Put an ``xfreerdp`` into ``folder/bin`` that adds what a person would type and answer.

    It notes its arguments in ``folder/argv`` and what the real one says in ``folder/said``.
    """
    more = shlex.join((f"/p:{password}", "/cert:ignore", *options))
    return program(
        folder,
        "xfreerdp",
        f'printf "%s\\n" "$@" > {shlex.quote(str(folder / "argv"))}\n'
        f'exec {require("xfreerdp")} "$@" {more} > {shlex.quote(str(folder / "said"))} 2>&1\n',
    )


def program(folder: Path, name: str, script: str) -> Path:
    """Put a shell script into ``folder/bin`` and return that folder."""
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}")
    path.chmod(0o755)
    return path.parent


@contextlib.contextmanager
def netkit_command(
    *argv: str, home: Path, programs: Path | None = None, **environment: str
) -> Iterator[Forwarding]:
    """Run ``netkit ARGV``; the folder ``programs`` comes first where it looks for others."""
    if programs is not None:
        environment["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
    env = cli.environment(home, **environment)
    with cli.process(["-m", "netkit", *argv], home=home, env=env) as process:
        run = Forwarding(process)
        try:
            yield run
        finally:
            if process.poll() is None:
                process.kill()
            run.wait()
