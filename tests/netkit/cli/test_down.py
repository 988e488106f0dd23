from __future__ import annotations

import threading

import pytest

from support.cli import run_cli
from support.talking import talking


@pytest.fixture
def office(tmp_path, monkeypatch):
    """A tunnel that gives its name back once it was told to end."""
    with talking(tmp_path, monkeypatch) as made:

        def leave() -> None:
            if made.tunnel.ended.wait(20):
                made.claim.close()

        thread = threading.Thread(target=leave)
        thread.start()
        yield made
        made.tunnel.ended.set()
        thread.join()


def test_the_only_one(office):
    done = run_cli("down")
    assert (done.code, done.err) == (0, "netkit: office has ended\n")
    assert office.tunnel.stopped == [5.0]


@pytest.mark.parametrize(
    ("words", "drain"),
    [(("--now",), 0.0), (("--drain", "2"), 2.0), (("--grace", "3"), 3.0), (("--all",), 5.0)],
)
def test_how(office, words, drain):
    assert run_cli("down", *words).code == 0
    assert office.tunnel.stopped == [drain]


def test_one_that_runs_not(office):
    done = run_cli("down", "home")
    assert done.code == 3
    assert office.tunnel.stopped == []


def test_one_that_does_not_end(tmp_path, monkeypatch):
    with talking(tmp_path, monkeypatch):
        done = run_cli("down", "office", "--now")
        assert done.code == 3
        assert "was told to end and has not" in done.err
