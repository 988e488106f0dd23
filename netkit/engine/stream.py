"""The SSH socket of a link: receives into the packet reader, seals into the arena, sends.

The arena is a buffer of packet slots that local data is received straight into.  What the kernel
did not take stays where it is, and the arena is used again once all of it has gone.  So at most
one arena of data waits in front of an urgent message, and nothing reads a local socket while
something waits (`can_relay`).
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import sys
import time
from collections import deque

from netkit.engine.loop import ERROR, HANGUP, READ, READ_HANGUP, WRITE, Loop
from netkit.errors import LinkLostError, RemoteProtocolError
from netkit.wire.compression import Compressor, default_policy
from netkit.wire.compression_level import LevelPolicy
from netkit.wire.messages import KEXINIT
from netkit.wire.mux import DATA_HEADER
from netkit.wire.packets import SLOT_PREFIX, SLOT_SUFFIX, PacketReader, PacketWriter

SLOT_DATA = 32 << 10
"""Data per packet towards peers; OpenSSH's channels take no more."""

SLOT = SLOT_PREFIX + DATA_HEADER + SLOT_DATA + SLOT_SUFFIX
SLOTS = 8
MAX_VECTORS = 64
MAX_QUEUED = 8 << 20
"""Control messages that may wait for a peer that does not read: more is a flood we answer."""

LOW_WATER_WORTH = 16 << 10
QUICK_SIZE = 4096
"""Bytes in one receive up to which an acknowledgement may be what the peer waits for."""

QUICK_NEW_CHANNEL = 6
QUICK_AFTER_PAUSE = 32
"""Short receives that are acknowledged at once after a channel opened, or after a pause."""

DELAYED_ACK = (0.03, 0.07)
"""Seconds for which Linux delays an acknowledgement, with room for scheduling."""

HAS_QUICKACK = hasattr(socket, "TCP_QUICKACK")
BULK_SPAN = 0.002
BULK_BYTES = 256 << 10
"""A transfer is fast when so many bytes come in so many seconds: 128 MB/s."""

BULK_MARK = 256 << 10
BULK_PATIENCE = 0.001
"""In a fast transfer we wake up for so many bytes, or after so many seconds."""

COMPRESSED_SLOTS = 2
"""Packets of one flow in a row where they are compressed, which takes as long as many calls."""

COMPRESSED_UNSENT = 128 << 10
"""Bytes that the kernel takes ahead of the link where we compress: what waits there was compressed
before we knew how fast the link is, and an urgent message waits behind it."""

HAS_LOW_WATER = sys.platform.startswith("linux")
HAS_NOTSENT_LOWAT = hasattr(socket, "TCP_NOTSENT_LOWAT")
HAS_SENDMSG = hasattr(socket.socket, "sendmsg")


