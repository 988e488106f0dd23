"""PuTTY's part of the registry: an export of regedit's kind, what it deletes, and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import ConfigError, UsageError
from netkit.text.putty.host_keys import CachedKey, parse_cache_file
from netkit.text.putty.registry_file import (
    MAX_SESSIONS,
    ROOT,
    format_registry_file,
    parse_registry_file,
)
from netkit.text.putty.session import MAX_KEYS, Session

RECORDED = Path(__file__).parents[3] / "recorded" / "putty"
KEYS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=12)
TEXTS = st.text(
    st.characters(
        exclude_categories=["Cs", "Zl", "Zp"], exclude_characters="\r\n\0\x0b\x0c\x1c\x1d\x1e\x85"
    ),
    max_size=30,
)
NAMES = st.text(st.characters(codec="cp1252", exclude_categories=["Cc"]), min_size=1, max_size=20)


def reg(*lines: str) -> bytes:
    return "\r\n".join(["Windows Registry Editor Version 5.00", "", *lines, ""]).encode("utf-16")


def key(name: str) -> str:
    return f"[{ROOT}\\Sessions\\{name}]"


def test_a_registry_export():
    found = parse_registry_file((RECORDED / "office.reg").read_bytes(), "office.reg")
    assert [session.name for session in found.sessions] == ["Büro (100%)", "Default Settings"]
    office = found.sessions[0]
    assert office.text("PublicKeyFile") == "C:\\Users\\Me\\keys\\office.ppk"
    assert office.text("ProxyTelnetCommand") == "connect %host %port\\n"
    assert office.number("LogFileClash") == -1
    assert office.number("PortNumber") == 2222
    cache = parse_cache_file((RECORDED / "sshhostkeys").read_bytes(), "f")
    assert found.host_keys.keys == cache.keys
    assert found.left_out == found.host_keys.left_out == ()


@given(
    st.dictionaries(
        NAMES,
        st.dictionaries(KEYS, TEXTS | st.integers(-(2**31), 2**31 - 1), max_size=5),
        max_size=4,
    )
)
def test_sessions_round_trip(content: dict[str, dict[str, str | int]]):
    sessions = tuple(Session(name, tuple(values.items())) for name, values in content.items())
    assert parse_registry_file(format_registry_file(sessions), "f").sessions == sessions


def test_host_keys_round_trip():
    keys = parse_cache_file((RECORDED / "sshhostkeys").read_bytes(), "f").keys
    odd = CachedKey("a*b", 22, keys[0].blob)
    content = format_registry_file([], [*keys, odd])
    assert b"\r\0\n\0" in content
    assert content.startswith(b"\xff\xfe")
    assert parse_registry_file(content, "f").host_keys.keys == (*keys, odd)


def test_what_a_file_deletes():
    content = reg(
        key("a"), '"HostName"="a"', '"UserName"="x"', '"UserName"=-',
        key("b"), '"HostName"="b"',
        key("a").replace("[", "[-"),
        key("c"), '"HostName"="c"',
        f"[{ROOT}\\SshHostKeys]", '"rsa2@22:gw"="0x3,0x5"', '"rsa2@22:gw"=-',
        '"rsa2@22:other"="0x3,0x5"',
    )  # fmt: skip
    found = parse_registry_file(content, "f")
    assert [session.name for session in found.sessions] == ["b", "c"]
    assert [cached.host for cached in found.host_keys.keys] == ["other"]
    all_gone = parse_registry_file(content + f"[-{ROOT}]\r\n".encode("utf-16-le"), "f")
    assert not all_gone.sessions
    assert not all_gone.host_keys.keys
    removed = reg(key("a"), '"HostName"="a"', '"UserName"="x"', '"UserName"=-')
    assert parse_registry_file(removed, "f").sessions[0].values == (("HostName", "a"),)


def test_other_keys_are_passed_over_and_case_does_not_matter():
    content = reg(
        "[HKEY_CURRENT_USER\\Software\\Other\\PuTTY\\Sessions\\x]", '"HostName"="evil"',
        f"[{ROOT}]", '"HostName"="root"',
        f"[{ROOT}\\Sessions\\a\\deeper]", '"HostName"="deeper"',
        "[HKEY_LOCAL_MACHINE\\Software\\SimonTatham\\PuTTY\\Sessions\\x]", '"HostName"="machine"',
        "[hkcu\\SOFTWARE\\simontatham\\putty\\sessions\\good]", '"HostName"="good"', '@="x"',
    )  # fmt: skip
    found = parse_registry_file(content, "f")
    assert [(each.name, each.text("HostName")) for each in found.sessions] == [("good", "good")]


def test_damaged_names_are_told_and_spare_the_others():
    content = reg(key("a%00b"), '"HostName"="x"', key("good"), '"HostName"="x"')
    found = parse_registry_file(content, "f.reg")
    assert [session.name for session in found.sessions] == ["good"]
    assert len(found.left_out) == 1
    assert "f.reg" in found.left_out[0]


@pytest.mark.parametrize(
    "lines",
    [
        [key("a"), *(f'"k{number}"=dword:00000001' for number in range(MAX_KEYS + 1))],
        [key(f"s{number}") for number in range(MAX_SESSIONS + 1)],
        [key("a"), f'"k"="{"x" * 70_000}"'],
    ],
)
def test_bounds(lines: list[str]):
    with pytest.raises(ConfigError) as caught:
        parse_registry_file(reg(*lines), "f")
    assert caught.value.code == "bad-registry-file"


def test_what_cannot_be_written():
    with pytest.raises(UsageError):
        format_registry_file([Session("a", (("k", "two\nlines"),))])
    with pytest.raises(UsageError):
        format_registry_file([Session("日本", ())])


@given(st.binary(max_size=300))
def test_any_bytes_are_a_registry_or_an_error(content: bytes):
    for piece in (content, b"REGEDIT4\n" + key("a").encode() + b"\n" + content):
        try:
            parse_registry_file(piece, "f")
        except ConfigError as error:
            assert error.code == "bad-registry-file"
