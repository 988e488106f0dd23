from __future__ import annotations

from netkit.advise.model import Need, Technology
from netkit.advise.ssh_tun import DEVICE, UNIT, ssh_argv
from support import advice

T = Technology.SSH_TUN


def test_scripts():
    found = advice.made(T)
    up = advice.file(found, "gateway/netkit0-up.sh").splitlines()
    assert up[:3] == ["#!/bin/sh", "set -eu", f"ip tuntap add dev {DEVICE} mode tun user me"]
    assert f"ip address add 10.255.255.254 peer 10.255.255.253 dev {DEVICE}" in up
    assert f"ip route add 192.168.1.0/24 via 10.255.255.253 dev {DEVICE}" in up
    here = advice.file(found, "here/netkit0-up.sh")
    assert "ip route add 10.3.0.0/24 via 10.255.255.254" in here
    assert f"ip tuntap del dev {DEVICE} mode tun\n" in advice.file(found, "here/netkit0-down.sh")


def test_sshd_and_ssh():
    found = advice.made(T)
    assert "\nPermitTunnel point-to-point\n" in advice.file(found, "gateway/netkit0-sshd.conf")
    argv = ssh_argv(advice.two_sites(T))
    assert argv[-5:] == ("-w", f"{UNIT}:{UNIT}", "-p", "2222", "me@gw.example")
    assert found.steps[-1].argv == argv


def test_a_single_machine_has_no_route_back():
    found = advice.made(T, Need.HOST_TO_LAN, gateway=("gw.example",))
    assert "ip route" not in advice.file(found, "gateway/netkit0-up.sh")
    assert 'user "${SUDO_USER:-$(id -un)}"' in advice.file(found, "gateway/netkit0-up.sh")
    assert "masquerade" in advice.file(found, "gateway/netkit0.nft")


def test_ipv6():
    found = advice.made(T, Need.HOST_TO_LAN, remote_net=("2001:db8:1::/48",))
    up = advice.file(found, "here/netkit0-up.sh")
    assert "ip route add 2001:db8:1::/48 via fd" in up
    assert "ip6 daddr 2001:db8:1::/48 masquerade" in advice.file(found, "gateway/netkit0.nft")
