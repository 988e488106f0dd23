"""``netkit add``: further forwards for a running tunnel."""

from __future__ import annotations

from typing import Any, Final

import click

from netkit.cli import options
from netkit.cli.main import META_OUTPUT, PROGRAM, debug_option
from netkit.cli.output import Output
from netkit.cli.running import complete_running, one
from netkit.errors import UsageError
from netkit.model import Fix

_PATIENCE: Final = 30.0
"""Seconds: the gateway may take its time over a remote forward."""

_EPILOG = """\b
Examples:
  netkit add office -L 5432:db.internal:5432
  netkit add office --bind 127.0.0.2:3389 --to desktop.internal:3389

It lasts as long as the tunnel; 'netkit profile save' keeps it.

\b
Exit codes: those of netkit forward, and 3 where no such tunnel runs.
"""


@click.command(
    "add",
    cls=options.OrderedForwardsCommand,
    short_help="Add forwards to a running tunnel.",
    epilog=_EPILOG,
)
@click.argument("name", required=False, shell_complete=complete_running)
@options.forward_options
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document for each forward.")
@debug_option
@click.pass_context
def command(ctx: click.Context, /, name: str | None, **values: Any) -> int:
    """Have the running tunnel NAME listen on further points: all of them, or none.

    Without NAME it is the one that runs.
    """
    from netkit.cli.hints import forward_line
    from netkit.control import client
    from netkit.events import ForwardBound, to_dict
    from netkit.plan.binds import check_exposure
    from netkit.text.forwards import format_option

    output = ctx.meta[META_OUTPUT] = Output(as_json=values["as_json"])
    forwards = options.forwards_of(ctx)
    if not forwards:
        raise UsageError(
            "no forward is named",
            code="no-forward",
            cause=f"for example: {PROGRAM} add {name or 'NAME'} -L 5432:db.internal:5432",
        )
    holder = one(name, "add")
    for forward in forwards:
        try:
            warning = check_exposure(forward, holder.gateway, expose=values["expose"])
        except UsageError as error:
            again = (PROGRAM, "add", holder.name)
            error.fixes = (
                Fix((*again, *format_option(forward), "--expose")),
                *(Fix((*again, *each.argv[3:])) for each in error.fixes[1:]),
            )
            raise
        if warning:
            output.talk(warning)
    for each in client.add(holder, forwards, _PATIENCE):
        if output.as_json:
            output.document(to_dict(ForwardBound(forward=each.forward, addresses=each.addresses)))
        else:
            output.data(forward_line(each.forward, each.addresses, holder.gateway))
    return 0
