"""An end of data in one direction, through real gateways, and through ones that break it."""

from __future__ import annotations

import signal

import pytest

from netkit.doctor import half_close as subject_module
from netkit.doctor.half_close import half_close
from netkit.doctor.session import Access, open_session
from netkit.model import Endpoint, Plan
from netkit.wire import messages as wire
from netkit.wire.messages import string, u32
from support import tunnels
from support.examiner import session
from support.hostile import HostileServer
from support.waiting import wait_until


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with tunnels.start("sshd", tmp_path_factory.mktemp("sshd"), LogLevel="INFO") as gateway:
        yield gateway


@pytest.mark.parametrize("name", ["sshd", "dropbear", "netkit", "asyncssh"])
def test_kept(tmp_path, name):
    with tunnels.start(name, tmp_path) as gateway, session(gateway) as subject:
        assert half_close(subject).outcome == "kept"
        assert not subject.link.handshakes


@pytest.mark.parametrize("allowed", ["no", "local", "remote"])
def test_prohibited(tmp_path, allowed):
    with tunnels.start("sshd", tmp_path, LogLevel="INFO", AllowTcpForwarding=allowed) as gateway:
        with session(gateway) as subject:
            found = half_close(subject)
    assert found.outcome == "prohibited"
    assert found.text


def test_frozen(gateway, monkeypatch):
    monkeypatch.setattr(subject_module, "LISTEN_TIME", 0.3)
    with session(gateway) as subject:
        gateway.signal(signal.SIGSTOP)
        try:
            assert half_close(subject).outcome == "timed-out"
        finally:
            gateway.signal(signal.SIGCONT)


def test_the_link_is_lost(gateway):
    with session(gateway) as subject:
        gateway.kill()
        subject.link.wait(10)
        found = half_close(subject)
    assert found.outcome == "timed-out"
    assert found.text


class Loop:
    """A gateway that joins the two channels itself, and treats an end of data in its own way.

    Attributes:
        on_eof: what to send when the client's end of data comes: messages by channel numbers.
    """

    def __init__(self, on_eof, *, on_open=None) -> None:
        self.on_eof = on_eof
        self.on_open = on_open
        self.near = self.far = -1
        self.ended = False
        self.question = b""

    def __call__(self, server, kind, fields) -> None:
        match kind:
            case wire.GLOBAL_REQUEST if fields.text().startswith("tcpip"):
                server.send(bytes([wire.REQUEST_SUCCESS]) + u32(4000))
            case wire.GLOBAL_REQUEST:
                server.send(bytes([wire.REQUEST_FAILURE]))
            case wire.CHANNEL_OPEN:
                fields.string()
                self.near = fields.u32()
                if self.on_open is not None:
                    server.send(*self.on_open(self.near))
                    return
                where = string("127.0.0.1") + u32(4000) + string("127.0.0.1") + u32(5)
                head = string("forwarded-tcpip") + u32(9) + u32(1 << 20) + u32(1 << 15)
                server.send(_confirm(self.near), bytes([wire.CHANNEL_OPEN]) + head + where)
            case wire.CHANNEL_OPEN_CONFIRMATION:
                fields.u32()
                self.far = fields.u32()
                self._pass_on(server)
            case wire.CHANNEL_DATA:
                if fields.u32() == 7:
                    self.question = bytes(fields.string())
                else:
                    self._answered(server, bytes(fields.string()))
            case wire.CHANNEL_EOF if fields.u32() == 7:
                self.ended = True
                self._pass_on(server)

    def _pass_on(self, server) -> None:
        """Say the question to the other side once it is there and the question is over."""
        if self.ended and self.far >= 0:
            head = bytes([wire.CHANNEL_DATA]) + u32(self.far) + string(self.question)
            server.send(head, *self.on_eof(self.near, self.far))

    def _answered(self, server, answer: bytes) -> None:
        """Drop the answer."""


def _confirm(near: int) -> bytes:
    body = u32(near) + u32(7) + u32(1 << 20) + u32(1 << 15)
    return bytes([wire.CHANNEL_OPEN_CONFIRMATION]) + body


def _eof(channel: int) -> bytes:
    return bytes([wire.CHANNEL_EOF]) + u32(channel)


def _close(channel: int) -> bytes:
    return bytes([wire.CHANNEL_CLOSE]) + u32(channel)


def examine(script, monkeypatch):
    monkeypatch.setattr(subject_module, "TIME", 1.0)
    with HostileServer(script) as server:
        subject = open_session(Access(plan=Plan(hops=(server.hop(),))))
        try:
            return half_close(subject)
        finally:
            subject.close()


@pytest.mark.parametrize(
    ("on_eof", "outcome", "word"),
    [
        (lambda near, far: [_close(near)], "lost", "whole channel"),
        (lambda near, far: [_eof(far), _close(far), _close(near)], "lost", "end of data"),
        (lambda near, far: [_eof(far)], "timed-out", "no answer"),
        (lambda near, far: [], "timed-out", "nothing arrives"),
    ],
    ids=["closed behind us", "closed on both sides", "answer dropped", "not passed on"],
)
def test_gateways_that_break_it(on_eof, outcome, word, monkeypatch):
    found = examine(Loop(on_eof), monkeypatch)
    assert found.outcome == outcome
    assert word in found.text


def test_the_answer_is_lost(monkeypatch):
    class Losing(Loop):
        def _answered(self, server, answer: bytes) -> None:
            server.send(_close(self.near))

    found = examine(Losing(lambda near, far: [_eof(far)]), monkeypatch)
    assert (found.outcome, "is lost" in found.text) == ("lost", True)


@pytest.mark.parametrize(
    ("reason", "outcome"), [(1, "prohibited"), (2, "timed-out")], ids=["prohibited", "failed"]
)
def test_no_way_to_the_listener(reason, outcome, monkeypatch):
    def refuse(near: int) -> list[bytes]:
        head = bytes([wire.CHANNEL_OPEN_FAILURE]) + u32(near) + u32(reason)
        return [head + string("") + string("")]

    assert examine(Loop(None, on_open=refuse), monkeypatch).outcome == outcome


def test_no_answer_to_the_open(monkeypatch):
    assert examine(Loop(None, on_open=lambda near: []), monkeypatch).outcome == "timed-out"


def test_a_stranger_comes_first(gateway):
    """Whoever else connects is turned away."""
    with session(gateway) as subject:
        loop = subject_module._Loop(subject)
        listener = subject.listen(Endpoint("127.0.0.1", 0), loop.accept, 10)
        with tunnels.dial(Endpoint("127.0.0.1", listener.port)) as stranger:
            wait_until(lambda: loop.far is not None)
            with tunnels.dial(Endpoint("127.0.0.1", listener.port)) as another:
                assert tunnels.outcome(another) in {"eof", "reset"}
            stranger.sendall(b"hello")
        subject.unlisten(listener, 10)


def test_killed_in_the_middle(gateway):
    """A lost link says nothing about ends of data."""
    with session(gateway) as subject:
        loop = subject_module._Loop(subject)
        listener = subject.listen(Endpoint("127.0.0.1", 0), loop.accept, 10)
        accept = loop.accept

        def kill(request, source) -> None:
            gateway.kill()
            accept(request, source)

        listener.accept = kill
        found = loop.examine(listener.port)
    assert found.outcome == "timed-out"
    assert found.text
