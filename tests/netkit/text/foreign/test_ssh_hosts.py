"""Hosts of ssh_config."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.model import Gateway
from netkit.text.foreign.ssh_hosts import Named, is_plain, names_of, read_host

CONFIG = """\
Include conf.d/*.conf  "other file"
# Host comment
Host db "web" db-* !not
  HostName 10.0.0.1
host=last
Match host db
  Port 22
Host 'open
"""


def test_names():
    assert names_of(CONFIG, "f") == Named(("db", "web", "last"), ("conf.d/*.conf", "other file"))


@pytest.mark.parametrize(("name", "plain"), [("a", True), ("a*", False), ("?", False), ("", False)])
def test_plain(name, plain):
    assert is_plain(name) is plain


def test_a_host():
    options = {
        "localforward": ("5432 [db]:5432", "[::1]:99 [fe80::1]:80"),
        "remoteforward": ("1080 [socks]:0",),
        "dynamicforward": ("[127.0.0.1]:1081",),
        "gatewayports": ("yes",),
        "forwardx11": ("no",),
        "localcommand": ("xeyes",),
    }
    imported = read_host("db", options)
    assert imported is not None
    assert imported.profile.tunnel.gateway == Gateway("db")
    assert [f"{each.kind.value} {each}" for each in imported.profile.tunnel.forwards] == [
        "local 5432:db:5432",
        "local [::1]:99:[fe80::1]:80",
        "remote 1080",
        "dynamic 127.0.0.1:1081",
    ]
    assert imported.left_out == (
        "LocalCommand is not run",
        "GatewayPorts: --expose opens forwards to other machines",
    )


def test_another_file():
    imported = read_host("db", {"dynamicforward": ("1080",)}, Path("/cfg"))
    assert imported is not None
    assert imported.profile.tunnel.config_file == Path("/cfg")


def test_without_forwards():
    assert read_host("db", {"forwardx11": ("yes",)}) is None


def test_a_forward_that_is_none():
    imported = read_host("db", {"localforward": ("x y",)})
    assert imported is not None
    assert imported.profile.tunnel.forwards == ()
    assert imported.left_out[0].startswith("localforward x y: ")


@given(st.text())
def test_any_text(text):
    found = names_of(text, "f")
    assert all(map(is_plain, found.hosts))
