"""One channel of the connection protocol (RFC 4254 section 5), as state without I/O."""

from __future__ import annotations

import enum
from typing import Any

from netkit.wire.window import ReceiveWindow


class ChannelState(enum.Enum):
    """Life of a channel, from our side."""

    OPENING = "opening"
    """We asked and wait for the answer."""
    OFFERED = "offered"
    """The peer asked and we have not answered."""
    OPEN = "open"
    CLOSED = "closed"
    """Both CLOSE messages have passed, or the open was refused."""


class Channel:
    """State of one channel; changed by the `Mux` alone.

    Attributes:
        number: our number for it; ``remote`` is the peer's.
        kind: channel type, e.g. ``direct-tcpip``.
        incoming: the peer opened it.
        send_window: bytes we may send now.
        send_packet: most bytes of data the peer takes in one message.
        sending: data may be sent: the channel is open, and neither EOF nor CLOSE has gone out.
        wants_extended: extended data is told as an event, to be credited as data is; it is
            dropped otherwise.
        user: whatever the caller attached; the mux never looks at it.
    """

    __slots__ = (
        "close_received",
        "close_sent",
        "dropped",
        "eof_received",
        "eof_sent",
        "incoming",
        "kind",
        "number",
        "receive_packet",
        "remote",
        "replies",
        "send_packet",
        "send_window",
        "sending",
        "state",
        "user",
        "wants_extended",
        "window",
    )

    def __init__(
        self, number: int, kind: str, state: ChannelState, window: ReceiveWindow, packet: int
    ) -> None:
        self.number = number
        self.kind = kind
        self.state = state
        self.window = window
        self.receive_packet = packet
        self.remote = 0
        self.send_window = 0
        self.send_packet = 0
        self.sending = False
        self.eof_sent = False
        self.eof_received = False
        self.close_sent = False
        self.close_received = False
        self.incoming = False
        self.replies = 0
        self.dropped = 0
        self.wants_extended = False
        self.user: Any = None

    @property
    def sendable(self) -> int:
        """Bytes of data that may be sent now, over any number of packets."""
        return self.send_window if self.sending else 0

    def __repr__(self) -> str:
        return (
            f"<Channel {self.number}/{self.remote} {self.kind} {self.state.value} "
            f"send {self.send_window} receive {self.window.left}/{self.window.size}>"
        )
