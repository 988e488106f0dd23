"""The relay: moves bytes between a local socket and a channel, in both directions.

The rules (DESIGN section 5, each with a conformance test):

* EOF is per direction: a local FIN becomes CHANNEL_EOF behind all data, CHANNEL_EOF becomes
  ``shutdown(SHUT_WR)`` behind all data, and CHANNEL_CLOSE follows when both are through.
* A flow that ends badly shows its local side an RST; a FIN would pass truncated data off as whole.
* The local socket is not read before the channel is confirmed.
* Window is credited for bytes that the local socket took, so a stalled reader costs its window.

Everything here runs in the thread of the link's loop.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Protocol

from netkit.engine.goodbye import LINGER_LIMIT, Farewell, reset
from netkit.engine.intake import Intake
from netkit.engine.loop import ERROR, HANGUP, READ, READ_HANGUP, URGENT, WRITE
from netkit.engine.outbox import Outbox
from netkit.wire.channel import ChannelState
from netkit.wire.pacing import Pacer
from netkit.wire.peer import sends_eof

if TYPE_CHECKING:
    from netkit.engine.link import Link
    from netkit.engine.loop import Timer
    from netkit.model import ForwardSpec
    from netkit.wire.channel import Channel

FLUSH_LIMIT = 30.0
"""Seconds that a closed channel waits for its local reader to take any more of its last bytes."""

RECENT = 0.05
"""Seconds over which a flow's traffic counts when flows take turns."""

_OPENING = ChannelState.OPENING

NO_EOF = "closed the channel without an end of data"
UNREAD = "the local side closed before it had read everything"


class Opening(Protocol):
    """Who waits for a channel to open: a proxy client, or a thread in `Link.open_socket`."""

    def opened(self, flow: Flow) -> bytes:
        """The channel is open; return what to tell the local side before any data."""

    def failed(self, flow: Flow, reason: int, text: str) -> bytes | None:
        """The open was refused; return a farewell for the local side, None to reset it."""


