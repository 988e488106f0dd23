from __future__ import annotations

import struct
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from diagnostics.parsers import x_setup
from netkit.errors import LocalProtocolError
from netkit.wire.handshake import NeedMore
from netkit.wire.x11 import (
    MAGIC_COOKIE,
    MAX_COOKIE,
    MAX_NAME,
    MISMATCH,
    MISSING,
    Denied,
    LimitProbe,
    Passed,
    SetupGate,
    setup,
)
from support import xservers

FAKE = bytes(range(16))
REAL = b"R" * 16
ORDERS = ("<", ">")

cookies = st.binary(min_size=1, max_size=MAX_COOKIE)


def run(chunks: list[bytes], cookie: bytes = REAL):
    """Drive a gate as the engine does; return its last event and what else the server gets."""
    gate = SetupGate(FAKE, cookie)
    event: Any = NeedMore()
    for number, chunk in enumerate(chunks):
        event = gate.receive(chunk)
        if not isinstance(event, NeedMore):
            passed = isinstance(event, Passed)
            return event, gate.leftover + b"".join(chunks[number + 1 :]) if passed else b""
        assert len(gate._buffer) <= 12 + MAX_NAME + MAX_COOKIE
    return event, b""


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def told(reply: bytes, order: str) -> str:
    """Read a refusal as a client of that byte order does (X11 protocol, section 8)."""
    status, length, major, _minor, words = struct.unpack_from(f"{order}BBHHH", reply)
    assert (status, major, len(reply)) == (0, 11, 8 + 4 * words)
    return reply[8 : 8 + length].decode()


@pytest.mark.parametrize("order", ORDERS)
class TestRightCookie:
    def test_is_replaced(self, order):
        event, rest = run([setup(order, MAGIC_COOKIE, FAKE) + b"more"])
        assert event == Passed(setup(order, MAGIC_COOKIE, REAL))
        assert rest == b"more"

    def test_is_taken_out_for_a_server_that_wants_none(self, order):
        event, _ = run([setup(order, MAGIC_COOKIE, FAKE)], cookie=b"")
        assert event == Passed(setup(order, b"", b""))
        assert len(event.setup) == 12

    def test_of_another_length_than_the_fake(self, order):
        event, rest = run([setup(order, MAGIC_COOKIE, FAKE) + b"x"], cookie=b"five5")
        assert event == Passed(setup(order, MAGIC_COOKIE, b"five5"))
        assert rest == b"x"

    def test_version_is_the_servers_to_judge(self, order):
        event, _ = run([setup(order, MAGIC_COOKIE, FAKE, (12, 3))])
        assert event == Passed(setup(order, MAGIC_COOKIE, REAL, (12, 3)))

    def test_byte_by_byte(self, order):
        data = setup(order, MAGIC_COOKIE, FAKE)
        event, _ = run([bytes([each]) for each in data])
        assert isinstance(event, Passed)


@pytest.mark.parametrize("order", ORDERS)
class TestDenied:
    @pytest.mark.parametrize(
        ("protocol", "cookie"),
        [
            (MAGIC_COOKIE, b"X" * 16),
            (MAGIC_COOKIE, FAKE[:15]),
            (MAGIC_COOKIE, FAKE + b"\0"),
            (MAGIC_COOKIE, b""),
            (MAGIC_COOKIE, REAL),
            (b"XDM-AUTHORIZATION-1", FAKE),
            (b"", FAKE),
        ],
    )
    def test_wrong_cookie(self, order, protocol, cookie):
        event, _ = run([setup(order, protocol, cookie) + b"requests"])
        assert event.code == "x11-cookie-mismatch"
        assert told(event.reply, order) == MISMATCH
        assert REAL not in event.reply
        assert FAKE not in event.reply

    def test_no_cookie(self, order):
        event, _ = run([setup(order, b"", b"")])
        assert event.code == "x11-cookie-missing"
        assert told(event.reply, order) == MISSING

    @pytest.mark.parametrize(
        ("name", "size"), [(MAX_NAME + 1, 16), (18, MAX_COOKIE + 1), (65535, 65535)]
    )
    def test_lengths_are_not_waited_for(self, order, name, size):
        first = b"B" if order == ">" else b"l"
        event, _ = run([struct.pack(f"{order}cxHHHHxx", first, 11, 0, name, size)])
        assert event.code == "x11-no-setup"
        assert told(event.reply, order) == MISMATCH

    def test_server_that_is_gone(self, order):
        gate = SetupGate(FAKE, REAL)
        gate.receive(setup(order, MAGIC_COOKIE, FAKE))
        assert told(gate.failed("the X server is gone"), order) == "the X server is gone"
        assert len(told(gate.failed("x" * 999), order)) == 200
        assert told(gate.failed("für"), order) == "f?r"


def test_what_is_no_client_is_told_nothing():
    event, _ = run([b"GET / HTTP/1.1\r\n"])
    assert event == Denied("x11-no-setup", "its first byte is 0x47, which no X client sends")


