"""Tunnels of boring."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import ConfigError
from netkit.model import ForwardKind, Gateway, Keepalive
from netkit.text.foreign.boring import read_tunnels
from netkit.text.profiles.editing import canonical

TUNNELS = """\
keep_alive = 60

[[tunnels]]
name = "dev"
local = "9000"
remote = "localhost:9001"
host = "dev-server"

[[tunnels]]
name = "prod"
group = "production"
local = 5001
remote = "5001"
host = "${HOST:-prod.example.com}"
user = "$ME"
identity = "~/.ssh/id_prod"
port = 2222
keep_alive = 0

[[tunnels]]
name = "unix"
local = "/tmp/serve.sock"
remote = "/tmp/listen.sock"
host = "dev-server"
mode = "remote"

[[tunnels]]
name = "ports"
local = "8000-8002,8443"
remote = "[::1]:9000-9002,443"
host = "dev-server"

[[tunnels]]
name = "many"
host = "dev-server"
color = "red"
[[tunnels.forwards]]
name = "proxy"
local = ":9000"
mode = "socks"
[[tunnels.forwards]]
remote = "9000"
mode = "socks-remote"
"""


def read(text, **variables):
    found = read_tunnels(text.encode(), "f", variables)
    return {each.profile.name: each for each in found}


def options(imported):
    return [(each.kind, str(each)) for each in imported.profile.tunnel.forwards]


def test_tunnels():
    found = read(TUNNELS, ME="me")
    assert list(found) == ["dev", "prod", "unix", "ports", "many"]
    dev = found["dev"].profile.tunnel
    assert (dev.gateway, dev.keepalive) == (Gateway("dev-server"), Keepalive(60, 3))
    prod = found["prod"].profile.tunnel
    assert prod.gateway == Gateway("prod.example.com", port=2222)
    assert (prod.user, prod.identities) == ("me", (Path("~/.ssh/id_prod"),))
    assert prod.keepalive == Keepalive(0, 3)
    assert found["prod"].left_out == ("group production: netkit up takes several names",)


def test_variables():
    prod = read(TUNNELS, HOST="other")["prod"].profile.tunnel
    assert (prod.gateway.host, prod.user) == ("other", None)


def test_forwards():
    found = read(TUNNELS)
    assert options(found["dev"]) == [(ForwardKind.LOCAL, "9000:localhost:9001")]
    assert options(found["prod"]) == [(ForwardKind.LOCAL, "5001:localhost:5001")]
    assert options(found["unix"]) == [(ForwardKind.REMOTE, "/tmp/listen.sock:/tmp/serve.sock")]
    assert [text for _, text in options(found["ports"])] == [
        "8000:[::1]:9000",
        "8001:[::1]:9001",
        "8002:[::1]:9002",
        "8443:[::1]:443",
    ]
    assert options(found["many"]) == [(ForwardKind.DYNAMIC, "*:9000"), (ForwardKind.REMOTE, "9000")]
    assert found["many"].left_out == ("color: netkit does not know it",)


def test_what_has_no_counterpart_of_the_file():
    assert read(f"theme = 1\n{TUNNELS}")["dev"].left_out == ("theme: netkit does not know it",)


ONE = '[[tunnels]]\nname = "x"\nhost = "h"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tunnels = 1", "f line 1: at tunnels: a list of tables is expected"),
        ('[[tunnels]]\nhost = "h"', "f line 1: at tunnels[0].name: the tunnel has no name"),
        ('[[tunnels]]\nname = "x"\nlocal = 1', "f line 1: at tunnels[0].host: '' is not a gateway"),
        (ONE, "f line 1: at tunnels[0].local: an address is missing"),
        (f"{ONE}local = '1-3'\nremote = '1'", "f line 5: at tunnels[0].remote: 3 ports cannot"),
        (f"{ONE}local = '3-1'\nremote = '1'", "f line 4: at tunnels[0].local: 3-1 is no range"),
        (f"{ONE}local = '1-60000'", "f line 4: at tunnels[0].local: 1-60000 is no range, or"),
        (f"{ONE}local = '1'\nremote = '99999'", "f line 5: at tunnels[0].remote: '99999' is"),
        (f"{ONE}mode = 'x'", "f line 4: at tunnels[0].mode: 'x' is no mode"),
        (f"{ONE}port = 'x'\nlocal = 1", "f line 4: at tunnels[0].port: 'x' is not a port"),
        (
            f"{ONE}[[tunnels.forwards]]\nmode = 'socks'",
            "f line 4: at tunnels[0].forwards[0].local: an address is missing",
        ),
    ],
)
def test_what_is_wrong(text, said):
    with pytest.raises(ConfigError) as raised:
        read(text)
    assert raised.value.summary.startswith(said)


_LINES = st.sampled_from(TUNNELS.splitlines())
_ADDRESSES = st.text("0189-,:$/{}[]x", max_size=8)


@given(
    st.lists(_LINES, max_size=15).map("\n".join),
    st.dictionaries(st.sampled_from(["local", "remote", "host", "port"]), _ADDRESSES),
)
def test_any_text(text, values):
    more = "".join(f'{key} = "{value}"\n' for key, value in values.items())
    try:
        found = read(f"{text}\n{ONE.replace('host', 'color')}{more}")
    except ConfigError as error:
        assert error.summary.startswith("f")
    else:
        for each in found.values():
            canonical(each.profile)
