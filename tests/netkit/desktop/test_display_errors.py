"""That every one says what is wrong, why, and what to do, with nothing of a peer unescaped."""

from __future__ import annotations

from pathlib import Path

import pytest

from diagnostics.parsers.x_display import Display
from diagnostics.parsers.x_setup import Reply
from diagnostics.parsers.xauthority import LOCAL, MAGIC_COOKIE, Entry, Key
from diagnostics.registry import CHECKS
from netkit.desktop import display_errors as errors
from netkit.desktop.x_talk import ABSENT, CLOSED, SILENT, STRANGE, Answer, Place
from netkit.model import UnixPath
from netkit.programs import Ran

EVIL = "\x1b]0;\x07evil"
PLACE = Place(UnixPath("/tmp/.X11-unix/X0"))
FULL = Reply("rejected", reason="Maximum number of clients reached")


def entry(data: bytes = b"c" * 16, protocol: bytes = MAGIC_COOKIE) -> Entry:
    return Entry(Key(LOCAL, b"host", b"0"), protocol, data)


def answer(outcome: str, reply: Reply | None = None) -> Answer:
    return Answer(PLACE, outcome, EVIL, reply or Reply("nothing", reason=EVIL))


ALL = [
    errors.no_display("linux"),
    errors.no_display("darwin"),
    errors.malformed(EVIL, Display("error", error="it has no colon", hint="write :0")),
    errors.unknown_host(EVIL, EVIL, EVIL),
    errors.dead(EVIL, Display("unix"), [answer(ABSENT)]),
    errors.dead(EVIL, Display("tcp", "h", 10), []),
    errors.no_x(EVIL, answer(SILENT)),
    errors.no_x(EVIL, answer(CLOSED)),
    errors.no_x(EVIL, answer(STRANGE)),
    errors.no_cookie(EVIL, EVIL, Path("/x"), "", Reply("rejected")),
    errors.no_cookie(EVIL, EVIL, Path("/x"), EVIL, FULL),
    errors.unusable(EVIL, entry(protocol=EVIL.encode())),
    errors.unusable(EVIL, entry(b"")),
    errors.cookie_refused(EVIL, EVIL, entry(b"short"), answer("rejected")),
    errors.cookie_refused(EVIL, EVIL, entry(), answer("rejected", FULL)),
    errors.no_security(EVIL, EVIL),
    errors.no_xauth(EVIL),
    errors.not_generated(EVIL, Ran(1, errors=EVIL.encode())),
    errors.not_generated(EVIL, Ran(None, error="no end within 10 s")),
    errors.generated_refused(EVIL, answer("rejected")),
]


@pytest.mark.parametrize("error", ALL)
def test_three_lines_fit_for_a_terminal(error):
    assert error.summary
    assert error.cause
    assert error.fixes
    text = f"{error.summary}{error.cause}{''.join(map(str, error.fixes))}"
    assert "\x1b" not in text
    assert "\n" not in text


def test_codes_are_the_doctors():
    known = {kind.code for check in CHECKS for kind in check.finds}
    assert {error.code for error in ALL} <= known


def test_a_good_cookie_is_no_error():
    assert errors.unusable(":0", entry()) is None
