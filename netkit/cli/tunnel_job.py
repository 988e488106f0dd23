"""Running a tunnel in the foreground: planned, opened, reported, waited for, ended.

What goes with a tunnel beyond its forwards (a program to start, a display to lend) is a
`Companion`: it is told when the tunnel is up, may end it, and is told when it is over.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from netkit.cli import render
from netkit.cli.hints import forward_line
from netkit.cli.main import PROGRAM
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

EXAMPLE = ("--bind", "127.0.0.2:3389", "--to", "10.0.0.5:3389")
"""Words of a forward, for messages."""


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


class Companion(Protocol):
    """What goes with a tunnel."""

    def up(self, tunnel: TunnelLike, plan: Plan, end: Callable[[], None]) -> None:
        """The forwards listen; must not block.  ``end`` ends the tunnel, from any thread."""

    def down(self) -> None:
        """The tunnel is over."""


class TunnelJob:
    """Plans, opens and reports a tunnel, and waits for its end."""

    def __init__(
        self,
        request: Request,
        services: Services,
        output: Output,
        companions: Sequence[Companion] = (),
    ) -> None:
        self._request = request
        self._companions = companions
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
        try:
            for companion in self._companions:
                companion.up(tunnel, plan, lambda: tunnel.stop(self._request.drain))
            error = tunnel.wait()
        finally:
            for companion in self._companions:
                companion.down()
        if error is not None:
            raise error
        return 0

    def _show_plan(self, plan: Plan) -> None:
        if self._output.as_json:
            self._output.document(render.plan_dict(plan))
            return
        for line in render.plan_lines(plan):
            self._output.data(line)


def _no_forward(spec: TunnelSpec) -> UsageError:
    return UsageError(
        f"there is nothing to forward through {spec.gateway}",
        code="no-forward",
        cause="neither the command line (--bind, -L, -R, -D) nor ssh_config names a forward",
        fixes=(Fix((PROGRAM, "forward", str(spec.gateway), *EXAMPLE)),),
    )
