"""The connection protocol (RFC 4254): many channels and global requests over one link, sans-IO.

Strategy.  `feed()` takes the payload of one message (types 80-100) and returns what it means, or
None when there is nothing to tell.  What we want to say is appended to ``out`` as payloads, in
order; the caller seals and sends them when it may (not during a key exchange).  Channel data is
not copied through ``out``: the caller lets `data_header()` write the nine bytes in front of data
that already lies in a packet slot.  The machine does not know whether it is client or server.

Rules it enforces on the peer, each a `RemoteProtocolError`: data within window and packet size
and not after EOF or CLOSE, messages only for channels that exist, replies only to requests, and
not more channels than ``max_incoming``.  Rules it enforces on us are `LocalProtocolError`.
"""

from __future__ import annotations

from collections import deque
from struct import Struct, error as struct_error
from typing import Any, NamedTuple

from netkit.errors import LocalProtocolError, RemoteProtocolError
from netkit.wire.channel import Channel, ChannelState
from netkit.wire.messages import (
    CHANNEL_CLOSE,
    CHANNEL_DATA,
    CHANNEL_EOF,
    CHANNEL_EXTENDED_DATA,
    CHANNEL_FAILURE,
    CHANNEL_OPEN,
    CHANNEL_OPEN_CONFIRMATION,
    CHANNEL_OPEN_FAILURE,
    CHANNEL_REQUEST,
    CHANNEL_SUCCESS,
    CHANNEL_WINDOW_ADJUST,
    GLOBAL_REQUEST,
    REQUEST_FAILURE,
    REQUEST_SUCCESS,
    Fields,
    string,
)
from netkit.wire.window import ReceiveWindow, WindowBudget

DATA_HEADER = 9
"""Bytes of a CHANNEL_DATA message in front of the data: type, channel, length."""

MAXIMUM_PACKET = 128 << 10
"""Data per message that we accept; OpenSSH's server fills it, which quarters our cost per byte."""

MAX_INCOMING = 16_384
"""Channels a peer may have open at once: OpenSSH's CHANNELS_MAX_CHANNELS."""

MAX_REPLIES_OWED = 1_024
"""Channel requests of ours without an answer, per channel."""

_HEADER = Struct(">BII")
_PAIR = Struct(">BI")
_TRIPLE = Struct(">III")


class Data(NamedTuple):
    """Data on a channel; ``view`` is valid only until the next packet is received."""

    channel: Channel
    view: memoryview


class Opened(NamedTuple):
    """The peer confirmed a channel of ours."""

    channel: Channel


class OpenFailed(NamedTuple):
    """The peer refused a channel of ours; ``reason`` as in RFC 4254 section 5.1."""

    channel: Channel
    reason: int
    text: str


class OpenRequest(NamedTuple):
    """The peer wants a channel; answer with `Mux.confirm` or `Mux.refuse`."""

    channel: Channel
    kind: str
    data: bytes


class Eof(NamedTuple):
    """The peer sends no more data on a channel."""

    channel: Channel


class Closed(NamedTuple):
    """The peer closed a channel.  Our CLOSE is sent already where it was still due."""

    channel: Channel


class Writable(NamedTuple):
    """A channel's send window, which was empty, has room again."""

    channel: Channel


class ChannelRequest(NamedTuple):
    """The peer asks something of a channel; answer with `Mux.answer` where it wants a reply."""

    channel: Channel
    kind: str
    want_reply: bool
    data: bytes


class ChannelReply(NamedTuple):
    """Answer to the oldest unanswered channel request of ours."""

    channel: Channel
    ok: bool


class GlobalRequest(NamedTuple):
    """The peer asks something of the link; answer with `Mux.answer_global`, in order."""

    kind: str
    want_reply: bool
    data: bytes


class GlobalReply(NamedTuple):
    """Answer to the oldest unanswered global request of ours; ``token`` is what was given with it."""

    token: Any
    ok: bool
    data: bytes


