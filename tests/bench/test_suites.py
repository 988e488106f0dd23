"""Every suite still runs and finds its own result right; nothing is timed here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.peers import require

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.slow
def test_suites():
    require("sshd")
    argv = [sys.executable, "-m", "pytest", "bench", "--benchmark-disable", "-q", "-rs"]
    done = subprocess.run(
        [*argv, "-p", "no:cacheprovider"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout, done.stdout


def test_what_is_written_about_the_machine(tmp_path):
    path = tmp_path / "suites.json"
    argv = [sys.executable, "-m", "pytest", "bench/test_proxy_bench.py", "-k", "SOCKS", "-q"]
    limits = ["--benchmark-max-time=0.001", "--benchmark-min-rounds=2"]
    subprocess.run(
        [*argv, *limits, "-p", "no:cacheprovider", f"--benchmark-json={path}"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    text = path.read_text("utf-8")
    written = json.loads(text)
    assert written["machine_info"]["node"] == ""
    assert set(written["machine_info"]["cpu"]) <= {"brand_raw", "arch", "bits", "count"}
    assert set(written["commit_info"]) <= {"id", "time", "dirty"}
    assert str(ROOT) not in text
    assert written["benchmarks"]
    assert all("data" not in each["stats"] for each in written["benchmarks"])
    assert {each["extra_info"]["label"] for each in written["benchmarks"]} == {
        *("SOCKS 4", "SOCKS 4a", "SOCKS 5"),
    }
    assert all(each["extra_info"]["yardstick"] > 0 for each in written["benchmarks"])
    assert all(each["extra_info"]["drift"] >= 1 for each in written["benchmarks"])
