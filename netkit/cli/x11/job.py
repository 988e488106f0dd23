"""``netkit x11``: one X program of the gateway, or a display of this machine lent to it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from netkit.cli import output as streams
from netkit.cli.again import SAME
from netkit.cli.main import PROGRAM
from netkit.cli.services import Services
from netkit.cli.tunnel_job import Request, TunnelJob
from netkit.errors import DisplayError, NetkitError, RemoteForwardError, UsageError
from netkit.model import (
    Endpoint,
    Endurance,
    Fix,
    ForwardKind,
    ForwardSpec,
    Plan,
    TunnelSpec,
    UnixPath,
    X11Trust,
)
from netkit.plan.binds import is_loopback

if TYPE_CHECKING:
    from diagnostics.parsers.x_gateway import GatewayX
    from netkit.cli.output import Output
    from netkit.cli.services import TunnelLike
    from netkit.cli.tunnel_job import Companion
    from netkit.desktop.display import LocalDisplay
    from netkit.engine.exec_channel import Executed
    from netkit.engine.tunnel import Lending
    from netkit.engine.x11_mapping import X11Mapping
    from netkit.engine.x11_session import X11Session

X_PORT = 6000

SSHD_NUMBERS = range(10, 100)
"""Displays that sshd is likely to make (X11DisplayOffset 10)."""


@dataclass(frozen=True, slots=True)
class X11Request:
    """What the command line of ``netkit x11`` asks for.

    Attributes:
        request: the tunnel.
        trust: what programs there may do here.
        command: what to run; empty where a ``display`` is lent.
        single: a single X connection is let in.
        display: number on the gateway.
        bind: address there.
        install: give the cookie to the account there.
        typed: the words behind ``netkit x11``; the last ``words`` are GATEWAY and COMMAND.
    """

    request: Request
    trust: X11Trust
    command: str = ""
    single: bool = False
    display: int = 0
    bind: str = ""
    install: bool = False
    typed: tuple[str, ...] = ()
    words: int = 1


class X11Job:
    """Finds the display here, and lends it."""

    def __init__(self, wish: X11Request, services: Services, output: Output) -> None:
        self._wish = wish
        self._services = services
        self._output = output
        self._lock = threading.Lock()
        self._stopped = False
        self._inner: TunnelJob | None = None
        self._program: Program | None = None
        self._guide: Guide | None = None

    def work(self) -> int:
        """Do it until it ends; return the exit status of the program, or raise why it failed."""
        spec = replace(self._wish.request.spec, x11=self._wish.trust)
        try:
            inner = self._run_command(spec) if self._wish.command else self._lend(spec)
            with self._lock:
                if self._stopped:
                    return 0
                self._inner = inner
            code = inner.work()
        except NetkitError as error:
            explained = self._explained(error)
            if explained is error:
                raise
            raise explained from error
        return code if self._program is None else self._program.status

    def stop(self, drain: float) -> None:
        """End it: the program at once, open windows of a lent display within ``drain``."""
        with self._lock:
            self._stopped = True
            inner = self._inner
        if self._program is not None:
            self._program.interrupt()
        if inner is not None:
            inner.stop(drain)

    def _explained(self, error: NetkitError) -> NetkitError:
        """Return ``error`` with fixes that say the command that was typed."""
        plain = isinstance(error, RemoteForwardError) and error.code == error.default_code
        if plain and self._guide is not None:
            error = self._guide.explain(error)
        error.fixes = tuple(_retyped(fix, self._wish) for fix in error.fixes)
        return error

    def _inner_job(
        self, spec: TunnelSpec, services: Services, *companions: Companion, lending: Lending | None
    ) -> TunnelJob:
        return TunnelJob(
            replace(self._wish.request, spec=spec),
            services,
            self._output,
            companions,
            lending=lending,
        )

    def _only(self, *forwards: ForwardSpec) -> Services:
        """Return services whose plans have no forwards of ssh_config: they were not asked for."""
        make = self._services.plan
        return replace(self._services, plan=lambda spec: replace(make(spec), forwards=forwards))

    def _display(self) -> LocalDisplay | None:
        """Return the display here; None where nothing shall be done."""
        if self._wish.request.dry_run:
            return None
        found = self._services.display(self._wish.trust)
        for text in found.warnings:
            self._output.talk(f"warning: {text}")
        return found

    # --- one program ---

    def _run_command(self, spec: TunnelSpec) -> TunnelJob:
        found = self._display()
        if found is None:
            return self._inner_job(spec, self._only(), lending=None)
        from netkit.engine.x11_session import X11Session

        session = X11Session(
            found.server,
            command=self._wish.command,
            single=self._wish.single,
            gateway=str(spec.gateway),
        )
        self._program = Program(session)
        # On another link the program would be started again.
        spec = replace(spec, endurance=Endurance(reconnect=False))
        return self._inner_job(spec, self._only(), self._program, lending=session)

    # --- a display ---

    def _lend(self, spec: TunnelSpec) -> TunnelJob:
        from netkit.engine.x11_mapping import X11Mapping

        wish = self._wish
        exposed = not is_loopback(wish.bind)
        if exposed and not spec.expose:
            raise _needs_expose(wish)
        found = self._display()
        server = found.server if found is not None else self._services.where()
        bind = Endpoint(wish.bind, X_PORT + wish.display)
        # Where it leads is for people to read: the mapping connects to the server itself.
        to = server.address
        shown = UnixPath(to.path.replace("\0", "@")) if isinstance(to, UnixPath) else to
        forward = ForwardSpec(ForwardKind.REMOTE, bind, shown, f"--display {wish.display}")
        if found is None:
            return self._inner_job(spec, self._only(forward), lending=None)
        if found.open and exposed:
            raise _open_server(server.name, bind)
        if wish.display in SSHD_NUMBERS:
            self._output.talk(
                f"warning: sshd there gives displays from 10 on to logins with ssh -X, and may "
                f"take {wish.display}; 1 to 9 are nobody's"
            )
        guide = self._guide = Guide(self._wish, self._output, server.name)
        mapping = guide.mapping = X11Mapping(server, forward, before=guide.check)
        return self._inner_job(spec, self._only(forward), guide, lending=mapping)


class Program:
    """A companion of the tunnel: what the program says is passed on, and its end is the end.

    ``status`` is its exit status.
    """

    def __init__(self, session: X11Session) -> None:
        self._session = session
        self._thread: threading.Thread | None = None
        self.status = 0

    def up(self, _tunnel: TunnelLike, _plan: Plan, end: Callable[[], None]) -> None:
        """Begin to pass on."""
        self._thread = threading.Thread(
            target=self._pump, args=(end,), name="netkit-x11-output", daemon=True
        )
        self._thread.start()

    def _pump(self, end: Callable[[], None]) -> None:
        try:
            self.status = self._session.pump(write)
            self._session.wait_flows()
        except streams.OutputError:
            raise
        except NetkitError:
            return  # the tunnel has ended, and says why
        end()

    def interrupt(self) -> None:
        """Have the program end."""
        self._session.interrupt()

    def down(self) -> None:
        """The tunnel is over."""
        if self._thread is not None:
            self._thread.join(2.0)


def write(data: bytes, errors: bytes) -> None:
    """Pass on what a program says, byte by byte as it says it.

    Raises:
        ReaderGoneError: the reader has closed the pipe.
        OutputError: it cannot be written for another reason.
    """
    if data:
        try:
            if sys.stdout is None:
                raise OSError("standard output is closed")
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except (OSError, ValueError) as error:
            raise streams.unwritable(error) from error
    raw = getattr(sys.stderr, "buffer", None)
    if errors and raw is not None:
        try:
            sys.stderr.flush()
            raw.write(errors)
            raw.flush()
        except (OSError, ValueError):
            pass  # nobody hears it


class Guide:
    """A companion of the tunnel: looks whether the display is free, and tells how to use it."""

    def __init__(self, wish: X11Request, output: Output, name: str) -> None:
        self._wish = wish
        self._output = output
        self._name = name
        self._there: GatewayX | None = None
        self.mapping: X11Mapping | None = None

    def check(self, run: Callable[[str, bytes], Executed]) -> None:
        """Before the gateway is asked to listen; raises where the display is another's."""
        from netkit.desktop import gateway_display as there

        seen = there.read(run(there.ASK, b"").stdout)
        self._there = seen
        there.check_free(self._wish.display, seen, str(self._wish.request.spec.gateway))

    def up(self, _tunnel: TunnelLike, plan: Plan, _end: Callable[[], None]) -> None:
        """Tell DISPLAY, and how programs get the cookie."""
        from netkit.desktop import gateway_display as there

        mapping, wish = self.mapping, self._wish
        assert mapping is not None
        number, gateway = wish.display, plan.hops[-1].alias
        seen = there.read(mapping.run(there.ASK).stdout)
        exposed = there.is_exposed(number, seen)
        if exposed is False and not is_loopback(wish.bind):
            self._talk(
                f"warning: {gateway} listens on its loopback alone; GatewayPorts clientspecified "
                "in its sshd_config lets other hosts in"
            )
        all_ways = there.ways(wish.bind, plan.hops[-1].host, number, exposed=exposed)
        if wish.install:
            self._install(mapping, there.add_words(all_ways, mapping.cookie), gateway)
        for way in all_ways:
            where = "elsewhere" if way.elsewhere else f"on {gateway}"
            unknown = " if GatewayPorts there allows it" if exposed is None else ""
            suffix = unknown if way.elsewhere else ""
            self._output.data(f"DISPLAY={way.display} {where} shows here ({self._name}){suffix}")
        for way in all_ways:
            if way.elsewhere or not wish.install:
                self._output.data(there.add_command(way, mapping.cookie))
        if trap := there.own_name_trap(seen, number):
            self._talk(trap)

    def _install(self, mapping: X11Mapping, words: bytes, gateway: str) -> None:
        from netkit.desktop import gateway_display as there

        done = mapping.run(there.INSTALL, words)
        if done.outcome == "ran" and done.status == 0:
            self._talk(f"xauth on {gateway} keeps the cookie")
            return
        raise RemoteForwardError(
            f"the cookie could not be given to xauth on {gateway}",
            code="x11-cookie-not-installed",
            cause=done.stderr[:200].decode("utf-8", "replace").strip()
            or f"it runs no command ({done.outcome}, status {done.status})",
            fixes=(Fix((), note="without --install-cookie, netkit prints the xauth line to type"),),
        )

    def _talk(self, text: str) -> None:
        self._output.talk(text)

    def down(self) -> None:
        """The tunnel is over."""

    def explain(self, error: NetkitError) -> RemoteForwardError:
        """Return the refusal of the gateway with the display to take instead."""
        from diagnostics.parsers.x_gateway import GatewayX
        from netkit.desktop import gateway_display as there

        number, gateway = self._wish.display, self._wish.request.spec.gateway
        summary = f"{gateway} gives display {number} (port {X_PORT + number}) to nobody"
        return there.taken(summary, error.cause, number, self._there or GatewayX())


