from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.desktop.windows_link import MAX_FILE, Link, format_link, parse_link
from netkit.errors import UsageError

TARGET = r"C:\Program Files\netkit\netkit.exe"


def test_it_is_a_shell_link():
    data = format_link(Link(target=TARGET))
    # MS-SHLLINK 2.1: the header's size and class identifier
    assert data[:4] == b"\x4c\0\0\0"
    assert data[4:20].hex() == "0114020000000000c000000000000046"


@pytest.mark.parametrize(
    "link",
    [
        Link(target=TARGET),
        Link(
            target=TARGET,
            arguments='/d /s /c ""C:\\net kit\\netkit.exe" up office || pause"',
            description="a tunnel",
            icon=r"C:\x.ico",
            folder=r"C:\Program Files",
            minimised=True,
        ),
        Link(target="C:\\Users\\Jürgen\\netkit.exe", arguments="ä"),
        Link(target="C:\\Users\\王😀\\netkit.exe", minimised=True),
        Link(target="z:\\netkit.exe"),
    ],
)
def test_what_is_written_is_read(link: Link):
    read = parse_link(format_link(link))
    assert read.target.lower() == link.target.lower()
    assert read == Link(
        target=read.target,
        arguments=link.arguments,
        description=link.description,
        icon=link.icon,
        folder=link.folder,
        minimised=link.minimised,
    )


def test_the_window_is_minimised():
    """MS-SHLLINK 2.1, ShowCommand: SW_SHOWMINNOACTIVE is 7, SW_SHOWNORMAL 1."""
    assert format_link(Link(target=TARGET, minimised=True))[60:64] == b"\7\0\0\0"
    assert format_link(Link(target=TARGET))[60:64] == b"\1\0\0\0"


@pytest.mark.parametrize(
    "link",
    [
        Link(target="netkit.exe"),
        Link(target=r"\\server\share\netkit.exe"),
        Link(target="/usr/bin/netkit"),
        Link(target="é:\\netkit.exe"),
        Link(target="C:\\a\nb.exe"),
        Link(target="C:\\" + "x" * 300),
        Link(target=TARGET, arguments="x" * 261),
        Link(target=TARGET, arguments="a\nb"),
        Link(target=TARGET, description="😀"),
    ],
)
def test_what_a_link_cannot_say(link: Link):
    with pytest.raises(UsageError) as caught:
        format_link(link)
    assert caught.value.code == "bad-shortcut"


BMP = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs", "Cc"]), max_size=40)
PART = st.text(
    st.characters(
        exclude_categories=["Cs", "Cc", "Z", "Cn", "Co"], exclude_characters='\\/:*?"<>|'
    ),
    min_size=1,
    max_size=12,
)


@given(st.lists(PART, min_size=1, max_size=4), BMP, st.booleans())
def test_round_trip(parts: list[str], arguments: str, minimised: bool):
    link = Link(target="C:\\" + "\\".join(parts), arguments=arguments, minimised=minimised)
    try:
        data = format_link(link)
    except UsageError as error:
        assert error.code == "bad-shortcut"
        assert not link.target.isprintable()
        return
    assert parse_link(data) == link


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes):
    for candidate in (data, format_link(Link(target=TARGET))[:76] + data):
        try:
            parse_link(candidate)
        except UsageError as error:
            assert error.code == "bad-shortcut"


def test_a_file_that_is_too_large_is_none():
    with pytest.raises(UsageError):
        parse_link(b"L\0\0\0" + b"\0" * MAX_FILE)
