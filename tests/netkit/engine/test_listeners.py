"""Listening sockets that outlive links."""

from __future__ import annotations

import errno
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netkit.engine import listeners as engine
from netkit.engine.listeners import Listener, bind
from netkit.errors import BindError
from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec, UnixPath
from support import targets
from support.links import play, running_loop
from support.waiting import wait_until


def spec(address: Address) -> ForwardSpec:
    return ForwardSpec(ForwardKind.LOCAL, address, Endpoint("x", 1))


@pytest.fixture
def opened():
    made: list[Listener] = []

    def open_(address: Address) -> Listener:
        made.append(bind(spec(address)))
        return made[-1]

    yield open_
    for listener in made:
        listener.close()


class TestBind:
    @pytest.mark.parametrize("host", ["", "localhost", "LOCALHOST"])
    def test_both_loopbacks_share_a_port(self, opened, host):
        listener = opened(Endpoint(host, 0))
        assert hosts(listener) == ["127.0.0.1", "::1"]
        assert len({address.port for address in listener.addresses}) == 1

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1"])
    def test_one_address(self, opened, host):
        listener = opened(Endpoint(host, 0))
        assert hosts(listener) == [host]

    def test_wildcard_is_both_families(self, opened):
        listener = opened(Endpoint("*", 0))
        assert hosts(listener) == ["0.0.0.0", "::"]

    def test_half_a_bind_is_none(self):
        with targets.echo(host="::1") as taken:
            with pytest.raises(BindError) as caught:
                bind(spec(Endpoint("", taken.port)))
            assert "IPv6 failed" in caught.value.summary
            with socket.create_server(("127.0.0.1", taken.port)):
                pass  # the half that worked was given back

    def test_port_that_is_free_on_one_family_only_is_not_taken(self, monkeypatch):
        real, tries = engine._bind_tcp, []

        def bind_tcp(family, host, port):
            tries.append((host, port))
            if host == "::1" and len(tries) < 6:
                raise OSError(errno.EADDRINUSE, "taken")
            return real(family, host, port)

        monkeypatch.setattr(engine, "_bind_tcp", bind_tcp)
        listener = bind(spec(Endpoint("", 0)))
        listener.close()
        assert len(tries) == 6

    def test_no_port_is_free_on_both(self, monkeypatch):
        real = engine._bind_tcp

        def bind_tcp(family, host, port):
            if host == "::1":
                raise OSError(errno.EADDRINUSE, "taken")
            return real(family, host, port)

        monkeypatch.setattr(engine, "_bind_tcp", bind_tcp)
        with pytest.raises(BindError):
            bind(spec(Endpoint("", 0)))

    def test_machine_without_ipv6(self, monkeypatch):
        monkeypatch.setattr("netkit.engine.listeners.socket.has_ipv6", False)
        listener = bind(spec(Endpoint("", 0)))
        listener.close()
        assert hosts(listener) == ["127.0.0.1"]

    def test_kernel_without_ipv6(self, monkeypatch):
        real = socket.socket

        class NoIpv6(socket.socket):
            def __init__(self, family=-1, *args, **more) -> None:
                if family == socket.AF_INET6:
                    raise OSError(errno.EAFNOSUPPORT, "Address family not supported")
                super().__init__(family, *args, **more)

        monkeypatch.setattr("netkit.engine.listeners.socket.socket", NoIpv6)
        listener = bind(spec(Endpoint("", 0)))
        listener.close()
        monkeypatch.setattr("netkit.engine.listeners.socket.socket", real)
        assert len(listener.addresses) == 1

    def test_name_of_nothing(self):
        with pytest.raises(BindError) as caught:
            bind(spec(Endpoint("no-such-host.invalid", 0)))
        assert caught.value.code == "bind-address-unknown"

    def test_taken(self):
        with targets.echo() as taken, pytest.raises(BindError) as caught:
            bind(spec(taken.address))
        assert caught.value.code == "bind-address-in-use"

    def test_port_of_connections_that_just_ended_is_free(self, opened):
        """SO_REUSEADDR: a tunnel that is started again finds its port."""
        with targets.echo() as target:
            address = target.address
            with target.connect() as sock:
                sock.sendall(b"x")
                sock.recv(1)
        opened(address)

    def test_windows_takes_the_port_for_itself(self, monkeypatch):
        """There SO_REUSEADDR would let two processes hold one port (pitfall 22)."""
        set_options: list[tuple[int, int]] = []

        class Recording(socket.socket):
            def setsockopt(self, *arguments: Any) -> None:
                set_options.append(arguments[:2])
                if 424242 not in arguments:
                    super().setsockopt(*arguments)

        monkeypatch.setattr("netkit.engine.listeners.sys.platform", "win32")
        monkeypatch.setattr(
            "netkit.engine.listeners.socket.SO_EXCLUSIVEADDRUSE", 424242, raising=False
        )
        monkeypatch.setattr("netkit.engine.listeners.socket.socket", Recording)
        bind(spec(Endpoint("127.0.0.1", 0))).close()
        assert (socket.SOL_SOCKET, 424242) in set_options
        assert (socket.SOL_SOCKET, socket.SO_REUSEADDR) not in set_options


