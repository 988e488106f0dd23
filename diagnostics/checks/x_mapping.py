"""Our display on the gateway, leg by leg: DISPLAY=gateway:n, port 6000+n there, X server here.

Whom the gateway lets listen is for other checks.  Here: which display it becomes, whether there is
another one of that number, who reaches it, and whether whoever does needs a cookie.
"""

from __future__ import annotations

import re

from diagnostics.model import Check, Effect, Target, with_gateway
from diagnostics.parsers import x_gateway, x_setup
from diagnostics.parsers.addresses import is_loopback
from diagnostics.parsers.text import clean
from diagnostics.parsers.x_gateway import GatewayX
from diagnostics.parsers.x_setup import Reply
from diagnostics.ssh import HopFacts, Knock
from diagnostics.system import System
from diagnostics.x11 import authority, server, wanted
from diagnostics.x11.mapping import KINDS, Facts, Mapping, judge
from netkit.model import Endpoint, ForwardSpec

MAX_FORWARDS = 4
_TIME = 6.0
_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_.@:/-]{0,200}\Z", re.ASCII)


def applies(target: Target) -> str:
    """Apply where a remote forward brings a display to a gateway."""
    if not wanted.remote(target):
        return "no remote forward leads to an X server"
    return with_gateway(target)


def probe(target: Target, system: System) -> Facts:
    """Knock at the X server without a cookie, and at the gateway from all sides."""
    there = x_gateway.parse(system.ssh.run(x_gateway.ASK, _TIME).stdout)
    hops = system.ssh.route().hops
    hop = hops[-1] if hops else None
    return Facts(
        system.os,
        clean(target.gateway),
        clean(hop.host if hop else target.gateway, 80),
        "" if hop is None else _line(target, hop),
        clean(system.account().user, 40),
        there,
        tuple(_map(forward, there, system) for forward in wanted.remote(target)[:MAX_FORWARDS]),
    )


def _line(target: Target, hop: HopFacts) -> str:
    """Return how to call ssh from a shell line; empty where a word is no plain one."""
    config = ("-F", target.config_file) if target.config_file else ()
    port = ("-p", str(hop.port)) if hop.port != 22 else ()
    where = f"{hop.user}@{hop.alias}" if hop.user else hop.alias
    line = " ".join((*config, *port, where))
    return line if _PLAIN.match(where) and all(map(_PLAIN.match, config[1:])) else ""


def _map(forward: ForwardSpec, there: GatewayX, system: System) -> Mapping:
    assert forward.to is not None
    number = wanted.number_of(forward.to) or 0
    cookies = authority.read(system).entries
    answers = server.visit(system, server.places_to(system, forward.to), (), number)
    bare = answers[-1] if answers and answers[-1].connected else None
    cookie = ""
    if bare is not None and bare.outcome == server.REJECTED:
        cookie = server.others(system, bare.place, cookies, None, number)
    if not isinstance(forward.bind, Endpoint):
        return Mapping(forward, bare, cookie)
    listened = system.ssh.listen(forward.bind, _knocks(there, system))
    served = _served(forward.bind, system) if listened.outcome == "refused" else None
    return Mapping(forward, bare, cookie, listened, served)


def _served(bind: Endpoint, system: System) -> Reply | None:
    """Shake hands through the gateway with what is there: perhaps this forward runs already."""
    host = bind.host if is_loopback(bind.host) else "127.0.0.1"
    opened = system.ssh.open(
        Endpoint(host, bind.port), _TIME, send=x_setup.request(), receive=x_setup.MAX_REPLY
    )
    reply = x_setup.parse(opened.data)
    return reply if reply.status in (server.ACCEPTED, server.REJECTED) else None


def _knocks(there: GatewayX, system: System) -> tuple[Knock, ...]:
    """Return knocks at loopback, and at the addresses of the gateway that others may reach."""
    peer = system.ssh.login().peer
    reached = (peer.host,) if peer is not None else ()
    hosts = [each for each in dict.fromkeys((*reached, *there.own)) if not is_loopback(each)][:3]
    knocks = [Knock(origin="gateway", address=Endpoint(each, 0)) for each in ("127.0.0.1", *hosts)]
    knocks += [Knock(origin="here", address=Endpoint(each, 0)) for each in reached]
    return tuple(knocks)


CHECK = Check(
    code="x-mapping",
    title="our display on the gateway",
    probe=probe,
    judge=judge,
    finds=KINDS,
    depends_on=("gateway-login",),
    after=("forwarding-remote", "gateway-ports"),
    effects=(
        *(Effect.CONNECTS, Effect.LOGS_IN),
        *(Effect.RUNS_REMOTELY, Effect.LISTENS_REMOTELY),
    ),
    timeout=60.0,
    applies=applies,
)
