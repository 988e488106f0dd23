"""Compression of payloads: round trips, the shared dictionary, and bounds."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import RemoteProtocolError
from netkit.wire.compression import MAX_PAYLOAD, Compressor, Decompressor


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