class TestUnixSockets:
    @pytest.fixture
    def directory(self):
        with targets.short_directory() as made:
            yield Path(made)

    def test_belongs_to_its_owner(self, opened, directory):
        before = os.umask(0)
        os.umask(before)
        opened(UnixPath(str(directory / "s")))
        assert (directory / "s").stat().st_mode & 0o777 == 0o600
        after = os.umask(before)
        assert after == before

    def test_is_removed_at_the_end(self, directory):
        listener = bind(spec(UnixPath(str(directory / "s"))))
        listener.close()
        listener.close()
        assert not (directory / "s").exists()

    def test_somebody_elses_is_left(self, opened, directory):
        listener = bind(spec(UnixPath(str(directory / "s"))))
        (directory / "s").unlink()
        opened(UnixPath(str(directory / "s")))
        listener.close()
        assert (directory / "s").exists()

    def test_stale_one_gives_way(self, opened, directory):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(directory / "s"))
        opened(UnixPath(str(directory / "s")))

    def test_live_one_does_not(self, directory):
        with targets.echo(path=directory / "s") as target:
            with pytest.raises(BindError):
                bind(spec(target.address))
            with target.connect() as sock:
                sock.sendall(b"x")
                assert sock.recv(1) == b"x"

    def test_what_is_no_socket_does_not(self, directory):
        (directory / "s").write_text("precious")
        with pytest.raises(BindError):
            bind(spec(UnixPath(str(directory / "s"))))
        assert (directory / "s").read_text() == "precious"

    def test_socket_of_somebody_else_does_not(self, directory, monkeypatch):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(directory / "s"))
        monkeypatch.setattr("netkit.engine.listeners.os.geteuid", lambda: 12345)
        with pytest.raises(BindError):
            bind(spec(UnixPath(str(directory / "s"))))
        assert (directory / "s").exists()

    @pytest.mark.parametrize("extra", [1, 50])
    def test_path_too_long(self, extra):
        path = "/" + "x" * (engine.UNIX_PATH_LIMIT - 1 + extra)
        with pytest.raises(BindError) as caught:
            bind(spec(UnixPath(path)))
        assert caught.value.code == "unix-path-too-long"

    def test_system_without_them(self, monkeypatch):
        monkeypatch.delattr("netkit.engine.listeners.socket.AF_UNIX")
        with pytest.raises(BindError) as caught:
            bind(spec(UnixPath("/tmp/s")))
        assert caught.value.code == "no-unix-sockets"


class Acceptor:
    """Takes what a listener accepts."""

    def __init__(self) -> None:
        self.socks: list[socket.socket] = []
        self.texts: list[str] = []

    def accepted(self, sock: socket.socket, _peer: object) -> None:
        self.socks.append(sock)

    def close(self) -> None:
        for sock in self.socks:
            sock.close()


@pytest.fixture(params=["epoll", "selectors"])
def loop(request, monkeypatch):
    play(request.param, monkeypatch)
    with running_loop() as made:
        yield made


def on(loop, call: Callable[[], object]) -> None:
    done = threading.Event()

    def work() -> None:
        call()
        done.set()

    loop.post(work)
    assert done.wait(10)


def hosts(listener: Listener) -> list[str]:
    return [address.host for address in listener.addresses if isinstance(address, Endpoint)]


