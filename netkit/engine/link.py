"""A link: one authenticated SSH connection, its channels, flows and requests.

The link is driven by the thread that calls `next_message`, which is paramiko's transport thread:
it consumes the connection layer (RFC 4254) itself and returns only transport, key-exchange and
authentication messages.  Between two of those it relays.  Everything not marked "any thread"
belongs to that thread, so flows need no locks.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from netkit.engine import requests
from netkit.engine.held import HeldFlows
from netkit.engine.keepalive import KeepaliveClock
from netkit.engine.loop import Loop
from netkit.engine.memory_channel import MemoryChannel
from netkit.engine.relay import Flow, Opening
from netkit.engine.reporter import Reporter
from netkit.engine.stream import QUICK_NEW_CHANNEL, SshStream
from netkit.errors import LinkLostError, NetkitError, RemoteProtocolError
from netkit.events import Event
from netkit.model import ForwardSpec, Keepalive
from netkit.wire import mux as m
from netkit.wire.channel import Channel
from netkit.wire.messages import DEBUG, DISCONNECT, IGNORE, PROHIBITED, Fields, string, u32
from netkit.wire.pacing import Attention
from netkit.wire.window import WindowBudget

if TYPE_CHECKING:
    from netkit.engine.limits import LinkLimits

log = logging.getLogger("netkit.link")

T = TypeVar("T")

BUDGET = WindowBudget()
"""All links of this process share one budget for received data."""

BY_APPLICATION = 11
"""Reason of a disconnect: the application is done (RFC 4253 section 11.1)."""

MAX_PARSE = 512
"""Packets parsed before local sockets get their turn; bounds the batch of a flow."""


class Handshake(Protocol):
    """Something that holds a socket or channel and is no flow yet, or no more."""

    def abort(self) -> None:
        """Let go of it now."""


class Link:
    """One SSH connection, as client or as server.

    Attributes:
        report: what is told of the flows.
        held: flows that wait for a credit.
        ready: flows whose local side has bytes to read.
        touched: flows that got data in this batch.
        rekeying: new keys are due or under way in at least one direction.
        round_trip: shortest measured round trip in seconds; 0 while unknown.
        peer: what the other side is: ``gateway``, or ``client`` where we are the gateway.
        peer_version: the peer's version line.
        attention: which flow is interactive, and the limits that sets to the others.
        handshakes: sockets and channels that are no flow yet, or no more.
        on_open: called with every channel the peer wants to open; refused where it is None.
        on_request: called with every channel request that the channel's user does not take;
            returns whether it answered.
        on_global: called with every global request; returns whether it answered.
        on_ended: called once, in the loop's thread, with the reason.
        numbers: those of the flows to come; links that serve one tunnel share them.
        rescue: asked, when the link is lost, about each flow that waits for its channel; returns
            whether it took the local side over, which nobody has read from.
        keepalive: the clock that notices a dead peer.
        limits: what limits the flows of forwards; None where nothing does.
        on_stale: called with whether answers of the peer are overdue, whenever that changes.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        observer: Callable[[Event], None] | None = None,
        max_incoming: int = m.MAX_INCOMING,
        peer: str = "gateway",
    ) -> None:
        """Make a link over a connected socket; ``peer`` is ``gateway`` or ``client``."""
        self.loop = Loop()
        self.stream = SshStream(sock, self.loop, peer)
        self.peer = peer
        self.mux = m.Mux(BUDGET, max_incoming=max_incoming)
        self.report = Reporter(observer)
        self.ready: dict[Flow, None] = {}
        self.touched: list[Flow] = []
        self.round_trip = 0.0
        self.authenticated = False
        self.rekeying = False
        self.disconnect: tuple[int, str] | None = None
        self.on_open: Callable[[m.OpenRequest], None] | None = None
        self.on_request: Callable[[m.ChannelRequest], bool] | None = None
        self.on_global: Callable[[m.GlobalRequest], bool] | None = None
        self.on_debug: Callable[[str], None] | None = None
        self.on_ended: Callable[[NetkitError | None], None] | None = None
        self.on_stale: Callable[[bool], None] | None = None
        self.peer_version = ""
        self.attention = Attention()
        self.held = HeldFlows(self)
        self.limits: LinkLimits | None = None
        self.flows: set[Flow] = set()
        self.handshakes: set[Handshake] = set()
        self.error: NetkitError | None = None
        self.numbers: Iterator[int] = itertools.count(1)
        self.rescue: Callable[[Flow], bool] | None = None
        self._stopping = False
        self._ended = threading.Event()
        self._end_lock = threading.Lock()
        self.keepalive = KeepaliveClock(self)
        self._handlers: dict[type, Callable[[Any], None]] = {
            m.Data: self._data,
            m.ExtendedData: self._extended_data,
            m.Opened: self._opened,
            m.OpenFailed: self._open_failed,
            m.OpenRequest: self._open_request,
            m.Eof: self._eof,
            m.Closed: self._closed,
            m.Writable: self._writable,
            m.ChannelRequest: functools.partial(requests.of_channel, self),
            m.ChannelReply: requests.channel_answer,
            m.GlobalRequest: functools.partial(requests.of_link, self),
            m.GlobalReply: requests.link_answer,
        }

    # --- the loop ---

    def next_message(self) -> memoryview:
        """Relay until the peer sends a message that is not of the connection layer; return it.

        Raises:
            NetkitError: the link has ended.
        """
        next_packet, feed = self.stream.reader.next, self.mux.feed
        parsed = 0
        while True:
            payload = next_packet() if parsed < MAX_PARSE else None
            if payload is None:
                self._turn(more=parsed >= MAX_PARSE)
                parsed = 0
                continue
            parsed += 1
            kind = payload[0]
            if 80 <= kind <= 127:
                if not self.authenticated:
                    raise RemoteProtocolError(
                        f"sent message type {kind} before authentication was complete"
                    )
                event = feed(payload)
                if type(event) is m.Data and event.channel.user is not None:
                    event.channel.user.deliver(event.view)
                elif event is not None:
                    self._handlers[type(event)](event)
            elif kind in (IGNORE, DEBUG) and self.authenticated:
                # Only the first key exchange must hear of them (strict key exchange); asyncssh's
                # server sends one before every message.
                if kind == DEBUG:
                    self._debug(Fields(payload))
            else:
                if kind == DISCONNECT:
                    self._disconnected(Fields(payload))
                self._flush_local()
                return payload

    def _turn(self, *, more: bool) -> None:
        """One round: write what arrived, send what is due, then wait for the next readiness.

        ``more`` says that packets are left in the buffer, so nothing may be received.
        """
        stream = self.stream
        self._flush_local()
        self._relay_ready()
        self.flush()
        if self._stopping:
            self._take_leave()
            raise LinkLostError("the link was closed", code="stopped")
        if not self.rekeying and (stream.writer.wants_rekey or stream.reader.wants_rekey):
            self.rekeying = True
            raise RekeyDueError
        if more:
            self.loop.run_once(wait=False)
            return
        idle = not stream.readable and not (self.ready and stream.can_relay)
        if not idle:
            self.loop.run_once(wait=False)
        else:
            patience = stream.before_wait(calm=not self.attention.is_due(self.loop.now))
            self.loop.run_once(wait=True, at_most=patience)
        if stream.is_bulk and not stream.readable:
            stream.impatient()
        if stream.readable:
            stream.receive()

    def _take_leave(self) -> None:
        """Tell the peer that we leave on purpose, as far as it still listens."""
        if self.authenticated and not self.stream.in_kex:
            self.stream.send(bytes([DISCONNECT]) + u32(BY_APPLICATION) + string("") + string(""))
            with contextlib.suppress(NetkitError):
                self.stream.flush()

    def _flush_local(self) -> None:
        if self.touched:
            touched, self.touched = self.touched, []
            for flow in touched:
                flow.flush()

    def _relay_ready(self) -> None:
        """Give every flow with something to say one batch; those that said little go first."""
        ready, stream = self.ready, self.stream
        if not ready:
            return
        if stream.arena_used:
            # What the kernel did not take last time still lies there and goes first.
            stream.flush()
        if not stream.can_relay:
            return
        if self.mux.out:
            self._seal_control()
        flows = list(ready) if len(ready) == 1 else sorted(ready, key=_recent)
        for flow in flows:
            if stream.arena_used > ARENA_FULL or (stream.arena_used and flow.intake.bulk):
                stream.flush()
            if not stream.can_relay:
                break
            if not flow.pump():
                ready.pop(flow, None)
            if flow.unwatched:
                flow.watch_reading()
            if self.mux.out:
                self._seal_control()

    def _seal_control(self) -> None:
        out, send = self.mux.out, self.stream.send
        if not self.stream.in_kex:
            while out:
                send(out.popleft())

    def flush(self) -> None:
        """Send everything that is due, as far as the kernel takes it."""
        if self.mux.out:
            self._seal_control()
        self.stream.flush()

    # --- messages of the connection layer ---

    def _data(self, event: m.Data) -> None:
        """Data that nobody wants (any more): credit it."""
        self.mux.taken(event.channel, len(event.view))

    def _extended_data(self, event: m.ExtendedData) -> None:
        event.channel.user.extended(event.kind, event.view)

    def _opened(self, event: m.Opened) -> None:
        user: Flow | MemoryChannel | None = event.channel.user
        if user is not None:
            self.stream.acknowledge_soon(QUICK_NEW_CHANNEL)
            if isinstance(user, Flow):
                # It may end in the next call, when the local side has left.
                self.report.opened(user)
            user.opened()

    def _open_failed(self, event: m.OpenFailed) -> None:
        user: Flow | MemoryChannel | None = event.channel.user
        if user is not None:
            user.open_failed(event.reason, event.text)
        if isinstance(user, Flow):
            self.flows.discard(user)
            self.report.refused(user, event.reason, event.text)

    def _open_request(self, event: m.OpenRequest) -> None:
        if self.on_open is None:
            self.mux.refuse(event.channel, PROHIBITED, "not asked for")
        else:
            self.on_open(event)

    def _eof(self, event: m.Eof) -> None:
        if event.channel.user is not None:
            event.channel.user.peer_eof()

    def _closed(self, event: m.Closed) -> None:
        if event.channel.user is not None:
            event.channel.user.peer_closed()

    def _writable(self, event: m.Writable) -> None:
        user: Flow | MemoryChannel | None = event.channel.user
        if isinstance(user, MemoryChannel):
            user.writable()
        elif user is not None and (user.readable or user.prefix):
            self.ready[user] = None

    def measured(self, round_trip: float) -> None:
        """Take note of a round trip in seconds; the shortest tells what the path is like."""
        best = self.round_trip
        self.round_trip = min(best, round_trip) if best else round_trip
        self.attention.measured(self.round_trip, self.peer_version)

    def _debug(self, fields: Fields) -> None:
        fields.boolean()
        text = fields.text(limit=4096)
        log.debug("the peer says: %r", text)
        if self.on_debug is not None:
            self.on_debug(text)

    def _disconnected(self, fields: Fields) -> None:
        self.disconnect = (fields.u32(), fields.text(limit=1024))

    # --- flows ---

    def start_flow(
        self,
        sock: socket.socket,
        kind: str,
        data: bytes,
        forward: ForwardSpec | None = None,
        opening: Opening | None = None,
    ) -> Flow:
        """Ask for a channel of type ``kind`` for ``sock``, which must not block."""
        flow = self._add_flow(sock, self.mux.open(kind, data), forward)
        flow.opening = opening
        flow.watch()
        return flow

    def accept_flow(
        self, sock: socket.socket, channel: Channel, forward: ForwardSpec | None = None
    ) -> Flow:
        """Confirm a channel of the peer and relay it to ``sock``, which must not block."""
        self.mux.confirm(channel)
        return self.adopt_flow(sock, channel, forward)

    def adopt_flow(
        self, sock: socket.socket, channel: Channel, forward: ForwardSpec | None = None
    ) -> Flow:
        """Relay a channel that is open already to ``sock``, which must not block."""
        flow = self._add_flow(sock, channel, forward)
        flow.watch()
        return flow

    def _add_flow(self, sock: socket.socket, channel: Channel, forward: ForwardSpec | None) -> Flow:
        number = next(self.numbers)
        flow = None
        if self.limits is not None and forward is not None:
            flow = self.limits.flow(sock, channel, number, forward)
        if flow is None:
            flow = Flow(self, sock, channel, number, forward)
        self.flows.add(flow)
        return flow

    def flow_done(self, flow: Flow, error: str) -> None:
        """A relayed flow has ended."""
        self.flows.discard(flow)
        self.ready.pop(flow, None)
        self.report.closed(flow, self.loop.now, error)

    def flow_cancelled(self, flow: Flow) -> None:
        """The local side left before its channel was open."""
        self.mux.close(flow.channel)
        flow.channel.user = None
        flow.cancel()
        self.flows.discard(flow)
        self.report.failed(flow, "client-left", "the local side left before the target answered")

    # --- requests and the end ---

    def start_keepalive(self, keepalive: Keepalive) -> None:
        """Measure the round trip and watch that the peer lives; any thread, once logged in."""
        self.loop.post(lambda: self.keepalive.start(keepalive))

    def prove_alive(self, limit: float) -> None:
        """End the link unless the peer shows within ``limit`` seconds that it lives; any thread."""
        self.loop.post(lambda: self.keepalive.prove(limit))

    def ask(self, kind: str, data: bytes, reply: Callable[[bool, bytes], None]) -> None:
        """Make a global request; ``reply(ok, data)`` is called when its turn comes."""
        self.mux.global_request(kind, data, reply)

    def run(self, call: Callable[[], T], timeout: float = 10.0) -> T:
        """Run ``call`` in the loop's thread and return what it returns; any other thread.

        Raises:
            NetkitError: the link has ended.
        """
        over = LinkLostError("the link has ended", code="link-lost")
        try:
            return self.loop.call(call, timeout, self._ended)
        except TimeoutError:
            raise self.error or over from None

    def stop(self) -> None:
        """End the link soon; any thread."""
        self._stopping = True
        self.loop.wake()

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the link has ended; any other thread."""
        return self._ended.wait(timeout)

    @property
    def has_ended(self) -> bool:
        """Whether the link is over."""
        return self._ended.is_set()

    def end(self, error: NetkitError | None) -> None:
        """Tear everything down: flows get an RST.  In the loop's thread, or when it never ran."""
        with self._end_lock:
            if self._ended.is_set():
                return
            if not self._stopping:
                self.error = error
            for handshake in list(self.handshakes):
                handshake.abort()
            for flow in list(self.flows):
                flow.lose(error.summary if error else "the link was closed")
            self.mux.abandon()
            if self.on_ended is not None:
                self.on_ended(self.error)
            self.stream.close()
            self.loop.close()
            self._ended.set()


class RekeyDueError(Exception):
    """The keys of a direction have protected as much as they should."""


ARENA_FULL = 3 * 32 * 1024


def _recent(flow: Flow) -> int:
    return flow.recent
