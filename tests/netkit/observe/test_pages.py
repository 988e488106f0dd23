from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.observe import pages
from netkit.observe.pages import Page, PageServer, answer

PAGES = {"/x": lambda: Page(b"hello\n"), "/bad": lambda: Page(b"no\n", 503)}


@contextlib.contextmanager
def serving(known=PAGES) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = PageServer([listener], known)
    server.start()
    try:
        yield port
    finally:
        server.stop()


def ask(port: int, path: str, method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read()


def test_pages_are_served():
    with serving() as port:
        assert ask(port, "/x") == (200, b"hello\n")
        assert ask(port, "/x?a=b") == (200, b"hello\n")
        assert ask(port, "/bad") == (503, b"no\n")
        assert ask(port, "/x", "HEAD") == (200, b"")
        assert ask(port, "/x", "POST")[0] == 405
        assert ask(port, "/")[0] == 404


def test_a_large_page_to_a_slow_reader():
    body = b"x" * 5_000_000
    with serving({"/x": lambda: Page(body)}) as port:
        assert ask(port, "/x") == (200, body)


@pytest.mark.logs_errors
def test_a_page_that_fails():
    with serving({"/x": lambda: Page(b"%d" % (1 // 0)), "/y": lambda: Page(b"y")}) as port:
        assert ask(port, "/x")[0] == 500
        assert ask(port, "/y") == (200, b"y")


def test_who_says_nothing_holds_up_nobody_and_is_let_go(monkeypatch):
    monkeypatch.setattr(pages, "MAX_TIME", 0.3)
    with serving() as port, contextlib.ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            for _ in range(pages.MAX_CONNECTIONS + 8)
        ]
        assert ask(port, "/x") == (200, b"hello\n")  # once some of them are gone
        silent[0].settimeout(10)
        assert silent[0].recv(10) == b""


def test_one_among_the_silent_is_served_at_once():
    with serving() as port, socket.create_connection(("127.0.0.1", port)):
        assert ask(port, "/x") == (200, b"hello\n")


def test_a_request_that_never_ends():
    with serving() as port, socket.create_connection(("127.0.0.1", port)) as sock:
        sock.settimeout(10)
        with contextlib.suppress(OSError):
            sock.sendall(b"GET /x HTTP/1.1\r\n" + b"a: b\r\n" * 2000)
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(100).startswith(b"HTTP/1.1 431 ")


def test_many_at_once():
    results = []
    with serving() as port:
        threads = [
            threading.Thread(target=lambda: results.append(ask(port, "/x"))) for _ in range(40)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [(200, b"hello\n")] * 40


def test_nothing_listens_afterwards():
    with serving() as port:
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


@given(st.binary(max_size=200))
def test_anything_is_answered(head: bytes):
    response = answer(head, PAGES)
    status = int(response[9:12])
    assert response.startswith(b"HTTP/1.1 ")
    assert status in {200, 400, 404, 405, 503}
    assert b"\r\n\r\n" in response
