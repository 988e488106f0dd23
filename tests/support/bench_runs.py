"""Documents of `make bench`, made up: for the tests of what is done with them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import document
from measure import Samples, interleave
from report import as_json, make_lines
from rows import Row

SPEED = Row("download", "one flow, download", "MB/s", "download", "mb_per_s", at_least=1.0)
CPU = Row("download-cpu", "… client CPU", "s/GB", "download", "cpu", at_most=1.0)
ECHO = Row("echo-p50", "echo p50, idle", "µs", "echo", "p50_us", at_most=1.2)
MEMORY = Row("memory", "memory of a link", "MB", "download", "mb", at_most=70, absolute=True)
READ = Row("reconnect", "link killed, until a byte passes again", "s", "reconnect", "seconds")
ROWS = (SPEED, CPU, ECHO, MEMORY, READ)

FIGURES: dict[str, dict[str, dict[str, Sequence[float]]]] = {
    "download": {
        "ssh": {"mb_per_s": (700, 710, 690), "cpu": (1.0, 1.1, 0.9), "mb": (11, 11, 11)},
        "netkit": {"mb_per_s": (650, 800, 690), "cpu": (0.8, 0.9, 0.7), "mb": (49, 50, 49)},
    },
    "echo": {"ssh": {"p50_us": (190, 200, 210)}, "netkit": {"p50_us": (250, 260, 270)}},
    "reconnect": {
        "ssh": {"seconds": (0.3, 0.3, 0.3)},
        "netkit": {"seconds": (0.7, 0.8, 0.9)},
        "autossh": {"seconds": (0.31, 0.32, 0.33)},
    },
}

MACHINE = {
    "processor": "Some CPU",
    "cores": 2,
    "load_before": 0.1,
    "kernel": "6.1.0",
    "python": "3.11.7",
    "ssh": "OpenSSH_9.2p1 Debian",
    "packages": {"paramiko": "5.1.0", "cryptography": "50.0"},
}


class NoRoundError(Exception):
    """A participant whose round fails."""


def samples(figures: Mapping[str, Mapping[str, Sequence[float]]]) -> Samples:
    """The rounds of one experiment, as an experiment would have given them."""
    rounds = max(len(values) for each in figures.values() for values in each.values())

    def sample(name: str, number: int) -> dict[str, float]:
        try:
            return {metric: float(values[number]) for metric, values in figures[name].items()}
        except IndexError:
            raise NoRoundError("wedged") from None

    return interleave(list(figures), rounds, sample, NoRoundError)


def peers_json(
    rows: Sequence[Row] = ROWS, figures: Mapping[str, Any] = FIGURES, **machine: Any
) -> dict[str, Any]:
    """What ``peers.py --json`` writes."""
    results = {name: samples(each) for name, each in figures.items()}
    facts = {"machine": {**MACHINE, **machine}, "settings": {"size": 250_000_000, "pairs": 3}}
    return as_json(make_lines(rows, results), results, facts)


def benchmark_json(
    group: str, label: str, times: Sequence[float] = (0.001, 0.002, 0.003), **extra: Any
) -> dict[str, Any]:
    """One benchmark of pytest-benchmark's document."""
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    stats = {
        "min": min(times),
        "max": max(times),
        "mean": statistics.mean(times),
        "stddev": statistics.stdev(times),
        "median": middle,
        "q1": low,
        "q3": high,
        "iqr": high - low,
        "ops": 1 / middle,
        "total": sum(times),
        "rounds": len(times),
        "iqr_outliers": 0,
        "stddev_outliers": 0,
        "outliers": "0;0",
        "iterations": 1,
        "ld15iqr": min(times),
        "hd15iqr": max(times),
    }
    name = f"test_it[{label}]"
    return {
        "group": group,
        "name": name,
        "fullname": f"bench/test_{group}_bench.py::{name}",
        "params": None,
        "param": label,
        "options": {},
        "stats": stats,
        "extra_info": {"label": label, **extra},
    }


BENCHMARKS = (
    benchmark_json("open 32 KiB", "aes128-gcm", bytes=1 << 20, packets=32),
    benchmark_json("seal 32 KiB", "aes128-gcm", bytes=1 << 20, packets=32),
    benchmark_json("open 64 B", "aes128-gcm", bytes=64_000, packets=1000),
    benchmark_json("tunnel", "download, text", bytes=16_000_000, cpu_seconds=0.01),
    benchmark_json("memory", "idle flows", packets=300, bytes_per_flow=1234),
    benchmark_json("start", "netkit --help", (0.1, 0.2, 0.3), cpu_seconds=0.09),
)


def run_json(
    *,
    rows: Sequence[Row] = ROWS,
    figures: Mapping[str, Any] = FIGURES,
    benchmarks: Sequence[Mapping[str, Any]] = BENCHMARKS,
    load: float = 0.25,
    **machine: Any,
) -> bytes:
    """A whole document."""
    suites = {
        "machine_info": {"cpu": {}, "node": ""},
        "commit_info": {},
        "benchmarks": list(benchmarks),
        "datetime": "2026-01-02T03:04:05+00:00",
        "version": "5.1.0",
    }
    peers = peers_json(rows, figures, **machine)
    return document.merge(
        suites, peers, command="make bench", version="1.2", seconds=498.0, load=load
    )


def run(**options: Any) -> document.Document:
    """The same, parsed."""
    return document.parse(run_json(**options))
