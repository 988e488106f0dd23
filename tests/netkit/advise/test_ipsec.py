from __future__ import annotations

import re
from typing import Any

import pytest

from netkit.advise.ipsec import IF_ID, pairs, render
from netkit.advise.model import Need, Technology
from support import advice

ONE, FOUR = Technology.IPSEC_ONE, Technology.IPSEC_FOUR


def children(text: str) -> dict[str, tuple[str, str]]:
    """Return the selectors of each child."""
    form = r"^ {12}(\S+) \{\n\s+local_ts = (.*)\n\s+remote_ts = (.*)\n"
    return {name: (mine, theirs) for name, mine, theirs in re.findall(form, text, re.MULTILINE)}


def test_the_four_tunnels():
    found = advice.made(FOUR)
    lan, far = "192.168.1.0/24", "10.1.0.0/16, 10.3.0.0/24"
    here = children(advice.file(found, "here/netkit0.conf"))
    assert here == {
        "lan-lan": (lan, far),
        "gateway-gateway": ("dynamic", "dynamic"),
        "gateway-lan": ("dynamic", far),
        "lan-gateway": (lan, "dynamic"),
    }
    there = children(advice.file(found, "gateway/netkit0.conf"))
    assert there == {name: (theirs, mine) for name, (mine, theirs) in here.items()}


def test_one_tunnel_by_routes():
    found = advice.made(ONE)
    text = advice.file(found, "here/netkit0.conf")
    assert children(text) == {"all": ("0.0.0.0/0", "0.0.0.0/0")}
    assert f"if_id_in = {IF_ID}" in text
    assert f"if_id_out = {IF_ID}" in text
    assert "ip route add 10.1.0.0/16 dev netkit0" in advice.file(found, "here/netkit0-up.sh")
    assert "ip route add 192.168.1.0/24" in advice.file(found, "gateway/netkit0-up.sh")
    assert "route get 198.51.100.7" in advice.file(found, "here/netkit0-up.sh")
    assert IF_ID < 10, "written alike in decimal and hexadecimal"


def test_a_single_machine_gets_an_address():
    found = advice.made(FOUR, Need.HOST_TO_LAN)
    here, gateway = (advice.file(found, f"{side}/netkit0.conf") for side in ("here", "gateway"))
    assert children(here) == {"gateway-lan": ("dynamic", "10.1.0.0/16, 10.3.0.0/24")}
    assert "vips = 0.0.0.0\n" in here
    assert "addrs = 10.255.255.253\n" in gateway
    assert len(pairs(advice.two_sites(FOUR, Need.HOST_TO_LAN))) == 1


@pytest.mark.parametrize("technology", [ONE, FOUR])
def test_the_two_sides_belong_together(technology):
    found = advice.made(technology, local_address=("203.0.113.9",))
    here, gateway = (advice.file(found, f"{side}/netkit0.conf") for side in ("here", "gateway"))
    secret = f'secret = "0s{advice.keys().shared}"'
    assert secret in here
    assert secret in gateway
    assert "remote_addrs = 198.51.100.7\n" in here
    assert "remote_addrs = 203.0.113.9\n" in gateway
    assert "encap = no\n" in here
    assert "start_action = start\n" in here
    assert "start_action = start" not in gateway


def test_both_versions():
    v6: dict[str, Any] = {
        name.replace("-", "_"): value for name, value in advice.BOTH_VERSIONS.items()
    }
    text = advice.file(advice.made(ONE, **v6), "here/netkit0.conf")
    assert children(text)["all"] == ("0.0.0.0/0, ::/0", "0.0.0.0/0, ::/0")
    alone = advice.made(FOUR, Need.HOST_TO_LAN, **v6)
    assert "vips = 0.0.0.0, ::\n" in advice.file(alone, "here/netkit0.conf")
    assert "netkit0-ipv6 {" in advice.file(alone, "gateway/netkit0.conf")


def test_render():
    assert render({"a": {"b": "1", "c": {}}}) == "a {\n    b = 1\n    c {\n    }\n}\n"
