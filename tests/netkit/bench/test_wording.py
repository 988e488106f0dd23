"""Numbers are short, have their unit, and never become an exponent or an exception."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.bench import wording

ALL = (
    wording.rate,
    wording.bits,
    wording.seconds,
    wording.size,
    wording.count_rate,
    wording.percent,
    wording.factor,
)


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (wording.rate, 21.3e6, "21.3 MB/s"),
        (wording.rate, 0, "0 B/s"),
        (wording.rate, 999.4, "999 B/s"),
        (wording.rate, 999.6, "1.00 kB/s"),
        (wording.rate, 999_600, "1.00 MB/s"),
        (wording.rate, 1.5e9, "1.50 GB/s"),
        (wording.rate, math.inf, "unlimited"),
        (wording.rate, math.nan, "unknown"),
        (wording.bits, 21.3e6, "170 Mbit/s"),
        (wording.bits, 125_000, "1.00 Mbit/s"),
        (wording.seconds, 0.000241, "241 µs"),
        (wording.seconds, 0.0123, "12.3 ms"),
        (wording.seconds, 0.0009994, "999 µs"),
        (wording.seconds, 0.0009996, "1.00 ms"),
        (wording.seconds, 0.9996, "1.00 s"),
        (wording.seconds, 1.2, "1.20 s"),
        (wording.seconds, 90, "90.0 s"),
        (wording.seconds, 0, "0 µs"),
        (wording.size, 2 << 20, "2 MiB"),
        (wording.size, 64 << 20, "64 MiB"),
        (wording.size, 1536, "1.5 KiB"),
        (wording.size, 12, "12 bytes"),
        (wording.size, 100 << 20, "100 MiB"),
        (wording.count_rate, 1580, "1 580/s"),
        (wording.count_rate, 42.25, "42.2/s"),
        (wording.count_rate, 0.5, "0.50/s"),
        (wording.percent, 0.95, "95 %"),
        (wording.percent, 0.012, "1.2 %"),
        (wording.percent, 0, "0 %"),
        (wording.percent, 0.0005, "0.1 %"),
        (wording.percent, 0.0004, "<0.1 %"),
        (wording.percent, 1.04, "104 %"),
        (wording.factor, 2.314, "2.31 x"),
        (wording.factor, 0.12, "0.12 x"),
    ],
)
def test_wording(function, value, text):
    assert function(value) == text


@pytest.mark.parametrize("function", ALL)
def test_no_number_has_a_wording_too(function):
    assert function(math.nan) == "unknown"
    assert function(math.inf) == function(-math.inf) == "unlimited"


@given(st.sampled_from(ALL), st.floats(0, 1e13))
def test_what_is_measured_is_short(function, value):
    text = function(value)
    assert len(text) <= 24
    assert "e+" not in text


@given(st.sampled_from(ALL), st.floats())
def test_every_number_has_a_wording(function, value):
    assert function(value)


@given(st.sampled_from([wording.rate, wording.bits, wording.seconds]), st.floats(1e-3, 1e14))
def test_the_value_is_still_in_it(function, value):
    number, unit = function(value).split()
    scale = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "m": 1e-3, "µ": 1e-6}
    real = float(number) * (scale[unit[0]] if unit[0] in scale and len(unit) > 1 else 1)
    assert real == pytest.approx(value * (8 if "bit" in unit else 1), rel=0.01, abs=0.006)
