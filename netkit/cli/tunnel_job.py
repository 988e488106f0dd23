"""Running a tunnel in the foreground: planned, opened, reported, waited for, ended.

What goes with a tunnel beyond its forwards (a program to start, a display to lend) is a
`Companion`: it is told when the tunnel is up, may end it, and is told when it is over.
"""

from __future__ import annotations

import functools
import gc
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from netkit.cli import render
from netkit.cli.hints import forward_line
from netkit.cli.lifecycle import Job
from netkit.cli.main import PROGRAM
from netkit.cli.output import EventPrinter, Output
from netkit.cli.services import Services
from netkit.cli.terminal import TerminalPrompter, read_password
from netkit.errors import UsageError
from netkit.events import DisplayLent, Notice
from netkit.model import Fix

if TYPE_CHECKING:
    from netkit.cli.naming import Naming
    from netkit.cli.services import TunnelLike, TunnelMaker
    from netkit.engine.tunnel import Lending
    from netkit.engine.x11_session import X11Session
    from netkit.events import Event
    from netkit.model import Plan, TunnelSpec
    from netkit.supervision import Supervised

_PRINT_REST = 1.0
"""Seconds that the last events get to be printed."""

EXAMPLE = ("--bind", "127.0.0.2:3389", "--to", "10.0.0.5:3389")
"""Words of a forward, for messages."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line of ``netkit forward`` asks for.

    ``auto_keepalive`` lets what is known of this network decide the keepalive, and how many may
    stay unanswered, unless that is ``counted``.  ``password_of`` is the profile whose stored
    password is used.  ``naming`` is what it is called, for ``netkit status`` and its kind.
    """

    spec: TunnelSpec
    auto_keepalive: bool = False
    counted: bool = False
    password_stdin: bool = False
    password_of: str = ""
    dry_run: bool = False
    drain: float = 5.0
    naming: Naming | None = None


class Companion(Protocol):
    """What goes with a tunnel."""

    def up(self, tunnel: TunnelLike, plan: Plan, end: Callable[[], None]) -> None:
        """The forwards listen; must not block.  ``end`` ends the tunnel, from any thread."""

    def down(self) -> None:
        """The tunnel is over."""


class Watcher(Protocol):
    """What looks on from before the start to after the end; it never holds up the tunnel."""

    def begin(self, tunnel: TunnelLike, plan: Plan, tell: Callable[[Event], None]) -> None:
        """The tunnel is about to start; raises NetkitError if it must not.  ``tell`` prints."""

    def see(self, event: Event) -> None:
        """Something happened, in any thread; must not block."""

    def up(self) -> None:
        """The forwards listen."""

    def end(self) -> None:
        """The tunnel is over, or did not begin."""


class RunningJob(Job, Protocol):
    """The job of a tunnel that can be brought up to date."""

    def reread(self, spec: TunnelSpec) -> None:
        """Let the forwards become those of ``spec``."""


