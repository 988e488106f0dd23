from __future__ import annotations

import configparser

import pytest

from netkit.advise.model import Need, System, Technology
from netkit.advise.wireguard import for_reading
from support import advice

W = Technology.WIREGUARD


def read(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment]
    parser.read_string(text)
    return parser


def test_the_two_sides_belong_together():
    found = advice.made(W)
    here = read(advice.file(found, "here/netkit0.conf"))
    gateway = read(advice.file(found, "gateway/netkit0.conf"))
    keys = advice.keys()
    assert here["Interface"]["PrivateKey"] == keys.wireguard_here.private
    assert here["Peer"]["PublicKey"] == keys.wireguard_gateway.public
    assert gateway["Interface"]["PrivateKey"] == keys.wireguard_gateway.private
    assert gateway["Peer"]["PublicKey"] == keys.wireguard_here.public
    assert here["Peer"]["PresharedKey"] == gateway["Peer"]["PresharedKey"]
    assert here["Peer"]["Endpoint"] == "198.51.100.7:51820"
    assert gateway["Interface"]["ListenPort"] == "51820"
    assert "Endpoint" not in gateway["Peer"]
    assert here["Peer"]["AllowedIPs"].endswith("10.1.0.0/16, 10.3.0.0/24")
    assert gateway["Peer"]["AllowedIPs"].endswith("192.168.1.0/24")


def test_a_single_machine_is_hidden_behind_the_gateway():
    found = advice.made(W, Need.HOST_TO_LAN)
    assert "192.168.1.0" not in advice.file(found, "gateway/netkit0.conf")
    rules = advice.file(found, "gateway/netkit0.nft")
    assert "ip saddr 10.255.255.252/30 ip daddr 10.1.0.0/16 masquerade" in rules
    assert not any("nft" in each.path for each in advice.made(W).files)


def test_ipv6():
    found = advice.made(W, gateway_address=("2001:db8:ff::7",), **_v6())
    here = read(advice.file(found, "here/netkit0.conf"))
    assert here["Peer"]["Endpoint"] == "[2001:db8:ff::7]:51820"
    assert "2001:db8:1::/48" in here["Peer"]["AllowedIPs"]
    assert "fd" in here["Interface"]["Address"]


def _v6():
    return {name.replace("-", "_"): value for name, value in advice.BOTH_VERSIONS.items()}


def test_for_reading_looks_nothing_up():
    text = "[Peer]\nEndpoint = gw.example:5\nEndpoint = [2001:db8::1]:6\n"
    assert for_reading(text) == "[Peer]\nEndpoint = 127.0.0.1:5\nEndpoint = [2001:db8::1]:6\n"


def test_port_and_name():
    found = advice.made(W, port=("4500",), name=("vpn1",))
    assert "ListenPort = 4500" in advice.file(found, "gateway/vpn1.conf")
    assert ("wg-quick", "up", "vpn1") in [step.argv for step in found.steps]


@pytest.mark.parametrize(
    ("system", "word"),
    [
        (System.WINDOWS, "/installtunnelservice"),
        (System.MACOS, "/usr/local/etc/wireguard/netkit0.conf"),
    ],
)
def test_other_systems(system, word):
    found = advice.made(W, here_os=system)
    assert any(word in step.argv for step in found.steps)
