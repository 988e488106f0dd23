"""The forwarding clients that are compared: how each is started with the same forwards."""

from __future__ import annotations

import abc
import contextlib
import functools
import importlib.util
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gateways import DEFAULT, GCM, Crypto, Login, algorithms
from processes import (
    HERE,
    ROOT,
    Child,
    Processes,
    ProcessFailedError,
    ProcessWedgedError,
    ended_within,
    free_port,
)

ALIAS = "bench-gateway"


@dataclass(frozen=True, slots=True)
class Forward:
    """127.0.0.1:``local`` leads to 127.0.0.1:``target`` of the gateway."""

    local: int
    target: int

    def __str__(self) -> str:
        return f"127.0.0.1:{self.local}:127.0.0.1:{self.target}"


class Client(abc.ABC):
    """One program that forwards ports."""

    name: str
    compresses = True  # it can be told to

    @abc.abstractmethod
    def missing(self) -> str:
        """Why it cannot take part here; empty when it can."""

    @abc.abstractmethod
    def argv(self, login: Login, crypto: Crypto, /, forwards: Sequence[Forward]) -> list[str]:
        """The command that serves ``forwards`` until it is ended."""

    def choose(self, crypto: Crypto) -> Crypto:
        """What it uses where a row asks for ``crypto``."""
        return crypto

    def environment(self, _login: Login) -> dict[str, str]:
        """What it finds in its environment beyond ours."""
        return {}


def write_config(login: Login, crypto: Crypto) -> Path:
    """An ssh_config for the gateway, for every client that reads one."""
    kind = f"{crypto.ciphers or 'default'}{'-zlib' if crypto.compressed else ''}"
    path = login.directory / f"ssh_config-{login.port}-{kind}"
    lines = [
        f"HostName 127.0.0.1\nPort {login.port}\nUser {login.user}",
        f"IdentityFile {login.identity}\nIdentitiesOnly yes\nIdentityAgent none",
        f"UserKnownHostsFile {login.known_hosts}\nGlobalKnownHostsFile /dev/null",
        "StrictHostKeyChecking yes\nBatchMode yes\nControlMaster no\nControlPath none",
        "ServerAliveInterval 30\nServerAliveCountMax 3\nExitOnForwardFailure yes",
        *algorithms(crypto),
    ]
    path.write_text(f"Host {ALIAS}\n" + "\n".join(lines) + "\n")
    return path


class Ssh(Client):
    """OpenSSH's client, the yardstick."""

    def __init__(self, name: str = "ssh", crypto: Crypto | None = None) -> None:
        self.name, self._crypto = name, crypto

    def choose(self, crypto: Crypto) -> Crypto:
        return crypto if self._crypto is None else self._crypto

    def missing(self) -> str:
        return "" if shutil.which("ssh") else "no ssh here: install openssh-client"

    def argv(self, login: Login, crypto: Crypto, forwards: Sequence[Forward]) -> list[str]:
        listeners = [part for forward in forwards for part in ("-L", str(forward))]
        return ["ssh", "-N", "-F", str(write_config(login, crypto)), *listeners, ALIAS]


