"""Logged-in chains: fresh ones, several of them, and how they end."""

from __future__ import annotations

import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL

from netkit.doctor.answers import Answers
from netkit.doctor.session import Access, open_session
from netkit.engine.memory_channel import MemoryChannel
from netkit.engine.witness import Witness
from netkit.errors import LinkLostError, NetkitError, OpenError, RemoteForwardError
from netkit.model import Endpoint, Plan, UnixPath
from netkit.wire import messages as wire
from netkit.wire.messages import string, u32
from support import targets, tunnels
from support.examiner import session
from support.hostile import HostileServer, _AnyoneMayEnter
from support.prompts import Person
from support.waiting import wait_until


def soon() -> float:
    return time.monotonic() + 10


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with tunnels.start("sshd", tmp_path_factory.mktemp("sshd"), LogLevel="INFO") as gateway:
        yield gateway


def test_what_it_offers(gateway):
    with session(gateway) as subject:
        done = subject.run("echo $SSH_CONNECTION", 20)
        assert subject.local is not None
        assert subject.peer == Endpoint("127.0.0.1", gateway.port)
        assert done.stdout.split()[1] == str(subject.local.port).encode()
        assert subject.start("echo hi").wait(20).stdout == b"hi\n"
        seconds = subject.keepalive(10)
        assert seconds is not None
        assert 0 < seconds < 10
        assert (subject.has_ended, subject.error) == (False, None)
        assert time.monotonic() - subject.last_received < 10
        wait_until(lambda: any("key options" in text for text in subject.messages))
    assert subject.has_ended


def test_channels(gateway):
    with session(gateway) as subject, targets.echo() as echo:
        channel = subject.open(echo.address, b"hello")
        assert channel.wait(lambda c: c.data == b"hello", soon())
        channel.close()
        with targets.short_directory() as directory:
            with targets.echo(path=Path(directory) / "s") as unix:
                channel = subject.open(unix.address, b"hello")
                assert channel.wait(lambda c: c.data == b"hello", soon())
                channel.close()


@pytest.mark.parametrize("bind", [Endpoint("localhost", 0), "unix"])
def test_listening(gateway, bind):
    with session(gateway) as subject, targets.short_directory() as directory:
        if bind == "unix":
            bind = UnixPath(f"{directory}/s")
        arrived: list[tuple[MemoryChannel, str]] = []
        came = threading.Event()

        def accept(request, source) -> None:
            arrived.append((MemoryChannel.accept(subject.link, request), source))
            came.set()

        listener = subject.listen(bind, accept, 10)
        address = bind if isinstance(bind, UnixPath) else Endpoint("127.0.0.1", listener.port)
        with tunnels.dial(address) as sock:
            sock.sendall(b"nonce")
            assert came.wait(10)
            channel, source = arrived[0]
            assert channel.wait(lambda c: c.data == b"nonce", soon())
            name = sock.getsockname()
            assert source == ("unix" if isinstance(bind, UnixPath) else f"{name[0]}:{name[1]}")
        subject.unlisten(listener, 10)
        family = socket.AF_UNIX if isinstance(bind, UnixPath) else socket.AF_INET
        where = address.path if isinstance(address, UnixPath) else (address.host, address.port)
        with socket.socket(family) as sock:
            assert sock.connect_ex(where) != 0


def test_sessions_are_counted(gateway):
    with session(gateway) as subject:
        assert subject.count_sessions(3, soon()) == 3
        assert subject.count_sessions(40, soon()) == 10
        # All of them are given back.
        assert subject.count_sessions(10, soon()) == 10
        assert subject.count_sessions(0, soon()) == 0
        assert subject.run("echo hi", 20).outcome == "ran"


def test_the_servers_keepalives(tmp_path):
    with tunnels.start(
        "sshd", tmp_path, LogLevel="INFO", ClientAliveInterval="1", ClientAliveCountMax="100"
    ) as gateway:
        with session(gateway) as subject:
            assert subject.server_keepalives == 0
            wait_until(lambda: subject.server_keepalives >= 1)
            # With a session open it asks on the channel.
            before = subject.server_keepalives
            command = subject.start("sleep 60")
            wait_until(lambda: subject.server_keepalives > before)
            command.stop()
            assert not subject.has_ended


