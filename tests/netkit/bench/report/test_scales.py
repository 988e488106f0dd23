"""Axes hold their values, and their ticks are round and apart."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.bench import wording
from netkit.bench.report.scales import labels, linear, logarithmic, trimmed

VALUES = st.lists(st.floats(allow_nan=False), max_size=6)


@given(VALUES)
def test_linear_is_total(values):
    scale = linear(values)
    assert scale.low == 0 < scale.high
    assert 1 <= len(scale.ticks) <= 5
    assert all(0 <= scale.at(value) <= 1 for value in [*values, math.nan])
    assert all(0 <= scale.at(tick) <= 1 for tick in scale.ticks)


@given(VALUES, st.none() | st.just(1.0))
def test_logarithmic_is_total(values, around):
    scale = logarithmic(values, around=around)
    assert 0 < scale.low < scale.high
    assert len(scale.ticks) <= 6
    places = [scale.at(tick) for tick in scale.ticks]
    assert all(0 <= place <= 1 for place in places)
    assert places == sorted(places)
    assert all(0 <= scale.at(value) <= 1 for value in [*values, math.nan])
    if around is not None:
        assert 0 < scale.at(around) < 1


@given(st.lists(st.floats(1e-6, 1e12), min_size=1, max_size=5))
def test_ticks_leave_room_for_their_labels(values):
    scale = logarithmic(values)
    assert all(after - before >= 0.2 for before, after in pairwise(map(scale.at, scale.ticks)))


@given(st.lists(st.floats(1e-6, 1e12), min_size=1, max_size=5))
def test_values_keep_their_order(values):
    values = sorted(values)
    for scale in (linear(values), logarithmic(values)):
        places = [scale.at(value) for value in values]
        assert places == sorted(places)


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([880], (0, 250, 500, 750)),
        ([4], (0, 1, 2, 3, 4)),
        ([], (0, 0.25, 0.5, 0.75, 1)),
    ],
)
def test_linear_ticks(values, ticks):
    assert linear(values).ticks == ticks


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([17e6, 720e6], (30e6, 100e6, 300e6)),
        ([1, 1e7], (1, 100, 1e4, 1e6)),
        ([50, 51], (50, 70)),
    ],
)
def test_logarithmic_ticks(values, ticks):
    assert logarithmic(values, most=5).ticks == pytest.approx(ticks)


def test_labels_say_round_numbers():
    assert labels(linear([2e6], most=2), wording.rate) == (
        (0.0, "0 B/s"),
        (0.5, "1 MB/s"),
        (1.0, "2 MB/s"),
    )


@pytest.mark.parametrize(
    ("text", "short"),
    [("1.00 MB/s", "1 MB/s"), ("1.50 s", "1.5 s"), ("0.05 x", "0.05 x"), ("100 ms", "100 ms")],
)
def test_trimmed(text, short):
    assert trimmed(text) == short