class SshStream:
    """The SSH side of a link.

    Attributes:
        readable: bytes may be waiting in the kernel.
        in_kex: our KEXINIT has gone out and our NEWKEYS has not (RFC 4253 section 7.1).
        last_received: loop time of the last byte from the peer, seconds.
        received: bytes received in all.
        is_bulk: the peer sends fast, so a report may be due for many bytes only.
        levels: how hard we compress; None as long as we do not.
        batch: packets that a flow may seal in one go.
    """

    clock = staticmethod(time.perf_counter)

    def __init__(self, sock: socket.socket, loop: Loop, peer: str = "gateway") -> None:
        sock.setblocking(False)
        self.sock = sock
        self.peer = peer
        self.fd = sock.fileno()
        self.loop = loop
        self.reader = PacketReader()
        self.writer = PacketWriter()
        self.arena = bytearray(SLOT * SLOTS)
        self.arena_view = memoryview(self.arena)
        self.arena_used = 0
        self.readable = True
        self.blocked = False
        self.levels: LevelPolicy | None = None
        self.batch = SLOTS
        self._blocked_at = self._blocked_for = 0.0
        self.in_kex = True
        self.last_received = time.monotonic()
        self.received = 0
        self.queued = 0
        self._out: deque[memoryview] = deque()
        self._hung_up = False
        self._low_water = 1
        self._quick = sock.family in (socket.AF_INET, socket.AF_INET6) and HAS_QUICKACK
        self.is_bulk = False
        self._span_start = 0.0
        self._span_bytes = 0
        self._quick_left = 0
        self._unacknowledged = False
        self._spoke = False
        loop.add(self.fd, READ, self._ready)

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self._unblock()
        if events & (READ_HANGUP | HANGUP | ERROR):
            self._hung_up = True
            self._unblock()
        if events & ~WRITE:
            self.readable = True

    # --- inbound ---

    def receive(self) -> None:
        """Receive what there is; payloads handed out before become invalid.

        Raises:
            LinkLostError: the peer closed or cut the connection.
        """
        space = self.reader.space()
        try:
            count = self.sock.recv_into(space)
        except (BlockingIOError, InterruptedError):
            self.readable = False
            self.loop.rearm_read(self.fd)
            return
        except OSError as error:
            raise self._lost(error) from error
        if count == 0:
            raise LinkLostError(
                f"the {self.peer} closed the connection", code="link-closed", retryable=True
            )
        self.reader.filled(count)
        self.received += count
        now = self.loop.now
        if count <= QUICK_SIZE and self._quick:
            self._judge_pause(now - self.last_received)
        self.last_received = now
        self._span_bytes += count
        if now - self._span_start > BULK_SPAN:
            self.is_bulk = self._span_bytes >= BULK_BYTES and HAS_LOW_WATER
            self._span_start, self._span_bytes = now, 0
        if count < len(space) and not self._hung_up:
            self.readable = False
            self.loop.rearm_read(self.fd)

    def _judge_pause(self, pause: float) -> None:
        """Notice that the peer waited for our acknowledgement before it sent this."""
        if not self._spoke and DELAYED_ACK[0] < pause < DELAYED_ACK[1]:
            self.acknowledge_soon(QUICK_AFTER_PAUSE)
        self._spoke = False
        if self._quick_left:
            self._quick_left -= 1
            self._unacknowledged = True

    def acknowledge_soon(self, count: int) -> None:
        """Acknowledge the next ``count`` short receives at once."""
        self._quick_left = max(self._quick_left, count)

    def before_wait(self, *, calm: bool) -> float:
        """Tell the kernel what we wait for: an answer to be acknowledged, a packet to be whole.

        ``calm`` says that no flow is interactive.  Returns the seconds to wait at most, -1 for any
        time; in the middle of a fast transfer call `impatient` then.

        sshd leaves Nagle's algorithm on when there is no session, so each short message of it that
        follows another waits for our acknowledgement, which the kernel delays by 40 ms unless told
        otherwise (tcp(7) TCP_QUICKACK).  Question and answer need none of that, and it costs them,
        so it is done for new channels and after a pause that looks like it.

        A report before the packet at the front is whole is a wake-up for nothing, and there are
        many in a bulk transfer (socket(7) SO_RCVLOWAT).  Short packets are not worth the call.  In
        the middle of a fast transfer several packets at a time do.
        """
        if self._unacknowledged:
            self._unacknowledged = False
            with contextlib.suppress(OSError):
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        mark = self.reader.missing
        bulk = self.is_bulk and calm
        if bulk:
            mark = max(mark, BULK_MARK)
        elif mark < LOW_WATER_WORTH:
            mark = 1
        if mark != self._low_water and HAS_LOW_WATER:
            self._low_water = mark
            # A socket that has no such option, or is gone, reports as it does without.
            with contextlib.suppress(OSError):
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, mark)
        return BULK_PATIENCE if bulk else -1.0

    def impatient(self) -> None:
        """Take what there is when nothing was reported for `BULK_PATIENCE`, whatever else was."""
        if self.loop.now - self.last_received >= BULK_PATIENCE:
            self.is_bulk = False
            self.readable = True

    # --- outbound ---

    def compress(self, compressor: Compressor) -> None:
        """Compress what we send from now on, as hard as link and processor allow."""
        if self.levels is None:
            self.levels = default_policy()
            self.batch = COMPRESSED_SLOTS
            # A socket that is no TCP has no such option.
            if HAS_NOTSENT_LOWAT:
                with contextlib.suppress(OSError):
                    self.sock.setsockopt(
                        socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, COMPRESSED_UNSENT
                    )
        compressor.adapt(self.levels, self)
        self.writer.zlib = compressor

    @property
    def has_slot(self) -> bool:
        """Whether the arena has room for one more packet of data."""
        return self.arena_used <= SLOT * (SLOTS - 1)

    @property
    def can_relay(self) -> bool:
        """Whether local data may be sealed now: nothing waits, and no key exchange is under way."""
        return not self.blocked and not self.in_kex

    def send(self, payload: bytes | bytearray | memoryview) -> None:
        """Seal a message and queue it."""
        packet = self.writer.seal(payload)
        self._out.append(packet)
        self.queued += len(packet)
        if payload[0] == KEXINIT:
            self.in_kex = True

    def queue(self, packet: memoryview) -> None:
        """Queue a packet that was sealed in the arena."""
        self._out.append(packet)
        self.queued += len(packet)

    def write(self, data: bytes) -> None:
        """Queue bytes outside of any packet: the version line."""
        self._out.append(memoryview(data))
        self.queued += len(data)

    def flush(self) -> None:
        """Send what is queued, as far as the kernel takes it.

        Raises:
            LinkLostError: the connection is cut.
            RemoteProtocolError: the peer makes us answer and does not read the answers.
        """
        out = self._out
        while out and not self.blocked:
            try:
                if len(out) == 1 or not HAS_SENDMSG:
                    count = self.sock.send(out[0])
                    whole = count == len(out[0]) and len(out) == 1
                else:
                    vectors = list(itertools.islice(out, MAX_VECTORS))
                    count = self.sock.sendmsg(vectors)
                    whole = False
            except (BlockingIOError, InterruptedError):
                self._block()
                break
            except OSError as error:
                raise self._lost(error) from error
            self.queued -= count
            self._unacknowledged = False
            self._spoke = True
            if whole:
                out.clear()
            else:
                self._sent(count)
        if not out:
            self.arena_used = 0
        elif self.queued > MAX_QUEUED:
            raise RemoteProtocolError("makes us answer more than it reads", code="peer-flood")

    def _sent(self, count: int) -> None:
        out = self._out
        while count:
            size = len(out[0])
            if count < size:
                out[0] = out[0][count:]
                self._block()
                return
            count -= size
            out.popleft()

    def _block(self) -> None:
        if not self.blocked:
            self.blocked = True
            self._blocked_at = self.clock()
        self.loop.want(self.fd, WRITE)

    def _unblock(self) -> None:
        if self.blocked:
            self._blocked_for = self.blocked_seconds()
            self.blocked = False

    def blocked_seconds(self) -> float:
        """How long in all the kernel has taken nothing while something waited."""
        return self._blocked_for + (self.clock() - self._blocked_at if self.blocked else 0.0)

    def close(self) -> None:
        """Close the socket; idempotent."""
        self.loop.remove(self.fd)
        self.sock.close()

    def _lost(self, error: OSError) -> LinkLostError:
        return LinkLostError(
            f"the connection to the {self.peer} broke: {error.strerror or error}",
            code="link-cut",
            retryable=True,
        )
