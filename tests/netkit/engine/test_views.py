"""What links and flows look like."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from netkit.engine.chain import Chain
from netkit.engine.views import FlowWatch, waits
from support.links import LinkPair, tcp_pair
from support.tunnels import read_exactly
from support.waiting import wait_until


@pytest.fixture
def pair():
    with LinkPair() as made:
        yield made


def look(pair: LinkPair, watch: FlowWatch, now: float):
    return pair.on_near(lambda: watch.look(list(pair.near.flows), 1, now))


def test_flows_the_oldest_first_with_what_they_moved(pair: LinkPair):
    one, other = pair.ends()
    two, _ = pair.flow()
    with one, other, two, pair.far_socket():
        one.sendall(b"12345")
        read_exactly(other, 5)
        other.sendall(b"123")
        read_exactly(one, 3)
        first, second = look(pair, FlowWatch(), pair.near.loop.now + 2)
        assert (first.number, second.number) == (1, 2)
        assert (first.bytes_to_gateway, first.bytes_from_gateway) == (5, 3)
        assert first.seconds >= 2
        assert first.window > 0


def test_idle_is_known_from_the_second_look_on(pair: LinkPair):
    one, other = pair.ends()
    with one, other:
        one.sendall(b"1")
        read_exactly(other, 1)
        watch, now = FlowWatch(), pair.near.loop.now
        assert look(pair, watch, now)[0].idle == 0
        assert look(pair, watch, now + 7)[0].idle == pytest.approx(7)
        one.sendall(b"2")
        read_exactly(other, 1)
        assert look(pair, watch, now + 9)[0].idle == 0


def test_one_that_never_moved_is_idle_since_it_began(pair: LinkPair):
    one, other = pair.ends()
    with one, other:
        (view,) = look(pair, FlowWatch(), pair.near.loop.now + 5)
        assert view.idle >= 5


def test_flows_that_ended_are_forgotten(pair: LinkPair):
    chain = SimpleNamespace(link=pair.near, has_ended=False)
    watch, links = FlowWatch(), [(1, cast("Chain", chain))]
    one, other = pair.ends()
    with one, other:
        (view,) = watch.look_at(links, 0.0)
        assert (view.number, view.link) == (1, 1)
        assert watch._seen
    assert pair.is_idle()
    assert watch.look_at(links, 1.0) == ()
    assert not watch._seen


def test_what_they_wait_for():
    with LinkPair(answer=False) as pair:
        client, flow = pair.flow()
        with client:
            assert pair.on_near(lambda: waits(flow)) == "opening"


def test_reader_that_does_not_read(pair: LinkPair):
    client, ours = tcp_pair()
    ours.setblocking(False)
    with client:
        flow = pair.on_near(lambda: pair.near.start_flow(ours, "direct-tcpip", b""))
        with pair.far_socket() as other:
            other.settimeout(0.5)
            with pytest.raises(TimeoutError):
                other.sendall(bytes(64 << 20))
            wait_until(lambda: pair.on_near(lambda: waits(flow)) == "reader", what="the reader")
