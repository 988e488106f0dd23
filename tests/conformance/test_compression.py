"""Compression: whatever writes the stream, every gateway reads it."""

from __future__ import annotations

import hashlib
import itertools
import random
import threading

import pytest

from netkit.engine import stream
from netkit.engine.stream import SshStream
from netkit.events import LinkUp
from netkit.wire.compression_level import LevelPolicy
from netkit.wire.deflate import ladder
from support import targets
from support.tunnels import TestGateway, exchange, local, read_all, tunnel


class Restless(LevelPolicy):
    """Changes its mind at each packet, to every method and to storing."""

    def __init__(self) -> None:
        methods, usual = ladder()
        super().__init__([method.cost for method in methods], usual)
        self._chance = random.Random(5)
        self.chosen: set[int] = set()

    def is_due(self, *_: object) -> bool:
        return True

    def review(self, *_: object) -> None:
        self.stored = self._chance.random() < 0.25
        self.level = self._chance.randrange(len(ladder().methods))
        self.chosen.add(-1 if self.stored else self.level)


@pytest.fixture
def policies(monkeypatch: pytest.MonkeyPatch) -> list[Restless]:
    """The policies of the links of this test, which are restless."""
    made: list[Restless] = []

    def make() -> Restless:
        made.append(Restless())
        return made[-1]

    monkeypatch.setattr(stream, "default_policy", make)
    return made


def mixed(size: int) -> bytes:
    """Stretches of text, random bytes and zeros."""
    chance = random.Random(3)
    words = [chance.randbytes(chance.randint(2, 9)) for _ in range(500)]
    parts: list[bytes] = []
    while sum(map(len, parts)) < size:
        parts.append(b" ".join(chance.choices(words, k=20_000)))
        parts.append(chance.randbytes(50_000))
        parts.append(bytes(100_000))
    return b"".join(parts)[:size]


DATA = mixed(3 << 20)


@pytest.fixture(params=["small", "bulk"])
def sizes(request: pytest.FixtureRequest) -> list[int]:
    """How a client cuts what it sends."""
    chance = random.Random(1)
    if request.param == "small":
        return [chance.randint(1, 3000) for _ in range(300)]
    return [len(DATA)]


def test_changes_at_every_packet(gateway: TestGateway, policies: list[Restless], sizes: list[int]):
    with targets.half_close() as half:
        hop = gateway.hop(compression=True)
        with tunnel(hop, forwards=[local(half.address)]) as run:
            assert run.events.wait(LinkUp).compression == "zlib@openssh.com"
            with run.connect() as sock:
                sent = b""
                for start, size in zip(itertools.accumulate(sizes, initial=0), sizes, strict=False):
                    piece = DATA[start : start + size]
                    sock.sendall(piece)
                    sent += piece
                sock.shutdown(1)
                assert read_all(sock).decode() == hashlib.sha256(sent).hexdigest()
    assert policies[-1].chosen == {-1, *range(len(ladder().methods))}


def test_questions_and_answers(gateway: TestGateway, policies: list[Restless]):
    """Nothing is held back by a flush that was not one."""
    with targets.echo() as echo:
        with tunnel(gateway.hop(compression=True), forwards=[local(echo.address)]) as run:
            with run.connect() as sock:
                for size in (1, 2, 70, 32_768, 1, 65_536, 3) * 6:
                    assert exchange(sock, DATA[:size]) == DATA[:size]
    assert len(policies[-1].chosen) > 1


def test_rekeying_begins_a_new_stream(sshd: TestGateway, policies: list[Restless], monkeypatch):
    from netkit.wire import packets

    monkeypatch.setattr(packets, "REKEY_BYTES", 1 << 18)
    begun: list[int] = []
    compress = SshStream.compress

    def count(self, compressor):
        begun.append(1)
        compress(self, compressor)

    monkeypatch.setattr(SshStream, "compress", count)
    with targets.half_close() as half:
        with tunnel(sshd.hop(compression=True), forwards=[local(half.address)]) as run:
            with run.connect() as sock:
                sender = threading.Thread(target=sock.sendall, args=(DATA,))
                sender.start()
                sender.join(60)
                sock.shutdown(1)
                assert read_all(sock).decode() == hashlib.sha256(DATA).hexdigest()
    assert len(begun) > 3
    assert len(policies) == 1
