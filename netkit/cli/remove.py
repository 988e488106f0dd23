"""``netkit remove``: forwards of a running tunnel end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from netkit.cli.main import META_OUTPUT, PROGRAM, debug_option
from netkit.cli.output import Output
from netkit.cli.running import complete_running, one
from netkit.errors import UsageError
from netkit.model import ForwardKind, ForwardSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPILOG = """\b
Examples:
  netkit remove office -L 5432           by the port
  netkit remove office -L 127.0.0.2:3389
  netkit remove office -R 8080 -D 1080

\b
Exit codes: 0 removed, 3 no such tunnel, or it has no such forward.
"""


@click.command("remove", short_help="Remove forwards of a running tunnel.", epilog=_EPILOG)
@click.argument("name", required=False, shell_complete=complete_running)
@click.option("-L", "local", multiple=True, metavar="[ADDR:]PORT", help="A local forward.")
@click.option("--bind", multiple=True, metavar="ADDR:PORT", help="The same.")
@click.option("-R", "remote", multiple=True, metavar="[ADDR:]PORT", help="A remote forward.")
@click.option("-D", "dynamic", multiple=True, metavar="[ADDR:]PORT", help="A dynamic forward.")
@debug_option
@click.pass_context
def command(ctx: click.Context, /, name: str | None, **values: tuple[str, ...]) -> int:
    """End forwards of the running tunnel NAME, and reset their flows.

    They are named by where they listen, or as they were given. Without NAME it is the one that
    runs.
    """
    from netkit.control import client
    from netkit.control.protocol import Request

    output = ctx.meta[META_OUTPUT] = Output()
    wanted = (
        *_specs(ForwardKind.LOCAL, (*values["local"], *values["bind"])),
        *_specs(ForwardKind.REMOTE, values["remote"]),
        *_specs(ForwardKind.DYNAMIC, values["dynamic"]),
    )
    if not wanted:
        raise UsageError(
            "no forward is named",
            code="no-forward",
            cause=f"for example: {PROGRAM} remove {name or 'NAME'} -L 5432",
        )
    holder = one(name, "remove")
    client.ask(holder, Request("remove", forwards=wanted))
    for spec in wanted:
        output.talk(f"{spec.kind.value} {spec.bind} of {holder.name} is removed")
    return 0


def _specs(kind: ForwardKind, texts: Sequence[str]) -> list[ForwardSpec]:
    return [spec_of(kind, text) for text in texts]


def spec_of(kind: ForwardKind, text: str) -> ForwardSpec:
    """Return what to look for: only its kind and bind count."""
    from netkit.text.endpoints import parse_bind
    from netkit.text.forwards import parse_forward

    try:
        bind = parse_bind(text)
    except UsageError:
        bind = parse_forward(kind, text).bind
    return ForwardSpec(kind, bind, None)
