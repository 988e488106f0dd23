"""Which faults are tried again, and when."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit import errors
from netkit.plan.retries import (
    FIRST,
    IN_DEMAND,
    JITTER,
    LONGEST,
    SLACK,
    Backoff,
    Moment,
    change,
    hurried,
    may_help,
    slept,
)

CLOCK = st.floats(0, 1e9)


class TestMayHelp:
    @pytest.mark.parametrize(
        "error",
        [
            errors.GatewayUnreachableError("no such name"),
            errors.LinkLostError("cut"),
            errors.RemoteProtocolError("garbled"),
            errors.OpenError("the next hop does not answer", reason=1),
            errors.RemoteForwardError("taken"),
            errors.ResourceError("no descriptors"),
            errors.NetkitError("who knows", retryable=True),
        ],
    )
    def test_faults_of_network_and_gateway(self, error):
        assert may_help(error)

    @pytest.mark.parametrize(
        "error",
        [
            errors.HostKeyError("changed"),
            errors.AuthenticationError("refused"),
            errors.KeyFileError("encrypted"),
            errors.UsageError("wrong"),
            errors.ConfigError("wrong"),
            errors.AlgorithmError("none in common"),
            errors.LocalProtocolError("bug"),
            errors.NetkitError("who knows"),
        ],
    )
    def test_what_stays_as_it_is(self, error):
        assert not may_help(error)


class TestBackoff:
    @given(st.integers(), st.integers(1, 500))
    def test_grows_from_the_first_to_the_longest(self, seed: int, tries: int):
        backoff = Backoff(random.Random(seed).random)
        delays = [backoff.next() for _ in range(tries)]
        assert FIRST * (1 - JITTER) <= delays[0] <= FIRST * (1 + JITTER)
        assert all(0 < delay <= LONGEST for delay in delays)
        if tries > 20:
            assert delays[-1] >= LONGEST * (1 - JITTER)

    def test_two_clients_do_not_come_back_as_one(self):
        one, other = (Backoff(random.Random(seed).random) for seed in (1, 2))
        assert [one.next() for _ in range(5)] != [other.next() for _ in range(5)]

    def test_without_chance_it_is_geometric(self):
        backoff = Backoff(lambda: 0.5, first=1)
        assert [backoff.next() for _ in range(3)] == [1, 1.5, 2.25]

    def test_link_that_lived_begins_anew(self):
        backoff = Backoff(lambda: 0.5)
        for _ in range(10):
            backoff.next()
        backoff.lived(3600)
        assert backoff.next() == FIRST

    def test_link_that_came_and_went_does_not(self):
        backoff = Backoff(lambda: 0.5)
        for _ in range(10):
            backoff.next()
        backoff.lived(2)
        assert backoff.next() > 5


class TestHurried:
    def test_nobody_waits_longer_than_a_moment(self):
        assert hurried(due=130, last=100, now=105, lost=98) == 105
        assert hurried(due=130, last=100, now=100.2, lost=98) == 100 + IN_DEMAND

    def test_a_gateway_that_stays_away_is_left_alone(self):
        assert hurried(due=4000, last=3700, now=3701, lost=100) > 3860

    def test_what_is_due_sooner_stays(self):
        assert hurried(due=100.3, last=100, now=100.1, lost=98) == 100.3

    @given(CLOCK, CLOCK, CLOCK, CLOCK)
    def test_never_later(self, due: float, last: float, now: float, lost: float):
        assert hurried(due, last, now, lost) <= due


class TestChange:
    def test_monotonic_clock_that_stands_still(self):
        before, after = Moment(1000, 50), Moment(4605, 55)
        assert slept(before, after, 5) == 3600
        assert change(before, after, 5) == "this machine slept for 3600 s"

    def test_monotonic_clock_that_goes_on(self):
        assert slept(Moment(1000, 50), Moment(1000, 3655), 5) == 3600

    @given(CLOCK, CLOCK, st.floats(0, 60), st.floats(0, SLACK * 0.9))
    def test_waits_that_take_what_they_take(self, wall, monotonic, waited, late):
        before = Moment(wall, monotonic)
        after = Moment(wall + waited + late, monotonic + waited + late)
        assert change(before, after, waited) == ""

    @given(st.floats(0, 1e6))
    def test_wall_clock_that_was_set_back(self, back: float):
        assert slept(Moment(1e9, 50), Moment(1e9 + 5 - back, 55), 5) == 0

    def test_network(self):
        before, after = Moment(0, 0, ("10.0.0.2",)), Moment(5, 5, ("192.168.1.7",))
        assert change(before, after, 5) == "the network has changed"
        assert change(before, Moment(5, 5, ("10.0.0.2",)), 5) == ""
