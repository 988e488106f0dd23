"""What netkit's own errors quote is found again, and services are told by their first words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers.login_words import Credential, credential, is_portal, said, service
from netkit.engine.transport.credentials import Credential as Offered
from netkit.errors import NetkitError
from netkit.wire.banner import MAX_LINES, Identification

BLOB = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(32)


def cause(*lines: str, partial: bytes = b"") -> str:
    """Return netkit's own words about a peer that sends these lines and ends."""
    identification = Identification()
    try:
        for line in lines:
            identification.accept(line)
    except NetkitError as error:
        return error.cause
    return identification.ended(partial).cause


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("HTTP/1.1 400 Bad Request", "a web server"),
        ("<html><head>", "a web server"),
        ("220 mail.example ESMTP Postfix", "a mail server (SMTP)"),
        ("220 ready", "an FTP or mail server"),
        ("+OK POP3 ready", "a mail server (POP3)"),
        ("* OK IMAP4rev1", "a mail server (IMAP)"),
        ("RFB 003.008", "a VNC server"),
        ("-ERR unknown command", "a Redis server"),
        ("Exceeded MaxStartups", ""),
        ('it\'s \\ "quoted" (1)', ""),
    ],
)
def test_what_netkit_quotes(text: str, kind: str):
    quoted = cause(text)
    assert said(quoted) == text
    assert service(quoted) == kind


def test_other_ways_to_quote():
    assert service(cause(partial=b"\x15\x03\x01")) == "a TLS server"
    assert said(cause(*["x y"] * (MAX_LINES + 1))) == "x y"
    assert said(cause("SSH-1.5-OldServer")) == "OldServer"
    assert said(cause("SSH-2.0")) == "SSH-2.0"
    assert said("it said 'Too many' (code 2)") == "Too many"
    assert said("nothing quoted") == ""
    assert said("it answered 'odd\\x'") == "odd\\x"


def test_portals():
    assert is_portal("HTTP/1.1 302 Found", 2222)
    assert is_portal("HTTP/1.0 511 Network Authentication Required", 2222)
    assert is_portal("HTTP/1.1 400 Bad Request", 22)
    assert not is_portal("HTTP/1.1 400 Bad Request", 443)
    assert not is_portal("220 mail", 22)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("/home/me/.ssh/id", ("/home/me/.ssh/id", False)),
        ("C:\\Users\\me\\id", ("C:\\Users\\me\\id", False)),
        ("/home/me/.ssh/id in the agent", ("/home/me/.ssh/id", True)),
        ("/home/me/id with certificate", ("/home/me/id", False)),
        ("me@laptop (old)", ("me@laptop (old)", True)),
    ],
)
def test_credentials_as_netkit_names_them(label: str, expected: tuple[str, bool]):
    found = credential(str(Offered(BLOB, label, lambda _a, _d: b"")))
    assert (found.label, found.in_agent) == expected
    assert found.key_type == "ED25519"
    assert found.fingerprint.startswith("SHA256:")


def test_other_things_that_are_tried():
    assert credential("password") == Credential("password")
    assert credential("\x1b[31m" * 100).label.isprintable()


@given(st.text(max_size=200))
def test_total(text: str):
    assert said(f"it answered {text!r}") == said(f"it answered {text!r}")
    service(text)
    credential(f"{text} (RSA SHA256:{'A' * 43})")
    credential(text)
    is_portal(text, 22)
