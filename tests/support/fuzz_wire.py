"""Deeper targets for the fuzzer: the packet codec with real keys, and two `Mux` machines.

Here the input is a program, not a message: how packets are sealed, cut and damaged, or what two
callers do and when the wires deliver.  Either end of the talk is ours, so the rule is stricter
than "no crash": what was sent arrives, and what was damaged never does.
"""

from __future__ import annotations

from collections.abc import Iterator

from netkit.errors import RemoteProtocolError
from netkit.wire.packets import MAX_PACKET_LENGTH
from support.fuzz import Target
from support.mux_pair import STEPS, ConnectionPair
from support.packet_forms import FORMS, opened, put

_MAX_STEPS = 400
_MAX_PACKETS = 12
_FILLER = bytes(MAX_PACKET_LENGTH + 128)
_WINDOWS = (None, 0, 1, 3, 4, 5, 1_000, 40_000)


def _words(data: bytes, size: int) -> Iterator[bytes]:
    """Cut ``data`` into groups of ``size`` bytes; a rest is dropped."""
    for at in range(0, len(data) - size + 1, size):
        yield data[at : at + size]


def sealed_packets(data: bytes) -> None:
    """Seal, cut and perhaps damage: a form, a place to damage, then packets of any size."""
    if len(data) < 6:
        return
    form = FORMS[data[0] % len(FORMS)]
    compressed, damaged = bool(data[1] & 1), bool(data[1] & 2) and form.is_sealed
    where, change = int.from_bytes(data[2:4]), data[4] or 1
    writer, reader = form.pair(compressed=compressed, size=1)
    sent: list[bytes] = []
    stream = bytearray()
    whole = 0
    for kind, high, low in _words(data[6 : 6 + 3 * _MAX_PACKETS], 3):
        payload = bytes([kind]) * (1 + (high << 8 | low) % 40_000)
        sent.append(payload)
        stream += writer.seal(payload)
        if len(stream) <= where:
            whole = len(sent)
    if damaged and where < len(stream):
        stream[where] ^= change
    else:
        whole = len(sent)
    got: list[bytes] = []
    rest, step = memoryview(bytes(stream)), 50 + data[5] * 997
    try:
        while rest:
            count = put(reader, rest[:step])
            assert count, "no room although a packet is missing"
            rest = rest[count:]
            got += opened(reader)
        if damaged:
            # A length that grew waits for its end.
            put(reader, _FILLER)
            got += opened(reader)
    except RemoteProtocolError:
        assert damaged, "a good packet was refused"
    assert got == sent[:whole]


def mux_pair(data: bytes) -> None:
    """Two callers and the wires between them; four bytes are a step of one side."""
    if len(data) < 2:
        return
    pair = ConnectionPair(
        windows=(_WINDOWS[data[0] % len(_WINDOWS)], _WINDOWS[data[1] % len(_WINDOWS)])
    )
    for op, pick, high, low in _words(data[2 : 2 + 4 * _MAX_STEPS], 4):
        pair.act(op, op >> 7, pick, high << 8 | low)
    pair.finish()


def _steps(*names: str) -> bytes:
    """Return a schedule in which side 0 does what is named, side 1 what is named with a ``~``."""
    ops = [step.__name__ for step in STEPS]
    return bytes(2) + b"".join(
        bytes([ops.index(name.strip("~")) | (name[0] == "~") << 7, 0, 1, 4]) for name in names
    )


_OPENED = ("open", "read", "~confirm", "~read")

WIRE_TARGETS = (
    Target(
        "sealed_packets",
        sealed_packets,
        tuple(
            bytes([form, flags, 0, 60, 4, 1]) + b"\x5e\x00\x20\x61\x40\x00\x62\x00\x00"
            for form in range(len(FORMS))
            for flags in range(4)
        ),
    ),
    Target(
        "mux_pair",
        mux_pair,
        (
            _steps(*_OPENED, "send", "read", "~take", "~read", "eof", "read", "~close", "~read"),
            _steps(*_OPENED, "~send", "~send", "close", "~read", "read", "~read"),
            _steps("open", "open", "read", "close", "~refuse", "~confirm", "~send", "~read"),
            _steps(*_OPENED, "request", "ask", "read", "~answer", "~answer_global", "~read"),
        ),
        words=tuple(
            bytes([op | side << 7, 0, 1, 4]) for op in range(len(STEPS)) for side in (0, 1)
        ),
    ),
)
