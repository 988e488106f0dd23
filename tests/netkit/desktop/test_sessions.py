from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.desktop.sessions import SessionNote, note_path, parse_note
from netkit.engine.predecessors import Session

NOTED = (Session(812, "4711"), Session(813, "Thu_Nov_26_12:00:00_2026"))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_what_was_noted_is_found():
    SessionNote("office", "gw").write(NOTED)
    assert SessionNote("office", "gw").read() == NOTED
    assert SessionNote("office", "other").read() == ()
    assert SessionNote("home", "gw").read() == ()
    assert note_path("office").stat().st_mode & 0o777 == 0o600


def test_without_a_place_nothing_is_noted(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    SessionNote("office", "gw").write(NOTED)
    assert SessionNote("office", "gw").read() == ()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"gateway": "gw", "sessions": 7}',
        b'{"gateway": "gw", "sessions": [[1, "2"], [812, "x;y"], ["812", "4"], [812]]}',
        b'{"gateway": "gw", "sessions": [[true, "4"]]}',
        b"[" * 5000,
    ],
)
def test_what_is_no_note(data):
    assert parse_note(data, "gw") == ()


@given(st.binary(max_size=200))
def test_anything(data):
    assert isinstance(parse_note(data, "gw"), tuple)
