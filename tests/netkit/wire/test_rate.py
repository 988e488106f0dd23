"""The token bucket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.wire.rate import BURST, MEMORY, Bucket


@pytest.mark.parametrize("rate", [1, 1024, 1 << 20, 10 << 30])
def test_what_passes_in_the_long_run(rate):
    bucket = Bucket(rate)
    passed = sum(bucket.draw("a", 1, tick * 0.02) for tick in range(501))
    assert passed <= rate * (10 + BURST) + 1
    assert passed >= rate * 10 - 1


@given(
    st.integers(1, 1 << 30),
    st.lists(
        st.tuples(st.sampled_from("abc"), st.floats(-0.01, 1), st.integers(1, 9)), max_size=60
    ),
)
def test_never_more_than_the_rate(rate, steps):
    bucket = Bucket(rate)
    first = now = latest = 100.0
    passed = 0
    for who, step, waiting in steps:
        now += step
        latest = max(latest, now)
        share = bucket.draw(who, waiting, now)
        assert share >= 0
        passed += share
    assert passed <= max(rate * BURST, 1) + rate * (latest - first) + 1e-3 * rate + 1


def test_a_long_silence_is_no_burst():
    bucket = Bucket(1000)
    bucket.draw("a", 1, 0.0)
    assert bucket.draw("a", 1, 1e6) == 100


def test_what_is_given_back_is_there_again():
    bucket = Bucket(1000)
    assert bucket.draw("a", 1, 5.0) == 100
    bucket.give_back(60)
    assert bucket.draw("a", 1, 5.0) == 60
    bucket.give_back(10**9)
    assert bucket.draw("a", 1, 5.0) == 100


def test_links_share_in_proportion_to_what_waits():
    bucket = Bucket(1 << 20)
    passed = {"a": 0, "b": 0}
    for tick in range(1000):
        now = tick * 0.01
        who, waiting = ("a", 3) if tick % 2 else ("b", 1)
        passed[who] += bucket.draw(who, waiting, now)
    assert 2 < passed["a"] / passed["b"] < 5
    assert sum(passed.values()) == pytest.approx((1 << 20) * 10, rel=0.02)


def test_who_wants_nothing_any_more_gets_no_share():
    bucket = Bucket(1000)
    bucket.draw("gone", 9, 0.0)
    now = 2 * MEMORY
    assert bucket.draw("here", 1, now) == int(1000 * min(now, BURST))