class TestAccept:
    @pytest.fixture
    def attached(self, loop):
        listener, acceptor = bind(spec(Endpoint("127.0.0.1", 0))), Acceptor()
        listener.listen()
        on(loop, lambda: listener.attach(loop, acceptor.accepted, acceptor.texts.append))
        yield listener, acceptor
        on(loop, listener.detach)
        listener.close()
        acceptor.close()

    def connect(self, listener: Listener, count: int = 1) -> list[socket.socket]:
        address = listener.addresses[0]
        assert isinstance(address, Endpoint)
        return [socket.create_connection((address.host, address.port), 10) for _ in range(count)]

    @pytest.mark.parametrize("count", [1, 3, 200])
    def test_everybody(self, attached, count, monkeypatch):
        monkeypatch.setattr(engine, "ACCEPT_TURN", 7)
        listener, acceptor = attached
        socks = self.connect(listener, count)
        wait_until(lambda: len(acceptor.socks) == count, what="connections")
        for sock in acceptor.socks:
            assert not sock.getblocking()
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        for sock in socks:
            sock.close()

    def test_detached_keeps_its_port_and_goes_on_later(self, attached, loop):
        """Who comes meanwhile waits in the kernel: a later link takes them over."""
        listener, acceptor = attached
        on(loop, listener.detach)
        (sock,) = self.connect(listener)
        on(loop, lambda: None)
        assert acceptor.socks == []
        on(loop, lambda: listener.attach(loop, acceptor.accepted))
        wait_until(lambda: acceptor.socks, what="the connection that waited")
        sock.close()

    def test_descriptors_that_run_out_pause_it(self, loop, monkeypatch):
        monkeypatch.setattr(engine, "EMFILE_PAUSE", 0.05)
        left = [3]

        class Exhausted(socket.socket):
            def accept(self):
                if left[0]:
                    left[0] -= 1
                    raise OSError(errno.EMFILE, "Too many open files")
                return super().accept()

        raw = Exhausted()
        raw.bind(("127.0.0.1", 0))
        raw.setblocking(False)
        listener, acceptor = Listener(spec(Endpoint("127.0.0.1", 0)), [raw]), Acceptor()
        listener.listen()
        on(loop, lambda: listener.attach(loop, acceptor.accepted, acceptor.texts.append))
        (sock,) = self.connect(listener)
        wait_until(lambda: acceptor.socks, what="the connection after the pause")
        assert left == [0]
        assert len(acceptor.texts) == 1, "said once, not at every pause"
        assert "Too many open files" in acceptor.texts[0]
        on(loop, listener.detach)
        listener.close()
        acceptor.close()
        sock.close()

    def test_detached_while_it_pauses_it_goes_on_later(self, attached, loop):
        listener, acceptor = attached
        on(loop, lambda: listener._exhausted(OSError(errno.EMFILE, "Too many open files")))
        on(loop, listener.detach)
        on(loop, lambda: listener.attach(loop, acceptor.accepted))
        (sock,) = self.connect(listener)
        wait_until(lambda: acceptor.socks, what="the connection")
        sock.close()

    def test_loop_without_room_pauses_it(self, attached, loop, monkeypatch):
        """select() takes 512 sockets on Windows: who comes then waits in the kernel."""
        monkeypatch.setattr(engine, "EMFILE_PAUSE", 0.05)
        listener, acceptor = attached
        loop.limit = 1
        (sock,) = self.connect(listener)
        wait_until(lambda: acceptor.texts, what="the notice")
        assert acceptor.socks == []
        loop.limit = None
        wait_until(lambda: acceptor.socks, what="the connection")
        sock.close()

    def test_option_that_the_system_refuses(self, attached, monkeypatch):
        """macOS does once the client has left."""
        listener, acceptor = attached
        monkeypatch.setattr(engine.socket, "TCP_NODELAY", 9999)
        for sock in self.connect(listener):
            wait_until(lambda: acceptor.socks, what="the connection")
            sock.close()

    def test_connection_that_died_in_the_queue_is_skipped(self, loop):
        bad = [1]

        class Aborting(socket.socket):
            def accept(self):
                if bad:
                    bad.pop()
                    raise ConnectionAbortedError(errno.ECONNABORTED, "aborted")
                return super().accept()

        raw = Aborting()
        raw.bind(("127.0.0.1", 0))
        raw.setblocking(False)
        listener, acceptor = Listener(spec(Endpoint("127.0.0.1", 0)), [raw]), Acceptor()
        listener.listen()
        on(loop, lambda: listener.attach(loop, acceptor.accepted))
        (sock,) = self.connect(listener)
        wait_until(lambda: acceptor.socks, what="the connection behind it")
        on(loop, listener.detach)
        listener.close()
        acceptor.close()
        sock.close()

    def test_unix_socket(self, loop):
        with targets.short_directory() as directory:
            listener = bind(spec(UnixPath(f"{directory}/s")))
            listener.listen()
            acceptor = Acceptor()
            on(loop, lambda: listener.attach(loop, acceptor.accepted))
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(f"{directory}/s")
                wait_until(lambda: acceptor.socks, what="the connection")
            on(loop, listener.detach)
            listener.close()
            acceptor.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux binds twice until listen")
def test_somebody_else_listens_first(opened):
    one = opened(Endpoint("127.0.0.1", 0))
    two = opened(one.addresses[0])
    one.listen()
    with pytest.raises(BindError):
        two.listen()
