from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from netkit.cli.clients import hidden
from support.cli import environment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a shell script notifies")


def run(home: Path, *argv: str, **more: str) -> subprocess.CompletedProcess[str]:
    notify = home / "notify-send"
    notify.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {home}/told\n')
    notify.chmod(0o755)
    path = f"{home}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, "-m", "netkit.cli.clients.hidden", *argv],
        env=environment(home, PATH=path, XDG_STATE_HOME=str(home / "state"), **more),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_what_it_says_goes_to_a_log(tmp_path: Path):
    done = run(tmp_path, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    log = tmp_path / "state" / "netkit" / hidden.FILE
    assert log.read_text().startswith("netkit ")
    assert log.stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "told").exists()


def test_a_failure_is_told_by_the_desktop(tmp_path: Path):
    for _ in range(2):
        done = run(tmp_path, "up", "nothing")
        assert (done.returncode, done.stdout, done.stderr) == (2, "", "")
    told = (tmp_path / "told").read_text().splitlines()
    assert told[:3] == ["--app-name=netkit", "--", "netkit up nothing"]
    assert told[3].endswith("[unknown-profile]")
    log = tmp_path / "state" / "netkit" / hidden.FILE
    assert log.read_text().count("[unknown-profile]") == 2


def test_a_long_log_begins_anew(tmp_path: Path):
    log = tmp_path / "state" / "netkit" / hidden.FILE
    log.parent.mkdir(parents=True)
    log.write_text("x" * (hidden.MAX_LOG + 1))
    assert run(tmp_path, "--version").returncode == 0
    assert log.read_text().startswith("netkit ")


def test_it_works_without_a_log(tmp_path: Path):
    (tmp_path / "state").write_text("no folder")
    assert run(tmp_path, "--version").returncode == 0
    assert run(tmp_path, "up", "nothing").returncode == 2
    assert (tmp_path / "told").exists()