def test_before_a_word_there_is_nobody_to_answer():
    gate = SetupGate(FAKE, REAL)
    assert isinstance(gate.receive(b""), NeedMore)
    assert gate.failed("late") == b""


def test_an_empty_fake_opens_nothing():
    gate = SetupGate(b"", REAL)
    assert isinstance(gate.receive(setup("<", MAGIC_COOKIE, b"")), Denied)


def test_is_over_once_it_is_decided():
    gate = SetupGate(FAKE, REAL)
    gate.receive(setup("<", MAGIC_COOKIE, FAKE))
    with pytest.raises(LocalProtocolError):
        gate.receive(b"more")


def test_secrets_are_not_in_its_repr():
    event, _ = run([setup("<", MAGIC_COOKIE, FAKE)])
    assert "R" * 16 not in repr(event)


def test_the_doctor_reads_the_refusal():
    event, _ = run([setup("<", MAGIC_COOKIE, REAL)])
    assert x_setup.parse(event.reply).reason == MISMATCH


@given(
    st.sampled_from(ORDERS), cookies, st.binary(max_size=80), st.lists(st.integers(0, 500)), cookies
)
def test_setups_round_trip_however_they_are_cut(order, fake, behind, places, real):
    gate = SetupGate(fake, real)
    chunks = cut(setup(order, MAGIC_COOKIE, fake) + behind, places)
    event: object = NeedMore()
    while isinstance(event, NeedMore):
        event = gate.receive(chunks.pop(0))
    assert event == Passed(setup(order, MAGIC_COOKIE, real))
    assert gate.leftover + b"".join(chunks) == behind


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Setups with bytes changed or missing, and anything behind a known first byte."""
    order = draw(st.sampled_from(ORDERS))
    name = draw(st.sampled_from([MAGIC_COOKIE, b"", b"XDM-AUTHORIZATION-1"]))
    base = bytearray(setup(order, name, draw(st.sampled_from([FAKE, REAL, b"", FAKE[:3]]))))
    for place, value in draw(
        st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=3)
    ):
        base[place % len(base)] = value
    if draw(st.booleans()):
        del base[draw(st.integers(1, len(base))) :]
    return bytes(base) + draw(st.binary(max_size=40))


@given(st.binary(max_size=400) | streams(), st.lists(st.integers(0, 500), max_size=20))
@example(setup("<", MAGIC_COOKIE, FAKE), [1, 2, 12, 30])
def test_any_bytes_in_any_pieces(data, places):
    whole = run([data])
    assert run(cut(data, places)) == whole
    event, rest = whole
    if isinstance(event, Passed):
        # It passes with the very cookie and nothing else, in its own place.
        order = "<" if data[:1] == b"l" else ">"
        name, size = struct.unpack_from(f"{order}HH", data, 6)
        assert (name, size) == (len(MAGIC_COOKIE), len(FAKE))
        assert data[12:30] == MAGIC_COOKIE
        assert data[32:48] == FAKE
        assert rest == data[48:]
    elif isinstance(event, Denied):
        assert rest == b""
        assert REAL not in event.reply


class TestLimitProbe:
    LIMITED = xservers.accepted() + xservers.answer(1, 0, b"\0")
    TRUSTED = xservers.accepted() + xservers.answer(1, 0, b"\1")
    EVENT = xservers.answer(0, 0, kind=34)

    def test_what_is_asked_is_what_the_doctor_asks(self):
        asked = x_setup.request(MAGIC_COOKIE, REAL)
        assert asked.startswith(LimitProbe(REAL).request)

    @pytest.mark.parametrize(
        ("said", "limited"),
        [
            (LIMITED, True),
            (TRUSTED, False),
            (xservers.accepted() + EVENT * 3 + xservers.answer(1, 0, b"\0"), True),
            (xservers.accepted() + xservers.answer(1, 0, kind=0), False),
            (xservers.accepted() + xservers.answer(1, 0, kind=35), False),
            (xservers.rejected(b"no"), False),
            (b"\2more", False),
            (b"SSH-2.0", False),
            (xservers.accepted(), None),
            (b"", None),
            (xservers.accepted() + EVENT * 20_000, False),
        ],
        ids=repr,
    )
    def test_answers(self, said, limited):
        probe = LimitProbe(REAL)
        assert probe.receive(said) is limited
        assert len(probe._buffer) < 1 << 19

    def test_is_decided_once(self):
        probe = LimitProbe(REAL)
        assert probe.receive(self.LIMITED) is True
        assert probe.receive(xservers.answer(2, 0, b"\1")) is True
        assert not probe._buffer

    @given(st.binary(max_size=300) | st.just(LIMITED) | st.just(TRUSTED), st.lists(st.integers(0)))
    def test_any_bytes_in_any_pieces(self, data, places):
        probe, answer = LimitProbe(REAL), None
        for piece in cut(data, places):
            answer = probe.receive(piece)
        assert answer is LimitProbe(REAL).receive(data)
