"""``netkit forward``: a tunnel in the foreground."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from netkit.cli import lasting, options
from netkit.cli.detaching import detach, detach_option, second
from netkit.cli.lifecycle import run_job
from netkit.cli.main import META_OUTPUT, PROGRAM, debug_option
from netkit.cli.naming import Naming
from netkit.cli.observing import observe_options, onlookers
from netkit.cli.output import Output
from netkit.cli.profile import resolve as profiles
from netkit.cli.services import Services
from netkit.cli.tunnel_job import EXAMPLE, Companion, Request, TunnelJob
from netkit.errors import UsageError
from netkit.model import Fix, Profile

_EPILOG = """\b
Examples:
  netkit forward me@gw --bind 127.0.0.2:3389 --to 10.0.0.5:3389
  netkit forward gw -L 5432:db.internal:5432 -D 1080
  netkit forward gw -J jump1,jump2 -R 8080:localhost:80

One line per forward goes to standard output once the tunnel is up; its first word is the address
that really listens. A link that is lost is made again, and new connections wait for it. Ctrl-C
lets open flows finish, a second one ends at once.

\b
Exit codes: 0 stopped by SIGTERM or SIGHUP, 2 usage, 3 could not run, 4 gateway not reached or
lost, 5 host key refused, 6 login failed, 7 local bind failed, 8 remote forward refused,
70 bug in netkit, 130 stopped by Ctrl-C.
"""


@click.command(
    "forward",
    cls=options.OrderedForwardsCommand,
    short_help="Carry connections through a gateway.",
    epilog=_EPILOG,
)
@options.gateway_options
@options.forward_options
@options.x11_options
@lasting.endurance_options
@lasting.limit_options
@observe_options
@detach_option
@click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print events as NDJSON, nothing else.")
@lasting.drain_option()
@click.option("-v", "--verbose", is_flag=True, help="Show every flow.")
@debug_option
@click.pass_context
def command(ctx: click.Context, /, gateway: str | None, **values: Any) -> int:
    """Carry connections through GATEWAY: [user@]host[:port], an ssh_config alias or a profile.

    A profile is saved by 'netkit profile save'; what is said here goes before what it says, and
    forwards take the place of its own. Without GATEWAY the default profile is meant.

    -L, -R, -D, -J, -l, -p, -i, -F, -C, -c and -m mean what they mean to ssh(1).
    -X and -Y do too, but for -X, which is untrusted whatever ssh_config says.
    """
    output = Output(
        as_json=values["as_json"],
        verbose=values["verbose"],
        log_json=values["log_format"] == "json",
    )
    ctx.meta[META_OUTPUT] = output
    if gateway is None and values["via"]:
        gateway, _, values["via"] = values["via"].partition(",")
    forwards = options.forwards_of(ctx)
    wish = profiles.wish(gateway, forwards, values, default=True)
    if wish is None:
        raise no_gateway("forward", *EXAMPLE)
    if wish.profile is not None and not forwards:
        _spell(ctx, wish, wish.profile)
    request = Request(
        spec=wish.spec,
        auto_keepalive=wish.auto_keepalive,
        counted=wish.counted,
        password_stdin=values["password_stdin"],
        password_of=wish.password_of,
        dry_run=values["dry_run"],
        drain=values["drain"],
        naming=_naming(wish, own_forwards=bool(forwards)),
    )
    companions: list[Companion] = []
    if values["detach"] and not request.dry_run:
        detacher = second([name := _naming(wish, own_forwards=bool(forwards)).name])
        if detacher is None:
            return detach([name], output)
        companions.append(detacher)
    looking = onlookers(values, command="forward")
    name = request.password_of or str(request.spec.gateway)
    watcher = looking.of(name) if looking is not None else None
    job = TunnelJob(request, ctx.obj or Services(), output, companions, watcher=watcher)
    return run_job(job, drain=request.drain)


def _naming(wish: profiles.Wish, *, own_forwards: bool) -> Naming:
    """Return what the tunnel is called: a profile with other forwards is another tunnel."""
    if wish.profile is not None:
        return Naming(wish.profile.name, is_profile=not own_forwards)
    return Naming(str(wish.spec.gateway))


def _spell(ctx: click.Context, wish: profiles.Wish, profile: Profile) -> None:
    """Let fixes that move a forward of the profile say the whole command."""
    from netkit.text.profiles.words import words

    whole = replace(profile, tunnel=wish.spec, keepalive_auto=wish.auto_keepalive)
    ctx.meta[options.META_TYPED] = replace(
        ctx.meta[options.META_TYPED], forwards=wish.spec.forwards, spelled=words(whole)
    )


def no_gateway(*words: str) -> UsageError:
    """Return the error of the command ``words[0]``, whose other words follow a gateway."""
    return UsageError(
        "no gateway is named, and there is no default profile",
        code="no-gateway",
        cause="netkit needs to know which SSH server to go through: [user@]host[:port]",
        fixes=(
            Fix((PROGRAM, words[0], "me@gateway.example", *words[1:])),
            Fix(
                (PROGRAM, "profile", "save", "NAME", "me@gateway.example", *EXAMPLE, "--default"),
                note="makes one the default",
            ),
            Fix((PROGRAM, "demo"), note="needs no gateway"),
        ),
    )
