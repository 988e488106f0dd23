"""A session to a profile, and what is told of the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import UsageError
from netkit.model import Endpoint, ForwardKind, ForwardSpec, Gateway, Keepalive, X11Trust
from netkit.text.profiles.editing import canonical
from netkit.text.putty.defaults import DEFAULTS
from netkit.text.putty.mapping import FromPutty, to_profile
from netkit.text.putty.registry_file import parse_registry_file
from netkit.text.putty.session import Session
from netkit.text.putty.session_file import parse_session

RECORDED = Path(__file__).parents[3] / "recorded" / "putty"


def made(name: str = "s", **values: Any) -> FromPutty:
    base = {"HostName": "gw.example", "UserName": "me", "Protocol": "ssh"}
    return to_profile(Session(name, tuple({**base, **values}.items())), "p")


def left_out(**values: Any) -> tuple[str, ...]:
    return made(**values).imported.left_out


def test_a_session_with_nothing_changed_has_nothing_to_tell():
    content = (RECORDED / "sessions" / "My%20Office%20%28100%25%29").read_bytes()
    found = to_profile(parse_session(content, "My Office (100%)", "f"), "My-Office-100")
    profile = found.imported.profile
    assert profile.name == "My-Office-100"
    assert profile.tunnel.gateway == Gateway("gw.example", "me", 2222)
    assert profile.tunnel.keepalive is None
    assert profile.tunnel.compression is None
    assert profile.tunnel.ciphers == ()
    assert found.imported.left_out == ()
    assert found.host_keys == ()


def test_a_session_with_everything():
    content = (RECORDED / "sessions" / "Office").read_bytes()
    found = to_profile(parse_session(content, "Office", "f"), "Office")
    tunnel = found.imported.profile.tunnel
    assert [(each.kind.value, str(each.bind), str(each.to)) for each in tunnel.forwards] == [
        ("dynamic", "127.0.0.1:1081", "None"),
        ("local", "0.0.0.0:8080", "[2001:db8::5]:80"),
        ("dynamic", "*:1080", "None"),
        ("local", "*:110", "mail:110"),
        ("local", "127.0.0.2:3389", "10.0.0.5:3389"),
        ("remote", ":9000", "localhost:9000"),
    ]
    assert tunnel.gateway == Gateway("gw.example", "me", 2222)
    assert tunnel.expose
    assert tunnel.compression
    assert tunnel.keepalive == Keepalive(480.0)
    assert tunnel.x11 is X11Trust.TRUSTED
    assert tunnel.proxy == "socks5://pat@proxy.example:1080"
    assert tunnel.identities == (Path("/home/me/keys/office.ppk"),)
    assert len(found.host_keys) == 1
    told = "\n".join(found.imported.left_out)
    assert "hunter2" not in told
    assert "uptime" not in told
    for word in (
        *("6R[::1]:7000", "ProxyPassword", "SHA256:", "LogHost=office-gw", "AddressFamily=1"),
        *("Environment", "TryAgent=0", "AgentFwd=1", "RemoteCommand", "X11Display=:0", "Colour0"),
    ):
        assert word in told
    assert len(found.imported.left_out) == 11


def test_a_session_of_the_registry():
    found = parse_registry_file((RECORDED / "office.reg").read_bytes(), "office.reg")
    result = to_profile(found.sessions[0], "office")
    told = [text.partition("=")[0].partition(":")[0] for text in result.imported.left_out]
    assert "PublicKeyFile" in told  # C:\\Users\\… on another system
    assert not [text for text in result.imported.left_out if "unknown" in text]
    assert [text for text in result.imported.left_out if "terminal" in text] == [
        "about the terminal, which netkit is not: Colour0"
    ]


@pytest.mark.parametrize("protocol", ["telnet", "raw", "rlogin", "serial", "supdup", "x'\n"])
def test_what_does_not_speak_ssh(protocol: str):
    with pytest.raises(UsageError) as caught:
        made("bbs", Protocol=protocol, PortNumber=2323)
    assert caught.value.code == "not-an-ssh-session"
    assert "bbs" in caught.value.summary
    assert "\n" not in caught.value.summary
    if protocol == "telnet":
        (fix,) = caught.value.fixes
        assert fix.argv[-4:] == ("--bind", "127.0.0.1:2023", "--to", "gw.example:2323")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"HostName": ""}, "session-without-host"),
        ({"HostName": "me@"}, "session-without-host"),
        ({"HostName": "$(reboot)"}, "bad-putty-session"),
        ({"HostName": "-oProxyCommand=x"}, "bad-putty-session"),
        ({"UserName": "-x"}, "bad-putty-session"),
        ({"PortNumber": 0}, "bad-putty-session"),
        ({"PortNumber": 70000}, "bad-putty-session"),
    ],
)
def test_no_possible_gateway(values: dict[str, Any], code: str):
    with pytest.raises(UsageError) as caught:
        made(**values)
    assert caught.value.code == code


def test_default_settings_are_no_session():
    with pytest.raises(UsageError) as caught:
        made("Default Settings")
    assert caught.value.code == "not-a-session"


@pytest.mark.parametrize(
    ("minutes", "seconds", "keepalive"),
    [(0, 0, None), (8, 0, 480.0), (0, 30, 30.0), (1, 30, 90.0), (10**9, 0, 86400.0), (0, -5, None)],
)
def test_keepalive(minutes: int, seconds: int, keepalive: float | None):
    found = made(PingInterval=minutes, PingIntervalSecs=seconds).imported.profile.tunnel.keepalive
    assert found == (None if keepalive is None else Keepalive(keepalive))


@pytest.mark.parametrize(
    ("text", "accept", "expose"),
    [
        ("L80=a:1", 0, False),
        ("L80=a:1", 1, True),
        ("L127.0.0.2:80=a:1", 1, False),
        ("L10.0.0.1:80=a:1", 0, True),
        ("Lname:80=a:1", 0, True),
        ("R80=a:1", 1, False),
    ],
)
def test_what_other_machines_can_reach(text: str, accept: int, expose: bool):
    tunnel = made(PortForwardings=text, LocalPortAcceptAll=accept).imported.profile.tunnel
    assert tunnel.expose is expose


def test_remote_ports():
    tunnel = made(PortForwardings="R80=a:1", RemotePortAcceptAll=1).imported.profile.tunnel
    bind, to = Endpoint("*", 80), Endpoint("a", 1)
    assert tunnel.forwards == (ForwardSpec(ForwardKind.REMOTE, bind, to),)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"UserName": ""}, ["no user name"]),
        ({"UserName": "", "UserNameFromEnvironment": 1}, []),
        ({"PublicKeyFile": "keys\\my.ppk"}, ["PublicKeyFile"]),
        ({"PublicKeyFile": "C:\\my.ppk"}, ["Windows machine"]),
        ({"PublicKeyFile": "a\nb"}, ["no path"]),
        ({"KEX": "ecdh,WARN,rsa"}, ["KexAlgorithms"]),
        ({"Cipher": "blowfish"}, ["Cipher=blowfish"]),
        ({"SshNoShell": 1, "TCPNoDelay": 0}, []),
        ({"SSHManualHostKeys": "nonsense,"}, ["nonsense"]),
        ({"SSHManualHostKeys": "\x80"}, ["no key"]),
        ({"Font": "Comic", "Beep": 0}, ["Font, Beep"]),
        ({f"Kitty{n}": 1 for n in range(10)}, ["and 2 more"]),
    ],
)
def test_what_is_told(values: dict[str, Any], words: list[str]):
    told = left_out(**values)
    assert len(told) == len(words)
    assert all(word in text for word, text in zip(words, told, strict=True))


VALUES = st.text(max_size=20) | st.integers(-(2**31), 2**31 - 1) | st.just("a:1,L80=b:2")


@given(
    st.dictionaries(st.sampled_from(sorted(DEFAULTS)) | st.text(max_size=8), VALUES, max_size=12)
)
def test_any_session_is_a_profile_or_an_error(values: dict[str, Any]):
    values = {"HostName": "gw", **values}
    try:
        found = to_profile(Session("s", tuple(values.items())), "p")
    except UsageError:
        return
    canonical(found.imported.profile)  # it can be saved
    password = str(values.get("ProxyPassword", ""))
    if len(password) > 15:
        assert password not in "".join(found.imported.left_out)
