"""What to say about our display on a gateway.  Pure.

`Facts` holds what was found out about each forward, leg by leg; `judge` names it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from diagnostics.forwarding.fixes import moved
from diagnostics.model import (
    Confidence,
    Evidence,
    Finding,
    Judgement,
    Kind,
    Severity,
    Unknown,
)
from diagnostics.parsers.addresses import is_loopback
from diagnostics.parsers.text import clean
from diagnostics.parsers.x_display import X_PORT
from diagnostics.parsers.x_gateway import GatewayX
from diagnostics.parsers.x_setup import Reply
from diagnostics.parsers.xauthority import LOCAL, key_for
from diagnostics.ssh import Listened
from diagnostics.x11 import authority, server, wanted
from diagnostics.x11.server import Answer
from netkit.model import Endpoint, Fix, ForwardSpec, UnixPath

OPEN, OPEN_THERE = "x-open-to-anyone", "x-open-on-gateway"
COLLIDES, SSHD_RANGE, NO_DISPLAY = "x-display-collides", "x-display-of-sshd", "x-mapping-no-display"
RECIPE, SERVED = "x-mapping-recipe", "x-mapping-served"

_FREE = (*range(1, 10), *range(100, 200))
"""Display numbers that neither a desktop nor sshd (X11DisplayOffset 10) is likely to take."""

KINDS = (
    Kind(OPEN, "everybody who reaches the gateway can control the screen here"),
    Kind(OPEN_THERE, "every account of the gateway can control the screen here"),
    Kind(COLLIDES, "the gateway has another display of that number"),
    Kind(SSHD_RANGE, "sshd on the gateway may take the display at any time"),
    Kind(NO_DISPLAY, "a forward for X11 listens where no display can be"),
    Kind(RECIPE, "what DISPLAY and which cookie X programs need"),
    Kind(SERVED, "an X server is at the port of the gateway already"),
)


@dataclass(frozen=True, slots=True)
class Mapping:
    """One forward.

    Attributes:
        bare: what the X server says to somebody without a cookie, over the way that the forward
            takes; None where nobody answers.
        cookie: the name of the cookie here that opens it; empty: none does, or none is needed.
        listened: of having the gateway listen; None for a unix socket.
        served: where the gateway did not listen, what an X server says that is at the port already.
    """

    forward: ForwardSpec
    bare: Answer | None = None
    cookie: str = ""
    listened: Listened | None = None
    served: Reply | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """The mappings, and what a shell sees of X11 on the gateway.

    ``host`` is the gateway's name or address as X programs elsewhere would write it, ``ssh`` the
    words that lead there.
    """

    os: str
    gateway: str
    host: str
    ssh: str
    user: str
    there: GatewayX
    mappings: tuple[Mapping, ...] = ()


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Judge each mapping by itself."""
    found = [each for mapping in facts.mappings for each in _judge(facts, mapping)]
    if not facts.there.answered and facts.mappings:
        reason = f"which displays {facts.gateway} has of its own: no shell there tells"
        found.append(Unknown(reason=reason))
    return tuple(found)


def _judge(facts: Facts, mapping: Mapping) -> list[Judgement]:
    bind = mapping.forward.bind
    number = wanted.number_of(bind)
    if number is None:
        return [] if isinstance(bind, Endpoint) and not bind.port else [_no_display(mapping)]
    found: list[Judgement] = [*_collisions(facts, mapping, number)]
    if mapping.served is not None:
        found.append(_is_served(facts, mapping, mapping.served, number))
    bare = mapping.bare
    if bare is not None and bare.outcome == server.ACCEPTED:
        found.append(_open(facts, mapping, bare))
        if _is_unproved(mapping):
            where = f"{_where(mapping)} on the gateway"
            found.append(Unknown(reason=f"whether others reach {where}: nobody could knock there"))
    if bare is not None and bare.outcome in (server.ACCEPTED, server.REJECTED):
        found.append(_recipe(facts, mapping, number))
    return found


def _seen(mapping: Mapping) -> tuple[Evidence, ...]:
    bare = mapping.bare
    listened = mapping.listened
    asked = (
        ()
        if bare is None
        else (
            Evidence(
                f"{clean(str(bare.place), 120)} without a cookie",
                clean(f"{bare.outcome} {bare.reply.reason}".strip()),
            ),
        )
    )
    knocks = (
        ()
        if listened is None
        else tuple(
            Evidence(
                f"from {'the gateway' if knock.origin == 'gateway' else 'here'} to {knock.address}",
                clean(knock.outcome),
            )
            for knock in listened.knocks[:8]
        )
    )
    return (*asked, *knocks)


