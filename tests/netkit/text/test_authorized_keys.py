"""authorized_keys lines: what they allow, and which are refused."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.model import Endpoint
from netkit.text.authorized_keys import (
    MAX_LINE,
    AuthorizedKey,
    parse_authorized_keys,
    permits,
)
from netkit.wire.messages import string

BLOB = string("ssh-ed25519") + string(bytes(range(32)))
KEY = f"ssh-ed25519 {base64.b64encode(BLOB).decode()}"


def one(line: str) -> AuthorizedKey:
    keys, problems = parse_authorized_keys([line])
    assert problems == ()
    assert len(keys) == 1
    return keys[0]


def problem(line: str) -> str:
    keys, problems = parse_authorized_keys([line])
    assert keys == ()
    assert len(problems) == 1
    return problems[0]


@pytest.mark.parametrize(
    ("line", "comment"),
    [
        (KEY, ""),
        (f"  {KEY} me@home now \n", "me@home now"),
        (f"\t{KEY}\r\n", ""),
        (KEY.replace(" ", "   ", 1), ""),
    ],
)
def test_plain_line(line: str, comment: str):
    assert one(line) == AuthorizedKey(BLOB, comment)


def test_blank_lines_and_comments_are_nothing():
    assert parse_authorized_keys(["", "  ", "# a comment", KEY, "\t#x"]) == ((one(KEY),), ())


@pytest.mark.parametrize(
    ("options", "forwarding"),
    [
        ("restrict", False),
        ("no-port-forwarding", False),
        ("RESTRICT", False),
        ("restrict,port-forwarding", True),
        ("port-forwarding,restrict", False),
        ("no-pty,no-agent-forwarding,no-X11-forwarding", True),
        ('command="echo \\"a, b\\" c"', True),
        ('command="a b",restrict', False),
        ('environment="A=b"', True),
    ],
)
def test_forwarding(options: str, forwarding: bool):
    assert one(f"{options} {KEY} who").forwarding is forwarding
    assert one(f"{options} {KEY} who").comment == "who"


def test_permitopen_and_permitlisten():
    key = one(
        'permitopen="DB.example:5432",permitopen="[::1]:*",permitlisten="8080",'
        f'permitlisten="localhost:*" {KEY}'
    )
    assert key.permit_open == (Endpoint("db.example", 5432), Endpoint("::1", 0))
    assert key.permit_listen == (Endpoint("*", 8080), Endpoint("localhost", 0))


def test_security_key_options():
    key = one(f"no-touch-required,verify-required {KEY}")
    assert (key.needs_touch, key.needs_pin) == (False, True)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (f'from="10.0.0.0/8" {KEY}', "from"),
        (f"cert-authority {KEY}", "cert-authority"),
        (f'expiry-time="20300101" {KEY}', "expiry-time"),
        (f"restrict,what-is-this {KEY}", "what-is-this"),
        (f'restrict="yes" {KEY}', "restrict"),
        (f"permitopen {KEY}", "permitopen"),
        (f"permitopen=a:1 {KEY}", "quotes"),
        (f'permitopen="a" {KEY}', "HOST:PORT"),
        (f'permitopen="a:70000" {KEY}', "port"),
        (f'permitopen=":1" {KEY}', "HOST:PORT"),
        (f'command="never closed {KEY}', "quote"),
        ("ssh-ed25519 not~base64", "base64"),
        ("ssh-ed25519", "type"),
        (KEY.replace("ssh-ed25519", "ssh-rsa", 1), "ssh-rsa"),
        (f"ssh-dss {base64.b64encode(string('ssh-dss')).decode()}", "key type"),
        (f", {KEY}", "option"),
        (f"{KEY} {'c' * MAX_LINE}", "longer"),
    ],
)
def test_what_cannot_be_enforced_lets_nobody_in(line: str, why: str):
    assert problem(line).startswith("line 1: ")
    assert why in problem(line)


def test_problems_name_their_line_and_spare_the_others():
    keys, problems = parse_authorized_keys(["#", KEY, "nonsense here", KEY])
    assert len(keys) == 2
    assert [text.partition(":")[0] for text in problems] == ["line 3"]


@pytest.mark.parametrize(
    ("rules", "host", "port", "allowed"),
    [
        (None, "x", 1, True),
        ((), "x", 1, False),
        ((Endpoint("x", 1),), "X", 1, True),
        ((Endpoint("x", 1),), "x", 2, False),
        ((Endpoint("x", 0),), "x", 2, True),
        ((Endpoint("x", 0),), "y", 2, False),
        ((Endpoint("*", 2),), "y", 2, True),
        ((Endpoint("localhost", 2),), "127.0.0.1", 2, False),
    ],
)
def test_permits(rules: tuple[Endpoint, ...] | None, host: str, port: int, allowed: bool):
    assert permits(rules, host, port) is allowed


PIECES = st.sampled_from(
    [KEY, "restrict", ",", '"', "\\", " ", "=", 'permitopen="a:1"', "ssh-rsa", ":", "[", "\t", "é"]
)


@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=80))
def test_any_line_is_a_key_a_problem_or_nothing(line: str):
    keys, problems = parse_authorized_keys([line])
    assert len(keys) + len(problems) <= 1
    if 'permitopen="a:1"' in line.partition("ssh-")[0] and keys:
        assert keys[0].permit_open is not None