class TunnelJob:
    """Plans, opens and reports a tunnel, and waits for its end."""

    def __init__(
        self,
        request: Request,
        services: Services,
        output: Output,
        companions: Sequence[Companion] = (),
        *,
        prompter: TerminalPrompter | None = None,
        lending: Lending | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        """``lending`` is the display that the plan's ``x11`` is about; found here by default."""
        self._request = request
        self._companions = companions
        self._services = services
        self._output = output
        self._prompter = prompter or TerminalPrompter()
        self._lock = threading.Lock()
        self._rereading = threading.Lock()
        self._stopped = False
        self._up = False
        self._tunnel: TunnelLike | None = None
        self._lending = lending
        self._watchers = [watcher] if watcher is not None else []
        if request.naming is not None and services.control is not None:
            control = services.control(request.naming, str(request.spec.gateway), self._end)
            self._watchers.insert(0, control)
        self._session: X11Session | None = None
        self._plan: Plan | None = None
        self._post: Callable[[Event], None] | None = None

    def work(self) -> int:
        """Run the tunnel until it ends; return 0, or raise why it failed."""
        request = self._request
        password = read_password() if request.password_stdin else None
        plan = self._services.plan(request.spec)
        if not plan.forwards and plan.x11 is None:
            raise _no_forward(request)
        self._plan = plan
        if request.auto_keepalive:
            from netkit.cli.keepalive import Learning, automatic

            plan = automatic(plan, self._services.recall(plan), counted=request.counted)
            self._watchers.append(Learning(self._services.learn))
        if request.dry_run:
            self._show_plan(plan)
            return 0
        if password is None and request.password_of:
            from netkit import secrets

            password = secrets.recall(request.password_of)
        return self._run(plan, password)

    def stop(self, drain: float) -> None:
        """End the tunnel: within ``drain`` seconds when it is up, at once before."""
        self._prompter.cancel()
        with self._lock:
            self._stopped = True
            tunnel, up = self._tunnel, self._up
        if tunnel is not None:
            tunnel.stop(drain if up else 0.0)

    def reread(self, spec: TunnelSpec) -> None:
        """Let the forwards become those of ``spec``; say what else of it would need a new start."""
        from netkit.cli.rereading import apply

        with self._rereading:
            with self._lock:
                tunnel, before, post = self._tunnel, self._plan, self._post
            if tunnel is None or before is None or post is None or not self._up:
                return
            after = self._services.plan(spec)
            self._plan = apply(cast("Supervised", tunnel), before, after, post)

    def _end(self, drain: float | None) -> None:
        self.stop(self._request.drain if drain is None else drain)

    def _run(self, plan: Plan, password: str | None) -> int:
        from netkit.cli import debugging

        debugging.keep_quiet()
        printer = EventPrinter(self._output.event, flows=self._output.flows)
        post = _all([*(each.see for each in self._watchers), printer.post])
        self._post = post
        for warning in plan.warnings:
            printer.post(Notice(code="plan-warning", text=warning))
        try:
            tunnel = self._maker(plan, post)(
                plan,
                # with nobody to ask, errors say so and name the option that needs nobody
                prompter=self._prompter if self._prompter.has_terminal() else None,
                password=password,
                observer=post,
            )
            with self._lock:
                if self._stopped:
                    return 0
                self._tunnel = tunnel
            try:
                for watcher in self._watchers:
                    watcher.begin(tunnel, plan, printer.post)
                return self._serve(tunnel, plan, post)
            finally:
                if not self._stopped:  # else the drain is in progress, on another thread
                    tunnel.stop(0.0)
        finally:
            for watcher in reversed(self._watchers):
                watcher.end()
            printer.close(_PRINT_REST)

    def _maker(self, plan: Plan, post: Callable[[Event], None]) -> TunnelMaker:
        """Return what makes the tunnel, with the display to lend."""
        if self._lending is None and plan.x11 is not None:
            from netkit.engine.x11_session import X11Session

            found = self._services.display(plan.x11)
            for text in found.warnings:
                post(Notice(code="x11-display", text=text))
            self._session = self._lending = X11Session(
                found.server, gateway=str(self._request.spec.gateway)
            )
        if self._lending is None:
            return self._services.tunnel
        return functools.partial(self._services.tunnel, x11=self._lending)

    def _tell_display(self, plan: Plan, post: Callable[[Event], None]) -> None:
        session, trust = self._session, plan.x11
        if session is None or trust is None:
            return
        gateway, name = plan.hops[-1].alias, session.server.name
        if self._output.as_json:
            post(DisplayLent(display=session.display, server=name, trust=trust))
        else:
            self._output.data(f"DISPLAY={session.display} on {gateway} shows here ({name})")

    def _serve(self, tunnel: TunnelLike, plan: Plan, post: Callable[[Event], None]) -> int:
        tunnel.start()
        # What is loaded now stays: the collector need not walk it while flows come and go.
        gc.freeze()
        with self._lock:
            self._up = True
        for watcher in self._watchers:
            watcher.up()
        if not self._output.as_json:
            gateway = plan.hops[-1].alias
            for forward in tunnel.forwards:
                self._output.data(forward_line(forward.spec, forward.addresses, gateway))
        self._tell_display(plan, post)
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


def _all(receivers: Sequence[Callable[[Event], None]]) -> Callable[[Event], None]:
    def post(event: Event) -> None:
        for receive in receivers:
            receive(event)

    return receivers[0] if len(receivers) == 1 else post


def _no_forward(request: Request) -> UsageError:
    gateway, name = str(request.spec.gateway), request.password_of
    fix = Fix((PROGRAM, "forward", gateway, *EXAMPLE))
    if name:
        fix = Fix((PROGRAM, "profile", "save", name, *EXAMPLE, "--replace"))
    return UsageError(
        f"there is nothing to forward through {gateway}",
        code="no-forward",
        cause=f"neither {'the profile' if name else 'the command line (--bind, -L, -R, -D)'} nor"
        " ssh_config names a forward",
        fixes=(fix,),
    )
