"""The fuzzer finds what it should, and every target survives a first look."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support import fuzz as fuzzer
from support.fuzz import Target, fuzz
from support.fuzz_saved import SAVED_TARGETS
from support.fuzz_targets import TARGETS

LOCK = """
def enter(data):
    if data[:1] == b"n":
        if data[1:2] == b"e":
            if data[2:3] == b"t":
                raise RuntimeError("in")
"""


@pytest.fixture
def lock() -> Target:
    """A planted bug behind three steps that only coverage can find one by one."""
    scope: dict[str, Callable[[bytes], object]] = {}
    exec(compile(LOCK, "planted/lock.py", "exec"), scope)
    return Target("lock", scope["enter"], (b"abc",), area="planted")


def test_planted_bug_is_found_by_coverage(lock: Target):
    outcome = fuzz(lock, seconds=60, inputs=200_000)
    assert outcome.finding is not None
    assert outcome.finding.data.startswith(b"net")
    assert "RuntimeError: in" in str(outcome.finding)
    assert outcome.kept >= 3


def test_without_the_coverage_it_is_not_found(lock: Target):
    blind = Target("blind", lock.run, lock.seeds, area="no-such-file")
    assert fuzz(blind, seconds=60, inputs=20_000).finding is None


def test_slow_input_is_a_finding(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fuzzer, "SLOW", -1.0)
    outcome = fuzz(Target("slow", len, (b"x",)), seconds=60, inputs=1)
    assert outcome.finding is not None
    assert "took" in outcome.finding.what


def test_same_seed_takes_the_same_road(lock: Target):
    first, second = (fuzz(lock, seconds=60, inputs=500, seed=7) for _ in range(2))
    assert (first.kept, first.edges) == (second.kept, second.edges)


@pytest.mark.parametrize("target", [*TARGETS, *SAVED_TARGETS], ids=lambda target: target.name)
def test_target_survives(target: Target):
    outcome = fuzz(target, seconds=30, inputs=1_500)
    assert outcome.finding is None, str(outcome.finding)
    assert outcome.edges > 10
