"""Does an X server answer where DISPLAY leads; and if none does, what became of it."""

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
from diagnostics.parsers import x_lock
from diagnostics.parsers.text import clean
from diagnostics.parsers.x_display import SOCKET_DIR, Display, parse, paths_in
from diagnostics.system import FileStat, System
from diagnostics.x11 import authority, server, wanted
from diagnostics.x11.server import Answer
from netkit.model import Fix

DEAD, STALE, SILENT = "x-server-dead", "x-display-stale", "x-server-silent"
UNKNOWN_HOST, NO_SOCKET, STRANGE = "x-display-host", "x-socket-missing", "x-not-a-server"
LOCK, FULL = "x-stale-lock", "x-server-full"

_FORWARDED = range(10, 1000)
"""Displays that sshd makes: from X11DisplayOffset, 10 unless set, to 999 (channels.c)."""

_OPEN_TO_ALL = 0o1777
_SHELL = "in the shell that starts X programs"


@dataclass(frozen=True, slots=True)
class Lock:
    """The lock of a display: ``program`` is what runs as ``pid``, empty for nothing."""

    path: str
    pid: int
    program: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What DISPLAY says, and what answered.

    ``resolution`` is why its host has no address.  ``login`` is how this shell was reached:
    ``tmux``, ``screen``, ``ssh`` or empty.
    """

    os: str
    text: str
    display: Display
    answers: tuple[Answer, ...] = ()
    resolution: str = ""
    lock: Lock | None = None
    directory: FileStat | None = None
    login: str = ""
    wsl: bool = False
    wanted: bool = False


def probe(target: Target, system: System) -> Facts:
    """Shake hands with what DISPLAY leads to; where nobody is, look at what was left behind."""
    text = system.variable("DISPLAY") or ""
    display = parse(text, {path for path in paths_in(text) if system.stat(path).kind})
    matters = wanted.wanted(target)
    if display.kind == "error":
        return Facts(system.os, text, display, wanted=matters)
    places, resolution = server.places_of(system, display)
    cookies = authority.read(system).entries
    answers = server.visit(system, places, cookies, display.number)
    there = any(answer.connected for answer in answers)
    return Facts(
        system.os,
        text,
        display,
        answers,
        resolution,
        None if there or display.kind != "unix" else _lock(system, display.number),
        system.stat(SOCKET_DIR),
        _login(system),
        "microsoft" in system.account().system.lower(),
        matters,
    )


def _lock(system: System, number: int) -> Lock | None:
    path = x_lock.path_of(number)
    content = system.read(path, 64)
    if content.error:
        return None
    pid = x_lock.parse(content.data)
    process = system.process(pid) if pid else None
    return Lock(path, pid, clean(process.name, 40) if process else "")


def _login(system: System) -> str:
    for name, variable in (("tmux", "TMUX"), ("screen", "STY"), ("ssh", "SSH_CONNECTION")):
        if system.variable(variable):
            return name
    return ""


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Say what is wrong with the way to the server; whether it lets us in is for another check."""
    if not facts.text or facts.display.kind == "error":
        return ()
    if facts.resolution:
        return (_unknown_host(facts),)
    answer = facts.answers[-1] if facts.answers else None
    if answer is None or not answer.connected:
        return _absent(facts)
    found: list[Judgement] = []
    if facts.display.kind == "unix" and answer.place.how != "unix":
        found.append(_no_socket(facts, answer))
    if answer.outcome == server.SILENT:
        found.append(_silent(facts, answer))
    elif answer.outcome == server.STRANGE:
        found.append(_strange(facts, answer))
    elif answer.outcome == server.REJECTED and "number of clients" in answer.reply.reason:
        found.append(_full(facts, answer))
    return tuple(found)


def _seen(facts: Facts) -> tuple[Evidence, ...]:
    tried = (
        Evidence(
            f"{answer.place.how} {clean(str(answer.place), 120)}",
            clean(f"{answer.outcome} {answer.error} {answer.reply.reason}".strip()),
        )
        for answer in facts.answers
    )
    return (Evidence("DISPLAY", clean(facts.text)), *tried)


def _unknown_host(facts: Facts) -> Judgement:
    host = clean(facts.display.host, 80)
    if facts.resolution == "timeout":
        return Unknown(
            reason=f"the resolver does not say which address {host} of DISPLAY has",
            evidence=_seen(facts),
        )
    return Finding(
        code=UNKNOWN_HOST,
        severity=wanted.severity(matters=facts.wanted),
        subject=host,
        title=f"{host}, the host in DISPLAY, has no address",
        explain="No X program can find its X server.",
        evidence=(*_seen(facts), Evidence("resolver", clean(facts.resolution))),
        fixes=(Fix(("export", f"DISPLAY=:{facts.display.number}"), note=f"local; {_SHELL}"),),
    )


