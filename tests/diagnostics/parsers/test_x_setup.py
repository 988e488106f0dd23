from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers import x_setup
from diagnostics.parsers.x_setup import Reply, parse, request
from support.xservers import accepted, answer, host, rejected

COOKIE = b"MIT-MAGIC-COOKIE-1"


def test_request():
    assert request()[:12] == bytes.fromhex("6c00 0b00 0000 0000 0000 0000")
    assert request()[12:].endswith(x_setup.QUESTIONS)
    data = request(COOKIE, b"k" * 15)
    assert data[:12] == bytes.fromhex("6c00 0b00 0000 1200 0f00 0000")
    assert data[12:32] == COOKIE + b"\0\0"
    assert data[32:48] == b"k" * 15 + b"\0"


def test_accepted():
    found = parse(accepted())
    assert found == Reply("accepted", vendor="The X.Org Foundation", release=12101007, screens=1)


def test_answers_to_the_questions():
    hosts = (
        host(5, b"localuser\0me")
        + host(0, bytes([192, 0, 2, 1]))
        + host(6, bytes(15) + b"\1")
        + host(1, b"abc")
    )
    data = answer(1, 0, b"\1") + b"\2" * 32 + answer(2, 1, b"\4\0", hosts)
    found = parse(accepted(answers=data))
    assert found.security is True
    assert found.control is True
    assert found.hosts == ("si:localuser:me", "inet:192.0.2.1", "inet6:::1", "family 1: 616263")


def test_open_to_all():
    found = parse(accepted(answers=answer(1, 0) + answer(2, 0)))
    assert (found.security, found.control, found.hosts) == (False, False, ())


def test_an_error_is_no_answer():
    found = parse(accepted(answers=answer(1, 0, kind=0) + answer(2, 10, kind=0)))
    assert (found.security, found.control) == (None, None)


@pytest.mark.parametrize(
    "reason",
    [
        "Authorization required, but no authorization protocol specified\n",
        "Invalid MIT-MAGIC-COOKIE-1 key",
        "Maximum number of clients reached",
    ],
)
def test_rejected(reason: str):
    found = parse(rejected(reason.encode()))
    assert found == Reply("rejected", reason=reason.strip())


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", "nothing"),
        (b"\1", "cut"),
        (b"\0\0\x0b\0", "cut"),
        (struct.pack("<BBHHH", 1, 0, 11, 0, 2) + b"1234", "cut"),
        (struct.pack("<BBHHH", 2, 0, 11, 0, 1) + b"who?", "more"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "strange"),
        (b"HTTP/1.1 400 Bad Request", "strange"),
        (b"\0\0\0\0junk", "rejected"),
        (b"\1\0\xff\xff", "strange"),
    ],
)
def test_other_words(data: bytes, status: str):
    assert parse(data).status == status


def test_hostile_text_is_cleaned():
    assert parse(rejected(b"\x1b[2Jgo\0away")).reason == "?[2Jgo"
    assert len(parse(b"SSH" * 100_000).reason) <= 80


@given(st.binary(max_size=400), st.booleans())
def test_total(data: bytes, begun: bool):
    found = parse(accepted(answers=data) if begun else data)
    assert found.status in ("accepted", "rejected", "more", "nothing", "cut", "strange")
    assert found.reason.isprintable()
    assert all(each.isprintable() for each in found.hosts)


def test_bounded():
    many = answer(2, 1, b"\0\0", host(0, b"abcd") * 10_000)
    assert len(parse(accepted(answers=many)).hosts) == 50
    assert parse(accepted(answers=b"\2" * (1 << 22))).control is None
    endless = answer(1, 0, kind=35)[:4] + b"\xff" * 28
    assert parse(accepted(answers=endless * 3)).security is None