def _where(mapping: Mapping) -> str:
    bind = mapping.forward.bind
    if isinstance(bind, Endpoint) and not bind.host:
        return f"port {bind.port}"
    return clean(str(bind), 100)


def _reached(facts: Facts, mapping: Mapping) -> list[str]:
    """Return the addresses beyond the gateway's loopback at which the forward can be reached.

    Of one that runs already, what listens there tells.
    """
    knocks = mapping.listened.knocks if mapping.listened else ()
    hosts = [knock.address.host for knock in knocks if knock.outcome == "arrived"]
    bind = mapping.forward.bind
    served = mapping.served is not None and mapping.served.status == server.ACCEPTED
    if served and isinstance(bind, Endpoint):
        hosts += [clean(host, 60) for host, port in facts.there.listeners if port == bind.port]
    return [host for host in dict.fromkeys(hosts) if not is_loopback(host)]


def _no_display(mapping: Mapping) -> Finding:
    where = _where(mapping)
    bind = mapping.forward.bind
    fixes: tuple[Fix, ...] = ()
    if isinstance(bind, Endpoint):
        fixes = (moved(mapping.forward, replace(bind, port=X_PORT + 1), note="is display 1"),)
    return Finding(
        code=NO_DISPLAY,
        subject=where,
        title=f"{where} on the gateway is no display, so no X program can be told to use it",
        explain="DISPLAY=host:n is port 6000+n and nothing else; :n is /tmp/.X11-unix/Xn.",
        evidence=_seen(mapping),
        fixes=fixes,
    )


def _is_unproved(mapping: Mapping) -> bool:
    """Return whether nobody could look if the gateway listens beyond its loopback."""
    bind, listened = mapping.forward.bind, mapping.listened
    if not isinstance(bind, Endpoint) or listened is None or listened.outcome != "ok":
        return False
    beyond = [knock for knock in listened.knocks if not is_loopback(knock.address.host)]
    seen = any(knock.outcome in ("arrived", "refused", "elsewhere") for knock in beyond)
    return not (is_loopback(bind.host) or seen)


def _is_served(facts: Facts, mapping: Mapping, served: Reply, number: int) -> Finding:
    return Finding(
        code=SERVED,
        severity=Severity.INFO,
        subject=_where(mapping),
        title=f"An X server is at {_where(mapping)} of {facts.gateway} already: display {number}",
        explain="If it is this one, the same forward runs; else choose another display.",
        evidence=(
            Evidence("through the gateway", clean(f"{served.status} {served.reason}".strip())),
            *_seen(mapping),
        ),
    )


def _collisions(facts: Facts, mapping: Mapping, number: int) -> list[Finding]:
    there, bind = facts.there, mapping.forward.bind
    found = []
    taken = [f"/tmp/.X11-unix/X{number}"] if number in there.sockets else []  # noqa: S108
    if number in there.locks:
        taken.append(f"/tmp/.X{number}-lock")  # noqa: S108
    if taken and isinstance(bind, Endpoint):
        found.append(
            Finding(
                code=COLLIDES,
                severity=Severity.WARNING,
                subject=f":{number}",
                title=f"The gateway has another display :{number}, so DISPLAY=:{number} and "
                f"DISPLAY=localhost:{number} differ there",
                explain="X programs, and ssh -X from there, would open windows on the wrong one.",
                evidence=(Evidence("on the gateway", " ".join(taken)),),
                fixes=_other_number(facts, mapping, bind),
            )
        )
    if isinstance(bind, Endpoint) and 10 <= number < 100:
        found.append(
            Finding(
                code=SSHD_RANGE,
                severity=Severity.WARNING,
                confidence=Confidence.LIKELY,
                subject=f":{number}",
                title=f"Display {number} is one that sshd on the gateway gives to whoever comes "
                "with ssh -X",
                explain="It counts up from 10, so some day the port is taken before we come.",
                evidence=_seen(mapping),
                fixes=_other_number(facts, mapping, bind),
            )
        )
    return found


def _other_number(facts: Facts, mapping: Mapping, bind: Endpoint) -> tuple[Fix, ...]:
    there = facts.there
    ports = {port for _, port in there.listeners}
    taken = {*there.sockets, *there.locks, *(port - X_PORT for port in ports)}
    number = next((each for each in _FREE if each not in taken), None)
    if number is None:
        return ()
    new = replace(bind, port=X_PORT + number)
    return (moved(mapping.forward, new, note=f"is display {number}"),)


