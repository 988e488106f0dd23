from __future__ import annotations

import contextlib
import os
import secrets
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from netkit.events import State
from netkit.observe.fleet import Fleet
from netkit.observe.notify import Notifier, is_told, notifier, status_line, watchdog_seconds
from support.cli import LINK_UP
from support.watched import SaysOfItself, opened, view

pytestmark = pytest.mark.skipif(
    not hasattr(socket, "AF_UNIX"), reason="systemd listens on a unix socket"
)


class Manager:
    """A service manager's end of the socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        sock.settimeout(10)

    def next(self) -> str:
        return self._sock.recv(4096).decode()

    def until(self, text: str) -> list[str]:
        said = [self.next()]
        while said[-1] != text:
            said.append(self.next())
        return said


@contextlib.contextmanager
def manager(name: str) -> Iterator[Manager]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name[1:]}" if name.startswith("@") else name)
        yield Manager(sock)


def names(tmp_path: Path) -> list[str]:
    abstract = [f"@netkit-test-{secrets.token_hex(8)}"] if sys.platform == "linux" else []
    return [str(tmp_path / "n"), *abstract]


def test_the_life_of_a_service(tmp_path: Path):
    for name in names(tmp_path):
        fleet = Fleet()
        watched = fleet.add("office")
        with manager(name) as systemd:
            told = Notifier(fleet, name)
            told.begin()
            assert systemd.next() == "STATUS=office: connecting"
            watched.see(LINK_UP)
            told.up()
            said = systemd.until("READY=1")
            assert "STOPPING=1" not in said
            told.changed()
            systemd.until("STATUS=office: up, 0 flows")
            told.end()
            systemd.until("STOPPING=1")


def test_ready_is_when_all_are(tmp_path: Path):
    name = str(tmp_path / "n")
    fleet = Fleet()
    with manager(name) as systemd:
        told = Notifier(fleet, name)
        told.begin()
        told.begin()
        told.up()
        told.changed()
        told.up()
        assert systemd.until("READY=1").count("READY=1") == 1
        told.end()
        told.end()
        systemd.until("STOPPING=1")


def test_the_watchdog_is_fed_while_the_tunnel_is_looked_after(tmp_path: Path):
    name = str(tmp_path / "n")
    fleet = Fleet()
    tunnel = SaysOfItself(view(State.WAITING, reason="no route", retry_in=3.0))
    fleet.add("office").attach(tunnel)
    with manager(name) as systemd:
        told = Notifier(fleet, name, watchdog=0.1)
        told.begin()
        try:
            systemd.until("WATCHDOG=1")
            systemd.until("WATCHDOG=1")
            tunnel.shown = view(State.WAITING, reason="stuck", overdue=100.0)
            systemd.until("STATUS=office: waiting: stuck")
            systemd._sock.settimeout(0.5)
            with pytest.raises(TimeoutError):
                systemd.next()
        finally:
            told.end()


def test_a_manager_that_does_not_listen_is_no_trouble(tmp_path: Path):
    told = Notifier(Fleet(), str(tmp_path / "nobody"))
    told.begin()
    told.up()
    told.end()


def test_the_variables_do_not_reach_programs_of_ours(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    assert is_told()
    assert notifier(Fleet()) is not None
    assert "NOTIFY_SOCKET" not in os.environ
    assert "WATCHDOG_USEC" not in os.environ
    assert not is_told()
    assert notifier(Fleet()) is None


@pytest.mark.parametrize(
    ("usec", "owner", "seconds"),
    [
        ("30000000", "", 30.0),
        ("30000000", "42", 30.0),
        ("30000000", "43", None),
        ("", "", None),
        ("0", "", None),
        ("-5", "", None),
        ("9" * 30, "", None),
        ("\u0665", "", None),
    ],
)
def test_how_long_the_watchdog_waits(usec: str, owner: str, seconds: float | None):
    variables = {"WATCHDOG_USEC": usec, "WATCHDOG_PID": owner}
    assert watchdog_seconds(variables, pid=42) == seconds


def test_the_status_is_one_line():
    fleet = Fleet()
    watched = fleet.add("office")
    watched.see(LINK_UP)
    watched.see(opened())
    fleet.add("home").attach(SaysOfItself(view(State.WAITING, reason="a\nREADY=1" + "x" * 999)))
    line = status_line(fleet.figures())
    assert line.startswith("office: up, 1 flow; home: waiting: a?READY=1x")
    assert len(line) <= 300


def test_one_that_never_was_up_is_not_awaited(tmp_path: Path):
    name = str(tmp_path / "n")
    with manager(name) as systemd:
        told = Notifier(Fleet(), name)
        told.begin()
        told.begin()
        told.up()
        told.end(was_up=False)
        assert "STOPPING=1" not in systemd.until("READY=1")
        told.end()
        systemd.until("STOPPING=1")


def test_one_that_begins_after_all_have_ended(tmp_path: Path):
    name = str(tmp_path / "n")
    with manager(name) as systemd:
        told = Notifier(Fleet(), name, watchdog=0.1)
        told.begin()
        told.end(was_up=False)
        systemd.until("STOPPING=1")
        told.begin()
        told.up()
        assert "STOPPING=1" not in systemd.until("READY=1")
        assert "STOPPING=1" not in systemd.until("WATCHDOG=1")
        told.end()
        assert systemd.until("STOPPING=1")
