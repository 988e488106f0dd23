"""Logins of a benchmark: the same chain again and again, with one cipher or with compression."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from netkit.bench.model import Login
from netkit.doctor.session import Access, Session, open_session

if TYPE_CHECKING:
    from netkit.engine.transport.algorithms import Offer
    from netkit.engine.witness import Witness
    from netkit.model import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """A session, and what its login showed.

    Attributes:
        login: its times.
        server: the gateway's version line.
        cipher: agreed client to server.
        compression: both directions are compressed.
        theirs: what the gateway offers.
    """

    session: Session
    login: Login
    server: str
    cipher: str
    compression: bool
    theirs: Offer


def log_in(access: Access, *, cipher: str = "", compression: bool = False) -> LoggedIn:
    """Log in to the whole chain; only the last hop is given ``cipher`` and ``compression``.

    Raises:
        NetkitError: what failed.
    """
    wanted = replace(access, plan=_with(access.plan, cipher, compression=compression))
    witnesses: list[Witness] = []
    began = time.monotonic()
    session = open_session(wanted, witnesses)
    total = time.monotonic() - began
    last = witnesses[-1]
    agreed = last.agreed
    assert agreed is not None
    assert last.theirs is not None
    compressed = agreed.compression != "none"
    return LoggedIn(
        session=session,
        login=Login(
            cipher=agreed.cipher,
            compression=compressed,
            tcp=last.seconds_tcp,
            key_exchange=last.seconds_kex,
            authentication=last.seconds_auth,
            total=total,
        ),
        server=last.server,
        cipher=agreed.cipher,
        compression=compressed,
        theirs=last.theirs,
    )


def _with(plan: Plan, cipher: str, *, compression: bool) -> Plan:
    hop = replace(plan.hops[-1], compression=compression)
    if cipher:
        hop = replace(hop, ciphers=(cipher,))
    return replace(plan, hops=(*plan.hops[:-1], hop))


def common_ciphers(ours: tuple[str, ...], theirs: Offer, first: str) -> tuple[str, ...]:
    """Return what both sides offer, ``first`` in front, the others as we prefer them."""
    return (first, *(name for name in ours if name in theirs.ciphers and name != first))
