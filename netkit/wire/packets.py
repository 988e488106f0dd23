"""The binary packet protocol (RFC 4253 section 6), in both directions, without I/O.

`PacketReader` owns the receive buffer: the caller fills `space()`, says how much with `filled()`
and takes decrypted payloads with `next()`.  Packets are opened in place, so a payload is a view
that stays valid until the next `space()`.  `PacketWriter` seals payloads: `seal()` for a message,
`seal_slot()` in place for data that was received straight into a packet slot.

Four forms are spoken, for AES as OpenSSH names it: plain (before the first key exchange), AEAD
(aes128/256-gcm@openssh.com, RFC 5647 with the length in the clear), CTR with a MAC over the plain
packet (RFC 4344), and CTR with encrypt-then-MAC (``*-etm@openssh.com``).

Nothing here decides *when* keys change.  The caller switches a direction's cipher between two
packets and opens nothing further in between.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from struct import Struct
from typing import Protocol

from netkit.errors import RemoteProtocolError

MAX_PACKET_LENGTH = 256 * 1024 + 1024
"""Longest accepted ``packet_length``; OpenSSH's bound (PACKET_MAX_SIZE) plus its own headers."""

REKEY_BYTES = 1 << 35
REKEY_PACKETS = 1 << 31
"""When a direction asks for new keys: half of OpenSSH's limits for AES (RFC 4344 section 3)."""

SLOT_PREFIX = 9
"""Room before a slot's payload: 4 bytes sequence number (for the MAC), 4 length, 1 of padding."""

SLOT_SUFFIX = 4 + 31 + 64
"""Room behind a slot's payload: padding (at least 4, at most two blocks) and the longest MAC."""

_U32 = Struct(">I")
_NONCE_COUNTER = Struct(">Q")
_ZEROS = bytes(64)
_TAG = 16


class AeadEngine(Protocol):
    """``cryptography``'s AESGCM."""

    def encrypt_into(
        self, nonce: bytes, data: memoryview, associated_data: memoryview, buf: memoryview
    ) -> int: ...
    def decrypt_into(
        self, nonce: bytes, data: memoryview, associated_data: memoryview, buf: memoryview
    ) -> int: ...


class StreamEngine(Protocol):
    """``cryptography``'s CipherContext in counter mode."""

    def update_into(self, data: memoryview, buf: memoryview) -> int: ...


Compressor = Callable[[bytes | memoryview], bytes]


class Direction:
    """Cipher state of one direction.

    Attributes:
        seqno: sequence number of the next packet, modulo 2**32.
        bytes: bytes since the keys were taken into use.
        packets: packets since then.
        earlier: bytes under all keys before.
    """

    __slots__ = (
        "aead",
        "block",
        "bytes",
        "counter",
        "digest",
        "earlier",
        "etm",
        "fixed",
        "mac_key",
        "mac_size",
        "packets",
        "seqno",
        "stream",
        "zlib",
    )

    def __init__(self) -> None:
        self.aead: AeadEngine | None = None
        self.stream: StreamEngine | None = None
        self.block = 8
        self.fixed = b""
        self.counter = 0
        self.digest = ""
        self.mac_key = b""
        self.mac_size = 0
        self.etm = False
        self.zlib: Compressor | None = None
        self.seqno = 0
        self.bytes = 0
        self.packets = 0
        self.earlier = 0

    def set_aead(self, engine: AeadEngine, iv: bytes) -> None:
        """Use AES-GCM; ``iv`` is 4 fixed bytes and the 8-byte invocation counter (RFC 5647 7.1)."""
        self._reset(block=16, mac_size=_TAG)
        self.aead = engine
        self.fixed = iv[:4]
        self.counter = int.from_bytes(iv[4:], "big")

    def set_stream(
        self, engine: StreamEngine, *, block: int, digest: str, key: bytes, mac_size: int, etm: bool
    ) -> None:
        """Use a counter-mode cipher with HMAC over ``digest`` cut to ``mac_size`` bytes."""
        self._reset(block=block, mac_size=mac_size)
        self.stream = engine
        self.digest = digest
        self.mac_key = key
        self.etm = etm

    def _reset(self, *, block: int, mac_size: int) -> None:
        self.aead = None
        self.stream = None
        self.zlib = None
        self.etm = False
        self.block = block
        self.mac_size = mac_size
        self.earlier += self.bytes
        self.bytes = 0
        self.packets = 0

    @property
    def total(self) -> int:
        """Bytes of packets since the beginning, whatever the keys."""
        return self.earlier + self.bytes

    @property
    def wants_rekey(self) -> bool:
        """Whether the keys have protected as much as they should."""
        return self.bytes >= REKEY_BYTES or self.packets >= REKEY_PACKETS

    def _count(self, size: int) -> None:
        self.bytes += size
        self.packets += 1
        self.seqno = (self.seqno + 1) & 0xFFFFFFFF


