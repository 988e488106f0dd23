"""A control server of a tunnel made of values, as the process that runs it has one."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from netkit.control.answers import Answers, EventLog
from netkit.control.server import ControlServer
from netkit.desktop import instance
from netkit.desktop.instance import Claim, ControlPoint, Holder
from support.supervised import FakeSupervised


@dataclass
class Controlled:
    """What is there: the tunnel, its claim's holder, the server."""

    tunnel: FakeSupervised
    claim: Claim
    holder: Holder
    point: ControlPoint
    log: EventLog
    server: ControlServer


@contextlib.contextmanager
def controlled(
    locks: Path | None = None,
    *,
    name: str = "office",
    tunnel: FakeSupervised | None = None,
    tcp: bool = False,
) -> Iterator[Controlled]:
    """Run a control server; its claim is kept in ``locks``, or the usual place."""
    tunnel = tunnel or FakeSupervised()
    log = EventLog()
    claim = instance.claim(name, locks)
    assert isinstance(claim, Claim)
    # a path of pytest's is too long for a socket
    with tempfile.TemporaryDirectory(prefix="nk") as folder, contextlib.closing(claim):
        answers = Answers(
            tunnel,
            log,
            name=name,
            gateway="gw",
            end=lambda drain: tunnel.stop(5.0 if drain is None else drain),
        )
        server = ControlServer(answers)
        point = server.start(claim.path, Path(folder) / "run", tcp=tcp)
        claim.tell(gateway="gw", control=point)
        holder = next(each for each in instance.running(locks) if each.name == name)
        try:
            yield Controlled(tunnel, claim, holder, point, log, server)
        finally:
            server.close()
