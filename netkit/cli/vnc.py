"""``netkit vnc``: a screen shared by VNC, through a gateway, with the viewer that shows it."""

from __future__ import annotations

from typing import Any

import click

from netkit.cli import options
from netkit.cli.clients import viewing
from netkit.cli.clients.order import Order
from netkit.desktop.clients import Kind, View
from netkit.model import Endpoint

_EPILOG = f"""\b
Examples:
  netkit vnc me@gw --to 10.0.0.7
  netkit vnc me@gw --to 10.0.0.7:5901 --fullscreen

It waits for the server's version (RFB 003.…) and starts vncviewer, Remmina or Screen Sharing. The
tunnel ends with the viewer. The viewer itself asks for the password.

{viewing.EXIT_CODES}"""


@click.command(
    "vnc",
    cls=options.RememberingCommand,
    short_help="Show a screen that is shared by VNC through a gateway.",
    epilog=_EPILOG,
)
@viewing.view_options(Kind.VNC)
@click.option("--fullscreen", is_flag=True, help="Fill the screen.")
@click.pass_context
def command(ctx: click.Context, /, gateway: str | None, *, fullscreen: bool, **values: Any) -> int:
    """Show the screen of a VNC server behind GATEWAY, or of a profile."""
    view = View(kind=Kind.VNC, at=Endpoint("", 0), fullscreen=fullscreen)
    return viewing.run_view(ctx, Order(view=view), gateway, values)
