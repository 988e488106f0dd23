from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netkit.desktop.desktop_entry import (
    Action,
    Entry,
    format_entry,
    parse_entry,
    quote_exec,
    split_exec,
)
from netkit.errors import UsageError
from support.peers import require

HOSTILE = (
    "/opt/net kit/bin/netkit",
    "50%",
    "%f",
    'a"b',
    "a'b",
    "$HOME",
    "`id`",
    "a\\b",
    ";",
    "",
    "~",
)


def exec_of(text: str, group: str = "Desktop Entry") -> tuple[str, ...]:
    return split_exec(parse_entry(text)[group]["Exec"])


def test_an_entry():
    entry = Entry(
        name="Office",
        comment="a tunnel",
        argv=("/usr/bin/netkit", "up", "office"),
        icon="network-workgroup",
        actions=(Action("doctor", "Look", ("/usr/bin/netkit", "doctor", "office")),),
        extra=(("X-Netkit-Profile", "office"),),
    )
    assert format_entry(entry) == (
        "[Desktop Entry]\nType=Application\nVersion=1.1\nName=Office\nComment=a tunnel\n"
        "Icon=network-workgroup\nExec=/usr/bin/netkit up office\nTerminal=true\n"
        "Categories=Network;RemoteAccess;\nX-Netkit-Profile=office\nActions=doctor;\n"
        "\n[Desktop Action doctor]\nName=Look\nExec=/usr/bin/netkit doctor office\n"
    )


def test_the_specifications_own_examples():
    # section 7: a literal dollar sign in quotes is "\\$" in the file, a backslash four of them
    text = format_entry(Entry(name="x", argv=("a", "$", "\\")))
    assert '\nExec=a "\\\\$" "\\\\\\\\"\n' in text


def test_hostile_arguments_come_back_and_the_validator_is_content(tmp_path: Path):
    entry = Entry(
        name="50% off; \\ \t\n[Desktop Entry]",
        comment=" begins with a space",
        argv=HOSTILE,
        actions=(Action("x", "=", HOSTILE),),
        terminal=False,
    )
    text = format_entry(entry)
    assert exec_of(text) == HOSTILE
    assert exec_of(text, "Desktop Action x") == HOSTILE
    assert parse_entry(text)["Desktop Entry"]["Name"] == entry.name
    assert parse_entry(text)["Desktop Entry"]["Comment"] == entry.comment
    file = tmp_path / "x.desktop"
    file.write_text(text)
    done = subprocess.run(
        [require("desktop-file-validate"), "--no-hints", file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)


@given(TEXT.filter(lambda word: word and "=" not in word), st.lists(TEXT, max_size=5))
@example("a", list(HOSTILE))
def test_exec_round_trip(program: str, words: list[str]):
    argv = (program, *words)
    text = format_entry(Entry(name="x", argv=argv))
    assert exec_of(text) == argv
    assert len(parse_entry(text)) == 1


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_names_round_trip(name: str):
    entry = parse_entry(format_entry(Entry(name=name, argv=("a",))))["Desktop Entry"]
    assert entry.get("Name", "") == name
    assert entry["Exec"] == "a"


@pytest.mark.parametrize(
    "argv", [(), ("",), ("a=b",), ("a", "x\ny"), ("a", "\x00"), ("a", "\udc80")]
)
def test_what_cannot_be_said_is_refused(argv: tuple[str, ...]):
    with pytest.raises(UsageError) as caught:
        quote_exec(argv)
    assert caught.value.code == "bad-shortcut"


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str):
    try:
        groups = parse_entry(text)
        for group in groups.values():
            split_exec(group.get("Exec", ""))
    except UsageError as error:
        assert error.code == "bad-shortcut"


@given(st.text(max_size=60))
def test_any_exec_is_split_or_refused(value: str):
    try:
        split_exec(value)
    except UsageError as error:
        assert error.code == "bad-shortcut"


def test_field_codes_vanish():
    assert split_exec("viewer %f --name=%%") == ("viewer", "", "--name=%")