class PacketReader(Direction):
    """Opens inbound packets in the buffer they were received into.

    Attributes:
        missing: bytes that the packet at the front still lacks, as far as its length is known;
            nothing can be opened before they are here.
    """

    __slots__ = ("_buffer", "_end", "_length", "_size", "_start", "_view", "missing")

    def __init__(self, size: int = 1 << 20) -> None:
        """Make a reader with ``size`` bytes of buffer, at least one largest packet."""
        super().__init__()
        self._size = max(size, MAX_PACKET_LENGTH + 128)
        # Four bytes in front of the first packet hold its sequence number while a MAC is computed.
        self._buffer = bytearray(4 + self._size)
        self._view = memoryview(self._buffer)
        self._start = self._end = 4
        self._length = 0
        self.missing = 0

    def space(self) -> memoryview:
        """Return room to receive into; payloads handed out before become invalid."""
        if self._start == self._end:
            self._start = self._end = 4
        elif self._start > self._size // 2 or self._end > self._size:
            rest = self._end - self._start
            self._view[4 : 4 + rest] = self._view[self._start : self._end]
            self._start, self._end = 4, 4 + rest
        return self._view[self._end :]

    def filled(self, count: int) -> None:
        """Say that ``count`` bytes were received into `space()`."""
        self._end += count

    @property
    def buffered(self) -> int:
        """Bytes received and not yet taken."""
        return self._end - self._start

    def take_line(self, limit: int) -> bytes | None:
        """Take one line without its LF, before any packet (RFC 4253 section 4.2).

        Returns None when there is no whole line yet.

        Raises:
            RemoteProtocolError: more than ``limit`` bytes without a line end.
        """
        at = self._buffer.find(b"\n", self._start, min(self._end, self._start + limit))
        if at < 0:
            if self.buffered >= limit:
                raise RemoteProtocolError("sent a line that never ends", code="not-ssh")
            return None
        line = bytes(self._view[self._start : at])
        self._start = at + 1
        return line

    def peek(self, limit: int) -> bytes:
        """Return a copy of the first ``limit`` buffered bytes and leave them there."""
        return bytes(self._view[self._start : min(self._end, self._start + limit)])

    def next(self) -> memoryview | None:
        """Open the next packet and return its payload, or None when more bytes are needed.

        Raises:
            RemoteProtocolError: a length, padding, MAC or tag is wrong.
        """
        if self.aead is not None:
            payload = self._next_aead(self.aead)
            if self.zlib is None:
                return payload
        elif self.etm:
            payload = self._next_etm()
        else:
            payload = self._next_plain_length()
        if payload is not None and self.zlib is not None:
            payload = memoryview(self.zlib(payload))
            if not payload:
                raise RemoteProtocolError("sent a compressed packet without content")
        return payload

    def _next_aead(self, engine: AeadEngine) -> memoryview | None:
        # The hottest path of all: written out instead of calling `_count` and `_payload`.
        start = self._start
        if self._end - start < 4:
            self.missing = 0
            return None
        (length,) = _U32.unpack_from(self._buffer, start)
        if length > MAX_PACKET_LENGTH or length < 16 or length & 15:
            raise RemoteProtocolError(f"sent a packet of {length} bytes")
        body = start + 4
        after = body + length + _TAG
        if self._end < after:
            self.missing = after - self._end
            return None
        view = self._view
        end = body + length
        nonce = self.fixed + _NONCE_COUNTER.pack(self.counter)
        try:
            engine.decrypt_into(nonce, view[body:after], view[start:body], view[body:end])
        except Exception:  # noqa: BLE001
            # cryptography raises InvalidTag; naming it would tie this module to the library.
            raise RemoteProtocolError("sent a packet whose authentication tag is wrong") from None
        self.counter = (self.counter + 1) & 0xFFFFFFFFFFFFFFFF
        padding = self._buffer[body]
        if padding < 4 or padding + 2 > length:
            raise RemoteProtocolError(f"sent a packet of {length} bytes with {padding} of padding")
        self._start = after
        self.bytes += after - start
        self.packets += 1
        self.seqno = (self.seqno + 1) & 0xFFFFFFFF
        return view[body + 1 : end - padding]

    def _next_etm(self) -> memoryview | None:
        start = self._start
        if self._end - start < 4:
            self.missing = 0
            return None
        (length,) = _U32.unpack_from(self._buffer, start)
        if length > MAX_PACKET_LENGTH or length < self.block or length % self.block:
            raise RemoteProtocolError(f"sent a packet of {length} bytes")
        body = start + 4
        after = body + length
        if self._end < after + self.mac_size:
            self.missing = after + self.mac_size - self._end
            return None
        self._verify(start, after)
        assert self.stream is not None
        self.stream.update_into(self._view[body:after], self._view[body:after])
        self._start = after + self.mac_size
        self._count(self._start - start)
        return self._payload(body, length)

    def _next_plain_length(self) -> memoryview | None:
        """Plain packets, and CTR with MAC over the plain packet, whose length is encrypted too."""
        start, block, view = self._start, self.block, self._view
        self.missing = 0
        if not self._length:
            if self._end - start < block:
                return None
            if self.stream is not None:
                self.stream.update_into(view[start : start + block], view[start : start + block])
            (length,) = _U32.unpack_from(self._buffer, start)
            if length > MAX_PACKET_LENGTH or length < 5 or (length + 4) % block:
                raise RemoteProtocolError(f"sent a packet of {length} bytes")
            self._length = length
        length = self._length
        after = start + 4 + length
        if self._end < after + self.mac_size:
            self.missing = after + self.mac_size - self._end
            return None
        if self.stream is not None:
            self.stream.update_into(view[start + block : after], view[start + block : after])
        if self.mac_size:
            self._verify(start, after)
        self._length = 0
        self._start = after + self.mac_size
        self._count(self._start - start)
        return self._payload(start + 4, length)

    def _verify(self, start: int, after: int) -> None:
        # The four bytes in front belong to the packet before and have been consumed.
        _U32.pack_into(self._buffer, start - 4, self.seqno)
        mac = hmac.digest(self.mac_key, self._view[start - 4 : after], self.digest)
        if not hmac.compare_digest(mac[: self.mac_size], self._view[after : after + self.mac_size]):
            raise RemoteProtocolError("sent a packet whose MAC is wrong")

    def _payload(self, body: int, length: int) -> memoryview:
        padding = self._buffer[body]
        if padding < 4 or padding + 2 > length:
            raise RemoteProtocolError(f"sent a packet of {length} bytes with {padding} of padding")
        return self._view[body + 1 : body + length - padding]


