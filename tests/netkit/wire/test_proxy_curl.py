"""The real curl through ProxyServer: what it accepts, and what it makes of each refusal."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from netkit.model import Endpoint
from netkit.wire.proxy import Failure, NeedMore, ProxyEvent, ProxyServer, Refused, Request
from support import peers
from support.targets import Connection, Target

CURLE_PROXY = 97
CURLE_RECV_ERROR = 56
CURLE_OK = 0


def answer_with_the_request(connection: Connection) -> None:
    """An HTTP server whose response body is the request it got."""
    got = bytearray()
    while b"\r\n\r\n" not in got:
        data = connection.read()
        if not data:
            return
        got += data
    head, _, body = got.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        body += connection.read()
    echo = head + b"\r\n\r\n" + body
    reply = f"HTTP/1.1 200 OK\r\nContent-Length: {len(echo)}\r\nConnection: close\r\n\r\n"
    connection.sock.sendall(reply.encode() + echo)


@dataclass
class Proxy:
    """A dynamic forward without the tunnel: targets are looked up instead of opened.

    Every target leads to ``origin`` unless ``failures`` names its host.
    """

    origin: Target
    failures: dict[str, Failure] = field(default_factory=dict)
    chunk: int = 65536
    events: list[ProxyEvent] = field(default_factory=list)

    def serve(self, connection: Connection) -> None:
        server = ProxyServer()
        event: ProxyEvent = NeedMore()
        while isinstance(event, NeedMore):
            data = connection.read(self.chunk)
            if not data:
                return
            event = server.receive(data)
            connection.sock.sendall(server.take_output())
        self.events.append(event)
        if isinstance(event, Refused):
            self._end(connection, event.reply)
            return
        failure = self.failures.get(event.target.host)
        if failure is not None:
            self._end(connection, server.failed(failure, "what the gateway\r\nsaid"))
            return
        with self.origin.connect() as upstream:
            connection.sock.sendall(server.succeeded(Endpoint("192.0.2.1", 4711)))
            upstream.sendall(server.leftover)
            relay(connection.sock, upstream)

    @staticmethod
    def _end(connection: Connection, reply: bytes) -> None:
        connection.sock.sendall(reply)
        connection.sock.shutdown(socket.SHUT_WR)
        connection.read_to_eof()


def relay(one: socket.socket, other: socket.socket) -> None:
    peer_of = {one: other, other: one}
    with selectors.DefaultSelector() as selector:
        for sock in peer_of:
            selector.register(sock, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                assert isinstance(key.fileobj, socket.socket)
                data = key.fileobj.recv(65536)
                if data:
                    peer_of[key.fileobj].sendall(data)
                else:
                    selector.unregister(key.fileobj)
                    with contextlib.suppress(OSError):  # the other side is gone already
                        peer_of[key.fileobj].shutdown(socket.SHUT_WR)


@dataclass
class Curl:
    program: Path
    proxy: Proxy
    port: int

    def run(self, scheme: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        address = f"{scheme}://127.0.0.1:{self.port}"
        return subprocess.run(
            [
                *(self.program, "-q", "--silent", "--show-error", "--max-time", "20"),
                *("--noproxy", "", "--proxy", address, *arguments),
            ],
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
            env={k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")},
        )


@pytest.fixture(params=[65536, 1], ids=["whole", "bytewise"])
def curl(request: pytest.FixtureRequest) -> Iterator[Curl]:
    program = peers.require("curl")
    with Target(answer_with_the_request) as origin:
        proxy = Proxy(origin, chunk=request.param)
        with Target(proxy.serve) as listener:
            yield Curl(program, proxy, listener.port)


WAYS = [
    # (scheme, URL's host, options, what the proxy is asked for)
    ("socks4", "127.0.0.1", (), Request(Endpoint("127.0.0.1", 8080), "socks4")),
    ("socks4a", "db.internal", (), Request(Endpoint("db.internal", 8080), "socks4a")),
    ("socks5", "127.0.0.1", (), Request(Endpoint("127.0.0.1", 8080), "socks5")),
    ("socks5", "[::1]", (), Request(Endpoint("::1", 8080), "socks5")),
    ("socks5h", "db.internal", (), Request(Endpoint("db.internal", 8080), "socks5")),
    (
        "socks5h",
        "db.internal",
        ("--proxy-user", "anyone:anything"),
        Request(Endpoint("db.internal", 8080), "socks5"),
    ),
    (
        "http",
        "db.internal",
        ("--proxytunnel",),
        Request(Endpoint("db.internal", 8080), "http-connect"),
    ),
    (
        "http",
        "[2001:db8::1]",
        ("--proxytunnel",),
        Request(Endpoint("2001:db8::1", 8080), "http-connect"),
    ),
    ("http", "db.internal", (), Request(Endpoint("db.internal", 8080), "http")),
    ("http", "[2001:db8::1]", (), Request(Endpoint("2001:db8::1", 8080), "http")),
]


@pytest.mark.parametrize(("scheme", "host", "options", "request_"), WAYS)
def test_curl_gets_through(
    curl: Curl, scheme: str, host: str, options: tuple[str, ...], request_: Request
) -> None:
    body = "b" * 20_000
    done = curl.run(scheme, *options, "--data", body, f"http://{host}:8080/path?query")
    assert (done.returncode, done.stderr) == (CURLE_OK, "")
    assert curl.proxy.events == [request_]
    head, _, echoed = done.stdout.partition("\n\n")
    assert echoed == body
    assert head.startswith("POST /path?query HTTP/1.1\n")
    assert f"\nHost: {host}:8080\n" in head
    assert "Proxy-" not in head


def test_plain_requests_use_a_connection_each(curl: Curl) -> None:
    done = curl.run(
        "http",
        "-U",
        "u:secret",
        "http://one.internal/1",
        "http://two.internal/2",
        "http://one.internal/3",
    )
    assert (done.returncode, done.stderr) == (CURLE_OK, "")
    hosts = [event.target.host for event in curl.proxy.events if isinstance(event, Request)]
    assert hosts == ["one.internal", "two.internal", "one.internal"]
    assert done.stdout.count("Connection: close") == 3
    assert "Authorization" not in done.stdout


SOCKS_CODES = [
    ("socks4", Failure.REFUSED, "91"),
    ("socks4a", Failure.NAME, "91"),
    ("socks5h", Failure.OTHER, "(1)"),
    ("socks5h", Failure.PROHIBITED, "(2)"),
    ("socks5h", Failure.NETWORK_UNREACHABLE, "(3)"),
    ("socks5h", Failure.UNREACHABLE, "(4)"),
    ("socks5h", Failure.NAME, "(4)"),
    ("socks5h", Failure.REFUSED, "(5)"),
    ("socks5h", Failure.TIMED_OUT, "(6)"),
    ("socks5h", Failure.UNSUPPORTED, "(7)"),
]


@pytest.mark.parametrize(("scheme", "failure", "code"), SOCKS_CODES)
def test_curl_reports_socks_codes(curl: Curl, scheme: str, failure: Failure, code: str) -> None:
    curl.proxy.failures["127.0.0.9"] = failure
    done = curl.run(scheme, "http://127.0.0.9:8080/")
    assert done.returncode == CURLE_PROXY
    assert code in done.stderr
    assert done.stdout == ""


HTTP_CODES = [
    (Failure.PROHIBITED, "403"),
    (Failure.REFUSED, "502"),
    (Failure.TIMED_OUT, "504"),
    (Failure.NAME, "502"),
    (Failure.SHORTAGE, "503"),
]


@pytest.mark.parametrize(("failure", "code"), HTTP_CODES)
def test_curl_reports_http_codes(curl: Curl, failure: Failure, code: str) -> None:
    curl.proxy.failures["db.internal"] = failure
    plain = curl.run("http", "-w", "%{http_code}", "http://db.internal:8080/")
    assert plain.returncode == CURLE_OK
    assert plain.stdout.endswith(f"\n{code}")
    assert failure.value in plain.stdout
    assert "what the gateway" in plain.stdout
    tunnel = curl.run("http", "-p", "-w", "%{http_connect}", "http://db.internal:8080/")
    assert (tunnel.returncode, tunnel.stdout) == (CURLE_RECV_ERROR, code)
    assert code in tunnel.stderr
    head = curl.run("http", "--head", "http://db.internal:8080/")
    assert head.returncode == CURLE_OK
    assert "Proxy-Status: netkit; error=" in head.stdout


def test_a_proxy_used_as_a_web_server_says_so(curl: Curl) -> None:
    done = subprocess.run(
        [curl.program, "-q", "-s", "-w", "%{http_code}", f"http://127.0.0.1:{curl.port}/"],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        env={"NO_PROXY": "*", "PATH": os.environ["PATH"]},
    )
    assert done.stdout.endswith("\n400")
    assert "this is a proxy port" in done.stdout
