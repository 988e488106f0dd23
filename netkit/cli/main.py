"""The command group, and how every command ends: its errors as text, its exit code.

Exit codes (DESIGN section 7): 0 ok, 2 usage or configuration, 3 could not run, 4 gateway not
reached, 5 host key refused, 6 authentication failed, 7 local bind failed, 8 remote forward
refused, 70 bug, 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING

import click

from netkit import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netkit.cli.output import Output
    from netkit.cli.services import Services
    from netkit.errors import NetkitError, UsageError

PROGRAM = "netkit"
COMPLETE_VARIABLE = "_NETKIT_COMPLETE"
META_OUTPUT = "netkit.output"
META_STAY_DOWN = "netkit.stay-down"

COMMANDS = {
    "add": "Add forwards to a running tunnel.",
    "advise": "Which kind of tunnel fits, why, and its configuration files.",
    "bench": "Measure a tunnel: how fast it is, and what limits it.",
    "completion": "Print the completion script for a shell.",
    "demo": "Show it working: a gateway, a target and a forward, all on this machine.",
    "doctor": "Find what is wrong, and the command that mends it.",
    "down": "End running tunnels.",
    "forward": "Carry connections through a gateway.",
    "gateway": "Run a small SSH server to tunnel through, for trials and tests.",
    "key": "Make, show, convert and install keys.",
    "open": "Open a page of a web server behind a gateway.",
    "profile": "Save tunnels by name, and change, import and export them.",
    "protocols": "What goes through a tunnel and how, and what to use for the rest.",
    "rdp": "Show a remote Windows desktop through a gateway.",
    "remove": "Remove forwards of a running tunnel.",
    "service": "Have the system start a saved tunnel.",
    "shortcut": "Make an icon that starts a saved tunnel.",
    "status": "Show the tunnels that run.",
    "top": "Watch running tunnels and their connections.",
    "up": "Start saved tunnels.",
    "vnc": "Show a screen that is shared by VNC through a gateway.",
    "x11": "Show X programs of a gateway here, or lend it this display.",
}
"""Name and short help: the help of the group shows them without loading the commands."""


def _remember_debug(ctx: click.Context, _param: click.Parameter, value: object) -> None:
    if value and not ctx.resilient_parsing:
        from netkit.cli.debugging import enable

        enable(ctx)


debug_option = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_remember_debug,
    help="Log what is done to standard error; show the traceback of an internal error.",
)


def load(name: str) -> click.Command:
    """Return a command: ``command`` of ``netkit.cli.NAME``, or of ``netkit.cli.NAME.command``."""
    module = importlib.import_module(f"netkit.cli.{name}")
    if hasattr(module, "__path__"):
        module = importlib.import_module(f"netkit.cli.{name}.command")
    command: click.Command = module.command
    return command


class LazyGroup(click.Group):
    """Loads a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in alphabetical order."""
        return sorted(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        """Return the command, or ``None`` for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        return load(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx)])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Try it without any gateway: netkit demo",
)
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
@debug_option
def cli() -> None:
    """Tunnels through SSH gateways, and the reason when they fail."""


def run(argv: Sequence[str], services: Services | None = None) -> int:
    """Run the command line ``argv`` (without the program's name) and return the exit code.

    Every failure is rendered here; nothing but ``KeyboardInterrupt`` leaves.
    """
    _prepare_streams()
    if instruction := os.environ.get(COMPLETE_VARIABLE):
        return _complete(instruction)
    context = None
    try:
        # The group's own options (--help, --version, --debug) are handled while this is made.
        with cli.make_context(PROGRAM, list(argv), obj=services) as context:
            code = cli.invoke(context)
        return _final(code if isinstance(code, int) else 0, context)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.Abort:
        return 130
    except Exception as error:  # noqa: BLE001 - the last resort renders whatever it is
        return _final(_failed(error, context), context)


def _final(code: int, context: click.Context | None) -> int:
    """Return the exit code, 0 where another would have a service manager try in vain."""
    if context is None or not context.meta.get(META_STAY_DOWN, False):
        return code
    from netkit.errors import HOPELESS

    return 0 if code in HOPELESS else code


def _prepare_streams() -> None:
    """Make text that the stream's encoding lacks come out escaped instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _complete(instruction: str) -> int:
    from click.shell_completion import shell_complete

    from netkit.cli import completion

    completion.register()
    try:
        return shell_complete(cli, {}, PROGRAM, COMPLETE_VARIABLE, instruction)
    except Exception:  # noqa: BLE001 - a TAB must not print a traceback into the command line
        return 1


def _failed(error: Exception, context: click.Context | None) -> int:
    """Render ``error`` and return its exit code."""
    from netkit.cli import output
    from netkit.errors import NetkitError

    out: Output = (context.meta.get(META_OUTPUT) if context else None) or output.Output()
    command = PROGRAM
    if isinstance(error, click.ClickException):
        failed_in = getattr(error, "ctx", None)
        command = failed_in.command_path if failed_in else PROGRAM
        error = _usage_error(error)
    elif isinstance(error, OSError) and _arose_in_click(error):
        # the help or the version onto a full disk, or into a pipe that is closed
        error = output.unwritable(error)
    if isinstance(error, NetkitError):
        _put_what_was_typed(error, context)
        out.error(error, command=_command_path(context, command))
        return error.exit_code
    _render_bug(error, context)
    return 70


def _put_what_was_typed(error: NetkitError, context: click.Context | None) -> None:
    """Make fixes that change the failed command say the whole of it."""
    from netkit.cli.again import SAME, expand
    from netkit.errors import UsageError
    from netkit.model import Fix

    typed = context.meta.get("netkit.typed") if context else None
    if typed is None:
        return
    fixes = error.fixes
    if not fixes and not isinstance(error, UsageError):
        if error.retryable:
            fixes = (Fix((*typed.path, SAME), note="tries again"),)
        else:
            fixes = (Fix((*typed.path, SAME, "--debug"), note="shows what was tried"),)
    error.fixes = tuple(expand(fix, typed) for fix in fixes)


def _arose_in_click(error: OSError) -> bool:
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return frame is not None and str(frame.tb_frame.f_globals.get("__name__")).startswith("click.")


def _command_path(context: click.Context | None, default: str) -> str:
    """Return ``netkit forward`` for an error that arose in it."""
    if context is None or default != PROGRAM or context.invoked_subcommand is None:
        return default
    return f"{PROGRAM} {context.invoked_subcommand}"


def _usage_error(error: click.ClickException) -> UsageError:
    from netkit.errors import UsageError

    text = " ".join(error.format_message().split()).rstrip(".")
    return UsageError(text[:1].lower() + text[1:], cause="the command line is not understood")


def _render_bug(error: BaseException, context: click.Context | None) -> None:
    import traceback

    from netkit.cli import debugging, output, render

    shown = ""
    if context is not None and debugging.is_enabled(context):
        shown = "".join(traceback.format_exception(error))
    output.write_stderr(render.bug_lines(error, traceback=shown))