def _absent(facts: Facts) -> tuple[Judgement, ...]:
    display = facts.display
    where = clean(str(display), 160)
    errors = {answer.error for answer in facts.answers}
    if display.kind == "tcp" and errors & {"ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"}:
        return (_unreachable(facts, where),)
    if _is_forwarded(facts):
        return (_stale(facts),)
    found: list[Judgement] = []
    if facts.lock is not None and not facts.lock.program.lower().startswith("x"):
        found.append(_locked(facts, facts.lock))
    found.append(
        Finding(
            code=DEAD,
            severity=wanted.severity(matters=facts.wanted),
            subject=clean(facts.text, 80),
            title=f"No X server answers at {where}, where DISPLAY leads",
            explain=_why_dead(facts),
            evidence=_seen(facts),
            fixes=_dead_fixes(facts),
        )
    )
    return tuple(found)


def _is_forwarded(facts: Facts) -> bool:
    display = facts.display
    local = facts.answers and all(
        answer.place.peer in ("127.0.0.1", "::1") for answer in facts.answers
    )
    return display.kind == "tcp" and bool(local) and display.number in _FORWARDED


def _why_dead(facts: Facts) -> str:
    if facts.os == "darwin" and facts.display.kind == "tcp":
        return "XQuartz takes no TCP connections unless it is told to; its unix socket is open."
    if facts.display.kind == "tcp" and facts.wsl:
        return "No X server runs on the Windows side, or the address of Windows has changed."
    if facts.display.kind == "tcp":
        return "X servers take no TCP connections unless started with -listen tcp, or none runs."
    if any(
        answer.error == "ECONNREFUSED" and answer.place.how == "unix" for answer in facts.answers
    ):
        return "Its socket is still there and nobody listens: it ended without cleaning up."
    return "It has ended or was never started, and X programs cannot open a window."


def _dead_fixes(facts: Facts) -> tuple[Fix, ...]:
    if facts.os == "darwin":
        listen = ("defaults", "write", "org.xquartz.X11", "nolisten_tcp", "-boolean", "false")
        undo = ("defaults", "delete", "org.xquartz.X11", "nolisten_tcp")
        tcp = Fix(listen, persistent=True, undo=undo, note="then restart XQuartz")
        start = Fix(("open", "-a", "XQuartz"))
        return (start, tcp) if facts.display.kind == "tcp" else (start,)
    if facts.wsl:
        return (Fix(("export", "DISPLAY=:0"), note=f"WSLg's own server; {_SHELL}"),)
    if facts.os == "windows":
        return ()
    show = Fix(("ls", SOCKET_DIR), note="shows the displays that there are")
    if facts.display.kind == "tcp":
        local = f"DISPLAY=:{facts.display.number}"
        return (Fix(("export", local), note=f"its unix socket; {_SHELL}"), show)
    return (show,)


def _unreachable(facts: Facts, where: str) -> Finding:
    explain = "A firewall drops it, or no such machine is there."
    fixes: tuple[Fix, ...] = ()
    if facts.wsl:
        explain = (
            "Windows' firewall drops it (it blocks a program that was once refused on a public "
            "network), or the address of Windows has changed."
        )
        fixes = (Fix(("export", "DISPLAY=:0"), note=f"WSLg's own server; {_SHELL}"),)
    return Finding(
        code=SILENT,
        severity=wanted.severity(matters=facts.wanted),
        subject=clean(facts.text, 80),
        title=f"The X server of DISPLAY cannot be reached: {where} does not answer",
        explain=explain,
        evidence=_seen(facts),
        fixes=fixes,
    )


def _silent(facts: Facts, answer: Answer) -> Finding:
    return Finding(
        code=SILENT,
        severity=wanted.severity(matters=facts.wanted),
        subject=clean(facts.text, 80),
        title=f"The X server at {clean(str(answer.place), 120)} takes the connection and is silent",
        explain="It hangs, or a program has grabbed it; X programs wait for it without end.",
        evidence=_seen(facts),
    )


