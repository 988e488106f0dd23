"""The JSON: what pytest-benchmark reads, and nothing that JSON does not have."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_benchmark.stats import Stats

from netkit.bench.judge import analyse
from netkit.bench.report.document import document, encode, schema, stats
from support import bench_samples as samples
from support.bench_values import ANALYSES, MEASURED

PUBLISHED = Path(__file__).resolve().parents[4] / "docs/bench.schema.json"


def test_the_published_schema_is_up_to_date():
    assert json.loads(PUBLISHED.read_text("utf-8")) == schema(), "make docs"


def strict(data: bytes):
    """Parse JSON; NaN and Infinity are none."""

    def refuse(name):
        raise AssertionError(name)

    return json.loads(data, parse_constant=refuse)


@pytest.mark.parametrize("name", samples.ALL)
def test_samples_follow_the_schema(name):
    measured = samples.ALL[name]()
    data = encode(measured, analyse(measured))
    made = strict(data)
    assert data.endswith(b"}\n")
    jsonschema.Draft202012Validator(schema()).validate(made["netkit"])
    assert set(made) == {
        *("machine_info", "commit_info", "benchmarks", "datetime", "version", "netkit")
    }


@given(MEASURED, ANALYSES)
def test_it_is_total(measured, analysis):
    for judged in (analysis, analyse(measured)):
        made = strict(encode(measured, judged))
        assert len(made["netkit"]["figures"]) == len(judged.figures)
        for benchmark in made["benchmarks"]:
            assert benchmark["stats"]["rounds"] == len(benchmark["stats"]["data"]) > 0


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20))
def test_stats_are_those_of_pytest_benchmark(times):
    theirs = Stats()
    for time in times:
        theirs.update(time)
    ours = stats(times)
    for name, value in theirs.as_dict().items():
        if name in {"outliers", "iqr_outliers", "stddev_outliers", "ld15iqr", "hd15iqr"}:
            continue  # these jump where a value lies on the border, and sums are rounded
        assert ours[name] == pytest.approx(value, rel=1e-9, abs=1e-12), name
    assert ours["data"] == sorted(times)


@given(st.lists(st.integers(1, 40).map(lambda n: n * 4.0), min_size=1, max_size=16))
def test_outliers_are_those_of_pytest_benchmark(times):
    theirs = Stats()
    for time in times:
        theirs.update(time)
    ours = stats(times)
    for name in ("iqr_outliers", "ld15iqr", "hd15iqr"):
        assert ours[name] == getattr(theirs, name), name


def test_throughput_is_seconds_per_megabyte():
    measured = samples.loopback()
    made = document(measured, analyse(measured))
    names = [benchmark["name"] for benchmark in made["benchmarks"]]
    assert len(names) == len(set(names))
    found = made["benchmarks"][names.index(f"throughput[down-text-off-{samples.GCM}]")]
    assert found["group"] == "throughput, seconds per MB"
    assert found["extra_info"]["data"] == "seconds per MB"
    assert found["stats"]["rounds"] == 5
    assert found["stats"]["median"] == pytest.approx(1 / 707, rel=0.01)
    assert found["params"] == {
        "direction": "down",
        "corpus": "text",
        "compression": "off",
        "cipher": samples.GCM,
    }
    opened = made["benchmarks"][names.index("connections[connections-64]")]
    assert opened["stats"]["median"] == pytest.approx(1 / 4126, rel=0.01)


def test_no_name_of_this_machine_is_in_it():
    measured = samples.loopback()
    made = document(measured, analyse(measured))
    assert "node" not in made["machine_info"]
    assert made["netkit"]["setting"]["command"] == list(measured.setting.command)


def test_every_run_is_in_the_section():
    measured = samples.loopback()
    section = document(measured, analyse(measured))["netkit"]
    assert len(section["transfers"]) == len(measured.transfers)
    assert [len(each["samples"]) for each in section["echoes"]] == [1500, 900, 900]
    assert [each["what"] for each in section["echoes"]] == ["idle", "down", "up"]


def test_pytest_benchmark_compares_two_files(tmp_path):
    for name, measured in (("old", samples.earlier()), ("new", samples.loopback())):
        (tmp_path / f"{name}.json").write_bytes(encode(measured, analyse(measured)))
    done = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", "old.json", "new.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Failed to load" not in done.stdout + done.stderr
    assert "benchmark 'throughput, seconds per MB': 32 tests" in done.stdout
    assert "benchmark 'login, seconds': 8 tests" in done.stdout
    row = rf"throughput\[down-text-off-{re.escape(samples.GCM)}\] \(%s\) +[\d.]+ "
    for name in ("old", "new"):
        assert re.search(row % name, done.stdout), done.stdout


def test_pytest_benchmark_groups_by_param(tmp_path):
    measured = samples.slow_link()
    (tmp_path / "one.json").write_bytes(encode(measured, analyse(measured)))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest_benchmark", "compare", "one.json"),
            *("--group-by", "param:corpus", "--columns", "median,iqr"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "benchmark 'corpus=zeros': 2 tests" in done.stdout
