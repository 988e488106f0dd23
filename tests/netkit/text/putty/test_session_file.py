"""Session files: those that PuTTY wrote, any others, and what is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import ConfigError
from netkit.text.putty.names import from_file_name
from netkit.text.putty.session import MAX_KEYS, MAX_VALUE, Session
from netkit.text.putty.session_file import MAX_FILE, format_session, parse_session

RECORDED = Path(__file__).parents[3] / "recorded" / "putty" / "sessions"
KEYS = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=12)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=30)


@pytest.mark.parametrize("path", sorted(RECORDED.iterdir()), ids=lambda path: path.name)
def test_what_putty_saved_comes_out_byte_for_byte(path: Path):
    content = path.read_bytes()
    session = parse_session(content, from_file_name(path.name), str(path))
    assert len(session.values) == 227
    assert format_session(session) == content


@given(st.dictionaries(KEYS, TEXTS | st.integers(-(2**31), 2**31 - 1), max_size=20))
def test_any_settings_round_trip(values: dict[str, str | int]):
    session = Session("s", (("HostName", "gw"), *values.items()))
    session = Session("s", tuple(dict(session.values).items()))
    content = format_session(session)
    again = parse_session(content, "s", "file")
    assert [(key, str(value)) for key, value in again.values] == [
        (key, str(value)) for key, value in session.values
    ]
    assert format_session(again) == content


def test_numbers_and_texts_are_told_apart_as_in_the_registry():
    content = b"PortNumber=22\nUserName=22\nPingInterval=08\nLogFileClash=-1\nUnknown=5\n"
    assert dict(
        parse_session(content, "s", "f").values
        if b"HostName" in content
        else parse_session(content + b"HostName=x\n", "s", "f").values
    ) == {
        "PortNumber": 22,
        "UserName": "22",
        "PingInterval": "08",
        "LogFileClash": -1,
        "Unknown": 5,
        "HostName": "x",
    }


def test_lines_as_putty_reads_them():
    content = b"\xef\xbb\xbfHostName=a=b\r\nno equals sign\n=x\nHostName=second\nUserName=x\ry\n"
    session = parse_session(content, "s", "f")
    assert session.values == (("HostName", "a=b"), ("UserName", "x"))


def test_other_encodings_are_taken_for_latin_1():
    assert parse_session(b"HostName=b\xfcro\n", "s", "f").text("HostName") == "büro"


def test_portable_kitty_writes_backslashes():
    content = b"HostName\\gw.example\\\r\nPortNumber\\22\\\r\nPortForwardings\\L80%3Da%3A80\\\r\n"
    session = parse_session(content, "s", "f")
    assert session.text("HostName") == "gw.example"
    assert session.number("PortNumber") == 22
    assert session.text("PortForwardings") == "L80=a:80"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no line"),
        (b"hello\nworld=1\n", "no line"),
        (b"HostName=a\0b\n", "NUL"),
        (b"HostName=" + b"x" * (MAX_VALUE + 1), "longer"),
        (b"".join(b"K%d=1\n" % number for number in range(MAX_KEYS + 1)), "more than"),
        (b"x" * (MAX_FILE + 1), "larger"),
    ],
)
def test_what_is_no_session(content: bytes, why: str):
    with pytest.raises(ConfigError) as caught:
        parse_session(content, "s", "the-file")
    assert why in caught.value.cause
    assert "the-file" in caught.value.summary


@pytest.mark.parametrize(
    "pair", [("K", "a\nb"), ("K=", "x"), ("", "x"), ("K", "\0"), ("K", "\ud800")]
)
def test_what_cannot_stand_in_a_file(pair: tuple[str, str]):
    with pytest.raises(ConfigError):
        format_session(Session("s", (pair,)))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_session_or_an_error(content: bytes):
    for piece in (content, b"HostName=x\n" + content):
        try:
            session = parse_session(piece, "s", "f")
        except ConfigError as error:
            assert error.code == "bad-putty-session"
        else:
            assert len(dict(session.values)) == len(session.values)
