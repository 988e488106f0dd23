"""Which changes between two runs are called changes."""

from __future__ import annotations

import sys

import compare
import pytest
import run

from support import bench_runs
from support.bench_runs import FIGURES, benchmark_json


def echo(ours, theirs=(200, 200, 200)):
    return bench_runs.run(
        rows=(bench_runs.ECHO,),
        figures={"echo": {"ssh": {"p50_us": theirs}, "netkit": {"p50_us": ours}}},
        benchmarks=(),
    )


def suite(*times: float, **machine):
    return bench_runs.run(
        rows=(), figures={}, benchmarks=[benchmark_json("g", "it", times)], **machine
    )


@pytest.mark.parametrize(
    ("before", "after", "counts", "better"),
    [
        ((300, 310, 320), (200, 210, 220), True, True),
        ((200, 210, 220), (300, 310, 320), True, False),
        ((200, 210, 320), (300, 310, 320), False, False),  # the spreads meet
        ((200, 200, 200), (210, 210, 210), False, False),  # apart, but little
    ],
)
def test_rows(before, after, counts, better):
    (change,) = compare.changes(echo(before), echo(after))
    assert change.counts(compare.THRESHOLD) is counts
    assert (change.factor > 1) is better


def test_rows_compare_ratios_not_times():
    (change,) = compare.changes(echo((200, 200, 200)), echo((400, 400, 400), (400, 400, 400)))
    assert change.factor == 1.0


def test_more_is_better_for_speeds():
    rows = (bench_runs.SPEED,)
    faster = {
        "download": {"ssh": {"mb_per_s": (100, 100)}, "netkit": {"mb_per_s": (200, 200)}},
    }
    before = bench_runs.run(rows=rows, benchmarks=())
    after = bench_runs.run(rows=rows, figures=faster, benchmarks=())
    (change,) = compare.changes(before, after)
    assert change.factor > 1.5
    assert change.counts(compare.THRESHOLD)


def test_memory_is_compared_by_itself():
    rows = (bench_runs.MEMORY,)

    def used(ours: float, theirs: float):
        figures = {"download": {"ssh": {"mb": (theirs,)}, "netkit": {"mb": (ours,)}}}
        return bench_runs.run(rows=rows, figures=figures, benchmarks=())

    (change,) = compare.changes(used(50, 10), used(50, 20))
    assert (change.factor, change.unit) == (1.0, "MB")
    (change,) = compare.changes(used(50, 10), used(100, 20))
    assert change.factor == 0.5
    assert change.counts(compare.THRESHOLD)


def test_suites():
    (change,) = compare.changes(suite(1.0, 1.1, 1.2), suite(2.0, 2.2, 2.4))
    assert change.counts(compare.THRESHOLD)
    assert change.factor == pytest.approx(0.5)
    assert "test_g_bench.py::test_it[it]" in change.what
    (change,) = compare.changes(suite(1.0, 1.1, 1.2), suite(0.9, 1.3, 1.4))
    assert not change.counts(compare.THRESHOLD)


def timed(*times: float, yardstick: float, drift: float = 1.0):
    benchmark = benchmark_json("g", "it", times, yardstick=yardstick, drift=drift)
    return bench_runs.run(rows=(), figures={}, benchmarks=[benchmark])


def test_suites_are_measured_in_yardsticks():
    """A machine that is half as fast now says nothing about netkit."""
    before = timed(1.0, 1.1, 1.2, yardstick=0.001)
    (change,) = compare.changes(before, timed(2.0, 2.2, 2.4, yardstick=0.002))
    assert change.factor == pytest.approx(1.0)
    (change,) = compare.changes(before, timed(2.0, 2.2, 2.4, yardstick=0.001))
    assert (change.counts(compare.THRESHOLD), change.unit) == (True, "yardsticks")
    (change,) = compare.changes(before, timed(2.0, 2.2, 2.4, yardstick=0.001, drift=2.0))
    assert not change.counts(compare.THRESHOLD)


