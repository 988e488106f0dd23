from __future__ import annotations

import socket
from typing import Any

import pytest

from netkit.engine.exec_channel import Executed
from netkit.engine.memory_channel import MemoryChannel
from netkit.engine.remote import RemoteForwards
from netkit.engine.x11 import XServer
from netkit.engine.x11_mapping import X11Mapping
from netkit.errors import LinkLostError, RemoteForwardError
from netkit.model import Endpoint, ForwardKind, ForwardSpec
from netkit.wire.messages import string, u32
from netkit.wire.x11 import MAGIC_COOKIE, setup
from support import targets
from support.links import LinkPair, tcp_pair
from support.tunnels import outcome, read_all, read_exactly

REAL = b"R" * 16


@pytest.fixture
def pair():
    with LinkPair(answer=False) as pair:
        agree(pair)
        yield pair


def agree(pair: LinkPair) -> None:
    """Have the far link agree to everything."""

    def answer(_event: Any) -> bool:
        pair.far.mux.answer_global(ok=True)
        return True

    pair.far.on_global = answer


def mapping(address, **more) -> X11Mapping:
    forward = ForwardSpec(ForwardKind.REMOTE, Endpoint("", 6001), address)
    return X11Mapping(XServer(name=":0", address=address, cookie=REAL), forward, **more)


def client(pair: LinkPair, port: int = 6001) -> socket.socket:
    one, two = tcp_pair()
    two.setblocking(False)
    data = string("localhost") + u32(port) + string("192.0.2.1") + u32(5000)
    pair.far.run(lambda: pair.far.start_flow(two, "forwarded-tcpip", data))
    return one


def test_programs_need_its_cookie_on_every_link():
    with targets.echo() as server:
        lent = mapping(server.address)
        for _ in range(2):
            with LinkPair(answer=False) as pair:
                agree(pair)
                remotes = RemoteForwards(pair.near)
                lent.connected(pair.near, remotes)
                remotes.request(lent.forward, accept=lent.accept(lent.forward))
                with client(pair) as sock:
                    sock.sendall(setup(">", MAGIC_COOKIE, lent.cookie))
                    inside = setup(">", MAGIC_COOKIE, REAL)
                    assert read_exactly(sock, len(inside)) == inside
                with client(pair) as sock:
                    sock.sendall(setup(">", MAGIC_COOKIE, REAL))
                    assert b"netkit: X11 cookie does not match" in read_all(sock)
        assert len(server.connections) == 2


def test_other_forwards_are_not_touched(pair):
    with targets.echo() as server:
        lent = mapping(server.address)
        assert lent.accept(lent.forward) is None  # there is no link yet
        lent.connected(pair.near, RemoteForwards(pair.near))
        other = ForwardSpec(ForwardKind.REMOTE, Endpoint("", 6002), server.address)
        assert lent.accept(other) is None


def test_no_x11_channel_comes_in_by_it(pair):
    with targets.echo() as server:
        lent = mapping(server.address)
        lent.connected(pair.near, RemoteForwards(pair.near))
        one, two = tcp_pair()
        two.setblocking(False)
        pair.far.run(lambda: pair.far.start_flow(two, "x11", string("c") + u32(1)))
        with one:
            assert outcome(one) == "reset"


def test_who_looks_before_may_refuse(pair):
    def before(run) -> None:
        assert isinstance(run("uname", b"words"), Executed)
        raise RemoteForwardError("taken")

    asked = []

    def opened(request) -> None:
        channel = MemoryChannel.accept(pair.far, request)
        asked.append(channel)

    def exec_(event) -> bool:
        pair.far.mux.answer(event.channel, ok=True)
        pair.far.mux.request(event.channel, "exit-status", u32(0), want_reply=False)
        pair.far.mux.eof(event.channel)
        return True

    pair.far.on_open, pair.far.on_request = opened, exec_
    with pytest.raises(RemoteForwardError):
        mapping(Endpoint("127.0.0.1", 1), before=before).connected(
            pair.near, RemoteForwards(pair.near)
        )
    assert asked[0].data == b"words"


def test_nothing_runs_without_a_link():
    with pytest.raises(LinkLostError):
        mapping(Endpoint("127.0.0.1", 1)).run("true")


def test_cookies_differ_and_are_not_shown():
    one, two = mapping(Endpoint("h", 1)), mapping(Endpoint("h", 1))
    assert one.cookie != two.cookie
    assert len(one.cookie) == 16
