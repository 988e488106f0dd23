from __future__ import annotations

import ctypes
import os
import pwd
import socket
import sys
import types
from typing import Any

import pytest

from diagnostics.real import account


def test_who_and_where(monkeypatch):
    monkeypatch.setenv("HOME", "/some/home")
    found = account.account()
    assert found.user == pwd.getpwuid(os.geteuid()).pw_name
    assert (found.uid, found.is_admin) == (os.geteuid(), os.geteuid() == 0)
    assert found.home == "/some/home"
    assert found.hostname == socket.gethostname()
    assert found.system == f"{os.uname().sysname} {os.uname().release}"


def test_no_hostname(monkeypatch):
    def fail() -> str:
        raise OSError

    monkeypatch.setattr(account.socket, "gethostname", fail)
    assert account.account().hostname == ""


def test_user_names():
    assert account.user_name(0) == "root"
    assert account.user_name(4_000_000_000 - 7) == "3999999993"
    assert account.user_name(-5) == "-5"
    assert account.user_name(2**70) == str(2**70)


def test_clocks():
    first, second = account.clocks(), account.clocks()
    assert second.monotonic >= first.monotonic
    assert first.boot is not None
    assert second.boot is not None
    assert second.boot >= first.boot
    assert first.wall > 1_600_000_000


def test_clocks_elsewhere(monkeypatch):
    monkeypatch.delattr(account.time, "CLOCK_BOOTTIME")
    assert account.clocks().boot is None
    monkeypatch.setattr(account.sys, "platform", "darwin")
    assert account.clocks().boot is not None


@pytest.fixture
def windows(monkeypatch):
    monkeypatch.setattr(account.sys, "platform", "win32")
    version = types.SimpleNamespace(major=10, minor=0, build=19045)
    monkeypatch.setattr(sys, "getwindowsversion", lambda: version, raising=False)
    monkeypatch.setenv("USERNAME", "alice")


@pytest.mark.usefixtures("windows")
class TestWindows:
    def test_account(self, monkeypatch):
        shell = types.SimpleNamespace(IsUserAnAdmin=lambda: 1)
        libraries = types.SimpleNamespace(shell32=shell)
        monkeypatch.setattr(ctypes, "windll", libraries, raising=False)
        found = account.account()
        assert (found.user, found.uid, found.is_admin) == ("alice", None, True)
        assert found.system == "Windows 10.0.19045"

    def test_there_are_no_numbers(self):
        assert account.user_name(0) == "0"

    def test_without_an_answer(self):
        assert not account.account().is_admin
        assert account.clocks().boot is None

    def test_clocks(self, monkeypatch):
        class Ticks:
            restype: object = None

            def __call__(self) -> int:
                return 5_000

        def awake(reference: Any) -> int:
            reference._obj.value = 30_000_000
            return 1

        kernel = types.SimpleNamespace(GetTickCount64=Ticks(), QueryUnbiasedInterruptTime=awake)
        libraries = types.SimpleNamespace(kernel32=kernel)
        monkeypatch.setattr(ctypes, "windll", libraries, raising=False)
        found = account.clocks()
        assert (found.monotonic, found.boot) == (3.0, 5.0)
