"""One zlib stream by several compressors: what a plain inflater makes of it, packet by packet."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import zlib

import corpora
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netkit.wire import deflate
from netkit.wire.deflate import BEST, OPENSSH, STORED, DeflateStream, Method, ladder, store

TEXT = corpora.text(1 << 19)
NOISE = corpora.noise(1 << 17)

HAS_ZLIB_NG = deflate.zlib_module() is not zlib
MODULES = ("zlib", deflate.ZLIB_NG) if HAS_ZLIB_NG else ("zlib",)
METHODS = (STORED, *(Method(module, level, 1.0) for module in MODULES for level in range(1, 10)))

PAYLOADS = st.one_of(
    st.binary(min_size=1, max_size=300),
    st.integers(0, len(TEXT) - 70_000).flatmap(
        lambda at: st.sampled_from((1, 14, 700, 32_777, 70_000)).map(lambda n: TEXT[at : at + n])
    ),
    st.integers(1, 40_000).map(lambda n: NOISE[:n]),
    st.integers(1, 100_000).map(bytes),
)


@pytest.fixture
def without_zlib_ng(monkeypatch):
    monkeypatch.setitem(sys.modules, deflate.ZLIB_NG, None)
    deflate.zlib_module.cache_clear()
    deflate.ladder.cache_clear()
    yield
    deflate.zlib_module.cache_clear()
    deflate.ladder.cache_clear()


class Receiver:
    """sshd's half: every packet must give its whole payload when it arrives."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj()

    def take(self, packet: bytes) -> bytes:
        payload = self._stream.decompress(packet)
        assert not self._stream.eof
        assert not self._stream.unconsumed_tail
        return payload


@settings(deadline=None)
@given(
    first=st.sampled_from(METHODS),
    packets=st.lists(st.tuples(PAYLOADS, st.none() | st.sampled_from(METHODS)), max_size=12),
)
def test_whoever_writes_the_receiver_reads_one_stream(first, packets):
    stream, receiver = DeflateStream(first), Receiver()
    for payload, then in packets:
        assert receiver.take(stream.pack(memoryview(payload), then)) == payload
        if then is not None:
            assert stream.method == then


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_each_method_after_each_other(method):
    stream, receiver = DeflateStream(), Receiver()
    chance = random.Random(7)
    for other in METHODS:
        for then in (method, None, None, other, None):
            at, size = chance.randrange(len(TEXT) - 33_000), chance.choice((9, 1000, 32_777))
            payload = TEXT[at : at + size]
            assert receiver.take(stream.pack(payload, then)) == payload


class TestHistory:
    def test_runs_through_all_packets(self):
        stream = DeflateStream()
        payload = NOISE[:1000]
        first, second = stream.pack(payload), stream.pack(payload)
        assert len(second) < len(first) / 10

    def test_is_handed_over(self):
        """What takes over may point into the payload before."""
        stream = DeflateStream()
        payload = NOISE[:30_000]
        stream.pack(payload, BEST)
        assert len(stream.pack(payload)) < 1000

    def test_switch_costs_little(self):
        steady, restless = DeflateStream(), DeflateStream()
        pieces = [TEXT[at : at + 32_768] for at in range(0, len(TEXT), 32_768)]
        once = sum(len(steady.pack(piece)) for piece in pieces)
        each = sum(
            len(restless.pack(piece, (BEST, OPENSSH)[i % 2])) for i, piece in enumerate(pieces)
        )
        assert each < 1.02 * once


class TestStored:
    @pytest.mark.parametrize("size", [0, 1, 32_777, 65_535, 65_536, 263_168])
    def test_grows_by_five_bytes_a_block(self, size):
        payload = (NOISE * 3)[:size]
        packed = store(payload)
        blocks = max(1, -(-size // 65_535))
        assert len(packed) == size + 5 * blocks
        assert zlib.decompressobj(-15).decompress(packed) == payload

    def test_first_packet_has_the_header(self):
        receiver = Receiver()
        stream = DeflateStream(STORED)
        assert receiver.take(stream.pack(b"first")) == b"first"
        assert receiver.take(stream.pack(b"second", OPENSSH)) == b"second"
        assert receiver.take(stream.pack(b"third")) == b"third"


class TestLadder:
    def check(self) -> None:
        methods, usual = ladder()
        shares = [self.share(method) for method in methods]
        assert shares[: usual + 1] == sorted(shares[: usual + 1], reverse=True)
        assert shares[0] < self.share(OPENSSH) / 0.9
        assert max(shares[usual:]) <= self.share(OPENSSH)
        costs = [method.cost for method in methods]
        assert costs == sorted(costs)

    def share(self, method: Method) -> float:
        stream = DeflateStream(method)
        pieces = (TEXT[at : at + 32_768] for at in range(0, len(TEXT), 32_768))
        return sum(len(stream.pack(piece)) for piece in pieces) / len(TEXT)

    def test_the_usual_is_as_good_as_openssh_and_none_much_worse(self):
        self.check()

    def test_without_zlib_ng(self, without_zlib_ng):
        assert {method.module for method in ladder().methods} == {"zlib"}
        assert deflate.library() == f"zlib {zlib.ZLIB_RUNTIME_VERSION}"
        self.check()

    @pytest.mark.skipif(not HAS_ZLIB_NG, reason="zlib-ng has no wheel for this machine")
    def test_with_zlib_ng(self):
        assert {method.module for method in ladder().methods} == {"zlib", deflate.ZLIB_NG}
        assert re.fullmatch(r"zlib-ng \d+\.\d+\.\S+", deflate.library())

    def test_names(self):
        assert (OPENSSH.name, STORED.name) == ("zlib 6", "stored")
        assert Method(deflate.ZLIB_NG, 3, 0.3).name == "zlib_ng 3"


def test_nothing_is_loaded_before_it_is_needed():
    code = (
        "import sys, netkit.engine.link, netkit.wire.compression as c\n"
        "assert not any(name.startswith('zlib_ng') for name in sys.modules)\n"
        "c.default_policy()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
