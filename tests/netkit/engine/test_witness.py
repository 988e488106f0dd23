"""What a login shows on the way, where it succeeds and at each place where it can fail."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from netkit.engine.hop_link import Company, connect
from netkit.engine.witness import MAX_MESSAGES, Witness
from netkit.errors import NetkitError
from support import targets, tunnels
from support.sshd import make_key
from support.waiting import wait_until


@pytest.fixture
def company():
    return Company(
        prompter=None,
        password=None,
        emit=lambda _event: None,
        notice=lambda _code, _text: None,
        cancelled=threading.Event(),
    )


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with tunnels.start("sshd", tmp_path_factory.mktemp("sshd"), LogLevel="INFO") as gateway:
        yield gateway


def attempt(hop, company) -> tuple[Witness, str]:
    """Try to log in; return what was seen and the error's code."""
    witness = Witness(hop.alias)
    try:
        connect(hop, None, company, observe=True, witness=witness).close(5)
    except NetkitError as error:
        return witness, error.code
    return witness, ""


def test_all_the_way(gateway, company):
    witness = Witness("sshd")
    entry = connect(gateway.hop(), None, company, observe=True, witness=witness)
    try:
        assert witness.stage == "done"
        assert witness.server.startswith("SSH-2.0-OpenSSH")
        assert witness.peer == ("127.0.0.1", gateway.port)
        assert witness.local is not None
        assert witness.seconds_tcp > 0
        assert witness.ours is not None
        assert witness.theirs is not None
        assert witness.agreed == entry.transport.agreed
        assert witness.strict_kex is True
        assert "kex-strict-s-v00@openssh.com" in witness.theirs.kex
        assert witness.host_key == entry.transport.host_key_blob
        assert witness.methods == ("publickey",)
        assert (witness.tried, witness.faults) == ((), ())
        wait_until(lambda: any("key options" in text for text in witness.messages))
    finally:
        entry.close(5)


def test_nobody_listens(gateway, company):
    with targets.refuse() as closed:
        witness, code = attempt(gateway.hop(port=closed.port), company)
    assert (witness.stage, code) == ("tcp", "connection-refused")
    assert (witness.local, witness.peer, witness.ours) == (None, None, None)
    assert witness.seconds_tcp > 0


def test_no_ssh(gateway, company):
    with targets.greeting(b"220 mail.example ESMTP\r\n") as target:
        witness, _code = attempt(gateway.hop(port=target.port, connect_timeout=2), company)
    assert witness.stage == "banner"
    assert (witness.server, witness.theirs, witness.strict_kex) == ("", None, None)
    assert witness.peer == ("127.0.0.1", target.port)


def test_nothing_in_common(tmp_path, company):
    with tunnels.start(
        "sshd", tmp_path, Ciphers="chacha20-poly1305@openssh.com", LogLevel="INFO"
    ) as gateway:
        witness, code = attempt(gateway.hop(), company)
    assert (witness.stage, code) == ("kex", "no-common-algorithm")
    assert witness.theirs is not None
    assert witness.theirs.ciphers == ("chacha20-poly1305@openssh.com",)
    assert witness.strict_kex is True
    assert (witness.agreed, witness.host_key) == (None, b"")


def test_cut_during_the_key_exchange(gateway, company):
    with targets.greeting(b"SSH-2.0-short\r\n") as target:
        witness, _code = attempt(gateway.hop(port=target.port, connect_timeout=2), company)
    assert (witness.stage, witness.server, witness.theirs) == ("kex", "SSH-2.0-short", None)


def test_unknown_host_key(gateway, company):
    witness, code = attempt(gateway.hop(known_hosts=()), company)
    assert (witness.stage, code) == ("host-key", "host-key-unknown")
    assert witness.host_key
    assert witness.agreed is not None
    assert witness.methods == ()


def test_refused_key(gateway, company, tmp_path):
    other = make_key(tmp_path / "other")
    damaged = tmp_path / "damaged"
    damaged.write_text("no key")
    damaged.chmod(0o600)
    witness, code = attempt(gateway.hop(identities=(other, damaged)), company)
    assert witness.stage == "auth"
    assert code
    assert [(t.method, t.why) for t in witness.tried] == [("publickey", "refused by the gateway")]
    assert str(other) in witness.tried[0].what
    assert [fault.code for fault in witness.faults] == ["key-not-recognised"]
    assert witness.methods == ("publickey",)


def test_bounds_what_it_is_told():
    witness = Witness("x")
    for _ in range(2 * MAX_MESSAGES):
        witness.heard("a\x1b" + "b" * 1000)
    assert len(witness.messages) == MAX_MESSAGES
    assert witness.messages[0].startswith("a?b")
    assert len(witness.messages[0]) == 500


def test_sockets_without_addresses():
    witness = Witness("x")
    one, two = socket.socketpair()
    with one, contextlib.closing(two):
        witness.connected(one, direct=True)
        assert (witness.stage, witness.local, witness.peer) == ("banner", None, None)
    witness.connected(one, direct=True)
    assert witness.local is None
