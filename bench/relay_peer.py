"""The gateway's side of a `relay_rig.Rig`: a `Mux` behind plain packets, in the link's loop."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable

from netkit.engine.loop import READ, WRITE, Loop
from netkit.wire.channel import Channel
from netkit.wire.mux import DATA_HEADER, MAXIMUM_PACKET, Closed, Data, Eof, Mux, OpenRequest
from netkit.wire.packets import PacketReader, PacketWriter

DONE = 192
"""A message number for private use (RFC 4250 section 4.1): the link hands it to its driver."""


class Peer:
    """The gateway's side: confirms every channel, takes data, sends what it is told to.

    Attributes:
        received: bytes of data that came, on all channels.
        on_data: called with the channel and the count of every piece.
        opened: the channels, in the order of their opening.
    """

    def __init__(self, loop: Loop, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.mux = Mux()
        self.received = 0
        self.opened: list[Channel] = []
        self.on_data: Callable[[Channel, int], None] = lambda _channel, _count: None
        self._loop = loop
        self._sock = sock
        self._reader = PacketReader()
        self._writer = PacketWriter()
        self._out: deque[memoryview] = deque()
        self._bulk: dict[Channel, int] = {}
        self._packets: dict[tuple[int, int], memoryview] = {}
        loop.add(sock.fileno(), READ | WRITE, self._ready)

    def send(self, channel: Channel, count: int) -> None:
        """Send ``count`` bytes of data, as window and socket allow."""
        self._bulk[channel] = self._bulk.get(channel, 0) + count
        self.flush()

    def done(self) -> None:
        """Let the link's driver return once it has read everything before."""
        self._out.append(self._writer.seal(bytes((DONE,))))
        self.flush()

    def _packet(self, channel: Channel, size: int) -> memoryview:
        """A sealed packet of data: without a MAC it may be sent again and again."""
        packet = self._packets.get((channel.remote, size))
        if packet is None:
            message = bytearray(DATA_HEADER + size)
            window = channel.send_window
            self.mux.data_header(channel, message, 0, size)
            channel.send_window = window
            packet = memoryview(bytes(self._writer.seal(message)))
            self._packets[channel.remote, size] = packet
        channel.send_window -= size
        return packet

    def _next(self) -> bool:
        """Queue one more packet of data if there is any that may be sent."""
        for channel, left in self._bulk.items():
            size = min(left, MAXIMUM_PACKET)
            if size <= channel.send_window:
                self._out.append(self._packet(channel, size))
                self._bulk[channel] = left - size
                if left == size:
                    del self._bulk[channel]
                return True
        return False

    def flush(self) -> None:
        """Send what is due, as far as the socket takes it."""
        while self.mux.out:
            self._out.append(self._writer.seal(self.mux.out.popleft()))
        try:
            while self._out or self._next():
                count = self._sock.send(self._out[0])
                if count < len(self._out[0]):
                    self._out[0] = self._out[0][count:]
                else:
                    self._out.popleft()
        except BlockingIOError:
            self._loop.want(self._sock.fileno(), WRITE)

    def _ready(self, _events: int) -> None:
        try:
            while count := self._sock.recv_into(self._reader.space()):
                self._reader.filled(count)
                while (payload := self._reader.next()) is not None:
                    self._take(payload)
        except BlockingIOError:
            self._loop.rearm_read(self._sock.fileno())
        self.flush()

    def _take(self, payload: memoryview) -> None:
        event = self.mux.feed(payload)
        if type(event) is Data:
            count = len(event.view)
            self.received += count
            self.mux.taken(event.channel, count)
            self.on_data(event.channel, count)
        elif isinstance(event, OpenRequest):
            self.mux.confirm(event.channel)
            self.opened.append(event.channel)
        elif isinstance(event, Eof):
            self.mux.eof(event.channel)
        elif isinstance(event, Closed):
            self.opened.remove(event.channel)

    def close(self) -> None:
        """Leave."""
        self._loop.remove(self._sock.fileno())
        self._sock.close()
