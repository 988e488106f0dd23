"""The grid of idle times, and what probes say together."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.idle_times import Bracket, bracket, grid, is_time, outcomes, shown
from diagnostics.ssh import IdleProbe

OUTCOMES = ("alive", "silence", "rst", "fin", "not-started", "unfinished", "refreshed", "?")


def push(idle, outcome="alive", **more):
    return IdleProbe(mode="push", idle=idle, outcome=outcome, **more)


class TestGrid:
    @pytest.mark.parametrize("timeout", [5, 12, 30])
    def test_a_small_budget_brackets_small_timeouts(self, timeout):
        times = grid(45)
        assert min(times) < timeout <= max(times)

    @pytest.mark.parametrize("timeout", [30, 60, 120, 180, 240, 300, 350])
    def test_the_default_budget_is_just_below_the_timers(self, timeout):
        below = [time for time in grid(360) if time < timeout]
        assert timeout - max(below) <= 10

    def test_a_tiny_budget_is_a_time(self):
        assert grid(2) == (2.0,)

    @pytest.mark.parametrize("budget", [0, -1, math.nan])
    def test_no_budget_is_no_time(self, budget):
        assert grid(budget) == ()

    @given(st.floats())
    def test_total(self, budget):
        times = grid(budget)
        assert list(times) == sorted(set(times))
        assert all(0 < time <= budget for time in times)
        assert len(times) <= 20


class TestBracket:
    def test_between_the_longest_survivor_and_the_shortest_casualty(self):
        probes = [push(4), push(10), push(15, "silence"), push(20, "rst")]
        assert bracket(probes, "push") == Bracket(10, 15, "silence")

    def test_other_modes_do_not_count(self):
        probes = [push(4), IdleProbe(mode="echo", idle=9, outcome="silence")]
        assert bracket(probes, "push") == Bracket(4)
        assert bracket(probes, "echo") == Bracket(0, 9, "silence")

    def test_a_connection_that_ended_early_tells_when(self):
        probes = [push(58), push(90, "rst", ended=60.0), push(118, "fin", ended=60.1)]
        assert bracket(probes, "push") == Bracket(58, 60, "rst")

    def test_one_that_ended_with_our_word_does_not(self):
        assert bracket([push(9, "rst", ended=9.0)], "push").dead == 9

    def test_a_longer_survivor_is_odd(self):
        found = bracket([push(4), push(10, "silence"), push(20)], "push")
        assert (found.alive, found.dead, found.odd) == (4, 10, 20)

    def test_what_the_gateway_said_by_itself_did_arrive(self):
        found = bracket([push(10, "refreshed", refresh=3.0), push(2)], "push")
        assert (found.alive, found.dead, found.refreshed) == (3, 0, 3)

    def test_what_did_not_run_says_nothing(self):
        probes = [push(4, "unfinished"), push(9, "not-started"), push(-1), push(math.nan)]
        found = bracket(probes, "push")
        assert found == Bracket()
        assert not found.is_known

    @given(
        st.lists(
            st.builds(
                IdleProbe,
                mode=st.sampled_from(["push", "echo"]),
                idle=st.floats(),
                outcome=st.sampled_from(OUTCOMES),
                refresh=st.floats(),
                ended=st.floats(),
            )
        )
    )
    def test_total(self, probes):
        found = bracket(probes, "push")
        assert found.alive < found.dead or not found.dead
        assert found.alive >= 0
        assert (found.dead > 0) is (found.how != "")
        assert isinstance(outcomes(probes, "push"), str)


def test_outcomes_are_one_line():
    probes = [push(15, "silence"), push(10), push(4.5)]
    assert outcomes(probes, "push") == "alive 4.5, 10; silence 15"
    assert outcomes(probes, "echo") == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(7190, "7190"), (432000, "432000"), (60.04, "60"), (4.0, "4"), (2.345, "2.35")],
)
def test_shown(seconds, text):
    assert shown(seconds) == text


def test_is_time():
    assert is_time(0.5)
    assert not any(map(is_time, (0, -1, math.inf, math.nan)))
