"""Moves a flow's local bytes into sealed packets: one receive into the slots of the arena.

A flow that fills a packet is bulk and gets all free slots at once; one that does not gets a
single slot, which needs neither a list of views nor a scattering system call.
"""

from __future__ import annotations

import socket

from netkit.engine.stream import SLOT, SLOT_DATA, SLOTS, SshStream
from netkit.wire.channel import Channel
from netkit.wire.mux import DATA_HEADER, Mux
from netkit.wire.packets import SLOT_PREFIX, SLOT_SUFFIX

HAS_RECVMSG = hasattr(socket.socket, "recvmsg_into")
_SLOT_HEAD = SLOT_PREFIX + DATA_HEADER


class Intake:
    """One local socket's way into the packets of a link.

    Attributes:
        bulk: the last receive filled a packet.
        full: the last receive got all it asked for, so there may be more.
    """

    __slots__ = ("_channel", "_mux", "_sock", "_stream", "bulk", "full")

    def __init__(self, sock: socket.socket, channel: Channel, mux: Mux, stream: SshStream) -> None:
        self._sock = sock
        self._channel = channel
        self._mux = mux
        self._stream = stream
        self.bulk = False
        self.full = False

    def move(self, room: int) -> int:
        """Receive at most ``room`` bytes and queue them sealed; return how many, 0 at the end.

        The stream must have a free slot.

        Raises:
            OSError: of the receive; BlockingIOError where there is nothing.
        """
        packet = min(self._channel.send_packet, SLOT_DATA)
        start = self._stream.arena_used
        slots = 1
        if self.bulk and HAS_RECVMSG:
            slots = min((SLOT * SLOTS - start) // SLOT, self._stream.batch)
        room = min(room, slots * packet)
        count = self._receive(start, slots, packet, room)
        if count:
            self._seal(start, packet, count)
            self.bulk = count >= packet
            self.full = count == room
        return count

    def _receive(self, start: int, slots: int, packet: int, room: int) -> int:
        view = self._stream.arena_view
        at = start + _SLOT_HEAD
        if slots == 1:
            return self._sock.recv_into(view[at : at + room])
        views = []
        while room > 0:
            size = packet if room > packet else room
            views.append(view[at : at + size])
            room -= size
            at += SLOT
        return self._sock.recvmsg_into(views)[0]

    def _seal(self, start: int, packet: int, count: int) -> None:
        """Make packets of ``count`` bytes that lie in the arena's slots from ``start`` on."""
        stream = self._stream
        writer, arena = stream.writer, stream.arena_view
        while count:
            size = packet if count > packet else count
            self._mux.data_header(self._channel, stream.arena, start + SLOT_PREFIX, size)
            stream.queue(writer.seal_slot(arena, start, DATA_HEADER + size))
            count -= size
            # A slot that is not full is the last; the next flow may use the rest of it.
            start += SLOT if size == packet else _SLOT_HEAD + size + SLOT_SUFFIX
        stream.arena_used = start
