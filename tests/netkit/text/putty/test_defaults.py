"""What nobody changed is not talked about."""

from __future__ import annotations

from pathlib import Path

import pytest

from netkit.text.putty.defaults import DEFAULTS, is_default, is_known, is_text
from netkit.text.putty.registry_file import parse_registry_file
from netkit.text.putty.session_file import parse_session

RECORDED = Path(__file__).parents[3] / "recorded" / "putty"
SAVED = RECORDED / "sessions" / "My%20Office%20%28100%25%29"


def test_every_setting_that_putty_saved_untouched_is_known_and_a_default():
    session = parse_session(SAVED.read_bytes(), "s", "f")
    assert all(is_known(key) for key, _ in session.values)
    changed = {key for key, value in session.values if not is_default(key, value)}
    assert changed == {"HostName", "PortNumber"}


def test_every_setting_of_the_registry_is_known():
    found = parse_registry_file((RECORDED / "office.reg").read_bytes(), "office.reg")
    assert len(found.sessions[0].values) > 200
    assert not [key for key, _ in found.sessions[0].values if not is_known(key)]


@pytest.mark.parametrize(
    ("key", "value", "default"),
    [
        ("Compression", 0, True),
        ("Compression", "0", True),
        ("Compression", 1, False),
        ("TerminalModes", "ECHO=A,EOF=A", True),
        ("TerminalModes", "ECHO=N", False),
        ("Wordness0", "9,9", True),
        ("Colour2", "0,0,0", True),
        ("Colour2", "1,0,0", False),
        ("Colour99", "1,0,0", False),
        ("Whatever", 0, False),
    ],
)
def test_defaults(key: str, value: str | int, default: bool):
    assert is_default(key, value) is default


def test_types():
    assert is_text("UserName")
    assert is_text("Colour3")
    assert not is_text("PortNumber")
    assert not is_text("Whatever")
    assert not is_known("Whatever")
    assert all(len({type(value) for value in values}) == 1 for values in DEFAULTS.values())
