"""What autossh is used for: how soon an unattended tunnel carries bytes again after its link died.

Every client runs in the same loop (``keep.py``); autossh itself takes part where it is installed.
The link dies by SIGKILL of the gateway's process for it, which closes its TCP connection, so that
the client knows at once.  The clock runs from there to the first byte that comes back.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from collections.abc import Sequence
from shutil import which
from typing import TYPE_CHECKING

import psutil
from clients import ALIAS, Client, Forward, Running, Ssh, echoes, write_config
from gateways import GCM, Crypto, Login
from measure import Metrics
from processes import HERE, ProcessFailedError, ProcessWedgedError, ended_within

if TYPE_CHECKING:
    from experiments import Lab

PATIENCE = 30.0
PROBE_PAUSE = 0.002


class Kept(Client):
    """A client that is started again whenever it ends."""

    def __init__(self, inner: Client) -> None:
        self.name = inner.name
        self._inner = inner

    def missing(self) -> str:
        return self._inner.missing()

    def argv(self, login: Login, crypto: Crypto, forwards: Sequence[Forward]) -> list[str]:
        return [sys.executable, str(HERE / "keep.py"), *self._inner.argv(login, crypto, forwards)]

    def choose(self, crypto: Crypto) -> Crypto:
        return self._inner.choose(crypto)

    def environment(self, login: Login) -> dict[str, str]:
        return self._inner.environment(login)


class Autossh(Ssh):
    """autossh without its own monitoring port, as its manual advises with ServerAliveInterval."""

    def __init__(self) -> None:
        super().__init__("autossh")

    def missing(self) -> str:
        return "" if which("autossh") else "no autossh here: install autossh"

    def argv(self, login: Login, crypto: Crypto, forwards: Sequence[Forward]) -> list[str]:
        listeners = [part for forward in forwards for part in ("-L", str(forward))]
        config = str(write_config(login, crypto))
        return ["autossh", "-M", "0", "-N", "-F", config, *listeners, ALIAS]

    def environment(self, _login: Login) -> dict[str, str]:
        return {"AUTOSSH_GATETIME": "0"}


def kept(clients: Sequence[Client]) -> list[Client]:
    """The same clients, unattended, and autossh where it is and ssh takes part."""
    autossh = Autossh()
    also = any(client.name == "ssh" for client in clients) and not autossh.missing()
    return [*(Kept(client) for client in clients), *([autossh] if also else [])]


def reconnect(lab: Lab, client: Running) -> Metrics:
    """Kill the link a few times; the median of the seconds until a byte passes again."""
    login = lab.gateways.get(GCM)
    times = [_one(login, client) for _ in range(lab.settings.reconnects)]
    return {"seconds": statistics.median(times), "worst_seconds": max(times)}


def _one(login: Login, client: Running) -> float:
    killed = time.monotonic()
    _kill_link(login)
    deadline = killed + PATIENCE
    while not echoes(client.ports[0]):
        if time.monotonic() > deadline:
            raise ProcessWedgedError(f"no byte passed within {PATIENCE:g} s of the link's end")
        if ended_within(client.child, PROBE_PAUSE):
            raise ProcessFailedError(f"ended with exit {client.child.returncode}")
    return time.monotonic() - killed


def _kill_link(login: Login) -> None:
    """SIGKILL to the gateway's processes for its connections; it goes on listening."""
    pid = int((login.directory / f"sshd-{login.port}.pid").read_text())
    served = psutil.Process(pid).children(recursive=True)
    if not served:
        raise ProcessFailedError("the gateway serves no connection")
    for process in served:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
