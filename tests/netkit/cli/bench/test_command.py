"""The command line of the benchmark: what is refused before anything is measured."""

from __future__ import annotations

import pytest

from support.cli import run_cli
from support.profiles import OFFICE

ABSENT = "/nonexistent-directory/file"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--link", "nonsense"], "nonsense"),
        (["--link", "2mbit"], "2mbit"),
        (["--link", "0mbit/10ms"], "0mbit"),
        (["--link", "2mbit/80ms/200%"], "200%"),
        (["gw", "--link", "2mbit/80ms"], "--link goes without a GATEWAY"),
        (["gw", "--server", "sshd"], "--server goes without a GATEWAY"),
        (["--quick", "--time", "20"], "exclude each other"),
        (["--time", "1"], "1"),
        (["--time", "nan"], "nan"),
        (["--time", "soon"], "soon"),
        (["-p", "22"], "-p needs a GATEWAY"),
        (["-J", "jump"], "-J needs a GATEWAY"),
        (["--server", "telnetd"], "telnetd"),
        (["--sample", ABSENT], "--sample"),
        (["--sample", "/"], "a directory"),
        (["--sample", "/dev/null"], "no regular file"),
        (["--compare", ABSENT], "cannot be read"),
        (["--compare", "/dev/zero"], "not a regular file"),
        (["--json", ABSENT], "there is no directory"),
        (["--html", "/"], "it is a directory"),
        (["bad gateway"], "bad gateway"),
        (["gw", "another"], "another"),
    ],
)
def test_wrong_input_is_explained(arguments, words):
    done = run_cli("bench", *arguments)
    assert done.code == 2
    assert words in done.err
    assert len(done.err.splitlines()) <= 3
    assert done.out == ""


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"netkit": 1}',
        b"\xff\xfe",
        b'{"netkit": {"schema_version": 999}}',
    ],
)
def test_a_file_to_compare_with_that_is_none(tmp_path, content):
    path = tmp_path / "old.json"
    path.write_bytes(content)
    done = run_cli("bench", "--compare", str(path))
    assert done.code == 2
    assert str(path) in done.err
    assert len(done.err.splitlines()) <= 3


def test_a_directory_that_is_not_ours(tmp_path, monkeypatch):
    monkeypatch.setattr("netkit.cli.bench.job.os.access", lambda *_args: False)
    done = run_cli("bench", "--html", str(tmp_path / "page.html"))
    assert done.code == 2
    assert "not yours to write to" in done.err


def test_help_names_the_options():
    done = run_cli("bench", "--help")
    assert done.code == 0
    for word in ("--link", "--sample", "--quick", "--html", "--compare", "Exit codes"):
        assert word in done.out


def test_a_profile_is_a_gateway(monkeypatch, tmp_path):
    from netkit.cli.bench import job as bench_job

    path = tmp_path / "profiles.toml"
    path.write_text(OFFICE)
    monkeypatch.setenv("NETKIT_PROFILES", str(path))
    asked = []

    class Job:
        def __init__(self, request, _services, _output):
            asked.append(request.spec)

        def work(self):
            return 0

    monkeypatch.setattr(bench_job, "BenchJob", Job)
    assert run_cli("bench", "office", "-C").code == 0
    assert run_cli("bench").code == 0
    assert (asked[0].gateway.host, asked[0].compression, asked[0].forwards) == (
        "gw.example",
        True,
        (),
    )
    assert asked[1] is None
