"""A shortcut, clicked twice: the first click starts the tunnel, the second finds it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from netkit.desktop.desktop_entry import parse_entry, split_exec
from support import cli, rdp, tunnels
from support.forwarding import Forwarding, gateway_options
from support.peers import require
from support.speaker import CONFIRM, Speaker
from support.tunnels import TestGateway
from support.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not sys.platform.startswith("linux"), reason="a desktop file is clicked with a shell"
    ),
]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestGateway]:
    with tunnels.start("sshd", tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


def _save(home: Path, gateway: TestGateway, port: int, *more: str) -> None:
    where, _, config = gateway_options(gateway, home)
    forward = ("-L", f"127.0.0.2:0:127.0.0.1:{port}")
    argv = ("profile", "save", "office", where, "-F", config, *forward, *more)
    with rdp.netkit_command(*argv, home=home) as saved:
        assert saved.wait() == 0, saved.stderr


def _shortcut(home: Path, *more: str) -> Path:
    with rdp.netkit_command("shortcut", "office", "--where", "menu", *more, home=home) as made:
        assert made.wait() == 0, made.stderr
    file = Path(made.lines[0])
    checked = subprocess.run(
        [require("desktop-file-validate"), file], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout) == (0, "")
    return file


@contextlib.contextmanager
def _clicked(file: Path, home: Path, programs: Path) -> Iterator[Forwarding]:
    """Run what the desktop runs when the icon of ``file`` is clicked."""
    words = split_exec(parse_entry(file.read_text())["Desktop Entry"]["Exec"])
    env = cli.environment(home, DISPLAY=":77", PATH=f"{programs}{os.pathsep}{os.environ['PATH']}")
    argv = ["-c", "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])", *words]
    with cli.process(argv, home=home, env=env) as process:
        run = Forwarding(process)
        try:
            yield run
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            run.wait()


def test_the_second_click_finds_the_first(tmp_path: Path, gateway: TestGateway):
    client = 'printf "%s\\n" "$@" >> {0}/clients\nwhile [ ! -e {0}/closed ]; do sleep 0.05; done\n'
    programs = rdp.program(tmp_path, "sdl-freerdp", client.format(tmp_path))
    with Speaker(CONFIRM, CONFIRM) as server:
        _save(tmp_path, gateway, server.at.port, "--launch", "rdp")
        file = _shortcut(tmp_path)
        with _clicked(file, tmp_path, programs) as first:
            first.wait_for_lines(1)
            wait_until(lambda: "started sdl-freerdp" in first.stderr)
            with _clicked(file, tmp_path, programs) as second:
                wait_until(lambda: "started sdl-freerdp" in second.stderr, what=second.stderr)
                (tmp_path / "closed").touch()
                assert second.wait() == 0, second.stderr
            assert first.wait() == 0, first.stderr
    at = first.addresses[0]
    found = re.search(r"office is running already \(process (\d+)\), at (\S+)", second.stderr)
    assert found, second.stderr
    assert found[2] == at
    assert second.lines == []  # no tunnel of its own
    assert (tmp_path / "clients").read_text().splitlines() == [f"/v:{at}", f"/v:{at}"]


def test_a_tunnel_that_was_killed_is_started_again(tmp_path: Path, gateway: TestGateway):
    _save(tmp_path, gateway, 9)
    argv = ("up", "office", "--once")
    with rdp.netkit_command(*argv, home=tmp_path) as first:
        first.wait_for_lines(1)
        with rdp.netkit_command(*argv, home=tmp_path) as second:
            assert second.wait() == 0
        assert f"office is running already (process {first.process.pid})" in second.stderr
        psutil.Process(first.process.pid).kill()
        assert first.wait() == -signal.SIGKILL
    with rdp.netkit_command(*argv, home=tmp_path) as third:
        third.wait_for_lines(1)
        assert third.stop(signal.SIGINT) == 130
    assert "already" not in third.stderr


def test_a_hidden_one_has_a_log(tmp_path: Path, gateway: TestGateway):
    _save(tmp_path, gateway, 9)
    file = _shortcut(tmp_path, "--hidden")
    log = tmp_path / ".local" / "state" / "netkit" / "hidden.log"
    with _clicked(file, tmp_path, tmp_path) as run:
        wait_until(lambda: log.exists() and " through " in log.read_text(), timeout=20)
        assert run.stop() == 0
    assert (run.lines, run.stderr) == ([], "")
