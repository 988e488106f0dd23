"""The connection protocol (RFC 4254): many channels and global requests over one link, sans-IO.

Strategy.  `feed()` takes the payload of one message (types 80-100) and returns what it means, or
None when there is nothing to tell.  What we want to say is appended to ``out`` as payloads, in
order; the caller seals and sends them when it may (not during a key exchange).  Channel data is
not copied through ``out``: the caller lets `data_header()` write the nine bytes in front of data
that already lies in a packet slot.  The machine does not know whether it is client or server.

Rules it enforces on the peer, each a `RemoteProtocolError`: data within window and packet size
and not after EOF or CLOSE, messages only for channels that exist, replies only to requests, not
more channels than ``max_incoming`` and not more to answer than ``MAX_OUT``.  Rules it enforces on
us are `LocalProtocolError`.

Once `close()` was called for a channel, nothing more is said or told about it.  The peer forgets
the channel as soon as it reads our CLOSE and may use its number again (RFC 4254 section 5.3), so
even window for what it still sends would be credited to a stranger.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from struct import Struct
from struct import error as struct_error
from typing import Any

from netkit.errors import LocalProtocolError, RemoteProtocolError
from netkit.wire import messages
from netkit.wire.channel import Channel, ChannelState
from netkit.wire.messages import CHANNEL_DATA, CHANNEL_WINDOW_ADJUST, Fields, string
from netkit.wire.mux_events import (
    ChannelReply,
    ChannelRequest,
    Closed,
    Data,
    Eof,
    Event,
    ExtendedData,
    GlobalReply,
    GlobalRequest,
    Opened,
    OpenFailed,
    OpenRequest,
    Writable,
)
from netkit.wire.pacing import NO_LIMIT
from netkit.wire.window import ReceiveWindow, WindowBudget

__all__ = [
    "DATA_HEADER",
    "MAXIMUM_PACKET",
    "MAX_INCOMING",
    "MAX_OUT",
    "MAX_REPLIES_OWED",
    "ChannelReply",
    "ChannelRequest",
    "Closed",
    "Data",
    "Eof",
    "Event",
    "ExtendedData",
    "GlobalReply",
    "GlobalRequest",
    "Mux",
    "OpenFailed",
    "OpenRequest",
    "Opened",
    "Writable",
]

DATA_HEADER = 9
"""Bytes of a CHANNEL_DATA message in front of the data: type, channel, length."""

MAXIMUM_PACKET = 128 << 10
"""Data per message that we accept, four times OpenSSH's: a peer that uses it saves both sides work.
We send no more either, whatever the peer offers: its packet layer has a bound of its own."""

MAX_INCOMING = 16_384
"""Channels a peer may have open at once: OpenSSH's CHANNELS_MAX_CHANNELS."""

MAX_REPLIES_OWED = 1_024
"""Channel requests of ours without an answer, per channel."""

MAX_OUT = 1 << 16
"""Messages that may wait in ``out``, which is not emptied during a key exchange."""

_HEADER = Struct(">BII")
_PAIR = Struct(">BI")
_TRIPLE = Struct(">III")

_OPEN = ChannelState.OPEN
# Looking a member up in its class costs as much as the check it is for.


