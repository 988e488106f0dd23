from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.knowledge.protocol_details import DETAILS, Carried, carried, detail, look_up
from diagnostics.knowledge.protocol_types import Passes
from diagnostics.knowledge.protocols import NAMES, TABLE


def test_every_protocol_has_details_and_only_those():
    assert set(DETAILS) == {each.names[0] for each in TABLE}


@pytest.mark.parametrize("protocol", TABLE, ids=lambda each: each.names[0])
def test_details_agree_with_the_table(protocol):
    more = detail(protocol)
    for port in protocol.ports:  # those that the doctor takes a forward's meaning from
        assert any(port in each and each.transport == "tcp" for each in more.ports)
    assert not more.lacks or more.lacks.endswith(".")
    assert all(way.words.startswith("netkit ") for way in more.ways)
    assert all(0 < port.first <= port.last < 65536 for port in more.ports)
    assert {port.transport for port in more.ports} <= {"tcp", "udp"}
    if more.need:
        assert not protocol.works, "who can use a tunnel needs no VPN"
    if not protocol.works:
        assert more.need or more.lacks, "what then?"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pop3", Carried.YES),
        ("x11", Carried.YES),
        ("ftp", Carried.SOCKS),
        ("kafka", Carried.SOCKS),
        ("dns", Carried.CARE),
        ("smb", Carried.CARE),
        ("sip", Carried.NO),
        ("icmp", Carried.NO),
        ("rpc", Carried.NO),
        ("netbios", Carried.NO),
    ],
)
def test_carried(name, expected):
    (protocol,) = look_up(name)
    assert carried(protocol) is expected


@pytest.mark.parametrize(
    ("word", "first"),
    [
        ("POP3", "pop3"),
        ("110", "pop3"),
        ("995", "pop3"),
        ("21", "ftp"),
        ("443", "https"),  # and not QUIC, which has the number over UDP
        ("6010", "x11"),
        ("3389", "rdp"),
        ("5930", "vnc"),
        ("5353", "mdns"),
        ("1720", "h323"),
    ],
)
def test_look_up(word, first):
    assert look_up(word)[0].names[0] == first


@pytest.mark.parametrize("word", ["", "nothing", "0", "65536", "99999999999", "²", "-1", "7"])
def test_look_up_of_what_is_not_known(word):
    assert look_up(word) == ()


def test_a_number_can_mean_several():
    names = {each.names[0] for each in look_up("514")}
    assert names == {"syslog", "rsh"}


@given(st.text() | st.integers().map(str) | st.sampled_from(NAMES))
def test_look_up_is_total(word):
    for each in look_up(word):
        assert each in TABLE
        assert (carried(each) is Carried.YES) == (each.passes is Passes.YES)


def test_ports_as_text():
    assert [str(port) for port in DETAILS["pop3"].ports] == ["110/tcp", "995/tcp (TLS)"]
    assert str(DETAILS["x11"].ports[0]) == "6000-6063/tcp"
