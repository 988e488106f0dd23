"""Is the file with the X cookies whole, ours, and nobody else's to read."""

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
from diagnostics.system import FileStat, System
from diagnostics.x11 import authority, wanted
from netkit.model import Fix

MISSING, UNREADABLE, OWNER = (
    "x-authority-missing",
    "x-authority-unreadable",
    "x-authority-owner",
)
EXPOSED, DAMAGED, LOCKED = "x-authority-exposed", "x-authority-damaged", "x-authority-locked"

LOCK_AGE = 20.0
"""Seconds for which xauth(1) tries to get the lock before it gives up: ten times two."""

_OTHERS_READ = 0o044
_LOGIN_AGAIN = "then log in again, which makes a new one"


@dataclass(frozen=True, slots=True)
class Facts:
    """The file, without what is in it.

    ``named`` is whether XAUTHORITY names it, ``owner`` the name of its owner, ``display`` whether
    DISPLAY is set.  ``lock`` is a lock that is older than `LOCK_AGE`.
    """

    os: str
    path: str
    named: bool
    stat: FileStat
    error: str = ""
    entries: int = 0
    damaged: int = -1
    user: str = ""
    uid: int | None = None
    owner: str = ""
    lock: str = ""
    lock_age: float = 0.0
    display: bool = False
    wanted: bool = False


def probe(target: Target, system: System) -> Facts:
    """Read the file as libXau would, and look for the locks that xauth makes."""
    found = authority.read(system)
    account = system.account()
    uid = found.stat.uid
    lock, age = _lock(system, found.path)
    return Facts(
        system.os,
        found.path,
        found.named,
        found.stat,
        found.error,
        len(found.entries),
        found.damaged,
        account.user,
        account.uid,
        "" if uid is None else system.user_name(uid),
        lock,
        age,
        bool(system.variable("DISPLAY")),
        wanted.wanted(target),
    )


