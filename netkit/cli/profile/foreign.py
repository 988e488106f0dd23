"""``netkit profile import`` and ``export``: ssh_config, mole, boring, command lines of autossh."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netkit.cli.main import META_OUTPUT, PROGRAM, debug_option
from netkit.cli.options import RememberingCommand
from netkit.cli.output import Output
from netkit.cli.profile.imports import import_options, store
from netkit.cli.profile.resolve import complete_name
from netkit.errors import UsageError
from netkit.files import at_home, read_bounded
from netkit.model import Fix, Gateway, Imported, TunnelSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click.shell_completion import CompletionItem

_MAX_SIZE = 1 << 20
_MAX_FILES = 1000
_FILE = click.Path(path_type=Path)


def _complete_host(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    from netkit.cli.hosts import complete_gateway

    return complete_gateway(incomplete)


@click.command(
    "ssh-config", cls=RememberingCommand, short_help="Hosts of ssh_config that have forwards."
)
@click.argument("hosts", nargs=-1, metavar="[HOST...]", shell_complete=_complete_host)
@click.option("-F", "config", type=_FILE, metavar="FILE", help="ssh_config to read.")
@import_options
@debug_option
@click.pass_context
def import_ssh_config(
    ctx: click.Context,
    hosts: tuple[str, ...],
    config: Path | None,
    replace: bool,
    dry_run: bool,
    prefix: str,
) -> int:
    """Make profiles of hosts that ssh_config names and gives forwards; of all, or of HOST.

    A profile's gateway is the host as it is called there: everything else that ssh_config says of
    it stays in force.
    """
    from netkit.environment import config_aliases

    output = _output(ctx)
    config = None if config is None else at_home(config).absolute()
    found = []
    for host in hosts or config_aliases(config):
        try:
            imported = _from_ssh_config(host, config, named=bool(hosts))
        except UsageError as error:
            if hosts or error.code != "bad-address":
                raise
            output.talk(f"left out: {error.summary}")
            continue
        if imported is not None:
            found.append(imported)
    if not found:
        output.talk("no host of ssh_config has forwards")
    return store(found, output=output, replace=replace, dry_run=dry_run, prefix=prefix)


def _from_ssh_config(host: str, config: Path | None, *, named: bool) -> Imported | None:
    """Return what becomes of a host; None where it has no forwards, if nobody ``named`` it."""
    from netkit.environment import read_environment
    from netkit.text.endpoints import check_host
    from netkit.text.foreign.ssh_hosts import read_host

    gateway = Gateway(check_host(host, host))
    # no jump is followed: only what is said of this host is wanted
    spec = TunnelSpec(gateway=gateway, config_file=config, jumps=())
    imported = read_host(host, read_environment(spec).options(gateway), config)
    if imported is None and named:
        raise UsageError(
            f"ssh_config has no forwards for {host}",
            code="no-forward",
            cause="no LocalForward, RemoteForward or DynamicForward is in force for it",
            fixes=(
                Fix(("ssh", "-G", host), note="shows what is"),
                Fix((PROGRAM, "profile", "save", host, host, "-D", "1080"), note="says one"),
            ),
        )
    return imported


@click.command("mole", cls=RememberingCommand, short_help="Aliases of mole (~/.mole).")
@click.argument("path", required=False, type=_FILE)
@import_options
@debug_option
@click.pass_context
def import_mole(
    ctx: click.Context, path: Path | None, replace: bool, dry_run: bool, prefix: str
) -> int:
    """Make profiles of the aliases of mole: of a folder (~/.mole) or of one file."""
    from netkit.text.foreign.mole import read_alias

    output = _output(ctx)
    path = at_home(path or Path("~/.mole"))
    files = sorted(path.glob("*.toml")) if path.is_dir() else [path]
    if len(files) > _MAX_FILES:
        raise UsageError(f"{path} holds more than {_MAX_FILES} aliases", code="bad-file")
    found = [read_alias(read_bounded(file, _MAX_SIZE), str(file), file.stem) for file in files]
    if not found:
        output.talk(f"no alias is in {path}")
    return store(found, output=output, replace=replace, dry_run=dry_run, prefix=prefix)


@click.command("boring", cls=RememberingCommand, short_help="Tunnels of boring (~/.boring.toml).")
@click.argument("file", required=False, type=_FILE)
@import_options
@debug_option
@click.pass_context
def import_boring(
    ctx: click.Context, file: Path | None, replace: bool, dry_run: bool, prefix: str
) -> int:
    """Make profiles of the tunnels of boring.

    FILE is by default what $BORING_CONFIG names, or .boring.toml where boring keeps it.
    """
    from netkit.text.foreign.boring import read_tunnels

    output = _output(ctx)
    file = at_home(file or _boring_file())
    found = read_tunnels(read_bounded(file, _MAX_SIZE), str(file), os.environ)
    if not found:
        output.talk(f"no tunnel is in {file}")
    return store(found, output=output, replace=replace, dry_run=dry_run, prefix=prefix)


def _boring_file() -> Path:
    """Return where boring keeps its tunnels: the first of its places where there is a file."""
    if named := os.environ.get("BORING_CONFIG"):
        return Path(named)
    folder = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    places = [Path(folder, "boring", ".boring.toml"), Path("~/.boring.toml")]
    found = (place for place in places if at_home(place).is_file())
    return next(found, places[-1])


@click.command(
    "autossh-command-line", cls=RememberingCommand, short_help="A command line of autossh or ssh."
)
@click.argument("words", nargs=-1, required=True, metavar="WORD...", type=click.UNPROCESSED)
@click.option("--name", default="", help="Of the profile (default: the gateway's).")
@import_options
@debug_option
@click.pass_context
def import_autossh(
    ctx: click.Context,
    words: tuple[str, ...],
    name: str,
    replace: bool,
    dry_run: bool,
    prefix: str,
) -> int:
    """Make a profile of a command line of autossh or ssh.

    Write it behind '--':

    \b
      netkit profile import autossh-command-line -- autossh -M 0 -N -L 5432:db:5432 me@gw
    """
    from netkit.text.foreign.ssh_words import read_words

    output = _output(ctx)
    imported = read_words(_split(words), name)
    return store([imported], output=output, replace=replace, dry_run=dry_run, prefix=prefix)


def _split(words: Sequence[str]) -> Sequence[str]:
    """Return the words of a command line, which may have come as a single one."""
    if len(words) > 1 or " " not in words[0]:
        return words
    try:
        return shlex.split(words[0])
    except ValueError as error:
        raise UsageError(
            f"the command line cannot be divided: {str(error).lower()}", code="bad-command-line"
        ) from None


@click.command("ssh-config", short_help="Host blocks for ssh_config.")
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete_name)
@debug_option
@click.pass_context
def export_ssh_config(ctx: click.Context, names: tuple[str, ...]) -> int:
    """Print profiles as Host blocks for ssh_config; 'ssh -N NAME' then does what they say.

    What has no counterpart there is listed on standard error.
    """
    from netkit import profiles
    from netkit.text.foreign.ssh_block import to_block

    output = _output(ctx)
    chosen = [profiles.stored(name) for name in dict.fromkeys(names)]
    for number, profile in enumerate(chosen):
        lines, left_out = to_block(profile)
        for line in ["", *lines] if number else lines:
            output.data(line)
        for text in [*left_out, *_alias_note(profile.tunnel.gateway.host, profile.name)]:
            output.talk(f"{profile.name}: left out: {text}")
    return 0


def _alias_note(host: str, name: str) -> list[str]:
    """Return that the gateway is an alias, whose options ssh does not apply to another host."""
    from netkit.environment import config_aliases
    from netkit.errors import ConfigError

    try:
        is_alias = host != name and host in config_aliases()
    except ConfigError:
        return []
    return [f"what ssh_config says of {host}"] if is_alias else []


def _output(ctx: click.Context) -> Output:
    output = Output()
    ctx.meta[META_OUTPUT] = output
    return output
