"""Command lines of autossh and ssh."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import UsageError
from netkit.model import Gateway, HostKeyPolicy, Keepalive, X11Trust
from netkit.text.foreign.ssh_words import MAX_WORDS, read_words
from netkit.text.profiles.editing import canonical


def read(line, name=""):
    return read_words(shlex.split(line), name)


def forwards(imported):
    return [f"{each.kind.value} {each}" for each in imported.profile.tunnel.forwards]


def test_a_line_of_autossh():
    imported = read(
        "autossh -M 0 -NT -L 5432:db:5432 -R8080:localhost:80 -D 1080 -o ServerAliveInterval=30"
        " -o 'ServerAliveCountMax 2' -o ExitOnForwardFailure=yes -i ~/.ssh/k -p2222 me@gw"
    )
    tunnel = imported.profile.tunnel
    assert imported.profile.name == "gw"
    assert imported.left_out == ()
    assert tunnel.gateway == Gateway("gw", "me")
    assert tunnel.port == 2222
    assert tunnel.keepalive == Keepalive(30, 2)
    assert tunnel.identities == (Path("~/.ssh/k"),)
    assert forwards(imported) == [
        "local 5432:db:5432",
        "remote 8080:localhost:80",
        "dynamic 1080",
    ]


def test_a_line_of_ssh_with_options_behind_the_gateway():
    imported = read("/usr/bin/ssh gw -NC -J a,b -l me -F cfg -c aes128-ctr,aes256-ctr -m hmac-x")
    tunnel = imported.profile.tunnel
    assert (tunnel.compression, tunnel.user, tunnel.config_file) == (True, "me", Path("cfg"))
    assert tunnel.jumps == (Gateway("a"), Gateway("b"))
    assert (tunnel.ciphers, tunnel.macs) == (("aes128-ctr", "aes256-ctr"), ("hmac-x",))


def test_the_name():
    assert read("ssh gw", "office").profile.name == "office"
    assert read("ssh -- me@[::1]:22").profile.name == "1"
    with pytest.raises(UsageError, match="cannot be the name"):
        read("ssh gw", "a b")


def test_the_first_value_counts():
    tunnel = read("ssh -o Port=1 -p 2 -o user=a -l b gw").profile.tunnel
    assert (tunnel.port, tunnel.user) == (1, "a")


@pytest.mark.parametrize(
    ("line", "left_out"),
    [
        ("AUTOSSH_GATETIME=0 autossh gw", ["AUTOSSH_GATETIME=0: it is a matter of autossh"]),
        ("autossh -M 20000 gw", ["-M 20000: a keepalive notices a link that is dead"]),
        ("ssh -M gw", ["-M: connections are not shared"]),
        (
            "ssh -fA gw",
            ["-f: netkit up stays in the foreground", "-A: an agent is never forwarded"],
        ),
        ("ssh -g4 gw", ["-g: an address", "-4: AddressFamily"]),
        (
            "ssh -W a:1 -w 0 -b 1.2.3.4 -E log gw",
            ["-W a:1: ", "-w 0: ", "-b 1.2.3.4: ", "-E log: "],
        ),
        ("ssh gw uptime -p", ["the command 'uptime -p': no command is run"]),
        ("ssh -o StrictHostKeyChecking=no gw", ["-o StrictHostKeyChecking=no: host keys are"]),
        ("ssh -o BatchMode=yes gw", ["-o BatchMode=yes: put it into ssh_config"]),
    ],
)
def test_what_has_no_counterpart(line, left_out):
    found = read(line).left_out
    assert len(found) == len(left_out)
    assert all(each.startswith(start) for each, start in zip(found, left_out, strict=True))


@pytest.mark.parametrize(
    ("line", "trust"),
    [
        ("ssh -X gw", X11Trust.UNTRUSTED),
        ("ssh -Y gw", X11Trust.TRUSTED),
        ("ssh -X -o ForwardX11Trusted=yes gw", X11Trust.TRUSTED),
        ("ssh -o ForwardX11=yes gw", X11Trust.UNTRUSTED),
        ("ssh -o ForwardX11Trusted=yes gw", None),
        ("ssh -x gw", None),
    ],
)
def test_x11(line, trust):
    assert read(line).profile.tunnel.x11 is trust


@pytest.mark.parametrize(
    ("option", "field", "value"),
    [
        ("StrictHostKeyChecking=accept-new", "host_key", HostKeyPolicy.ACCEPT_NEW),
        ("StrictHostKeyChecking yes", "host_key", HostKeyPolicy.STRICT),
        ("ConnectTimeout=1m", "connect_timeout", 60.0),
        ("ConnectTimeout=0", "connect_timeout", None),
        ("Compression=no", "compression", False),
        ("ProxyJump=none", "jumps", ()),
        ('IdentityFile="a b"', "identities", (Path("a b"),)),
        ("ServerAliveInterval=0", "keepalive", Keepalive(0, 3)),
        ("ServerAliveCountMax=0", "keepalive", Keepalive(30, 1000)),
    ],
)
def test_options_of_ssh_config(option, field, value):
    imported = read_words(["ssh", "-o", option, "gw"])
    assert getattr(imported.profile.tunnel, field) == value
    assert imported.left_out == ()


def test_a_forward_of_ssh_config():
    assert forwards(read("ssh -o 'LocalForward 8080 web:80' gw")) == ["local 8080:web:80"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "the command line names no gateway"),
        ("autossh -M 0 -N", "the command line names no gateway"),
        ("ssh -L", "-L has no value"),
        ("ssh -L x gw", "-L 'x' is not a local forward"),
        ("ssh -p 0 gw", "'0' is not a port"),
        ("ssh -o x gw", "-o 'x' is no option"),
        ("ssh -o Compression=maybe gw", "'maybe' is neither yes nor no"),
        ("ssh -o ConnectTimeout=soon gw", "'soon' is no number of seconds"),
        (f"ssh -o ConnectTimeout={'1' * 39}! gw", f"'{'1' * 39}!' is no number of seconds"),
        ("ssh -o ServerAliveCountMax=x gw", "'x' is no number"),
        ("ssh -l -x gw", "'-x' is not"),
        ("ssh 'a b'", "'a b' is not an address"),
    ],
)
def test_what_is_wrong(line, said):
    with pytest.raises(UsageError) as raised:
        read(line)
    assert raised.value.summary.startswith(said)


def test_too_many_words():
    with pytest.raises(UsageError, match="at most 1000 words"):
        read_words(["ssh"] * (MAX_WORDS + 1))


_WORDS = st.one_of(
    st.sampled_from(
        [
            "autossh",
            "-M",
            "0",
            "-L",
            "1:h:2",
            "-NfX",
            "-p",
            "-o",
            "Port=1",
            "--",
            "gw",
            "-iF",
            "A=b",
        ]
    ),
    st.text("-abLopq=:1 ", max_size=6),
)


@given(st.lists(_WORDS, max_size=8))
def test_any_words(words):
    try:
        imported = read_words(words)
    except UsageError as error:
        assert error.summary
    else:
        try:
            canonical(imported.profile)
        except UsageError as error:
            assert error.code == "bad-profile"