class PacketWriter(Direction):
    """Seals outbound packets."""

    __slots__ = ()

    def seal(self, payload: bytes | bytearray | memoryview) -> memoryview:
        """Return the packet that carries ``payload``."""
        if self.zlib is not None:
            payload = self.zlib(memoryview(payload))
        size = len(payload)
        slot = bytearray(SLOT_PREFIX + size + SLOT_SUFFIX)
        slot[SLOT_PREFIX : SLOT_PREFIX + size] = payload
        return self._seal(memoryview(slot), 0, size)

    def seal_slot(self, arena: memoryview, start: int, size: int) -> memoryview:
        """Seal in place the ``size`` bytes of payload at ``start + SLOT_PREFIX`` of ``arena``.

        The arena needs SLOT_SUFFIX bytes behind the payload.  Returns the packet: a view into the
        arena, or a copy where the payload had to be compressed.
        """
        if self.zlib is not None:
            return self.seal(arena[start + SLOT_PREFIX : start + SLOT_PREFIX + size])
        return self._seal(arena, start, size)

    def _seal(self, arena: memoryview, start: int, size: int) -> memoryview:
        head = start + 4
        body = head + 4
        # With AEAD and EtM the length is outside of the blocks (RFC 5647 7.2, PROTOCOL 1.6).
        counted = size + 1 if self.aead is not None or self.etm else size + 5
        padding = self.block - counted % self.block
        if padding < 4:
            padding += self.block
        length = 1 + size + padding
        after = body + length
        _U32.pack_into(arena, head, length)
        arena[body] = padding
        arena[after - padding : after] = _ZEROS[:padding]
        if self.aead is not None:
            nonce = self.fixed + _NONCE_COUNTER.pack(self.counter)
            end = after + _TAG
            self.aead.encrypt_into(nonce, arena[body:after], arena[head:body], arena[body:end])
            self.counter = (self.counter + 1) & 0xFFFFFFFFFFFFFFFF
        else:
            end = self._seal_stream(arena, start, after)
        self._count(end - head)
        return arena[head:end]

    def _seal_stream(self, arena: memoryview, start: int, after: int) -> int:
        stream = self.stream
        if stream is None:
            return after
        head = start + 4
        first = head + 4 if self.etm else head
        _U32.pack_into(arena, start, self.seqno)
        if self.etm:
            stream.update_into(arena[first:after], arena[first:after])
        mac = hmac.digest(self.mac_key, arena[start:after], self.digest)
        if not self.etm:
            stream.update_into(arena[first:after], arena[first:after])
        end = after + self.mac_size
        arena[after:end] = mac[: self.mac_size]
        return end
