"""How far the way to the gateway was gone: the one login, and the hop that it is about.

`look` is what the probes of several checks share; the rest is pure and for their judges.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from diagnostics.model import Target, Unknown
from diagnostics.parsers.text import clean
from diagnostics.ssh import HopFacts, Login
from diagnostics.system import System
from netkit.model import Endpoint

LOGIN_TIME = 240.0
"""Seconds for the login, in which a person may have to type: netkit waits up to 180 for a reply."""

STAGES = ("none", "tcp", "banner", "kex", "host-key", "auth", "done")
"""Of `diagnostics.ssh.Login`, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approach:
    """The login and its hop.

    Attributes:
        os: of this machine.
        typed: the gateway as the user wrote it.
        user: who runs this.
        hop: the hop that the login failed at, or the last one.
        before: the hop that leads to it; None for the first.
        is_last: whether it is the gateway itself, and no jump host on the way.
        login: how far it got.
    """

    os: str = ""
    typed: str = ""
    user: str = ""
    hop: HopFacts = field(default_factory=lambda: HopFacts(alias="", host=""))
    before: HopFacts | None = None
    is_last: bool = True
    login: Login = field(default_factory=Login)

    @property
    def name(self) -> str:
        """The hop as people know it: ``gw``, ``gw (10.0.0.1)``, ``jump host gw``."""
        name = name_of(self.hop)
        return name if self.is_last else f"jump host {name}"

    @property
    def where(self) -> str:
        """Host and port of the hop, the subject of findings."""
        return address_of(self.hop)

    @property
    def place(self) -> str:
        """Host and port of the hop for titles: ``10.0.0.1:22 (jump host gw)``."""
        return self.with_role(self.where)

    def with_role(self, name: str) -> str:
        """Return ``name`` of the hop, followed by its role where it is a jump host."""
        return name if self.is_last else f"{name} (jump host {clean(self.hop.alias, 80)})"

    @property
    def detail(self) -> str:
        """What netkit says of the failure, cause included."""
        login = self.login
        return clean(f"{login.error}: {login.cause}" if login.cause else login.error, 1000)


def name_of(hop: HopFacts) -> str:
    """Return the alias, and the host where that is another name."""
    alias, host = clean(hop.alias, 80), clean(hop.host, 80)
    shown = alias if alias == host else f"{alias} ({host})"
    return shown if hop.port == 22 else f"{shown} port {hop.port}"


def address_of(hop: HopFacts) -> str:
    """Return ``host:port``."""
    return str(Endpoint(clean(hop.host, 80), hop.port))


def look(target: Target, system: System) -> Approach:
    """Log in, or learn how far that got.  Takes as long as the login where nobody asked before."""
    login = system.ssh.login()
    hops = system.ssh.route().hops
    user = system.account().user
    if not hops:
        return Approach(os=system.os, typed=target.gateway, user=user, login=login)
    at = len(hops) - 1
    if not login.done:
        at = _place(login, hops)
    return Approach(
        os=system.os,
        typed=target.gateway,
        user=user,
        hop=hops[at],
        before=hops[at - 1] if at else None,
        is_last=at == len(hops) - 1,
        login=login,
    )


def _place(login: Login, hops: tuple[HopFacts, ...]) -> int:
    """Return which of the hops a login that failed is about; the last where that is unknown."""
    named = [n for n, hop in enumerate(hops) if hop.alias == login.hop] or [len(hops) - 1]
    return login.hop_at if login.hop_at in named else named[0]


def standing(login: Login, stage: str) -> int:
    """Return -1 where the login ended before ``stage``, 0 where it ended there, 1 beyond."""
    here, asked = _rank(login.stage), _rank(stage)
    return (here > asked) - (here < asked)


def _rank(stage: str) -> int:
    return STAGES.index(stage) if stage in STAGES else 0


def not_reached(approach: Approach) -> Unknown:
    """Return that the login ended before what is to be judged."""
    if approach.login.error_code == "cancelled":
        return Unknown(reason="the login was interrupted", subject=approach.where)
    why = approach.detail or "there was no login"
    return Unknown(reason=f"not reached: {why}", subject=approach.where)