class Flow:
    """One connection: a local socket, a channel, and what is under way between them.

    Attributes:
        prefix: bytes for the channel that were read before it was open (behind a proxy request).
        recent: bytes sent lately, for turns.
        unwatched: the channel has opened, and the local side has not been read for the first time.
        sent, delivered: payload bytes towards the channel and towards the local side.
    """

    __slots__ = (
        "_epoch",
        "_local_eof",
        "_peer_gone",
        "_read_on",
        "_shut_done",
        "_shut_due",
        "_timer",
        "_write_dead",
        "channel",
        "delivered",
        "done",
        "fd",
        "forward",
        "intake",
        "link",
        "number",
        "opening",
        "outbox",
        "pacer",
        "prefix",
        "readable",
        "recent",
        "sent",
        "sock",
        "source",
        "started",
        "target",
        "unwatched",
    )

    def __init__(
        self,
        link: Link,
        sock: socket.socket,
        channel: Channel,
        number: int,
        forward: ForwardSpec | None = None,
    ) -> None:
        self.link = link
        self.sock = sock
        self.fd = sock.fileno()
        self.channel = channel
        self.number = number
        self.forward = forward
        self.opening: Opening | None = None
        self.source = ""
        self.target = ""
        self.outbox = Outbox(sock)
        self.intake = Intake(sock, channel, link.mux, link.stream)
        self.prefix = b""
        self.readable = False
        self.recent = 0
        self.sent = 0
        self.delivered = 0
        self.started = link.loop.now
        self.done = False
        self._epoch = 0.0
        self._read_on = False
        self._local_eof = False
        self._peer_gone = False
        self._shut_due = False
        self._shut_done = False
        self._timer: Timer | None = None
        self._write_dead = False
        self.unwatched = False
        self.pacer = Pacer(channel.send_window)
        channel.user = self

    # --- life ---

    def watch(self) -> None:
        """Start to watch the local socket: for its end while the channel opens, else for data."""
        is_open = self.channel.state is ChannelState.OPEN
        self.link.loop.add(self.fd, READ if is_open else 0, self.ready)

    def opened(self) -> None:
        """The channel is confirmed: relay."""
        self.pacer = Pacer(self.channel.send_window)
        if self.opening is not None:
            greeting = self.opening.opened(self)
            if greeting and not self._tell(greeting):
                return
        # Most clients speak first and have spoken by now: read before asking for reports.
        self.unwatched = True
        self._make_ready()

    def watch_reading(self) -> None:
        """Ask for reports of what the local side sends."""
        self.unwatched = False
        if not self.done:
            self.link.loop.want(self.fd, READ)

    def open_failed(self, reason: int, text: str) -> None:
        """The channel was refused: say so in the proxy's words, or reset."""
        farewell = self.opening.failed(self, reason, text) if self.opening is not None else None
        self._detach()
        if farewell is None:
            reset(self.sock)
        else:
            Farewell(self.link, self.sock, farewell)

    def abort(self, error: str) -> None:
        """End the flow badly: RST to the local side, CLOSE to the peer."""
        if self.done:
            return
        self.link.mux.close(self.channel)
        self._detach()
        reset(self.sock)
        self.link.flow_done(self, error)

    def cancel(self) -> None:
        """Let go of a local side that left before the channel was open."""
        self._detach()
        self.sock.close()

    def lose(self, why: str) -> None:
        """The link is gone: an RST, unless another may carry a local side that nobody has read."""
        link = self.link
        if self.channel.state is not _OPENING:
            self.abort(why)
        elif link.is_stopping or link.rescue is None or not link.rescue(self):
            reset(self.release())
            link.report.failed(self, "link-lost", why)

    def release(self) -> socket.socket:
        """Let go of a local side whose channel is not open, and return it unread."""
        self._detach()
        self.link.flows.discard(self)
        return self.sock

    def _finish(self, error: str = "") -> None:
        if self.done:
            return
        self.link.mux.close(self.channel)
        self._detach()
        self.sock.close()
        self.link.flow_done(self, error)

    def _detach(self) -> None:
        self.done = True
        self._stop_clock()
        self.link.loop.remove(self.fd)
        self.outbox.drop()
        self.channel.user = None

    def _stop_clock(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def is_held(self) -> bool:
        """Whether the flow waits for a credit although the peer's window has room."""
        return self.pacer.held and not self.done

    # --- local side to channel ---

    def ready(self, events: int) -> None:
        """The loop's report about the local socket."""
        if events & ERROR:
            self._local_broke()
            return
        if self.channel.state is _OPENING:
            if not self._local_waits():
                self.link.flow_cancelled(self)
            return
        if events & WRITE and (self.outbox.pending or self._shut_due or self._peer_gone):
            self.flush()
        if events & (READ | READ_HANGUP | HANGUP) and not self.done:
            if events & (READ_HANGUP | HANGUP | URGENT):
                self._read_on = True
            self._make_ready()

    def _make_ready(self) -> None:
        self.readable = True
        self.link.ready[self] = None

    def _local_waits(self) -> bool:
        """Whether a local side that may have ended left data, or has not ended."""
        try:
            return bool(self.sock.recv(1, socket.MSG_PEEK))
        except (BlockingIOError, InterruptedError):
            self.link.loop.rearm_read(self.fd)
            return True
        except OSError:
            return False

    def _local_broke(self) -> None:
        """The local side reset the connection: nobody reads, nobody sends (RFC 4254 5.3)."""
        if self.channel.state is ChannelState.OPENING:
            self.link.flow_cancelled(self)
            return
        self._finish("the local side reset the connection")

    def pump(self) -> bool:
        """Move one batch towards the channel; return whether there may be more to move now."""
        channel = self.channel
        if self._local_eof or self.done:
            return False
        if self._peer_gone or channel.close_sent:
            return self._drain_local()
        if self.prefix:
            self.prefix = self.prefix[self.link.mux.send(channel, self.prefix) :]
            return channel.send_window > 0 and (self.readable or bool(self.prefix))
        room = channel.send_window
        if room == 0:
            # An end of data needs no window (RFC 4254 section 5.3).
            may_end = self._read_on or not self.link.loop.reports_ends
            if may_end and not self._local_waits():
                self._end_of_local()
            return False
        room = self.pacer.room(room, self.link.attention.sending(self, self.link.loop.now))
        if room == 0:
            self.link.held.add(self)
            return False
        if not self.link.stream.has_slot:
            return True
        intake = self.intake
        try:
            count = intake.move(room)
        except (BlockingIOError, InterruptedError):
            return self._nothing_more()
        except OSError as error:
            self._finish(f"the local side broke: {error.strerror or error}")
            return False
        if count == 0:
            self._end_of_local()
            return False
        self.sent += count
        self._count(count)
        # Less than asked for: the kernel has no more, and its next byte is a new report.
        return True if intake.full or self._read_on else self._nothing_more()

    def _nothing_more(self) -> bool:
        self.readable = False
        self.link.loop.rearm_read(self.fd)
        return False

    def _count(self, count: int) -> None:
        now = self.link.loop.now
        if now - self._epoch > RECENT:
            self._epoch, self.recent = now, count
        else:
            self.recent += count
        if not self.intake.bulk:
            self.link.attention.heard(self, now)

    def _end_of_local(self) -> None:
        self._local_eof = True
        self.readable = False
        self.link.mux.eof(self.channel)
        self._close_if_through()

    def _drain_local(self) -> bool:
        """Read and drop what the local side still sends to a channel that is closed."""
        try:
            if self.sock.recv(65536):
                return True
        except (BlockingIOError, InterruptedError):
            return self._nothing_more()
        except OSError:
            pass
        self._local_eof = True
        self._close_if_through()
        return False

    # --- channel to local side ---

    def deliver(self, view: memoryview) -> None:
        """Take data of the channel; it is written at the end of the batch, by `flush`."""
        outbox = self.outbox
        if not outbox.size:
            self.link.touched.append(self)
        outbox.add(view)

    def _tell(self, data: bytes) -> bool:
        """Write our own words, which cost the peer no window; return whether they were taken."""
        try:
            count = self.sock.send(data)
        except OSError:
            count = 0
        if count < len(data):
            self.abort("the local side did not take the answer to its request")
        return not self.done

    def peer_eof(self) -> None:
        """The peer sends no more: shut down behind what is still to be written."""
        self._shut_due = True
        if not self.outbox.size:
            self.flush()

    def peer_closed(self) -> None:
        """The peer closed the channel: end behind what is still to be written."""
        self._peer_gone = True
        if not self.outbox.size:
            self.flush()

    def flush(self) -> None:
        """Write what arrived to the local socket and credit what it took."""
        if self.done:
            return
        outbox = self.outbox
        if outbox.size or outbox.pending is not None:
            taken = outbox.write()
            if taken:
                self._credit(taken)
                if self._peer_gone:
                    self._stop_clock()
            if outbox.failed and not self._write_dead:
                self._stop_writing()
                if self.done:
                    return
        if outbox.pending is None:
            if self._shut_due or self._peer_gone:
                self._end_of_channel()
            return
        self._wait_to_write()
        if self._peer_gone and self._timer is None:
            self._timer = self.link.loop.call_later(
                FLUSH_LIMIT, lambda: self.abort("the local side did not take its last bytes")
            )

    def _wait_to_write(self) -> None:
        self.link.loop.want(self.fd, WRITE)

    def _credit(self, taken: int) -> None:
        self.delivered += taken
        if self.outbox.pending is not None:
            # Our side does not keep up, so a larger window would only fill with more.
            self.channel.window.exhausted = False
        link = self.link
        now = link.loop.now
        limit = link.attention.receiving(self, now)
        link.mux.taken(self.channel, taken, now, link.round_trip, limit)

    def _stop_writing(self) -> None:
        """The local side reads no more: what comes is dropped, but what it still said is sent."""
        self._write_dead = True
        if self._local_eof:
            self._finish(UNREAD)
        else:
            self._make_ready()
            self._read_on = True

    def _end_of_channel(self) -> None:
        if self._peer_gone and not self.channel.eof_received and sends_eof(self.link.peer_version):
            self.abort(f"the {self.link.peer} {NO_EOF}")
            return
        if not self._shut_done:
            self._shut_done = True
            if not self._local_eof:
                self._shut_down()
        if not self._close_if_through() and self._peer_gone and self._timer is None:
            self._timer = self.link.loop.call_later(LINGER_LIMIT, self._finish_by_now)
            self._make_ready()

    def _shut_down(self) -> None:
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            # The local side is gone already; reading will tell.
            self._make_ready()

    def _close_if_through(self) -> bool:
        """End the flow cleanly once both directions are through."""
        if self._local_eof and (self._shut_done or self._write_dead):
            self._finish_by_now()
            return True
        return False

    def _finish_by_now(self) -> None:
        error = UNREAD if self._write_dead else ""
        if self._peer_gone and not self.channel.eof_received and not error:
            error = f"the {self.link.peer} {NO_EOF}"
        self._finish(error)

    def __repr__(self) -> str:
        return f"<Flow {self.number} {self.source} -> {self.target} {self.channel!r}>"
