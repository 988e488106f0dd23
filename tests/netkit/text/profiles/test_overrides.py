"""A command line goes before a profile."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given

from netkit.model import (
    Endurance,
    ForwardKind,
    Gateway,
    HostKeyPolicy,
    Keepalive,
    Limits,
    Profile,
    TunnelSpec,
)
from netkit.text.forwards import parse_forward
from netkit.text.profiles.overrides import keepalive, override
from support.profiles import profiles

NOTHING = TunnelSpec(gateway=Gateway("typed"))
RDP = parse_forward(ForwardKind.LOCAL, "3389:ts:3389")


@given(profiles)
def test_nothing_is_said(profile):
    assert override(profile, NOTHING) == profile.tunnel


@given(profiles)
def test_everything_is_said(profile):
    said = TunnelSpec(
        gateway=Gateway("typed"),
        forwards=(RDP,),
        jumps=(),
        user="x",
        port=1,
        identities=(Path("k"),),
        config_file=Path("c"),
        compression=True,
        ciphers=("c",),
        macs=("m",),
        keepalive=Keepalive(1, 1),
        host_key=HostKeyPolicy.STRICT,
        connect_timeout=1.0,
        expose=True,
        proxy="socks5://p:1",
        endurance=Endurance(
            reconnect=False, retries=3, hold=1, probe=2, takeover=True, links=2, spread=True
        ),
        via=(Gateway("other"),),
        limits=Limits(flows=1, rate=2, idle=3, window=4, targets=("h:1",), sources=("::1",)),
    )
    made = override(profile, said)
    assert made.gateway == profile.tunnel.gateway
    unsaid = {"gateway", "x11"}
    for each in fields(TunnelSpec):
        if each.name not in unsaid:
            assert getattr(made, each.name) == getattr(said, each.name)
    assert made.x11 == profile.tunnel.x11


def test_of_what_has_parts_each_is_said_alone():
    saved = replace(NOTHING, endurance=Endurance(hold=30, retries=7), limits=Limits(flows=9))
    said = replace(NOTHING, endurance=Endurance(retries=3), limits=Limits(idle=60))
    made = override(Profile(name="x", tunnel=saved), said)
    assert made.endurance == Endurance(hold=30, retries=3)
    assert made.limits == Limits(flows=9, idle=60)


@pytest.mark.parametrize(
    ("saved", "interval", "count", "expected"),
    [
        (None, None, None, None),
        (Keepalive(5, 6), None, None, Keepalive(5, 6)),
        (Keepalive(5, 6), 7.0, None, Keepalive(7, 6)),
        (Keepalive(5, 6), None, 8, Keepalive(5, 8)),
        (None, 7.0, None, Keepalive(7, 3)),
        (None, None, 8, Keepalive(30, 8)),
    ],
)
def test_keepalive(saved, interval, count, expected):
    tunnel = replace(NOTHING, keepalive=saved)
    assert keepalive(Profile(name="x", tunnel=tunnel), interval, count) == expected
