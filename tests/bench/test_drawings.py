"""Which charts a run makes, and what is in them."""

from __future__ import annotations

from drawings import drawings

from support import bench_runs
from support.bench_runs import FIGURES, benchmark_json


def test_every_figure_has_its_chart():
    made = drawings(bench_runs.run())
    assert set(made) == {
        *("more-is-better", "less-is-better", "throughput", "latency", "codec", "tunnel", "start"),
    }
    assert ">one flow, download<" in made["more-is-better"]
    assert ">one flow, download<" not in made["less-is-better"]
    assert "one flow, download … client CPU" in made["less-is-better"]
    assert 'class="missed"' in made["less-is-better"]
    assert "690" in made["throughput"]
    assert "aes128-gcm" in made["codec"]
    assert "8,000" in made["tunnel"]
    assert "200" in made["start"]


def test_goals_of_absolute_rows_are_no_ratios():
    only = (bench_runs.MEMORY,)
    assert 'class="goal"' not in drawings(bench_runs.run(rows=only))["less-is-better"]


def test_nothing_measured_draws_nothing():
    assert drawings(bench_runs.run(rows=(), figures={}, benchmarks=())) == {}


def test_a_ratio_of_zero_has_no_place_on_the_axis():
    figures = {**FIGURES, "echo": {"ssh": {"p50_us": (1,)}, "netkit": {"p50_us": (0,)}}}
    assert "echo" not in drawings(bench_runs.run(figures=figures))["less-is-better"]


def test_spread_of_a_rate_is_in_order():
    benchmarks = (benchmark_json("tunnel", "x", (0.1, 0.2, 0.4), bytes=1_000_000),)
    assert "tunnel" in drawings(bench_runs.run(benchmarks=benchmarks))
