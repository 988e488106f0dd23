"""Profiles as blocks of ssh_config: the real ssh reads them as they are meant."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given

from netkit.model import (
    Endpoint,
    ForwardKind,
    ForwardSpec,
    Gateway,
    HostKeyPolicy,
    Keepalive,
    Profile,
    TunnelSpec,
    UnixPath,
    X11Trust,
)
from netkit.text.foreign.ssh_block import to_block
from netkit.text.foreign.ssh_hosts import read_host
from netkit.text.forwards import parse_forward
from netkit.text.ssh_config import ConfigFile, parse_ssh_g, resolve
from netkit.text.ssh_tokens import LocalFacts
from support.peers import require
from support.profiles import profiles

LOCAL = LocalFacts(home="/home/me", user="me", uid=1000, hostname="here", variables={})
FULL = Profile(
    name="full",
    note="the desk",
    tunnel=TunnelSpec(
        gateway=Gateway("gw.example", "DOM\\me", 2222),
        forwards=(
            parse_forward(ForwardKind.LOCAL, "5432:db:5432"),
            parse_forward(ForwardKind.LOCAL, "[::1]:80:[::2]:81"),
            parse_forward(ForwardKind.LOCAL, "/tmp/x.sock:/tmp/y.sock"),
            parse_forward(ForwardKind.REMOTE, "1080"),
            parse_forward(ForwardKind.REMOTE, "0:localhost:22"),
            parse_forward(ForwardKind.DYNAMIC, "*:99"),
        ),
        jumps=(Gateway("a"), Gateway("c", "b", 3)),
        identities=(Path("~/.ssh/my key"), Path("/k")),
        compression=True,
        ciphers=("aes128-gcm@openssh.com", "aes256-ctr"),
        macs=("hmac-sha2-256",),
        keepalive=Keepalive(20, 5),
        host_key=HostKeyPolicy.ACCEPT_NEW,
        connect_timeout=2.5,
        x11=X11Trust.TRUSTED,
    ),
)


def ssh_g(tmp_path, lines, name):
    """Return what the real ssh makes of a file."""
    file = tmp_path / "config"
    file.write_text("\n".join([*lines, ""]))
    done = subprocess.run(
        [require("ssh"), "-G", "-F", file, name],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        check=True,
        timeout=20,
    )
    return parse_ssh_g(done.stdout)


def test_the_real_ssh_agrees(tmp_path):
    lines, left_out = to_block(FULL)
    assert left_out == []
    assert lines[:2] == ["# the desk", "Host full"]
    said = ssh_g(tmp_path, lines, "full")
    expected = {
        "hostname": ("gw.example",),
        "user": ("DOM\\me",),
        "port": ("2222",),
        "identityfile": ("~/.ssh/my key", "/k"),
        "proxyjump": ("a,b@c:3",),
        "stricthostkeychecking": ("accept-new",),
        "compression": ("yes",),
        "ciphers": ("aes128-gcm@openssh.com,aes256-ctr",),
        "macs": ("hmac-sha2-256",),
        "serveraliveinterval": ("20",),
        "serveralivecountmax": ("5",),
        "connecttimeout": ("3",),
        "forwardx11": ("yes",),
        "forwardx11trusted": ("yes",),
    }
    assert {key: said[key] for key in expected} == expected
    imported = read_host("full", said)
    assert imported is not None
    assert set(imported.profile.tunnel.forwards) == set(FULL.tunnel.forwards)


@pytest.mark.parametrize(
    ("change", "left_out"),
    [
        ({"proxy": "socks5://h:1080"}, "proxy socks5://h:1080: ssh needs a ProxyCommand for it"),
        ({"config_file": Path("/c")}, "config_file /c: ssh -F names it"),
        ({"identities": (Path("a%b"),)}, "identity a%b: ssh_config would read its name otherwise"),
        ({"user": "a#b"}, "user a#b: ssh_config would read it otherwise"),
        (
            {
                "forwards": (
                    ForwardSpec(ForwardKind.LOCAL, UnixPath("/a b"), Endpoint("h", 1), "x"),
                )
            },
            "x: ssh_config would read the path of its socket otherwise",
        ),
    ],
)
def test_what_has_no_counterpart(change, left_out):
    tunnel = replace(TunnelSpec(gateway=Gateway("gw")), **change)
    assert to_block(Profile(name="x", tunnel=tunnel))[1] == [left_out]


def test_more_that_has_none():
    profile = Profile(
        name="x", tunnel=TunnelSpec(gateway=Gateway("x")), keepalive_auto=True, launch="rdp"
    )
    assert to_block(profile) == (
        ["Host x"],
        [
            "keepalive auto: ssh has one interval for all networks",
            "launch rdp: ssh starts no program with a tunnel",
        ],
    )


@given(profiles)
def test_our_reader_agrees(profile):
    # a host that is its own jump host, and unknown algorithms, are for ssh to refuse
    assume(all(jump.host != profile.tunnel.gateway.host for jump in profile.tunnel.jumps or ()))
    tunnel = replace(profile.tunnel, ciphers=(), macs=())
    profile = replace(profile, tunnel=tunnel)
    lines, left_out = to_block(profile)
    file = ConfigFile("f", "\n".join(lines))
    said = resolve([file], Gateway(profile.name), LOCAL, include=lambda _: [], run=lambda _: False)
    gateway = tunnel.gateway
    assert said["hostname"] == (gateway.host.lower(),) or gateway.host == profile.name
    if port := tunnel.port or gateway.port:
        assert said["port"] == (str(port),)
    imported = read_host(profile.name, said)
    found = () if imported is None else imported.profile.tunnel.forwards
    kept = {each for each in tunnel.forwards if not any(str(each) in text for text in left_out)}
    assert kept <= set(found)
