"""The log of a tunnel without a terminal; the rest is seen in tests/integration/test_control.py."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from netkit.cli import detaching
from support.cli import environment, run_cli

_CODE = """
import sys
from pathlib import Path
from netkit.cli.detaching import LogStream
stream = LogStream(Path(sys.argv[1]))
stream.write("one\\ntwo ")
stream.write("and more\\n")
for number in range(int(sys.argv[2])):
    stream.write("x" * 1000 + "\\n")
print("not for the log", file=sys.__stdout__, flush=True)
"""


def write(path: Path, lines: int = 0) -> None:
    argv = [sys.executable, "-c", _CODE, str(path), str(lines)]
    done = subprocess.run(argv, env=environment(path.parent), check=True, capture_output=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_lines_have_their_time(tmp_path):
    write(tmp_path / "logs" / "x.log")
    lines = (tmp_path / "logs" / "x.log").read_text().splitlines()
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} "
    assert re.fullmatch(f"{stamp}one", lines[0])
    assert re.fullmatch(f"{stamp}two and more", lines[1])


def test_it_is_the_users_alone_and_bounded(tmp_path):
    path = tmp_path / "x.log"
    write(path, 2500)
    assert path.stat().st_mode & 0o777 == 0o600
    old = tmp_path / "x.log.1"
    assert path.stat().st_size <= detaching.MAX_LOG
    assert old.stat().st_size <= detaching.MAX_LOG
    assert sorted(each.name for each in tmp_path.iterdir()) == ["x.log", "x.log.1"]


def test_without_a_place_the_tunnel_goes_on(tmp_path):
    (tmp_path / "file").touch()
    write(tmp_path / "file" / "x.log")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("text", ["", "99", "9" * 30, "-1", "x"])
def test_a_variable_of_somebody_else_is_none_of_ours(monkeypatch, text):
    monkeypatch.setenv("NETKIT_DETACH_TO", text)
    assert detaching.second(["office"]) is None
    assert "NETKIT_DETACH_TO" not in os.environ


def test_a_dry_run_stays_where_it_is():
    done = run_cli("forward", "gw", "-D", "1080", "--detach", "--dry-run")
    assert done.code == 0


def test_windows_has_a_task_instead(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    done = run_cli("forward", "gw", "-D", "1080", "--detach")
    assert done.code == 2
    assert "netkit service install gw" in done.err


def test_names_of_any_kind_are_one_file(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    path = detaching.log_path("me@[::1]:22/../x")
    assert path.parent == tmp_path / "netkit" / "logs"
    assert path.suffix == ".log"