class Netkit(Client):
    """``netkit forward`` of this repository."""

    name = "netkit"

    @functools.cache  # noqa: B019 - asked of one instance
    def missing(self) -> str:
        argv = [sys.executable, "-m", "netkit", "--version"]
        done = subprocess.run(
            argv,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode == 0:
            return ""
        return (done.stderr.strip().splitlines() or ["netkit --version failed"])[-1]

    def argv(self, login: Login, crypto: Crypto, forwards: Sequence[Forward]) -> list[str]:
        listeners = [part for forward in forwards for part in ("-L", str(forward))]
        config = str(write_config(login, crypto))
        return [sys.executable, "-m", "netkit", "forward", ALIAS, "-F", config, *listeners]


class Plink(Client):
    """PuTTY's command-line client."""

    name = "plink"

    def choose(self, crypto: Crypto) -> Crypto:
        # AES-GCM came with 0.79, and nothing on its command line chooses a cipher.
        return replace(crypto, ciphers="") if crypto.ciphers == GCM.ciphers else crypto

    def missing(self) -> str:
        have = shutil.which("plink") and shutil.which("puttygen")
        return "" if have else "no plink and puttygen here: install putty-tools"

    def argv(self, login: Login, crypto: Crypto, forwards: Sequence[Forward]) -> list[str]:
        key = login.identity.with_suffix(".ppk")
        if not key.exists():
            convert = ["puttygen", str(login.identity), "-O", "private", "-o", str(key)]
            subprocess.run(convert, check=True, stdin=subprocess.DEVNULL, capture_output=True)
        listeners = [part for forward in forwards for part in ("-L", str(forward))]
        options = ["-ssh", "-batch", "-N", "-noagent", "-noshare", "-P", str(login.port)]
        options += ["-C"] if crypto.compressed else []
        identity = ["-l", login.user, "-i", str(key), "-hostkey", login.fingerprint]
        return ["plink", *options, *identity, *listeners, "127.0.0.1"]

    def environment(self, _login: Login) -> dict[str, str]:
        return {"PUTTYDIR": str(_login.directory / "putty")}


class PythonClient(Client):
    """A script of this directory that forwards with a Python library."""

    compresses = False

    def __init__(self, name: str, script: str) -> None:
        self.name = name
        self._script = script

    def missing(self) -> str:
        found = importlib.util.find_spec(self.name) is not None
        return "" if found else f"the Python package {self.name} is not installed"

    def argv(self, login: Login, crypto: Crypto, forwards: Sequence[Forward]) -> list[str]:
        # fmt: off
        return [
            sys.executable, str(HERE / self._script),
            "--port", str(login.port), "--user", login.user,
            "--identity", str(login.identity), "--known-hosts", str(login.known_hosts),
            "--ciphers", crypto.ciphers, "--macs", crypto.macs,
            *(str(forward) for forward in forwards),
        ]
        # fmt: on


SSH_DEFAULT = Ssh("ssh-default", DEFAULT)
SSH_AGAIN = Ssh("ssh-again")


def all_clients() -> tuple[Client, ...]:
    """Every client that can be asked for with ``--peers``, the yardstick first."""
    return (
        Ssh(),
        Netkit(),
        Plink(),
        PythonClient("sshtunnel", "sshtunnel_forward.py"),
        PythonClient("asyncssh", "asyncssh_forward.py"),
        PythonClient("paramiko", "naive_paramiko.py"),
    )


@dataclass(frozen=True, slots=True)
class Running:
    """A client that forwards: its process and its local ports, in the order of the targets.

    ``gateway`` is the port it is connected to.
    """

    child: Child
    ports: tuple[int, ...]
    gateway: int

    @property
    def pid(self) -> int:
        """The process whose CPU time and memory count."""
        return self.child.pid


@contextlib.contextmanager
def running(
    processes: Processes, client: Client, login: Login, crypto: Crypto, targets: Sequence[int]
) -> Iterator[Running]:
    """Start ``client`` with one forward for each target port and end it afterwards.

    The first target must be the echo server: the client counts as ready once a byte has been
    there and back.  Raises ProcessFailedError when it ends, ProcessWedgedError when that takes
    longer than 30 seconds.
    """
    forwards = [Forward(free_port(), target) for target in targets]
    argv = client.argv(login, crypto, forwards)
    child = processes.start(argv, environment=client.environment(login))
    try:
        _wait_until_ready(processes, child, forwards[0].local)
        yield Running(child, tuple(forward.local for forward in forwards), login.port)
    finally:
        processes.stop(child)


def echoes(port: int) -> bool:
    """Whether a byte goes through 127.0.0.1:``port`` and comes back."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as probe:
            probe.sendall(b"x")
            return probe.recv(1) == b"x"
    except OSError:
        return False


def _wait_until_ready(processes: Processes, child: Child, port: int) -> None:
    for _ in range(1500):
        if echoes(port):
            return
        if ended_within(child, 0.02):
            said = processes.said(child) or "without a word"
            raise ProcessFailedError(f"ended with exit {child.returncode}: {said}")
    raise ProcessWedgedError("forwarded nothing within 30 s")
