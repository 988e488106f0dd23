"""``netkit down``: running tunnels end."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

import click

from netkit.cli import lasting
from netkit.cli.lifecycle import GRACE
from netkit.cli.main import META_OUTPUT, debug_option
from netkit.cli.output import Output
from netkit.cli.running import all_running, chosen, complete_running, one
from netkit.control.protocol import ControlError

if TYPE_CHECKING:
    from netkit.desktop.instance import Holder

_EPILOG = """\b
Examples:
  netkit down office                     open flows get 5 seconds to finish
  netkit down office --now               they get none
  netkit down --all

\b
Exit codes: 0 ended, 3 none of that name runs, or it did not end.
"""

_LOOK: Final = 0.02


@click.command("down", short_help="End running tunnels.", epilog=_EPILOG)
@click.argument("names", nargs=-1, metavar="[NAME...]", shell_complete=complete_running)
@click.option("--all", "everything", is_flag=True, help="All tunnels of yours.")
@click.option("--now", is_flag=True, help="Reset open flows at once.")
@lasting.drain_option("How long open flows may take to finish.")
@debug_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    names: tuple[str, ...],
    *,
    everything: bool,
    now: bool,
    drain: float,
) -> int:
    """End the tunnels NAME, and wait until they have. Without NAME it is the one that runs."""
    output = ctx.meta[META_OUTPUT] = Output()
    holders = chosen(names) if names or everything else (one(None, "down"),)
    for holder in holders:
        _end(holder, 0.0 if now else drain)
        output.talk(f"{holder.name} has ended")
    return 0


def _end(holder: Holder, drain: float) -> None:
    from netkit.control import client
    from netkit.control.protocol import Request

    client.ask(holder, Request("stop", drain=drain))
    deadline = time.monotonic() + drain + GRACE + 1
    pause = threading.Event()
    while any((each.name, each.pid) == (holder.name, holder.pid) for each in all_running()):
        if time.monotonic() > deadline:
            raise ControlError(
                f"{holder.name} ({holder}) was told to end and has not",
                code="still-running",
                cause="the process hangs",
                retryable=True,
            )
        pause.wait(_LOOK)