def _lock(system: System, path: str) -> tuple[str, float]:
    now = system.clocks().wall
    for suffix in ("-c", "-l"):
        found = system.stat(f"{path}{suffix}")
        if found.kind and now - found.modified > LOCK_AGE:
            return f"{path}{suffix}", now - found.modified
    return "", 0.0


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Return what is wrong with it.  That there is none is no fault unless XAUTHORITY names it."""
    found: list[Judgement] = []
    if facts.lock:
        found.append(_locked(facts))
    if facts.error in ("ENOENT", "ENOTDIR"):
        if facts.named and facts.display:
            found.append(_missing(facts))
        return tuple(found)
    if facts.error:
        found.append(_owner(facts) if _is_foreign(facts) else _unreadable(facts))
        return tuple(found)
    if facts.damaged >= 0:
        found.append(_damaged(facts))
    if facts.os != "windows" and facts.stat.mode & _OTHERS_READ and facts.entries:
        found.append(_exposed(facts))
    return tuple(found)


def _is_foreign(facts: Facts) -> bool:
    return facts.stat.uid is not None and facts.stat.uid != facts.uid


def _seen(facts: Facts) -> tuple[Evidence, ...]:
    stat = facts.stat
    what = f"{stat.kind or 'nothing'}, mode {stat.mode:04o}, owner {clean(facts.owner, 40) or '?'}"
    how = "XAUTHORITY" if facts.named else "the usual file"
    return (
        Evidence(f"{how}: {clean(facts.path)}", what),
        Evidence("content", facts.error or f"{stat.size} bytes, {facts.entries} cookies"),
    )


def _missing(facts: Facts) -> Finding:
    path = clean(facts.path)
    return Finding(
        code=MISSING,
        severity=wanted.severity(matters=facts.wanted),
        subject=path,
        title=f"XAUTHORITY names {path}, and there is no such file",
        explain="X programs find no cookie. The variable is of a session that is over, or of "
        "another user.",
        evidence=_seen(facts),
        fixes=(Fix(("unset", "XAUTHORITY"), note="in the shell that starts X programs"),),
    )


def _unreadable(facts: Facts) -> Finding:
    path = clean(facts.path)
    fixes: tuple[Fix, ...] = ()
    if facts.stat.kind == "file" and facts.os != "windows":
        fixes = (Fix(("chmod", "600", path), persistent=True),)
    elif facts.stat.kind:
        aside = ("mv", path, f"{path}.aside")
        fixes = (Fix(aside, persistent=True, undo=("mv", f"{path}.aside", path)),)
    return Finding(
        code=UNREADABLE,
        severity=wanted.severity(matters=facts.wanted),
        subject=path,
        title=f"{path}, where the X cookies should be, cannot be read",
        explain="X programs find no cookie, and the X server lets none of them in.",
        evidence=_seen(facts),
        fixes=fixes,
    )


def _owner(facts: Facts) -> Finding:
    path, owner = clean(facts.path), clean(facts.owner, 40) or str(facts.stat.uid)
    fixes: tuple[Fix, ...] = (Fix(("unset", "XAUTHORITY"), note="after su or sudo"),)
    if not facts.named:
        # numbers: an account's name may be anything
        fixes = (Fix(("sudo", "chown", str(facts.uid), path), needs_admin=True, persistent=True),)
    return Finding(
        code=OWNER,
        severity=wanted.severity(matters=facts.wanted),
        subject=path,
        title=f"{path}, where the X cookies should be, belongs to {owner}",
        explain=f"{clean(facts.user, 40)} cannot read it. An X program or xauth that ran with sudo "
        "made it anew, or XAUTHORITY was kept over su.",
        evidence=_seen(facts),
        fixes=fixes,
    )


def _damaged(facts: Facts) -> Finding:
    path = clean(facts.path)
    return Finding(
        code=DAMAGED,
        severity=Severity.WARNING,
        subject=path,
        title=f"{path} cannot be read from byte {facts.damaged} on",
        explain=f"X programs see the {facts.entries} cookies before that, and the next xauth that "
        "writes drops the rest.",
        evidence=_seen(facts),
        fixes=(
            Fix(
                ("mv", path, f"{path}.damaged"),
                persistent=True,
                undo=("mv", f"{path}.damaged", path),
                note=_LOGIN_AGAIN,
            ),
        ),
    )


def _exposed(facts: Facts) -> Finding:
    path = clean(facts.path)
    return Finding(
        code=EXPOSED,
        severity=Severity.WARNING,
        subject=path,
        title=f"Other users can read the X cookies in {path}",
        explain="Whoever has a cookie can watch and control that screen.",
        evidence=_seen(facts),
        fixes=(
            Fix(
                ("chmod", "600", path),
                persistent=True,
                undo=("chmod", f"{facts.stat.mode:o}", path),
            ),
        ),
    )


def _locked(facts: Facts) -> Finding:
    lock = clean(facts.lock)
    return Finding(
        code=LOCKED,
        severity=Severity.WARNING,
        confidence=Confidence.LIKELY,
        subject=lock,
        title=f"A lock that nobody holds any more, {lock}, keeps xauth from changing the X cookies",
        explain="xauth waits 20 s and gives up; so do ssh -X, and sshd at a login with X11.",
        evidence=(Evidence("age of the lock", f"{facts.lock_age:.0f} s"), *_seen(facts)),
        fixes=(Fix(("xauth", "-b", "quit"), persistent=True, note="breaks the lock"),),
    )


CHECK = Check(
    code="x-authority",
    title="the file with the X cookies",
    probe=probe,
    judge=judge,
    finds=(
        Kind(MISSING, "XAUTHORITY names a file that is not there"),
        Kind(UNREADABLE, "the X cookies cannot be read"),
        Kind(OWNER, "the X cookies belong to another user"),
        Kind(DAMAGED, "the file with the X cookies is damaged"),
        Kind(EXPOSED, "other users can read the X cookies"),
        Kind(LOCKED, "a left-over lock keeps xauth from changing the X cookies"),
    ),
)
