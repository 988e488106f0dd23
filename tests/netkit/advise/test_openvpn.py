from __future__ import annotations

import pytest

from netkit.advise.model import Need, System, Technology
from netkit.advise.openvpn import for_reading
from support import advice

OVPN = Technology.OPENVPN


def options(text: str) -> list[str]:
    return text.partition("<cert>")[0].splitlines()


def test_the_two_sides_belong_together():
    found = advice.made(OVPN)
    here, gateway = (advice.file(found, f"{side}/netkit0.conf") for side in ("here", "gateway"))
    keys = advice.keys()
    assert f"<peer-fingerprint>\n{keys.tls_gateway.fingerprint}\n" in here
    assert f"<peer-fingerprint>\n{keys.tls_here.fingerprint}\n" in gateway
    assert keys.tls_here.key in here
    assert keys.tls_here.key not in gateway
    assert keys.static in here
    assert keys.static in gateway
    assert "remote 198.51.100.7 1194 udp" in options(here)
    assert "ifconfig 10.255.255.253 10.255.255.254" in options(here)
    assert "ifconfig 10.255.255.254 10.255.255.253" in options(gateway)
    assert "route 10.1.0.0 255.255.0.0" in options(here)
    assert "route 192.168.1.0 255.255.255.0" in options(gateway)


def test_over_tcp():
    found = advice.made(OVPN, udp=False, gateway_address=("2001:db8:ff::7",))
    assert "remote 2001:db8:ff::7 1194 tcp6-client" in advice.file(found, "here/netkit0.conf")
    assert "proto tcp6-server" in advice.file(found, "gateway/netkit0.conf")
    assert any("UDP is better" in note for note in found.notes)


def test_ipv6_inside():
    found = advice.made(OVPN, remote_net=("2001:db8:1::/48",), local_net=("2001:db8:2::/48",))
    text = advice.file(found, "here/netkit0.conf")
    assert "route-ipv6 2001:db8:1::/48" in text
    assert "ifconfig-ipv6 fd" in text


def test_no_route_back_for_a_single_machine():
    found = advice.made(OVPN, Need.HOST_TO_LAN)
    assert "route " not in "\n".join(options(advice.file(found, "gateway/netkit0.conf")))


@pytest.mark.parametrize(("system", "name"), [(System.WINDOWS, "ovpn"), (System.MACOS, "conf")])
def test_other_systems(system, name):
    found = advice.made(OVPN, here_os=system)
    assert advice.file(found, f"here/netkit0.{name}")


def test_for_reading_leads_nowhere():
    text = for_reading(
        "dev x\ndev-type tun\nremote gw.example 1194 udp\nremote 2001:db8::1 1 udp6\n"
    )
    assert text == "dev x\nremote 127.0.0.1 1194 udp\nremote ::1 1 udp6\n"
