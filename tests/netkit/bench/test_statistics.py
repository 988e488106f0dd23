"""Spreads are those of the standard library; a verdict takes rounds that agree."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.bench.statistics import (
    Difference,
    Spread,
    changed_beyond_noise,
    difference,
    gain,
    sound,
    spread_of,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)
MODEST = st.floats(-1e6, 1e6)
SOME = st.lists(FINITE, min_size=1, max_size=30)


def test_a_spread_sorts_and_counts():
    spread = Spread.of([3, 1.0, 2.0])
    assert spread.values == (1.0, 2.0, 3.0)
    assert (spread.low, spread.median, spread.high, spread.count) == (1.0, 2.0, 3.0, 3)
    assert spread.relative == 1.0
    assert (spread.quantile(0), spread.quantile(1)) == (1.0, 3.0)


@pytest.mark.parametrize("values", [[], [math.nan], [1.0, math.inf], [-math.inf]])
def test_no_spread_of_nothing_or_of_what_is_no_number(values):
    with pytest.raises(ValueError, match=r"no values|finite"):
        Spread.of(values)


@given(st.lists(MODEST, min_size=2, max_size=30))
def test_it_is_what_the_standard_library_says(values):
    spread = Spread.of(values)
    quartiles = statistics.quantiles(values, n=4, method="inclusive")
    assert [spread.q1, spread.median, spread.q3] == pytest.approx(quartiles, abs=1e-6)
    assert spread.iqr == pytest.approx(quartiles[2] - quartiles[0], abs=1e-6)
    assert spread.mean == pytest.approx(statistics.fmean(values), abs=1e-6)
    assert spread.stddev == pytest.approx(statistics.stdev(values), rel=1e-6, abs=1e-6)


@given(SOME, st.floats(0, 1), st.floats(0, 1))
def test_quantiles_grow_and_stay_within(values, one, other):
    spread = Spread.of(values)
    low, high = sorted((one, other))
    assert spread.low <= spread.quantile(low) <= spread.quantile(high) <= spread.high
    assert spread.low <= spread.mean <= spread.high
    assert spread.stddev >= 0
    assert spread.relative >= 0


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_a_quantile_is_of_a_share(share):
    with pytest.raises(ValueError, match="share"):
        Spread.of([1.0]).quantile(share)


def test_a_single_value_has_no_width():
    spread = Spread.of([5.0])
    assert (spread.q1, spread.median, spread.q3, spread.mean) == (5.0, 5.0, 5.0, 5.0)
    assert (spread.stddev, spread.relative, spread.iqr) == (0.0, 0.0, 0.0)


def test_values_around_zero_are_infinitely_far_apart():
    assert Spread.of([0.0, 0.0, 1.0]).relative == math.inf


def test_the_largest_numbers_do_not_overflow():
    huge = Spread.of([1.7e308, 1.7e308, -1.7e308])
    assert huge.quantile(0.25) <= huge.median
    assert huge.low <= huge.mean <= huge.high


def test_sound_values_are_finite_and_not_negative():
    assert sound([1.0, math.nan, -1.0, math.inf, 0.0]) == [1.0, 0.0]
    assert spread_of([math.nan]) is None
    assert spread_of([2.0, -1.0]) == Spread((2.0,))


# --- pairs


def test_a_gain_pairs_the_rounds():
    ons = [(0, 20.0), (1, 10.0), (2, 40.0), (7, 1.0)]
    offs = [(2, 20.0), (0, 10.0), (1, 5.0), (9, 1.0)]
    assert gain(ons, offs) == Spread((2.0, 2.0, 2.0))


def test_several_runs_of_a_round_count_by_their_median():
    assert gain([(0, 10.0)], [(0, 1.0), (0, 5.0), (0, 100.0)]) == Spread((2.0,))


def test_no_gain_without_a_common_round_or_over_nothing():
    assert gain([(0, 1.0)], [(1, 1.0)]) is None
    assert gain([(0, 1.0)], [(0, 0.0)]) is None
    assert gain([], []) is None


def test_a_gain_is_robust_against_a_drift_that_medians_are_not():
    """The machine gets three times as slow on the way, and compression always doubles the rate."""
    offs = [(number, 100.0 / (1 + number)) for number in range(3)]
    ons = [(number, 2 * rate) for number, rate in offs]
    assert gain(ons, offs) == Spread((2.0, 2.0, 2.0))
    assert difference(gain(ons, offs)) is Difference.MORE


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        (None, Difference.UNCLEAR),
        ([2.0], Difference.UNCLEAR),
        ([2.0, 2.0], Difference.UNCLEAR),
        ([2.0, 2.0, 2.0], Difference.MORE),
        ([1.01, 1.1, 9.0], Difference.MORE),
        ([1.0, 1.1, 9.0], Difference.UNCLEAR),  # one round saw no gain
        ([0.99, 1.5, 1.5], Difference.UNCLEAR),
        ([0.99, 1.1, 1.1], Difference.UNCLEAR),
        ([1 / 1.1, 1 / 1.1, 1.0], Difference.UNCLEAR),
        ([1 / 1.2, 1.0, 1.0], Difference.SAME),
        ([1.01, 1.09, 1.2], Difference.SAME),  # always more, but not by much
        ([1.01, 1.09, 1.21], Difference.UNCLEAR),
        ([0.5, 0.5, 0.5], Difference.LESS),
        ([0.1, 1 / 1.1, 0.99], Difference.LESS),
        ([0.1, 0.92, 0.99], Difference.UNCLEAR),
        ([0.1, 0.5, 1.0], Difference.UNCLEAR),
        ([0.84, 1.0, 1.2], Difference.SAME),
        ([0.83, 1.0, 1.2], Difference.UNCLEAR),
        ([0.84, 1.0, 1.21], Difference.UNCLEAR),
        ([1.0, 1.0, 1.0], Difference.SAME),
        ([0.0, 0.0, 0.0], Difference.LESS),
        ([0.9, *[1.5] * 6], Difference.UNCLEAR),
        ([0.9, *[1.5] * 7], Difference.MORE),  # one stray in eight rounds
        ([0.9, 0.9, *[1.5] * 6], Difference.UNCLEAR),
        ([5.0, *[1.0] * 7], Difference.SAME),
        ([5.0, *[0.5] * 7], Difference.LESS),
    ],
)
def test_difference(ratios, verdict):
    assert difference(None if ratios is None else Spread.of(ratios)) is verdict


@given(st.lists(st.floats(0.05, 20), min_size=1, max_size=20))
def test_the_rule_is_the_same_seen_from_the_other_side(ratios):
    """What is more than the one makes the one less than it."""
    other = {
        Difference.MORE: {Difference.LESS},
        Difference.LESS: {Difference.MORE},
        # The median of an even number is no reciprocal of the reciprocals' median.
        Difference.SAME: {Difference.SAME, Difference.UNCLEAR},
        Difference.UNCLEAR: {Difference.SAME, Difference.UNCLEAR},
    }
    if len(ratios) % 2:
        verdict = difference(Spread.of(ratios))
        turned = difference(Spread.of(1 / ratio for ratio in ratios))
        edge = any(math.isclose(ratio, bound) for ratio in ratios for bound in (1.1, 1 / 1.1))
        assert edge or turned in other[verdict]


@given(st.lists(st.floats(0, 1e308), min_size=1, max_size=20))
def test_any_ratios_have_a_verdict(ratios):
    assert difference(Spread.of(ratios)) in Difference


# --- two benchmarks


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ([100, 100], [200, 200, 200], Difference.UNCLEAR),
        ([100, 100, 100], [200, 200], Difference.UNCLEAR),
        ([100, 100, 100], [111, 111, 111], Difference.MORE),
        ([30, 30, 30], [33, 33, 33], Difference.MORE),
        ([33, 33, 33], [30, 30, 30], Difference.LESS),
        ([100, 100, 100], [109, 109, 109], Difference.SAME),  # sure, but who cares
        ([100, 100, 100], [90, 90, 90], Difference.LESS),
        ([100, 100, 100], [92, 92, 92], Difference.SAME),
        ([90, 100, 110], [130, 140, 150], Difference.MORE),  # fences 115 and 125
        ([90, 100, 110], [110, 120, 130], Difference.SAME),  # 115 and 105
        ([130, 140, 150], [90, 100, 110], Difference.LESS),
        ([50, 100, 150], [100, 160, 220], Difference.SAME),
        ([0, 0, 0], [0, 0, 0], Difference.SAME),
        ([0, 0, 0], [1, 1, 1], Difference.MORE),
    ],
)
def test_changed_beyond_noise(old, new, verdict):
    assert changed_beyond_noise(Spread.of(old), Spread.of(new)) is verdict


@given(SOME)
def test_nothing_changed_against_itself(values):
    spread = Spread.of(values)
    assert changed_beyond_noise(spread, spread) in {Difference.SAME, Difference.UNCLEAR}


@given(SOME, SOME)
def test_a_change_has_two_directions(one, other):
    old, new = Spread.of(one), Spread.of(other)
    turned = {Difference.MORE: Difference.LESS, Difference.LESS: Difference.MORE}
    verdict = changed_beyond_noise(old, new)
    assert changed_beyond_noise(new, old) is turned.get(verdict, verdict)
