from __future__ import annotations

import pytest

from netkit.advise import routing
from netkit.advise.model import Need, System, Technology
from support import advice

W = Technology.WIREGUARD


def test_forwarding_on_the_sides_that_route():
    steps = routing.forwarding_steps(advice.two_sites(W))
    assert [(step.where, step.argv[-1]) for step in steps] == [
        ("here", "net.ipv4.ip_forward=1"),
        ("gateway", "net.ipv4.ip_forward=1"),
    ]
    (alone,) = routing.forwarding_steps(advice.two_sites(W, Need.HOST_TO_LAN))
    assert alone.where == "gateway"
    assert alone.undo[-1].endswith("=0")


def test_rules_can_be_loaded_twice():
    sites = advice.two_sites(W, Need.HOST_TO_LAN)
    (file,) = routing.masquerade_file(sites, sites.tunnel.networks)
    assert "table inet netkit0 {}\ndelete table inet netkit0\n" in file.text
    (step,) = routing.masquerade_steps((file,), sites)
    assert step.undo == ("nft", "delete", "table", "inet", "netkit0")


def test_other_systems_are_told_by_a_note():
    sites = advice.two_sites(W, Need.HOST_TO_LAN, gateway_os=System.OTHER)
    assert routing.masquerade_file(sites, sites.tunnel.networks) == ()
    assert "NAT" in routing.notes(sites)[0]
    between = advice.two_sites(W, here_os=System.MACOS)
    assert len(routing.notes(between)) == 2


@pytest.mark.parametrize(
    ("login", "words"),
    [
        ("me@gw.example:2222", ("-P", "2222", "gateway", "me@gw.example:")),
        ("gw", ("gateway", "gw:")),
        ("me@[2001:db8::1]:22", ("-P", "22", "gateway", "me@[2001:db8::1]:")),
    ],
)
def test_copying(login, words):
    (step,) = routing.copy_step(advice.two_sites(W, gateway=(login,)))
    assert step.argv == ("scp", "-r", *words)
