"""A profile to a session: settings, comforts, and what PuTTY has no word for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import UsageError
from netkit.model import (
    Endpoint,
    ForwardKind,
    ForwardSpec,
    Gateway,
    Hop,
    HostKeyPolicy,
    Keepalive,
    Profile,
    TunnelSpec,
    X11Trust,
)
from netkit.text.putty.defaults import is_known
from netkit.text.putty.export import COMFORTS, to_session
from netkit.text.putty.mapping import to_profile

GATEWAY = Gateway("gw.example", "me", 2222)
FORWARD = ForwardSpec(ForwardKind.LOCAL, Endpoint("127.0.0.2", 3389), Endpoint("desk", 3389))


def profile(**values: Any) -> Profile:
    more = {key: values.pop(key) for key in ("keepalive_auto", "launch") if key in values}
    return Profile(name="office", tunnel=TunnelSpec(gateway=GATEWAY, **values), **more)


def settings(
    *, hops: tuple[Hop, ...] = (), comforts: bool = False, **values: Any
) -> dict[str, Any]:
    return dict(to_session(profile(**values), hops=hops, comforts=comforts).session.values)


def test_settings():
    made = settings(
        forwards=(FORWARD,),
        compression=True,
        keepalive=Keepalive(90.0),
        identities=(Path("/k/id.ppk"),),
        x11=X11Trust.TRUSTED,
        ciphers=("aes256-gcm@openssh.com", "aes128-gcm@openssh.com"),
    )
    wanted = {
        "HostName": "gw.example",
        "PortNumber": 2222,
        "UserName": "me",
        "Protocol": "ssh",
        "Compression": 1,
        "PingInterval": 1,
        "PingIntervalSecs": 30,
        "PublicKeyFile": "/k/id.ppk",
        "X11Forward": 1,
        "PortForwardings": "L127.0.0.2:3389=desk:3389",
        "SshNoShell": 1,
    }
    assert {key: made[key] for key in wanted} == wanted
    assert made["Cipher"].startswith("aesgcm,WARN,")
    assert all(is_known(key) for key in made)


def test_comforts():
    made = settings(comforts=True)
    assert {key: made[key] for key in COMFORTS} == dict(COMFORTS)
    assert (made["CurType"], made["BlinkCur"], made["SshProt"]) == (0, 1, 3)
    assert (made["PingInterval"], made["PingIntervalSecs"]) == (8, 0)
    said = settings(comforts=True, keepalive=Keepalive(30.0))
    assert (said["PingInterval"], said["PingIntervalSecs"]) == (0, 30)
    assert settings()["PingInterval"] == 0


def test_what_ssh_config_says_goes_into_the_session():
    hop = Hop(
        alias="gw.example",
        host="10.0.0.1",
        port=99,
        user="you",
        name="key-alias",
        compression=True,
        address_family="inet6",
        identities=(Path("/k/one"), Path("/k/two")),
        identities_explicit=True,
        proxy_command="nc %h %p",
    )
    made = to_session(profile(config_file=Path("/c")), hops=(hop,))
    values = dict(made.session.values)
    assert (values["HostName"], values["PortNumber"], values["UserName"]) == ("10.0.0.1", 99, "you")
    assert (values["LogHost"], values["AddressFamily"]) == ("key-alias", 2)
    assert (values["Compression"], values["PublicKeyFile"]) == (1, "/k/one")
    assert ["ProxyCommand" in text or "/k/two" in text for text in made.left_out] == [True, True]


def test_a_jump_is_a_session_of_its_own():
    front = Hop(
        alias="front", host="front", port=22, user="me", identities=(Path("/k"),),
        identities_explicit=True, name="front",
    )  # fmt: skip
    last = Hop(alias="gw", host="gw", port=22, user="me", name="gw")
    made = to_session(profile(), hops=(front, last))
    assert made.jump is not None
    assert made.jump.name == "office (jump)"
    assert made.jump.text("PublicKeyFile") == "/k"
    assert (made.session.number("ProxyMethod"), made.session.text("ProxyHost")) == (
        6,
        "office (jump)",
    )
    back = to_profile(made.session, "office", {made.jump.name: made.jump})
    assert back.imported.profile.tunnel.jumps == (Gateway("front", "me", 22),)
    three = to_session(profile(), hops=(front, front, last))
    assert three.jump is None
    assert "one gateway at most" in three.left_out[0]


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"jumps": (Gateway("a"), Gateway("b"))}, "jumps"),
        ({"macs": ("hmac-sha2-256",)}, "macs"),
        ({"host_key": HostKeyPolicy.STRICT}, "host_key"),
        ({"connect_timeout": 5.0}, "connect_timeout"),
        ({"config_file": Path("/c")}, "config_file"),
        ({"x11": X11Trust.UNTRUSTED}, "x11"),
        ({"keepalive": Keepalive(30.0, 9)}, "keepalive count"),
        ({"keepalive_auto": True}, "keepalive auto"),
        ({"launch": "rdp"}, "launch"),
        ({"identities": (Path("/a"), Path("/b"))}, "key /b"),
        ({"ciphers": ("nonsense",)}, "cipher nonsense"),
        ({"forwards": (ForwardSpec(ForwardKind.REMOTE, Endpoint("", 1)),)}, "SOCKS"),
    ],
)
def test_what_putty_has_no_setting_for(values: dict[str, Any], word: str):
    made = to_session(profile(**values))
    assert len(made.left_out) == 1
    assert word in made.left_out[0]


def test_untrusted_programs_get_no_trust():
    assert settings(x11=X11Trust.UNTRUSTED)["X11Forward"] == 0


def test_bad_values():
    with pytest.raises(UsageError):
        to_session(profile(proxy="nonsense"))
    with pytest.raises(UsageError):
        to_session(Profile(name="a\nb", tunnel=TunnelSpec(gateway=GATEWAY)))


PORTS = st.integers(1, 65535)
HOSTS = st.sampled_from(["", "127.0.0.2", "::1", "localhost"])
TUNNELS = st.builds(
    TunnelSpec,
    gateway=st.builds(
        Gateway, st.sampled_from(["gw", "::1"]), st.just("me"), st.sampled_from([2, 99])
    ),
    forwards=st.lists(
        st.builds(
            ForwardSpec,
            st.sampled_from([ForwardKind.LOCAL, ForwardKind.REMOTE]),
            st.builds(Endpoint, HOSTS, PORTS),
            st.builds(Endpoint, st.sampled_from(["a", "::2"]), PORTS),
        ),
        max_size=3,
        unique_by=lambda each: (each.kind, each.bind),
    ).map(tuple),
    identities=st.sampled_from([(), (Path("/k/id.ppk"),)]),
    compression=st.sampled_from([None, True]),
    keepalive=st.none() | st.builds(Keepalive, st.integers(1, 86400).map(float)),
    ciphers=st.sampled_from([(), ("aes256-gcm@openssh.com", "aes128-gcm@openssh.com")]),
    proxy=st.sampled_from([None, "socks5://me@p:1", "http://p:2", "socks4a://p:3"]),
    x11=st.sampled_from([None, X11Trust.TRUSTED]),
)


@given(TUNNELS)
def test_profiles_round_trip(tunnel: TunnelSpec):
    made = to_session(Profile(name="office", tunnel=tunnel))
    assert made.left_out == ()
    back = to_profile(made.session, "office")
    assert back.imported.profile.tunnel == tunnel
    assert back.imported.left_out == ()