class Mux:
    """All channels and requests of one link.

    Attributes:
        out: payloads to seal and send, in order.
        channels: open channels by our number.
    """

    def __init__(
        self, budget: WindowBudget | None = None, *, max_incoming: int = MAX_INCOMING
    ) -> None:
        self.out: deque[bytes] = deque()
        self.channels: dict[int, Channel] = {}
        self.budget = budget or WindowBudget()
        self._max_incoming = max_incoming
        self._incoming = 0
        self._next = 0
        self._free: deque[int] = deque()
        self._tokens: deque[Any] = deque()
        self._handlers: dict[int, Callable[[Fields], Event | None]] = {
            messages.GLOBAL_REQUEST: self._global_request,
            messages.REQUEST_SUCCESS: partial(self._global_reply, ok=True),
            messages.REQUEST_FAILURE: partial(self._global_reply, ok=False),
            messages.CHANNEL_OPEN: self._open,
            messages.CHANNEL_OPEN_CONFIRMATION: self._confirmation,
            messages.CHANNEL_OPEN_FAILURE: self._open_failure,
            CHANNEL_WINDOW_ADJUST: self._window_adjust,
            messages.CHANNEL_EXTENDED_DATA: self._extended_data,
            messages.CHANNEL_EOF: self._eof,
            messages.CHANNEL_CLOSE: self._close,
            messages.CHANNEL_REQUEST: self._request,
            messages.CHANNEL_SUCCESS: partial(self._reply, ok=True),
            messages.CHANNEL_FAILURE: partial(self._reply, ok=False),
        }

    # --- what the peer says ---

    def feed(self, payload: memoryview) -> Event | None:
        """Take one message of the connection protocol and return what it means.

        Raises:
            RemoteProtocolError: the peer broke the protocol; the link must end.
        """
        try:
            kind = payload[0]
        except IndexError:
            raise RemoteProtocolError("sent a message without a type") from None
        if kind == CHANNEL_DATA:
            return self._data(payload)
        handler = self._handlers.get(kind)
        if handler is None:
            raise RemoteProtocolError(f"sent message type {kind}, which RFC 4254 does not know")
        self._check_out()
        return handler(Fields(payload))

    def _check_out(self) -> None:
        if len(self.out) >= MAX_OUT:
            raise RemoteProtocolError("makes us answer more than it reads", code="peer-flood")

    def _data(self, payload: memoryview) -> Event | None:
        try:
            _, number, length = _HEADER.unpack_from(payload)
            channel = self.channels[number]
        except (struct_error, KeyError):
            raise RemoteProtocolError("sent data for a channel that does not exist") from None
        if length + DATA_HEADER > len(payload):
            raise RemoteProtocolError("sent data shorter than it says")
        if not self._receive(channel, length):
            return None
        return Data(channel, payload[DATA_HEADER : DATA_HEADER + length])

    def _receive(self, channel: Channel, length: int) -> bool:
        """Check and count data; return whether there is any that somebody still wants."""
        if channel.eof_received or channel.state is not _OPEN:
            raise RemoteProtocolError(f"sent data where channel {channel.number} takes none")
        window = channel.window
        if length > window.left or length > channel.receive_packet:
            raise RemoteProtocolError(
                f"sent {length} bytes on channel {channel.number}, whose window has {window.left} "
                f"and whose packets have at most {channel.receive_packet}"
            )
        window.left -= length
        return length > 0 and not channel.close_sent

    def _extended_data(self, fields: Fields) -> Event | None:
        """Count; credit and drop where it is not wanted, as by forwards (RFC 4254 section 5.2)."""
        channel = self._channel(fields)
        kind, view = fields.u32(), fields.string()
        if self._receive(channel, len(view)):
            if channel.wants_extended:
                return ExtendedData(channel, kind, view)
            channel.dropped += len(view)
            self._adjust(channel, channel.window.take(len(view)))
        return None

    def _channel(self, fields: Fields) -> Channel:
        number = fields.u32()
        channel = self.channels.get(number)
        if channel is None:
            raise RemoteProtocolError(f"named channel {number}, which does not exist")
        return channel

    def _open_channel(self, fields: Fields) -> Channel:
        channel = self._channel(fields)
        if channel.state is not ChannelState.OPEN:
            raise RemoteProtocolError(f"used channel {channel.number} before it was open")
        return channel

    def _window_adjust(self, fields: Fields) -> Event | None:
        channel = self._open_channel(fields)
        count = fields.u32()
        channel.send_window += count
        if channel.send_window > 0xFFFFFFFF:
            raise RemoteProtocolError(f"raised the window of channel {channel.number} beyond 2**32")
        return Writable(channel, count) if channel.sending else None

    def _open(self, fields: Fields) -> Event | None:
        kind = fields.text()
        remote, window, packet = self._peer_side(fields)
        if self._incoming >= self._max_incoming:
            raise RemoteProtocolError(f"opened more than {self._max_incoming} channels")
        channel = self._new(kind, ChannelState.OFFERED, ReceiveWindow(self.budget, 0))
        channel.remote, channel.send_window, channel.send_packet = remote, window, packet
        channel.incoming = True
        self._incoming += 1
        return OpenRequest(channel, kind, fields.rest())

    def _peer_side(self, fields: Fields) -> tuple[int, int, int]:
        """Read the peer's channel number, window and packet size."""
        remote, window, packet = fields.u32(), fields.u32(), fields.u32()
        if packet == 0:
            raise RemoteProtocolError("takes no data in a packet")
        return remote, window, min(packet, MAXIMUM_PACKET)

    def _answered(self, fields: Fields) -> Channel:
        channel = self._channel(fields)
        if channel.state is not ChannelState.OPENING:
            raise RemoteProtocolError(f"answered an open of channel {channel.number} twice")
        return channel

    def _confirmation(self, fields: Fields) -> Event | None:
        channel = self._answered(fields)
        channel.remote, channel.send_window, channel.send_packet = self._peer_side(fields)
        channel.state = ChannelState.OPEN
        channel.sending = True
        if channel.close_sent:
            # Cancelled while the answer was on its way; now there is a number to close.
            channel.close_sent = False
            self.close(channel)
            return None
        return Opened(channel)

    def _open_failure(self, fields: Fields) -> Event | None:
        channel = self._answered(fields)
        reason, text = fields.u32(), fields.text(limit=1024)
        cancelled = channel.close_sent
        self._forget(channel)
        return None if cancelled else OpenFailed(channel, reason, text)

    def _eof(self, fields: Fields) -> Event | None:
        channel = self._open_channel(fields)
        if channel.eof_received:
            return None
        channel.eof_received = True
        return None if channel.close_sent else Eof(channel)

    def _close(self, fields: Fields) -> Event | None:
        channel = self._open_channel(fields)
        channel.close_received = True
        told = channel.close_sent
        if not told:
            self.out.append(_PAIR.pack(messages.CHANNEL_CLOSE, channel.remote))
            channel.close_sent = True
        self._forget(channel)
        return None if told else Closed(channel)

    def _request(self, fields: Fields) -> Event | None:
        channel = self._open_channel(fields)
        kind, want_reply = fields.text(), fields.boolean()
        if channel.close_sent:
            return None
        return ChannelRequest(channel, kind, want_reply, fields.rest())

    def _reply(self, fields: Fields, *, ok: bool) -> Event | None:
        channel = self._open_channel(fields)
        if channel.replies == 0:
            raise RemoteProtocolError("answered a channel request that was not made")
        channel.replies -= 1
        return None if channel.close_sent else ChannelReply(channel, ok)

    def _global_request(self, fields: Fields) -> Event | None:
        kind, want_reply = fields.text(), fields.boolean()
        return GlobalRequest(kind, want_reply, fields.rest())

    def _global_reply(self, fields: Fields, *, ok: bool) -> Event | None:
        if not self._tokens:
            raise RemoteProtocolError("answered a global request that was not made")
        return GlobalReply(self._tokens.popleft(), ok, fields.rest())

    # --- what we say ---

    def open(self, kind: str, data: bytes = b"", window: int | None = None) -> Channel:
        """Ask for a channel of type ``kind`` with its type-specific ``data``."""
        receive = ReceiveWindow(self.budget, window)
        channel = self._new(kind, ChannelState.OPENING, receive)
        head = _TRIPLE.pack(channel.number, receive.size, channel.receive_packet)
        self.out.append(bytes([messages.CHANNEL_OPEN]) + string(kind) + head + data)
        return channel

    def confirm(self, channel: Channel, data: bytes = b"", window: int | None = None) -> None:
        """Accept a channel that the peer asked for."""
        if channel.state is not ChannelState.OFFERED:
            raise LocalProtocolError(f"{channel!r} cannot be confirmed")
        channel.window = ReceiveWindow(self.budget, window)
        channel.state = ChannelState.OPEN
        channel.sending = True
        self.out.append(
            _PAIR.pack(messages.CHANNEL_OPEN_CONFIRMATION, channel.remote)
            + _TRIPLE.pack(channel.number, channel.window.size, channel.receive_packet)
            + data
        )

    def refuse(self, channel: Channel, reason: int, text: str) -> None:
        """Refuse a channel that the peer asked for; ``reason`` as in RFC 4254 section 5.1."""
        if channel.state is not ChannelState.OFFERED:
            raise LocalProtocolError(f"{channel!r} cannot be refused")
        head = _HEADER.pack(messages.CHANNEL_OPEN_FAILURE, channel.remote, reason)
        self.out.append(head + string(text) + string(""))
        self._forget(channel)

    def data_header(self, channel: Channel, arena: bytearray | memoryview, at: int, n: int) -> None:
        """Write the header of ``n`` bytes of data at ``arena[at:at + 9]`` and use up the window."""
        if n > channel.send_window or n > channel.send_packet or not channel.sending:
            raise LocalProtocolError(f"{n} bytes do not fit {channel!r}")
        _HEADER.pack_into(arena, at, CHANNEL_DATA, channel.remote, n)
        channel.send_window -= n

    def send(self, channel: Channel, data: bytes | memoryview) -> int:
        """Queue a copy of as much of ``data`` as window and packet size take; return how much."""
        n = min(len(data), channel.sendable, channel.send_packet)
        if n:
            channel.send_window -= n
            self.out.append(_HEADER.pack(CHANNEL_DATA, channel.remote, n) + bytes(data[:n]))
        return n

    def eof(self, channel: Channel) -> None:
        """Say that no more data follows; needs no window (RFC 4254 section 5.3)."""
        if channel.eof_sent or channel.close_sent or channel.state is not ChannelState.OPEN:
            return
        channel.eof_sent = True
        channel.sending = False
        self.out.append(_PAIR.pack(messages.CHANNEL_EOF, channel.remote))

    def close(self, channel: Channel) -> None:
        """Close a channel in any state; what the peer still sends on it is dropped."""
        if channel.close_sent or channel.state is ChannelState.CLOSED:
            return
        if channel.state is ChannelState.OFFERED:
            self.refuse(channel, 2, "the local side has gone")
            return
        channel.close_sent = True
        channel.sending = False
        if channel.state is ChannelState.OPEN:
            self.out.append(_PAIR.pack(messages.CHANNEL_CLOSE, channel.remote))

    def taken(
        self,
        channel: Channel,
        count: int,
        now: float = 0.0,
        round_trip: float = 0.0,
        limit: int = NO_LIMIT,
    ) -> None:
        """Credit ``count`` bytes that the local side took, and let the window grow.

        ``now`` and ``round_trip`` are seconds, 0 where unknown.  The peer may send at most
        ``limit`` bytes more.

        Raises:
            LocalProtocolError: the channel had not received that much.
            RemoteProtocolError: the peer sends and does not read what we answer.
        """
        if channel.close_sent or channel.eof_received:
            return
        window = channel.window
        credit = window.take(count, limit)
        if credit:
            self._adjust(channel, credit + window.grow(now, round_trip))

    def _adjust(self, channel: Channel, credit: int) -> None:
        if credit:
            self._check_out()
            self.out.append(_HEADER.pack(CHANNEL_WINDOW_ADJUST, channel.remote, credit))

    def request(
        self, channel: Channel, kind: str, data: bytes = b"", *, want_reply: bool = True
    ) -> None:
        """Ask something of a channel; its `ChannelReply` comes in order (section 5.4)."""
        if channel.close_sent or channel.state is not ChannelState.OPEN:
            raise LocalProtocolError(f"{channel!r} takes no request")
        if want_reply:
            if channel.replies >= MAX_REPLIES_OWED:
                raise LocalProtocolError(f"{channel!r} owes {channel.replies} answers")
            channel.replies += 1
        head = _PAIR.pack(messages.CHANNEL_REQUEST, channel.remote)
        self.out.append(head + string(kind) + bytes([want_reply]) + data)

    def answer(self, channel: Channel, *, ok: bool) -> None:
        """Answer a channel request of the peer."""
        if not channel.close_sent:
            self.out.append(
                _PAIR.pack(
                    messages.CHANNEL_SUCCESS if ok else messages.CHANNEL_FAILURE, channel.remote
                )
            )

    def global_request(self, kind: str, data: bytes = b"", token: Any = None) -> None:
        """Ask something of the link, with a reply that comes back with ``token`` (section 4)."""
        self._tokens.append(token)
        self.out.append(bytes([messages.GLOBAL_REQUEST]) + string(kind) + b"\1" + data)

    def answer_global(self, *, ok: bool, data: bytes = b"") -> None:
        """Answer the oldest unanswered global request of the peer."""
        self.out.append(
            bytes([messages.REQUEST_SUCCESS]) + data if ok else bytes([messages.REQUEST_FAILURE])
        )

    def abandon(self) -> None:
        """The link is over: forget every channel and give all windows back to the budget."""
        for channel in list(self.channels.values()):
            channel.close_sent = True
            self._forget(channel)
        self._tokens.clear()
        self.out.clear()

    # --- the table ---

    def _new(self, kind: str, state: ChannelState, window: ReceiveWindow) -> Channel:
        if self._free:
            number = self._free.popleft()
        else:
            number = self._next
            self._next += 1
        channel = Channel(number, kind, state, window, MAXIMUM_PACKET)
        self.channels[number] = channel
        return channel

    def _forget(self, channel: Channel) -> None:
        if channel.incoming:
            self._incoming -= 1
        channel.state = ChannelState.CLOSED
        channel.sending = False
        channel.window.close()
        del self.channels[channel.number]
        self._free.append(channel.number)
