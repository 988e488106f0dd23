from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.advise.vici import (
    CMD_REQUEST,
    CMD_RESPONSE,
    EVENT_CONFIRM,
    EVENT_REGISTER,
    MAX_PACKET,
    Server,
    ViciError,
    parse,
    serialize,
)

NAMES = st.text(st.characters(codec="utf-8"), max_size=60)
MESSAGES = st.recursive(
    st.dictionaries(NAMES, st.text(st.characters(codec="utf-8"), max_size=200), max_size=4),
    lambda inner: st.dictionaries(
        NAMES, inner | st.text(max_size=9) | st.lists(st.text(max_size=9), max_size=3), max_size=4
    ),
    max_leaves=8,
)


def packet(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


def request(name: str, message) -> bytes:
    return packet(bytes([CMD_REQUEST, len(name)]) + name.encode() + serialize(message))


@given(MESSAGES)
def test_round_trip(message):
    with contextlib.suppress(UnicodeEncodeError):  # lone surrogates that stand for no byte
        assert parse(serialize(message)) == message


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_a_message_or_an_error(data):
    with contextlib.suppress(ViciError):
        parse(data)
    with contextlib.suppress(ViciError):
        Server().receive(data)


@given(st.binary(max_size=300), st.data())
def test_pieces_are_put_together(tail, data):
    whole = request("load-conn", {"a": {"b": ["1", "2"], "c": "3"}}) + request("x", {})
    cut = data.draw(st.integers(0, len(whole)))
    server = Server()
    answers = server.receive(whole[:cut]) + server.receive(whole[cut:])
    assert [each.name for each in server.requests] == ["load-conn", "x"]
    assert server.requests[0].message == {"a": {"b": ["1", "2"], "c": "3"}}
    assert answers == packet(bytes([CMD_RESPONSE]) + serialize({"success": "yes"})) * 2


def test_events_are_confirmed_and_other_packets_unknown():
    answers = Server().receive(packet(bytes([EVENT_REGISTER, 1]) + b"x") + packet(b"\x07"))
    assert answers == packet(bytes([EVENT_CONFIRM])) + packet(b"\x02")


@pytest.mark.parametrize(
    "data",
    [
        b"\x01\x01a",  # a section that does not end
        b"\x02",  # one that was not begun
        b"\x03\x01a\x00\x05abc",
        b"\x03\x01a\x00",
        b"\x04\x01a\x05\x00\x01x",
        b"\x04\x01a",
        b"\x03",
        b"\x09",
        b"\x01\x01a" * 40,
    ],
)
def test_broken_messages(data):
    with pytest.raises(ViciError):
        parse(data)


@pytest.mark.parametrize("size", [0, MAX_PACKET + 1, 0xFFFFFFFF])
def test_impossible_sizes(size):
    with pytest.raises(ViciError):
        Server().receive(size.to_bytes(4, "big"))


@pytest.mark.parametrize("message", [{"a" * 256: ""}, {"a": "b" * 65536}])
def test_what_does_not_fit(message):
    with pytest.raises(ViciError):
        serialize(message)
