from __future__ import annotations

import pytest

from support.cli import run_cli
from support.talking import talking


@pytest.mark.parametrize(
    "words",
    [
        ("-L", "5432"),
        ("-L", "127.0.0.1:5432"),
        ("--bind", "127.0.0.1:5432"),
        ("-L", "127.0.0.1:5432:db.internal:5432"),
        ("office", "-L", "5432"),
    ],
)
def test_a_forward_less(tmp_path, monkeypatch, words):
    with talking(tmp_path, monkeypatch) as made:
        assert run_cli("remove", *words).code == 0
        assert made.tunnel.view().forwards == ()


@pytest.mark.parametrize("words", [("-L", "5433"), ("-R", "5432"), ("-D", "127.0.0.1:5432")])
def test_one_that_is_not_there(tmp_path, monkeypatch, words):
    with talking(tmp_path, monkeypatch) as made:
        done = run_cli("remove", *words)
        assert done.code == 3
        assert "it has -L 127.0.0.1:5432" in done.err
        assert len(made.tunnel.view().forwards) == 1


@pytest.mark.parametrize("words", [(), ("-L", "nothing"), ("-L", "")])
def test_what_is_no_forward(tmp_path, monkeypatch, words):
    with talking(tmp_path, monkeypatch):
        assert run_cli("remove", *words).code == 2
