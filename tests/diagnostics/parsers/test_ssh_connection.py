"""What ``echo $SSH_CONNECTION`` prints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers.ssh_connection import plain_address, ssh_connection
from netkit.model import Endpoint

SEEN = (Endpoint("203.0.113.5", 40000), Endpoint("198.51.100.1", 22))


@pytest.mark.parametrize(
    "data",
    [
        b"203.0.113.5 40000 198.51.100.1 22\n",
        b"203.0.113.5 40000 198.51.100.1 22\r\n",
        b"Welcome to gw!\nall is fine 1 2 3\n203.0.113.5 40000 198.51.100.1 22",
        b'"203.0.113.5 40000 198.51.100.1 22"\n',
        b"::ffff:203.0.113.5 40000 ::ffff:198.51.100.1 22\n",
    ],
)
def test_found(data):
    assert ssh_connection(data) == SEEN


def test_ipv6_has_no_scope():
    seen = ssh_connection(b"fe80::1%eth0 50000 fe80::2%eth0 22\n")
    assert seen == (Endpoint("fe80::1", 50000), Endpoint("fe80::2", 22))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"$SSH_CONNECTION\n",
        b"203.0.113.5 40000 198.51.100.1\n",
        b"203.0.113.5 0 198.51.100.1 22\n",
        b"203.0.113.5 65536 198.51.100.1 22\n",
        b"203.0.113.5 123456 198.51.100.1 22\n",
        b"host 40000 198.51.100.1 22\n",
        b"203.0.113.5 40000 host 22\n",
        "203.0.113.5 ٣ 198.51.100.1 22\n".encode(),
    ],
)
def test_not_found(data):
    assert ssh_connection(data) is None


@pytest.mark.parametrize(
    ("text", "plain"),
    [("::ffff:10.0.0.1", "10.0.0.1"), ("FE80::1%en0", "fe80::1"), ("gw", ""), ("", "")],
)
def test_plain_address(text, plain):
    assert plain_address(text) == plain


@given(st.binary() | st.from_regex(rb"([0-9.:]* ){0,9}\n"))
def test_total(data):
    seen = ssh_connection(data)
    assert seen is None or all(0 < end.port < 65536 for end in seen)


@given(st.text())
def test_plain_address_is_total(text):
    assert plain_address(plain_address(text)) == plain_address(text)
