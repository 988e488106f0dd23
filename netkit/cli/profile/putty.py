"""``netkit profile import putty`` and ``netkit profile export putty``."""

from __future__ import annotations

from pathlib import Path

import click

from netkit.cli import options
from netkit.cli.main import META_OUTPUT, debug_option
from netkit.cli.output import Output
from netkit.cli.profile.imports import import_options
from netkit.cli.profile.resolve import complete_name
from netkit.cli.services import Services

_PATH = click.Path(path_type=Path)
_IMPORT_EPILOG = """\b
Examples:
  netkit profile import putty                       all sessions of this user's PuTTY
  netkit profile import putty putty.reg             a registry export from a Windows machine
  netkit profile import putty --session "My Office" --dry-run

PATH is a .reg file, a folder of PuTTY (~/.putty, ~/.config/putty) or of a portable one (KiTTY), or
one session file. Without it: the registry on Windows, elsewhere the folder that PuTTY uses.
Settings without a counterpart are listed; passwords are never taken over.
"""
_EXPORT_EPILOG = """\b
Examples:
  netkit profile export putty office && plink -load office
  netkit profile export putty office --comforts     also a comfortable terminal
  netkit profile export putty office home --to tunnels.reg      for a Windows machine

--comforts: blinking block cursor, VT-100 line drawing, SSH-2 only, compression, and a keepalive
of 480 seconds where the profile names none. Host keys come from known_hosts, so that PuTTY need not
ask; keys in other formats than PuTTY's are named with the command that converts them.
"""


@click.command(
    "putty",
    cls=options.RememberingCommand,
    short_help="Sessions of PuTTY.",
    epilog=_IMPORT_EPILOG,
)
@click.argument("path", required=False, type=_PATH)
@click.option("--session", "names", multiple=True, metavar="NAME", help="Only this one (repeat).")
@import_options
@click.option(
    "--host-keys/--no-host-keys",
    default=True,
    show_default=True,
    help="Add the gateways' host keys that PuTTY knows to known_hosts.",
)
@click.option("-F", "config", type=_PATH, metavar="FILE", help="ssh_config of the profiles.")
@debug_option
@click.pass_context
def import_command(
    ctx: click.Context,
    path: Path | None,
    names: tuple[str, ...],
    replace: bool,
    dry_run: bool,
    prefix: str,
    host_keys: bool,
    config: Path | None,
) -> int:
    """Make profiles of PuTTY's saved sessions."""
    from netkit.cli.profile.putty_import import Wanted, import_sessions

    output = ctx.meta[META_OUTPUT] = Output()
    wanted = Wanted(
        path=path,
        names=names,
        replace=replace,
        dry_run=dry_run,
        prefix=prefix,
        host_keys=host_keys,
        config=config,
    )
    return import_sessions(wanted, ctx.obj or Services(), output)


@click.command(
    "putty",
    cls=options.RememberingCommand,
    short_help="Sessions for PuTTY.",
    epilog=_EXPORT_EPILOG,
)
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete_name)
@click.option("--to", type=_PATH, metavar="FOLDER|FILE.reg", help="Default: PuTTY's own folder.")
@click.option("--comforts", is_flag=True, help="A terminal as comfortable as it gets.")
@click.option("--replace", is_flag=True, help="Change sessions that say something else.")
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@click.option(
    "--host-keys/--no-host-keys",
    default=True,
    show_default=True,
    help="Give PuTTY the host keys of known_hosts.",
)
@click.option("--convert-keys", is_flag=True, help="Convert private keys to PuTTY's format.")
@debug_option
@click.pass_context
def export_command(
    ctx: click.Context,
    names: tuple[str, ...],
    to: Path | None,
    comforts: bool,
    replace: bool,
    dry_run: bool,
    host_keys: bool,
    convert_keys: bool,
) -> int:
    """Write profiles as sessions of PuTTY."""
    from netkit.cli.profile.putty_export import Wanted, export_sessions

    output = ctx.meta[META_OUTPUT] = Output()
    wanted = Wanted(
        names=names,
        to=to,
        comforts=comforts,
        replace=replace,
        dry_run=dry_run,
        host_keys=host_keys,
        convert_keys=convert_keys,
    )
    return export_sessions(wanted, ctx.obj or Services(), output)