def _retyped(fix: Fix, wish: X11Request) -> Fix:
    """Return a fix that trusts, or takes another display, as the command with that change."""
    from netkit.desktop.display_errors import TRUST

    at = len(wish.typed) - wish.words
    if fix == TRUST:
        said = tuple(word for word in wish.typed[:at] if word != "-X")
        return replace(fix, argv=(PROGRAM, "x11", "-Y", *said, *wish.typed[at:]))
    if fix.argv[:-1] != (PROGRAM, "x11", SAME, "--display"):
        return fix
    words: list[str] = []
    for word in wish.typed:
        if words[-1:] == ["--display"]:
            words[-1:] = [f"--display={fix.argv[-1]}"]
        elif word.startswith("--display="):
            words.append(f"--display={fix.argv[-1]}")
        else:
            words.append(word)
    return replace(fix, argv=(PROGRAM, "x11", *words))


def _needs_expose(wish: X11Request) -> UsageError:
    return UsageError(
        f"--bind {wish.bind} would let other hosts reach the X server here",
        code="bind-needs-expose",
        cause="whoever has the cookie can then see and type here; --expose allows it",
        fixes=(Fix((PROGRAM, "x11", "...", "--expose")),),
    )


def _open_server(name: str, bind: Endpoint) -> NetkitError:
    return DisplayError(
        f"X server {name} lets everybody in, and {bind} would be open to other hosts",
        code="x-open-to-anyone",
        cause="xhost + or -ac has switched off the cookies that protect this screen",
        fixes=(Fix(("xhost", "-"), note="asks for cookies again", undo=("xhost", "+")),),
    )
