"""Can this machine reach the targets of the remote forwards, which it has to connect to itself.

X servers are left to the checks of X11, which talk to them.
"""

from __future__ import annotations

from dataclasses import dataclass

from diagnostics.checks.forwarding_remote import remote_forwards
from diagnostics.model import (
    Check,
    Effect,
    Evidence,
    Finding,
    Judgement,
    Kind,
    Target,
    Unknown,
)
from diagnostics.parsers.addresses import literal
from diagnostics.parsers.text import clean
from diagnostics.system import System
from netkit.model import Address, Endpoint, Fix, UnixPath

REFUSED, UNREACHABLE = "remote-target-refused", "remote-target-unreachable"
NAME, SOCKET = "remote-target-name-unknown", "remote-target-no-socket"

MAX_TARGETS = 8
_PATIENCE = 4.0
_ADDRESSES = 4
_X11 = range(6000, 6064)
_X11_SOCKETS = "/tmp/.X11-unix/"  # noqa: S108 (where X servers have their sockets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """What came of one target.

    ``outcome`` is that of the best of its addresses, ``name`` where it has none, or for a unix
    socket ``socket`` or what else is there (``missing``, ``other``).
    """

    to: Address
    outcome: str
    text: str = ""
    tried: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What came of each target."""

    os: str = ""
    reached: tuple[Reached, ...] = ()


def applies(target: Target) -> str:
    """Concern remote forwards with a target of their own."""
    return "" if _targets(target) else "no remote forward leads to this machine"


def _targets(target: Target) -> list[Address]:
    found = dict.fromkeys(each.to for each in remote_forwards(target) if each.to is not None)
    return [to for to in found if not _is_x11(to)][:MAX_TARGETS]


def _is_x11(to: Address) -> bool:
    if isinstance(to, UnixPath):
        return to.path.startswith(_X11_SOCKETS)
    return to.port in _X11


def seconds_for(target: Target) -> float:
    """Return how long the probe may take: one target after the other."""
    return 5.0 + (_ADDRESSES + 1) * _PATIENCE * len(_targets(target))


def probe(target: Target, system: System) -> Facts:
    """Connect to each target as the tunnel would."""
    return Facts(os=system.os, reached=tuple(_reach(each, system) for each in _targets(target)))


def _reach(to: Address, system: System) -> Reached:
    if isinstance(to, UnixPath):
        kind = system.stat(to.path).kind
        return Reached(to=to, outcome=kind if kind in ("", "socket") else "other")
    addresses: tuple[str, ...] = (to.host,)
    if literal(to.host) is None:
        found = system.resolve(to.host or "localhost", timeout=_PATIENCE)
        addresses = found.addresses[:_ADDRESSES]
        if not addresses:
            return Reached(to=to, outcome="name", text=clean(found.text or found.error, 100))
    outcomes = []
    for address in addresses:
        made = system.connect(Endpoint(address, to.port), _PATIENCE)
        outcomes.append((made.outcome, clean(made.error, 40)))
        if made.outcome == "ok":
            break
    outcome, text = outcomes[-1]
    tried = tuple(f"{each}: {said}" for each, (said, _) in zip(addresses, outcomes, strict=False))
    return Reached(to=to, outcome=outcome, text=text, tried=tried)


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Say of each target why it cannot be used."""
    return tuple(found for each in facts.reached if (found := _one(facts.os, each)) is not None)


def _one(os: str, reached: Reached) -> Judgement | None:
    to = clean(str(reached.to), 100)
    if isinstance(reached.to, UnixPath):
        return _socket(to, reached)
    match reached.outcome:
        case "ok":
            return None
        case "name":
            return _name(os, to, reached, reached.to)
        case "refused":
            return _refused(os, to, reached, reached.to)
        case "timed-out" | "unreachable" | "reset":
            return _unreachable(to, reached)
        case _:
            reason = f"whether this machine reaches {to}: {reached.text or reached.outcome}"
            return Unknown(reason=reason, subject=to)


def _evidence(reached: Reached) -> tuple[Evidence, ...]:
    return tuple(Evidence("connecting from here", clean(each, 100)) for each in reached.tried)


def _socket(to: str, reached: Reached) -> Judgement | None:
    if reached.outcome == "socket":
        return None
    there = "is no socket" if reached.outcome else "does not exist"
    return Finding(
        code=SOCKET,
        subject=to,
        title=f"{to} {there} on this machine",
        explain="A remote forward leads there, and every connection through it would be refused.",
        fixes=(Fix(("ls", "-l", to), note="shows what is there; start what makes the socket"),),
    )


def _name(os: str, to: str, reached: Reached, target: Endpoint) -> Finding:
    host = clean(target.host, 253)
    look = ("getent", "ahosts", host) if os == "linux" else ("nslookup", host)
    return Finding(
        code=NAME,
        subject=to,
        title=f"This machine does not know the name {clean(host, 80)}",
        explain="The target of a remote forward is looked up here, not on the gateway.",
        evidence=(Evidence("the resolver", reached.text),),
        fixes=(Fix(look, note="prints its addresses when the name is right"),),
    )


def _refused(os: str, to: str, reached: Reached, target: Endpoint) -> Finding:
    listing = {"linux": ("ss", "-ltn"), "windows": ("netstat", "-ano", "-p", "TCP")}
    note = f"lists what listens here; start the service on port {target.port}"
    return Finding(
        code=REFUSED,
        subject=to,
        title=f"{to} refuses the connection from this machine",
        explain="A remote forward leads there: whoever connects to the gateway's port is let in and"
        " cut off at once. Nothing accepts connections on that port.",
        evidence=_evidence(reached),
        fixes=(Fix(listing.get(os, ("netstat", "-an", "-p", "tcp")), note=note),),
    )


def _unreachable(to: str, reached: Reached) -> Finding:
    host = reached.to.host if isinstance(reached.to, Endpoint) else ""
    return Finding(
        code=UNREACHABLE,
        subject=to,
        title=f"This machine gets no connection to {to}",
        explain="A remote forward leads there. The machine is off, the address is wrong, or a"
        " firewall drops the packets.",
        evidence=_evidence(reached),
        fixes=(Fix(("ping", clean(host, 253)), note="shows whether it answers at all"),),
    )


CHECK = Check(
    code="forwarding-target-here",
    title="the targets of the remote forwards, seen from here",
    probe=probe,
    judge=judge,
    finds=(
        Kind(REFUSED, "nothing here accepts connections at the target of a remote forward"),
        Kind(UNREACHABLE, "this machine does not reach the target of a remote forward"),
        Kind(NAME, "this machine does not know the name of a remote forward's target"),
        Kind(SOCKET, "the unix socket that a remote forward leads to is not there"),
    ),
    depends_on=("loopback",),
    effects=(Effect.CONNECTS,),
    timeout=seconds_for,
    applies=applies,
)
