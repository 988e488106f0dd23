from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from diagnostics.real import tools
from diagnostics.system import ToolOutput
from support.processes import is_gone
from support.waiting import wait_until


def script(path: Path, text: str, mode: int = 0o755) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return str(path)


def test_a_tool_runs(tmp_path: Path):
    tool = script(tmp_path / "tool", 'printf "%s|" "$@"; echo wrong >&2; exit 3')
    assert tools.run((tool, "a b", "*"), 5.0) == ToolOutput(
        (tool, "a b", "*"), "ran", 3, b"a b|*|", b"wrong\n"
    )


def test_its_world(tmp_path: Path, monkeypatch):
    """No input, the C locale, and sbin in the PATH of whoever has none there."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin:relative:")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    tool = script(tmp_path / "tool", 'echo "$LC_ALL $PATH"; cat; ps -o sid= -p $$; echo $$')
    lines = tools.run((tool,), 5.0).text.split("\n")
    locale, _, path = lines[0].partition(" ")
    assert locale == "C"
    assert path.split(":")[:2] == ["/usr/bin", "/bin"]
    assert "/usr/sbin" in path.split(":")
    assert "relative" not in path
    assert lines[1].strip() == lines[2].strip()  # a session of its own


def test_found_in_the_path(tmp_path: Path, monkeypatch):
    script(tmp_path / "sometool", "echo found")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tools.run(("sometool",), 5.0).stdout == b"found\n"


def test_never_in_the_current_directory(tmp_path: Path, monkeypatch):
    script(tmp_path / "sometool", "echo found")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", ":.")
    assert tools.run(("sometool",), 5.0).outcome == "missing"


@pytest.mark.parametrize(
    "argv", [(), ("there-is-no-such-tool",), ("/nonexistent/tool",), ("a\0b",)]
)
def test_missing(argv: tuple[str, ...]):
    assert tools.run(argv, 5.0) == ToolOutput(argv, "missing")


def test_denied(tmp_path: Path):
    tool = script(tmp_path / "tool", "echo", mode=0o600)
    assert tools.run((tool,), 5.0).outcome == "denied"


@pytest.mark.parametrize(("error", "outcome"), [(PermissionError, "denied"), (OSError, "missing")])
def test_a_directory_that_cannot_be_looked_into(monkeypatch, error: Any, outcome: str):
    def refuse(_path: object) -> bool:
        raise error

    monkeypatch.setattr(tools.Path, "is_file", refuse)
    assert tools.run(("sh",), 5.0).outcome == outcome


def test_no_program_at_all(tmp_path: Path):
    tool = tmp_path / "tool"
    tool.write_bytes(b"\x7fELF no program")
    tool.chmod(0o755)
    output = tools.run((str(tool),), 5.0)
    assert output.outcome == "failed"
    assert output.stderr


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(FileNotFoundError, "missing"), (PermissionError, "denied"), (ValueError("nul"), "failed")],
)
def test_what_starting_raises(monkeypatch, error: Any, outcome: str):
    def start(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(tools, "_start", start)
    assert tools.run(("sh",), 5.0).outcome == outcome


@pytest.fixture(params=["selector", "threads"])
def collect(request, monkeypatch):
    """Both ways to read the output; that of Windows works here as well."""
    if request.param == "threads":
        monkeypatch.setattr(tools, "_collect", tools._collect_by_threads)


@pytest.mark.usefixtures("collect")
class TestCollecting:
    def test_both_outputs(self, tmp_path: Path):
        tool = script(tmp_path / "tool", "echo out; echo err >&2; exit 1")
        output = tools.run((tool,), 5.0)
        assert (output.status, output.stdout, output.stderr) == (1, b"out\n", b"err\n")

    def test_one_that_hangs_ends_with_its_children(self, tmp_path: Path):
        pids = tmp_path / "pids"
        tool = script(
            tmp_path / "tool", f"echo begun; sleep 60 & echo $! $$ > {pids}; trap '' TERM; wait"
        )
        began = time.monotonic()
        output = tools.run((tool,), 0.5)
        assert time.monotonic() - began < 5
        assert (output.outcome, output.status, output.stdout) == ("timed-out", None, b"begun\n")
        for pid in pids.read_text().split():
            wait_until(partial(is_gone, int(pid)))

    def test_one_that_prints_for_ever(self, monkeypatch):
        monkeypatch.setattr(tools, "MAX_OUTPUT", 100_000)
        output = tools.run(("yes",), 0.3)
        assert output.outcome == "timed-out"
        assert output.stdout == b"y\n" * 50_000

    def test_one_that_prints_more_than_is_kept(self, monkeypatch):
        monkeypatch.setattr(tools, "MAX_OUTPUT", 1000)
        output = tools.run(("seq", "100000"), 10.0)
        assert (output.outcome, output.status, len(output.stdout)) == ("ran", 0, 1000)

    def test_one_that_closes_its_output_and_goes_on(self, tmp_path: Path):
        tool = script(tmp_path / "tool", "exec >&- 2>&-; exec sleep 60")
        assert tools.run((tool,), 0.3).outcome == "timed-out"

    def test_a_signal(self, tmp_path: Path):
        tool = script(tmp_path / "tool", "kill -9 $$")
        assert tools.run((tool,), 5.0).status == -signal.SIGKILL


def test_one_that_leaves_a_child_with_its_output(tmp_path: Path):
    """It is over when the tool is; what it left behind goes too."""
    pid = tmp_path / "pid"
    tool = script(tmp_path / "tool", f"echo out; sleep 60 & echo $! > {pid}")
    began = time.monotonic()
    output = tools.run((tool,), 20.0)
    assert time.monotonic() - began < 5
    assert (output.outcome, output.status, output.stdout) == ("ran", 0, b"out\n")
    wait_until(lambda: is_gone(int(pid.read_text())))


def test_what_a_child_says_right_afterwards(tmp_path: Path):
    tool = script(tmp_path / "tool", "(sleep 0.12; echo late) & echo out")
    output = tools.run((tool,), 20.0)
    assert (output.status, output.stdout) == (0, b"out\nlate\n")


def test_one_that_is_not_ours_to_kill(monkeypatch):
    def refuse(*_arguments: object) -> None:
        raise PermissionError

    monkeypatch.setattr(tools.os, "killpg", refuse)
    assert tools.run(("sleep", "60"), 0.2).outcome == "timed-out"


# --- Windows ---


def test_where_windows_looks():
    found = tools.search_path(
        {"PATH": r".;relative;C:\Tools;\\server\share;;C:\Tools", "SYSTEMROOT": r"D:\Windows"},
        windows=True,
    )
    assert found[0] == r"D:\Windows\System32"
    assert found[-2:] == [r"C:\Tools", r"\\server\share"]
    assert tools.search_path({}, windows=True)[0] == r"C:\Windows\System32"


def test_windows_adds_the_ending(tmp_path: Path):
    tool = script(tmp_path / "netsh.exe", "")
    assert tools.find("netsh", [str(tmp_path)], windows=True) == (tool, "")
    assert tools.find("netsh.exe", [str(tmp_path)], windows=True) == (tool, "")
    assert tools.find("netsh", [str(tmp_path)], windows=False) == ("", "missing")
    assert tools.find(r"x\netsh.exe", [str(tmp_path)], windows=True) == ("", "missing")


def test_windows_starts_and_kills(monkeypatch):
    """No window, no console of ours; taskkill ends the tree, from where Windows keeps it."""
    monkeypatch.setattr(tools.sys, "platform", "win32")
    monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0x200, raising=False)
    monkeypatch.setattr(subprocess, "CREATE_NO_WINDOW", 0x8000000, raising=False)
    monkeypatch.setenv("SYSTEMROOT", r"D:\Windows")
    started: list[dict[str, object]] = []
    killed: list[list[str]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda argv, **given: started.append(given))
    monkeypatch.setattr(subprocess, "run", lambda argv, **_given: killed.append(argv))
    tools._start(("netsh",), "netsh.exe", {})
    assert started[0]["creationflags"] == 0x8000200
    assert started[0]["start_new_session"] is False

    class Process:
        pid = 7

        def kill(self) -> None:
            killed.append(["kill"])

    process: Any = Process()
    tools._kill(process)
    assert killed == [
        [r"D:\Windows\System32\taskkill.exe", "/T", "/F", "/PID", "7"],
        ["kill"],
    ]


def test_the_platform_decides(monkeypatch, tmp_path: Path):
    asked: list[object] = []
    monkeypatch.setattr(tools.sys, "platform", "win32")
    tool = script(tmp_path / "tool.exe", "")
    monkeypatch.setattr(tools, "search_path", lambda _env, *, windows: [str(tmp_path)])
    monkeypatch.setattr(tools, "_kill", lambda _process: None)

    def start(_argv: object, executable: str, _environment: object) -> subprocess.Popen[bytes]:
        asked.append(executable)
        return subprocess.Popen(
            ["true"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
        )

    monkeypatch.setattr(tools, "_start", start)
    assert tools.run(("tool",), 5.0).outcome == "ran"
    assert asked == [tool]


def test_this_python():
    assert os.path.isabs(sys.executable)  # noqa: PTH117 (a plain look)
    output = tools.run((sys.executable, "-c", "print(1)"), 20.0)
    assert output.ok
