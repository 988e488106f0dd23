"""From an accepted connection to a channel that is asked for."""

from __future__ import annotations

import socket

import pytest

from netkit.engine.acceptors import acceptor, opening
from netkit.model import Endpoint, ForwardKind, ForwardSpec, UnixPath
from netkit.wire.messages import string, u32
from support.links import LinkPair, tcp_pair


@pytest.fixture
def pair():
    with LinkPair(answer=False) as made:
        yield made


def test_channel_types():
    assert opening(Endpoint("db", 5432)) == ("direct-tcpip", string("db") + u32(5432))
    assert opening(UnixPath("/s")) == ("direct-streamlocal@openssh.com", string("/s"))


@pytest.mark.parametrize(
    ("peer", "source"),
    [(("1.2.3.4", 5), ("1.2.3.4", 5)), (("::1", 6, 0, 0), ("::1", 6)), ("", ("127.0.0.1", 0))],
)
def test_local_forward_asks_for_its_target(pair: LinkPair, peer, source):
    spec = ForwardSpec(ForwardKind.LOCAL, Endpoint("", 0), Endpoint("db", 5432))
    client, ours = tcp_pair()
    ours.setblocking(False)
    with client:
        pair.on_near(lambda: acceptor(pair.near, spec)(ours, peer))
        asked = pair.offers.get(timeout=10)
        assert asked.kind == "direct-tcpip"
        assert asked.data == string("db") + u32(5432) + string(source[0]) + u32(source[1])
        (flow,) = pair.near.flows
        assert (flow.forward, flow.target) == (spec, "db:5432")
        assert flow.source == f"{source[0]}:{source[1]}"


def test_dynamic_forward_listens_first(pair: LinkPair):
    spec = ForwardSpec(ForwardKind.DYNAMIC, Endpoint("", 0))
    client, ours = tcp_pair()
    ours.setblocking(False)
    with client:
        pair.on_near(lambda: acceptor(pair.near, spec)(ours, client.getsockname()))
        client.sendall(b"CONNECT db:5432 HTTP/1.1\r\n\r\n")
        asked = pair.offers.get(timeout=10)
        assert asked.data.startswith(string("db") + u32(5432))
        client.shutdown(socket.SHUT_WR)
