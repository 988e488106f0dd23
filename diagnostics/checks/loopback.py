"""Does the loopback interface work: up, with 127.0.0.1, and does what is sent to it arrive."""

from __future__ import annotations

from dataclasses import dataclass

from diagnostics.model import (
    Check,
    Effect,
    Evidence,
    Finding,
    Judgement,
    Kind,
    Severity,
    Target,
    Unknown,
)
from diagnostics.system import ConnectBack, Interface, System
from netkit.model import Endpoint, Fix

DOWN, WITHOUT, BROKEN = "loopback-down", "loopback-without-127", "loopback-broken"
HOME = Endpoint("127.0.0.1", 0)


@dataclass(frozen=True, slots=True)
class Facts:
    """The loopback interface, if there is one, and what came of using it."""

    os: str
    interface: Interface | None
    back: ConnectBack


def probe(_target: Target, system: System) -> Facts:
    """Look at the interface, and pass a nonce through 127.0.0.1."""
    found = next((each for each in system.interfaces() if each.is_loopback), None)
    return Facts(system.os, found, system.connect_back(HOME))


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Say which of the three it is; what works needs no word."""
    if facts.back.outcome == "ok":
        return ()
    seen = (Evidence("127.0.0.1", f"{facts.back.outcome} {facts.back.error}".strip()),)
    interface = facts.interface
    if interface is None:
        return (Unknown(reason="no loopback interface is listed", evidence=seen),)
    if not interface.is_up:
        return (_down(facts, interface, seen),)
    if not any(each.address == HOME.host for each in interface.addresses):
        return (_without(facts, interface, seen),)
    return (
        Finding(
            code=BROKEN,
            subject=HOME.host,
            title="127.0.0.1 is configured, and what is sent to it does not arrive",
            explain="A firewall or a security product filters loopback; no tunnel can be used.",
            evidence=seen,
        ),
    )


def _down(facts: Facts, interface: Interface, seen: tuple[Evidence, ...]) -> Finding:
    return Finding(
        code=DOWN,
        severity=Severity.ERROR,
        subject=interface.name,
        title=f"The loopback interface {interface.name} is down",
        explain="Nothing on this machine can reach anything on it, 127.0.0.1 included.",
        evidence=seen,
        fixes=_fixes(facts.os, interface.name, up=True),
    )


def _without(facts: Facts, interface: Interface, seen: tuple[Evidence, ...]) -> Finding:
    return Finding(
        code=WITHOUT,
        subject=interface.name,
        title=f"The loopback interface {interface.name} has no address 127.0.0.1",
        explain="Programs that listen on localhost cannot be reached, and most cannot start.",
        evidence=seen,
        fixes=_fixes(facts.os, interface.name, up=False),
    )


def _fixes(os: str, name: str, *, up: bool) -> tuple[Fix, ...]:
    if os == "linux" and up:
        set_up = ("sudo", "ip", "link", "set", name, "up")
        return (Fix(set_up, needs_admin=True, undo=(*set_up[:-1], "down")),)
    if os == "linux":
        add = ("sudo", "ip", "addr", "add", "127.0.0.1/8", "dev", name)
        undo = ("sudo", "ip", "addr", "del", "127.0.0.1/8", "dev", name)
        return (Fix(add, needs_admin=True, undo=undo),)
    if os == "darwin":
        argv = ("sudo", "ifconfig", name, "127.0.0.1", "netmask", "255.0.0.0", "up")
        return (Fix(argv, needs_admin=True),)
    return ()


CHECK = Check(
    code="loopback",
    title="the loopback interface",
    probe=probe,
    judge=judge,
    finds=(
        Kind(DOWN, "the loopback interface is down"),
        Kind(WITHOUT, "the loopback interface lacks 127.0.0.1"),
        Kind(BROKEN, "what is sent to 127.0.0.1 does not arrive"),
    ),
    effects=(Effect.BINDS,),
)
