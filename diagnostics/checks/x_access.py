"""Does the X server let us in with the cookie that X programs send, and whom does it let in too."""

from __future__ import annotations

import re
from dataclasses import dataclass

from diagnostics.model import (
    Check,
    Confidence,
    Effect,
    Evidence,
    Finding,
    Judgement,
    Kind,
    Severity,
    Target,
    Unknown,
)
from diagnostics.parsers.text import clean
from diagnostics.parsers.x_display import Display, parse, paths_in
from diagnostics.parsers.xauthority import find, key_for
from diagnostics.system import System
from diagnostics.x11 import authority, server, wanted
from diagnostics.x11.authority import AuthorityFile
from diagnostics.x11.server import Answer
from netkit.model import Fix

NO_COOKIE, WRONG_COOKIE = "x-no-cookie", "x-wrong-cookie"
OTHER_KEY, OTHER_FILE = "x-cookie-key", "x-cookie-elsewhere"
HUNG_UP, NO_SCREEN = "x-forwarding-hangs-up", "x-no-such-screen"
OPEN, UNCONTROLLED = "x-server-open", "x-access-control-off"

_USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}\Z", re.ASCII)
_LOOPBACK = re.compile(r"(127\.|::1$|::ffff:127\.)")
_SHELL = "in the shell that starts X programs"
_UNREADABLE = "x-authority-unreadable"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the server said, and what other cookies would have opened it.

    ``answer`` is None where nothing was asked.  ``other`` is the name of another cookie in the same
    file that is accepted, ``file`` another file that holds one.  ``listeners`` are the addresses
    beyond loopback at which the display is open to TCP.
    """

    os: str
    text: str
    display: Display
    answer: Answer | None = None
    authority: str = ""
    error: str = ""
    other: str = ""
    file: str = ""
    listeners: tuple[str, ...] = ()
    sudo_user: str = ""
    wanted: bool = False


def probe(target: Target, system: System) -> Facts:
    """Shake hands as an X program does; where that fails, with every other cookie there is."""
    text = system.variable("DISPLAY") or ""
    display = parse(text, {path for path in paths_in(text) if system.stat(path).kind})
    matters = wanted.wanted(target)
    if display.kind == "error":
        return Facts(system.os, text, display, wanted=matters)
    places, _ = server.places_of(system, display)
    cookies = authority.read(system)
    answers = server.visit(system, places, cookies.entries, display.number)
    if not answers or not answers[-1].connected:
        return Facts(system.os, text, display, wanted=matters)
    answer = answers[-1]
    other = file = ""
    if answer.outcome in (server.REJECTED, server.CLOSED):
        other, file = _search(system, display, answer, cookies)
    return Facts(
        system.os,
        text,
        display,
        answer,
        cookies.path,
        cookies.error,
        other,
        file,
        _listeners(system, display, answer),
        system.variable("SUDO_USER") or "",
        matters,
    )


def _search(
    system: System, display: Display, answer: Answer, cookies: AuthorityFile
) -> tuple[str, str]:
    key = key_for(answer.place.peer, system.account().hostname, display.number)
    used = find(cookies.entries, key)
    if other := server.others(system, answer.place, cookies.entries, used, display.number):
        return other, ""
    for path in authority.elsewhere(system, cookies.path):
        entries = authority.read_file(system, path).entries
        if server.others(system, answer.place, entries, used, display.number):
            return "", path
    return "", ""


def _listeners(system: System, display: Display, answer: Answer) -> tuple[str, ...]:
    """Return where else the same display may be reached; another machine's is not ours to see."""
    local = not answer.place.peer or _LOOPBACK.match(answer.place.peer)
    if answer.outcome != server.ACCEPTED or not local or display.kind == "path":
        return ()
    hosts = [
        row.host
        for row in system.sockets().rows
        if row.state == "LISTEN" and row.port == display.port and not _LOOPBACK.match(row.host)
    ]
    return tuple(dict.fromkeys(hosts))[:8]


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Return why we are not let in, or who else is."""
    answer = facts.answer
    if answer is None:
        return ()
    if answer.outcome == server.ACCEPTED:
        return _accepted(facts, answer)
    if answer.outcome in (server.REJECTED, server.CLOSED):
        return _rejected(facts, answer)
    if answer.outcome == server.MORE:
        reason = f"the X server of {clean(facts.text, 80)} wants to go on about authentication"
        return (Unknown(reason=reason, evidence=_seen(facts, answer)),)
    return ()


def _seen(facts: Facts, answer: Answer) -> tuple[Evidence, ...]:
    file = clean(facts.authority)
    return (
        Evidence("DISPLAY", clean(facts.text)),
        Evidence(
            f"server at {clean(str(answer.place), 120)}", answer.reply.reason or answer.outcome
        ),
        Evidence(
            f"cookie for {answer.key}", f"{answer.protocol or 'none'} in {file} {facts.error}"
        ),
    )


def _rejected(facts: Facts, answer: Answer) -> tuple[Judgement, ...]:
    if "number of clients" in answer.reply.reason:
        return ()
    if facts.other:
        return (_other_key(facts, answer),)
    if facts.file:
        return (_other_file(facts, answer),)
    if answer.protocol not in ("", "MIT-MAGIC-COOKIE-1"):
        reason = f"the cookie is a {clean(answer.protocol, 40)}, which netkit cannot send"
        return (Unknown(reason=reason, evidence=_seen(facts, answer)),)
    if answer.outcome == server.CLOSED:
        return (_hung_up(facts, answer),)
    return (_wrong(facts, answer) if answer.protocol else _none(facts, answer),)


def _other_key(facts: Facts, answer: Answer) -> Finding:
    wanted_key, kept = answer.key, facts.other
    note = "keeps the cookie under that name too"
    fixes = () if facts.os == "windows" else authority.copy(kept, wanted_key, note=note)
    if answer.place.peer:
        local = f"DISPLAY=:{facts.display.number}"
        note = f"where the server is on this machine; {_SHELL}"
        fixes = (*fixes, Fix(("export", local), note=note))
    explain = (
        "The host was renamed since, or the file comes from another one."
        if not answer.place.peer
        else "Only 127.0.0.1 and ::1 count as this machine; for any other address, 127.0.0.2 and "
        "127.0.1.1 included, X programs look under the address."
    )
    return Finding(
        code=OTHER_KEY,
        severity=wanted.severity(matters=facts.wanted),
        subject=clean(facts.text, 80),
        title=f"The right cookie is kept as {kept}, and X programs look for {wanted_key}",
        explain=explain,
        evidence=(*_seen(facts, answer), Evidence(f"with the cookie of {kept}", "accepted")),
        fixes=fixes,
    )


def _other_file(facts: Facts, answer: Answer) -> Finding:
    path = clean(facts.file)
    return Finding(
        code=OTHER_FILE,
        severity=wanted.severity(matters=facts.wanted),
        subject=clean(facts.text, 80),
        title=f"The cookie of the X server is in {path}, and X programs look in "
        f"{clean(facts.authority)}",
        explain="The session of the desktop has XAUTHORITY set; this shell has not, or otherwise.",
        evidence=(*_seen(facts, answer), Evidence(f"with the cookie in {path}", "accepted")),
        fixes=(Fix(("export", f"XAUTHORITY={path}"), note=_SHELL),),
    )


def _none(facts: Facts, answer: Answer) -> Finding:
    name = clean(facts.text, 80)
    return Finding(
        code=NO_COOKIE,
        severity=wanted.severity(matters=facts.wanted),
        subject=name,
        title=f"The X server of {name} asks for a cookie, and there is none for {answer.key}",
        explain="X programs say: Authorization required, but no authorization protocol specified.",
        evidence=_seen(facts, answer),
        fixes=_cookie_fixes(facts),
        caused_by=(_UNREADABLE,) if facts.error else (),
    )


def _cookie_fixes(facts: Facts) -> tuple[Fix, ...]:
    fixes = []
    if _USER.match(facts.sudo_user) and re.fullmatch(r"[A-Za-z0-9_.:/-]{1,80}", facts.text):
        line = f"sudo -u {facts.sudo_user} xauth extract - {facts.text} | xauth merge -"
        fixes.append(Fix(("sh", "-c", line), note=f"takes the cookie of {facts.sudo_user}"))
    fixes.append(Fix((), note="log in to the desktop again, or with ssh -X or -Y again"))
    return tuple(fixes)


def _wrong(facts: Facts, answer: Answer) -> Finding:
    name = clean(facts.text, 80)
    drop = Fix(("xauth", "remove", name), note="then log in again, which makes a new entry")
    return Finding(
        code=WRONG_COOKIE,
        severity=wanted.severity(matters=facts.wanted),
        subject=name,
        title=f"The X server of {name} refuses the cookie that is kept for {answer.key}",
        explain="It was started anew since, with another cookie; X programs cannot open a window.",
        evidence=_seen(facts, answer),
        fixes=(drop, *_cookie_fixes(facts)[:-1]),
    )


def _hung_up(facts: Facts, answer: Answer) -> Finding:
    name = clean(facts.text, 80)
    what = "the cookie does not fit" if answer.protocol else "there is no cookie for it"
    return Finding(
        code=HUNG_UP,
        severity=wanted.severity(matters=facts.wanted),
        confidence=Confidence.LIKELY,
        subject=name,
        title=f"The connection to {name} is accepted and closed without a word",
        explain=(
            "So does ssh with X programs that do not send the cookie which it made for the session "
            f"({what}), and where the X server at its other end is gone."
        ),
        evidence=_seen(facts, answer),
        fixes=_cookie_fixes(facts),
    )


def _accepted(facts: Facts, answer: Answer) -> tuple[Judgement, ...]:
    found: list[Judgement] = []
    reply = answer.reply
    if facts.display.screen >= reply.screens > 0:
        found.append(_no_screen(facts, answer))
    if reply.control is False:
        found.append(_open(facts, answer) if facts.listeners else _uncontrolled(facts, answer))
    return tuple(found)


def _no_screen(facts: Facts, answer: Answer) -> Finding:
    display, screens = facts.display, answer.reply.screens
    return Finding(
        code=NO_SCREEN,
        severity=wanted.severity(matters=facts.wanted),
        subject=clean(facts.text, 80),
        title=f"The X server has no screen {display.screen}: it has {screens}, counted from 0",
        explain="What follows the dot in DISPLAY is a screen, and no monitor of a modern desktop.",
        evidence=_seen(facts, answer),
        fixes=(Fix(("export", f"DISPLAY={_without_screen(facts.text)}"), note=_SHELL),),
    )


def _without_screen(text: str) -> str:
    head, _, _ = text.rpartition(".")
    return clean(head, 80)


_LOCK_UP = Fix(("xhost", "-"), note="asks for cookies again", undo=("xhost", "+"))


def _open(facts: Facts, answer: Answer) -> Finding:
    port = facts.display.port
    return Finding(
        code=OPEN,
        severity=Severity.ERROR,
        subject=f"port {port}",
        title=f"Everybody who reaches port {port} of this machine can watch and control the screen",
        explain="The X server takes connections from other machines, and asks nobody for a cookie.",
        evidence=(
            *_seen(facts, answer),
            Evidence("access control", "off"),
            Evidence("listens on", clean(" ".join(facts.listeners))),
        ),
        fixes=(_LOCK_UP, Fix((), note="start it without -ac, and without -listen tcp")),
    )


def _uncontrolled(facts: Facts, answer: Answer) -> Finding:
    return Finding(
        code=UNCONTROLLED,
        severity=Severity.INFO,
        subject=clean(facts.text, 80),
        title=f"The X server of {clean(facts.text, 80)} asks nobody for a cookie",
        explain="Every account of its machine can watch and control the screen.",
        evidence=(*_seen(facts, answer), Evidence("access control", "off")),
        fixes=(_LOCK_UP,),
    )


_FILE_FAULTS = (
    _UNREADABLE,
    "x-authority-missing",
    "x-authority-damaged",
    "x-authority-owner",
)

CHECK = Check(
    code="x-access",
    title="access to the X server",
    probe=probe,
    judge=judge,
    finds=(
        Kind(NO_COOKIE, "the X server wants a cookie, and there is none", caused_by=_FILE_FAULTS),
        Kind(WRONG_COOKIE, "the X server refuses the cookie that is kept for it"),
        Kind(OTHER_KEY, "the right cookie is kept under a name that is not looked for"),
        Kind(
            OTHER_FILE,
            "the right cookie is in a file that is not looked in",
            caused_by=(_UNREADABLE, "x-authority-damaged", "x-authority-owner"),
        ),
        Kind(HUNG_UP, "the ssh that carries the display hangs up", caused_by=_FILE_FAULTS),
        Kind(NO_SCREEN, "DISPLAY names a screen that the X server has not"),
        Kind(OPEN, "the X server lets anybody in from other machines"),
        Kind(UNCONTROLLED, "the X server lets every account of its machine in"),
    ),
    depends_on=("x-server",),
    effects=(Effect.CONNECTS,),
    timeout=20.0,
)
