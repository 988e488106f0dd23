"""Through a proxy to the gateway: netkit's own -D is one, and a scripted one asks for passwords."""

from __future__ import annotations

import builtins
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from netkit.engine.transport import proxy as module
from netkit.errors import GatewayUnreachableError, UsageError
from netkit.model import Endpoint, Hop, Proxy
from support import targets
from support.tunnels import dynamic, exchange, local, start, tunnel


@contextlib.contextmanager
def scripted(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve one client of a proxy; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                client, _ = listener.accept()
                with client:
                    answer(client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            with contextlib.suppress(OSError):  # wakes an accept that nobody came to
                socket.create_connection(listener.getsockname(), 1).close()
            thread.join()


def fails(kind: type[Exception], proxy: Proxy, **more: Any) -> Any:
    words: dict[str, Any] = {"ask": None, "cancelled": None, **more}
    hop = Hop(alias="gw", host="gw.example", port=22, connect_timeout=words.pop("timeout", 5.0))
    with pytest.raises(kind) as caught:
        module.connect(hop, proxy, **words).close()
    return caught.value


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4", "socks4a", "http"])
def test_a_tunnel_through_a_real_proxy(tmp_path: Path, scheme: str):
    with start("sshd", tmp_path) as gateway, targets.echo() as echo:
        with tunnel(gateway, forwards=[dynamic()]) as proxy:
            through = Proxy(scheme, "127.0.0.1", proxy.port())
            hop = gateway.hop(proxy=through)
            with (
                tunnel(hop, forwards=[local(Endpoint("127.0.0.1", echo.port))]) as run,
                run.connect() as sock,
            ):
                assert exchange(sock, b"through both") == b"through both"


def test_a_gateway_that_the_proxy_cannot_reach(tmp_path: Path):
    with start("sshd", tmp_path) as gateway, tunnel(gateway, forwards=[dynamic()]) as run:
        error = fails(GatewayUnreachableError, Proxy("socks5", "127.0.0.1", run.port()))
    assert error.code == "proxy-refused"
    assert "gw.example:22" in error.summary


def test_no_proxy_there():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = fails(GatewayUnreachableError, Proxy("http", "127.0.0.1", unused.getsockname()[1]))
    assert error.code == "proxy-unreachable"
    assert error.retryable


def test_garbage_in_place_of_a_proxy():
    def babble(client: socket.socket) -> None:
        client.recv(64)
        client.sendall(b"\xff" * 512)

    with scripted(babble) as port:
        error = fails(GatewayUnreachableError, Proxy("socks5", "127.0.0.1", port))
    assert error.code == "proxy-refused"


def test_the_password_is_asked_for_and_sent():
    heard: list[bytes] = []
    asked: list[str] = []

    def password(client: socket.socket) -> None:
        client.recv(64)
        client.sendall(b"\x05\x02")  # RFC 1929
        heard.append(client.recv(64))
        client.sendall(b"\x01\x01")

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "wonderland"

    with scripted(password) as port:
        error = fails(GatewayUnreachableError, Proxy("socks5", "127.0.0.1", port, "alice"), ask=ask)
    assert heard == [b"\x01\x05alice\x0awonderland"]
    assert asked == ["Password of alice at the proxy 127.0.0.1: "]
    assert "wonderland" not in f"{error.summary}{error.cause}"


def test_nobody_to_ask_for_the_password():
    assert fails(UsageError, Proxy("http", "127.0.0.1", 9, "alice")).code == "proxy-password"


@pytest.mark.parametrize("how", ["late", "cancelled"])
def test_a_silent_proxy(how: str):
    go = threading.Event()
    cancelled = threading.Event()
    if how == "cancelled":
        cancelled.set()

    def silent(_client: socket.socket) -> None:
        go.wait(20)

    with scripted(silent) as port:
        try:
            error = fails(
                GatewayUnreachableError,
                Proxy("http", "127.0.0.1", port),
                cancelled=cancelled,
                timeout=0.3,
            )
        finally:
            go.set()
    assert error.code == ("cancelled" if how == "cancelled" else "proxy-unreachable")


def test_a_proxy_whose_own_time_runs_out_first():
    class Slow:
        def connect(self, host: str, port: int, timeout: float) -> socket.socket:
            raise TimeoutError("timed out")

    hop = Hop(alias="gw", host="gw.example", port=22, connect_timeout=5.0)
    attempt = module._Attempt(Slow(), hop)
    attempt._work()
    with pytest.raises(GatewayUnreachableError) as caught:
        attempt.result(Proxy("http", "127.0.0.1", 9))
    assert caught.value.code == "proxy-unreachable"
    assert caught.value.cause == "no answer within 5 s"


def test_without_the_library(monkeypatch):
    real = builtins.__import__

    def no_socks(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("python_socks"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", no_socks)
    error = fails(UsageError, Proxy("socks5", "127.0.0.1", 9))
    assert error.code == "needs-extra"
    assert "netkit-tunnel[proxy]" in error.fixes[0].command
