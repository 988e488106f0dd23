"""``netkit service``: a saved tunnel that the system starts, and starts again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netkit.cli.main import META_OUTPUT, PROGRAM, debug_option
from netkit.cli.options import RememberingCommand
from netkit.cli.output import Output
from netkit.cli.profile.resolve import complete_name
from netkit.cli.terminal import TerminalPrompter
from netkit.model import Fix

if TYPE_CHECKING:
    from netkit.desktop.service import Manager
    from netkit.desktop.service_text import Service

_EPILOG = """\b
Examples:
  netkit service install office
  netkit service install office --metrics 127.0.0.1:9273 --linger
  netkit service status office
  netkit service logs office -n 50
  netkit service remove office

A service has nobody to ask: the key needs an agent or no passphrase, or the password is in the
keyring (netkit profile save --ask-password), and the host key is known.
"""

_name = click.argument("profile", shell_complete=complete_name)


@click.group("service", short_help="Have the system start a saved tunnel.", epilog=_EPILOG)
def command() -> None:
    """Have the system start a saved tunnel, and start it again when it fails.

    Linux: systemd's user manager. macOS: a launchd agent. Windows: a scheduled task.
    """


@command.command("install", cls=RememberingCommand, short_help="Install and start it.")
@_name
@click.option("--metrics", metavar="ADDR:PORT", help="As for netkit up.")
@click.option("--access-log", type=click.Path(path_type=Path), metavar="FILE", help="The same.")
@click.option("--expose", is_flag=True, help="Allow --metrics where other machines can connect.")
@click.option(
    "--linger/--no-linger",
    default=None,
    help="systemd: start it at boot, and let it go on after logout (asked for otherwise).",
)
@click.option("--print", "only_print", is_flag=True, help="Print what would be installed.")
@debug_option
@click.pass_context
def install(
    ctx: click.Context,
    /,
    profile: str,
    *,
    metrics: str | None,
    access_log: Path | None,
    expose: bool,
    linger: bool | None,
    only_print: bool,
) -> int:
    """Install and start the service of PROFILE; what is installed already is brought up to date."""
    from netkit import profiles
    from netkit.desktop import service as services
    from netkit.files import at_home

    output = _output(ctx)
    profiles.get(profile)
    options: list[str] = []
    if metrics:
        from netkit.observe.metrics import parse_address

        parse_address(metrics, expose=expose, command="service install")
        options += ["--metrics", metrics, *(["--expose"] if expose else [])]
    if access_log:
        options += ["--access-log", str(at_home(access_log).absolute())]
    made_by = services.manager()
    service = _service(profile, tuple(options))
    if only_print:
        _print(output, made_by, service)
        return 0
    try:
        new = services.install(service, made_by)
    except services.ServiceError as error:
        if error.code == "no-systemd":
            _print(output, made_by, service)
            error.fixes = (
                Fix((PROGRAM, "up", profile, *options), note="runs it in the foreground"),
            )
        raise
    path = made_by.file(profile)
    output.data(str(path))
    output.talk(f"{'installed and started' if new else 'it is installed already, and started'}")
    output.talk(f"{PROGRAM} service status {profile}  shows how it is")
    _care_for_linger(made_by, output, wanted=linger)
    return 0


@command.command("remove", cls=RememberingCommand, short_help="End and remove it.")
@_name
@debug_option
@click.pass_context
def remove(ctx: click.Context, /, profile: str) -> int:
    """End the service of PROFILE and remove it; the profile stays."""
    from netkit.desktop import service as services

    output = _output(ctx)
    _check(profile)
    made_by = services.manager()
    if services.remove(profile, made_by):
        output.talk(f"removed {made_by.file(profile)}")
    else:
        output.talk(f"there is no service of the profile {profile}; nothing to do")
    return 0


@command.command("status", cls=RememberingCommand, short_help="How it is.")
@_name
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@debug_option
@click.pass_context
def status(ctx: click.Context, /, profile: str, *, as_json: bool) -> int:
    """Print how the service of PROFILE is.

    Exit codes: 0 it is active, 3 it is not, 2 there is none.
    """
    from netkit.desktop import service as services

    output = _output(ctx, as_json=as_json)
    _check(profile)
    made_by = services.manager()
    path = services.installed(profile, made_by)
    made_by.check()
    running = made_by.status(profile)
    if as_json:
        output.document(
            {
                "profile": profile,
                "file": str(path),
                "active": running.active,
                "state": running.state,
                "details": list(running.details),
            }
        )
    else:
        output.data("; ".join([f"{profile}: {running.state}", *running.details]))
        if not running.active:
            output.talk(f"{PROGRAM} service logs {profile}  shows what it said")
    return 0 if running.active else 3


@command.command("logs", cls=RememberingCommand, short_help="What it said.")
@_name
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(1, 10_000),
    default=100,
    show_default=True,
    help="How many of the last lines.",
)
@debug_option
@click.pass_context
def logs(ctx: click.Context, /, profile: str, *, lines: int) -> int:
    """Print what the service of PROFILE said last."""
    from netkit.desktop import service as services

    output = _output(ctx)
    _check(profile)
    made_by = services.manager()
    services.installed(profile, made_by)
    made_by.check()
    for line in made_by.logs(profile, lines):
        output.data(line)
    return 0


def _output(ctx: click.Context, *, as_json: bool = False) -> Output:
    output = Output(as_json=as_json)
    ctx.meta[META_OUTPUT] = output
    return output


def _check(profile: str) -> None:
    from netkit.text.profiles.names import check_name

    check_name(profile)


def _service(profile: str, options: tuple[str, ...]) -> Service:
    from netkit.desktop.service import log_file
    from netkit.desktop.service_text import Service
    from netkit.desktop.shortcuts import this_start

    start = this_start()
    windows = sys.platform == "win32"
    return Service(
        profile=profile,
        program=start.hidden if windows else start.program,
        options=options,
        environment=() if windows else start.environment,
        log=str(log_file(profile)),
    )


def _print(output: Output, made_by: Manager, service: Service) -> None:
    data = made_by.content(service)
    text = data.decode("utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8")
    for line in text.splitlines():
        output.data(line)
    output.talk(f"it would be {made_by.file(service.profile)}")


def _care_for_linger(made_by: Manager, output: Output, *, wanted: bool | None) -> None:
    """Say that the service ends at logout, or change that if it is wanted."""
    from netkit.desktop.service import Systemd

    if not isinstance(made_by, Systemd) or made_by.lingers() is not False:
        return
    if wanted is None:
        prompter = TerminalPrompter()
        question = "it ends when you log out; start it at boot and let it go on? [y/N]"
        answer = prompter.answer(question) if prompter.has_terminal() else None
        wanted = (answer or "").strip().lower() in {"y", "yes"}
    if wanted:
        made_by.linger()
        output.talk(
            "it starts at boot and goes on after logout (loginctl disable-linger undoes it)"
        )
    else:
        fix = Fix(("loginctl", "enable-linger"))
        output.talk(f"it starts when you log in and ends when you log out; {fix} changes that")
