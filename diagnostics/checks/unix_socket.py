"""Can each unix socket that a forward is to listen on be made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from diagnostics.model import Check, Effect, Evidence, Finding, Judgement, Kind, Target
from diagnostics.parsers.text import clean
from diagnostics.ports.points import WantedPath, again_at, sockets
from diagnostics.system import FileStat, System
from netkit.model import Fix, UnixPath

TAKEN, LEFT_OVER, EXISTS = "unix-socket-taken", "unix-socket-left-over", "unix-socket-path-exists"
NO_DIRECTORY, DENIED = "unix-socket-directory-missing", "unix-socket-directory-denied"
TOO_LONG, UNSUPPORTED = "unix-socket-path-too-long", "unix-socket-unsupported"

_LIMITS = {"linux": 107}
_LIMIT = 103
"""Bytes of a path: sun_path of unix(7) less its NUL; macOS and the BSDs have 104 (<sys/un.h>)."""

_WRITE = 0o3
"""Making an entry takes the write and the search permission of a directory."""

_NAMES = ("2", "3", "4", "new")


@dataclass(frozen=True, slots=True)
class Place:
    """One path: what is there, what answers, and the directory; ``free`` is another path."""

    wanted: WantedPath
    here: FileStat
    directory: FileStat
    answer: str = ""
    free: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """The paths that were asked for, and who asks."""

    os: str
    uid: int | None
    places: tuple[Place, ...] = ()


def applies(target: Target) -> str:
    """Apply where a forward listens on a unix socket."""
    return "" if sockets(target) else "no forward listens on a unix socket"


def probe(target: Target, system: System) -> Facts:
    """Look at each path and its directory; connect to a socket that is there already."""
    places = []
    for wanted in sockets(target):
        path = wanted.path
        here = system.stat(path)
        answer = ""
        if here.kind == "socket":
            answer = system.talk(UnixPath(path), receive=0, timeout=1.0).outcome
        others = (f"{path}.{name}" for name in _NAMES)
        free = next((each for each in others if system.stat(each).error == "ENOENT"), "")
        directory = system.stat(str(PurePosixPath(path).parent))
        places.append(Place(wanted, here, directory, answer, free))
    return Facts(system.os, system.account().uid, tuple(places))


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Return what is in the way of each path."""
    found = (_judge(facts, place) for place in facts.places)
    return tuple(each for each in found if each is not None)


def _judge(facts: Facts, place: Place) -> Finding | None:
    path = place.wanted.path
    if facts.os == "windows":
        return _finding(
            UNSUPPORTED,
            place,
            f"Windows has no unix socket for {clean(path)}",
            "Python on Windows cannot listen on a path; listen on a TCP port instead.",
        )
    limit = _LIMITS.get(facts.os, _LIMIT)
    size = len(path.encode("utf-8", "surrogateescape"))
    if size > limit:
        return _finding(
            TOO_LONG,
            place,
            f"{clean(path)} is too long for a unix socket",
            f"It has {size} bytes; the system takes {limit} at most. Use a shorter directory.",
        )
    if place.here.kind:
        return _existing(facts, place)
    return _directory(facts, place)


def _existing(facts: Facts, place: Place) -> Finding | None:
    path, here = clean(place.wanted.path), place.here
    if here.kind != "socket":
        return _finding(
            EXISTS,
            place,
            f"There is a {_KINDS.get(here.kind, 'file')} at {path} already",
            "A unix socket can only be made where nothing is; netkit removes no file of yours.",
            Fix(("ls", "-ld", _operand(place.wanted.path)), note="shows what is there"),
        )
    if place.answer == "refused":
        if here.uid == facts.uid:
            return None  # netkit takes the place of a dead socket of the user's own
        return _finding(
            LEFT_OVER,
            place,
            f"A dead socket of another user is left over at {path}",
            "Nobody listens on it, and netkit removes only sockets of your own.",
            Fix(("sudo", "rm", _operand(place.wanted.path)), needs_admin=True),
        )
    argv: tuple[str, ...] = ("sudo", "ss", "-xlp", "src", f"unix:{place.wanted.path}")
    if facts.os != "linux":
        argv = ("sudo", "lsof", "--", place.wanted.path)
    return _finding(
        TAKEN,
        place,
        f"Another program listens on {path}",
        "It may be an earlier tunnel of yours. Nothing else can listen there before it ends.",
        Fix(argv, note="shows which program it is", needs_admin=True),
    )


