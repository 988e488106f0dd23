"""What all imports of profiles do: keep each, say what became of it and what was left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from netkit.cli.main import PROGRAM
from netkit.errors import UsageError
from netkit.model import Fix, Imported

if TYPE_CHECKING:
    from netkit.cli.output import Output

F = TypeVar("F", bound="Callable[..., Any]")


def import_options(function: F) -> F:
    """Add ``--replace``, ``--dry-run`` and ``--prefix``, which every import has."""
    for option in (
        click.option("--prefix", default="", metavar="TEXT", help="Put before each name."),
        click.option("--dry-run", is_flag=True, help="Say what would be saved, and save nothing."),
        click.option("--replace", is_flag=True, help="Change profiles that say something else."),
    ):
        function = option(function)
    return function


def store(
    imported: Sequence[Imported],
    *,
    output: Output,
    replace: bool,
    dry_run: bool,
    prefix: str = "",
) -> int:
    """Save profiles and print a line for each, and one for each thing that was left out.

    A profile that is there and says something else is left as it is without ``replace``; the
    others are saved all the same.

    Returns:
        0.

    Raises:
        UsageError: one or more exist and say something else (``profile-exists``), or one cannot be
            saved; the lines of what was done are printed before.
    """
    kept: list[str] = []
    for each in imported:
        profile = _named(each, prefix).profile
        what = _store_one(_named(each, prefix), replace=replace, dry_run=dry_run)
        output.data(f"{profile.name}: {what}")
        if what.startswith("exists"):
            kept.append(profile.name)
        for text in each.left_out:
            output.data(f"{profile.name}: left out: {text}")
    if kept:
        context = click.get_current_context(silent=True)
        path = context.command_path.split() if context else (PROGRAM, "profile", "import")
        raise UsageError(
            f"{len(kept)} of {len(imported)} profiles are left as they were: {_some(kept)}",
            code="profile-exists",
            cause="profiles of these names say something else",
            fixes=(
                Fix((*path, "...", "--replace")),
                Fix((*path, "...", "--prefix", "new-")),
            ),
        )
    return 0


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


def _named(imported: Imported, prefix: str) -> Imported:
    from netkit.text.profiles.names import check_name

    profile = imported.profile
    return replace(imported, profile=replace(profile, name=check_name(prefix + profile.name)))


def _store_one(imported: Imported, *, replace: bool, dry_run: bool) -> str:
    """Return ``added``, ``changed``, ``unchanged`` or ``exists …``."""
    from netkit import profiles

    profile = imported.profile
    if dry_run:
        what = profiles.would_save(profile)
        if what == "changed" and not replace:
            return "exists, says something else"
        return what if what == "unchanged" else f"would be {what}"
    try:
        return profiles.save(profile, replace=replace)
    except UsageError as error:
        if error.code != "profile-exists":
            raise
        return "exists, says something else"
