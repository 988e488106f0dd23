"""``netkit open``: a page of a web server behind a gateway, in the browser."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import click

from netkit.cli import options
from netkit.cli.clients import viewing
from netkit.cli.clients.order import Order
from netkit.desktop.clients import Kind, View
from netkit.errors import UsageError
from netkit.model import Endpoint

_MAX_PATH = 2000

_EPILOG = f"""\b
Examples:
  netkit open me@gw --to intranet.internal
  netkit open me@gw --to 10.0.0.9:8443 --https --path /login

It waits until the server answers and opens the page in the browser ($BROWSER, else the system's).
The server is asked for 127.0.0.1 and the port here: one that tells sites apart by name may show
another, and a certificate will not fit. The browser's own proxy settings and netkit forward -D do
better there.

{viewing.EXIT_CODES}"""


@click.command(
    "open",
    cls=options.RememberingCommand,
    short_help="Open a page of a web server behind a gateway.",
    epilog=_EPILOG,
)
@viewing.view_options(Kind.HTTP)
@click.option(
    "--https/--no-https", "secure", default=None, help="Whether it speaks TLS (default: by port)."
)
@click.option("--path", default="/", metavar="/PATH", help="The page.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    gateway: str | None,
    *,
    secure: bool | None,
    path: str,
    **values: Any,
) -> int:
    """Open a page of the web server behind GATEWAY, or of a profile, in the browser."""
    view = View(kind=Kind.HTTP, at=Endpoint("", 0))
    order = Order(view=view, path=checked_path(path), secure=secure)
    return viewing.run_view(ctx, order, gateway, values)


def checked_path(path: str) -> str:
    """Return the path and query of a URL, with what must not be in one encoded.

    Raises:
        UsageError: it holds control characters, or is too long.
    """
    if len(path) > _MAX_PATH or any(ord(letter) < 32 or ord(letter) == 127 for letter in path):
        raise UsageError(
            f"--path {path[:40]!r} is no path of a page",
            code="bad-path",
            cause=f"it has at most {_MAX_PATH} printable characters: /login?next=/",
        )
    path = path if path.startswith("/") else f"/{path}"
    return quote(path, safe="/?#[]@!$&'()*+,;=:%-._~", errors="replace")
