"""A channel whose local side is this program: what it says and hears stays in memory.

For questions rather than for traffic: commands, probes, knocks.  No socket and no descriptor is
involved.  What is kept is bounded; a peer that goes on beyond that is closed upon, unless the
channel is ``paced``: then it waits until what came is taken.  Nothing here blocks the loop: its
thread only notes what came, and those who want to know wait on a condition.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Self

from netkit.errors import NetkitError
from netkit.wire.untrusted import printable

if TYPE_CHECKING:
    from netkit.engine.link import Link
    from netkit.wire.channel import Channel
    from netkit.wire.mux import ChannelRequest, OpenRequest

KEPT: Final = 1 << 20
"""Bytes kept of one channel, both streams together."""

HEARD: Final = 16 << 20
"""Bytes taken from one channel before it is closed upon: what comes after the kept ones is short
enough to wait for the end of, or it is not."""

MAX_TOLD: Final = 16
"""Kinds of channel requests kept."""

STDERR: Final = 1
"""The one kind of extended data there is (RFC 4254 section 5.2)."""


class MemoryChannel:
    """One channel of ``link``; made by `open` from any other thread, by `accept` in the loop's.

    Everything is read under ``changed``, or in what `wait` is given, or once `is_over`.

    Attributes:
        state: ``opening``, ``open``, ``refused``, ``closed`` (by either side) or ``lost``.
        reason, text: of a refusal (RFC 4254 section 5.1); ``text`` also of a lost link.
        data, errors: what came on the two streams.
        heard: bytes that came in all.
        eof: the peer sends no more data.
        replies: answers to our requests, in order.
        told: the peer's requests that want no reply, the last of each kind.
        last: `time.monotonic` of the last data; 0 where there was none.
        on_data: called in the loop's thread after data came.
        on_over: called in the loop's thread once nothing will come any more.
    """

    def __init__(
        self,
        link: Link,
        *,
        kept: int = KEPT,
        changed: threading.Condition | None = None,
        paced: bool = False,
    ) -> None:
        """With ``paced`` everything is kept, and the peer gets window for what `take` took."""
        self.link = link
        self.changed = changed or threading.Condition()
        self.state = "opening"
        self.reason = 0
        self.text = ""
        self.data = bytearray()
        self.errors = bytearray()
        self.heard = 0
        self.eof = False
        self.replies: list[bool] = []
        self.told: dict[str, bytes] = {}
        self.last = 0.0
        self.on_data: Callable[[MemoryChannel], None] | None = None
        self.on_over: Callable[[MemoryChannel], None] | None = None
        self._kept = kept
        self._paced = paced
        self._channel: Channel | None = None
        self._unsent = b""
        self._at_open: Callable[[], None] | None = None
        self._ending = False

    # --- any other thread ---

    @classmethod
    def open(
        cls,
        link: Link,
        kind: str,
        data: bytes = b"",
        *,
        kept: int = KEPT,
        changed: threading.Condition | None = None,
        first: Callable[[Self], None] | None = None,
        paced: bool = False,
    ) -> Self:
        """Ask for a channel; ``first`` is called in the loop's thread once it is open.

        Channels that are waited for together share ``changed``.  A link that has ended makes it
        ``lost`` and raises nothing.
        """
        made = cls(link, kept=kept, changed=changed, paced=paced)
        if first is not None:
            made._at_open = lambda: first(made)

        def begin() -> None:
            made._attach(link.mux.open(kind, data))

        try:
            link.run(begin)
        except NetkitError as error:
            made._over("lost", error.summary)
        return made

    def wait(self, until: Callable[[Self], object], deadline: float) -> bool:
        """Wait until ``until(self)`` is true; return False where it is not in time, or is over.

        ``deadline`` is of `time.monotonic`.
        """
        with self.changed:
            while not until(self):
                left = deadline - time.monotonic()
                if left <= 0 or self.is_over:
                    return False
                self.changed.wait(left)
            return True

    def wait_open(self, deadline: float) -> bool:
        """Wait for the answer to the open; return whether it is open, or was."""
        return self.wait(lambda _: self.state in ("open", "closed"), deadline)

    def wait_quiet(self, size: int, silence: float, deadline: float) -> None:
        """Wait until ``size`` bytes came, or no more for ``silence`` seconds after the first."""
        self.wait(lambda c: c.data or c.eof, deadline)
        while len(self.data) < size and not self.eof:
            heard = self.heard
            end = min(deadline, time.monotonic() + silence)
            if not self.wait(lambda c, before=heard: c.heard > before or c.eof, end):  # type: ignore[misc]
                return

    @property
    def is_over(self) -> bool:
        """Whether nothing will come any more."""
        return self.state not in ("opening", "open")

    def take(self) -> tuple[bytes, bytes]:
        """Take both streams' bytes out of a ``paced`` channel, and let the peer go on."""
        with self.changed:
            data, errors = bytes(self.data), bytes(self.errors)
            self.data.clear()
            self.errors.clear()
        if data or errors:
            self.link.loop.post(lambda: self._credit(len(data) + len(errors)))
        return data, errors

    def send(self, data: bytes, *, end: bool = False) -> None:
        """Send ``data`` as the window allows, with ``end`` an EOF behind it."""
        self.link.loop.post(lambda: self.say(data, end=end))

    def close(self) -> None:
        """Close the channel soon; what comes meanwhile is dropped."""
        self.link.loop.post(self.leave)

    # --- the loop's thread ---

    @classmethod
    def accept(
        cls,
        link: Link,
        request: OpenRequest,
        *,
        changed: threading.Condition | None = None,
        on_data: Callable[[MemoryChannel], None] | None = None,
    ) -> Self:
        """Confirm a channel that the peer wants."""
        made = cls(link, changed=changed)
        made.on_data = on_data
        made.state = "open"
        link.mux.confirm(request.channel)
        made._attach(request.channel)
        return made

    def _attach(self, channel: Channel) -> None:
        channel.user = self
        channel.wants_extended = True
        self._channel = channel
        self.link.handshakes.add(self)

    def say(self, data: bytes, *, end: bool = False) -> None:
        """Do what `send` does, in the loop's thread."""
        self._unsent += data
        self._ending = self._ending or end
        self.writable()

    def ask(self, kind: str, data: bytes = b"", *, want_reply: bool = True) -> None:
        """Make a channel request."""
        if self.state == "open" and self._channel is not None:
            self.link.mux.request(self._channel, kind, data, want_reply=want_reply)

    def leave(self) -> None:
        """Close now."""
        if self._channel is not None and not self.is_over:
            self.link.mux.close(self._channel)
            self._over("closed")

    def writable(self) -> None:
        """Send what there is to send."""
        channel, mux = self._channel, self.link.mux
        if self.state != "open" or channel is None:
            return
        while self._unsent and (sent := mux.send(channel, self._unsent)):
            self._unsent = self._unsent[sent:]
        if self._ending and not self._unsent:
            mux.eof(channel)

    def opened(self) -> None:
        """The peer confirmed the channel."""
        with self.changed:
            self.state = "open"
            self.changed.notify_all()
        if self._at_open is not None:
            self._at_open()
        self.writable()

    def open_failed(self, reason: int, text: str) -> None:
        """The peer refused the channel."""
        self.reason = reason
        self._over("refused", printable(text))

    def deliver(self, view: memoryview) -> None:
        """Take data."""
        self._take(self.data, view)

    def extended(self, kind: int, view: memoryview) -> None:
        """Take data of another stream."""
        self._take(self.errors if kind == STDERR else None, view)

    def _credit(self, count: int) -> None:
        if self._channel is not None and not self.is_over:
            self.link.mux.taken(self._channel, count)

    def _take(self, into: bytearray | None, view: memoryview) -> None:
        if not (self._paced and into is not None):
            self._credit(len(view))
        with self.changed:
            room = self._kept - len(self.data) - len(self.errors)
            if into is not None and (room > 0 or self._paced):
                into += view if self._paced else view[:room]
            self.heard += len(view)
            self.last = time.monotonic()
            self.changed.notify_all()
        if self.on_data is not None:
            self.on_data(self)
        if self.heard > HEARD and not self._paced:
            self.leave()

    def peer_eof(self) -> None:
        """The peer sends no more data."""
        with self.changed:
            self.eof = True
            self.changed.notify_all()

    def peer_closed(self) -> None:
        """The peer closed the channel."""
        self._over("closed")

    def requested(self, event: ChannelRequest) -> bool:
        """Note what the peer tells about the channel; return whether that was all it wanted."""
        if event.want_reply:
            return False
        with self.changed:
            if len(self.told) < MAX_TOLD:
                self.told[event.kind] = event.data
            self.changed.notify_all()
        return True

    def replied(self, *, ok: bool) -> None:
        """Note the answer to a request of ours."""
        with self.changed:
            self.replies.append(ok)
            self.changed.notify_all()

    def abort(self) -> None:
        """The link ends."""
        error = self.link.error
        self._over("lost", error.summary if error else "the link was closed")

    def _over(self, state: str, text: str = "") -> None:
        if self._channel is not None:
            self._channel.user = None
        self.link.handshakes.discard(self)
        with self.changed:
            is_new = not self.is_over
            if is_new:
                self.state, self.text = state, text
            self.changed.notify_all()
        if is_new and self.on_over is not None:
            self.on_over(self)
