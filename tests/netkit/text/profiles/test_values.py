"""Tables to profiles and back."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given

from netkit.model import Endpoint, ForwardKind, Gateway, Keepalive, Profile, TunnelSpec
from netkit.text.profiles.tables import ProfileTable
from netkit.text.profiles.values import BadValueError, to_profile, to_table
from support.profiles import profiles


@given(profiles)
def test_there_and_back(profile):
    table = msgspec.convert(to_table(profile), ProfileTable)
    assert to_profile(profile.name, table) == profile


def test_nothing_is_said_that_need_not_be():
    assert to_table(Profile(name="x", tunnel=TunnelSpec(gateway=Gateway("gw")))) == {
        "gateway": "gw"
    }


def test_a_local_forward_without_a_target():
    table = msgspec.convert(
        {"gateway": "gw", "forwards": [{"kind": "local", "bind": "127.0.0.2:3389"}]}, ProfileTable
    )
    assert to_profile("x", table).tunnel.forwards[0].to == Endpoint("localhost", 3389)


def test_a_remote_forward_without_a_target_is_a_proxy():
    table = msgspec.convert(
        {"gateway": "gw", "forwards": [{"kind": "remote", "bind": "1080"}]}, ProfileTable
    )
    forward = to_profile("x", table).tunnel.forwards[0]
    assert (forward.kind, forward.to) == (ForwardKind.REMOTE, None)


@pytest.mark.parametrize(
    ("values", "keepalive"),
    [
        ({}, None),
        ({"keepalive": 20}, Keepalive(20.0, 3)),
        ({"keepalive_count": 5}, Keepalive(30.0, 5)),
        ({"keepalive": 0, "keepalive_count": 5}, Keepalive(0.0, 5)),
        ({"keepalive": "auto"}, None),
        ({"keepalive": "auto", "keepalive_count": 9}, Keepalive(30.0, 9)),
    ],
)
def test_keepalive(values, keepalive):
    table = msgspec.convert({"gateway": "gw", **values}, ProfileTable)
    profile = to_profile("x", table)
    assert profile.tunnel.keepalive == keepalive
    assert profile.keepalive_auto == (values.get("keepalive") == "auto")


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"gateway": "a b"}, ("gateway",)),
        ({"jumps": ["a", "-b"]}, ("jumps", 1)),
        ({"user": "-x"}, ("user",)),
        ({"proxy": "gopher://x"}, ("proxy",)),
        ({"note": "a\nb"}, ("note",)),
        ({"identities": ["ok", "a\0b"]}, ("identities", 1)),
        ({"config_file": "a\x1bb"}, ("config_file",)),
        ({"ciphers": ["a,b"]}, ("ciphers", 0)),
        ({"forwards": [{"kind": "dynamic", "bind": "/tmp/s"}]}, ("forwards", 0)),
        ({"forwards": [{"kind": "remote", "bind": "/tmp/s"}]}, ("forwards", 0)),
        ({"forwards": [{"kind": "local", "bind": "0"}]}, ("forwards", 0)),
        ({"forwards": [{"kind": "local", "bind": "/tmp/s"}]}, ("forwards", 0)),
        ({"forwards": [{"kind": "dynamic", "bind": "1", "to": "h:1"}]}, ("forwards", 0, "to")),
        ({"forwards": [{"kind": "local", "bind": "1", "to": "h"}]}, ("forwards", 0, "to")),
        ({"forwards": [{"kind": "remote", "bind": "x:y"}]}, ("forwards", 0, "bind")),
    ],
)
def test_values_that_are_none(values, path):
    table = msgspec.convert({"gateway": "gw", **values}, ProfileTable)
    with pytest.raises(BadValueError) as raised:
        to_profile("x", table)
    assert raised.value.path == path
    assert raised.value.summary
