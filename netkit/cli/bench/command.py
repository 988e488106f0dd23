"""``netkit bench``: how fast is this tunnel, does compression pay, and what limits it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netkit.cli import options
from netkit.cli.lifecycle import run_job
from netkit.cli.main import META_OUTPUT, PROGRAM, debug_option
from netkit.cli.output import Output
from netkit.cli.profile import resolve as profiles
from netkit.cli.services import Services
from netkit.errors import UsageError
from netkit.model import Fix

if TYPE_CHECKING:
    from netkit.model import TunnelSpec
    from netkit.text.link_shapes import LinkShape

TIME = 30.0
QUICK = 8.0
SERVERS = ("auto", "sshd", "netkit")

_EPILOG = """\b
Examples:
  netkit bench                           a throw-away gateway on this machine
  netkit bench me@gw                     the real way to a gateway and through it
  netkit bench me@gw --sample dump.sql   does compression pay for data like this?
  netkit bench --link 2mbit/80ms         what a slow link would do
  netkit bench me@gw --html bench.html   a page for a ticket

A login is enough: with a shell on the gateway its own commands make the data, without one the
data goes out and back through a remote forward.

\b
Exit codes: 0 measured, 2 usage, 3 nothing could be measured, 4 gateway not reached, 5 host key
refused, 6 login failed, 70 bug in netkit, 130 interrupted (what is known is shown).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the command line of ``netkit bench`` asks for."""

    spec: TunnelSpec | None = None
    link: LinkShape | None = None
    server: str = SERVERS[0]
    seconds: float = TIME
    sample: Path | None = None
    json: Path | None = None
    html: Path | None = None
    compare: Path | None = None
    password_stdin: bool = False
    password_of: str = ""
    words: tuple[str, ...] = ()


@click.command(
    "bench",
    cls=options.RememberingCommand,
    short_help="Measure a tunnel: how fast it is, and what limits it.",
    epilog=_EPILOG,
)
@options.gateway_options
@click.option("--link", metavar="RATE/RTT[/LOSS]", help="Imitate such a link: 2mbit/80ms/1%.")
@click.option("--time", "seconds", type=options.Seconds(3, 3600), help="For all of it (30).")
@click.option("--quick", is_flag=True, help="The same as --time 8.")
@click.option(
    "--sample",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also measure with data like this.",
)
@click.option(
    "--json", type=click.Path(path_type=Path), metavar="FILE", help="Save what was measured."
)
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page.")
@click.option(
    "--compare",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Say what changed since an earlier --json.",
)
@click.option(
    "--server",
    type=click.Choice(SERVERS),
    default=SERVERS[0],
    show_default=True,
    help="What the throw-away gateway is.",
)
@debug_option
@click.pass_context
def command(ctx: click.Context, /, gateway: str | None, **values: Any) -> int:
    """Measure the way to GATEWAY (or a profile) and through it; without one, a gateway here."""
    from netkit.cli.bench import job as bench_job

    output = Output()
    ctx.meta[META_OUTPUT] = output
    request = _request(ctx, gateway, values)
    job = bench_job.BenchJob(request, ctx.obj or Services(), output)
    return run_job(job, drain=bench_job.DRAIN)


def _request(ctx: click.Context, gateway: str | None, values: dict[str, Any]) -> Request:
    _check_combination(gateway, values)
    link = None
    if values["link"] is not None:
        from netkit.text.link_shapes import parse_link

        link = parse_link(values["link"])
    seconds = values["seconds"] or (QUICK if values["quick"] else TIME)
    wish = profiles.wish(gateway, (), {**values, "expose": False})
    return Request(
        spec=None if wish is None else replace(wish.spec, forwards=()),
        link=link,
        server=values["server"],
        seconds=seconds,
        sample=values["sample"],
        json=values["json"],
        html=values["html"],
        compare=values["compare"],
        password_stdin=values["password_stdin"],
        password_of="" if wish is None else wish.password_of,
        words=ctx.meta[options.META_TYPED].words,
    )


def _check_combination(gateway: str | None, values: dict[str, Any]) -> None:
    def wrong(what: str, cause: str, *fix: str) -> UsageError:
        return UsageError(
            what, code="bad-combination", cause=cause, fixes=(Fix((PROGRAM, "bench", *fix)),)
        )

    if values["quick"] and values["seconds"] is not None:
        raise wrong("--quick and --time exclude each other", "--quick is --time 8", "--quick")
    if gateway is not None and values["link"] is not None:
        raise wrong(
            "--link goes without a GATEWAY",
            "it imitates a link in front of a gateway on this machine; yours has a link of its own",
            *("--link", str(values["link"])),
        )
    if gateway is not None and values["server"] != SERVERS[0]:
        raise wrong("--server goes without a GATEWAY", "yours is what it is", gateway)
    if gateway is None:
        given = [
            name
            for name, value in (
                ("-J", values["jump"]),
                ("-l", values["user"]),
                ("-p", values["port"]),
            )
            if value is not None
        ]
        if given:
            raise wrong(
                f"{given[0]} needs a GATEWAY",
                "without one, a throw-away gateway on this machine is measured",
                *(given[0], "…", "me@gateway"),
            )
