from __future__ import annotations

import os
import subprocess
import sys
import types

import psutil
import pytest

from diagnostics.real import processes
from diagnostics.real.processes import Services, process
from support.waiting import wait_until


def test_this_process():
    found = process(os.getpid(), Services())
    own = psutil.Process()
    assert found is not None
    assert (found.pid, found.name, found.parent) == (os.getpid(), own.name(), os.getppid())
    assert found.user == own.username()
    assert found.executable == own.exe()
    assert found.command[0] == own.cmdline()[0]
    assert found.started == own.create_time()
    assert found.services == ()


@pytest.mark.parametrize("pid", [-1, 2**22 + 7, 2**40, 2**80, "x"])
def test_no_process(pid: int):
    assert process(pid, Services()) is None


def test_a_zombie():
    with subprocess.Popen(["true"]) as child:
        wait_until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
        found = process(child.pid, Services())
    assert found is not None
    assert (found.name, found.command) == ("true", ())


def test_passwords_in_the_command_line():
    code = "import sys; sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "-pw", "secret", "x" * 5000, *["y"] * 100],
        stdin=subprocess.PIPE,
    ) as child:
        wait_until(lambda: "-pw" in psutil.Process(child.pid).cmdline())
        found = process(child.pid, Services())
        assert child.stdin is not None
        child.stdin.close()
    assert found is not None
    assert found.command[3:6] == ("-pw", "***", "x" * 1024)
    assert len(found.command) == 64


def test_each_denied_by_itself(monkeypatch):
    def denied(_self: psutil.Process) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil.Process, "exe", denied)
    monkeypatch.setattr(psutil.Process, "cmdline", denied)
    monkeypatch.setattr(psutil.Process, "create_time", lambda _self: None)
    found = process(os.getpid(), Services())
    assert found is not None
    assert (found.executable, found.command, found.started) == ("", (), 0.0)
    assert found.name


def test_one_that_ends_meanwhile(monkeypatch):
    def gone(_self: psutil.Process) -> None:
        raise psutil.NoSuchProcess(1)

    monkeypatch.setattr(psutil.Process, "exe", gone)
    assert process(os.getpid(), Services()) is None


def service(name: str, pid: int | None, error: Exception | None = None):
    def asked() -> int | None:
        if error is not None:
            raise error
        return pid

    return types.SimpleNamespace(pid=asked, name=lambda: name)


def test_windows_services(monkeypatch):
    """svchost: the name of the process says nothing, the services in it do."""
    asked: list[int] = []

    def services():
        asked.append(1)
        yield service("TermService", os.getpid())
        yield service("denied", 1, psutil.AccessDenied())
        yield service("stopped", None)
        yield service("UmRdpService", os.getpid())

    monkeypatch.setattr(processes.sys, "platform", "win32")
    monkeypatch.setattr(psutil, "win_service_iter", services, raising=False)
    held = Services()
    assert held.of(os.getpid()) == ("TermService", "UmRdpService")
    assert held.of(1) == ()
    assert asked == [1]


def test_windows_without_services(monkeypatch):
    def services():
        yield service("one", 7)
        raise OSError

    monkeypatch.setattr(processes.sys, "platform", "win32")
    monkeypatch.delattr(psutil, "win_service_iter", raising=False)
    assert Services().of(7) == ()
    monkeypatch.setattr(psutil, "win_service_iter", services, raising=False)
    assert Services().of(7) == ("one",)
