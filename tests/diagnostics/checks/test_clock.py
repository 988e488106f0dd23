"""Clocks that cannot be right, that contradict files, and machines that slept."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.checks.clock import CHECK, EARLIEST, LATEST, Facts, judge, probe
from diagnostics.model import Severity, Target
from diagnostics.system import Clocks, FileStat
from support.any_values import any_of
from support.machine import FakeSystem

CODES = {kind.code for kind in CHECK.finds}
NOW = 1_800_000_000.0
KNOWN_HOSTS = "/home/me/.ssh/known_hosts"


def examine(os: str = "linux", wall: float = NOW, slept: float | None = 0.0, modified: float = NOW):
    boot = None if slept is None else 1000.0 + slept
    system = FakeSystem(
        os,
        clocks=Clocks(wall, 1000.0, boot),
        stats={KNOWN_HOSTS: FileStat(KNOWN_HOSTS, "file", modified=modified)},
    )
    return judge(probe(Target(), system))


@pytest.mark.parametrize("os", ["linux", "darwin", "windows", "freebsd"])
def test_a_healthy_machine(os):
    assert examine(os) == ()
    assert examine(os, slept=None) == ()
    assert examine(os, slept=59) == ()
    assert examine(os, modified=NOW + 3600) == ()


@pytest.mark.parametrize(
    ("os", "tool"),
    [("linux", "timedatectl"), ("darwin", "sntp"), ("windows", "w32tm"), ("freebsd", "")],
)
@pytest.mark.parametrize(("wall", "word"), [(EARLIEST - 1, "2025"), (LATEST + 1, "2099")])
def test_a_clock_that_cannot_be_right(os, tool, wall, word):
    (finding,) = examine(os, wall, modified=NOW)
    assert (finding.code, finding.severity) == ("clock-wrong", Severity.WARNING)
    assert word in finding.title
    assert [tool in each.command for each in finding.fixes] == [True] * bool(tool)


@pytest.mark.parametrize(
    ("ahead", "words"), [(7300, "2 hours"), (3700, "62 minutes"), (86400 * 9, "9 days")]
)
def test_a_file_that_is_younger(ahead, words):
    (finding,) = examine(modified=NOW + ahead)
    assert (finding.code, finding.severity) == ("clock-behind-files", Severity.WARNING)
    assert words in finding.title
    assert finding.subject == KNOWN_HOSTS


def test_a_file_from_nowhere_is_no_witness():
    assert examine(modified=LATEST + 1) == ()


@pytest.mark.parametrize(
    ("seconds", "words"), [(61, "61 seconds"), (7200, "2 hours"), (172800, "2 days")]
)
def test_slept(seconds, words):
    (finding,) = examine(slept=seconds)
    assert (finding.code, finding.severity) == ("machine-slept", Severity.INFO)
    assert words in finding.title


@given(st.sampled_from(["linux", "darwin", "windows"]), any_of(Facts))
def test_is_total(os, facts):
    assert {each.code for each in judge(replace(facts, os=os))} <= CODES
