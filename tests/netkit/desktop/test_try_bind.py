from __future__ import annotations

import socket
import sys

import pytest

from netkit.desktop import try_bind
from netkit.model import Endpoint
from support.ports import free_port


@pytest.fixture
def taken():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield Endpoint("127.0.0.1", sock.getsockname()[1])


def test_a_port_that_somebody_listens_at_is_not_free(taken: Endpoint):
    assert not try_bind.is_free(taken)


def test_a_port_that_nobody_has_is_free(taken: Endpoint):
    assert try_bind.is_free(Endpoint("127.0.0.1", free_port()))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="others have 127.0.0.1 alone")
def test_the_same_port_of_another_address_is_free(taken: Endpoint):
    assert try_bind.is_free(Endpoint("127.0.0.2", taken.port))


def test_one_who_answers_has_it_whatever_bind_says(taken: Endpoint, monkeypatch):
    """Windows and macOS let a bind succeed beside a listener at every address."""
    monkeypatch.setattr(try_bind, "_bound", lambda at: at)
    monkeypatch.setattr(try_bind.sys, "platform", "darwin")
    assert not try_bind.is_free(taken)


def test_an_address_that_becomes_another_is_not_free(monkeypatch):
    """A session host of Windows binds 127.0.0.3 for 127.0.0.1."""
    monkeypatch.setattr(try_bind, "_bound", lambda at: Endpoint("127.0.0.3", at.port))
    assert not try_bind.is_free(Endpoint("127.0.0.1", 13389))


def test_addresses_of_this_machine():
    assert try_bind.is_there("127.0.0.1")
    assert not try_bind.is_there("192.0.2.1")  # RFC 5737: nobody has it
    assert not try_bind.is_there("no address")
