"""Is the clock plausible, and did the machine sleep meanwhile.

Offline, so no other clock is asked: what contradicts itself is enough to be told.
"""

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
from diagnostics.system import Clocks, System
from netkit.model import Fix

WRONG, BEHIND, SLEPT = "clock-wrong", "clock-behind-files", "machine-slept"

EARLIEST = 1_735_689_600.0
"""2025-01-01: the libraries that this program needs are younger."""

LATEST = 4_102_444_800.0
"""2100-01-01."""

_TOLERANCE = 3600.0
_NAP = 60.0
_STAMPS = (
    "/var/lib/systemd/timesync/clock",  # systemd-timesyncd.service(8): touched at each answer
    "/var/lib/NetworkManager/timestamps",  # written whenever a connection is used
)


@dataclass(frozen=True, slots=True)
class Stamp:
    """A file that is written in the present, and when that was."""

    path: str
    modified: float


@dataclass(frozen=True, slots=True)
class Facts:
    """The clocks, and the youngest files that tell the time."""

    os: str
    clocks: Clocks
    stamps: tuple[Stamp, ...] = ()


def probe(_target: Target, system: System) -> Facts:
    """Read the clocks and the times of some files."""
    paths = (*_STAMPS, f"{system.account().home}/.ssh/known_hosts")
    found = (system.stat(path) for path in paths)
    stamps = tuple(Stamp(each.path, each.modified) for each in found if each.kind == "file")
    return Facts(system.os, system.clocks(), stamps)


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Report a clock that cannot be right, one that contradicts files, and a long sleep."""
    clocks = facts.clocks
    found: list[Finding] = []
    if not EARLIEST <= clocks.wall <= LATEST:
        found.append(_wrong(facts))
    else:
        found += [
            _behind(facts, each)
            for each in facts.stamps
            if clocks.wall + _TOLERANCE < each.modified <= LATEST
        ][:1]
    slept = 0.0 if clocks.boot is None else clocks.boot - clocks.monotonic
    if slept > _NAP:
        found.append(_slept(slept))
    return tuple(found)


def _set(os: str) -> tuple[Fix, ...]:
    if os == "linux":
        return (
            Fix(
                ("sudo", "timedatectl", "set-ntp", "true"),
                needs_admin=True,
                persistent=True,
                undo=("sudo", "timedatectl", "set-ntp", "false"),
            ),
        )
    if os == "darwin":
        return (Fix(("sudo", "sntp", "-sS", "time.apple.com"), needs_admin=True),)
    if os == "windows":
        return (Fix(("w32tm", "/resync"), needs_admin=True),)
    return ()


def _wrong(facts: Facts) -> Finding:
    early = facts.clocks.wall < EARLIEST
    return Finding(
        code=WRONG,
        severity=Severity.WARNING,
        title=f"The clock of this machine is {'before 2025' if early else 'after 2099'}",
        explain="Certificates of users and hosts, one-time passwords and Kerberos are refused at "
        "the wrong time.",
        evidence=(Evidence("seconds since 1970", f"{facts.clocks.wall:.0f}"),),
        fixes=_set(facts.os),
    )


def _behind(facts: Facts, stamp: Stamp) -> Finding:
    behind = _duration(stamp.modified - facts.clocks.wall)
    path = clean(stamp.path, 100)
    return Finding(
        code=BEHIND,
        severity=Severity.WARNING,
        confidence=Confidence.LIKELY,
        subject=path,
        title=f"The clock of this machine is {behind} behind the file {path}",
        explain="It was set back, or was ahead when the file was written. Certificates, one-time "
        "passwords and Kerberos are refused at the wrong time.",
        evidence=(
            Evidence("seconds since 1970", f"{facts.clocks.wall:.0f}"),
            Evidence(f"{path} was written at", f"{stamp.modified:.0f}"),
        ),
        fixes=_set(facts.os),
    )


def _slept(seconds: float) -> Finding:
    return Finding(
        code=SLEPT,
        severity=Severity.INFO,
        title=f"This machine has slept {_duration(seconds)} since it was started",
        explain="Connections that were open then are dead at the other side; netkit makes them "
        "anew when it wakes.",
        evidence=(Evidence("seconds asleep", f"{seconds:.0f}"),),
    )


def _duration(seconds: float) -> str:
    for size, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} seconds"


CHECK = Check(
    code="clock",
    title="the clock",
    probe=probe,
    judge=judge,
    finds=(
        Kind(WRONG, "the clock cannot be right"),
        Kind(BEHIND, "a file is younger than the clock"),
        Kind(SLEPT, "the machine has slept since it was started"),
    ),
)
