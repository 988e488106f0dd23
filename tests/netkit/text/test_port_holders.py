from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.text.port_holders import Holder, parse_holder

SS = (
    'LISTEN 0      128        127.0.0.1:8080      0.0.0.0:*    users:(("sshd",pid=812,fd=9))\n'
    'LISTEN 0      128            [::1]:8080         [::]:*    users:(("sshd",pid=812,fd=8))\n'
)


@pytest.mark.parametrize(
    ("text", "holder"),
    [
        (SS, Holder("sshd", 812)),
        ("LISTEN 0 128 127.0.0.1:8080 0.0.0.0:*\n", None),
        ("p4242\ncnginx\np4243\ncnginx\n", Holder("nginx", 4242)),
        ("", None),
        ("sh: ss: not found\n", None),
    ],
)
def test_who_holds_it(text, holder):
    assert parse_holder(text) == holder


@given(st.text(max_size=200))
def test_any_text(text):
    assert str(parse_holder(text) or "").isprintable()


def test_what_serves_a_client_may_be_ours():
    assert str(Holder("sshd-session", 812)) == "sshd-session (process 812)"
    assert Holder("sshd-session", 812).is_session
    assert Holder("dropbear", 812).is_session
    assert not Holder("nginx", 4242).is_session
