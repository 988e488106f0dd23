"""zlib compression of packet payloads (RFC 4253 section 6.2, and zlib@openssh.com).

One compressor and one decompressor live as long as their direction's keys: the dictionary runs
through all packets, and each packet ends with a partial flush, as in OpenSSH.  The full flush of
other implementations throws the dictionary away after every packet and compresses far worse.
"""

from __future__ import annotations

import zlib
from typing import Final

from netkit.errors import RemoteProtocolError

LEVEL: Final = 6
"""OpenSSH's level, and the best trade for traffic that a person waits for."""

MAX_PAYLOAD: Final = 256 * 1024 + 1024
"""Longest payload a packet may inflate to; the longest packet that is accepted uncompressed."""


class Compressor:
    """Compresses payloads in order; call it once per packet."""

    __slots__ = ("_stream",)

    def __init__(self, level: int = LEVEL) -> None:
        self._stream = zlib.compressobj(level)

    def __call__(self, payload: bytes | memoryview) -> bytes:
        """Return the compressed form of one payload."""
        return self._stream.compress(payload) + self._stream.flush(zlib.Z_PARTIAL_FLUSH)


class Decompressor:
    """Inflates payloads in order; call it once per packet.

    ``limit`` bounds the bytes that one packet may become, so a few hundred bytes from the peer
    cannot claim memory without end.
    """

    __slots__ = ("_limit", "_stream")

    def __init__(self, limit: int = MAX_PAYLOAD) -> None:
        self._stream = zlib.decompressobj()
        self._limit = limit

    def __call__(self, data: bytes | memoryview) -> bytes:
        """Return the payload that ``data`` was made from.

        Raises:
            RemoteProtocolError: the data is no zlib stream, ends one, or inflates beyond the limit.
        """
        try:
            # zlib may hold back output without input once the limit is reached: ask for one more
            payload = self._stream.decompress(data, self._limit + 1)
        except zlib.error as error:
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
