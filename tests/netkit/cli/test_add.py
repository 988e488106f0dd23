from __future__ import annotations

import json

import pytest

from netkit.errors import BindError
from support.cli import run_cli
from support.supervised import FakeSupervised
from support.talking import talking


def test_a_forward_more(tmp_path, monkeypatch):
    with talking(tmp_path, monkeypatch) as made:
        done = run_cli("add", "office", "-L", "0:web:80", "-D", "127.0.0.1:1080")
        assert done.code == 0
        assert done.out.startswith("127.0.0.1:40000 -> web:80 through gw   (")
        assert "127.0.0.1:1080 -> any host through gw" in done.out
        assert len(made.tunnel.view().forwards) == 3


def test_bind_and_to_in_json(tmp_path, monkeypatch):
    with talking(tmp_path, monkeypatch):
        words = ("--bind", "127.0.0.2:3389", "--to", "desk:3389", "--json")
        document = json.loads(run_cli("add", *words).out)
    assert document["event"] == "forward-bound"
    assert document["addresses"] == [{"host": "127.0.0.2", "port": 3389}]


def test_all_or_none(tmp_path, monkeypatch):
    refusal = BindError("cannot listen on 127.0.0.1:1", code="bind-address-in-use")
    with talking(tmp_path, monkeypatch, tunnel=FakeSupervised(refuses=refusal)) as made:
        done = run_cli("add", "-L", "1:a:1", "-L", "2:b:2")
        assert done.code == 7
        assert "cannot listen on 127.0.0.1:1" in done.err
        assert len(made.tunnel.view().forwards) == 1


def test_what_others_reach_needs_the_word(tmp_path, monkeypatch):
    with talking(tmp_path, monkeypatch) as made:
        done = run_cli("add", "-L", "0.0.0.0:1:a:1")
        assert done.code == 2
        assert "netkit add office -L 0.0.0.0:1:a:1 --expose" in done.err
        assert "netkit add office -L 127.0.0.1:1:a:1" in done.err
        assert len(made.tunnel.view().forwards) == 1
        assert "is exposed" in run_cli("add", "-L", "0.0.0.0:1:a:1", "--expose").err


@pytest.mark.parametrize("words", [(), ("office",)])
def test_nothing_to_add(tmp_path, monkeypatch, words):
    with talking(tmp_path, monkeypatch):
        assert run_cli("add", *words).code == 2