def _stale(facts: Facts) -> Finding:
    number = facts.display.number
    fixes = [Fix(("unset", "DISPLAY"), note=f"{_SHELL}; or log in with ssh -X again")]
    explain = "The ssh session that carried this display has ended."
    if facts.login == "tmux":
        explain += " tmux keeps the DISPLAY of the login in which it was started."
        show = Fix(("tmux", "show-environment", "DISPLAY"), note="shows that of the newest login")
        fixes.insert(0, show)
    elif facts.login:
        explain += " A start-up file, or a shell older than this login, keeps its DISPLAY."
    return Finding(
        code=STALE,
        severity=wanted.severity(matters=facts.wanted),
        subject=clean(facts.text, 80),
        title=f"DISPLAY={clean(facts.text, 80)} is of an ssh session that is over: nothing listens "
        f"on port {facts.display.port}",
        explain=explain,
        evidence=(*_seen(facts), Evidence("display", f"{number}, as sshd numbers them from 10 on")),
        fixes=tuple(fixes),
    )


def _locked(facts: Facts, lock: Lock) -> Finding:
    by = f"process {lock.pid} is {lock.program}" if lock.program else f"process {lock.pid} is gone"
    if not lock.pid:
        by = "it names no process"
    number = facts.display.number
    return Finding(
        code=LOCK,
        severity=wanted.severity(matters=facts.wanted),
        subject=lock.path,
        title=f"An X server of display :{number} ended and left its lock {lock.path} behind",
        explain="Nothing answers there, and a new server may refuse to start on that display.",
        evidence=(Evidence(lock.path, by), *_seen(facts)),
        fixes=(
            Fix(
                ("sudo", "rm", "-f", lock.path, f"{SOCKET_DIR}/X{number}"),
                needs_admin=True,
                note="then start the X server again",
            ),
        ),
    )


def _no_socket(facts: Facts, answer: Answer) -> Finding:
    socket, directory, number = facts.display.socket, facts.directory, facts.display.number
    name, where = clean(facts.text, 80), clean(str(answer.place), 120)
    if answer.place.how == "tcp":
        fixes = [Fix(("export", f"DISPLAY=localhost:{number}"), note=f"says it to all; {_SHELL}")]
        explain = "libxcb falls back to TCP; ssh -X and other X programs look for the socket alone."
    else:
        fixes = [Fix((), note="restart the X server, which makes the socket again")]
        explain = "ssh -X and newer X programs look for the file, not for the abstract socket."
    if directory is not None and (directory.kind, directory.mode) != ("directory", _OPEN_TO_ALL):
        make = ("sudo", "install", "-d", "-m", "1777", SOCKET_DIR)
        fixes.insert(0, Fix(make, needs_admin=True, note="then restart the X server"))
    seen = "" if directory is None else f"{directory.kind or 'missing'} {directory.mode:04o}"
    return Finding(
        code=NO_SOCKET,
        severity=Severity.WARNING,
        subject=socket,
        title=f"The X server of {name} answers at {where}, and {socket} is missing",
        explain=explain,
        evidence=(*_seen(facts), Evidence(SOCKET_DIR, seen)),
        fixes=tuple(fixes),
    )


def _strange(facts: Facts, answer: Answer) -> Finding:
    return Finding(
        code=STRANGE,
        severity=wanted.severity(matters=facts.wanted),
        subject=clean(str(answer.place), 120),
        title=f"What answers at {clean(str(answer.place), 120)} is no X server",
        explain=f"DISPLAY leads there; it said: {answer.reply.reason}",
        evidence=_seen(facts),
    )


def _full(facts: Facts, answer: Answer) -> Finding:
    return Finding(
        code=FULL,
        severity=wanted.severity(matters=facts.wanted),
        subject=clean(facts.text, 80),
        title=f"The X server of {clean(facts.text, 80)} takes no more programs",
        explain="Some program opens windows and never closes them; X servers bear a few hundred.",
        evidence=(*_seen(facts), Evidence("server", answer.reply.reason)),
        fixes=(Fix(("xlsclients", "-l"), note="shows who is connected, once there is room again"),),
    )


CHECK = Check(
    code="x-server",
    title="the X server",
    probe=probe,
    judge=judge,
    finds=(
        Kind(DEAD, "no X server answers where DISPLAY leads", caused_by=(LOCK,)),
        Kind(STALE, "DISPLAY is of an ssh session that is over"),
        Kind(SILENT, "the X server does not answer"),
        Kind(UNKNOWN_HOST, "the host in DISPLAY has no address"),
        Kind(NO_SOCKET, "the X server has no unix socket, or has lost its file"),
        Kind(STRANGE, "what DISPLAY leads to is no X server"),
        Kind(LOCK, "an X server ended and left its lock behind"),
        Kind(FULL, "the X server takes no more programs"),
    ),
    depends_on=("x-display",),
    effects=(Effect.CONNECTS,),
    timeout=10.0,
)
