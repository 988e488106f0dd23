"""The value that stands for a running throw-away gateway."""

from __future__ import annotations

import base64
import threading
from pathlib import Path
from typing import Any

import pytest

from netkit.bench.trial.gateway import ALIAS, Trial, check_cancelled, make_keys
from netkit.errors import GatewayUnreachableError
from netkit.keys.make import write_key
from netkit.model import Endpoint, HostKeyPolicy
from netkit.text.known_hosts import parse_known_hosts


class FakeServer:
    def __init__(self) -> None:
        self.stopped: list[int] = []

    def cpu_seconds(self) -> float:
        return 1.5

    def stop(self, port: int) -> None:
        self.stopped.append(port)


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def trial(tmp_path: Path, server: Any) -> Trial:
    directory = tmp_path / "trial"
    directory.mkdir()
    keys = make_keys(directory)
    return Trial(
        kind="sshd",
        address=Endpoint("127.0.0.1", 2200),
        user="me",
        keys=keys,
        server=server,
    )


def test_host_key_is_known_whatever_port_leads_there(trial: Trial, tmp_path: Path):
    host_key = write_key(tmp_path / "host", "comment")
    trial.keys.know(host_key)
    blob = base64.b64decode(host_key.split()[1])
    known = parse_known_hosts(trial.keys.known_hosts.read_text())
    for hop in (trial.hop(), trial.hop(Endpoint("127.0.0.1", 9999))):
        assert [entry.key for entry in known.match_hop(hop).entries] == [blob]


def test_hop_uses_nothing_but_the_trials_files(trial: Trial):
    hop = trial.hop(ciphers=("aes128-ctr",), compression=True)
    assert (hop.host, hop.port, hop.user) == ("127.0.0.1", 2200, "me")
    assert hop.known_hosts == (trial.keys.known_hosts,)
    assert hop.global_known_hosts == ()
    assert hop.identities == (trial.keys.identity,)
    assert hop.identities_only
    assert hop.identity_agent == ""
    assert hop.host_key is HostKeyPolicy.STRICT
    assert hop.auth_methods == ("publickey",)
    assert (hop.ciphers, hop.compression) == (("aes128-ctr",), True)
    assert hop.name == ALIAS
    assert trial.hop().ciphers == ()
    assert trial.hop(Endpoint("127.0.0.1", 9999)).port == 9999


def test_public_key_is_the_only_one_that_may_log_in(trial: Trial):
    assert trial.keys.authorized.read_text() == f"{trial.keys.public}\n"


def test_stop_ends_the_server_and_removes_the_files(trial: Trial, server: FakeServer):
    assert trial.cpu_seconds() == 1.5
    trial.stop()
    trial.stop()
    assert server.stopped == [2200, 2200]
    assert not trial.keys.directory.exists()


def test_cancelling_is_an_error_of_its_own_code():
    cancelled = threading.Event()
    check_cancelled(cancelled)
    cancelled.set()
    with pytest.raises(GatewayUnreachableError) as caught:
        check_cancelled(cancelled)
    assert caught.value.code == "cancelled"
