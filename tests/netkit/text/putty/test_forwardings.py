"""PuTTY's forwards both ways; the lists are in PuTTY's own order (tests/recorded/putty)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.model import Endpoint, ForwardKind, ForwardSpec, UnixPath
from netkit.text.putty.forwardings import MAX_FORWARDS, format_forwardings, parse_forwardings

L, R, D = ForwardKind.LOCAL, ForwardKind.REMOTE, ForwardKind.DYNAMIC

LOCAL_HOSTS = st.sampled_from(["", "127.0.0.2", "::1", "localhost", "10.0.0.1"])
HOSTS = st.sampled_from(["host", "10.0.0.5", "2001:db8::5", "a-b.example"])
PORTS = st.integers(1, 65535)
TARGETS = st.builds(Endpoint, HOSTS, PORTS)
FORWARDS = st.one_of(
    st.builds(
        ForwardSpec, st.sampled_from([L, R]), st.builds(Endpoint, LOCAL_HOSTS, PORTS), TARGETS
    ),
    st.builds(ForwardSpec, st.just(D), st.builds(Endpoint, LOCAL_HOSTS, PORTS)),
)


def one(text: str, **accept: bool) -> ForwardSpec:
    found = parse_forwardings(text, **accept)
    assert found.left_out == ()
    (forward,) = found.forwards
    return forward


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("L127.0.0.2:3389=ts:22", ForwardSpec(L, Endpoint("127.0.0.2", 3389), Endpoint("ts", 22))),
        ("R9000=localhost:9000", ForwardSpec(R, Endpoint("", 9000), Endpoint("localhost", 9000))),
        ("D1080=", ForwardSpec(D, Endpoint("", 1080))),
        ("D1080", ForwardSpec(D, Endpoint("", 1080))),
        ("L1080=D", ForwardSpec(D, Endpoint("", 1080))),
        ("4D1080=", ForwardSpec(D, Endpoint("127.0.0.1", 1080))),
        ("6L80=a:1", ForwardSpec(L, Endpoint("::1", 80), Endpoint("a", 1))),
        ("AL80=a:1", ForwardSpec(L, Endpoint("", 80), Endpoint("a", 1))),
        ("4Llocalhost:80=a:1", ForwardSpec(L, Endpoint("127.0.0.1", 80), Endpoint("a", 1))),
        ("L[::1]:80=[::2]:1", ForwardSpec(L, Endpoint("::1", 80), Endpoint("::2", 1))),
        ("L:80=a:1", ForwardSpec(L, Endpoint("", 80), Endpoint("a", 1))),
        # of a remote forward the family is the target's
        ("4R80=localhost:1", ForwardSpec(R, Endpoint("", 80), Endpoint("127.0.0.1", 1))),
        ("R*:80=a:1", ForwardSpec(R, Endpoint("*", 80), Endpoint("a", 1))),
        ("L3389=desk:ms-wbt-server", ForwardSpec(L, Endpoint("", 3389), Endpoint("desk", 3389))),
        ("Lpop3=mail:POP3", ForwardSpec(L, Endpoint("", 110), Endpoint("mail", 110))),
        (r"L80=[2001\:db8::5]:80", ForwardSpec(L, Endpoint("", 80), Endpoint("2001:db8::5", 80))),
    ],
)  # fmt: skip
def test_forms(text: str, expected: ForwardSpec):
    assert one(text) == expected


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("L80=a:1", "*"),
        ("4L80=a:1", "0.0.0.0"),
        ("6D80=", "::"),
        ("L127.0.0.2:80=a:1", "127.0.0.2"),
        ("R80=a:1", ""),
    ],
)
def test_local_ports_accept_connections_from_other_hosts(text: str, host: str):
    forward = one(text, local_accept_all=True)
    assert isinstance(forward.bind, Endpoint)
    assert forward.bind.host == host


def test_remote_ports_do_the_same():
    assert one("R80=a:1", remote_accept_all=True).bind == Endpoint("*", 80)
    assert one("L80=a:1", remote_accept_all=True).bind == Endpoint("", 80)


def test_a_later_entry_replaces_an_earlier_one():
    assert one("L80=a:1,L80=b:2").to == Endpoint("b", 2)
    assert one("D80=,L80=a:1").kind is L


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("X80=a:1", "L, R or D"),
        ("80=a:1", "L, R or D"),
        ("L0=a:1", "port"),
        ("L80=a", "no port"),
        ("L80=", "no port"),
        ("L80=a:nonsense", "port"),
        ("L99999=a:1", "port"),
        ("L80=a;b:1", "cannot hold"),
        ("6Lname:80=a:1", "IPv6 address of name"),
        ("4L[::1]:80=a:1", "IPv4 address of ::1"),
        ("L80=a:1\\", "backslash"),
        ("L80=" + "a" * 300 + ":1", "at most"),
    ],
)
def test_what_is_no_forward_is_told_and_spares_the_others(text: str, why: str):
    found = parse_forwardings(f"D1080=,{text}")
    assert len(found.forwards) == 1
    assert len(found.left_out) == 1
    assert why in found.left_out[0]
    assert "PortForwardings" in found.left_out[0]


def test_too_many():
    found = parse_forwardings(",".join(f"L{port}=a:1" for port in range(1, MAX_FORWARDS + 50)))
    assert len(found.forwards) == MAX_FORWARDS
    assert "more than" in found.left_out[-1]


@given(st.lists(FORWARDS, max_size=6, unique_by=lambda each: (each.kind is R, each.bind)))
def test_forwards_round_trip(forwards: list[ForwardSpec]):
    written = format_forwardings(forwards)
    assert written.left_out == ()
    assert not written.local_accept_all
    found = parse_forwardings(written.text)
    assert found.forwards == tuple(forwards)
    assert found.left_out == ()


@given(st.lists(FORWARDS, max_size=6, unique_by=lambda each: (each.kind is R, each.bind)))
def test_public_forwards_round_trip(forwards: list[ForwardSpec]):
    public = [
        ForwardSpec(each.kind, Endpoint("*", each.bind.port), each.to)
        for each in forwards
        if isinstance(each.bind, Endpoint) and each.bind.host == ""
    ]
    written = format_forwardings(public)
    found = parse_forwardings(
        written.text,
        local_accept_all=written.local_accept_all,
        remote_accept_all=written.remote_accept_all,
    )
    assert found.forwards == tuple(public)


def test_private_beside_public_stays_private():
    to = Endpoint("a", 1)
    written = format_forwardings(
        [
            ForwardSpec(L, Endpoint("*", 80), to),
            ForwardSpec(L, Endpoint("", 81), to),
            ForwardSpec(R, Endpoint("*", 82), to),
            ForwardSpec(R, Endpoint("", 83), to),
        ]
    )
    assert written.text == "L80=a:1,L127.0.0.1:81=a:1,R82=a:1,Rlocalhost:83=a:1"
    assert written.local_accept_all
    assert written.remote_accept_all
    assert len(written.left_out) == 1


@pytest.mark.parametrize(
    "forward",
    [
        ForwardSpec(L, UnixPath("/run/x"), Endpoint("a", 1)),
        ForwardSpec(L, Endpoint("", 80), UnixPath("/run/x")),
        ForwardSpec(L, Endpoint("", 0), Endpoint("a", 1)),
        ForwardSpec(R, Endpoint("", 80)),
    ],
)
def test_what_putty_has_no_word_for(forward: ForwardSpec):
    written = format_forwardings([forward, ForwardSpec(D, Endpoint("", 1080))])
    assert written.text == "D1080="
    assert len(written.left_out) == 1


def test_names_are_written_small():
    """A capital D anywhere in the listening point makes PuTTY take it for a dynamic forward."""
    written = format_forwardings([ForwardSpec(L, Endpoint("DESK", 80), Endpoint("DESK", 80))])
    assert written.text == "Ldesk:80=DESK:80"


@given(st.text(max_size=80) | st.text("LRD46A=,\\:[]*0123456789a", max_size=60))
def test_any_text_is_forwards_or_told(text: str):
    found = parse_forwardings(text)
    written = format_forwardings(found.forwards)
    places = {(each.kind is R, each.bind) for each in found.forwards}
    if written.left_out or len(places) < len(found.forwards):
        return  # a private one beside a public one, or two at the same place
    again = parse_forwardings(
        written.text,
        local_accept_all=written.local_accept_all,
        remote_accept_all=written.remote_accept_all,
    )
    assert _small(again.forwards) == _small(found.forwards)


def _small(forwards: tuple[ForwardSpec, ...]) -> list[tuple[ForwardKind, str, str]]:
    # beside a public one, a private one of the gateway's side is written out
    return [
        (each.kind, str(each.bind).lower().replace("localhost:", ":"), str(each.to))
        for each in forwards
    ]
