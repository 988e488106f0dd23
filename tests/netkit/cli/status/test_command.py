from __future__ import annotations

import json

import pytest

from netkit.events import State
from support.cli import run_cli
from support.supervised import FakeSupervised, view
from support.talking import talking


def test_for_people(tmp_path, monkeypatch):
    with talking(tmp_path, monkeypatch):
        done = run_cli("status")
        assert done.code == 0
        assert done.out.startswith("office through gw (process ")
        assert "127.0.0.1:5432 -> db.internal:5432  not yet proved" in done.out
        assert "flow 7" not in done.out
        assert "flow 7: 127.0.0.1:50000 -> db.internal:5432" in run_cli("status", "--flows").out


def test_for_programs(tmp_path, monkeypatch):
    with talking(tmp_path, monkeypatch):
        document = json.loads(run_cli("status", "office", "--json", "--flows").out)
    assert document["name"] == "office"
    assert document["view"]["state"] == "up"
    assert document["flows"][0]["number"] == 7


@pytest.mark.parametrize("state", [State.WAITING, State.CONNECTING, State.STOPPING])
def test_one_that_is_not_up(tmp_path, monkeypatch, state):
    with talking(tmp_path, monkeypatch, tunnel=FakeSupervised(view(state=state))):
        assert run_cli("status").code == 1


def test_kick(tmp_path, monkeypatch):
    with talking(tmp_path, monkeypatch) as made:
        assert run_cli("status", "--kick").code == 0
        assert made.tunnel.kicks == 1


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_one_that_does_not_answer(tmp_path, monkeypatch, words):
    with talking(tmp_path, monkeypatch) as made:
        made.server.close()
        done = run_cli("status", *words)
        assert done.code == 3
        assert "cannot be asked" in done.out


def test_none_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    done = run_cli("status")
    assert (done.code, done.out) == (3, "")
    assert "no tunnel runs" in done.err
