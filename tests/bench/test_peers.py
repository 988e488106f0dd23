"""The comparison with peers, small: it works, and its JSON is a part of a run's document."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import document
import pytest

from support import bench_runs
from support.peers import require

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.slow
def test_ssh_and_netkit_small(tmp_path):
    for program in ("sshd", "ssh", "ssh-keygen"):
        require(program)
    path = tmp_path / "peers.json"
    done = subprocess.run(
        [
            *(sys.executable, "bench/peers.py", "--quick", "--pairs", "1", "--size", "2MB"),
            *("--peers", "ssh,netkit", "--only", "download,reconnect", "--json", str(path)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    suites = {"benchmarks": list(bench_runs.BENCHMARKS)}
    peers = json.loads(path.read_text())
    found = document.parse(
        document.merge(suites, peers, command="make bench", version="1", seconds=1.0)
    )
    keys = {row.key for row in found.netkit.peers.rows}
    assert {"download", "download-default", "download-cpu", "reconnect"} <= keys
    for row in found.netkit.peers.rows:
        assert row.figures["netkit"] > 0
        assert not row.failed
        assert row.ratios["netkit"].ratio > 0
    reconnect = found.row("reconnect")
    assert reconnect is not None
    assert reconnect.goal == ""
    assert reconnect.figures["ssh"] > 0
