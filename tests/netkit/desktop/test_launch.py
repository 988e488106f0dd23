from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from netkit.desktop import launch
from netkit.desktop.clients import Client, Desktop, Kind, Leaves, View
from netkit.desktop.launch import Found, Running, find_client, has_gone_on, this_desktop
from netkit.desktop.rdp_file import parse_rdp
from netkit.model import Endpoint
from support.waiting import wait_until

VIEW = View(kind=Kind.RDP, at=Endpoint("127.0.0.2", 13389), user="alice")
LINUX = Desktop("linux", x11=True, terminal=True)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shell scripts stand for clients")


def script(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def found(program: Path, **more) -> Found:
    settings = {"words": lambda view, file: (str(view.at), file), **more}
    return Found(Client((program.name,), **settings), str(program))


def test_the_desktop_of_this_process(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("BROWSER", "lynx")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    desktop = this_desktop()
    assert (desktop.x11, desktop.wayland, desktop.browser) == (True, False, "lynx")
    monkeypatch.setattr(sys, "stdin", None)
    assert not this_desktop().terminal


def test_the_first_program_that_is_installed(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_client(VIEW, LINUX) is None
    script(tmp_path, "remmina", "")
    assert find_client(VIEW, LINUX).name == "remmina"
    script(tmp_path, "xfreerdp", "")
    client = find_client(VIEW, LINUX)
    assert client.name == "xfreerdp"
    assert client.program == str(tmp_path / "xfreerdp")
    # without a screen none of them is of use
    assert find_client(VIEW, Desktop("linux")) is None


def test_an_application_must_be_there_too(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    script(tmp_path, "open", "")
    app = tmp_path / "Windows App.app"
    client = Client(("open",), lambda _view, file: (file,), needs=(str(app),))
    monkeypatch.setattr(launch, "clients_for", lambda _kind, _desktop: (client,))
    assert find_client(VIEW, LINUX) is None
    app.mkdir()
    assert find_client(VIEW, LINUX).name == "Windows App"


def test_it_is_told_where_and_its_end_is_noticed(tmp_path: Path):
    program = script(tmp_path, "client", f'echo "$@" > {tmp_path}/argv; exit 7')
    running = Running(found(program), VIEW, terminal=False)
    assert running.wait() == 7
    running.end()
    assert (tmp_path / "argv").read_text() == "127.0.0.2:13389 \n"
    assert running.argv == (str(program), "127.0.0.2:13389", "")


def test_a_file_about_the_view_is_private_and_goes_with_the_client(tmp_path: Path):
    program = script(tmp_path, "client", f'cp -p "$2" {tmp_path}/copy')
    running = Running(found(program, wants_file=lambda _view: True), VIEW, terminal=False)
    assert running.wait() == 0
    file = Path(running.argv[2])
    assert file.suffix == ".rdp"
    running.end()
    assert not file.parent.exists()
    copy = tmp_path / "copy"
    assert copy.stat().st_mode & 0o777 == 0o600
    settings = parse_rdp(copy.read_text())
    assert (settings["full address"], settings["username"]) == ("127.0.0.2:13389", "alice")


def test_one_that_cannot_be_started_leaves_no_file(tmp_path: Path, monkeypatch):
    made: list[str] = []
    real = launch.tempfile.mkdtemp

    def mkdtemp(prefix: str) -> str:
        made.append(real(prefix=prefix))
        return made[-1]

    monkeypatch.setattr(launch.tempfile, "mkdtemp", mkdtemp)
    broken = tmp_path / "client"
    broken.write_text("no program")
    broken.chmod(0o755)
    with pytest.raises(OSError, match="format"):
        Running(found(broken, wants_file=lambda _view: True), VIEW, terminal=False)
    assert made
    assert not Path(made[0]).exists()


def test_the_end_reaches_what_a_wrapper_started(tmp_path: Path):
    pids = tmp_path / "pids"
    program = script(
        tmp_path, "client", f"sleep 600 & echo $! > {pids}.new; mv {pids}.new {pids}; wait"
    )
    running = Running(found(program), VIEW, terminal=False)
    wait_until(pids.exists)
    child = psutil.Process(int(pids.read_text()))
    running.end()
    assert running.wait() == -signal.SIGTERM
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_one_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(launch, "GRACE", 0.2)
    ready = tmp_path / "ready"
    program = script(
        tmp_path, "client", f"trap '' TERM; touch {ready}; while :; do sleep 600; done"
    )
    running = Running(found(program), VIEW, terminal=False)
    wait_until(ready.exists)
    began = time.monotonic()
    running.end()
    assert running.wait() == -signal.SIGKILL
    assert time.monotonic() - began < 5


def test_the_end_wakes_who_waits(tmp_path: Path):
    program = script(tmp_path, "client", "exec sleep 600")
    running = Running(found(program), VIEW, terminal=False)
    ended: list[int] = []
    thread = threading.Thread(target=lambda: ended.append(running.wait()))
    thread.start()
    running.end()
    thread.join(10)
    assert ended == [-signal.SIGTERM]


def test_only_one_that_asks_on_the_terminal_shares_it(tmp_path: Path):
    program = script(tmp_path, "client", f"ps -o pgid= -p $$ > {tmp_path}/group")
    ours = os.getpgrp()
    for asks, terminal, shares in (
        (True, True, True),
        (True, False, False),
        (False, True, False),
    ):
        running = Running(found(program, asks=asks), VIEW, terminal=terminal)
        assert running.wait() == 0
        assert (int((tmp_path / "group").read_text()) == ours) is shares


def test_what_it_says_is_no_data_of_ours(tmp_path: Path, capfd):
    running = Running(found(script(tmp_path, "client", "echo hello")), VIEW, terminal=False)
    assert running.wait() == 0
    assert capfd.readouterr() == ("", "hello\n")


@pytest.mark.parametrize(
    ("leaves", "status", "seconds", "stays"),
    [
        (Leaves.NEVER, 0, 0.1, False),
        (Leaves.PERHAPS, 0, 0.1, True),
        (Leaves.PERHAPS, 0, 60.0, False),
        (Leaves.PERHAPS, 1, 0.1, False),
        (Leaves.ALWAYS, 0, 0.1, True),
        (Leaves.ALWAYS, 3, 60.0, True),
    ],
)
def test_who_still_shows_a_window(leaves: Leaves, status: int, seconds: float, stays: bool):
    client = Client(("x",), lambda _view, _file: (), leaves=leaves)
    assert has_gone_on(client, status, seconds) is stays
