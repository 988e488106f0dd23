"""One zlib stream that several compressors write in turn (RFC 1950, RFC 1951).

The receiver inflates one stream per direction (RFC 4253 section 6.2) and cannot tell who wrote
which part of it.  So what compresses may change between two packets, provided that

* the part before ends at a byte: the last packet of a compressor ends with a sync flush, because
  a partial flush leaves up to seven bits for the packet behind it;
* the compressor that takes over refers to no data but what the receiver still holds: it is given
  the payload before its first one as a dictionary.

All of them write raw deflate; the two bytes of header that make it a zlib stream are written here,
and the checksum at its end never comes, because the stream never ends.
"""

from __future__ import annotations

import functools
import importlib
import zlib
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final, NamedTuple, Protocol

ZLIB_HEADER: Final = b"\x78\x9c"
"""Deflate with a window of 32 KiB, no preset dictionary (RFC 1950 section 2.2)."""

ZLIB_NG: Final = "zlib_ng.zlib_ng"

WINDOW: Final = 32 << 10
RAW: Final = -15

_STORED_HEAD = Struct("<BHH")
_STORED_MOST: Final = 0xFFFF


class Engine(Protocol):
    """``zlib.compressobj()`` and what is like it."""

    def compress(self, data: bytes | memoryview, /) -> bytes: ...
    def flush(self, mode: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Method:
    """A way to write deflate.

    Attributes:
        module: the module whose ``compressobj`` does it; empty: bytes are stored as they are.
        level: how hard it tries.
        cost: time per byte of text, relative to zlib's level 6.
    """

    module: str = ""
    level: int = 0
    cost: float = 0.0

    @property
    def name(self) -> str:
        """Such as ``zlib 6``."""
        return f"{self.module.rpartition('.')[2]} {self.level}" if self.module else "stored"

    def start(self, dictionary: bytes) -> Engine | None:
        """Make a compressor that may refer to ``dictionary``; None where bytes are stored."""
        if not self.module:
            return None
        make: Any = importlib.import_module(self.module).compressobj
        engine: Engine = make(self.level, zlib.DEFLATED, RAW, zdict=dictionary)
        return engine


STORED: Final = Method()
OPENSSH: Final = Method("zlib", 6, 1.0)
BEST: Final = Method("zlib", 9, 2.5)


@functools.cache
def zlib_module() -> Any:
    """Return zlib-ng where it is installed, else Python's zlib: their functions are the same."""
    try:
        return importlib.import_module(ZLIB_NG)
    except ImportError:
        return zlib


def library() -> str:
    """Return what compresses here and its version, such as ``zlib-ng 2.3.3``."""
    module = zlib_module()
    if module is zlib:
        return f"zlib {zlib.ZLIB_RUNTIME_VERSION}"
    return f"zlib-ng {module.ZLIBNG_VERSION}"


class Ladder(NamedTuple):
    """The methods that this machine has, fastest first, and the one to begin with."""

    methods: tuple[Method, ...]
    usual: int


@functools.cache
def ladder() -> Ladder:
    """Return what there is to choose from.

    No method on it brings text to more than 1/0.9 of what zlib's level 6 makes of it: whoever asks
    for compression wants to see some.  The usual one makes as little of text as that does, in less
    time; the best one makes less of everything.  Where zlib-ng is missing, zlib does it all.
    """
    if zlib_module() is zlib:
        return Ladder((Method("zlib", 4, 0.5), OPENSSH, BEST), 1)
    fast, fair, usual = ((3, 0.3), (5, 0.45), (7, 0.75))
    return Ladder((*(Method(ZLIB_NG, *words) for words in (fast, fair, usual)), BEST), 2)


class DeflateStream:
    """Writes one zlib stream, payload by payload.

    Attributes:
        method: who writes the next payload.
    """

    __slots__ = ("_engine", "_head", "method")

    def __init__(self, method: Method = OPENSSH) -> None:
        self._head = ZLIB_HEADER
        self._use(method, b"")

    def _use(self, method: Method, dictionary: bytes) -> None:
        self.method = method
        self._engine = method.start(dictionary)

    def pack(self, payload: bytes | memoryview, then: Method | None = None) -> bytes:
        """Return the compressed form of one payload, whole: it can be inflated when it arrives.

        ``then`` writes the payloads behind this one; None leaves it as it is.
        """
        leaving = then is not None and then != self.method
        engine = self._engine
        if engine is None:
            packed = store(payload)
        else:
            # A partial flush is ten bits, a sync flush up to six bytes, but ends at a byte.
            flush = zlib.Z_SYNC_FLUSH if leaving else zlib.Z_PARTIAL_FLUSH
            packed = engine.compress(payload) + engine.flush(flush)
        if self._head:
            packed, self._head = self._head + packed, b""
        if leaving:
            assert then is not None
            self._use(then, bytes(payload[-WINDOW:]))
        return packed


def store(payload: bytes | memoryview) -> bytes:
    """Return ``payload`` in stored blocks (RFC 1951 section 3.2.4): they end at a byte."""
    parts: list[bytes | memoryview] = []
    for at in range(0, len(payload) or 1, _STORED_MOST):
        piece = payload[at : at + _STORED_MOST]
        parts += (_STORED_HEAD.pack(0, len(piece), len(piece) ^ 0xFFFF), piece)
    return b"".join(parts)
