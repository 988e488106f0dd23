"""Is there an X server on this side where a remote forward leads."""

from __future__ import annotations

from dataclasses import dataclass, replace

from diagnostics.forwarding.fixes import again
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
from diagnostics.parsers.addresses import is_loopback
from diagnostics.parsers.text import clean
from diagnostics.parsers.x_display import SOCKET_DIR, parse, paths_in, socket_of
from diagnostics.system import System
from diagnostics.x11 import authority, server, wanted
from diagnostics.x11.server import Answer
from netkit.model import Endpoint, Fix, ForwardSpec, UnixPath

DEAD, SILENT, STRANGE = "x-target-dead", "x-target-silent", "x-target-not-x"
MAX_FORWARDS = 4


@dataclass(frozen=True, slots=True)
class Led:
    """A forward and what answers where it leads.

    ``socket`` is the unix socket of the same display at which an X server answers while the target
    does not.
    """

    forward: ForwardSpec
    answers: tuple[Answer, ...] = ()
    socket: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Every remote forward that leads to an X server."""

    os: str
    gateway: str
    forwards: tuple[Led, ...] = ()


def applies(target: Target) -> str:
    """Apply where the gateway is to get one of our displays."""
    return "" if wanted.remote(target) else "no remote forward leads to an X server"


def probe(target: Target, system: System) -> Facts:
    """Shake hands with each target; where none answers, with the same display's unix socket."""
    forwards = wanted.remote(target)[:MAX_FORWARDS]
    return Facts(
        system.os, clean(target.gateway), tuple(_led(forward, system) for forward in forwards)
    )


def _led(forward: ForwardSpec, system: System) -> Led:
    assert forward.to is not None
    number = wanted.number_of(forward.to) or 0
    cookies = authority.read(system).entries
    places = server.places_to(system, forward.to)
    answers = server.visit(system, places, cookies, number)
    if any(answer.connected for answer in answers) or not _is_own(forward, answers):
        return Led(forward, answers)
    for path in _sockets(number, system):
        (there,) = server.visit(system, server.unix_places(path, abstract=False), cookies, number)
        if there.outcome in (server.ACCEPTED, server.REJECTED):
            return Led(forward, answers, path)
    return Led(forward, answers)


def _is_own(forward: ForwardSpec, answers: tuple[Answer, ...]) -> bool:
    """Return whether the target is TCP on this machine."""
    return isinstance(forward.to, Endpoint) and all(is_loopback(a.place.peer) for a in answers)


def _sockets(number: int, system: System) -> tuple[str, ...]:
    """Return where the server may listen instead: the usual socket, and launchd's on macOS."""
    text = system.variable("DISPLAY") or ""
    present = {path for path in paths_in(text) if system.stat(path).kind}
    display = parse(text, present)
    return (socket_of(number), *((display.path,) if display.kind == "path" else ()))


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Say of each forward what is wrong at its end."""
    found: list[Judgement] = []
    for led in facts.forwards:
        answer = led.answers[-1] if led.answers else None
        if answer is None:
            reason = f"{clean(str(led.forward.to), 100)}, where a forward leads, has no address"
            found.append(Unknown(reason=reason))
        elif not answer.connected:
            found.append(_dead(facts, led))
        elif answer.outcome == server.SILENT:
            found.append(_silent(led))
        elif answer.outcome in (server.STRANGE, server.CLOSED):
            found.append(_strange(led, answer))
    return tuple(found)


def _seen(led: Led) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(
            clean(str(answer.place), 120),
            clean(f"{answer.outcome} {answer.error} {answer.reply.reason}".strip()),
        )
        for answer in led.answers
    )


def _dead(facts: Facts, led: Led) -> Finding:
    to = clean(str(led.forward.to), 120)
    explain = "No X server runs there, so X programs on the gateway cannot open a window."
    fixes: tuple[Fix, ...] = (Fix(("ls", SOCKET_DIR), note="shows the displays that there are"),)
    if facts.os == "windows":
        fixes = (Fix((), note="start VcXsrv, Xming or another X server"),)
    elif facts.os == "darwin":
        fixes = (Fix(("open", "-a", "XQuartz")),)
    if led.socket:
        explain = f"The X server takes no TCP connections, as is usual. It answers at {led.socket}."
        forward = replace(led.forward, to=UnixPath(led.socket), text="")
        fixes = (again(facts.gateway or "GATEWAY", forward, note="leads to its unix socket"),)
        if facts.os == "darwin":
            listen = ("defaults", "write", "org.xquartz.X11", "nolisten_tcp", "-boolean", "false")
            fixes += (Fix(listen, persistent=True, note="or this, and restart XQuartz"),)
    return Finding(
        code=DEAD,
        subject=to,
        title=f"Nothing answers at {to}, where the X server should be",
        explain=explain,
        evidence=_seen(led),
        fixes=fixes,
    )


def _silent(led: Led) -> Finding:
    to = clean(str(led.forward.to), 120)
    return Finding(
        code=SILENT,
        subject=to,
        title=f"The X server at {to} takes the connection and is silent",
        explain="It hangs, or a program has grabbed it; X programs wait for it without end.",
        evidence=_seen(led),
    )


def _strange(led: Led, answer: Answer) -> Finding:
    to = clean(str(led.forward.to), 120)
    said = f"it said: {answer.reply.reason}" if answer.reply.reason else "it hung up without a word"
    return Finding(
        code=STRANGE,
        subject=to,
        title=f"What answers at {to} is no X server",
        explain=f"A remote forward for X11 leads there; {said}.",
        evidence=_seen(led),
    )


CHECK = Check(
    code="x-target",
    title="the X server that a remote forward leads to",
    probe=probe,
    judge=judge,
    finds=(
        Kind(DEAD, "no X server is where a remote forward leads"),
        Kind(SILENT, "the X server where a remote forward leads does not answer"),
        Kind(STRANGE, "what a remote forward leads to is no X server"),
    ),
    effects=(Effect.CONNECTS,),
    timeout=20.0,
    applies=applies,
)
