"""Measuring everything: what is run, and what is written of it."""

from __future__ import annotations

import json
import subprocess
import sys

import document
import performance
import pytest
import run
from run import FailedError

from support import bench_runs


@pytest.fixture
def parts(monkeypatch):
    """Play both parts: each writes its JSON where it is told to; returns their commands."""
    suites = json.loads(bench_runs.run_json())
    del suites["netkit"]
    commands = []

    def play(argv, **_options):
        commands.append(argv)
        target = argv[-1].rpartition("=")[2]
        made = suites if "pytest" in argv else bench_runs.peers_json()
        with open(target, "w", encoding="utf-8") as file:  # noqa: PTH123
            json.dump(made, file)
        return subprocess.CompletedProcess(argv, 0)

    monkeypatch.setattr(run.subprocess, "run", play)
    return commands


@pytest.fixture
def docs(tmp_path, monkeypatch):
    monkeypatch.setattr(performance, "SAVED", tmp_path / "docs" / "performance.json")
    monkeypatch.setattr(performance, "DOCS", tmp_path / "docs")
    (tmp_path / "docs").mkdir()
    return tmp_path / "docs"


def call(monkeypatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
    return run.main()


def test_everything_is_measured_and_written(parts, docs, tmp_path, monkeypatch):
    output = tmp_path / "results" / "bench.json"
    assert call(monkeypatch, "--output", str(output)) == 0
    suites, peers = parts
    assert "bench" in suites
    assert "--short" in peers
    found = document.read(output)
    assert found.benchmarks == bench_runs.run().benchmarks
    assert found.netkit.peers == bench_runs.run().netkit.peers
    assert found.netkit.command == "make bench"  # and no path of this machine
    assert (docs / "performance.json").read_bytes() == output.read_bytes()
    assert "# Performance" in (docs / "performance.md").read_text("utf-8")


@pytest.mark.parametrize("option", ["--quick", "--no-docs"])
def test_docs_are_left_alone(parts, docs, tmp_path, monkeypatch, option):
    assert call(monkeypatch, option, "--output", str(tmp_path / "bench.json")) == 0
    assert not list(docs.iterdir())
    assert ("--quick" in parts[1]) is (option == "--quick")


def test_a_part_that_fails(monkeypatch, docs, tmp_path, capsys):
    monkeypatch.setattr(
        run.subprocess, "run", lambda argv, **_: subprocess.CompletedProcess(argv, 5)
    )
    with pytest.raises(FailedError, match="the suites failed with exit 5: "):
        run.measure("make bench", quick=True)
    capsys.readouterr()
    output = tmp_path / "bench.json"
    assert call(monkeypatch, "--output", str(output)) == 3
    assert len(capsys.readouterr().err.splitlines()) == 4  # with the line of progress
    assert not output.exists()
    assert not list(docs.iterdir())


def test_interrupt(monkeypatch, docs, capsys):
    def interrupted(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "measure", interrupted)
    assert call(monkeypatch) == 130
    assert "interrupted; nothing was written" in capsys.readouterr().err
    assert not list(docs.iterdir())


def test_output_that_cannot_be_written(parts, docs, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    assert call(monkeypatch, "--output", str(tmp_path / "file" / "bench.json")) == 3
    assert "run.py: " in capsys.readouterr().err
