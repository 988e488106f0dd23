"""By which way bytes pass, at gateways of every kind."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from netkit.bench.measuring.ways import LoopWay, find_way, make_way
from netkit.bench.model import Direction, Way
from netkit.errors import NetkitError, OpenError
from support import bench, tunnels


def soon() -> float:
    return time.monotonic() + 20


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with tunnels.start("sshd", tmp_path_factory.mktemp("sshd")) as gateway:
        yield gateway


@pytest.mark.parametrize("name", tunnels.NAMES)
def test_every_make_of_gateway(name, tmp_path):
    with tunnels.start(name, tmp_path) as gateway, bench.session(gateway.hop()) as session:
        way, why = find_way(session, 20)
        expected = Way.POSIX if name in ("sshd", "dropbear") else Way.NONE
        assert way is expected
        assert bool(why) == (way is Way.NONE)
        this = make_way(
            session,
            Way.LOOP if way is Way.NONE else way,
            bench.CORPORA,
            0.001,
            threading.Event(),
        )
        out, back = this.echo()
        out.write_all(b"hello", soon())
        assert back.read_exactly(5, soon()) == b"hello"
        out.close()
        back.close()
        assert this.first_byte() > 0
        for direction in this.directions:
            marks = this.bulk(direction, "random").move(0.2)
            assert marks[-1].size > 0
        this.close()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"ForceCommand": "/bin/false"}, "runs no commands"),
        ({"ForceCommand": "echo This account is not available."}, "none that is known"),
        ({"MaxSessions": "0"}, "opens no session"),
    ],
)
def test_accounts_without_a_shell(tmp_path, words, why):
    with (
        tunnels.start("sshd", tmp_path, **words) as gateway,
        bench.session(gateway.hop()) as session,
    ):
        way, text = find_way(session, 20)
        assert way is Way.NONE
        assert why in text
        this = make_way(session, Way.LOOP, bench.CORPORA, 0.001, threading.Event())
        assert this.directions == (Direction.LOOP,)
        assert this.gateway_cpu() is None
        this.close()


@pytest.mark.parametrize("words", [{"AllowTcpForwarding": "no"}, {"AllowTcpForwarding": "remote"}])
def test_neither_shell_nor_forwards(tmp_path, words):
    with (
        tunnels.start("sshd", tmp_path, ForceCommand="/bin/false", **words) as gateway,
        bench.session(gateway.hop()) as session,
        pytest.raises(NetkitError),
    ):
        make_way(session, Way.LOOP, bench.CORPORA, 0.001, threading.Event())


def test_nothing_at_all(gateway):
    with bench.session(gateway.hop()) as session, pytest.raises(NetkitError) as caught:
        make_way(session, Way.NONE, {}, 0.0, threading.Event())
    assert caught.value.code == "no-way"


def test_cpu_of_the_gateway(gateway):
    with bench.maker(gateway.hop()) as way:
        before = way.gateway_cpu()
        way.bulk(Direction.DOWN, "random").move(0.5)
        after = way.gateway_cpu()
        assert before is not None
        assert after is not None
        assert after > before


def test_a_stranger_in_the_loop_is_not_taken_for_ourselves(gateway):
    with bench.maker(gateway.hop(), Way.LOOP) as way:
        assert isinstance(way, LoopWay)
        with socket.create_connection(("127.0.0.1", way.address.port)) as stranger:
            stranger.sendall(b"s" * 16)
            out, back = way.pair()
            out.write_all(b"mine", soon())
            assert back.read_exactly(4, soon()) == b"mine"
            out.close()
            back.close()


def test_a_loop_that_leads_elsewhere(gateway, monkeypatch):
    monkeypatch.setattr("netkit.bench.measuring.ways.OPEN_TIME", 0.3)
    with (
        bench.maker(gateway.hop(), Way.LOOP) as way,
        socket.create_server(("localhost", 0)) as other,
    ):
        assert isinstance(way, LoopWay)
        way.address = way.address.__class__("localhost", other.getsockname()[1])
        with pytest.raises(OpenError) as caught:
            way.pair()
        assert caught.value.code == "loop-broken"


def test_a_flow_that_broke_is_opened_anew(gateway):
    with bench.maker(gateway.hop()) as way:
        bulk = way.bulk(Direction.UP, "random")
        way.drop(bulk)
        again = way.bulk(Direction.UP, "random")
        assert again is not bulk
        assert again.move(0.2)[-1].size > 0