_KINDS = {"directory": "directory", "link": "dangling link", "fifo": "named pipe"}


def _operand(path: str) -> str:
    """Return ``path`` as a word that no command takes for an option."""
    return f"./{path}" if path.startswith("-") else path


def _directory(facts: Facts, place: Place) -> Finding | None:
    directory = place.directory
    shown = clean(directory.path)
    if directory.error in ("EACCES", "EPERM") or (
        not place.here.kind and place.here.error in ("EACCES", "EPERM")
    ):
        return _denied(place, shown, f"stat: {place.here.error or directory.error}")
    if not directory.kind:
        make = ("mkdir", "-p", _operand(directory.path))
        return _finding(
            NO_DIRECTORY,
            place,
            f"The directory {shown} does not exist",
            "The socket is to be made in it.",
            Fix(make, persistent=True, undo=("rmdir", make[-1])),
        )
    if directory.kind != "directory":
        return _finding(
            NO_DIRECTORY,
            place,
            f"{shown} is no directory",
            "The socket is to be made in it.",
            Fix(("ls", "-ld", _operand(directory.path)), note="shows what it is"),
        )
    if _may_write(facts.uid, directory):
        return None
    return _denied(place, shown, f"mode {directory.mode:o}, owner {directory.uid}")


def _may_write(uid: int | None, directory: FileStat) -> bool:
    """Return False where the permission bits exclude it; groups are not known here."""
    if uid is None or uid == 0 or directory.uid is None:
        return True
    if directory.uid == uid:
        return directory.mode >> 6 & _WRITE == _WRITE
    return any(directory.mode >> shift & _WRITE == _WRITE for shift in (0, 3))


def _denied(place: Place, shown: str, seen: str) -> Finding:
    return _finding(
        DENIED,
        place,
        f"You may not make a socket in {shown}",
        "Making one takes the right to write to its directory.",
        Fix(("ls", "-ld", _operand(place.directory.path)), note="shows whose it is"),
        seen=seen,
        elsewhere=False,
    )


def _finding(
    code: str,
    place: Place,
    title: str,
    explain: str,
    *fixes: Fix,
    seen: str = "",
    elsewhere: bool = True,
) -> Finding:
    other: tuple[Fix, ...] = ()
    if elsewhere and place.free and code in (TAKEN, LEFT_OVER, EXISTS):
        note = f"nothing is at {clean(place.free)}"
        other = (Fix(again_at(place.wanted, place.free), note=note),)
    said = seen or place.answer or place.here.kind or place.here.error or "ok"
    return Finding(
        code=code,
        subject=clean(place.wanted.path),
        title=title,
        explain=explain,
        evidence=(Evidence(clean(place.wanted.path), clean(said)),),
        fixes=(*other, *fixes),
    )


CHECK = Check(
    code="unix-socket",
    title="the unix sockets to listen on",
    probe=probe,
    judge=judge,
    finds=(
        Kind(TAKEN, "a program listens on the path"),
        Kind(LEFT_OVER, "a dead socket of another user is in the way"),
        Kind(EXISTS, "something that is no socket is at the path"),
        Kind(NO_DIRECTORY, "the directory for the socket does not exist"),
        Kind(DENIED, "the directory does not allow to make the socket"),
        Kind(TOO_LONG, "the path is longer than a unix socket may have"),
        Kind(UNSUPPORTED, "this system has no unix sockets"),
    ),
    effects=(Effect.CONNECTS,),
    applies=applies,
)
