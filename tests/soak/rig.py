"""A gateway, targets in processes of their own, and netkit and ssh side by side."""

from __future__ import annotations

import contextlib
import resource
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from support import tunnels
from support.cli import environment
from support.commands import User
from support.peers import require
from support.ports import free_port
from support.tunnels import TestGateway
from support.waiting import wait_until


@dataclass(frozen=True)
class Rig:
    """What there is."""

    gateway: TestGateway
    user: User
    echo: int
    source: int


@contextlib.contextmanager
def rig() -> Iterator[Rig]:
    """Have a gateway and targets, all of which may hold many descriptors."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        gateway = stack.enter_context(tunnels.start("sshd", home))
        ports = [stack.enter_context(_server(kind)) for kind in ("echo", "source")]
        user = stack.enter_context(User(home, gateway).cleaned())
        yield Rig(gateway, user, *ports)


@contextlib.contextmanager
def _server(kind: str) -> Iterator[int]:
    argv = [sys.executable, str(Path(__file__).with_name("servers.py")), kind]
    with _process(argv, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        yield int(child.stdout.readline())


@contextlib.contextmanager
def _process(argv: list[str], **more: object) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(argv, **more)  # type: ignore[call-overload]
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout is not None:
            child.stdout.close()


@contextlib.contextmanager
def client(there: Rig, program: str, targets: list[int], *words: str) -> Iterator[Client]:
    """Run ``netkit`` or ``ssh`` with a local forward to each of ``targets``."""
    ports = [free_port() for _ in targets]
    forwards = [
        word
        for port, target in zip(ports, targets, strict=True)
        for word in ("-L", f"127.0.0.1:{port}:127.0.0.1:{target}")
    ]
    config = ("-F", str(there.user.config))
    if program == "netkit":
        argv = [sys.executable, "-P", "-m", "netkit", "forward", "gw", *config, *forwards, *words]
    else:
        argv = [str(require("ssh")), "-N", *config, *forwards, "gw"]
    quiet = subprocess.DEVNULL
    with _process(argv, env=environment(there.user.home), stdout=quiet, stderr=quiet) as child:
        for port in ports:
            wait_until(lambda: answers(port), timeout=20, what=program)  # noqa: B023
        yield Client(psutil.Process(child.pid), ports)


@dataclass(frozen=True)
class Client:
    """A running client and the ports of its forwards."""

    process: psutil.Process
    ports: list[int]


def answers(port: int) -> bool:
    """Whether a connection there carries data."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as sock:
            sock.sendall(b"x")
            return bool(sock.recv(1))
    except OSError:
        return False
