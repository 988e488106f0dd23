"""Runs of the benchmark: their results, their files, and how they end."""

from __future__ import annotations

import io
import json
import signal
import sys
from pathlib import Path

import pytest

from netkit.bench.measuring.record import Progress
from netkit.cli.bench import job as bench_job
from netkit.cli.bench.job import Meter
from support import tunnels
from support.cli import process
from support.examiner import ALIAS, spec

pytestmark = pytest.mark.slow


def netkit(home, *arguments, timeout=100):
    with process(["-m", "netkit", "bench", *arguments], home=home) as running:
        out, err = running.communicate(timeout=timeout)
    return running.returncode, out, err


@pytest.mark.parametrize("server", ["sshd", "netkit"])
def test_a_throw_away_gateway(tmp_path, server):
    saved, page = tmp_path / "saved.json", tmp_path / "page.html"
    files = ("--json", str(saved), "--html", str(page))
    code, out, err = netkit(tmp_path, "--time", "8", "--server", server, *files)
    assert code == 0, err
    lines = out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert "Verdict" in lines
    assert "saved in" in err
    document = json.loads(saved.read_bytes())
    assert document["netkit"]["setting"]["trial"] == server
    assert document["benchmarks"]
    text = page.read_text("utf-8")
    assert text.lower().startswith("<!doctype html>")
    assert "compression" in text
    code, out, err = netkit(tmp_path, "--time", "5", "--server", server, "--compare", str(saved))
    assert code == 0, err
    assert "figures compared" in " ".join(out.split())


def test_a_real_gateway_and_a_sample(tmp_path):
    sample = tmp_path / "dump"
    sample.write_bytes(b"insert into t values (1, 'abc');\n" * 4000)
    with tunnels.start("sshd", tmp_path / "sshd") as gateway:
        config = spec(gateway, tmp_path).config_file
        code, out, err = netkit(
            tmp_path, ALIAS, "-F", str(config), "--time", "15", "--sample", str(sample)
        )
    assert code == 0, err
    assert "sample" in out
    assert "commands of a POSIX shell" in " ".join(out.split())


def test_an_account_without_a_shell(tmp_path):
    with tunnels.start("sshd", tmp_path / "sshd", ForceCommand="/bin/false") as gateway:
        config = spec(gateway, tmp_path).config_file
        code, out, err = netkit(tmp_path, ALIAS, "-F", str(config), "--quick")
    assert code == 0, err
    assert "loop" in out


def test_neither_shell_nor_forwards(tmp_path):
    words = {"ForceCommand": "/bin/false", "AllowTcpForwarding": "no"}
    with tunnels.start("sshd", tmp_path / "sshd", **words) as gateway:
        config = spec(gateway, tmp_path).config_file
        code, out, err = netkit(tmp_path, ALIAS, "-F", str(config), "--quick")
    assert code == bench_job.NOTHING
    assert "login" in out
    said = err.splitlines()
    assert len(said) == 3
    assert "no bytes could be made to pass" in said[0]
    assert "refused to listen" in said[1]


def test_nobody_listens(tmp_path):
    code, out, err = netkit(tmp_path, "127.0.0.1:1", "--quick")
    assert (code, out) == (4, "")
    assert len(err.splitlines()) == 3


def test_ctrl_c_shows_what_is_known(tmp_path):
    with process(["-m", "netkit", "bench", "--time", "100"], home=tmp_path, bufsize=1) as running:
        for line in running.stderr:  # the first one comes after five seconds
            if "left" in line:
                break
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "interrupted" in out
    assert "login" in out
    assert "Traceback" not in err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is Linux's")
def test_a_full_disk(tmp_path):
    with (
        Path("/dev/full").open("w") as full,
        process(["-m", "netkit", "bench", "--quick"], home=tmp_path, stdout=full) as running,
    ):
        _, err = running.communicate(timeout=60)
    assert running.returncode == 3
    assert "cannot write to standard output" in err
    assert "Traceback" not in err


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_on_a_terminal_is_one_line(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    meter = Meter()
    meter.show(Progress("down text, compressed (1/3)", 0.2, 12.4))
    meter.say("x" * 200)
    meter.clear()
    shown = sys.stderr.getvalue()
    assert "netkit: down text, compressed (1/3) · 12 s left" in shown
    assert "\n" not in shown
    assert max(map(len, shown.split("\r"))) <= 78
    assert shown.endswith("\r")


def test_progress_elsewhere_is_a_line_now_and_then(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    meter = Meter()
    meter.say("first")
    assert sys.stderr.getvalue() == ""
    monkeypatch.setattr(bench_job, "QUIET_EVERY", 0.0)
    meter.say("second", 3.0)
    meter.clear()
    assert sys.stderr.getvalue() == "netkit: second · 3 s left\n"
