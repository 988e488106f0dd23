"""The tunnel: what the user starts.  Supervises listeners, the chain of links and remote forwards.

`start` binds, connects hop by hop, logs in, asks for remote forwards and begins to accept; an
error undoes everything.  Listeners belong to the tunnel and are merely attached to the last link,
so a later link can take over from a dead one without giving a port back.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from netkit.engine import listeners
from netkit.engine.dynamic import ProxyClient
from netkit.engine.hop_link import OPEN_TIME, Company, HopLink, connect
from netkit.engine.link import Link
from netkit.engine.open_socket import open_socket
from netkit.engine.remote import RemoteForwards
from netkit.errors import (
    LinkLostError,
    LocalProtocolError,
    NetkitError,
)
from netkit.events import (
    Connecting,
    Event,
    ForwardBound,
    LinkDown,
    Notice,
    Status,
    Stopping,
    evolve,
)
from netkit.model import (
    Address,
    Endpoint,
    ForwardKind,
    ForwardSpec,
    Keepalive,
    Plan,
    UnixPath,
)
from netkit.text.endpoints import check_host, parse_port
from netkit.wire.messages import string, u32

if TYPE_CHECKING:
    from netkit.engine.remote import Accept
    from netkit.prompt import Prompter

log = logging.getLogger("netkit.tunnel")

STOP_TIME = 5.0
"""Seconds for each step of the way down before the next one is forced."""


@dataclass(frozen=True, slots=True)
class Forward:
    """A forward of a running tunnel; ``addresses`` is where it really listens."""

    spec: ForwardSpec
    addresses: tuple[Address, ...]

    @property
    def address(self) -> Address:
        """The first address."""
        return self.addresses[0]


class Lending(Protocol):
    """What lends a display to the gateway: `X11Session` or `X11Mapping`."""

    def connected(self, link: Link, remotes: RemoteForwards) -> None:
        """A link is up, and not asked for remote forwards yet; raises what is in the way."""

    def accept(self, forward: ForwardSpec) -> Accept | None:
        """Return what takes the channels of a remote forward; None: its own target does."""


class Tunnel:
    """Forwards through a gateway, alive between `start` and `stop`.

    Usable as a context manager, which stops it at the end.  Methods may be called from any thread;
    ``observer`` is called from the tunnel's own threads and must not block.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        prompter: Prompter | None = None,
        password: str | None = None,
        observer: Callable[[Event], None] | None = None,
        x11: Lending | None = None,
    ) -> None:
        """``x11`` lends a display; without it the plan's ``x11`` is not carried out."""
        self.plan = plan
        self._x11 = x11
        self._prompter = prompter
        self._password = password
        self._observer = observer
        self._status = Status()
        self._status_lock = threading.Lock()
        self._listeners: list[listeners.Listener] = []
        self._chain: list[HopLink] = []
        self._forwards: tuple[Forward, ...] = ()
        self._remotes: RemoteForwards | None = None
        self._cancelled = threading.Event()
        self._stop_lock = threading.Lock()
        self._ended = threading.Event()
        self._error: NetkitError | None = None
        self._started = False
        self._hurry = False
        self._is_up = False
        self._is_lost = False

    # --- what it is ---

    @property
    def forwards(self) -> tuple[Forward, ...]:
        """The forwards, in the order of the plan, with the addresses they really have."""
        return self._forwards

    @property
    def status(self) -> Status:
        """A snapshot of state and counters."""
        return self._status

    @property
    def ended(self) -> bool:
        """Whether the tunnel is over."""
        return self._ended.is_set()

    @property
    def local_bind_port(self) -> int:
        """Port of the first local forward (as in the package sshtunnel).

        Raises:
            LocalProtocolError: there is none.
        """
        return self._first_local().port

    @property
    def local_bind_address(self) -> tuple[str, int]:
        """(host, port) of the first local forward (as in the package sshtunnel)."""
        address = self._first_local()
        return (address.host, address.port)

    def _first_local(self) -> Endpoint:
        for forward in self._forwards:
            address = forward.address
            if forward.spec.kind is not ForwardKind.REMOTE and isinstance(address, Endpoint):
                return address
        raise LocalProtocolError("this tunnel has no local TCP forward", code="no-local-forward")

    # --- up ---

    def start(self) -> None:
        """Bring everything up.

        Raises:
            NetkitError: what failed; nothing is left behind.
        """
        if self._started:
            raise LocalProtocolError("a tunnel starts once")
        self._started = True
        try:
            self._bind()
            self._connect()
            self._ask_remotes()
            self._accept()
            self._is_up = True
            if self._is_lost:  # before anybody was there to notice
                raise self._chain[-1].link.error or LinkLostError("the link ended")
        except BaseException as error:
            known = error if isinstance(error, NetkitError) else None
            self._tear_down(known)
            raise

    def _bind(self) -> None:
        for spec in self.plan.forwards:
            if spec.kind is not ForwardKind.REMOTE:
                self._listeners.append(listeners.bind(spec))

    def _connect(self) -> None:
        hops = len(self.plan.hops)
        company = Company(
            prompter=self._prompter,
            password=self._password,
            emit=self._emit,
            notice=self._notice,
            cancelled=self._cancelled,
        )
        for number, hop in enumerate(self.plan.hops, 1):
            self._emit(Connecting(gateway=hop.alias, hop=number, hops=hops))
            through = self._chain[-1].link if self._chain else None
            entry = connect(hop, through, company, observe=number == hops)
            self._chain.append(entry)
            entry.link.on_ended = functools.partial(self._link_ended, entry.link)
            self._check_cancelled()
            entry.link.start_keepalive(
                self.plan.keepalive if number == hops else Keepalive(interval=0)
            )
            self._emit(entry.up(number, hops))

    def _ask_remotes(self) -> None:
        link = self._chain[-1].link
        self._remotes = RemoteForwards(link)
        x11 = self._x11
        if x11 is not None:
            x11.connected(link, self._remotes)
        for spec in self.plan.forwards:
            if spec.kind is ForwardKind.REMOTE:
                self._check_cancelled()
                self._remotes.request(spec, accept=x11.accept(spec) if x11 is not None else None)

    def _accept(self) -> None:
        self._check_cancelled()
        link = self._chain[-1].link
        for listener in self._listeners:
            listener.listen()
        link.run(self._attach)
        by_spec: dict[int, tuple[Address, ...]] = {
            id(listener.forward): listener.addresses for listener in self._listeners
        }
        if self._remotes is not None:
            by_spec |= {id(entry.forward): (entry.address,) for entry in self._remotes.table}
        self._forwards = tuple(Forward(spec, by_spec[id(spec)]) for spec in self.plan.forwards)
        for forward in self._forwards:
            self._emit(ForwardBound(forward=forward.spec, addresses=forward.addresses))

    def _attach(self) -> None:
        link = self._chain[-1].link
        for listener in self._listeners:
            accept = _acceptor(link, listener.forward)
            listener.attach(
                link.loop, accept, functools.partial(link.report.notice, "out-of-descriptors")
            )

    def _check_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise LinkLostError("the tunnel was stopped while it started", code="stopped")

    # --- use ---

    def open(self, host: str, port: int, timeout: float = OPEN_TIME) -> socket.socket:
        """Return a connected socket to ``host``:``port`` as the gateway reaches it.

        No local port is involved.  The socket blocks; closing it closes the channel.

        Raises:
            UsageError: there is no such host name or port.
            OpenError: the gateway could not or would not connect.
            LinkLostError: the tunnel is down.
        """
        target = Endpoint(check_host(host, host), parse_port(str(port)))
        if not self._chain or self._ended.is_set():
            raise self._error or LinkLostError("the tunnel is down", code="link-lost")
        return open_socket(self._chain[-1].link, target, timeout)

    # --- down ---

    def wait(self, timeout: float | None = None) -> NetkitError | None:
        """Wait until the tunnel has ended; return why, None when it was stopped or time is up."""
        self._ended.wait(timeout)
        return self._error

    def stop(self, drain: float = STOP_TIME) -> None:
        """Accept nothing new, give flows ``drain`` seconds to finish, reset the rest, disconnect.

        Never hangs; may be called again, also while it runs, to hurry (``drain=0``).
        """
        self._cancelled.set()
        has_flows = bool(self._forwards) or (self._x11 is not None and self._is_up)
        if drain > 0 and not self._ended.is_set() and has_flows:
            self._drain(drain)
        if drain <= 0:
            self._hurry = True
        self._tear_down(None)

    def _drain(self, seconds: float) -> None:
        link = self._chain[-1].link
        with contextlib.suppress(NetkitError):
            link.run(self._stop_accepting)
        self._emit(Stopping(flows=len(link.flows), seconds=seconds))
        deadline = time.monotonic() + seconds
        while link.flows and not self._hurry and time.monotonic() < deadline:
            if link.wait(0.05):
                return

    def _detach(self) -> None:
        for listener in self._listeners:
            listener.detach()

    def _stop_accepting(self) -> None:
        """Accept nothing new on either side: a connection is refused, not left to hang."""
        for listener in self._listeners:
            listener.detach()
            listener.close()
        if self._remotes is not None:
            self._remotes.cancel_all()

    def _link_ended(self, link: Link, error: NetkitError | None) -> None:
        """In the thread of the link that ended; with the last link the tunnel is over."""
        if self._chain[-1].link is not link:
            return
        self._is_lost = True
        if not self._is_up or self._cancelled.is_set():
            return
        self._error = error
        self._detach()
        threading.Thread(
            target=self._tear_down, args=(error,), name="netkit-tear-down", daemon=True
        ).start()

    def _tear_down(self, error: NetkitError | None) -> None:
        """Close everything, the last link first; bounded, and idempotent."""
        with self._stop_lock:
            for entry in reversed(self._chain):
                entry.close(STOP_TIME)
            for listener in self._listeners:
                listener.detach()
                listener.close()
            if self._ended.is_set():
                return
            why = self._error or error
            gateway = self.plan.hops[-1].alias
            self._emit(
                LinkDown(
                    gateway=gateway,
                    code=why.code if why else "stopped",
                    reason=why.summary if why else "the tunnel was stopped",
                )
            )
            self._ended.set()

    def _notice(self, code: str, text: str) -> None:
        self._emit(Notice(code=code, text=text))

    def _emit(self, event: Event) -> None:
        with self._status_lock:
            self._status = evolve(self._status, event)
        if self._observer is not None:
            try:
                self._observer(event)
            except Exception:
                log.exception("the observer failed on %r", event)

    def __enter__(self) -> Self:
        if not self._started:
            self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop(0 if kind is not None else STOP_TIME)


def _acceptor(link: Link, spec: ForwardSpec) -> Callable[[socket.socket, object], None]:
    """Return what to do with a connection that ``spec``'s listener accepted."""
    if spec.kind is ForwardKind.DYNAMIC:
        return lambda sock, peer: _start_proxy(link, sock, spec, peer)
    target = spec.to
    assert target is not None
    if isinstance(target, UnixPath):
        kind, prefix = "direct-streamlocal@openssh.com", string(target.path)
    else:
        kind, prefix = "direct-tcpip", string(target.host) + u32(target.port)
    name = str(target)

    def accept(sock: socket.socket, peer: object) -> None:
        host, port = _source(peer)
        flow = link.start_flow(sock, kind, prefix + string(host) + u32(port), spec)
        flow.source = f"{host}:{port}"
        flow.target = name

    return accept


def _start_proxy(link: Link, sock: socket.socket, spec: ForwardSpec, peer: object) -> None:
    ProxyClient(link, sock, spec, _source(peer))


def _source(peer: object) -> tuple[str, int]:
    """Return the peer's address as the open request wants it; unix sockets have none."""
    if isinstance(peer, tuple) and len(peer) >= 2:
        return str(peer[0]), int(peer[1])
    return "127.0.0.1", 0
