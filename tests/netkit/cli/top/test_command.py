"""One picture; the live screen is seen in tests/integration/test_top.py."""

from __future__ import annotations

from support.cli import run_cli
from support.talking import talking


def test_without_a_terminal_it_is_one_picture(tmp_path, monkeypatch):
    with talking(tmp_path, monkeypatch):
        done = run_cli("top", "office", "--interval", "0.1")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].startswith("office through gw (process ")
    assert lines[-2].split()[0] == "flow"
    assert "db.internal:5432" in lines[-1]


def test_none_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert run_cli("top").code == 3
    assert run_cli("top", "office").code == 3
