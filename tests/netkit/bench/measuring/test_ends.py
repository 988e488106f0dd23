"""Our ends of flows, with a real sshd on the other side."""

from __future__ import annotations

import threading
import time

import pytest

from netkit.bench.measuring.ends import End, FlowBrokenError, open_command, open_flow
from netkit.engine.dynamic import direct_tcpip
from netkit.errors import GatewayUnreachableError, LinkLostError, NetkitError, OpenError
from netkit.model import Endpoint
from support import bench, tunnels
from support.waiting import wait_until


def soon() -> float:
    return time.monotonic() + 20


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with tunnels.start("sshd", tmp_path_factory.mktemp("sshd")) as gateway:
        yield gateway


@pytest.fixture
def session(gateway):
    with bench.session(gateway.hop()) as session:
        yield session


def test_a_command(session):
    never = threading.Event()
    with open_command(session.link, "cat", 20, never) as end:
        end.write_all(b"hello", soon())
        assert end.read_exactly(5, soon()) == b"hello"
        assert end.link is session.link
    wait_until(lambda: not session.link.flows)


def test_its_end(session):
    with open_command(session.link, "printf abc", 20, threading.Event()) as end:
        assert end.read_exactly(3, soon()) == b"abc"
        with pytest.raises(FlowBrokenError, match="broke"):
            end.read_exactly(1, soon())


def test_nothing_comes_and_nothing_is_taken(session):
    with open_command(session.link, "exec sleep 60", 20, threading.Event()) as end:
        with pytest.raises(FlowBrokenError) as caught:
            end.read_exactly(1, time.monotonic() + 0.1)
        assert caught.value.cause == "nothing comes"
        with pytest.raises(FlowBrokenError) as caught:
            end.write_all(bytes(16 << 20), time.monotonic() + 0.1)
        assert caught.value.cause == "it takes no data"


def test_a_refused_flow(session):
    data = direct_tcpip(Endpoint("127.0.0.1", 1), ("127.0.0.1", 0))
    with pytest.raises(OpenError, match="refused"):
        open_flow(session.link, "direct-tcpip", data, 20, threading.Event())


def test_interrupted(session):
    stop = threading.Event()
    end = open_command(session.link, "cat", 20, stop)
    stop.set()
    for wait in (
        lambda: end.read_into(bytearray(1)),
        lambda: end.write(b"x"),
    ):
        with pytest.raises(GatewayUnreachableError) as caught:
            wait()
        assert caught.value.code == "cancelled"
    end.close()


def test_a_link_that_is_gone(session):
    end: End = open_command(session.link, "cat", 20, threading.Event())
    session.close()
    with pytest.raises(LinkLostError):
        end.read_exactly(1, soon())
    with pytest.raises(NetkitError):
        open_command(session.link, "cat", 20, threading.Event())
    end.close()
