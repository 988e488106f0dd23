"""What a file of profiles says, and what is wrong with it: file, line and key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import ConfigError
from netkit.model import Gateway
from netkit.text.profiles.editing import block
from netkit.text.profiles.reading import Profiles, decode
from netkit.text.profiles.tables import MAX_PROFILES
from support.profiles import OFFICE, profiles


def test_a_file():
    found = decode(OFFICE.encode(), "f")
    assert found.names == ("office", "home")
    assert found.default == "office"
    office = found.find("office")
    assert office is not None
    assert office.tunnel.gateway == Gateway("gw.example", "me", 2222)
    assert office.keepalive_auto
    assert [str(each) for each in office.tunnel.forwards] == [
        "127.0.0.2:3389:desktop:3389",
        "1080",
    ]
    assert found.find("elsewhere") is None


def test_nothing_at_all():
    assert decode(b"", "f") == Profiles()


@given(st.lists(profiles, max_size=4, unique_by=lambda each: each.name))
def test_there_and_back(wanted):
    text = "\n".join(map(block, wanted))
    assert decode(text.encode(), "f").profiles == tuple(wanted)


IN_OFFICE = "[profiles.office]\ngateway = 'gw'\n"
FORWARD = "[[profiles.office.forwards]]\n"
IN_FORWARD = IN_OFFICE + FORWARD


@pytest.mark.parametrize(
    ("text", "said", "cause"),
    [
        ("[profiles.a]\ngatway = 'x'", "line 2: at gatway: there is no such key", "gateway?"),
        ("[profiles.a]\nnote = 'x'", "line 1: at profiles.a: the key gateway is missing", ""),
        ("profiles = 3", "line 1: at profiles: expected a table, got a whole number", ""),
        ("[profiles]\na = 1", "line 2: at profiles.a: expected a table, got a whole number", ""),
        ("x = 1", "line 1: at x: there is no such key", "default, profiles"),
        ("default = 1", "line 1: at default: expected a text, got a whole number", ""),
        (f"default = 'ofice'\n{IN_OFFICE}", "line 1: at default: there is no", "office?"),
        ("[profiles.con]\ngateway = 'x'", "line 1: 'con' cannot be the name", "device"),
        ("[profiles.'a b']\ngateway = 'x'", "line 1: 'a b' cannot be the name", "letters"),
        (f"{IN_OFFICE}port = true", "line 3: at port: expected a whole number, got true", ""),
        (f"{IN_OFFICE}port = 70000", "line 3: at port: expected a whole number <= 65535", ""),
        (f"{IN_OFFICE}launch = 'rm'", "line 3: at launch: invalid enum value 'rm'", "rdp, vnc"),
        (f"{IN_OFFICE}keepalive = 'x'", "line 3: at keepalive: invalid enum value", '"auto"'),
        (f"{IN_OFFICE}keepalive = nan", "line 3: at keepalive: expected a number >= 0", ""),
        (f"{IN_OFFICE}jumps = ['a', 'b c']", "line 3: at jumps[1]: 'b c' is not a", "cannot hold"),
        (f"{IN_OFFICE}\n\npassword = 'x'", "line 5: at password: secrets do not", "keyring"),
        ("password = 'x'", "line 1: at password: secrets do not belong", "keyring"),
        (
            f"{IN_OFFICE}proxy = 'socks5://me:hush@h:1'",
            "line 3: at proxy: a proxy's URL must not hold a password",
            "leave it out",
        ),
        (
            f"{IN_FORWARD}kind = 'local'\nbind = '127.0.0.1'",
            "line 5: at forwards[0].bind: '127.0.0.1' is not ADDRESS:PORT",
            "the port is missing",
        ),
        (
            f"{IN_FORWARD}kind = 'lcal'\nbind = '1'",
            "line 4: at forwards[0].kind: invalid enum value 'lcal'",
            "local, remote or dynamic",
        ),
        (
            f"{IN_FORWARD}kind = 'dynamic'\nbind = '1'\n{FORWARD}kind = 'local'\nbund = '1'",
            "line 8: at forwards[1]: there is no key 'bund'",
            "bind?",
        ),
        (f"{IN_FORWARD}bind = '1'", "line 3: at forwards[0]: the key kind is missing", ""),
        (f"{IN_OFFICE}gateway = 'x'", "line 3: 'gateway' is there twice", "said once"),
    ],
)
def test_what_is_wrong(text, said, cause):
    with pytest.raises(ConfigError) as raised:
        decode(text.encode(), "profiles.toml")
    assert raised.value.summary.startswith(f"profiles.toml {said}")
    assert cause in raised.value.cause
    assert "hush" not in raised.value.summary + raised.value.cause


def test_too_many():
    text = "".join(f"[profiles.p{each}]\ngateway = 'g'\n" for each in range(MAX_PROFILES + 1))
    with pytest.raises(ConfigError, match="more than 1000 profiles"):
        decode(text.encode(), "f")


@given(st.one_of(st.binary(), st.text("abcd='\"[]{}#\n.,1").map(str.encode)))
def test_any_bytes(data):
    try:
        decode(data, "f")
    except ConfigError as error:
        assert error.summary.startswith("f")


_VALUES = st.recursive(
    st.one_of(st.integers(), st.floats(), st.booleans(), st.text("a1:/.@", max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["bind", "kind"]), inner)
    ),
    max_leaves=4,
)
_KEYS = st.sampled_from(
    ["gateway", "note", "forwards", "jumps", "keepalive", "port", "identities", "x11", "y"]
)


@given(st.dictionaries(_KEYS, _VALUES))
def test_any_values(table):
    import tomlkit

    text = tomlkit.dumps({"profiles": {"a": table}})
    try:
        decode(text.encode(), "f")
    except ConfigError as error:
        assert error.summary.startswith("f line ")
