from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.advise import questions
from netkit.advise.model import Need, Peer, System, Technology
from netkit.advise.questions import QUESTIONS, Question, check_answer
from netkit.errors import UsageError
from support import advice


def names(found: tuple[Question, ...]) -> list[str]:
    return [each.name for each in found]


@pytest.mark.parametrize(
    ("given_values", "ask", "expected"),
    [
        ({}, False, ["need"]),
        ({}, True, ["need"]),
        ({"need": ["tcp"]}, True, []),
        ({"need": ["tcp"], "ssh": ["no"]}, False, ["root"]),
        ({"need": ["udp"]}, False, ["root"]),
        ({"need": ["udp"]}, True, ["root", "udp", "peer"]),
        ({"need": ["udp"], "root": ["both"], "udp": ["no"]}, True, ["peer"]),
        ({"need": ["udp"], "root": ["both"]}, False, []),
    ],
)
def test_undecided(given_values, ask, expected):
    assert names(questions.undecided(given_values, ask=ask)) == expected


@pytest.mark.parametrize(
    ("technology", "given_values", "ask", "expected"),
    [
        (Technology.TCP_FORWARD, {}, False, ["gateway", "to"]),
        (Technology.SOCKS, {}, False, ["gateway"]),
        (Technology.WIREGUARD, {}, False, ["gateway-address", "remote-net", "local-net"]),
        (Technology.WIREGUARD, {"gateway": ["gw"]}, False, ["remote-net", "local-net"]),
        (Technology.SSH_TUN, {"gateway-address": ["gw"]}, False, ["remote-net", "local-net"]),
        (Technology.IPSEC_ONE, advice.GIVEN, False, []),
        (Technology.IPSEC_ONE, advice.GIVEN, True, ["local-address"]),
    ],
)
def test_unaddressed(technology, given_values, ask, expected):
    found = questions.unaddressed(technology, Need.LAN_TO_LAN, given_values, ask=ask)
    assert names(found) == expected


def test_answers():
    found = questions.answers(
        {"need": ["udp"], "root": ["here"], "udp": ["no"], "ssh": ["no"], "peer": ["zebedee"]},
        System.MACOS,
    )
    assert (found.need, found.root_here, found.root_gateway) == (Need.UDP, True, False)
    assert (found.udp, found.ssh, found.peer) == (False, False, Peer.ZEBEDEE)
    assert (found.here, found.gateway) == (System.MACOS, System.LINUX)


def test_what_is_assumed_is_said():
    found = questions.answers({"need": ["udp"]}, System.LINUX)
    assert len(questions.assumed({"need": ["udp"]}, found)) == 3
    assert questions.assumed({"udp": ["yes"], "gateway-os": ["x"], "ssh": ["no"]}, found) == ()


@pytest.mark.parametrize("name", ["root", "udp", "peer", "os"])
def test_words_that_are_no_choice(name):
    with pytest.raises(UsageError):
        questions.answers({"need": ["tcp"], name: ["x"]}, System.LINUX)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("need", "4", ("udp",)),
        ("need", " UDP ", ("udp",)),
        ("udp", "", ("yes",)),
        ("remote-net", "10.1.0.0/16  10.2.0.0/16", ("10.1.0.0/16", "10.2.0.0/16")),
        ("local-address", "", ("",)),
        ("to", "db:5432", ("db:5432",)),
    ],
)
def test_check_answer(name, text, expected):
    assert check_answer(QUESTIONS[name], text) == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [("need", ""), ("need", "0"), ("need", "7"), ("need", "x"), ("remote-net", "x"), ("to", " ")],
)
def test_answers_that_will_not_do(name, text):
    with pytest.raises(UsageError):
        check_answer(QUESTIONS[name], text)


@given(st.sampled_from(sorted(QUESTIONS)), st.text(max_size=40))
def test_any_answer_is_checked_or_refused(name, text):
    with contextlib.suppress(UsageError):
        assert check_answer(QUESTIONS[name], text)


def test_the_login_tells_the_address_and_the_other_way_round():
    found = advice.two_sites(Technology.WIREGUARD, gateway_address=())
    assert found.gateway_address == "gw.example"
    found = advice.two_sites(Technology.SSH_TUN, gateway=())
    assert str(found.login) == "198.51.100.7"
    found = advice.two_sites(Technology.WIREGUARD, gateway=(), ssh=("no",))
    assert found.login is None


def test_questions_have_options_of_the_command():
    from netkit.cli.advise.command import command

    options = {name for parameter in command.params for name in parameter.opts}
    for question in QUESTIONS.values():
        if question.name == "files":
            continue  # for a person only
        name = "--udp-blocked" if question.name == "udp" else question.option
        assert name in options


def test_choices_of_the_command_are_those_of_the_model():
    from netkit.cli.advise import command as advise

    assert [each.value for each in Need] == list(advise.NEEDS)
    assert [each.value for each in System] == list(advise.SYSTEMS)
    assert [each.value for each in Peer] == list(advise.PEERS)
    assert sorted(each.value for each in Technology) == sorted(advise.TECHNOLOGIES)
    assert advise.ROOTS == questions.ROOTS
