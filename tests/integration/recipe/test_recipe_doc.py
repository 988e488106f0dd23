"""docs/recipe.md and README.md: their commands are run, as they are written, against real servers.

A command that nothing here knows how to judge fails the test.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from typing import Final

import click
import pytest

from netkit.cli import main
from support import rdp
from support.cli import ROOT
from support.forwarding import Forwarding
from support.keyboard import Keyboard
from support.recipe import FILE, MAIL, World, world
from support.services import PASSWORD, USER, Website

DOCUMENT: Final = ROOT / "docs" / "recipe.md"
TEXT: Final = DOCUMENT.read_text("utf-8")
README: Final = (ROOT / "README.md").read_text("utf-8")

ELSEWHERE: Final = (
    r"git clone ",
    r"make demo$",  # tests/netkit/cli/test_demo.py
    r"netkit bench",  # tests/netkit/bench; it measures for half a minute
)
"""Commands of the README that have tests of their own."""


def sections(text: str) -> dict[str, list[str]]:
    """Return the commands under each heading, in order."""
    found: dict[str, list[str]] = {}
    heading, inside = "", False
    for line in text.splitlines():
        if line.startswith("```"):
            inside = line == "```console"
        elif line.startswith("## "):
            heading = line.removeprefix("## ")
        elif inside and line.startswith("$ "):
            found.setdefault(heading, []).append(line.removeprefix("$ "))
    return found


def commands_of(text: str) -> list[str]:
    return [command for commands in sections(text).values() for command in commands]


COMMANDS: Final = commands_of(TEXT)
README_COMMANDS: Final = commands_of(README)


# ---------------------------------------------------------------- what each has to do


def ends(*wanted: str, codes: tuple[int, ...] = (0,)) -> Callable[[World, str], None]:
    """Return what runs a command to its end and looks for words in what it says."""

    def run(there: World, command: str) -> None:
        done = there.run(command)
        said = f"$ {command}\n{done.stdout}\n{done.stderr}\nexit {done.returncode}"
        assert done.returncode in codes, said
        for words in wanted:
            assert words in done.stdout + done.stderr, f"no {words!r} in:\n{said}"

    return run


def telnet(there: World, command: str) -> None:
    master, slave = os.openpty()
    process = subprocess.Popen(
        [*there.prefix, *shlex.split(command)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=there.environment,
        start_new_session=True,
    )
    os.close(slave)
    try:
        keyboard = Keyboard(master)
        keyboard.wait_for("login: ")
        keyboard.type(USER)
        keyboard.wait_for("Password: ")
        keyboard.type(PASSWORD)
        keyboard.wait_for(f"Welcome, {USER}.")
        keyboard.type("exit")
        process.wait(20)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def fetch_mail(there: World, command: str) -> None:
    """curl asks for the password on a terminal; here it is said."""
    listed = there.run(command.replace("--user alice", f"--user alice:{PASSWORD}"))
    assert listed.stdout.split() == ["1", str(len(MAIL))], listed.stderr
    one = there.run(command.replace("--user alice", f"--user alice:{PASSWORD}") + "1")
    assert "At six o'clock." in one.stdout


def fetch_file(there: World, command: str) -> None:
    done = there.run(f"{command} --silent --output fetched")
    assert done.returncode == 0, done.stderr
    assert (there.home / "fetched").read_bytes() == FILE


def own_desktop(there: World, command: str) -> None:
    """The client logs in, and the tunnel ends with it."""
    done = there.run(f"{command} --user {rdp.USER}")
    assert done.returncode == 0, f"{done.stderr}\n{(there.home / 'said').read_text()}"
    assert "desktop.internal:3389 answers (RDP" in done.stderr
    assert done.stdout.startswith("127.0.0.2:3389 ")


def desktop_through_profile(there: World, running: Forwarding) -> None:
    """A client that is told 127.0.0.2 logs in."""
    assert running.addresses[0] == "127.0.0.2:3389"
    done = there.run(f"xfreerdp /v:127.0.0.2 /u:{rdp.USER}")
    assert done.returncode == 0, (there.home / "said").read_text()


def lent_display(there: World, running: Forwarding, *displays: str) -> None:
    """Programs of the gateway get in by the lines that are printed, and not without them."""
    authority = there.home / "programs-there"
    authority.touch(0o600)
    told = [line.split() for line in running.lines if line.startswith("xauth add")]
    assert told, running.lines
    for words in told:
        added = there.run(shlex.join([words[0], "-f", str(authority), *words[1:]]))
        assert added.returncode == 0, added.stderr
    for display in displays:
        denied = there.run("xdpyinfo", DISPLAY=display, XAUTHORITY="/nonexistent")
        assert denied.returncode != 0
        done = there.run("xdpyinfo", DISPLAY=display, XAUTHORITY=str(authority))
        assert done.returncode == 0, done.stderr
        assert "The X.Org Foundation" in done.stdout


def exported(there: World, command: str) -> None:
    ends()(there, command)
    session = (there.home / ".putty" / "sessions" / "office").read_text()
    assert "PortForwardings=L127.0.0.2:3389=desktop.internal:3389" in session


def imported(there: World, command: str) -> None:
    folder = there.home / ".putty" / "sessions"
    folder.mkdir(parents=True)
    (folder / "old%20session").write_text(
        "Protocol=ssh\nHostName=gateway\nUserName=me\nCompression=1\nPingInterval=8\n"
        "PortForwardings=L10025=mail.internal:25\n"
    )
    ends("old")(there, command)


def written(there: World, command: str) -> None:
    ends("WireGuard", "Written to office-vpn")(there, command)
    assert (there.home / "office-vpn" / "gateway" / "netkit0.conf").stat().st_mode & 0o77 == 0


ONCE: Final[list[tuple[str, Callable[[World, str], None]]]] = [
    (r"netkit key new ", ends("SHA256:")),
    (r"netkit key install ", ends()),
    (r"netkit key (convert|show) ", ends()),
    (r"telnet ", telnet),
    (r"netkit rdp ", own_desktop),
    (r"netkit profile (save|show) office", ends("office")),
    (r"netkit profile list", ends("office")),
    (r"netkit profile import putty", imported),
    (r"netkit profile export putty ", exported),
    (r"netkit shortcut office ", ends()),
    (r"netkit x11 me@gateway xdpyinfo$", ends("The X.Org Foundation")),
    (r"curl .*pop3:", fetch_mail),
    (r"curl .*ftp:", fetch_file),
    (r"curl .*http://intranet/$", ends(Website.page.decode())),
    (r"netkit protocols$", ends("pop3", "sip")),
    (r"netkit protocols ftp$", ends("curl --proxy socks5h://127.0.0.1:1080 ftp://SERVER/")),
    (r"netkit protocols sip$", ends("netkit advise --need udp")),
    (r"netkit advise --need udp ", ends("WireGuard: ")),
    (r"netkit advise .*--write ", written),
    (r"netkit advise .*ipsec-four ", ends("lan-gateway {", "swanctl reads it")),
    (r"netkit doctor ", ends(" checks in ", codes=(0, 1))),
]
"""Commands that end by themselves, and what makes sure that they did what they say."""


def lines_of(command: str) -> int:
    """Return how many lines a tunnel prints before it is up."""
    words = shlex.split(command)
    return max(1, sum(words.count(option) for option in ("--bind", "-L", "-R", "-D")))


STAYS: Final[list[tuple[str, int | None, Callable[[World, Forwarding], None]]]] = [
    (r"netkit forward ", None, lambda _there, _running: None),
    (r"netkit up office$", 1, desktop_through_profile),
    (r"netkit x11 .*--expose$", 5, lambda there, run: lent_display(there, run, "gateway:1")),
    (r"netkit x11 .*--display 1$", 3, lambda there, run: lent_display(there, run, "localhost:1")),
]
"""Commands that stay until Ctrl-C: lines until they are up, and what is tried meanwhile."""


PATTERNS: Final = [*(row[0] for row in ONCE), *(row[0] for row in STAYS)]


def handler_of(command: str) -> str | None:
    """Return the pattern of what handles ``command``."""
    return next((pattern for pattern in PATTERNS if re.match(pattern, command)), None)


# ---------------------------------------------------------------- the tests


@pytest.fixture
def there() -> Iterator[World]:
    with world() as made:
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("text", [TEXT, README], ids=["recipe", "readme"])
def test_every_command_does_what_the_document_says(there: World, text: str):
    for commands in sections(text).values():
        with contextlib.ExitStack() as open_tunnels:
            for command in commands:
                if any(re.match(pattern, command) for pattern in ELSEWHERE):
                    continue
                stays = next((row for row in STAYS if re.match(row[0], command)), None)
                if stays is None:
                    once = next(row for row in ONCE if re.match(row[0], command))
                    once[1](there, command)
                    continue
                open_tunnels.close()  # Ctrl-C, before the next one is started
                running = open_tunnels.enter_context(
                    there.start(command, lines=stays[1] or lines_of(command))
                )
                stays[2](there, running)


def test_every_command_is_known_here():
    assert len(COMMANDS) >= 25
    assert len(README_COMMANDS) >= 5
    unknown = [
        command
        for command in (*COMMANDS, *README_COMMANDS)
        if handler_of(command) is None
        and not any(re.match(pattern, command) for pattern in ELSEWHERE)
    ]
    assert unknown == []


def test_every_row_here_is_used():
    assert set(PATTERNS) <= {handler_of(command) for command in (*COMMANDS, *README_COMMANDS)}


def test_what_the_table_names_is_shown_in_use():
    """What stands in its second column is part of a command further down."""
    rows = re.findall(r"^\| .* \| (`.*`) \|$", TEXT, re.MULTILINE)
    assert len(rows) >= 15
    for row in rows:
        (words,) = re.findall(r"`([^`]+)`", row)
        assert any(words in command for command in COMMANDS), f"{words} is in no command"


def test_every_word_of_netkit_is_one():
    """Each subcommand and option exists, also in the text between the commands."""
    inline = re.findall(r"`(netkit [^`]+)`", TEXT + README)
    for command in [*COMMANDS, *README_COMMANDS, *inline]:
        words = shlex.split(command.partition("#")[0])
        if words[0] != "netkit" or words[1].startswith("-"):
            continue
        found = main.load(words[1])
        assert words[1] in main.COMMANDS
        for word in words[2:]:
            if isinstance(found, click.Group):
                found = found.get_command(click.Context(found), word) or found
        known = {option for each in found.params for option in each.opts}
        given = [word for word in words[2:] if re.fullmatch(r"--[a-z-]+|-[A-Z]", word)]
        assert set(given) <= known, command
