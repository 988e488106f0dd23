"""``netkit rdp``: a remote desktop through a gateway, with the client that shows it."""

from __future__ import annotations

from typing import Any

import click

from netkit.cli import options
from netkit.cli.clients import viewing
from netkit.cli.clients.order import Order
from netkit.desktop.clients import Kind, View, check_user
from netkit.model import Endpoint

_EPILOG = f"""\b
Examples:
  netkit rdp me@gw --to 10.0.0.5
  netkit rdp me@gw --to desktop.internal:3389 --user 'CORP\\alice' --fullscreen
  netkit rdp work                      (a profile with a forward to port 3389)

It listens where the client accepts it (127.0.0.2:3389, or another port if that is taken), waits
until the server answers the RDP handshake, and starts mstsc, FreeRDP, Remmina or the Windows App.
The tunnel ends with the client. The client itself asks for the password.

{viewing.EXIT_CODES}"""


@click.command(
    "rdp",
    cls=options.RememberingCommand,
    short_help="Show a remote Windows desktop through a gateway.",
    epilog=_EPILOG,
)
@viewing.view_options(Kind.RDP)
@click.option("--user", "account", metavar="NAME", help="Log in to the desktop as this user.")
@click.option("--fullscreen", is_flag=True, help="Fill the screen.")
@click.option("--size", type=viewing.Size(), help="Size of the desktop in pixels.")
@click.option(
    "--yes", is_flag=True, help="On a Mac: add 127.0.0.2 while the tunnel is open, unasked."
)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    gateway: str | None,
    *,
    account: str | None,
    fullscreen: bool,
    size: tuple[int, int] | None,
    **values: Any,
) -> int:
    """Show the desktop of an RDP server (Terminal Services) behind GATEWAY, or of a profile."""
    view = View(
        kind=Kind.RDP,
        at=Endpoint("", 0),
        user=check_user(account) if account is not None else "",
        fullscreen=fullscreen,
        size=size,
    )
    return viewing.run_view(ctx, Order(view=view), gateway, values)
