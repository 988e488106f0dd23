"""``netkit doctor``: what is wrong, why, and the command that mends it."""

from __future__ import annotations

from dataclasses import dataclass
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
    from collections.abc import Sequence

    from netkit.model import ForwardSpec, TunnelSpec

FORWARD = "forward"
_EPILOG = """\b
Examples:
  netkit doctor                          this machine, offline
  netkit doctor me@gw                    also the way to the gateway and through it
  netkit doctor office                   a saved profile: its gateway and its forwards
  netkit doctor --for forward --bind 127.0.0.2:3389 --to ts:3389 me@gw
  netkit doctor me@gw --nat              also measures after how long a NAT forgets (6 minutes)
  netkit doctor --explain port-taken     what a code means

Nothing is changed on this machine or the gateway unless you confirm it (--fix).

\b
Exit codes: 0 nothing at or above --fail-on, 1 findings, 2 usage, 3 nothing could be found out,
70 bug in netkit, 130 interrupted.
"""
_SEVERITIES = ("info", "warning", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the command line of ``netkit doctor`` asks for."""

    spec: TunnelSpec | None = None
    forwards: tuple[ForwardSpec, ...] = ()
    wanted: bool = False
    protocol: str = ""
    nat_budget: float | None = None
    form: str = "text"
    redact: bool = False
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    fail_on: str = "error"
    verify: str = ""
    record: Path | None = None
    replay: Path | None = None
    fix: bool = False
    dry_run: bool = False
    verbose: bool = False
    password_stdin: bool = False
    password_of: str = ""
    words: tuple[str, ...] = ()

    @property
    def asks(self) -> bool:
        """Whether something was asked for whose answer is wanted, also where all is well."""
        return self.wanted or self.nat_budget is not None


class Codes(click.ParamType[tuple[str, ...]]):
    """Codes of checks or findings, separated by commas."""

    name = "CODE,…"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Split; whether the codes exist is found out where the checks are known."""
        codes = tuple(code.strip() for code in str(value).split(",") if code.strip())
        if not codes:
            self.fail("a code is expected; netkit doctor --list-checks shows them", param, ctx)
        return codes


@click.command(
    "doctor",
    cls=options.OrderedForwardsCommand,
    short_help="Find what is wrong, and the command that mends it.",
    epilog=_EPILOG,
)
@options.gateway_options
@options.forward_options
@click.option("--for", "purpose", metavar="WHAT", help="'forward', or a protocol such as ftp.")
@click.option("--nat", is_flag=True, help="Measure after how long a NAT forgets; takes minutes.")
@click.option(
    "--budget",
    type=options.Seconds(2, 4 * 3600),
    help="The longest silence that --nat tries (default 360).",
)
@click.option("--only", multiple=True, type=Codes(), help="Only these checks, and what they need.")
@click.option("--skip", multiple=True, type=Codes(), help="Not these checks.")
@click.option("--verify", metavar="CODE", help="Look only whether this is mended.")
@click.option("--fail-on", type=click.Choice(_SEVERITIES), default="error", show_default=True)
@click.option("--fix", is_flag=True, help="Offer to run each command that mends something.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--markdown", is_flag=True, help="Markdown, to paste into a ticket.")
@click.option("--redact", is_flag=True, help="Replace names and addresses in what is shown.")
@click.option("--record", type=click.Path(path_type=Path), help="Save what the machine answered.")
@click.option("--replay", type=click.Path(path_type=Path), help="Judge a recording instead.")
@click.option("--list-checks", is_flag=True, help="List the checks and the codes they find.")
@click.option("--explain", metavar="CODE", help="Print what a code means, and how to mend it.")
@click.option("-v", "--verbose", is_flag=True, help="Show evidence, every check, every command.")
@debug_option
@click.pass_context
def command(ctx: click.Context, /, gateway: str | None, **values: Any) -> int:
    """Examine this machine, and with GATEWAY (or a profile) the way to it and through it."""
    from netkit.cli.doctor import job as doctor_job

    output = Output(as_json=values["as_json"], verbose=values["verbose"])
    ctx.meta[META_OUTPUT] = output
    if values["explain"] is not None:
        return doctor_job.explain(values["explain"], output)
    if values["list_checks"]:
        return doctor_job.list_checks(output)
    request = _request(ctx, gateway, values)
    job = doctor_job.DoctorJob(request, ctx.obj or Services(), output)
    return run_job(job, drain=doctor_job.DRAIN)


def _request(ctx: click.Context, gateway: str | None, values: dict[str, Any]) -> Request:
    forwards = options.forwards_of(ctx)
    purpose = values["purpose"] or ""
    protocol = _protocol(purpose)
    _check_combination(gateway, forwards, values)
    wish = profiles.wish(gateway, forwards, values)
    spec = None if wish is None else wish.spec
    if wish is not None and wish.auto_keepalive:
        from netkit.cli.keepalive import settled

        spec = settled(wish.spec, ctx.obj or Services(), counted=wish.counted)
    return Request(
        spec=spec,
        forwards=forwards if spec is None else spec.forwards,
        wanted=bool(purpose or forwards),
        protocol=protocol,
        nat_budget=(values["budget"] or 360.0) if values["nat"] else None,
        form="json" if values["as_json"] else "markdown" if values["markdown"] else "text",
        redact=values["redact"],
        only=_flat(values["only"]),
        skip=_flat(values["skip"]),
        fail_on=values["fail_on"],
        verify=values["verify"] or "",
        record=values["record"],
        replay=values["replay"],
        fix=values["fix"],
        dry_run=values["dry_run"],
        verbose=values["verbose"],
        password_stdin=values["password_stdin"],
        password_of="" if wish is None else wish.password_of,
        words=ctx.meta[options.META_TYPED].words,
    )


def _flat(groups: Sequence[Sequence[str]]) -> tuple[str, ...]:
    return tuple(code for group in groups for code in group)


def _protocol(purpose: str) -> str:
    """Return the protocol that ``--for`` names; empty for ``forward`` and for nothing."""
    if purpose in ("", FORWARD):
        return ""
    from diagnostics.knowledge.protocols import NAMES

    if purpose.lower() in NAMES:
        return purpose.lower()
    from difflib import get_close_matches

    close = get_close_matches(purpose.lower(), [FORWARD, *NAMES], 3)
    raise UsageError(
        f"--for {purpose}: there is no such thing to examine",
        code="unknown-purpose",
        cause=(f"did you mean {' or '.join(close)}? " if close else "")
        + f"it is {FORWARD} or one of {', '.join(NAMES)}",
    )


def _check_combination(
    gateway: str | None, forwards: Sequence[ForwardSpec], values: dict[str, Any]
) -> None:
    def wrong(what: str, cause: str, *fix: str) -> UsageError:
        fixes = (Fix((PROGRAM, "doctor", *fix)),) if fix else ()
        return UsageError(what, code="bad-combination", cause=cause, fixes=fixes)

    if values["nat"] and gateway is None:
        raise wrong("--nat needs a gateway", "it measures the way to it", "me@gateway", "--nat")
    if values["budget"] is not None and not values["nat"]:
        raise wrong("--budget belongs to --nat", "it bounds that measurement alone")
    if values["purpose"] == FORWARD and not forwards and gateway is None:
        raise wrong(
            "--for forward names no forward",
            "say the same options as to netkit forward",
            *("--for", "forward", "--bind", "127.0.0.2:3389", "--to", "ts:3389", "me@gateway"),
        )
    if values["replay"] is not None and (gateway or values["record"] or values["fix"]):
        raise wrong("--replay goes with none of GATEWAY, --record, --fix", "it judges a recording")
    if values["as_json"] and values["markdown"]:
        raise wrong("--json and --markdown exclude each other", "there is one report")
    if values["fix"] and (values["as_json"] or values["markdown"]):
        raise wrong("--fix asks on the terminal", "leave --json and --markdown out")
