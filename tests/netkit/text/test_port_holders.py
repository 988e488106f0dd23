from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.text.port_holders import parse_holder

SS = (
    'LISTEN 0      128        127.0.0.1:8080      0.0.0.0:*    users:(("sshd",pid=812,fd=9))\n'
    'LISTEN 0      128            [::1]:8080         [::]:*    users:(("sshd",pid=812,fd=8))\n'
)


@pytest.mark.parametrize(
    ("text", "holder"),
    [
        (SS, "sshd (process 812)"),
        ("LISTEN 0 128 127.0.0.1:8080 0.0.0.0:*\n", ""),
        ("p4242\ncnginx\np4243\ncnginx\n", "nginx (process 4242)"),
        ("", ""),
        ("sh: ss: not found\n", ""),
    ],
)
def test_who_holds_it(text, holder):
    assert parse_holder(text) == holder


@given(st.text(max_size=200))
def test_any_text(text):
    assert parse_holder(text).isprintable()
