"""Remembering networks in a file."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from netkit import networks
from netkit.networks import recall, remember, state_file

ROUTER = "192.168.1.1 00:18:01:8f:23:ed"
GATEWAY = "gw.example:22"
SAID: dict[str, Any] = {"alive": 10.0, "dead": 15.0, "how": "silence", "interval": 5.0}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "state/netkit/networks.json"


def test_remembered_and_recalled(file):
    assert remember(ROUTER, GATEWAY, **SAID, file=file)
    known = recall(ROUTER, GATEWAY, file=file)
    assert known is not None
    assert (known.alive, known.dead, known.how, known.interval) == (10, 15, "silence", 5)
    assert known.measured > 1_600_000_000


def test_another_gateway_of_the_network_is_better_than_nothing(file):
    remember(ROUTER, GATEWAY, **SAID, file=file)
    known = recall(ROUTER, "other:22", file=file)
    assert known is not None
    assert known.interval == 5


def test_another_network_is_not(file):
    remember(ROUTER, GATEWAY, **SAID, file=file)
    assert recall("10.0.0.1 00:00:00:00:00:01", GATEWAY, file=file) is None


def test_an_unknown_router_is_no_network(file):
    assert not remember("", GATEWAY, **SAID, file=file)
    assert recall("", GATEWAY, file=file) is None
    assert not file.exists()


def test_names_and_addresses_are_not_in_it(file):
    remember(ROUTER, GATEWAY, **SAID, file=file)
    text = file.read_text()
    for word in ("192.168", "00:18", "gw.example"):
        assert word not in text
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o077 == 0


def test_the_salt_stays(file):
    remember(ROUTER, GATEWAY, **SAID, file=file)
    remember("10.0.0.1 00:00:00:00:00:01", GATEWAY, **SAID, file=file)
    assert recall(ROUTER, GATEWAY, file=file) is not None


@pytest.mark.parametrize("junk", [b"", b"\x00\xff" * 9, b"[]", b"x" * 2_000_000])
def test_junk_counts_as_nothing_and_is_replaced(file, junk):
    file.parent.mkdir(parents=True)
    file.write_bytes(junk)
    assert recall(ROUTER, GATEWAY, file=file) is None
    assert remember(ROUTER, GATEWAY, **SAID, file=file)
    assert recall(ROUTER, GATEWAY, file=file) is not None


def test_what_cannot_be_written_is_told(tmp_path, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("no directory")
    with caplog.at_level(logging.WARNING):
        assert not remember(ROUTER, GATEWAY, **SAID, file=blocked / "networks.json")
    assert "not remembered" in caplog.text


def test_it_is_in_the_users_state_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_file() == Path(tmp_path / "netkit/networks.json")
    assert remember(ROUTER, GATEWAY, **SAID)
    assert recall(ROUTER, GATEWAY) is not None
    assert state_file().name == networks.FILE
