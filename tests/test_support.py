"""The helpers in tests/support: a helper that lies makes every test that uses it lie."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from netkit.model import UnixPath
from support import leaks, peers, targets, waiting


def read_all(sock: socket.socket) -> bytes:
    received = bytearray()
    while data := sock.recv(65_536):
        received += data
    return bytes(received)


class TestTargets:
    def test_echo_sends_back_and_ends_after_eof(self):
        with targets.echo() as target, target.connect() as sock:
            sock.sendall(b"hello")
            sock.shutdown(socket.SHUT_WR)
            assert read_all(sock) == b"hello"
            target.wait_until_ended()
            assert target.connection().received == 5
            assert target.connection().ended == "eof"

    def test_ipv6_and_unix(self, tmp_path: Path):
        with targets.echo(host="::1") as target, target.connect() as sock:
            sock.sendall(b"six")
            assert sock.recv(3) == b"six"
        with targets.short_directory() as directory:
            path = Path(directory) / "s"
            with targets.echo(path=path) as target, target.connect() as sock:
                assert target.address == UnixPath(str(path))
                sock.sendall(b"unix")
                assert sock.recv(4) == b"unix"
            assert not path.exists()

    @pytest.mark.parametrize("size", [0, 1, 65_521, 200_000])
    def test_source_sends_the_pattern(self, size: int):
        with targets.source(size) as target, target.connect() as sock:
            data = read_all(sock)
        assert len(data) == size
        assert hashlib.sha256(data).hexdigest() == targets.pattern_digest(size)

    def test_half_close_answers_only_after_eof(self):
        with targets.half_close() as target, target.connect() as sock:
            sock.sendall(b"x" * 100_000)
            waiting.wait_until(lambda: target.connection().received == 100_000)
            sock.settimeout(0.02)
            with pytest.raises(TimeoutError):
                sock.recv(1)
            sock.settimeout(10)
            sock.shutdown(socket.SHUT_WR)
            assert read_all(sock).decode() == hashlib.sha256(b"x" * 100_000).hexdigest()

    def test_sink_counts(self):
        with targets.sink() as target:
            with target.connect() as sock:
                sock.sendall(b"123")
            target.wait_until_ended()
            assert target.connection().digest == hashlib.sha256(b"123").hexdigest()

    @pytest.mark.parametrize("after", [0, 10])
    def test_reset_is_a_reset(self, after: int):
        with targets.reset(after=after) as target:
            # The reset may be there before connect() has looked.
            with pytest.raises(ConnectionResetError), target.connect() as sock:
                sock.sendall(b"x" * after)
                sock.recv(1)
            target.wait_until_ended()
            assert target.connection().ended == "reset"

    def test_blackhole_reads_nothing_and_stops(self):
        with targets.blackhole() as target, target.connect(timeout=0.05) as sock:
            with pytest.raises(TimeoutError):
                for _ in range(1_000):
                    sock.sendall(b"x" * 65_536)
            assert target.connection().received == 0

    def test_slow_reader_reads_when_told(self):
        go = threading.Event()
        with targets.slow_reader(go) as target, target.connect() as sock:
            sock.sendall(b"abc")
            sock.shutdown(socket.SHUT_WR)
            assert target.connection().received == 0
            go.set()
            assert read_all(sock).decode() == hashlib.sha256(b"abc").hexdigest()

    def test_greeting_comes_first(self):
        with targets.greeting(b"+OK ready\r\n") as target, target.connect() as sock:
            assert sock.recv(100) == b"+OK ready\r\n"

    def test_refuse_refuses_and_keeps_the_port(self):
        with targets.refuse() as target:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((target.host, target.port), 5)
            with socket.socket() as other, pytest.raises(OSError, match="in use"):
                other.bind((target.host, target.port))

    def test_stop_ends_running_connections(self):
        target = targets.echo()
        with target.connect() as sock:
            target.wait_for_connections(1)
            target.stop()
            target.stop()
            assert sock.recv(1) == b""
            assert target.connection().ended == "stopped"


class TestLeaks:
    def test_nothing_changes_nothing(self):
        assert leaks.leaked(leaks.snapshot(), grace=0) == []

    def test_descriptor(self):
        before = leaks.snapshot()
        with socket.socket():
            left = leaks.leaked(before, grace=0)
        assert [thing.kind for thing in left] == ["descriptor"]
        assert "socket" in str(left[0])

    def test_thread_gets_grace_to_end(self):
        before = leaks.snapshot()
        go = threading.Event()
        thread = threading.Thread(target=go.wait, name="lingering")
        thread.start()
        assert [thing.kind for thing in leaks.leaked(before, grace=0)] == ["thread"]
        go.set()
        assert leaks.leaked(before) == []
        thread.join()

    def test_child_process(self):
        before = leaks.snapshot()
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        left = leaks.leaked(before, grace=0)
        assert {thing.kind for thing in left} == {"descriptor", "child process"}
        child.communicate()
        assert leaks.leaked(before) == []


class TestPeers:
    def test_found_is_absolute_and_runs(self):
        path = peers.find("ip") or peers.find("ssh")
        if path is not None:
            assert path.is_absolute()
            assert os.access(path, os.X_OK)

    def test_missing_peer_skips_with_the_remedy(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setitem(peers.PEERS, "gone", peers.Peer(("no-such-binary",), "some-package"))
        monkeypatch.delenv("CI", raising=False)
        with pytest.raises(pytest.skip.Exception, match=r"gone.*apt-get install some-package"):
            peers.require("gone")

    def test_missing_peer_fails_under_ci(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setitem(peers.PEERS, "gone", peers.Peer(("no-such-binary",), "some-package"))
        monkeypatch.setenv("CI", "true")
        with pytest.raises(pytest.fail.Exception, match="some-package"):
            peers.require("gone")

    def test_module_peer(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setitem(peers.PEERS, "me", peers.Peer(("pytest",), "pytest", is_module=True))
        assert peers.require("me").name == "__init__.py"

    def test_summary_counts_per_peer(self):
        reasons = [
            "Skipped: missing peer: sshd (a)",
            "Skipped: other",
            "Skipped: missing peer: sshd (a)",
        ]
        assert peers.summary(reasons) == ["2 skipped for want of sshd (a)"]


class TestWaiting:
    def test_returns_when_true(self):
        answers = iter([False, False, True])
        waiting.wait_until(lambda: next(answers))

    def test_fails_at_the_deadline_and_says_what(self):
        with pytest.raises(AssertionError, match="the moon"):
            waiting.wait_until(lambda: False, timeout=0.01, what="the moon")
