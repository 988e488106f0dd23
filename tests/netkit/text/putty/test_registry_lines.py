"""The grammar of ``.reg`` files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import ConfigError
from netkit.text.putty.registry_lines import (
    HEADERS,
    MAX_FILE,
    MAX_LINE,
    KeyLine,
    ValueLine,
    parse_lines,
    quoted_text,
)

TEXTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\x85\u2028\u2029"),
    max_size=30,
)


def lines(text: str, header: str = HEADERS[0]) -> list[KeyLine | ValueLine]:
    return list(parse_lines(f"{header}\r\n\r\n{text}".encode(), "f.reg"))


def value(text: str, header: str = HEADERS[0]) -> str | int | None:
    (line,) = lines(f'"x"={text}', header)
    assert isinstance(line, ValueLine)
    return line.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"a"', "a"),
        ('""', ""),
        (r'"C:\\a\\\"b\""', r'C:\a\"b"'),
        ('"a" ; comment', "a"),
        ("dword:0000001f", 31),
        ("dword:ffffffff", -1),
        ("-", None),
        ("hex:01,02", None),
        ("hex(4):1f,00,00,00", 31),
        ("hex(b):01,00,00,00,00,00,00,00", None),
        ("hex(2):61,00,62,00,00,00", "ab"),
        ("hex(2):61,00,\\\r\n  62,00,\\\r\n  00,00", "ab"),
        ("hex(1):", ""),
    ],
)
def test_values(text: str, expected: str | int | None):
    assert value(text) == expected


def test_old_files_have_bytes_of_the_code_page():
    assert value("hex(2):e4,62,00", "REGEDIT4") == "äb"
    content = 'REGEDIT4\r\n[HKEY_X]\r\n"ä"="ö"\r\n'.encode("cp1252")
    assert list(parse_lines(content, "f"))[1] == ValueLine("ä", "ö", 3)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-8"])
def test_encodings(encoding: str):
    content = f'{HEADERS[0]}\r\n[HKEY_X]\r\n"ü"="€"\r\n'.encode(encoding)
    assert list(parse_lines(content, "f"))[1] == ValueLine("ü", "€", 3)


def test_big_endian():
    content = ("\ufeff" + f'{HEADERS[0]}\r\n"a"="b"\r\n').encode("utf-16-be")
    assert list(parse_lines(content, "f")) == [ValueLine("a", "b", 2)]


def test_keys_values_and_comments():
    text = '; comment\r\n[HKEY_A\\B]\r\n@="default"\r\n"x"=-\r\n\r\n[-HKEY_C]\r\n'
    assert lines(text) == [
        KeyLine("HKEY_A\\B", 4),
        ValueLine("", "default", 5),
        ValueLine("x", None, 6),
        KeyLine("HKEY_C", 8, deleted=True),
    ]


@given(TEXTS, TEXTS)
def test_strings_round_trip(name: str, text: str):
    (line,) = lines(f"{quoted_text(name)}={quoted_text(text)}")
    assert line == ValueLine(name, text, 3)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"", "f.reg"),
        (b"hello", "f.reg"),
        (b"\xff\xfe\x00", "f.reg"),
        (b"\xff\xfe\x00\xd8", "f.reg"),
        (HEADERS[0].encode("utf-16-le"), "f.reg"),
        (b"REGEDIT4\n[HKEY", "f.reg:2"),
        (b'REGEDIT4\n"a', "f.reg:2"),
        (b'REGEDIT4\n"a"', "f.reg:2"),
        (b'REGEDIT4\n"a"=b', "f.reg:2"),
        (b'REGEDIT4\n"a"="b" c', "f.reg:2"),
        (b'REGEDIT4\n"a"=dword:12345678901', "f.reg:2"),
        (b'REGEDIT4\n"a"=hex(1):123', "f.reg:2"),
        (HEADERS[0].encode() + b'\n"a"=hex(1):00,d8', "f.reg:2"),
        (b"REGEDIT4\nnonsense", "f.reg:2"),
        (b"x" * (MAX_FILE + 1), "f.reg"),
        (b'REGEDIT4\n"a"="' + b"x" * MAX_LINE + b'"', "f.reg:2"),
        (b'REGEDIT4\n"a"=hex:' + b"00,\\\n" * MAX_LINE, "f.reg:2"),
    ],
)
def test_what_is_no_registry_file(content: bytes, place: str):
    with pytest.raises(ConfigError) as caught:
        list(parse_lines(content, "f.reg"))
    assert caught.value.summary.startswith(f"{place} ")


@pytest.mark.parametrize("text", ["a\nb", "\0", "\r"])
def test_what_cannot_be_written(text: str):
    with pytest.raises(ValueError, match="line breaks"):
        quoted_text(text)


@given(st.binary(max_size=200), st.sampled_from(["", *HEADERS]))
def test_any_bytes_are_lines_or_an_error(content: bytes, header: str):
    start = f"{header}\n".encode() if header else b""
    try:
        found = list(parse_lines(start + content, "f"))
    except ConfigError as error:
        assert error.code == "bad-registry-file"
    else:
        assert all(isinstance(line, KeyLine | ValueLine) for line in found)
