"""``netkit status``: what the running tunnels are like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from netkit.cli.main import META_OUTPUT, debug_option
from netkit.cli.output import Output
from netkit.cli.running import chosen, complete_running
from netkit.errors import NetkitError
from netkit.events import State

if TYPE_CHECKING:
    from netkit.desktop.instance import Holder

_EPILOG = """\b
Examples:
  netkit status                          all tunnels of yours that run
  netkit status office --flows           one, with its connections
  netkit status office --kick            have it connect now
  netkit status --json | jq .view.state

\b
Exit codes: 0 all are up, 1 one is not, 3 none runs, or one cannot be asked.
"""


@click.command("status", short_help="Show the tunnels that run.", epilog=_EPILOG)
@click.argument("names", nargs=-1, metavar="[NAME...]", shell_complete=complete_running)
@click.option("--flows", "with_flows", is_flag=True, help="Show every connection.")
@click.option("--kick", is_flag=True, help="Have it connect now, or prove that its link lives.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document for each tunnel.")
@debug_option
@click.pass_context
def command(ctx: click.Context, /, names: tuple[str, ...], **values: Any) -> int:
    """Show what the tunnels NAME are like, or all that run: links, forwards, and why one waits.

    A tunnel is called as its profile is, or as its gateway was typed.
    """
    output = ctx.meta[META_OUTPUT] = Output(as_json=values["as_json"])
    codes = [
        _one(holder, output, kick=values["kick"], with_flows=values["with_flows"])
        for holder in chosen(names)
    ]
    return max(codes)


def _one(holder: Holder, output: Output, *, kick: bool, with_flows: bool) -> int:
    from netkit.cli.status import lines
    from netkit.control import client
    from netkit.control.protocol import Request
    from netkit.events import plain

    try:
        if kick:
            client.ask(holder, Request("kick"))
        said = client.status(holder)
        flows = client.flows(holder) if with_flows else ()
    except NetkitError as error:
        if output.as_json:
            fault = {"code": error.code, "summary": error.summary}
            output.document({"name": holder.name, "pid": holder.pid, "error": fault})
        else:
            output.data(lines.failure(holder.name, error.summary, error.cause))
        return 3
    if output.as_json:
        document = plain(said)
        if with_flows:
            document["flows"] = plain(flows)
        output.document(document)
    else:
        for line in (*lines.tunnel(said), *lines.flows(flows)):
            output.data(line)
    return 0 if said.view.state is State.UP else 1
