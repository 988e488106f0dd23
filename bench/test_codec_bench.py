"""What sealing and opening packets costs, for every cipher and MAC that netkit speaks.

Each round moves the same amount whatever the form, so figures of different forms compare:
1 MiB in packets of 32 KiB (what OpenSSH's client sends) or 128 KiB (what its server fills when
it is offered them), or a thousand packets of 64 bytes (keystrokes and acknowledgements).
"""

from __future__ import annotations

from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from netkit.engine.transport.algorithms import CIPHERS, MACS, is_aead
from netkit.wire.packets import SLOT_PREFIX, SLOT_SUFFIX, PacketReader
from support.packet_forms import Form

DIGESTS = {"hmac-sha1": "sha1", "hmac-sha2-256": "sha256", "hmac-sha2-512": "sha512"}
ROUNDS = 40


def form_of(cipher: str, mac: str = "") -> Form:
    """``aes128-ctr`` and ``hmac-sha1-etm@openssh.com`` as a form with keys.

    Raises KeyError or ValueError for an algorithm that this file does not know.
    """
    size = int(cipher.removeprefix("aes").split("-")[0]) // 8
    name = cipher.removesuffix("@openssh.com")
    if is_aead(cipher):
        return Form(name, size, aead=True)
    plain = mac.removesuffix("@openssh.com")
    etm = plain.endswith("-etm")
    return Form(f"{name}, {plain}", size, digest=DIGESTS[plain.removesuffix("-etm")], etm=etm)


def all_forms() -> list[Form]:
    """Every cipher with netkit's first choice of MAC, and every other MAC with one cipher."""
    streams = [cipher for cipher in CIPHERS if not is_aead(cipher)]
    return [
        *(form_of(cipher) for cipher in CIPHERS if is_aead(cipher)),
        *(form_of(cipher, MACS[0]) for cipher in streams),
        *(form_of(streams[0], mac) for mac in MACS[1:]),
    ]


FORMS = pytest.mark.parametrize("form", all_forms(), ids=lambda form: form.name)


def amount(size: int) -> int:
    """How many packets of ``size`` bytes a round has."""
    return 1000 if size == 64 else (1 << 20) // size


def note(benchmark: BenchmarkFixture, form: Form, size: int) -> None:
    """What the report needs to make a rate of a time."""
    named = "64 B" if size == 64 else f"{size >> 10} KiB"
    benchmark.group = f"{benchmark.group} {named}"
    packets = amount(size)
    benchmark.extra_info.update(label=form.name, bytes=packets * size, packets=packets)


@FORMS
@pytest.mark.parametrize("size", [32 << 10, 64])
@pytest.mark.benchmark(group="seal")
def test_seal(benchmark: BenchmarkFixture, form: Form, size: int) -> None:
    writer, reader = form.pair()
    note(benchmark, form, size)
    arena = memoryview(bytearray(SLOT_PREFIX + size + SLOT_SUFFIX))
    payload = memoryview(bytes(range(256)) * (size // 64 + 1))[:size]
    arena[SLOT_PREFIX : SLOT_PREFIX + size] = payload
    packet = bytes(writer.seal_slot(arena, 0, size))
    reader.space()[: len(packet)] = packet
    reader.filled(len(packet))
    assert reader.next() == payload, "what was sealed is not what opens"
    packets = range(amount(size))

    def seal() -> int:
        return sum(len(writer.seal_slot(arena, 0, size)) for _ in packets)

    assert benchmark(seal) == len(packets) * len(packet)


@FORMS
@pytest.mark.parametrize("size", [128 << 10, 32 << 10, 64])
@pytest.mark.benchmark(group="open")
def test_open(benchmark: BenchmarkFixture, form: Form, size: int) -> None:
    writer, _ = form.pair()
    note(benchmark, form, size)
    packets = amount(size)
    stream = b"".join(bytes(writer.seal(bytes(size))) for _ in range(packets))

    def fresh() -> tuple[tuple[PacketReader], dict[str, Any]]:
        # The cipher's counter moves on with every packet, so each round starts it over.
        reader = PacketReader(len(stream) + 1024)
        form.use(reader)
        reader.space()[: len(stream)] = stream
        reader.filled(len(stream))
        return (reader,), {}

    def read(reader: PacketReader) -> int:
        total = 0
        while (view := reader.next()) is not None:
            total += len(view)
        return total

    total = benchmark.pedantic(  # type: ignore[no-untyped-call]
        read, setup=fresh, rounds=ROUNDS, warmup_rounds=2
    )
    assert total == packets * size
