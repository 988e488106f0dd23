"""Which of this user's running tunnels a command is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netkit.cli.again import SAME
from netkit.cli.main import PROGRAM
from netkit.control.protocol import ControlError
from netkit.errors import UsageError
from netkit.model import Fix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click import Context, Parameter
    from click.shell_completion import CompletionItem

    from netkit.desktop.instance import Holder


class NotRunningError(ControlError):
    """No tunnel runs, or none of that name."""

    default_code = "not-running"


def all_running() -> tuple[Holder, ...]:
    """Return the tunnels of this user that run, by name."""
    from netkit.control import client

    return client.running()


def chosen(names: Sequence[str]) -> tuple[Holder, ...]:
    """Return the running tunnels of those names, or all where none is named.

    Raises:
        NotRunningError: there is none, or one of the names is of none.
    """
    found = all_running()
    if not found:
        raise NotRunningError(
            "no tunnel runs",
            cause=f"{PROGRAM} forward and {PROGRAM} up start one; another user's are not seen",
            fixes=(
                Fix((PROGRAM, "up", *names[:1]))
                if names
                else Fix((PROGRAM, "forward", "--help"), note="how to start one"),
            ),
        )
    if not names:
        return found
    return tuple(_of(name, found) for name in dict.fromkeys(names))


def one(name: str | None, command: str) -> Holder:
    """Return the running tunnel of that name, or the only one, for a ``command`` of netkit.

    Raises:
        NotRunningError: there is none.
        UsageError: there are several, and no name was given.
    """
    found = chosen([name] if name else [])
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} tunnels run, and none is named",
            code="several-run",
            cause=_listed(found),
            fixes=tuple(Fix((PROGRAM, command, SAME, each.name)) for each in found[:2]),
        )
    return found[0]


def _of(name: str, found: Sequence[Holder]) -> Holder:
    for each in found:
        if each.name == name:
            return each
    raise NotRunningError(
        f"no tunnel {name} runs", cause=_listed(found), fixes=(Fix((PROGRAM, "status")),)
    )


def _listed(found: Sequence[Holder]) -> str:
    names = ", ".join(each.name for each in found[:20])
    return f"these run: {names}"


def complete_running(
    _ctx: Context, _param: Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Return running tunnels that begin with ``incomplete``."""
    from click.shell_completion import CompletionItem

    return [
        CompletionItem(each.name, help=str(each))
        for each in all_running()
        if each.name.startswith(incomplete)
    ]
