from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.plan.keepalives import LOWEST, tightened

seconds = st.floats(0, 1e6)


@pytest.mark.parametrize(
    ("interval", "silence", "away", "new"),
    [
        (30, 30, 0.3, 15),
        (30, 28, 0.3, 14),
        (60, 200, 1, 30),
        (30, 10, 0.3, None),  # something had passed shortly before
        (30, 30, 20, None),  # the gateway itself was away
        (8, 8, 0.3, LOWEST),
        (LOWEST, 30, 0.3, None),
    ],
)
def test_after_a_drop(interval, silence, away, new):
    assert tightened(interval, silence, away) == new


@given(seconds, seconds, seconds)
def test_it_only_ever_gets_shorter(interval, silence, away):
    new = tightened(interval, silence, away)
    assert new is None or LOWEST <= new <= max(interval, LOWEST)


def test_a_silence_that_was_survived_before_was_not_the_cause():
    assert tightened(30, 30, 0.3, survived=40) is None
    assert tightened(30, 30, 0.3, survived=29) == 15
