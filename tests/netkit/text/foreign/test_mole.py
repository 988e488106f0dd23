"""Aliases of mole."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import ConfigError
from netkit.model import Endpoint, ForwardKind, Gateway, Keepalive
from netkit.text.foreign.mole import read_alias, seconds
from netkit.text.profiles.editing import canonical

# As mole 2.0 writes it.
ALIAS = """\
type = "local"
verbose = true
insecure = false
detach = false
source = [":8081"]
destination = ["172.17.0.100:80"]
server = "mole@127.0.0.1:22122"
key = "keys/key"
keep-alive-interval = "10s"
connection-retries = 0
wait-and-retry = "0s"
ssh-agent = ""
timeout = "3s"
config = "$HOME/.ssh/config"
"""


def read(text, name="web"):
    return read_alias(text.encode(), "f", name)


def test_an_alias():
    imported = read(ALIAS)
    assert imported.left_out == ()
    assert imported.profile.name == "web"
    tunnel = imported.profile.tunnel
    assert tunnel.gateway == Gateway("127.0.0.1", "mole", 22122)
    assert [str(each) for each in tunnel.forwards] == ["127.0.0.1:8081:172.17.0.100:80"]
    assert tunnel.identities == (Path("keys/key"),)
    assert tunnel.keepalive == Keepalive(10, 3)
    assert tunnel.connect_timeout == 3
    assert tunnel.config_file is None


def test_the_server_listens():
    forward = read(ALIAS.replace('"local"', '"remote"')).profile.tunnel.forwards[0]
    assert forward.kind is ForwardKind.REMOTE
    assert forward.bind == Endpoint("127.0.0.1", 8081)


def test_pairs_and_a_port_of_the_systems_choice():
    text = ALIAS.replace('["172.17.0.100:80"]', '["a:1", ":2"]')
    assert [str(each) for each in read(text).profile.tunnel.forwards] == [
        "127.0.0.1:8081:a:1",
        "127.0.0.1:0:127.0.0.1:2",
    ]


def test_what_has_no_counterpart():
    text = (
        ALIAS.replace("insecure = false", "insecure = true")
        .replace("detach = false", "detach = true")
        .replace('ssh-agent = ""', 'ssh-agent = "/a"')
        .replace("retries = 0", "retries = 3")
        .replace('["172.17.0.100:80"]', "[]")
    )
    assert read(f"{text}extra = 1\n").left_out == (
        "source :8081: no destination for it",
        "insecure: host keys are always checked",
        "detach: netkit up stays in the foreground",
        "ssh-agent /a: SSH_AUTH_SOCK or IdentityAgent of ssh_config names it",
        "connection-retries 3, wait-and-retry 0s",
        "extra: netkit does not know it",
    )


def test_the_name_becomes_one():
    assert read(ALIAS, "my web").profile.name == "my-web"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"local"', '"both"', "f line 1: at type: it is neither local nor remote"),
        ('":8081"', '":x"', "f line 5: at source: 'x' is not a port"),
        ('":8081"', "1", "f line 5: at source: a list of texts is expected"),
        (':80"', ':0"', "f line 6: at destination: '0' is not a port"),
        ("mole@", "-", "f line 7: at server: '-127.0.0.1:22122' is not"),
        ('server = "mole@127.0.0.1:22122"', "", "f line 1: at server: '' is not a gateway"),
        ('"10s"', '"soon"', "f line 9: at keep-alive-interval: 'soon' is no duration"),
        ("verbose = true", "verbose", "f line 2: expected '='"),
    ],
)
def test_what_is_wrong(old, new, said):
    with pytest.raises(ConfigError) as raised:
        read(ALIAS.replace(old, new, 1))
    assert raised.value.summary.startswith(said)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10s", 10),
        ("1m30s", 90),
        ("1.5h", 5400),
        ("250ms", 0.25),
        ("0", 0),
        ("", None),
        ("9", None),
    ],
)
def test_durations(text, expected):
    assert seconds(text) == expected


_LINES = ALIAS.splitlines()


@given(
    st.lists(
        st.one_of(st.sampled_from(_LINES), st.text('abs=".[]1\n:', max_size=9)), max_size=15
    ).map("\n".join)
)
def test_any_text(text):
    try:
        imported = read(text)
    except ConfigError as error:
        assert error.summary.startswith("f")
    else:
        canonical(imported.profile)
