"""The tables of ports hold what their sources say."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from diagnostics.knowledge import ports


def test_blocked_by_browsers():
    # fetch.spec.whatwg.org/#port-blocking has 83 ports, 0 among them
    assert len(ports.BROWSER_BLOCKED) == 82
    assert {1, 22, 25, 4190, 5060, 6000, 6566, 6697, 10080} <= ports.BROWSER_BLOCKED
    assert not ports.BROWSER_BLOCKED & ports.WEB


def test_ranges_are_ranges():
    spans = [ports.X11, ports.SSHD_X11, *ports.EPHEMERAL.values()]
    assert all(0 < low <= high <= 65535 for low, high in spans)
    assert ports.EPHEMERAL["windows"][0] == ports.WINDOWS_DYNAMIC_START


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux'")
def test_this_linux_has_the_default_range_or_another():
    low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    assert int(low) < int(high)
