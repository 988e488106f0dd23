"""curl through -D: by SOCKS 4a, SOCKS 5 and HTTP, and the right error where a target fails."""

from __future__ import annotations

import http.server
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import targets, tunnels
from support.forwarding import Forwarding, netkit_forward
from support.peers import require
from support.tunnels import TestGateway

PAGE = b"<p>a page of some size</p>\n" * 20_000


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves the page; says what was posted."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def website() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def proxy(tmp_path: Path, sshd: TestGateway) -> Iterator[Forwarding]:
    with netkit_forward(sshd, "-D", "127.0.0.1:0", "-v", home=tmp_path) as running:
        yield running


def curl(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [str(require("curl")), "--silent", "--show-error", "--max-time", "20", *arguments],
        capture_output=True,
        env={"LC_ALL": "C"},
        check=False,
    )


def options(kind: str, port: int) -> list[str]:
    """Return how curl is told to use the proxy."""
    return {
        "socks4": ["--socks4", f"127.0.0.1:{port}"],
        "socks4a": ["--socks4a", f"127.0.0.1:{port}"],
        "socks5": ["--socks5", f"127.0.0.1:{port}"],
        "socks5h": ["--socks5-hostname", f"127.0.0.1:{port}"],
        "http": ["--proxy", f"http://127.0.0.1:{port}"],
        "connect": ["--proxytunnel", "--proxy", f"http://127.0.0.1:{port}"],
    }[kind]


KINDS = ["socks4", "socks4a", "socks5", "socks5h", "http", "connect"]


@pytest.mark.parametrize("kind", KINDS)
def test_page_arrives(proxy: Forwarding, website: str, kind: str):
    done = curl(*options(kind, proxy.port), website)
    assert done.returncode == 0, done.stderr
    assert done.stdout == PAGE


@pytest.mark.parametrize("kind", KINDS)
def test_upload_arrives(proxy: Forwarding, website: str, kind: str, tmp_path: Path):
    body = tmp_path / "body"
    body.write_bytes(PAGE * 4)
    done = curl(*options(kind, proxy.port), "--data-binary", f"@{body}", website)
    assert done.returncode == 0, done.stderr
    assert done.stdout == body.read_bytes()


@pytest.mark.parametrize(
    ("kind", "code", "said"),
    [
        ("socks4a", 97, b"91"),  # request rejected or failed; SOCKS 4 knows one failure
        ("socks5h", 97, b"(5)"),  # connection refused
        ("connect", 56, b"502"),
    ],
)
def test_refused_target(proxy: Forwarding, kind: str, code: int, said: bytes):
    with targets.refuse() as closed:
        done = curl(*options(kind, proxy.port), f"http://127.0.0.1:{closed.port}/")
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


@pytest.mark.parametrize(
    ("kind", "code", "said"),
    [("socks4a", 97, b"91"), ("socks5h", 97, b"(4)"), ("connect", 56, b"502")],
)
def test_unknown_host(proxy: Forwarding, kind: str, code: int, said: bytes):
    done = curl(*options(kind, proxy.port), "http://no-such-host.invalid/")
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


@pytest.mark.parametrize(
    ("target", "word"),
    [("refused", "nothing accepts connections"), ("unknown", "cannot resolve")],
)
def test_plain_http_gets_a_page_that_says_why(proxy: Forwarding, target: str, word: str):
    with targets.refuse() as closed:
        host = {"refused": f"127.0.0.1:{closed.port}", "unknown": "no-such-host.invalid"}[target]
        done = curl(*options("http", proxy.port), "--include", f"http://{host}/")
    assert done.returncode == 0
    assert done.stdout.startswith(b"HTTP/1.1 502")
    assert word in done.stdout.decode()


def test_prohibited_target(tmp_path: Path):
    with tunnels.start("sshd", tmp_path, PermitOpen="127.0.0.1:1") as gateway:
        with netkit_forward(gateway, "-D", "127.0.0.1:0", home=tmp_path) as proxy:
            done = curl(*options("socks5h", proxy.port), "http://127.0.0.1:2/")
            assert (done.returncode, b"(2)" in done.stderr) == (97, True), done.stderr
            done = curl(*options("connect", proxy.port), "http://127.0.0.1:2/")
            assert (done.returncode, b"403" in done.stderr) == (56, True), done.stderr


def test_failures_are_told_on_stderr(proxy: Forwarding):
    with targets.refuse() as closed:
        curl(*options("socks5h", proxy.port), f"http://127.0.0.1:{closed.port}/")
        assert proxy.stop() == 0
        assert str(closed.port) in proxy.stderr
        assert "refused" in proxy.stderr
