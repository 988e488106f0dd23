"""What the suites write about the machine: what figures depend on, and nothing that names it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from yardstick import Yardstick, pieces

CPU_FIELDS = ("brand_raw", "arch", "bits", "count")
COMMIT_FIELDS = ("id", "time", "dirty")


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Leave out the host's name and what is of no use to anybody else."""
    cpu = machine_info.get("cpu", {})
    machine_info["cpu"] = {name: cpu[name] for name in CPU_FIELDS if name in cpu}
    machine_info["node"] = ""
    machine_info["release"] = machine_info["release"].partition("-")[0]
    machine_info.pop("python_build", None)


def pytest_benchmark_update_commit_info(commit_info: dict[str, Any]) -> None:
    """Leave out the names of the directory and of the branch."""
    for name in [name for name in commit_info if name not in COMMIT_FIELDS]:
        del commit_info[name]


def pytest_benchmark_update_json(output_json: dict[str, Any]) -> None:
    """Leave out the single timings: median, quartiles and extremes are what is compared."""
    for benchmark in output_json["benchmarks"]:
        benchmark["stats"].pop("data", None)
        plain = {
            name: value
            for name, value in (benchmark["params"] or {}).items()
            if isinstance(value, str | int)
        }
        benchmark["params"] = plain or None


@pytest.fixture(autouse=True)
def _beside_a_yardstick(benchmark: BenchmarkFixture) -> Iterator[None]:
    """Note how fast the machine was around each benchmark."""
    before = pieces()
    yield
    found = Yardstick.of(before, pieces())
    benchmark.extra_info.update(yardstick=found.seconds, drift=found.drift)
