import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.knowledge.vpn_interfaces import ARPHRD_NONE, is_vpn


@pytest.mark.parametrize(
    ("name", "os", "answer"),
    [
        ("tun0", "linux", True),
        ("wg0", "linux", True),
        ("utun4", "darwin", True),
        ("ppp0", "linux", True),
        ("tailscale0", "linux", True),
        ("eth0", "linux", False),
        ("en0", "darwin", False),
        ("tunnel", "linux", False),
        ("docker0", "linux", False),
        ("TAP-Windows Adapter V9", "windows", True),
        ("Tailscale", "windows", True),
        ("My VPN", "windows", True),
        ("Ethernet 2", "windows", False),
        ("Wi-Fi", "windows", False),
        ("vEthernet (WSL)", "windows", False),
    ],
)
def test_is_vpn(name, os, answer):
    assert is_vpn(name, os) is answer


def test_the_kind_of_link_counts_whatever_the_name():
    assert is_vpn("office", "linux", ARPHRD_NONE)
    assert not is_vpn("office", "linux", 1)


@given(st.text(), st.text(), st.integers())
def test_is_total(name, os, link_type):
    assert is_vpn(name, os, link_type) in (True, False)
