"""The known timers: each with a source, and found by the bracket around it."""

from __future__ import annotations

import pytest

from diagnostics.idle_times import grid
from diagnostics.knowledge.nat_timers import PLATFORMS, TIMERS, expected_on, suspects


def test_every_timer_has_a_source_and_a_time():
    for timer in TIMERS:
        assert timer.name
        assert len(timer.source) > 10
        assert timer.seconds > 0
        assert timer.ends in ("", "silence", "rst")
        assert timer.platform in ("", *PLATFORMS)


@pytest.mark.parametrize("timer", [t for t in TIMERS if t.seconds <= 3600], ids=lambda t: t.name)
def test_the_grid_brackets_each_within_its_reach(timer):
    times = grid(7200)
    alive = max(time for time in times if time < timer.seconds)
    dead = min(time for time in times if time >= timer.seconds)
    assert timer in suspects(alive, dead, timer.ends or "silence")
    # the bracket is narrow below: the timer runs out soon after the last survivor
    assert timer.seconds - alive <= 11


def test_suspects_fit_the_bracket_and_the_manner():
    names = {timer.name for timer in suspects(340, 590, "rst")}
    assert "AWS NAT gateway" in names
    assert "AWS Network Firewall" not in names
    assert not suspects(340, 0, "silence")
    assert not suspects(4, 10, "silence")


def test_expected_on():
    assert [timer.seconds for timer in expected_on("gcp")] == [600, 1200]
    assert expected_on("azure")[0].seconds == 240
    assert expected_on("") == ()
