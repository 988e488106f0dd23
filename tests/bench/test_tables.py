"""What the page says about a run, in words."""

from __future__ import annotations

import pytest
import tables

from support import bench_runs
from support.bench_runs import FIGURES


def test_peers():
    lines = tables.peers_table(bench_runs.run()).splitlines()
    assert "| one flow, download | MB/s | 700 | 690 | 1.00 | 0.93 … 1.13 | >= 1 | yes |" in lines
    assert "| echo p50, idle | µs | 200 | 260 | 1.30 | 1.29 … 1.32 | <= 1.2 | **no** |" in lines
    assert "| memory of a link | MB | 11 | 50 | 4.45 | 4.45 … 4.55 | <= 70 MB | yes |" in lines


def test_others_and_failures():
    figures = {**FIGURES, "echo": {"ssh": {"p50_us": (1, 1, 1)}, "netkit": {"p50_us": (1,)}}}
    said = tables.others(bench_runs.run(figures=figures))
    assert "* link killed, until a byte passes again: autossh 0.32 s." in said
    assert "* netkit: wedged (echo p50, idle)." in said
    assert "1!" in tables.peers_table(bench_runs.run(figures=figures))


def test_missed_with_and_without_remark():
    found = bench_runs.run()
    assert tables.missed(found, {}) == "* **echo p50, idle** (1.30, goal <= 1.2)."
    slow = {"download": {"ssh": {"mb_per_s": (9, 9, 9)}, "netkit": {"mb_per_s": (8, 8.5, 10)}}}
    assert tables.missed(bench_runs.run(rows=bench_runs.ROWS[:1], figures=slow), {}) == (
        "* **one flow, download** (0.94, goal >= 1, within the spread)."
    )
    remarks = {"echo-p50": "\nwakes\ntwice.\n", "download": "not missed"}
    assert tables.missed(found, remarks).endswith("(1.30, goal <= 1.2): wakes twice.")
    assert tables.missed(bench_runs.run(rows=bench_runs.ROWS[:1]), remarks) == (
        "Every goal is reached."
    )


def test_titles_that_continue_another():
    rows = bench_runs.run().netkit.peers.rows
    assert [title for _, title in tables.long_titles(rows)][:3] == [
        *("one flow, download", "one flow, download … client CPU", "echo p50, idle"),
    ]


def test_goals():
    rows = bench_runs.run().netkit.peers.rows
    goals = [tables.goal(row) for row in rows]
    assert goals == [">= 1", "<= 1", "<= 1.2", "<= 70 MB", ""]


def test_a_label_alone_needs_no_group():
    said = tables.suite_table(bench_runs.run(), ["memory"])
    assert "| idle flows | 6.67 µs |" in said


def test_codec():
    said = tables.codec_table(bench_runs.run())
    assert "| aes128-gcm | - | 524 MB/s | 524 MB/s | 2 µs | - |" in said


def test_suites():
    said = tables.suite_table(bench_runs.run(), ["tunnel", "memory", "start", "none"])
    assert (
        "| tunnel: download, text | 8,000 MB/s | 6,400 MB/s … 10,667 MB/s | 0.625 s of CPU a GB |"
        in said
    )
    assert "| memory: idle flows | 6.67 µs | 5 µs … 8.33 µs | 1,234 bytes of heap a flow |" in said
    assert "| start: netkit --help | 200 ms | 150 ms … 250 ms | 90 ms of CPU |" in said


@pytest.mark.parametrize(
    ("seconds", "text"), [(123.4, "123 s"), (1, "1 s"), (0.0123, "12.3 ms"), (5e-9, "5 ns")]
)
def test_durations(seconds, text):
    assert tables.duration(seconds) == text


def test_cells_cannot_break_the_table():
    assert tables.table(["a"], [["x|y"]]).splitlines()[-1] == "| x\\|y |"