def test_nothing_is_said_by_itself(gateway):
    """An idle session is idle: no keepalive of ours."""
    with session(gateway) as subject:
        subject.keepalive(10)
        kinds: set[int] = set()
        send = subject.link.stream.send

        def note(payload) -> None:
            kinds.add(payload[0])
            send(payload)

        subject.link.stream.send = note
        assert subject.run("sleep 1.2", 20).outcome == "ran"
        assert wire.CHANNEL_OPEN in kinds
        assert wire.GLOBAL_REQUEST not in kinds


def test_through_a_jump_host(gateway, tmp_path):
    with tunnels.start("dropbear", tmp_path) as inner, session(gateway, inner) as subject:
        assert len(subject.hops) == 2
        assert (subject.local, subject.peer) == (None, None)
        assert subject.run("echo hi", 20).stdout == b"hi\n"


def test_the_second_hop_fails(gateway):
    with targets.refuse() as closed:
        witnesses: list[Witness] = []
        hops = (gateway.hop(), gateway.hop(alias="inner", port=closed.port))
        with pytest.raises(OpenError):
            open_session(Access(plan=Plan(hops=hops)), witnesses)
    assert [(w.alias, w.stage) for w in witnesses] == [("sshd", "done"), ("inner", "tcp")]


def test_cancelled(gateway):
    cancelled = threading.Event()
    with targets.blackhole() as silent:
        hops = (gateway.hop(), gateway.hop(alias="inner", port=silent.port))
        timer = threading.Timer(0.3, cancelled.set)
        timer.start()
        began = time.monotonic()
        with pytest.raises(NetkitError) as caught:
            open_session(Access(plan=Plan(hops=hops), cancelled=cancelled))
        assert caught.value.code == "cancelled"
        assert time.monotonic() - began < 5
        timer.join()
    with pytest.raises(NetkitError):
        open_session(Access(plan=Plan(hops=(gateway.hop(),)), cancelled=cancelled))


def test_a_frozen_gateway(gateway):
    with session(gateway) as subject:
        gateway.signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            assert subject.keepalive(0.3) is None
            assert subject.count_sessions(2, time.monotonic() + 0.3) == 0
            with pytest.raises(RemoteForwardError) as caught:
                subject.listen(Endpoint("", 0), lambda _request, _source: None, 0.3)
            assert caught.value.code == "remote-forward-unanswered"
            assert time.monotonic() - began < 5
            subject.close()
            assert time.monotonic() - began < 10
        finally:
            gateway.signal(signal.SIGCONT)


@pytest.mark.parametrize("how", ["abandoned", "killed"])
def test_it_ends(gateway, how):
    with session(gateway) as subject:
        command = subject.start("echo up; sleep 60")
        assert command.channel.wait(lambda c: c.data, soon())
        if how == "killed":
            gateway.kill()
        else:
            subject.abandon()
        assert command.wait(30).outcome == "link-lost"
        wait_until(lambda: subject.has_ended)
        assert subject.keepalive(5) is None
        with pytest.raises(LinkLostError):
            subject.listen(Endpoint("", 0), lambda _request, _source: None, 5)
        assert subject.count_sessions(3, soon()) == 0
        assert subject.open(Endpoint("127.0.0.1", 1)).state == "lost"
        subject.close()
        subject.close()


class WithPassword(_AnyoneMayEnter):
    """Rules of a server that lets in who knows the password."""

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_auth_none(self, username: str) -> int:
        return AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        return AUTH_SUCCESSFUL if password == "secret" else AUTH_FAILED


def test_answers_of_a_person_serve_many_logins():
    person = Person(["wrong", "secret"])
    answers = Answers(person)
    for _ in range(3):
        with HostileServer() as server:
            server.rules = WithPassword
            access = Access(plan=Plan(hops=(server.hop(),)), prompter=answers)
            open_session(access).close()
    assert len(person.asked) == 2


def test_channels_that_the_gateway_opens_unasked_are_refused():
    with HostileServer() as server:
        subject = open_session(Access(plan=Plan(hops=(server.hop(),))))
        server.send(bytes([wire.CHANNEL_OPEN]) + string("x11") + u32(1) * 3)
        server.wait_for(wire.CHANNEL_OPEN_FAILURE)
        subject.close()
