"""The keepalive that follows from a bracket."""

from __future__ import annotations

import math
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.idle_times import Bracket
from diagnostics.keepalives import (
    DEFAULT_INTERVAL,
    LONGEST_INTERVAL,
    count_for,
    interval_for,
    keepalive_fixes,
    keepalive_words,
)


@pytest.mark.parametrize(
    ("alive", "dead", "interval"),
    [
        (0, 0, DEFAULT_INTERVAL),
        (0, 4, 1),
        (0, 1, 1),
        (4, 10, 2),
        (10, 15, 5),
        (28, 45, 14),
        (45, 0, 17),
        (58, 90, 24),
        (340, 590, LONGEST_INTERVAL),
        (7190, 0, LONGEST_INTERVAL),
        (2, 3, 1),
    ],
)
def test_interval(alive, dead, interval):
    assert interval_for(Bracket(alive, dead)) == interval


@given(st.floats(), st.floats())
def test_interval_is_total_and_safe(alive, dead):
    interval = interval_for(Bracket(alive, dead))
    assert 1 <= interval <= LONGEST_INTERVAL
    if math.isfinite(alive) and alive >= 2:
        # one keepalive may be lost, and the next is still in time
        assert 2 * interval <= alive


@pytest.mark.parametrize(
    ("interval", "count"),
    [(2, 45), (14, 7), (30, 3), (120, 2), (0, 3), (math.nan, 3), (0.01, 1000)],
)
def test_count(interval, count):
    assert count_for(interval) == count


@given(st.floats(), st.floats())
def test_count_is_total(interval, outage):
    assert 2 <= count_for(interval, outage) <= 1000


def test_words():
    text = keepalive_words(Bracket(28, 45))
    assert "--keepalive 14;" in text
    assert "ServerAliveInterval 14 and ServerAliveCountMax 7" in text
    assert "PuTTY (Connection) 14 seconds" in text


def test_fixes():
    netkit, openssh = keepalive_fixes("linux", "gw", Bracket(28, 45))
    assert netkit.argv == (
        *("netkit", "forward", "...", "--keepalive", "14", "--keepalive-count", "7"),
    )
    assert openssh.argv[:2] == ("sh", "-c")
    assert openssh.persistent


def test_the_lines_for_openssh_are_what_ssh_reads(tmp_path):
    (tmp_path / ".ssh").mkdir()
    config = tmp_path / ".ssh/config"
    config.write_text("Host other")
    fix = keepalive_fixes("linux", "gw.example", Bracket(28, 45))[1]
    subprocess.run(fix.argv, check=True, env={"HOME": str(tmp_path)})
    assert config.read_text().splitlines() == [
        *("Host other", "Host gw.example", "  ServerAliveInterval 14", "  ServerAliveCountMax 7"),
    ]
    if shutil.which("ssh"):
        shown = subprocess.run(
            ["ssh", "-G", "-F", str(config), "gw.example"], check=True, capture_output=True
        ).stdout
        assert {b"serveraliveinterval 14", b"serveralivecountmax 7"} <= set(shown.splitlines())


def test_powershell_gets_quoted_lines():
    argv = keepalive_fixes("windows", "gw", Bracket(28, 45))[1].argv
    assert argv[0] == "powershell"
    assert argv[-1] == (
        "Add-Content ~/.ssh/config 'Host gw','  ServerAliveInterval 14','  ServerAliveCountMax 7'"
    )


@pytest.mark.parametrize("gateway", ["", "$(reboot)", 'a"b', "a b", "-x", "%h", "a\nb"])
def test_no_line_for_a_name_that_a_shell_would_read(gateway):
    assert len(keepalive_fixes("linux", gateway, Bracket(28, 45))) == 1


@given(st.text(), st.text())
def test_fixes_are_total(os, gateway):
    assert keepalive_fixes(os, gateway, Bracket())
