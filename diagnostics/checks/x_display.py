"""What does DISPLAY say, and do all programs read it alike."""

from __future__ import annotations

from dataclasses import dataclass

from diagnostics.model import (
    Check,
    Confidence,
    Evidence,
    Finding,
    Judgement,
    Kind,
    Severity,
    Target,
)
from diagnostics.parsers.text import clean
from diagnostics.parsers.x_display import (
    SOCKET_DIR,
    Difference,
    Display,
    differences,
    parse,
    paths_in,
)
from diagnostics.system import System
from diagnostics.x11 import wanted
from netkit.model import Fix

MISSING, MALFORMED, AMBIGUOUS = "x-display-missing", "x-display-malformed", "x-display-ambiguous"
FOR_SSH = "x-display-localhost"

_XQUARTZ = "/Applications/Utilities/XQuartz.app"
_SHELL = "in the shell that starts X programs"


@dataclass(frozen=True, slots=True)
class Facts:
    """The variable, and what helps to say what it should be.

    ``asked`` is whether X11 itself was asked about, ``wanted`` whether it matters at all, and
    ``gateway`` whether ssh is involved.  ``sockets`` are the names in the directory of X sockets.
    """

    os: str
    text: str
    display: Display
    differences: tuple[Difference, ...] = ()
    asked: bool = False
    wanted: bool = False
    gateway: bool = False
    sockets: tuple[str, ...] = ()
    xquartz: bool = False
    wayland: str = ""


def probe(target: Target, system: System) -> Facts:
    """Read DISPLAY; look for the paths that it may name, and where it is not set for servers."""
    text = system.variable("DISPLAY") or ""
    present = {path for path in paths_in(text) if system.stat(path).kind}
    return Facts(
        system.os,
        text,
        parse(text, present),
        differences(text, system.os, present),
        wanted.asked(target),
        wanted.wanted(target),
        bool(target.gateway),
        () if text else system.list_dir(SOCKET_DIR, 20),
        not text and system.os == "darwin" and bool(system.stat(_XQUARTZ).kind),
        system.variable("WAYLAND_DISPLAY") or "",
    )


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Return what is wrong with it; that it is not set is nothing unless X11 is wanted."""
    if not facts.text:
        return _missing(facts)
    shown = clean(facts.text, 80)
    if facts.display.kind == "error":
        return (_malformed(facts, shown),)
    found: list[Judgement] = [_ambiguous(facts, each, shown) for each in facts.differences]
    if facts.os == "windows" and facts.text.startswith("localhost:"):
        found.append(_localhost(facts, shown))
    return tuple(found)


def _missing(facts: Facts) -> tuple[Judgement, ...]:
    if not facts.wanted:
        return ()
    explain = "X programs do not know which X server to use, and ssh -X forwards nothing."
    if not facts.asked:
        explain = "The forward leads to an X server all the same; programs started here do not."
    elif facts.xquartz:
        explain += " XQuartz sets it at login: log out and in again after installing it."
    elif facts.wayland:
        explain += " This session is a Wayland session without Xwayland."
    return (
        Finding(
            code=MISSING,
            severity=Severity.ERROR if facts.asked else Severity.INFO,
            subject="DISPLAY",
            title="DISPLAY is not set",
            explain=explain,
            evidence=(Evidence(SOCKET_DIR, clean(" ".join(facts.sockets)) or "no sockets"),),
            fixes=_missing_fixes(facts),
        ),
    )


def _missing_fixes(facts: Facts) -> tuple[Fix, ...]:
    numbers = [name[1:] for name in facts.sockets if name[:1] == "X" and name[1:].isdecimal()]
    if facts.os == "darwin":
        if facts.xquartz:
            return (Fix(("open", "-a", "XQuartz"), note="then log out and in again"),)
        return (Fix(("brew", "install", "--cask", "xquartz"), persistent=True),)
    if facts.os == "windows":
        note = "where an X server runs on this machine; for programs started from now on"
        return (Fix(("setx", "DISPLAY", "127.0.0.1:0.0"), persistent=True, note=note),)
    if not numbers:
        return ()
    return (Fix(("export", f"DISPLAY=:{clean(numbers[0], 10)}"), note=_SHELL),)


def _malformed(facts: Facts, shown: str) -> Finding:
    display = facts.display
    return Finding(
        code=MALFORMED,
        severity=wanted.severity(matters=facts.wanted),
        subject="DISPLAY",
        title=f'DISPLAY="{shown}" names no X server: {clean(display.error)}',
        explain=f"No X program can be started with it; {display.hint}.",
        evidence=(Evidence("DISPLAY", clean(facts.text)),),
        fixes=() if facts.os == "windows" else (Fix(("unset", "DISPLAY"), note=_SHELL),),
    )


def _ambiguous(facts: Facts, difference: Difference, shown: str) -> Finding:
    warn = facts.gateway or facts.asked if difference.ssh else True
    return Finding(
        code=AMBIGUOUS,
        severity=Severity.WARNING if warn else Severity.INFO,
        confidence=Confidence.CERTAIN if difference.ssh else Confidence.POSSIBLE,
        subject=f"DISPLAY, {difference.other}",
        title=f'DISPLAY="{shown}" does not mean the same to {difference.other}',
        explain=(
            f"To {difference.one} it is {clean(difference.one_means)}; to {difference.other} "
            f"{clean(difference.other_means)}."
        ),
        evidence=(Evidence("DISPLAY", clean(facts.text)),),
        fixes=_plain(facts),
    )


def _plain(facts: Facts) -> tuple[Fix, ...]:
    """Return how to say the same so that all agree."""
    display = facts.display
    number = f"{display.number}.{display.screen}" if display.screen else f"{display.number}"
    if display.kind == "unix":
        plain = f":{number}"
    elif display.kind == "tcp" and ":" not in display.host and "/" not in facts.text:
        return ()
    elif display.kind == "tcp" and ":" not in display.host:
        plain = f"{display.host}:{number}"
    elif display.kind == "tcp" and display.host == "::1":
        plain = f"localhost:{number}"
    else:
        return (Fix((), note="use a host name in place of the address, or :0 for a local server"),)
    return (Fix(("export", f"DISPLAY={clean(plain)}"), note=_SHELL),)


def _localhost(facts: Facts, shown: str) -> Finding:
    rest = facts.text.partition(":")[2]
    return Finding(
        code=FOR_SSH,
        severity=Severity.WARNING if facts.gateway or facts.asked else Severity.INFO,
        subject="DISPLAY",
        title=f'With DISPLAY="{shown}" ssh finds no cookie for the X server',
        explain=(
            "ssh looks for it under unix:… in place of localhost:…, and X servers on Windows know "
            "no such name."
        ),
        evidence=(Evidence("DISPLAY", clean(facts.text)),),
        fixes=(Fix(("setx", "DISPLAY", f"127.0.0.1:{clean(rest, 20)}"), persistent=True),),
        confidence=Confidence.LIKELY,
    )


CHECK = Check(
    code="x-display",
    title="DISPLAY",
    probe=probe,
    judge=judge,
    finds=(
        Kind(MISSING, "DISPLAY is not set, and X11 is wanted"),
        Kind(MALFORMED, "DISPLAY is no name of an X server"),
        Kind(AMBIGUOUS, "X programs, or ssh -X, read DISPLAY differently"),
        Kind(FOR_SSH, "Windows: ssh looks for the cookie under another name"),
    ),
)
