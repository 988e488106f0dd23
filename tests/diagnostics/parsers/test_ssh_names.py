"""Names in ssh_config and known_hosts, and what a misspelt one may have been."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers import ssh_names
from diagnostics.parsers.ssh_names import close_to, in_config, in_known_hosts

CONFIG = b"""
Host gateway gw2 *.example !not
  HostName = gate.example.org
host "quoted"
  Port 22
HostKeyAlias no
Host\x00x
"""


def test_config():
    assert in_config(CONFIG) == ("gateway", "gw2", "gate.example.org", "quoted")


def test_known_hosts():
    data = (
        b"# c\ngw.example,192.0.2.1 ssh-rsa A\n[ts.example]:2222 ssh-rsa A\n|1|a|b x y\n\n*.x k v\n"
    )
    assert in_known_hosts(data) == ("gw.example", "192.0.2.1", "ts.example")


def test_close_names():
    assert close_to("gatewya", ("gateway", "gatewya", "other")) == ("gateway",)
    assert close_to("x", ()) == ()


def test_bounds(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ssh_names, "MAX_NAMES", 2)
    assert in_config(b"Host a b c d") == ("a", "b")
    assert close_to("aaaa", ("x", "y", "aaab")) == ()


@given(st.binary(max_size=300))
def test_total(data: bytes):
    for name in (*in_config(b"Host " + data), *in_known_hosts(data)):
        assert name.isascii()
        assert name.isprintable()


def test_megabytes():
    assert in_config(b"Host " + b"\0" * (1 << 20)) == ()
    assert len(close_to("a" * 9999, ("a" * 255,))) == 1
