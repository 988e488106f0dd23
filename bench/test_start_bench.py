"""How long the command line takes to start, beside an interpreter that does nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 10
COMMANDS = {
    "python -c pass": (["-c", "pass"], ""),
    "netkit --version": (["-m", "netkit", "--version"], "netkit"),
    "netkit --help": (["-m", "netkit", "--help"], "forward"),
    "netkit forward --help": (["-m", "netkit", "forward", "--help"], "--bind"),
    "netkit doctor --list-checks": (["-m", "netkit", "doctor", "--list-checks"], "loopback"),
}


def children_cpu() -> float:
    """CPU seconds of all children that have ended; 0 on Windows, which does not count them."""
    times = os.times()
    return times.children_user + times.children_system


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.benchmark(group="start")
def test_start(benchmark: BenchmarkFixture, name: str) -> None:
    arguments, expected = COMMANDS[name]

    def start() -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    start()  # whatever has to be compiled is compiled now
    before = children_cpu()
    said = benchmark.pedantic(start, rounds=ROUNDS)  # type: ignore[no-untyped-call]
    cpu = (children_cpu() - before) / ROUNDS
    assert expected in said
    benchmark.extra_info.update(label=name, cpu_seconds=round(cpu, 4))
