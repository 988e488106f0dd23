"""The document of a run: what goes in comes out, and nothing else is taken for one."""

from __future__ import annotations

import json
import subprocess
import sys

import document
import pytest
from document import DocumentError
from hypothesis import given
from hypothesis import strategies as st

from support import bench_runs


def test_round_trip():
    found = bench_runs.run()
    assert [row.key for row in found.netkit.peers.rows] == [row.key for row in bench_runs.ROWS]
    row = found.row("download")
    assert row is not None
    assert row.figures == {"ssh": 700.0, "netkit": 690.0}
    assert row.reached is True
    assert row.ratios["netkit"].lowest == pytest.approx(650 / 700, abs=1e-4)
    assert found.netkit.peers.extremes(row, "netkit") == (650.0, 800.0)
    assert found.netkit.peers.extremes(row, "plink") is None
    assert found.row("nothing") is None
    (memory,) = found.group("memory")
    assert (memory.label, memory.extra_info.bytes_per_flow) == ("idle flows", 1234)
    assert memory.stats.median == 0.002


def test_direction_of_rows():
    found = bench_runs.run()
    better = {row.key: row.more_is_better for row in found.netkit.peers.rows}
    assert better == {
        "download": True,
        "download-cpu": False,
        "echo-p50": False,
        "memory": False,
        "reconnect": False,
    }


def test_pytest_benchmark_reads_it(tmp_path):
    path = tmp_path / "run.json"
    path.write_bytes(bench_runs.run_json())
    done = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", str(path), "--columns=median"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert "test_it[netkit --help]" in done.stdout


def test_text_is_short_lines_and_few_digits():
    data = bench_runs.run_json()
    lines = data.decode().splitlines()
    assert max(map(len, lines)) <= document.ONE_LINE + 50
    assert len(lines) > len(bench_runs.BENCHMARKS)
    merged = document.merge(
        {"benchmarks": []}, {"a": 1.23456789e-7}, command="", version="", seconds=1 / 3
    )
    assert json.loads(merged)["netkit"]["seconds"] == 0.333333
    assert json.loads(merged)["netkit"]["peers"]["a"] == 1.23457e-07


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.text(), JSON))
def test_layout_changes_nothing(value):
    value.pop("netkit", None)
    merged = json.loads(document.merge(value, {}, command="c", version="v", seconds=1.0))
    assert {key: each for key, each in merged.items() if key != "netkit"} == value


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no document"),
        (b"[1]", "no document"),
        (b'{"benchmarks": []}', "netkit"),
        (bench_runs.run_json().replace(b'"seconds": 498.0', b'"seconds": "long"'), "seconds"),
        (bench_runs.run_json().replace(b'"schema_version": 1,', b'"schema_version": 2,'), "newer"),
        (b"\xff\xfe", "no document"),
    ],
)
def test_what_is_no_document(data, said):
    with pytest.raises(DocumentError, match=said):
        document.parse(data)


def test_files(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    with pytest.raises(DocumentError, match=r"run\.json cannot be read: No such file"):
        document.read(path)
    path.write_bytes(b"{")
    with pytest.raises(DocumentError, match=r"run\.json: it is no document"):
        document.read(path)
    path.write_bytes(bench_runs.run_json())
    assert document.read(path) == bench_runs.run()
    monkeypatch.setattr(document, "MAX_SIZE", 100)
    with pytest.raises(DocumentError, match="too large"):
        document.read(path)
