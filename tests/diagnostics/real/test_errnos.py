from __future__ import annotations

import errno
import os
import socket

import pytest

from diagnostics.real.errnos import name_of, name_of_lookup, number_of, outcome_of


class WindowsError(OSError):
    """What Python raises on Windows: Winsock's number in errno, or a mapped one, and winerror."""

    def __init__(self, number: int, winerror: int | None) -> None:
        super().__init__(number, "text in some language")
        self.winerror = winerror


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (errno.EADDRINUSE, "EADDRINUSE"),
        (errno.EACCES, "EACCES"),
        (errno.EADDRNOTAVAIL, "EADDRNOTAVAIL"),
        (errno.ENOENT, "ENOENT"),
        (99999, "E99999"),
    ],
)
def test_posix(number: int, name: str):
    error = OSError(number, os.strerror(number))
    assert name_of(error) == name
    assert number_of(error) == number


@pytest.mark.parametrize(
    ("number", "winerror", "name"),
    [
        (10048, 10048, "EADDRINUSE"),
        (10049, 10049, "EADDRNOTAVAIL"),
        (13, 10013, "EACCES"),
        (10013, None, "EACCES"),
        (10061, 10061, "ECONNREFUSED"),
        (errno.ENOENT, 2, "ENOENT"),
    ],
)
def test_windows(number: int, winerror: int | None, name: str):
    error = WindowsError(number, winerror)
    assert name_of(error) == name
    assert number_of(error) == (winerror or number)


def test_what_has_no_number():
    assert name_of(TimeoutError()) == "ETIMEDOUT"
    assert name_of(TimeoutError(errno.ETIMEDOUT, "x")) == "ETIMEDOUT"
    assert name_of(ValueError("embedded null byte")) == "EINVAL"
    assert number_of(ValueError()) == 0


@pytest.mark.parametrize(
    ("number", "outcome"),
    [
        (errno.ECONNREFUSED, "refused"),
        (errno.ETIMEDOUT, "timed-out"),
        (errno.EHOSTUNREACH, "unreachable"),
        (errno.ENETUNREACH, "unreachable"),
        (errno.ECONNRESET, "reset"),
        (errno.EPERM, "denied"),
        (errno.ENOENT, "failed"),
    ],
)
def test_outcomes(number: int, outcome: str):
    assert outcome_of(OSError(number, "x")) == outcome


def test_lookups():
    assert name_of_lookup(socket.gaierror(socket.EAI_NONAME, "x")) == "EAI_NONAME"
    assert name_of_lookup(socket.gaierror(socket.EAI_AGAIN, "x")) == "EAI_AGAIN"
    assert name_of_lookup(socket.gaierror(11001, "x")) == "EAI_NONAME"
    assert name_of_lookup(socket.gaierror(11004, "x")) == "EAI_NODATA"
    assert name_of_lookup(socket.gaierror("only text")) == "EAI_0"
