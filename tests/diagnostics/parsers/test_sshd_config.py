"""sshd_config(5): the first value wins, Match blocks stand apart, what is missing is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers.sshd_config import (
    MAX_FILES,
    MAX_SECONDS,
    MAX_SETTINGS,
    ConfigFile,
    Setting,
    SshdConfig,
    parse,
    parse_effective,
    seconds,
)

MAIN = "/etc/ssh/sshd_config"


def read(text: str, *more: tuple[str, str | None], options: tuple[str, ...] = ()) -> SshdConfig:
    files = [ConfigFile(path=MAIN, data=text.encode())]
    files += [ConfigFile(path=p, data=None if t is None else t.encode()) for p, t in more]
    return parse(tuple(files), options)


def setting(config: SshdConfig, keyword: str) -> Setting:
    found = config.get(keyword)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", 90),
        ("1h30m", 5400),
        ("1W", 604800),
        ("none", 0),
        ("", None),
        ("1x", None),
        ("m1", None),
        ("1h 2m", None),
        ("9999999999w", MAX_SECONDS),
        ("1s" * 50, None),
    ],
)
def test_times(text, expected):
    assert seconds(text) == expected


def test_the_first_value_wins():
    config = read("# a comment\nPort=22\n\nport 23\nPermitOpen a:1 b:2 # two\n")
    assert config.word("Port") == "22"
    assert config.get("permitopen") == Setting(
        keyword="permitopen", words=("a:1", "b:2"), file=MAIN, line=5
    )
    assert config.known
    assert setting(config, "permitopen").text == "a:1 b:2"
    assert setting(config, "permitopen").place == f"{MAIN}:5"


def test_numbers_and_times_fall_back():
    config = read("A 12\nB x\nC 12345678901\nD 2m\nE ²\nF\n")
    assert [config.number(name, 7) for name in "ABCEFG"] == [12, 7, 7, 7, 7, 7]
    assert [config.seconds(name, 7) for name in "ABD"] == [12, 7, 120]


def test_match_blocks_stand_apart():
    config = read("Match User me\nX 1\nMatch\nX 2\nMatch all\nX 3\n")
    assert setting(config, "X").words == ("3",)
    assert [each.match for each in config.matched("X")] == ["User me", "?"]


def test_includes():
    config = read(
        'Include sshd_config.d/*.conf "/absent"\nInclude /none/*.conf\nX main\n',
        ("/etc/ssh/sshd_config.d/a.conf", "Match User a\nX block\n"),
        ("/etc/ssh/sshd_config.d/b.conf", "X b\n"),
        ("/etc/ssh/sshd_config.d/c.conf", None),
    )
    assert config.word("X") == "b"
    assert config.unread == ("/etc/ssh/sshd_config.d/c.conf", "/absent")
    assert config.included == ("/etc/ssh/sshd_config.d/*.conf", "/absent", "/none/*.conf")
    assert not config.known


def test_hostile_includes():
    assert read(f"Include {MAIN}\n").unread == (MAIN,)
    assert read(f"Include {'a' * 2000}\n").unread[0].endswith("…")
    many = read("Include " + " ".join(f"/{n}" for n in range(150)) + "\nInclude /x/*\n")
    assert len(many.included) == MAX_FILES
    fan = read("Include /x\n", ("/x", "Include /x /x /x\n"))
    assert fan.unread == ("/x",)


def test_too_many_settings():
    data = b"X 1\n" * 4000
    files = tuple(ConfigFile(path=f"/{n}", data=data) for n in range(2))
    config = parse((ConfigFile(path=MAIN, data=b"Include /0 /1\n"), *files))
    assert len(config.settings) == MAX_SETTINGS


def test_options_of_the_command_line_win():
    config = read("Port 22\n", options=("Port=2222", "#no"))
    assert config.get("Port") == Setting(keyword="port", words=("2222",))
    assert setting(config, "Port").place == ""
    assert parse((), ("Port 1",)).word("port") == "1"


def test_what_is_in_force_with_the_places():
    written = read("Match User me\nPermitOpen A:1\nMatch all\nX 1m\nY 1\nY 2\n")
    config = parse_effective(b"permitopen a:1\nx 60\ny 2\nz 3\n").with_places(written)
    assert config.effective
    assert setting(config, "PermitOpen").match == "User me"
    assert config.matched("PermitOpen") == ()
    places = [setting(config, name).line for name in "xyz"]
    assert places == [4, 6, 0]


@given(st.binary(), st.lists(st.text(max_size=20), max_size=3))
def test_total(data, options):
    config = parse(
        (ConfigFile(path=MAIN, data=data), ConfigFile(path="/b", data=None)), (*options,)
    )
    for each in config.settings:
        assert each.text.isprintable()
    parse_effective(data).with_places(config)


@given(st.text(alphabet="0123456789smhdw nox²", max_size=50))
def test_times_are_total(text):
    found = seconds(text)
    assert found is None or 0 <= found <= MAX_SECONDS
