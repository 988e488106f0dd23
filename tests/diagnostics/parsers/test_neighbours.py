"""The MAC address of a neighbour in what each system prints."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers.neighbours import mac_of

RECORDED = Path(__file__).resolve().parents[2] / "recorded"
FOUR = "00:18:01:8f:23:ed"
SIX = "1e:2e:8a:11:5d:09"
ROUTER6 = "fe80::1c2e:8aff:fe11:5d09"


@pytest.mark.parametrize(
    ("sample", "address", "mac"),
    [
        ("linux/proc_net_arp.txt", "192.168.1.1", FOUR),
        ("linux/proc_net_arp.txt", "192.168.1.9", ""),
        ("linux/proc_net_arp.txt", "192.168.1", ""),
        ("linux/ip_neigh.txt", ROUTER6, SIX),
        ("linux/ip_neigh.txt", "192.168.1.9", ""),
        ("darwin/arp_n.txt", "192.168.1.1", FOUR),
        ("darwin/arp_n.txt", "169.254.77.120", ""),
        ("darwin/ndp_an.txt", ROUTER6, SIX),
        ("darwin/ndp_an.txt", "fe80::1", ""),
        ("windows/arp_a_german.txt", "192.168.1.1", FOUR),
        ("windows/arp_a_german.txt", "192.168.1.10", ""),
        ("windows/netsh_neighbors.txt", ROUTER6, SIX),
        ("windows/netsh_neighbors.txt", "2001:db8:1::5", ""),
    ],
)
def test_recorded(sample, address, mac):
    assert mac_of((RECORDED / sample).read_bytes(), address) == mac


@given(st.binary() | st.from_regex(rb"10\.0\.0\.1 [0-9a-f:\n-]*"), st.text() | st.just("10.0.0.1"))
def test_total(data, address):
    assert len(mac_of(data, address)) in (0, 17)
