from __future__ import annotations

import errno
import socket
import threading
import time

import pytest

from diagnostics.real import names


def answer(*found: tuple[int, str]) -> object:
    return lambda *_arguments: [(family, 1, 6, "", (host, 0)) for family, host in found]


def test_localhost():
    found = names.resolve("localhost", "any", 5.0)
    assert "127.0.0.1" in found.addresses
    assert (found.error, found.name) == ("", "localhost")
    assert found.seconds < 5


@pytest.mark.parametrize(("family", "address"), [("inet", "127.0.0.1"), ("inet6", "::1")])
def test_literals_of_one_family(family: str, address: str):
    assert names.resolve(address, family, 5.0).addresses == (address,)
    other = "inet6" if family == "inet" else "inet"
    assert names.resolve(address, other, 5.0).error.startswith("EAI_")


def test_each_address_once_in_its_order(monkeypatch):
    found = answer(
        (socket.AF_INET6, "::1"),
        (socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET6, "::1"),
        (99, "x"),
    )
    monkeypatch.setattr(names.socket, "getaddrinfo", found)
    assert names.resolve("x", "any", 5.0).addresses == ("::1", "127.0.0.1")


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 64, "a..b", "\ud800"])
def test_no_names(name: str):
    found = names.resolve(name, "any", 5.0)
    assert found.error == "invalid"
    assert found.text


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), "EAI_NONAME"),
        (socket.gaierror(socket.EAI_AGAIN, "later"), "EAI_AGAIN"),
        (OSError(errno.EMFILE, "too many"), "EMFILE"),
        (OSError("odd"), "EINVAL"),
    ],
)
def test_errors(monkeypatch, error: OSError, name: str):
    def fail(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(names.socket, "getaddrinfo", fail)
    found = names.resolve("x", "any", 5.0)
    assert found.error == name
    assert found.text


def test_a_resolver_that_hangs(monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(names.socket, "getaddrinfo", lambda *_arguments: [][: release.wait(30)])
    began = time.monotonic()
    try:
        found = names.resolve("x", "any", 0.1)
        assert time.monotonic() - began < 2
        assert (found.error, found.addresses) == ("timeout", ())
        assert found.seconds >= 0.1
    finally:
        release.set()


def test_lookups_without_answer_are_bounded(monkeypatch):
    monkeypatch.setattr(names, "_AT_ONCE", threading.BoundedSemaphore(1))
    release = threading.Event()
    monkeypatch.setattr(names.socket, "getaddrinfo", lambda *_arguments: [][: release.wait(30)])
    try:
        names.resolve("x", "any", 0.05)
        assert "unanswered" in names.resolve("y", "any", 0.05).text
    finally:
        release.set()
