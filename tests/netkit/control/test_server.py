from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from netkit.control import client, places, server
from netkit.control.answers import Answers, EventLog
from netkit.control.protocol import MAX_REQUEST, ControlError, Request, format_request
from netkit.errors import NetkitError
from netkit.events import Notice
from netkit.model import ForwardKind
from netkit.text.forwards import parse_forward
from support.controlled import controlled
from support.supervised import FLOW, FakeSupervised, view
from support.waiting import wait_until

MORE = parse_forward(ForwardKind.DYNAMIC, "127.0.0.1:1080")


def connect(point) -> socket.socket:
    if point.port:
        return socket.create_connection(("127.0.0.1", point.port), 10)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(10)
    sock.connect(point.path)
    return sock


def said(sock: socket.socket) -> Any:
    with sock.makefile("rb") as lines:
        return json.loads(lines.readline())


@pytest.fixture(params=["unix", "tcp"])
def there(request, tmp_path):
    with controlled(tmp_path, tcp=request.param == "tcp") as found:
        yield found


def test_a_whole_conversation(there):
    found = client.status(there.holder)
    assert (found.name, found.gateway, found.pid) == ("office", "gw", os.getpid())
    assert found.view.state is view().state
    assert client.flows(there.holder)[0].number == FLOW.number
    client.ask(there.holder, Request("kick"))
    assert there.tunnel.kicks == 1
    added = client.ask(there.holder, Request("add", (MORE,)))["added"]
    assert added[0]["addresses"] == [{"host": "127.0.0.1", "port": 1080}]
    assert len(client.status(there.holder).view.forwards) == 2
    client.ask(there.holder, Request("remove", (MORE,)))
    assert len(client.status(there.holder).view.forwards) == 1
    client.ask(there.holder, Request("kill", flow=FLOW.number))
    assert there.tunnel.killed == [FLOW.number]
    there.log.add(Notice(code="x", text="something"))
    assert client.ask(there.holder, Request("events"))["events"][0]["text"] == "something"
    client.ask(there.holder, Request("stop", drain=1.5))
    assert there.tunnel.ended.wait(10)
    assert there.tunnel.stopped == [1.5]


def test_several_requests_of_one_connection(there):
    with connect(there.point) as sock, sock.makefile("rb") as lines:
        for word in ("status", "flows", "kick"):
            sock.sendall(format_request(Request(word, token=there.point.token)))
            assert "ok" in json.loads(lines.readline())


def test_the_socket_is_this_users_alone(tmp_path):
    with controlled(tmp_path) as there:
        path = Path(there.point.path)
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
    assert not path.exists()


def test_a_port_needs_the_token(tmp_path):
    with controlled(tmp_path, tcp=True) as there:
        assert len(there.point.token) >= 32
        assert there.point.token not in repr(there.holder)
        assert there.claim.path.stat().st_mode & 0o777 == 0o600
        for token in ("", "x", "ü" * 50):
            with connect(there.point) as sock:
                sock.sendall(format_request(Request("stop", token=token)))
                assert said(sock)["error"]["code"] == "control-refused"
                assert sock.recv(1) == b""
        assert there.tunnel.stopped == []


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100 + b"\n", b"\n", b"{}\n", b"x" * (MAX_REQUEST + 9)],
)
def test_garbage_gets_an_error_and_the_end(there, data):
    with connect(there.point) as sock:
        sock.sendall(data)
        assert said(sock)["error"]["code"].startswith("control-")
        with contextlib.suppress(ConnectionResetError):  # what it did not read resets
            assert sock.recv(10) == b""
    assert client.status(there.holder).view.flows_total == 9


def test_what_cannot_be_done_is_told(there):
    for request, code in (
        (
            Request("add", (parse_forward(ForwardKind.LOCAL, "127.0.0.1:5432:x:1"),)),
            "bind-address-in-use",
        ),
        (Request("remove", (MORE,)), "no-such-forward"),
        (Request("kill", flow=99), "no-such-flow"),
    ):
        with pytest.raises(NetkitError) as caught:
            client.ask(there.holder, request)
        assert caught.value.code == code
    assert len(there.tunnel.now.forwards) == 1


@pytest.mark.logs_errors
def test_a_bug_of_the_tunnel_ends_one_connection(tmp_path):
    class Broken(FakeSupervised):
        def flows(self):
            raise RuntimeError("secret of the inside")

    with controlled(tmp_path, tunnel=Broken()) as there:
        with pytest.raises(ControlError) as caught:
            client.flows(there.holder)
        assert (caught.value.code, "secret" in str(caught.value)) == ("control-bug", False)
        assert client.status(there.holder).name == "office"


def test_a_flood_is_refused_and_leaves_nothing(there, monkeypatch):
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(connect(there.point)) for _ in range(server.MAX_CONNECTIONS)]
        wait_until(lambda: len(there.server._connections) == len(held))
        for _ in range(50):
            with connect(there.point) as sock:
                assert said(sock)["error"]["code"] == "control-busy"
        held[0].close()
        wait_until(lambda: len(there.server._connections) < len(held))
        assert client.status(there.holder).name == "office"
    wait_until(lambda: not there.server._connections)
    assert not there.server._threads


def test_a_slow_one_is_cut_off(there, monkeypatch):
    monkeypatch.setattr(server, "REQUEST_TIME", 0.2)
    with connect(there.point) as sock:
        sock.sendall(b'{"netkit"')
        assert sock.recv(10) == b""


def test_a_tunnel_that_hangs_costs_its_asker_only(tmp_path):
    tunnel = FakeSupervised(waits=threading.Event())
    with controlled(tmp_path, tunnel=tunnel) as there:
        with pytest.raises(ControlError) as caught:
            client.status(there.holder, timeout=0.2)
        assert caught.value.code == "control-timeout"
        assert client.flows(there.holder)
        tunnel.waits.set()


def test_it_closes_while_somebody_is_connected(tmp_path):
    with controlled(tmp_path) as there, connect(there.point) as sock:
        wait_until(lambda: there.server._connections)
        there.server.close()
        there.server.close()
        assert sock.recv(10) == b""
        with pytest.raises(ControlError) as caught:
            client.status(there.holder)
        assert (caught.value.code, caught.value.retryable) == ("control-unavailable", True)


def test_no_place_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(places, "runtime_folder", lambda: tmp_path / "file")
    made = server.ControlServer(
        Answers(FakeSupervised(), EventLog(), name="x", gateway="gw", end=lambda _drain: None)
    )
    with pytest.raises(ControlError) as caught:
        made.start(tmp_path / "office.lock")
    assert caught.value.code == "control-unavailable"
    made.close()
