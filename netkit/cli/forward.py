"""``netkit forward``: a tunnel in the foreground."""

from __future__ import annotations

import gc
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from netkit.cli import options, render
from netkit.cli.hints import forward_line
from netkit.cli.lifecycle import run_job
from netkit.cli.main import META_OUTPUT, PROGRAM, debug_option
from netkit.cli.output import EventPrinter, Output
from netkit.cli.services import Services
from netkit.cli.terminal import TerminalPrompter, read_password
from netkit.errors import UsageError
from netkit.events import Notice
from netkit.model import Fix

if TYPE_CHECKING:
    from netkit.cli.services import TunnelLike
    from netkit.model import Plan, TunnelSpec

_PRINT_REST = 1.0
"""Seconds that the last events get to be printed."""

_EXAMPLE = ("--bind", "127.0.0.2:3389", "--to", "10.0.0.5:3389")

_EPILOG = """\b
Examples:
  netkit forward me@gw --bind 127.0.0.2:3389 --to 10.0.0.5:3389
  netkit forward gw -L 5432:db.internal:5432 -D 1080
  netkit forward gw -J jump1,jump2 -R 8080:localhost:80

One line per forward goes to standard output once the tunnel is up; its first word is the address
that really listens. Ctrl-C lets open flows finish, a second one ends at once.

\b
Exit codes: 0 stopped by SIGTERM or SIGHUP, 2 usage, 3 could not run, 4 gateway not reached or
lost, 5 host key refused, 6 login failed, 7 local bind failed, 8 remote forward refused,
70 bug in netkit, 130 stopped by Ctrl-C.
"""


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line of ``netkit forward`` asks for.

    ``auto_keepalive`` lets what is known of this network decide the keepalive, and how many may
    stay unanswered, unless that is ``counted``.
    """

    spec: TunnelSpec
    auto_keepalive: bool = False
    counted: bool = False
    password_stdin: bool = False
    dry_run: bool = False
    drain: float = 5.0


@click.command(
    "forward",
    cls=options.OrderedForwardsCommand,
    short_help="Carry connections through a gateway.",
    epilog=_EPILOG,
)
@options.gateway_options
@options.forward_options
@click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print events as NDJSON, nothing else.")
@click.option(
    "--drain",
    type=options.Seconds(0, 3600),
    default=5.0,
    show_default=True,
    help="How long a stop waits for open flows.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show every flow.")
@debug_option
@click.pass_context
def command(ctx: click.Context, /, gateway: str | None, **values: Any) -> int:
    """Carry connections through GATEWAY, which is [user@]host[:port] or an ssh_config alias.

    -L, -R, -D, -J, -l, -p, -i, -F, -C, -c and -m mean what they mean to ssh(1).
    """
    output = Output(as_json=values["as_json"], verbose=values["verbose"])
    ctx.meta[META_OUTPUT] = output
    forwards = options.forwards_of(ctx)
    if gateway is None:
        raise _no_gateway()
    request = Request(
        spec=options.tunnel_spec(gateway, forwards, values),
        auto_keepalive=values["keepalive"] == options.AUTO,
        counted=values["keepalive_count"] is not None,
        password_stdin=values["password_stdin"],
        dry_run=values["dry_run"],
        drain=values["drain"],
    )
    job = ForwardJob(request, ctx.obj or Services(), output)
    return run_job(job, drain=request.drain)


class ForwardJob:
    """Plans, opens and reports a tunnel, and waits for its end."""

    def __init__(self, request: Request, services: Services, output: Output) -> None:
        self._request = request
        self._services = services
        self._output = output
        self._prompter = TerminalPrompter()
        self._lock = threading.Lock()
        self._stopped = False
        self._up = False
        self._tunnel: TunnelLike | None = None

    def work(self) -> int:
        """Run the tunnel until it ends; return 0, or raise why it failed."""
        request = self._request
        password = read_password() if request.password_stdin else None
        plan = self._services.plan(request.spec)
        if not plan.forwards:
            raise _no_forward(request.spec)
        if request.auto_keepalive:
            from netkit.cli.keepalive import automatic

            plan = automatic(plan, self._services.recall(plan), counted=request.counted)
        if request.dry_run:
            self._show_plan(plan)
            return 0
        return self._run(plan, password)

    def stop(self, drain: float) -> None:
        """End the tunnel: within ``drain`` seconds when it is up, at once before."""
        self._prompter.cancel()
        with self._lock:
            self._stopped = True
            tunnel, up = self._tunnel, self._up
        if tunnel is not None:
            tunnel.stop(drain if up else 0.0)

    def _run(self, plan: Plan, password: str | None) -> int:
        from netkit.cli import debugging

        debugging.keep_quiet()
        printer = EventPrinter(self._output.event, flows=self._output.flows)
        for warning in plan.warnings:
            printer.post(Notice(code="plan-warning", text=warning))
        try:
            tunnel = self._services.tunnel(
                plan,
                # with nobody to ask, errors say so and name the option that needs nobody
                prompter=self._prompter if self._prompter.has_terminal() else None,
                password=password,
                observer=printer.post,
            )
            with self._lock:
                if self._stopped:
                    return 0
                self._tunnel = tunnel
            try:
                return self._serve(tunnel, plan)
            finally:
                if not self._stopped:  # else the drain is in progress, on another thread
                    tunnel.stop(0.0)
        finally:
            printer.close(_PRINT_REST)

    def _serve(self, tunnel: TunnelLike, plan: Plan) -> int:
        tunnel.start()
        # What is loaded now stays: the collector need not walk it while flows come and go.
        gc.freeze()
        with self._lock:
            self._up = True
        if not self._output.as_json:
            gateway = plan.hops[-1].alias
            for forward in tunnel.forwards:
                self._output.data(forward_line(forward.spec, forward.addresses, gateway))
        error = tunnel.wait()
        if error is not None:
            raise error
        return 0

    def _show_plan(self, plan: Plan) -> None:
        if self._output.as_json:
            self._output.document(render.plan_dict(plan))
            return
        for line in render.plan_lines(plan):
            self._output.data(line)


def _no_gateway() -> UsageError:
    return UsageError(
        "no gateway is named, and there is no default profile",
        code="no-gateway",
        cause="netkit needs to know which SSH server to go through: [user@]host[:port]",
        fixes=(
            Fix((PROGRAM, "forward", "me@gateway.example", *_EXAMPLE)),
            Fix((PROGRAM, "demo"), note="needs no gateway"),
        ),
    )


def _no_forward(spec: TunnelSpec) -> UsageError:
    return UsageError(
        f"there is nothing to forward through {spec.gateway}",
        code="no-forward",
        cause="neither the command line (--bind, -L, -R, -D) nor ssh_config names a forward",
        fixes=(Fix((PROGRAM, "forward", str(spec.gateway), *_EXAMPLE)),),
    )
