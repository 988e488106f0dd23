from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.desktop.clients import Kind
from netkit.desktop.handshakes import MAX_ANSWER, Heard, hear, question, what_speaks

KINDS = list(Kind)

# MS-RDPBCGR 4.1.2: a connection confirm; the example has TLS in place of the last octets.
CONFIRM = bytes.fromhex("030000130ed000001234000200080002000000")


def test_a_connection_request_as_the_specification_has_it():
    asked = question(Kind.RDP)
    assert asked[:2] == b"\x03\x00"
    assert int.from_bytes(asked[2:4], "big") == len(asked)
    assert asked[4] == len(asked) - 5  # the length indicator counts what follows it
    assert asked[5] == 0xE0
    assert asked[11:] == b"Cookie: mstshash=netkit\r\n\x01\x00\x08\x00\x0b\x00\x00\x00"


def test_a_web_server_is_asked_for_the_page():
    asked = question(Kind.HTTP, host="127.0.0.1:8080", path="/a?b")
    assert asked.startswith(b"HEAD /a?b HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n")
    assert asked.endswith(b"\r\n\r\n")
    assert question(Kind.VNC) == b""


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        (Kind.RDP, CONFIRM, "RDP, network level authentication"),
        (Kind.RDP, CONFIRM[:15] + b"\1\0\0\0", "RDP, TLS"),
        (Kind.RDP, CONFIRM[:15] + b"\0\0\0\x40", "RDP, protocol 1073741824"),
        # a server of before 2003 SP 1 does not negotiate; one that cannot says why (type 3)
        (Kind.RDP, bytes.fromhex("0300000b06d00000123400"), "RDP"),
        (Kind.RDP, bytes.fromhex("030000130ed000001234000300080002000000"), "RDP"),
        (Kind.VNC, b"RFB 003.008\n", "VNC, RFB 3.8"),
        (Kind.VNC, b"RFB 003.889\nmore", "VNC, RFB 3.889"),
        (Kind.HTTP, b"HTTP/1.1 200 OK\r\nServer: nginx\r\n", "HTTP, status 200, nginx"),
        (Kind.HTTP, b"HTTP/1.0 404 Not Found\n", "HTTP, status 404"),
    ],
)
def test_the_right_server(kind: Kind, data: bytes, text: str):
    assert hear(kind, data) == Heard(True, text)


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        (Kind.RDP, b"HTTP/1.1 400 Bad Request\r\n", "a web server"),
        (Kind.RDP, b"SSH-2.0-x\r\n", "an SSH server"),
        (Kind.RDP, b"RFB 003.008\n", "a VNC server"),
        (Kind.RDP, bytes.fromhex("0300000b06800000123400"), "an RDP server that refuses the"),
        (Kind.RDP, b"\x03\x00\xff\xff\x06\xd0\x00", "an RDP server"),
        (Kind.VNC, b"220 mail ESMTP\r\n", "a mail or FTP server"),
        (Kind.VNC, b"RFB what is\n", "a VNC server"),
        (Kind.HTTP, b"\x15\x03\x01\x00\x02\x02", "a server that speaks TLS"),
        (Kind.HTTP, b"* OK \x1b[2J IMAP4", "something that says '* OK .[2J IMAP4'"),
        (Kind.HTTP, b"HTTP/x nothing\n", "a web server"),
    ],
)
def test_another_server(kind: Kind, data: bytes, text: str):
    heard = hear(kind, data)
    assert heard is not None
    assert not heard.ok
    assert heard.text.startswith(text)


@pytest.mark.parametrize(
    ("kind", "data"), [(Kind.RDP, CONFIRM), (Kind.VNC, b"RFB 003.008\n"), (Kind.HTTP, b"HTTP/1.1")]
)
def test_the_beginning_is_not_judged(kind: Kind, data: bytes):
    for end in range(len(data)):
        assert hear(kind, data[:end]) is None


@given(st.sampled_from(KINDS), st.binary(max_size=200))
def test_any_bytes_mean_something_or_nothing_yet(kind: Kind, data: bytes):
    heard = hear(kind, data)
    if heard is not None:
        assert heard.text.isprintable()


@given(st.sampled_from(KINDS), st.binary(max_size=30), st.binary(min_size=1, max_size=3))
def test_what_never_ends_is_judged_in_the_end(kind: Kind, start: bytes, more: bytes):
    assert hear(kind, (start + more * MAX_ANSWER)[:MAX_ANSWER]) is not None


def test_nothing_was_said():
    assert what_speaks(b"") == "nothing"
