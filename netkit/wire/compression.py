"""zlib compression of packet payloads (RFC 4253 section 6.2, and zlib@openssh.com).

One compressor and one decompressor live as long as their direction's keys: the dictionary runs
through all packets, and each packet ends with a flush that makes it whole, as the receiver needs
it to.  The full flush of other implementations throws the dictionary away after every packet and
compresses far worse.

How hard the compressor tries follows from what happens (`netkit.wire.compression_level`); the
receiver inflates the one stream that comes of it (`netkit.wire.deflate`).
"""

from __future__ import annotations

from typing import Final, Protocol

from netkit.errors import RemoteProtocolError
from netkit.wire.compression_level import LevelPolicy, Span
from netkit.wire.deflate import STORED, DeflateStream, Method, ladder, zlib_module

MAX_PAYLOAD: Final = 256 * 1024 + 1024
"""Longest payload a packet may inflate to; the longest packet that is accepted uncompressed."""


class Meter(Protocol):
    """What a compressor asks of the connection that it writes for; all in seconds."""

    def clock(self) -> float:
        """A clock that never goes back, fine enough for one packet."""

    def blocked_seconds(self) -> float:
        """How long in all the socket has taken nothing while something waited."""


def default_policy() -> LevelPolicy:
    """Return a policy over `ladder`."""
    methods, usual = ladder()
    return LevelPolicy([method.cost for method in methods], usual)


class Compressor:
    """Compresses payloads in order; call it once per packet.

    Attributes:
        method: what the next payload is compressed with.
    """

    __slots__ = (
        "_began",
        "_blocked",
        "_busy",
        "_meter",
        "_packed",
        "_plain",
        "_policy",
        "_stream",
    )

    def __init__(self) -> None:
        """Compress at OpenSSH's level until told to `adapt`."""
        self._stream = DeflateStream()
        self._meter: Meter | None = None
        self._policy: LevelPolicy | None = None
        self._began = self._blocked = self._busy = 0.0
        self._plain = self._packed = 0

    @property
    def method(self) -> Method:
        return self._stream.method

    def adapt(self, policy: LevelPolicy, meter: Meter) -> None:
        """Let ``policy`` choose, which outlives the keys and so this compressor.

        Before the first payload: that is compressed as the last under the keys before was.
        """
        self._policy, self._meter = policy, meter
        self._stream = DeflateStream(_chosen(policy))
        self._begin_span(meter.clock(), meter)

    def __call__(self, payload: bytes | memoryview) -> bytes:
        """Return the compressed form of one payload."""
        meter, policy = self._meter, self._policy
        if meter is None or policy is None:
            return self._stream.pack(payload)
        started = meter.clock()
        then = None
        if policy.is_due(started - self._began, self._plain, self._packed):
            then = self._review(started, meter, policy)
        packed = self._stream.pack(payload, then)
        self._busy += meter.clock() - started
        self._plain += len(payload)
        self._packed += len(packed)
        return packed

    def _review(self, now: float, meter: Meter, policy: LevelPolicy) -> Method:
        seconds = now - self._began
        blocked = meter.blocked_seconds() - self._blocked
        policy.review(Span(seconds, self._busy, blocked, self._plain, self._packed))
        self._begin_span(now, meter)
        return _chosen(policy)

    def _begin_span(self, now: float, meter: Meter) -> None:
        self._began, self._blocked = now, meter.blocked_seconds()
        self._busy, self._plain, self._packed = 0.0, 0, 0


def _chosen(policy: LevelPolicy) -> Method:
    return STORED if policy.stored else ladder().methods[policy.level]


class Inflater(Protocol):
    """``zlib.decompressobj()`` and what is like it."""

    @property
    def eof(self) -> bool: ...
    def decompress(self, data: bytes | memoryview, most: int, /) -> bytes: ...


class Decompressor:
    """Inflates payloads in order; call it once per packet.

    ``limit`` bounds the bytes that one packet may become, so a few hundred bytes from the peer
    cannot claim memory without end.
    """

    __slots__ = ("_error", "_limit", "_stream")

    def __init__(self, limit: int = MAX_PAYLOAD) -> None:
        module = zlib_module()
        self._stream: Inflater = module.decompressobj()
        self._error: type[Exception] = module.error
        self._limit = limit

    def __call__(self, data: bytes | memoryview) -> bytes:
        """Return the payload that ``data`` was made from.

        Raises:
            RemoteProtocolError: the data is no zlib stream, ends one, or inflates beyond the limit.
        """
        try:
            # zlib may hold back output without input once the limit is reached: ask for one more
            payload = self._stream.decompress(data, self._limit + 1)
        except self._error as error:
            raise RemoteProtocolError(
                "the gateway sent compressed data that cannot be inflated",
                code="bad-compressed-data",
                cause=str(error),
            ) from error
        if len(payload) > self._limit:
            raise RemoteProtocolError(
                f"the gateway sent a packet that inflates to more than {self._limit} bytes",
                code="decompression-bomb",
            )
        if self._stream.eof:
            raise RemoteProtocolError(
                "the gateway ended its compressed stream in the middle of the connection",
                code="bad-compressed-data",
            )
        return payload
