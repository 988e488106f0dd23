"""What is run on gateways, run here: in every shell that this machine has."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.bench.measuring import commands

SHELLS = [
    name for name in ("sh", "dash", "bash", "zsh", "fish", "csh", "ksh") if shutil.which(name)
]
DATA = bytes(n * 7 % 251 for n in range(commands.WHOLE))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def start(shell, command):
    return subprocess.Popen(
        [shell, "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_a_posix_shell_is_known(shell):
    done = subprocess.run([shell, "-c", commands.PROBE], capture_output=True, check=False)
    assert commands.is_posix(done.stdout)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"netkit-$((6*7))\n",
        b"This account is not available.\n",
        commands.PROBE.encode(),
        b"\xff\xfe",
    ],
)
def test_others_are_not(said):
    assert not commands.is_posix(said)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("corpus", ["text", "random", "zeros"])
def test_a_source(shell, corpus, folder):
    with start(shell, commands.source(corpus)) as run:
        if not commands.is_generated(corpus):
            run.stdin.write(DATA)
        assert run.stdout.read(len(commands.READY)) == commands.READY
        assert len(list(folder.iterdir())) == 1
        for wholes in (1, 3, commands.MOST_WHOLES):
            size, request = commands.unit(wholes * commands.WHOLE, 0)
            assert size == wholes * commands.WHOLE
            run.stdin.write(request)
            came = b""
            while len(came) < size:
                came += run.stdout.read(size - len(came))
            if corpus == "text":
                assert came == DATA * (size // commands.WHOLE)
            elif corpus == "zeros":
                assert not any(came)
        pieces = b""
        for number in range(commands.PIECES):
            size, request = commands.unit(1, number * commands.PIECE)
            assert size == commands.PIECE
            run.stdin.write(request)
            piece = b""
            while len(piece) < size:
                piece += run.stdout.read(size - len(piece))
            pieces += piece
        if corpus == "text":
            assert pieces == DATA
        run.stdin.close()
        assert run.wait(20) == 0
    assert list(folder.iterdir()) == []


def test_a_source_whose_reader_leaves_removes_its_data(folder):
    with start("sh", commands.source("random")) as run:
        run.stdout.read(len(commands.READY))
        run.stdout.close()
        run.stdin.write(b"A\nA\nA\n")
        run.stdin.close()
        run.wait(20)
    assert list(folder.iterdir()) == []


def test_a_source_that_may_not_write_touches_nothing(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    precious = home / "s"
    precious.write_text("mine")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "absent"))
    done = subprocess.run(
        ["sh", "-c", commands.source("zeros")],
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 9
    assert done.stdout == b""
    assert precious.read_text() == "mine"


def test_units_grow_with_what_may_be_under_way():
    piece, whole = commands.PIECE, commands.WHOLE
    assert commands.unit(10, 3 * piece) == (piece, b"3\n")
    assert commands.unit(10, whole) == (piece, b"0\n")
    assert commands.unit(3.5 * piece, whole - piece) == (3 * piece, b"15 0 1\n")
    assert commands.unit(whole, 0) == (whole, b"s\n")
    assert commands.unit(3.9 * whole, 7 * piece) == (3 * whole, b"s s s\n")
    assert commands.unit(1e12, 0) == (64 * whole, b"X\n")


@pytest.mark.parametrize("shell", SHELLS)
def test_several_pieces_at_once(shell, folder):
    with start(shell, commands.source("text")) as run:
        run.stdin.write(DATA)
        assert run.stdout.read(len(commands.READY)) == commands.READY
        size, request = commands.unit(3 * commands.PIECE, 15 * commands.PIECE)
        run.stdin.write(request)
        came = b""
        while len(came) < size:
            came += run.stdout.read(size - len(came))
        assert came == DATA[-commands.PIECE :] + DATA[: 2 * commands.PIECE]
        run.stdin.close()
        assert run.wait(20) == 0
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_cpu_time_of_the_process_that_started_the_shell(shell):
    done = subprocess.run(
        [shell, "-c", commands.CPU], input=b"\n", capture_output=True, check=False
    )
    assert commands.CPU_END in done.stdout
    found = commands.cpu_seconds(done.stdout)
    assert found is not None
    assert found == pytest.approx(sum(os.times()[:2]), abs=1.0)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (b"12 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0\n=100\n", 3.0),
        (b"12 (sshd) S 1 2 3 4 -5 6 7 8 9 10 250 50 0 0\n=1000\n", 0.3),
        (b"12 (sshd) S 1 2 3 4 5 6 7 8 9 10 250 50 0\n=0\n", 3.0),
        (b"0:00.25\n=\n", 0.25),
        (b"  12:01\n=100\n", 721.0),
        (b"1-02:03:04\n", 93784.0),
        (b"", None),
        (b"ps: no such option\n", None),
    ],
)
def test_cpu_times(said, seconds):
    assert commands.cpu_seconds(said) == (None if seconds is None else pytest.approx(seconds))


@given(st.binary(max_size=200))
def test_any_answer_is_a_number_or_none(said):
    found = commands.cpu_seconds(said)
    assert found is None or found >= 0


def script(command):
    words = command.split()
    assert words[0] == "powershell"
    return base64.b64decode(words[-1]).decode("utf-16-le")


@pytest.mark.parametrize("corpus", ["text", "random", "zeros"])
def test_powershell_sources(corpus):
    """There is no PowerShell here to run them: what can be told is that they are whole."""
    text = script(commands.powershell_source(corpus))
    assert text.count("{") == text.count("}")
    assert text.count("(") == text.count(")")
    assert str(commands.WHOLE) in text
    assert ("$i.Read($d" in text) == (corpus == "text")
    assert len(commands.powershell_source(corpus)) < 8000  # cmd.exe takes 8191 characters


@pytest.mark.parametrize(
    "command",
    [
        commands.POWERSHELL_PROBE,
        commands.POWERSHELL_SINK,
        commands.POWERSHELL_ECHO,
        commands.POWERSHELL_CPU,
    ],
)
def test_powershell_commands(command):
    text = script(command)
    assert text.count("{") == text.count("}")
    assert text.count('"') % 2 == 0
