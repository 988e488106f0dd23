"""``netkit shortcut``: an icon that starts a saved tunnel."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netkit.cli.main import META_OUTPUT, debug_option
from netkit.cli.options import RememberingCommand
from netkit.cli.output import Output
from netkit.cli.profile.resolve import complete_name

if TYPE_CHECKING:
    from netkit.desktop.shortcuts import Place

_EPILOG = """\b
Examples:
  netkit shortcut office
  netkit shortcut office --where menu --name "Office desktop"
  netkit shortcut office --remove

It runs 'netkit up PROFILE --once' in a window that stays when that fails; on Windows the window
opens minimised. A second click finds the tunnel that runs, and only starts the profile's program
again. With --hidden there is no window: nothing can be asked, so the key needs an agent or no
passphrase, and what is said goes to a log.
"""


@click.command(
    "shortcut",
    cls=RememberingCommand,
    short_help="Make an icon that starts a saved tunnel.",
    epilog=_EPILOG,
)
@click.argument("profile", shell_complete=complete_name)
@click.option(
    "--where",
    metavar="desktop|menu|PATH",
    help="Where to put it (default: the desktop, or the menu if there is none).",
)
@click.option("--name", help="What it is called (default: as the profile).")
@click.option("--icon", metavar="FILE", default="", help="Its picture.")
@click.option("--hidden", is_flag=True, help="Start the tunnel without a window.")
@click.option("--remove", is_flag=True, help="Remove it.")
@debug_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    profile: str,
    *,
    where: str | None,
    name: str | None,
    icon: str,
    hidden: bool,
    remove: bool,
) -> None:
    """Make an icon that starts the tunnel PROFILE, which 'netkit profile save' saved."""
    from netkit import profiles
    from netkit.desktop import shortcuts
    from netkit.desktop.shortcut_text import Shortcut, check_icon, check_name
    from netkit.text.profiles.names import check_name as check_profile_name

    output = Output()
    ctx.meta[META_OUTPUT] = output
    check_profile_name(profile)
    if not remove:
        profiles.get(profile)
    shown = check_name(profile if name is None else name)
    place = shortcuts.place_for(where or shortcuts.default_where(), shown, profile, _system())
    if remove:
        shortcuts.remove(place, profile)
        output.talk(f"removed {place.path}")
        return
    if Path(check_icon(icon)).is_file():
        icon = str(Path(icon).absolute())
    shortcut = Shortcut(profile=profile, name=shown, hidden=hidden, icon=icon)
    todo = shortcuts.write(shortcut, place, shortcuts.this_start())
    output.data(str(place.path))
    output.talk(_what_it_does(place, profile))
    if todo:
        output.talk(todo)


def _system() -> str:
    return {"win32": "windows", "darwin": "darwin"}.get(sys.platform, "linux")


def _what_it_does(place: Place, profile: str) -> str:
    how = "double-click it to start" if place.on_desktop else "it starts"
    return f"{how} the tunnel {profile}; a second one finds the first"
