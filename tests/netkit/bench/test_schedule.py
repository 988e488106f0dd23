"""What fits into the time there is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from netkit.bench import schedule
from netkit.bench.marks import SLOW_START
from netkit.bench.model import Direction
from netkit.bench.schedule import Want, plan, shortest

WANTS = [
    Want(way, compression=on, corpus=corpus)
    for on, corpus in ((False, "random"), (True, "text"), (True, "random"), (True, "zeros"))
    for way in (Direction.DOWN, Direction.UP)
]


def test_plenty_of_time():
    made = plan(WANTS, 60, round_trip=0.001)
    assert made.wants == tuple(WANTS)
    assert made.rounds == schedule.MOST_ROUNDS
    assert made.seconds == schedule.LONGEST
    assert made.dropped == ()


def test_little_time_leaves_out_what_is_wanted_least():
    made = plan(WANTS, 2.0, round_trip=0.0)
    assert made.rounds == schedule.FEWEST_ROUNDS
    assert made.wants == tuple(WANTS[: len(made.wants)])
    assert made.wants + made.dropped == tuple(WANTS)
    assert 0 < len(made.dropped) < len(WANTS)


def test_a_long_way_needs_longer_transfers():
    near, far = (plan(WANTS, 12, round_trip=trip) for trip in (0.001, 0.1))
    assert len(far.wants) < len(near.wants)
    assert far.seconds >= 2 * SLOW_START * 0.1


def test_a_slow_link_needs_longer_transfers():
    assert shortest(0.0, 125_000) >= schedule.LEAST / 125_000
    assert plan(WANTS, 30, round_trip=0, rate=125_000).seconds > 0.5


def test_no_time_at_all():
    made = plan(WANTS, 0.1, round_trip=0.0)
    assert (made.rounds, made.wants, made.dropped) == (0, (), tuple(WANTS))


def test_every_other_round_goes_backwards():
    made = plan(WANTS, 60, round_trip=0.0)
    assert made.order(0) == made.order(2) == made.wants
    assert made.order(1) == made.wants[::-1]


def test_a_want_in_words():
    assert str(WANTS[0]) == "down random, uncompressed"
    assert str(WANTS[3]) == "up text, compressed"


@given(
    st.integers(0, len(WANTS)),
    st.floats(0, 4000),
    st.floats(0, 10),
    st.floats(0, 1e10),
    st.floats(0, 5),
)
def test_what_is_planned_fits(count, seconds, trip, rate, extra):
    wants = WANTS[:count]
    made = plan(wants, seconds, round_trip=trip, rate=rate, beside=extra)
    assert made.wants + made.dropped == tuple(wants)
    if made.rounds:
        assert made.rounds >= schedule.FEWEST_ROUNDS
        assert made.seconds >= shortest(trip, rate) * 0.999
        assert made.rounds * len(made.wants) * made.seconds <= seconds * 1.001
