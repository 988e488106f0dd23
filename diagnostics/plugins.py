"""Checks that other packages bring: entry points of the group ``netkit.checks``.

An entry point names a `diagnostics.model.Check`, or a tuple of them.  One that cannot be loaded, or
that takes a name that is taken, becomes a finding; it never stops the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from diagnostics.model import (
    Check,
    Evidence,
    Finding,
    Judgement,
    Kind,
    Severity,
    Target,
)
from diagnostics.parsers.text import clean
from diagnostics.system import System
from netkit.model import Fix

GROUP = "netkit.checks"
BROKEN = "plugin-broken"


@dataclass(frozen=True, slots=True)
class Broken:
    """An entry point that gave no usable check; ``package`` is empty where nobody knows."""

    name: str
    package: str
    why: str


def _installed() -> Iterable[EntryPoint]:
    return entry_points(group=GROUP)


def load(
    taken: Iterable[Check] = (), find: Callable[[], Iterable[EntryPoint]] = _installed
) -> tuple[Check, ...]:
    """Return the checks of other packages, and one that tells of those that are broken."""
    names = {check.code for check in taken}
    checks: list[Check] = []
    broken: list[Broken] = []
    for entry in sorted(find(), key=lambda each: each.name):
        package = entry.dist.name if entry.dist else ""
        try:
            loaded = _checks(entry.load())
        except Exception as error:  # noqa: BLE001 - whatever a stranger's module raises
            broken.append(Broken(entry.name, package, clean(f"{type(error).__name__}: {error}")))
            continue
        for check in loaded:
            if check.code in names:
                why = f"a check named {check.code} exists already"
                broken.append(Broken(entry.name, package, why))
            else:
                names.add(check.code)
                checks.append(check)
    return (*checks, *([_tell(tuple(broken))] if broken else []))


def _checks(loaded: Any) -> tuple[Check, ...]:
    found = loaded if isinstance(loaded, tuple) else (loaded,)
    for each in found:
        if not isinstance(each, Check):
            raise TypeError(f"it names a {type(each).__name__}, not a Check")
    return found


def _tell(broken: tuple[Broken, ...]) -> Check:
    def probe(_target: Target, _system: System) -> tuple[Broken, ...]:
        return broken

    return Check(
        code="plugins",
        title="checks of other packages",
        probe=probe,
        judge=judge,
        finds=(Kind(BROKEN, "a package's checks cannot be used"),),
    )


def judge(broken: tuple[Broken, ...]) -> tuple[Judgement, ...]:
    """Return a finding for each."""
    return tuple(
        Finding(
            code=BROKEN,
            severity=Severity.WARNING,
            subject=each.name,
            title=f"The checks of {each.package or each.name} cannot be used: {each.why}",
            explain="The other checks ran; what this package examines is unknown.",
            evidence=(Evidence("entry point", each.name),),
            fixes=(Fix(("pip", "uninstall", each.package)),) if each.package else (),
        )
        for each in broken
    )
