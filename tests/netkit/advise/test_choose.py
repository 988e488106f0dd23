"""The decision, over every combination of answers."""

from __future__ import annotations

import itertools

import pytest

from netkit.advise.choose import ORDER, WEAK, choose, drawback
from netkit.advise.model import Answers, Need, Peer, System, Technology

T = Technology
BOTH = (True, False)
ALL = [
    Answers(
        need=need,
        root_here=root_here,
        root_gateway=root_gateway,
        udp=udp,
        ssh=ssh,
        here=here,
        gateway=gateway,
        peer=peer,
    )
    for need, root_here, root_gateway, udp, ssh, here, gateway, peer in itertools.product(
        Need, BOTH, BOTH, BOTH, BOTH, System, System, Peer
    )
]
ROOT = {"root_here": True, "root_gateway": True}


def best(need: Need, **more) -> Technology | None:
    found = choose(Answers(need=need, **more)).best
    return found.technology if found is not None else None


def test_every_combination_has_a_verdict_on_everything():
    assert len(ALL) == 7680
    for answers in ALL:
        advice = choose(answers)
        assert sorted(each.technology.value for each in advice.verdicts) == sorted(
            each.value for each in T
        )
        assert advice.answers is answers
        for each in advice.verdicts:
            assert each.why
            assert all(each.lacks)
            assert each.fits == (not each.lacks)


def test_what_is_chosen_can_be_done():
    """The rules, said once more the other way round."""
    for answers in ALL:
        found = choose(answers).best
        if found is None:
            continue
        chosen = found.technology
        over_ssh = {T.TCP_FORWARD, T.SOCKS, T.SSHUTTLE, T.SSH_TUN, T.PPP_SSH}
        vpn = set(T) - {T.TCP_FORWARD, T.SOCKS, T.SSHUTTLE, T.ZEBEDEE}
        assert answers.ssh or chosen not in over_ssh
        assert answers.root_gateway or chosen not in vpn
        assert answers.root_here or chosen not in vpn | {T.SSHUTTLE}
        assert answers.udp or chosen not in {T.WIREGUARD, T.IPSEC_ONE, T.IPSEC_FOUR}
        assert answers.peer is Peer.ZEBEDEE or chosen is not T.ZEBEDEE
        if answers.need in {Need.HOST_TO_LAN, Need.LAN_TO_LAN}:
            assert chosen in vpn
        if answers.need is Need.UDP:
            assert chosen in vpn | {T.ZEBEDEE}


def test_more_rights_never_take_a_choice_away():
    for answers in ALL:
        if answers.root_here or answers.root_gateway:
            continue
        if choose(answers).best is not None:
            more = Answers(
                need=answers.need,
                **ROOT,
                udp=answers.udp,
                ssh=answers.ssh,
                here=answers.here,
                gateway=answers.gateway,
                peer=answers.peer,
            )
            assert choose(more).best is not None


@pytest.mark.parametrize(
    ("need", "more", "expected"),
    [
        (Need.TCP, {}, T.TCP_FORWARD),
        (Need.TCP, {"peer": Peer.WIREGUARD}, T.TCP_FORWARD),
        (Need.TCP, {"ssh": False}, None),
        (Need.TCP, {"ssh": False, **ROOT}, T.WIREGUARD),
        (Need.TCP, {"ssh": False, "peer": Peer.ZEBEDEE}, T.ZEBEDEE),
        (Need.TCP, {"peer": Peer.ZEBEDEE}, T.TCP_FORWARD),
        (Need.WEB, {}, T.SOCKS),
        (Need.NETWORK, {}, None),
        (Need.NETWORK, {"root_here": True}, T.SSHUTTLE),
        (Need.NETWORK, {"root_here": True, "here": System.WINDOWS}, None),
        (Need.NETWORK, {**ROOT, "here": System.WINDOWS}, T.WIREGUARD),
        (Need.UDP, {}, None),
        (Need.UDP, {"root_here": True}, None),
        (Need.UDP, ROOT, T.WIREGUARD),
        (Need.UDP, {"peer": Peer.ZEBEDEE}, T.ZEBEDEE),
        (Need.HOST_TO_LAN, ROOT, T.WIREGUARD),
        (Need.HOST_TO_LAN, {**ROOT, "udp": False}, T.OPENVPN),
        (Need.HOST_TO_LAN, {**ROOT, "peer": Peer.IPSEC}, T.IPSEC_ONE),
        (Need.HOST_TO_LAN, {**ROOT, "peer": Peer.IPSEC, "udp": False}, None),
        (Need.LAN_TO_LAN, ROOT, T.WIREGUARD),
        (Need.LAN_TO_LAN, {**ROOT, "peer": Peer.IPSEC}, T.IPSEC_ONE),
        (Need.LAN_TO_LAN, {**ROOT, "peer": Peer.IPSEC, "gateway": System.OTHER}, T.IPSEC_FOUR),
        (Need.LAN_TO_LAN, {**ROOT, "udp": False}, T.OPENVPN),
        (Need.LAN_TO_LAN, {**ROOT, "udp": False, "peer": Peer.ZEBEDEE}, None),
    ],
)
def test_choices(need, more, expected):
    assert best(need, **more) is expected


@pytest.mark.parametrize("need", Need)
def test_each_order_names_everything_once(need):
    assert len(ORDER[need]) == len(set(ORDER[need])) == len(T)


def test_zebedee_is_warned_of():
    assert WEAK in choose(Answers(need=Need.TCP)).of(T.ZEBEDEE).lacks


def test_the_weightiest_lack_comes_first():
    lacks = choose(Answers(need=Need.UDP, ssh=False)).of(T.SOCKS).lacks
    assert lacks[0].startswith("carries TCP")
    assert lacks[1] == "needs an SSH login on the gateway"


@pytest.mark.parametrize("technology", T)
def test_everything_has_its_words(technology):
    assert technology.title
    assert drawback(technology)
