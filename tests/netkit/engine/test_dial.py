"""Reaching targets from a loop without blocking it."""

from __future__ import annotations

import errno
import socket
import threading
from pathlib import Path

import pytest

from netkit.engine import dial as engine
from netkit.engine.dial import Dialer
from netkit.model import Endpoint, UnixPath
from support import targets
from support.links import play, running_loop
from support.waiting import wait_until


class Result:
    """What a dial ended with, and in which thread."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self._sock: socket.socket | None = None
        self._error: OSError | None = None
        self.calls = 0
        self.thread: threading.Thread | None = None

    def __call__(self, sock: socket.socket | None, error: OSError | None) -> None:
        self._sock, self._error = sock, error
        self.calls += 1
        self.thread = threading.current_thread()
        self.done.set()

    @property
    def sock(self) -> socket.socket:
        assert self._sock is not None, self._error
        return self._sock

    @property
    def error(self) -> OSError:
        assert self._sock is None
        assert self._error is not None
        return self._error


@pytest.fixture(params=["epoll", "selectors"])
def dialer(request, monkeypatch):
    play(request.param, monkeypatch)
    with running_loop() as loop:
        yield Dialer(loop)


def begin(dialer: Dialer, target, result: Result) -> None:
    dialer.connect(target, result)


def dial(dialer: Dialer, target, *, timeout: float = 10.0) -> Result:
    result = Result()
    dialer.loop.post(lambda: begin(dialer, target, result))
    assert result.done.wait(timeout)
    assert result.thread is dialer.loop.thread
    return result


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("asked", ["literal", "localhost", "LocalHost", ""])
def test_reaches_loopback(dialer, host: str, asked: str):
    with targets.greeting(b"hi", host=host) as target:
        name = host if asked == "literal" else asked
        result = dial(dialer, Endpoint(name, target.port))
        with result.sock as sock:
            assert not sock.getblocking()
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            sock.settimeout(10)
            assert sock.recv(2) == b"hi"


def test_reaches_a_unix_socket(dialer):
    with targets.short_directory() as directory:
        with targets.greeting(b"hi", path=Path(directory) / "s") as target:
            with dial(dialer, target.address).sock as sock:
                sock.settimeout(10)
                assert sock.recv(2) == b"hi"


def test_refused(dialer):
    with targets.refuse() as closed:
        result = dial(dialer, closed.address)
    assert result.error.errno == errno.ECONNREFUSED


def test_unix_socket_that_is_not_there(dialer, tmp_path):
    assert dial(dialer, UnixPath(str(tmp_path / "no"))).error.errno == errno.ENOENT


def test_unix_path_too_long(dialer):
    assert dial(dialer, UnixPath("/" + "x" * 300)).error.errno == errno.EINVAL


def test_port_that_does_not_exist(dialer):
    assert dial(dialer, Endpoint("127.0.0.1", 70_000)).error.errno == errno.EINVAL


def test_no_unix_sockets_here(dialer, monkeypatch):
    monkeypatch.delattr("netkit.engine.dial.socket.AF_UNIX")
    assert dial(dialer, UnixPath("/tmp/s")).error.errno == errno.EAFNOSUPPORT


def test_full_backlog_of_a_unix_socket(dialer, tmp_path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as first:
        server.bind(path)
        server.listen(0)
        first.connect(path)
        assert dial(dialer, UnixPath(path)).error.errno == errno.EAGAIN


def test_no_room_in_the_loop(dialer):
    dialer.loop.limit = 1
    assert dial(dialer, Endpoint("127.0.0.1", 9)).error.errno == errno.EMFILE


def test_option_that_the_system_refuses(dialer, monkeypatch):
    """macOS does once the target has left."""
    with targets.echo() as target:
        monkeypatch.setattr(engine.socket, "TCP_NODELAY", 9999)
        dial(dialer, Endpoint("127.0.0.1", target.port)).sock.close()


class TestNames:
    def test_no_more_threads(self, dialer, monkeypatch):
        def refuse(_thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(engine, "MAX_LOOKUPS", 1)
        monkeypatch.setattr(threading.Thread, "start", refuse)
        results = [dial(dialer, Endpoint(f"n{number}.test", 1)) for number in range(3)]
        assert {result.error.errno for result in results} == {errno.EAGAIN}

    def resolves(self, monkeypatch, answer) -> list[str]:
        asked: list[str] = []

        def getaddrinfo(host, port, **_more):
            asked.append(host)
            found = answer(host) if callable(answer) else answer
            if isinstance(found, Exception):
                raise found
            return [
                (socket.AF_INET6 if ":" in ip else socket.AF_INET, 1, 6, "", (ip, port))
                for ip in found
            ]

        monkeypatch.setattr("netkit.engine.dial.socket.getaddrinfo", getaddrinfo)
        return asked

    def test_are_looked_up_in_another_thread(self, dialer, monkeypatch):
        asked = self.resolves(monkeypatch, ["127.0.0.1"])
        with targets.echo() as target:
            dial(dialer, Endpoint("db.test", target.port)).sock.close()
        assert asked == ["db.test"]

    def test_literals_are_not(self, dialer, monkeypatch):
        asked = self.resolves(monkeypatch, OSError("never"))
        with targets.refuse() as closed:
            dial(dialer, closed.address)
        assert asked == []

    def test_every_address_is_tried(self, dialer, monkeypatch):
        self.resolves(monkeypatch, ["127.0.0.9", "::1", "127.0.0.1"])
        with targets.echo() as target:
            dial(dialer, Endpoint("db.test", target.port)).sock.close()
            target.wait_for_connections(1)

    def test_last_error_is_told(self, dialer, monkeypatch):
        self.resolves(monkeypatch, ["127.0.0.9", "127.0.0.1"])
        with targets.refuse() as closed:
            error = dial(dialer, Endpoint("db.test", closed.port)).error
        assert error.errno == errno.ECONNREFUSED

    @pytest.mark.parametrize(
        "failure",
        [socket.gaierror(socket.EAI_NONAME, "Name or service not known"), UnicodeError("label")],
    )
    def test_unknown(self, dialer, monkeypatch, failure):
        self.resolves(monkeypatch, failure)
        assert isinstance(dial(dialer, Endpoint("nowhere.test", 1)).error, OSError)

    def test_no_address_at_all(self, dialer, monkeypatch):
        self.resolves(monkeypatch, [])
        assert dial(dialer, Endpoint("nowhere.test", 1)).error.errno == errno.EHOSTUNREACH

    def test_at_most_so_many_at_once(self, dialer, monkeypatch):
        monkeypatch.setattr(engine, "MAX_LOOKUPS", 2)
        go, running, most = threading.Event(), [], []

        def slow(host):
            running.append(host)
            most.append(len(running))
            go.wait(10)
            running.remove(host)
            return ["127.0.0.1"]

        self.resolves(monkeypatch, slow)
        with targets.refuse() as closed:
            results = [Result() for _ in range(6)]

            def begin() -> None:
                for number, result in enumerate(results):
                    dialer.connect(Endpoint(f"n{number}.test", closed.port), result)

            dialer.loop.post(begin)
            go.set()
            for result in results:
                assert result.done.wait(10)
        assert max(most) <= 2


class TestPatience:
    @pytest.fixture
    def full_port(self):
        """A port that answers nothing: its accept queue is full."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        socks = [listener]
        while True:
            sock = socket.socket()
            socks.append(sock)
            sock.settimeout(0.3)
            try:
                sock.connect(listener.getsockname())
            except TimeoutError:
                break
        yield listener.getsockname()[1]
        for sock in socks:
            sock.close()

    def test_address_that_does_not_answer(self, dialer, full_port, monkeypatch):
        monkeypatch.setattr(engine, "ATTEMPT_LIMIT", 0.1)
        assert dial(dialer, Endpoint("127.0.0.1", full_port)).error.errno == errno.ETIMEDOUT

    def test_cancelled(self, dialer, full_port):
        result, cancelled = Result(), threading.Event()

        def begin() -> None:
            dial = dialer.connect(Endpoint("127.0.0.1", full_port), result)
            dial.cancel()
            dial.cancel()
            cancelled.set()

        dialer.loop.post(begin)
        assert cancelled.wait(10)
        assert result.calls == 0

    def test_cancelled_while_the_name_is_looked_up(self, dialer, monkeypatch):
        asked, go = threading.Event(), threading.Event()

        def slow(*_args, **_more):
            asked.set()
            go.wait(10)
            return []

        monkeypatch.setattr("netkit.engine.dial.socket.getaddrinfo", slow)
        result, over = Result(), threading.Event()
        dials = []
        dialer.loop.post(lambda: dials.append(dialer.connect(Endpoint("db.test", 1), result)))
        assert asked.wait(10)
        wait_until(lambda: dials, what="the dial")
        dialer.loop.post(dials[0].cancel)
        go.set()
        other = Result()
        with targets.refuse() as closed:
            dialer.loop.post(lambda: begin(dialer, closed.address, other))
            assert other.done.wait(10)
        dialer.loop.post(over.set)
        assert over.wait(10)
        assert result.calls == 0

    def test_no_descriptor_left(self, dialer, monkeypatch):
        def exhausted(*_args, **_more):
            raise OSError(errno.EMFILE, "Too many open files")

        real = socket.socket
        result = Result()

        def begin() -> None:
            monkeypatch.setattr("netkit.engine.dial.socket.socket", exhausted)
            try:
                dialer.connect(Endpoint("127.0.0.1", 1), result)
            finally:
                monkeypatch.setattr("netkit.engine.dial.socket.socket", real)

        dialer.loop.post(begin)
        assert result.done.wait(10)
        assert result.error.errno == errno.EMFILE
