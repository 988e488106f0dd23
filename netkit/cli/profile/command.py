"""``netkit profile``: saved tunnels."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import click

from netkit.cli import lasting, options
from netkit.cli.main import META_OUTPUT, PROGRAM, debug_option
from netkit.cli.output import Output
from netkit.cli.profile.resolve import complete_name

if TYPE_CHECKING:
    from collections.abc import Mapping

_EPILOG = """\b
Examples:
  netkit profile save office me@gw --bind 127.0.0.2:3389 --to desktop:3389 --default
  netkit up office                       start it
  netkit forward office                  the same, and options can be added
  netkit profile import putty            sessions of PuTTY
"""
_SAVE_EPILOG = """\b
Examples:
  netkit profile save office me@gw --bind 127.0.0.2:3389 --to desktop:3389
  netkit profile save office -C --replace              changes only that
  netkit profile save office --ask-password            keeps the password in the keyring

Passwords and passphrases are never written to the file.
"""
_LAUNCH = ("rdp", "vnc", "http", "none")


class LazyGroup(click.Group):
    """Loads a command when it is used; ``where`` is name to (module, attribute, short help)."""

    def __init__(
        self, *arguments: Any, where: Mapping[str, tuple[str, str, str]], **named: Any
    ) -> None:
        super().__init__(*arguments, **named)
        self._where = where

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in alphabetical order."""
        return sorted([*super().list_commands(ctx), *self._where])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, or ``None`` for an unknown name."""
        if cmd_name not in self._where:
            return super().get_command(ctx, cmd_name)
        module, attribute, _ = self._where[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands."""
        rows = []
        for name in self.list_commands(ctx):
            if name in self._where:
                rows.append((name, self._where[name][2]))
            elif command := super().get_command(ctx, name):
                rows.append((name, command.get_short_help_str(80)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


_FOREIGN = "netkit.cli.profile.foreign"
_PUTTY = "netkit.cli.profile.putty"
IMPORTS = {
    "autossh-command-line": (_FOREIGN, "import_autossh", "A command line of autossh or ssh."),
    "boring": (_FOREIGN, "import_boring", "Tunnels of boring (~/.boring.toml)."),
    "mole": (_FOREIGN, "import_mole", "Aliases of mole (~/.mole)."),
    "putty": (_PUTTY, "import_command", "Sessions of PuTTY."),
    "ssh-config": (_FOREIGN, "import_ssh_config", "Hosts of ssh_config that have forwards."),
}
EXPORTS = {
    "putty": (_PUTTY, "export_command", "Sessions for PuTTY."),
    "ssh-config": (_FOREIGN, "export_ssh_config", "Host blocks for ssh_config."),
}


@click.group(
    "profile",
    short_help="Save tunnels by name, and change, import and export them.",
    epilog=_EPILOG,
)
def command() -> None:
    """Save tunnels by name, and change, import and export them.

    They are in one file of TOML (profiles.toml), which may be edited by hand: comments stay.
    """


@command.group(
    "import", cls=LazyGroup, where=IMPORTS, short_help="Make profiles of other programs' settings."
)
def import_group() -> None:
    """Make profiles of the settings of another program.

    It can be repeated: what is there already and says the same is left alone.
    """


@command.group(
    "export", cls=LazyGroup, where=EXPORTS, short_help="Write profiles for other programs."
)
def export_group() -> None:
    """Write profiles as settings of another program."""


@command.command(
    "save",
    cls=options.OrderedForwardsCommand,
    short_help="Save what 'netkit forward' would do.",
    epilog=_SAVE_EPILOG,
)
@click.argument("name", shell_complete=complete_name)
@options.gateway_options
@options.forward_options
@options.x11_options
@lasting.endurance_options
@lasting.limit_options
@click.option("--replace", is_flag=True, help="Change a profile that is there.")
@click.option("--default", "make_default", is_flag=True, help="Meant where none is named.")
@click.option("--launch", type=click.Choice(_LAUNCH), help="Start this program with it.")
@click.option("--note", metavar="TEXT", help="A line for people.")
@click.option("--ask-password", is_flag=True, help="Ask for the password; keep it in the keyring.")
@debug_option
@click.pass_context
def save(ctx: click.Context, /, name: str, gateway: str | None, **values: Any) -> int:
    """Save what 'netkit forward GATEWAY …' would do as the profile NAME.

    Without GATEWAY it is a profile that is there, changed by what is said here. A password
    (--ask-password, --password-stdin) is kept in the keyring of the operating system.
    """
    from netkit.cli.profile import actions as profile_actions

    output = _output(ctx)
    forwards = options.forwards_of(ctx)
    return profile_actions.save(name, gateway, forwards, values, output)


@command.command("list", short_help="List the profiles.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@debug_option
@click.pass_context
def list_command(ctx: click.Context, as_json: bool) -> int:
    """List the profiles; '*' marks the default."""
    from netkit.cli.profile import actions as profile_actions

    return profile_actions.list_all(_output(ctx, as_json=as_json))


@command.command("show", short_help="Show a profile, and the command that does the same.")
@click.argument("name", shell_complete=complete_name)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@debug_option
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> int:
    """Show the profile NAME, and the 'netkit forward' line that does the same."""
    from netkit.cli.profile import actions as profile_actions

    return profile_actions.show(name, _output(ctx, as_json=as_json))


@command.command("edit", short_help="Edit the file of profiles.")
@click.argument("name", required=False, shell_complete=complete_name)
@debug_option
@click.pass_context
def edit(ctx: click.Context, name: str | None) -> int:
    """Edit the file of profiles with $VISUAL or $EDITOR.

    A copy is edited and checked, and takes the place of the file only when it is right.
    """
    from netkit.cli.profile import edit as profile_edit

    return profile_edit.edit(name, _output(ctx))


@command.command("remove", short_help="Forget profiles.")
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete_name)
@debug_option
@click.pass_context
def remove(ctx: click.Context, names: tuple[str, ...]) -> int:
    """Forget profiles, and their passwords in the keyring."""
    from netkit.cli.profile import actions as profile_actions

    return profile_actions.remove(names, _output(ctx))


@command.command("rename", short_help="Give a profile another name.")
@click.argument("old", metavar="NAME", shell_complete=complete_name)
@click.argument("new", metavar="NEW_NAME")
@debug_option
@click.pass_context
def rename(ctx: click.Context, old: str, new: str) -> int:
    """Give the profile NAME another name; its password in the keyring goes with it."""
    from netkit.cli.profile import actions as profile_actions

    return profile_actions.rename(old, new, _output(ctx))


@command.command("default", short_help="Show or choose the default profile.")
@click.argument("name", required=False, shell_complete=complete_name)
@click.option("--none", "clear", is_flag=True, help="No profile is the default.")
@debug_option
@click.pass_context
def default(ctx: click.Context, name: str | None, clear: bool) -> int:
    """Make NAME the profile that is meant where none is named; without NAME, say which is."""
    from netkit.cli.profile import actions as profile_actions

    if name is not None and clear:
        raise click.UsageError(
            f"NAME and --none exclude each other; see {PROGRAM} profile default --help"
        )
    return profile_actions.default("" if clear else name, _output(ctx))


def _output(ctx: click.Context, *, as_json: bool = False) -> Output:
    output = Output(as_json=as_json)
    ctx.meta[META_OUTPUT] = output
    return output
