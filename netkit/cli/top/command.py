"""``netkit top``: running tunnels and their connections, live."""

from __future__ import annotations

import sys
from typing import Any

import click

from netkit.cli.main import META_OUTPUT, debug_option
from netkit.cli.options import Seconds
from netkit.cli.output import Output, is_terminal
from netkit.cli.running import complete_running, one

_EPILOG = """\b
Examples:
  netkit top
  netkit top office --interval 0.5
  netkit top --once                      one picture, for a log or a ticket

\b
Keys: q quit, ? help, arrows select and sort, k reset a flow, a add and d remove a forward,
c connect now, tab the next tunnel.
"""


@click.command("top", short_help="Watch running tunnels and their connections.", epilog=_EPILOG)
@click.argument("name", required=False, shell_complete=complete_running)
@click.option("-n", "--once", is_flag=True, help="Print one picture; so without a terminal.")
@click.option(
    "--interval", type=Seconds(0.1, 60), default=1.0, show_default=True, help="Between pictures."
)
@debug_option
@click.pass_context
def command(ctx: click.Context, /, name: str | None, **values: Any) -> int:
    """Show links, forwards and every connection of running tunnels: programs, rates, waiting."""
    from netkit.cli.top.live import Live, print_once

    ctx.meta[META_OUTPUT] = Output()
    if name:
        one(name, "top")  # or say that it does not run
    if values["once"] or not (is_terminal(sys.stdout) and is_terminal(sys.stdin)):
        return print_once(name or "", values["interval"], ctx.meta[META_OUTPUT])
    return Live(name or "", values["interval"]).run()
