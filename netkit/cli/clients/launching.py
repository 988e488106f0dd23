"""Starting the program that shows what a tunnel leads to, once the server there answers.

    netkit: waiting for the RDP server at 10.0.0.5:3389 (up to 20 s)
    netkit: 10.0.0.5:3389 answers (RDP, network level authentication)
    netkit: started xfreerdp (process 4711); the tunnel ends with it

A server that does not answer, or is another one, ends the tunnel with an error: a client would only
show a window that says less.  A tunnel with other forwards stays, whatever becomes of the client.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from netkit.cli.clients.errors import client_error, server_error
from netkit.cli.clients.order import ClientEnded, ClientStarted, Order, ServerAnswered
from netkit.cli.main import PROGRAM
from netkit.cli.output import Output
from netkit.cli.render import clean
from netkit.cli.tunnel_job import Companion, Request, RunningJob, TunnelJob, Watcher
from netkit.desktop import launch
from netkit.desktop.addresses import (
    forward_for,
    is_name,
    is_refused_by_mstsc,
    is_secure,
    reachable,
)
from netkit.desktop.await_server import Answer, Question, Result, Waiter
from netkit.desktop.clients import Desktop, Kind, Leaves, View, line_to_type
from netkit.errors import NetkitError
from netkit.events import Event, FlowFailed
from netkit.model import Endpoint

if TYPE_CHECKING:
    from netkit.cli.services import Observer, Services, TunnelLike
    from netkit.cli.terminal import TerminalPrompter
    from netkit.engine.tunnel import Lending
    from netkit.model import Plan, Profile, TunnelSpec
    from netkit.prompt import Prompter

_REASON_DELAY = 0.5
"""Seconds that the reason may come after the end of a connection."""

SERVERS = {Kind.RDP: "RDP server", Kind.VNC: "VNC server", Kind.HTTP: "web server"}


@dataclass(frozen=True, slots=True)
class _Placed:
    """A view at its address, the target that it leads to, and whether that speaks TLS."""

    view: View
    target: str
    secure: bool


class Launcher:
    """A companion of a tunnel: awaits the server, starts the client, ends with it.

    Attributes:
        failure: why the tunnel had to end, if it had to.
    """

    def __init__(self, order: Order, output: Output, desktop: Desktop | None = None) -> None:
        self.failure: NetkitError | None = None
        self._order = order
        self._output = output
        self._desktop = desktop or launch.this_desktop()
        self._waiter = Waiter(self._asks_from)
        self._lock = threading.Lock()
        self._leaving = False
        self._has_others = False
        self._running: launch.Running | None = None
        self._thread: threading.Thread | None = None
        self._observer: Observer | None = None
        self._sources: set[str] = set()
        self._reason: FlowFailed | None = None
        self._told = threading.Event()

    # --- the tunnel's side ---

    def watching(self, services: Services) -> Services:
        """Return ``services`` whose tunnel lets us see its events, and print ours among them."""

        def make(
            plan: Plan,
            *,
            prompter: Prompter | None,
            password: str | None,
            observer: Observer | None,
            x11: Lending | None = None,
        ) -> TunnelLike:
            self._observer = observer
            made = services.tunnel if x11 is None else partial(services.tunnel, x11=x11)
            return made(plan, prompter=prompter, password=password, observer=self._observe)

        return replace(services, tunnel=make)

    def up(self, tunnel: TunnelLike, plan: Plan, end: Callable[[], None]) -> None:
        """Begin to wait for the server, on a thread."""
        index = forward_for(self._order.view.kind, [each.spec for each in tunnel.forwards])
        address = tunnel.forwards[index].addresses[0] if index is not None else None
        if index is None or not isinstance(address, Endpoint):
            self._say(f"there is no forward that an {self._order.view.kind.name} client could use")
            return
        self._has_others = len(tunnel.forwards) > 1
        at = reachable(self._order.view.kind, self._desktop.os, address)
        order = self._placed(at, str(tunnel.forwards[index].spec.to))
        gateway = plan.hops[-1].alias
        self._thread = threading.Thread(
            target=self._run, args=(order, gateway, end), name="netkit-launcher", daemon=True
        )
        self._thread.start()

    def show(self, at: Endpoint, target: str, gateway: str) -> None:
        """Do it now, for a tunnel that listens ``at`` already; returns when the client has ended.

        Raises:
            NetkitError: the server does not answer, or the client failed.
        """
        self._run(self._placed(at, target), gateway, lambda: None)
        if self.failure is not None:
            raise self.failure

    def leave(self) -> None:
        """Stop waiting and end the client; from any thread, more than once."""
        with self._lock:
            self._leaving = True
            running = self._running
        self._waiter.cancel()
        if running is not None:
            running.end()

    def down(self) -> None:
        """The tunnel is over, and so is what needs it."""
        self.leave()
        if self._thread is not None:
            self._thread.join()

    def _observe(self, event: Event) -> None:
        """Keep to ourselves why our own question failed; the error tells it."""
        if isinstance(event, FlowFailed) and event.source in self._sources:
            self._reason = event
            self._told.set()
            if not self._output.as_json:
                return
        if self._observer is not None:
            self._observer(event)

    def _asks_from(self, source: str) -> None:
        self._told.clear()
        self._sources.add(source)

    # --- our own thread ---

    def _placed(self, at: Endpoint, target: str) -> _Placed:
        order = self._order
        view, secure = order.view, bool(order.secure)
        if view.kind is Kind.HTTP:
            if order.secure is None:
                secure = is_secure(int("0" + target.rpartition(":")[2]))
            url = f"{'https' if secure else 'http'}://{at}{order.path}"
            return _Placed(replace(view, at=at, url=url), target, secure)
        server = target.rpartition(":")[0] if is_name(target) else ""
        return _Placed(replace(view, at=at, server=server), target, secure)

    def _run(self, placed: _Placed, gateway: str, end: Callable[[], None]) -> None:
        try:
            stays = not self._await(placed, gateway) or self._show(placed.view)
        except NetkitError as error:
            if self._leaving:
                return
            if self._has_others:
                self._output.error(error, command=" ".join(self._order.command))
            else:
                self.failure = error
            stays = False
        if stays or self._leaving:
            return
        if self._has_others:
            self._say("the tunnel stays for its other forwards, until Ctrl-C")
        else:
            end()

    def _await(self, placed: _Placed, gateway: str) -> bool:
        """Return whether the server answers; False when we are to leave."""
        order, kind = self._order, self._order.view.kind
        if order.limit <= 0:
            return not self._leaving
        name = SERVERS[kind]
        self._say(f"waiting for the {name} at {placed.target} (up to {order.limit:g} s)")
        answer = self._waiter.wait(
            Question(
                kind=kind,
                at=placed.view.at,
                path=order.path,
                secure=placed.secure,
                limit=order.limit,
                again=order.again,
            )
        )
        if answer.result is Result.CANCELLED:
            return False
        if answer.result is not Result.ANSWERED:
            raise server_error(
                order.command,
                kind,
                placed.target,
                gateway=gateway,
                answer=answer,
                limit=order.limit,
                reason=self._why(answer),
            )
        self._say(f"{placed.target} answers ({answer.text})")
        if kind is Kind.HTTP and is_name(placed.target):
            self._say(_caveat(placed))
        self._emit(ServerAnswered(address=placed.view.at, target=placed.target, server=answer.text))
        return True

    def _why(self, answer: Answer) -> FlowFailed | None:
        if answer.result is Result.REFUSED and answer.source and self._observer is not None:
            self._told.wait(_REASON_DELAY)
        reason = self._reason
        return reason if reason is not None and reason.source == answer.source else None

    def _show(self, view: View) -> bool:
        """Start the client and see it end; return whether the tunnel stays."""
        line = line_to_type(view, self._desktop)
        if not self._order.launch:
            if not self._output.as_json:
                self._output.data(line)
            return True
        found = launch.find_client(view, self._desktop)
        if found is None:
            stays = "" if self._order.alone else "; the tunnel stays until Ctrl-C"
            self._say(f"{self._no_client(view.kind)}{stays}; try: {line}")
            return True
        if found.client.programs[0].startswith("mstsc") and is_refused_by_mstsc(view.at):
            self._say(f"mstsc refuses {view.at}, its own machine; --bind 127.0.0.2:3389 helps")
        return self._watch(found, view, line)

    def _no_client(self, kind: Kind) -> str:
        desktop = self._desktop
        if desktop.os not in ("windows", "darwin") and not (desktop.x11 or desktop.wayland):
            return "there is no screen here (no $DISPLAY)"
        name = "browser" if kind is Kind.HTTP else f"{kind.value.upper()} client"
        return f"no {name} was found here"

    def _watch(self, found: launch.Found, view: View, line: str) -> bool:
        client = found.client
        began = time.monotonic()
        try:
            with self._lock:
                if self._leaving:
                    return False
                running = launch.Running(found, view, terminal=self._desktop.terminal)
                self._running = running
        except OSError as error:
            raise client_error(found.name, error.strerror or str(error), line) from None
        alone = self._order.alone or self._has_others or client.leaves is not Leaves.NEVER
        ends = "" if alone else "; the tunnel ends with it"
        self._say(f"started {found.name} (process {running.pid}){ends}")
        self._emit(ClientStarted(argv=running.argv, pid=running.pid))
        status = running.wait()
        leaving = self._is_leaving()
        stays = not leaving and launch.has_gone_on(client, status, time.monotonic() - began)
        self._emit(ClientEnded(status=status, stays=stays))
        if leaving:
            return False
        return self._after(found, status, line, stays=stays)

    def _after(self, found: launch.Found, status: int, line: str, *, stays: bool) -> bool:
        failed = found.client.failure(status)
        if stays and self._order.alone:
            return False
        if stays:
            how = f"{found.name} failed: {failed}; try: {line}" if failed else ""
            self._say(how or f"{found.name} goes on by itself; the tunnel stays until Ctrl-C")
            return True
        if failed:
            raise client_error(found.name, failed, line)
        return False

    def _is_leaving(self) -> bool:
        with self._lock:
            return self._leaving

    def _say(self, text: str) -> None:
        if not self._output.as_json:
            self._output.talk(clean(text))

    def _emit(self, event: Event) -> None:
        if self._observer is not None and self._output.as_json:
            self._observer(event)


def _caveat(placed: _Placed) -> str:
    host = placed.target.rpartition(":")[0]
    if placed.secure:
        return (
            f"the browser will warn: the certificate names {host}, and the page is opened as"
            f" {placed.view.at.host}"
        )
    return (
        f"the server is asked for {placed.view.at} and not for {host}; if it shows another site,"
        " use a proxy instead (netkit forward GATEWAY -D 1080)"
    )


class Accompanied:
    """A job whose companions leave before it ends, and whose failure is its own."""

    def __init__(self, job: RunningJob, companions: Sequence[Companion]) -> None:
        self._job = job
        self._launchers = [each for each in companions if isinstance(each, Launcher)]

    def work(self) -> int:
        """Do the job; raises what it raises, and why a client had to end it."""
        code = self._job.work()
        for launcher in self._launchers:
            if launcher.failure is not None:
                raise launcher.failure
        return code

    def reread(self, spec: TunnelSpec) -> None:
        """Let the forwards become those of ``spec``."""
        self._job.reread(spec)

    def stop(self, drain: float) -> None:
        """End the clients, whose flows then end by themselves, and the job."""
        for launcher in self._launchers:
            launcher.leave()
        self._job.stop(drain)


def accompanied(
    request: Request,
    services: Services,
    output: Output,
    companions: Sequence[Companion],
    prompter: TerminalPrompter | None = None,
    watcher: Watcher | None = None,
) -> Accompanied:
    """Return the job of a tunnel whose launchers see its events and end before it."""
    for each in companions:
        if isinstance(each, Launcher):
            services = each.watching(services)
    job = TunnelJob(request, services, output, companions, prompter=prompter, watcher=watcher)
    return Accompanied(job, companions)


def companions_of(profile: Profile, output: Output | None = None) -> tuple[Companion, ...]:
    """Return what starts with the tunnel of ``profile``: the client that it names, if any."""
    if not profile.launch:
        return ()
    return (Launcher(order_of(profile), output or Output()),)


def order_of(profile: Profile, *, alone: bool = False) -> Order:
    """Return what to start for a profile whose ``launch`` is not empty."""
    view = View(kind=Kind(profile.launch), at=Endpoint("", 0))
    return Order(view=view, alone=alone, command=(PROGRAM, "up", profile.name))