Event = (
    Data
    | Opened
    | OpenFailed
    | OpenRequest
    | Eof
    | Closed
    | Writable
    | ChannelRequest
    | ChannelReply
    | GlobalRequest
    | GlobalReply
)


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
        self._handlers = {
            GLOBAL_REQUEST: self._global_request,
            REQUEST_SUCCESS: self._request_success,
            REQUEST_FAILURE: self._request_failure,
            CHANNEL_OPEN: self._open,
            CHANNEL_OPEN_CONFIRMATION: self._confirmation,
            CHANNEL_OPEN_FAILURE: self._open_failure,
            CHANNEL_WINDOW_ADJUST: self._window_adjust,
            CHANNEL_EXTENDED_DATA: self._extended_data,
            CHANNEL_EOF: self._eof,
            CHANNEL_CLOSE: self._close,
            CHANNEL_REQUEST: self._request,
            CHANNEL_SUCCESS: self._success,
            CHANNEL_FAILURE: self._failure,
        }

    # --- what the peer says ---

    def feed(self, payload: memoryview) -> Event | None:
        """Take one message of the connection protocol and return what it means.

        Raises:
            RemoteProtocolError: the peer broke the protocol; the link must end.
        """
        kind = payload[0]
        if kind == CHANNEL_DATA:
            return self._data(payload)
        handler = self._handlers.get(kind)
        if handler is None:
            raise RemoteProtocolError(f"sent message type {kind}, which RFC 4254 does not know")
        return handler(Fields(payload))

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
        """Check and count data; return whether anybody still wants it."""
        if channel.eof_received or channel.state is not ChannelState.OPEN:
            raise RemoteProtocolError(f"sent data where channel {channel.number} takes none")
        window = channel.window
        if length > window.left or length > channel.receive_packet:
            raise RemoteProtocolError(
                f"sent {length} bytes on channel {channel.number}, whose window has {window.left} "
                f"and whose packets have at most {channel.receive_packet}"
            )
        window.left -= length
        if window.left < channel.receive_packet:
            window.exhausted = True
        if channel.close_sent:
            # The peer may need window to come to its own end; nobody reads these bytes.
            self._credit(channel, length)
            return False
        return True

    def _extended_data(self, fields: Fields) -> Event | None:
        """Count, credit and drop: forwards have no second stream (RFC 4254 section 5.2)."""
        channel = self._channel(fields)
        fields.u32()
        length = len(fields.string())
        if self._receive(channel, length):
            channel.dropped += length
            self._credit(channel, length)
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
        before = channel.send_window
        channel.send_window = before + fields.u32()
        if channel.send_window > 0xFFFFFFFF:
            raise RemoteProtocolError(f"raised the window of channel {channel.number} beyond 2**32")
        return Writable(channel) if before == 0 else None

    def _open(self, fields: Fields) -> Event | None:
        kind = fields.text()
        remote, window, packet = fields.u32(), fields.u32(), fields.u32()
        if self._incoming >= self._max_incoming:
            raise RemoteProtocolError(f"opened more than {self._max_incoming} channels")
        channel = self._new(kind, ChannelState.OFFERED, ReceiveWindow(self.budget, 0))
        channel.remote, channel.send_window, channel.send_packet = remote, window, packet
        channel.incoming = True
        self._incoming += 1
        return OpenRequest(channel, kind, fields.rest())

    def _answered(self, fields: Fields) -> Channel:
        channel = self._channel(fields)
        if channel.state is not ChannelState.OPENING:
            raise RemoteProtocolError(f"answered an open of channel {channel.number} twice")
        return channel

    def _confirmation(self, fields: Fields) -> Event | None:
        channel = self._answered(fields)
        channel.remote = fields.u32()
        channel.send_window = fields.u32()
        channel.send_packet = fields.u32()
        channel.state = ChannelState.OPEN
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
            self.out.append(_PAIR.pack(CHANNEL_CLOSE, channel.remote))
            channel.close_sent = True
        self._forget(channel)
        return None if told else Closed(channel)

    def _request(self, fields: Fields) -> Event | None:
        channel = self._open_channel(fields)
        kind, want_reply = fields.text(), fields.boolean()
        if channel.close_sent:
            return None
        return ChannelRequest(channel, kind, want_reply, fields.rest())

    def _success(self, fields: Fields) -> Event | None:
        return self._reply(fields, ok=True)

    def _failure(self, fields: Fields) -> Event | None:
        return self._reply(fields, ok=False)

    def _reply(self, fields: Fields, *, ok: bool) -> Event | None:
        channel = self._open_channel(fields)
        if channel.replies == 0:
            raise RemoteProtocolError("answered a channel request that was not made")
        channel.replies -= 1
        return ChannelReply(channel, ok)

    def _global_request(self, fields: Fields) -> Event | None:
        kind, want_reply = fields.text(), fields.boolean()
        return GlobalRequest(kind, want_reply, fields.rest())

    def _request_success(self, fields: Fields) -> Event | None:
        return self._global_reply(fields, ok=True)

    def _request_failure(self, fields: Fields) -> Event | None:
        return self._global_reply(fields, ok=False)

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
        self.out.append(bytes([CHANNEL_OPEN]) + string(kind) + head + data)
        return channel

    def confirm(self, channel: Channel, data: bytes = b"", window: int | None = None) -> None:
        """Accept a channel that the peer asked for."""
        if channel.state is not ChannelState.OFFERED:
            raise LocalProtocolError(f"{channel!r} cannot be confirmed")
        channel.window = ReceiveWindow(self.budget, window)
        channel.state = ChannelState.OPEN
        self.out.append(
            _PAIR.pack(CHANNEL_OPEN_CONFIRMATION, channel.remote)
            + _TRIPLE.pack(channel.number, channel.window.size, channel.receive_packet)
            + data
        )

    def refuse(self, channel: Channel, reason: int, text: str) -> None:
        """Refuse a channel that the peer asked for; ``reason`` as in RFC 4254 section 5.1."""
        if channel.state is not ChannelState.OFFERED:
            raise LocalProtocolError(f"{channel!r} cannot be refused")
        head = _HEADER.pack(CHANNEL_OPEN_FAILURE, channel.remote, reason)
        self.out.append(head + string(text) + string(""))
        self._forget(channel)

    def data_header(self, channel: Channel, arena: bytearray | memoryview, at: int, n: int) -> None:
        """Write the header of ``n`` bytes of data at ``arena[at:at + 9]`` and use up the window."""
        if n > channel.send_window or n > channel.send_packet or channel.eof_sent:
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
        self.out.append(_PAIR.pack(CHANNEL_EOF, channel.remote))

    def close(self, channel: Channel) -> None:
        """Close a channel in any state; what the peer still sends on it is credited and dropped."""
        if channel.close_sent or channel.state is ChannelState.CLOSED:
            return
        if channel.state is ChannelState.OFFERED:
            self.refuse(channel, 2, "the local side has gone")
            return
        channel.close_sent = True
        if channel.state is ChannelState.OPEN:
            self.out.append(_PAIR.pack(CHANNEL_CLOSE, channel.remote))

    def taken(self, channel: Channel, count: int, now: float = 0.0, round_trip: float = 0.0) -> None:
        """Credit ``count`` bytes that the local side took, and let the window grow."""
        if channel.close_sent or channel.eof_received:
            return
        window = channel.window
        credit = window.take(count)
        if credit:
            if window.exhausted:
                credit += window.grow(now, round_trip)
            self.out.append(_HEADER.pack(CHANNEL_WINDOW_ADJUST, channel.remote, credit))

    def _credit(self, channel: Channel, count: int) -> None:
        credit = channel.window.take(count)
        if credit:
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
        head = _PAIR.pack(CHANNEL_REQUEST, channel.remote)
        self.out.append(head + string(kind) + bytes([want_reply]) + data)

    def answer(self, channel: Channel, *, ok: bool) -> None:
        """Answer a channel request of the peer."""
        if not channel.close_sent:
            self.out.append(_PAIR.pack(CHANNEL_SUCCESS if ok else CHANNEL_FAILURE, channel.remote))

    def global_request(self, kind: str, data: bytes = b"", token: Any = None) -> None:
        """Ask something of the link, with a reply that comes back with ``token`` (section 4)."""
        self._tokens.append(token)
        self.out.append(bytes([GLOBAL_REQUEST]) + string(kind) + b"\1" + data)

    def answer_global(self, *, ok: bool, data: bytes = b"") -> None:
        """Answer the oldest unanswered global request of the peer."""
        self.out.append(bytes([REQUEST_SUCCESS]) + data if ok else bytes([REQUEST_FAILURE]))

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
        channel.window.close()
        del self.channels[channel.number]
        self._free.append(channel.number)