def _open(facts: Facts, mapping: Mapping, bare: Answer) -> Finding:
    reached = _reached(facts, mapping)
    bind, where = mapping.forward.bind, _where(mapping)
    who = "Everybody who reaches it" if reached else f"Every account of {facts.gateway}"
    fixes = _close(bare)
    if reached and isinstance(bind, Endpoint):
        loopback = moved(
            mapping.forward,
            replace(bind, host="127.0.0.1"),
            note="then only accounts of the gateway reach it",
        )
        fixes = (loopback, *fixes)
    control = "off" if bare.reply.control is False else "on"
    hosts = Evidence("lets in without a cookie", " ".join(bare.reply.hosts) or "nobody by name")
    return Finding(
        code=OPEN if reached else OPEN_THERE,
        severity=Severity.ERROR if reached else Severity.WARNING,
        subject=where,
        title=f"{where} on the gateway leads to an X server that asks for no cookie"
        + (f", and listens on {reached[0]} too" if reached else ""),
        explain=f"{who} can watch and control the screen here, keyboard included.",
        evidence=(*_seen(mapping), Evidence("access control", control), hosts),
        fixes=fixes,
    )


def _close(bare: Answer) -> tuple[Fix, ...]:
    """Return how the server is made to ask for cookies of those who come over the forward."""
    if bare.reply.control is False:
        return (Fix(("xhost", "-"), note="asks for cookies again", undo=("xhost", "+")),)
    mine = [
        host
        for host in bare.reply.hosts
        if host.startswith(("si:localuser:", "inet:127.", "inet6:::1"))
        and all(char.isalnum() or char in ":._-$" for char in host)
    ]
    return tuple(
        Fix(("xhost", f"-{host}"), undo=("xhost", f"+{host}"), note="whom netkit connects as")
        for host in mine[:3]
    )


def _recipe(facts: Facts, mapping: Mapping, number: int) -> Finding:
    reached = _reached(facts, mapping)
    bind = mapping.forward.bind
    if isinstance(bind, UnixPath):
        names = [f":{number}"]
    elif reached:
        names = [f"{facts.host}:{number}", f"localhost:{number}"]
    else:
        host = bind.host if bind.host.startswith("127.") else "localhost"
        names = [f"{host}:{number}"]
    explain = "Programs on the gateway alone reach it."
    if reached:
        explain = "Programs elsewhere reach it too."
    fixes: tuple[Fix, ...] = ()
    if mapping.bare is not None and mapping.bare.outcome == server.REJECTED:
        explain += " They have to send the cookie of this X server."
        fixes = _cookie_lines(facts, mapping, names, number)
    explain += _own_name(facts, number)
    return Finding(
        code=RECIPE,
        severity=Severity.INFO,
        subject=_where(mapping),
        title=f"X programs use this display with DISPLAY={' or '.join(names)}",
        explain=explain,
        evidence=_seen(mapping),
        fixes=fixes,
    )


def _cookie_lines(facts: Facts, mapping: Mapping, names: list[str], number: int) -> tuple[Fix, ...]:
    """Return the lines that bring the cookie to where X programs run, under the right name."""
    if not mapping.cookie or not facts.ssh or facts.os == "windows":
        return ()
    fixes: list[Fix] = []
    host = names[-1].partition(":")[0]
    key = key_for(host if host[:1].isdigit() else "", facts.there.host, number)
    name = f"unix:{number}" if key.family == LOCAL else names[-1]
    fixes += authority.copy(
        mapping.cookie, name, through=f"ssh {facts.ssh}", note=f"for {facts.gateway} itself"
    )
    if len(names) > 1:
        note = "for another host in place of HOST"
        fixes += authority.copy(mapping.cookie, names[0], through="ssh HOST", note=note)
    return tuple(fixes)


def _own_name(facts: Facts, number: int) -> str:
    """Warn of a host whose own name is an address of 127.0.0.0/8 that is not 127.0.0.1."""
    trap = [each for each in facts.there.addresses if each[:4] == "127." and each != "127.0.0.1"]
    if not trap or not facts.there.host:
        return ""
    return (
        f" On the gateway {facts.there.host}:{number} is {trap[0]}, for which X programs look for "
        "another cookie: use localhost."
    )
