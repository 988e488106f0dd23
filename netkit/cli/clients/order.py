"""What is to be started with a tunnel, and what is reported of it."""

from __future__ import annotations

from dataclasses import dataclass

from netkit.desktop.clients import View
from netkit.events import Event
from netkit.model import Endpoint

LIMIT = 20.0
"""Seconds that a server may take to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAnswered(Event):
    """The server behind a forward answered; ``server`` says as what."""

    address: Endpoint
    target: str
    server: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientStarted(Event):
    """A program was started that shows it."""

    argv: tuple[str, ...]
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientEnded(Event):
    """The program ended; ``stays`` tells whether the tunnel does."""

    status: int
    stays: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to start, and when.

    Attributes:
        view: what to show; its address, and the URL, are filled in once the forward listens.
        launch: start a client; else only say how.
        limit: seconds that the server may take; 0: it is not asked.
        again: it may refuse meanwhile.
        path: of the page; ``secure`` for https, None where the port decides.
        command: ``("netkit", "rdp")`` or ``("netkit", "up", NAME)``, to be typed again.
        alone: the tunnel is another process's.
    """

    view: View
    launch: bool = True
    limit: float = LIMIT
    again: bool = False
    path: str = "/"
    secure: bool | None = None
    command: tuple[str, ...] = ()
    alone: bool = False
