"""What `Mux.feed` returns: the meaning of one message of the connection protocol (RFC 4254)."""

from __future__ import annotations

from typing import Any, NamedTuple

from netkit.wire.channel import Channel


class Data(NamedTuple):
    """Data on a channel; ``view`` is valid only until the next packet is received."""

    channel: Channel
    view: memoryview


class ExtendedData(NamedTuple):
    """Data of a second stream (``kind`` 1 is stderr), where the channel's user wants it.

    ``view`` is valid only until the next packet is received.
    """

    channel: Channel
    kind: int
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
    """The peer raised a channel's send window by ``credit`` bytes."""

    channel: Channel
    credit: int


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
    """Answer to the oldest unanswered global request of ours; ``token`` was given with it."""

    token: Any
    ok: bool
    data: bytes


Event = (
    Data
    | ExtendedData
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
