"""Arguments of keywords to the values that ssh -G prints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import ConfigError
from netkit.model import ForwardKind
from netkit.text.forwards import parse_config_forward, parse_forward
from netkit.text.ssh_keywords import KEYWORDS, Kind
from netkit.text.ssh_lines import Where, parse_line
from netkit.text.ssh_values import assemble_algorithms, print_forward, read_values


def read(text: str) -> tuple[str, ...]:
    line = parse_line(text, Where("config", 1))
    assert line is not None
    return read_values(line.keyword, line)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("StrictHostKeyChecking YES", ("true",)),
        ("StrictHostKeyChecking off", ("false",)),
        ("Compression yes", ("yes",)),
        ("Tunnel yes", ("point-to-point",)),
        ("PubkeyAuthentication no", ("false",)),
        ("PasswordAuthentication false", ("no",)),
        ("ConnectTimeout 1m", ("60",)),
        ("ConnectTimeout none", ("none",)),
        ("Port 0022", ("22",)),
        ("User me # not you", ("me",)),
        ("ProxyCommand = nc %h %p # kept", ("nc %h %p # kept",)),
        ("ProxyJump a,u@b:3 # c", ("a,u@b:3",)),
        ("ProxyJump none # c", ("none",)),
        ("UserKnownHostsFile a b 'c d'", ("a", "b", "c d")),
        ("SendEnv LANG LC_*", ("LANG", "LC_*")),
        ("SetEnv A=1 B=2", ("A=1", "B=2")),
        ("LocalForward 8080 db:80", ("8080 [db]:80",)),
        ("LocalForward :8080 [::1]:80", ("[*]:8080 [::1]:80",)),
        ("LocalForward /a/b /c/d", ("/a/b /c/d",)),
        ("RemoteForward 9000", ("9000 [socks]:0",)),
        ("DynamicForward 127.0.0.1:1080", ("[127.0.0.1]:1080",)),
        ("AddKeysToAgent confirm 5m", ("confirm", "5m")),
    ],
)
def test_values(text: str, expected: tuple[str, ...]):
    assert read(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "StrictHostKeyChecking maybe",
        "Port 0",
        "Port 65536",
        "Port ssh",
        "User",
        "User a b",
        'User ""',
        "User # comment",
        "ConnectTimeout soon",
        "ServerAliveCountMax -1",
        "ServerAliveCountMax 99999999999",
        "ProxyCommand =",
        "ProxyJump a b",
        "ProxyJump -x",
        "UserKnownHostsFile none a",
        "UserKnownHostsFile ''",
        "SendEnv A=1",
        "SetEnv A",
        "LocalForward 8080",
        "LocalForward 8080 db:80 x",
        "LocalForward 8080 db",
        "DynamicForward 1080 db:80",
    ],
)
def test_errors_name_file_and_line(text: str):
    with pytest.raises(ConfigError, match=r"config:1: "):
        read(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x,y", "x,y"),
        ("+x", "a1,a2,b,x"),
        ("+a1", "a1,a2,b"),
        ("^b", "b,a1,a2"),
        ("^x", "x,a1,a2,b"),
        ("-a*", "b"),
        ("-x", "a1,a2,b"),
        ("a*", "a1,a2"),
        ("-*", ""),
    ],
)
def test_algorithm_lists(text: str, expected: str):
    assert assemble_algorithms("a1,a2,b", text) == expected


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (ForwardKind.LOCAL, "8080:db:80"),
        (ForwardKind.LOCAL, "[::1]:8080:/run/d"),
        (ForwardKind.LOCAL, "/run/a b:db:80"),
        (ForwardKind.REMOTE, "*:8080"),
        (ForwardKind.DYNAMIC, "localhost:0"),
    ],
)
def test_printed_forwards_are_read_again(kind: ForwardKind, text: str):
    spec = parse_forward(kind, text)
    again = parse_config_forward(kind, print_forward(spec))
    assert (again.bind, again.to) == (spec.bind, spec.to)


@given(
    st.sampled_from([name for name, k in KEYWORDS.items() if k.kind is not Kind.BLOCK]),
    st.text() | st.text("01mnoeys:/@,[]*+-^= #'\""),
)
def test_anything_has_values_or_is_a_config_error(name: str, text: str):
    try:
        line = parse_line(f"{name} {text}".replace("\n", " "), Where("config", 1))
        if line is not None and line.keyword == name:
            read_values(name, line)
    except ConfigError as error:
        assert "config:1" in error.summary
