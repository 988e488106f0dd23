"""From a socket to a transport: strangers on the port, deadlines, host keys, clean failure."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest

from netkit.engine.transport.session import establish
from netkit.errors import GatewayUnreachableError, HostKeyError, NetkitError
from netkit.model import Hop, HostKeyPolicy
from support.login import agreed, fails, logged_in, sshd_hop
from support.prompts import Person
from support.sshd import Sshd, make_key, public_line

HOP = Hop(alias="g", host="g", user="u", connect_timeout=0.3)


@contextmanager
def stranger(*says: bytes, then: str = "stay"):
    """A peer that says something and then stays silent, closes, or talks without end."""
    ours, theirs = socket.socketpair()
    stopped = threading.Event()

    def talk() -> None:
        try:
            for piece in says:
                theirs.sendall(piece)
            while then == "flood" and not stopped.is_set():
                theirs.sendall(says[-1])
        except OSError:
            pass
        if then == "close":
            theirs.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield ours
    finally:
        stopped.set()
        ours.close()
        thread.join(10)
        theirs.close()


KEXINIT = b"\0\0\0\x0c\x0a\x14" + bytes(10)


@pytest.mark.parametrize(
    ("says", "then", "code"),
    [
        ((), "stay", "silent-port"),
        ((), "close", "closed-early"),
        ((b"220 mail ESMTP\r\n",), "stay", "not-ssh"),
        ((b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n",), "stay", "not-ssh"),
        ((b"+OK POP3\r\n",), "close", "not-ssh"),
        ((b"chatter\r\n",), "flood", "banner-flood"),
        ((b"SSH-1.5-old\r\n",), "stay", "ssh-protocol-1"),
        ((b"SSH-2.0-x\x1b[31m\r\n",), "stay", "bad-version-line"),
        ((b"SSH-2.0-x\r\n",), "stay", "key-exchange-timeout"),
        ((b"hi\r\nSSH-2.0-x\r\n",), "close", "closed-during-login"),
        ((b"SSH-2.0-x\r\n", b"\xff" * 64), "close", "protocol-error"),
        ((b"SSH-2.0-x\r\n", KEXINIT), "stay", "no-common-algorithm"),
    ],
)
def test_strangers(says, then, code):
    with stranger(*says, then=then) as sock:
        error = fails(HOP, sock)
    assert isinstance(error, GatewayUnreachableError)
    assert error.code == code
    assert error.exit_code == 4
    assert str(error) == error.summary
    assert error.summary.startswith("g:22: ")
    assert error.summary.isprintable()
    assert error.cause.isprintable()
    if code in {"not-ssh", "silent-port", "banner-flood"}:
        assert error.fixes[0].argv == ("ssh", "-v", "-p", "22", "u@g")


def test_timeout_bounds_the_whole_exchange():
    start = time.monotonic()
    with stranger(b"one\r\n", b"two\r\n") as sock:
        fails(HOP, sock)
    assert time.monotonic() - start < 3


def test_cancelling_ends_the_wait():
    cancelled = threading.Event()
    with stranger() as sock:
        threading.Timer(0.05, cancelled.set).start()
        error = fails(Hop(alias="g", host="g", connect_timeout=60), sock, cancelled=cancelled)
    assert error.code == "cancelled"


def test_bad_configuration_closes_the_socket(tmp_path):
    ours, theirs = socket.socketpair()
    with theirs:
        error = fails(Hop(alias="g", host="g", ciphers=("rot13",)), ours)
    assert error.exit_code == 2


def test_socket_that_is_already_closed():
    ours, theirs = socket.socketpair()
    theirs.close()
    ours.close()
    with pytest.raises(NetkitError):
        establish(HOP, ours)


def test_interrupt_while_a_person_is_asked_cleans_up(tmp_path):
    class Leaves(Person):
        def trust_host_key(self, question):
            raise KeyboardInterrupt

    with Sshd(tmp_path, tcp=False) as sshd:
        sock = sshd.pipe()
        with pytest.raises(KeyboardInterrupt):
            establish(sshd_hop(sshd, known_hosts=()), sock, prompter=Leaves())
        assert sock.fileno() == -1


class TestHostKey:
    @pytest.fixture
    def sshd(self, tmp_path):
        with Sshd(tmp_path, tcp=False, host_keys=["ed25519", "ecdsa"]) as server:
            yield server

    def test_unknown_is_refused_before_anything_secret_is_sent(self, sshd, tmp_path):
        hop = sshd_hop(sshd, known_hosts=(tmp_path / "empty",))
        error = fails(hop, sshd.pipe(), password="secret")
        assert isinstance(error, HostKeyError)
        assert error.code == "host-key-unknown"
        sshd.wait_log("Connection (closed|reset)")
        assert "userauth-request" not in sshd.log()

    def test_accepted_key_is_known_next_time(self, sshd, tmp_path):
        known = tmp_path / "dot-ssh" / "known_hosts"
        person = Person(trusts=True)
        with logged_in(sshd_hop(sshd, known_hosts=(known,)), sshd.pipe(), prompter=person):
            pass
        assert len(person.host_keys) == 1
        with logged_in(sshd_hop(sshd, known_hosts=(known,)), sshd.pipe()):
            pass

    def test_known_type_is_asked_for(self, sshd, tmp_path):
        known = tmp_path / "known"
        known.write_text(f"127.0.0.1 {sshd.host_key(1)}\n")
        with logged_in(sshd_hop(sshd, known_hosts=(known,)), sshd.pipe()) as transport:
            assert agreed(transport).host_key == "ecdsa-sha2-nistp256"

    def test_changed_is_refused_even_if_new_ones_are_accepted(self, sshd, tmp_path):
        known = tmp_path / "known"
        known.write_text(f"127.0.0.1 {public_line(make_key(tmp_path / 'other'))}\n")
        hop = sshd_hop(sshd, known_hosts=(known,), host_key=HostKeyPolicy.ACCEPT_NEW)
        error = fails(hop, sshd.pipe(), prompter=Person(trusts=True))
        assert error.code == "host-key-changed"
        assert f"{known}:1" in error.cause


@contextmanager
def damaged(upstream: socket.socket, at: int, mask: int | None):
    """A way to ``upstream`` whose answer is cut at byte ``at``, or altered there by ``mask``."""
    ours, theirs = socket.socketpair()

    def back() -> None:
        passed = 0
        while data := upstream.recv(65536):
            if passed <= at < passed + len(data):
                index = at - passed
                if mask is None:
                    theirs.sendall(data[:index])
                    break
                data = data[:index] + bytes([data[index] ^ mask]) + data[index + 1 :]
            passed += len(data)
            theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)

    def forth() -> None:
        while data := theirs.recv(65536):
            upstream.sendall(data)
        upstream.shutdown(socket.SHUT_WR)

    def quietly(work) -> None:
        with suppress(OSError):
            work()

    threads = [threading.Thread(target=quietly, args=(work,)) for work in (back, forth)]
    for thread in threads:
        thread.start()
    try:
        yield ours
    finally:
        ours.close()
        upstream.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(10)
        upstream.close()
        theirs.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Sshd(tmp_path_factory.mktemp("sshd"), tcp=False) as sshd:
        yield sshd


@pytest.mark.parametrize("at", [0, 5, 41, 42, 60, 200, 900, 1100, 1500])
def test_connection_cut_anywhere(server, at):
    with damaged(server.pipe(), at, None) as sock:
        error = fails(sshd_hop(server), sock)
    assert isinstance(error, GatewayUnreachableError)
    assert error.exit_code == 4


PADDING_LENGTH = 4
"""Where a packet says how much of it is padding."""


@pytest.mark.parametrize("mask", [0x01, 0x80])
@pytest.mark.parametrize("at", [-40, -20, -1, 0, 1, 3, 4, 5, 6, 20, 60, 300, 900, 1060, 1160])
def test_byte_altered_anywhere_before_the_login(server, at, mask):
    """``at`` counts from the first byte behind the version line."""
    with server.pipe() as probe:
        line = len(probe.makefile("rb").readline())
    with damaged(server.pipe(), line + at, mask) as sock:
        try:
            with logged_in(sshd_hop(server, connect_timeout=1), sock):
                # it is in no signature; all the rest is
                assert at == PADDING_LENGTH
        except NetkitError as error:
            assert error.exit_code in {4, 5}
