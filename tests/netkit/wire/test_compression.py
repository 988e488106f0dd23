"""Compression of payloads: round trips, the shared dictionary, and bounds."""

from __future__ import annotations

import sys
import zlib

import corpora
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import RemoteProtocolError
from netkit.wire import deflate
from netkit.wire.compression import MAX_PAYLOAD, Compressor, Decompressor, default_policy
from netkit.wire.compression_level import SPAN_BYTES
from netkit.wire.deflate import OPENSSH, STORED, ladder


@pytest.fixture(params=[True, False], ids=["zlib-ng", "zlib"], autouse=True)
def module(request, monkeypatch):
    """With and without zlib-ng, which hostile data has to pass as well."""
    if not request.param:
        monkeypatch.setitem(sys.modules, deflate.ZLIB_NG, None)
    for function in (deflate.zlib_module, deflate.ladder):
        function.cache_clear()
    yield deflate.zlib_module()
    for function in (deflate.zlib_module, deflate.ladder):
        function.cache_clear()


class Clock:
    """A meter by which each packet takes a millisecond, and the way to the next a tenth of it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waited = 0.0
        self._looks = 0

    def clock(self) -> float:
        self._looks += 1
        self.now += 0.001 if self._looks % 2 else 0.0001
        return self.now

    def blocked_seconds(self) -> float:
        return self.waited


@given(st.lists(st.binary(max_size=4000), max_size=20))
def test_round_trip_packet_by_packet(payloads):
    compress, inflate = Compressor(), Decompressor()
    for payload in payloads:
        assert inflate(memoryview(compress(memoryview(payload)))) == payload


def test_dictionary_runs_through_all_packets():
    payload = bytes(range(256)) * 4
    compress = Compressor()
    first, second = compress(payload), compress(payload)
    assert len(second) < len(first) / 4


def test_bomb_is_refused():
    bomb = Compressor()(bytes(MAX_PAYLOAD + 1))
    assert len(bomb) < 1000
    with pytest.raises(RemoteProtocolError) as caught:
        Decompressor()(bomb)
    assert caught.value.code == "decompression-bomb"


def test_largest_payload_passes():
    payload = bytes(MAX_PAYLOAD)
    assert Decompressor()(Compressor()(payload)) == payload


def test_bound_holds_for_output_that_zlib_keeps_back():
    inflate = Decompressor(limit=1000)
    stream = zlib.compressobj()
    data = stream.compress(bytes(1001)) + stream.flush(zlib.Z_PARTIAL_FLUSH)
    with pytest.raises(RemoteProtocolError):
        inflate(data)


def test_end_of_stream_is_refused():
    with pytest.raises(RemoteProtocolError) as caught:
        Decompressor()(zlib.compress(b"the end"))
    assert caught.value.code == "bad-compressed-data"


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_garbage_gives_bounded_data_or_a_declared_error(first, second):
    inflate = Decompressor(limit=500)
    try:
        assert len(inflate(first)) <= 500
        assert len(inflate(second)) <= 500
    except RemoteProtocolError as error:
        assert error.code in {"bad-compressed-data", "decompression-bomb"}


class TestAdapts:
    TEXT = corpora.text(1 << 18)
    NOISE = corpora.noise(1 << 17)

    def feed(self, compressor, inflate, data, count, clock=None):
        """Send ``count`` packets of ``data``; return what each was compressed with."""
        used = []
        for index in range(count):
            at = index * 32_768 % len(data)
            used.append(compressor.method)
            payload = memoryview(data)[at : at + 32_768]
            assert inflate(compressor(payload)) == payload
            if clock is not None:
                clock.now += 0.05
                clock.waited += 0.05
        return used

    @pytest.fixture
    def link(self):
        clock, policy, compressor = Clock(), default_policy(), Compressor()
        compressor.adapt(policy, clock)
        return compressor, Decompressor(), policy, clock

    def test_not_before_it_is_told_to(self):
        compressor = Compressor()
        used = self.feed(compressor, Decompressor(), self.NOISE, 100)
        assert set(used) == {OPENSSH}

    def test_processor_is_the_limit(self, link):
        compressor, inflate, policy, _ = link
        used = self.feed(compressor, inflate, self.TEXT, 200)
        assert used[0] == ladder().methods[ladder().usual]
        assert used[-1] == ladder().methods[0]
        assert policy.level == 0

    def test_link_is_the_limit(self, link):
        compressor, inflate, _, clock = link
        used = self.feed(compressor, inflate, self.TEXT, 4 * SPAN_BYTES // 32_768, clock)
        assert used[-1] == ladder().methods[-1]

    def test_random_data_is_stored_and_text_behind_it_is_not(self, link):
        compressor, inflate, policy, _ = link
        used = self.feed(compressor, inflate, self.NOISE, 500)
        assert used.count(STORED) > 400
        assert set(used[-200:]) > {STORED}
        used = self.feed(compressor, inflate, self.TEXT, 500)
        assert STORED not in used[100:]
        assert not policy.stored

    def test_choice_outlives_the_keys(self, link):
        compressor, inflate, policy, clock = link
        self.feed(compressor, inflate, self.TEXT, 200)
        chosen = compressor.method
        compressor, inflate = Compressor(), Decompressor()
        compressor.adapt(policy, clock)
        assert compressor.method == chosen
        assert self.feed(compressor, inflate, self.TEXT, 1) == [chosen]