def test_a_run_without_yardstick_compares_by_seconds():
    (change,) = compare.changes(timed(1.0, 1.1, yardstick=0.001), suite(1.0, 1.1))
    assert (change.factor, change.unit) == (1.0, "s")


def test_suites_of_another_machine_are_not_compared():
    other = suite(2.0, 2.2, processor="Another")
    assert not list(compare.changes(suite(1.0, 1.1), other))
    assert not compare.same_machine(suite(1.0, 1.1), other)


def test_what_is_no_longer_measured():
    lost = compare.missing(bench_runs.run(), bench_runs.run(rows=bench_runs.ROWS[:4]))
    assert lost == ["link killed, until a byte passes again"]
    figures = {**FIGURES, "echo": {"ssh": {"p50_us": (1, 1)}, "netkit": {"p50_us": ()}}}
    assert "echo p50, idle" in compare.missing(bench_runs.run(), bench_runs.run(figures=figures))


def test_caveats():
    quiet, busy = bench_runs.run(), bench_runs.run(load=3.5)
    assert compare.caveats(quiet, quiet) == []
    (said,) = compare.caveats(quiet, busy)
    assert "busy before the new run (load 3.5)" in said
    (said,) = compare.caveats(quiet, bench_runs.run(processor="Another"))
    assert "machines differ" in said


def test_a_suite_counts_when_its_best_time_changed_too():
    """A median alone moves with whatever else runs."""
    (change,) = compare.changes(suite(1.0, 1.1, 1.2), suite(1.0, 2.2, 2.4, 2.4))
    assert change.factor == 1.0
    (change,) = compare.changes(suite(1.0, 2.0, 2.0), suite(0.5, 0.5, 0.5))
    assert change.factor == pytest.approx(2.0)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Runs a comparison of two documents as from the command line."""

    def call(before: bytes, after: bytes | None, *options: str) -> int:
        paths = [tmp_path / "before.json", tmp_path / "after.json"]
        paths[0].write_bytes(before)
        if after is not None:
            paths[1].write_bytes(after)
        named = [str(path) for path in paths if after is not None or path == paths[0]]
        monkeypatch.setattr(sys, "argv", ["compare.py", *named, *options])
        monkeypatch.setattr(run, "LATEST", tmp_path / "results" / "latest.json")
        return compare.main()

    return call


def test_command(files, capsys):
    figures = {**FIGURES, "echo": {"ssh": {"p50_us": (1, 1)}, "netkit": {"p50_us": (5, 5)}}}
    slower = bench_runs.run_json(figures=figures)
    assert files(bench_runs.run_json(), slower) == 0
    said = capsys.readouterr().out
    assert "3.85 times WORSE  echo p50, idle: 1.3 -> 5 x ssh" in said
    assert "10 of 11 figures changed by no more than noise" in said
    assert files(bench_runs.run_json(), slower, "--strict") == 1
    assert files(slower, bench_runs.run_json(), "--strict") == 0
    assert "times better" in capsys.readouterr().out


def test_command_says_that_machines_differ(files, capsys):
    files(bench_runs.run_json(), bench_runs.run_json(processor="Another"))
    assert "machines differ" in capsys.readouterr().out


def test_command_with_suites(files, capfd):
    assert files(bench_runs.run_json(), bench_runs.run_json(), "--suites") == 0
    assert "test_it[netkit --help]" in capfd.readouterr().out


def test_command_measures_what_is_not_named(files, monkeypatch, capsys):
    asked = []

    def measure(command: str, *, quick: bool) -> bytes:
        asked.append((command, quick))
        return bench_runs.run_json()

    monkeypatch.setattr(run, "measure", measure)
    assert files(bench_runs.run_json(), None) == 0
    assert asked == [("make bench-compare", False)]
    assert "11 of 11 figures" in capsys.readouterr().out


def test_command_checks_the_saved_run_first(files, monkeypatch, capsys):
    monkeypatch.setattr(run, "measure", lambda *_, **__: pytest.fail("measured for nothing"))
    assert files(b"{}", None) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3
    assert "before.json: it is no document" in said[0]
