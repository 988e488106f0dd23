"""What else may have changed when a link is to be made again."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest

from netkit.events import LinkDown, LinkUp, Notice, Retrying
from netkit.model import Endurance, Keepalive
from netkit.plan import keepalives
from support import targets, tunnels
from support.agent import Agent
from support.faults import FaultProxy
from support.sshd import make_key
from support.tunnels import Run, exchange, local, tunnel
from support.waiting import wait_until

LASTING = Endurance()


@pytest.fixture
def gateway(tmp_path):
    with tunnels.start("sshd", tmp_path) as running:
        yield running


def again(run: Run, count: int = 1) -> None:
    run.events.wait(Notice, code="reconnected", count=count, timeout=20)


def test_the_agent_is_gone_and_comes_back(gateway):
    with contextlib.ExitStack() as stack, targets.echo() as target:
        agent = stack.enter_context(Agent())
        agent.add(gateway.client_key)
        where = agent.socket
        hop = gateway.hop(identity_agent=str(where), identities=(), identities_only=False)
        with tunnel(hop, forwards=[local(target.address)], endurance=LASTING) as run:
            moved = where.with_name("moved")
            where.rename(moved)
            gateway.kill()
            told = run.events.wait(Retrying, code="agent-unreachable")
            assert f"no SSH agent answers at {where}" in told.reason
            assert run.tunnel.status.code == "agent-unreachable"
            moved.rename(where)
            again(run)
            with run.connect() as sock:
                assert exchange(sock, b"after") == b"after"


def test_no_other_key_is_refused_until_the_agent_is_back(gateway, tmp_path):
    """The key in the file would be refused: only the agent's lets us in."""
    refused = make_key(tmp_path / "refused")
    with contextlib.ExitStack() as stack, targets.echo() as target:
        agent = stack.enter_context(Agent())
        agent.add(gateway.client_key)
        where = agent.socket
        hop = gateway.hop(identity_agent=str(where), identities=(refused,), identities_only=False)
        with tunnel(hop, forwards=[local(target.address)], endurance=LASTING) as run:
            moved = where.with_name("moved")
            where.rename(moved)
            before = gateway.server.log().count("Failed publickey")
            gateway.kill()
            run.events.wait(Retrying, code="agent-unreachable", count=2)
            assert gateway.server.log().count("Failed publickey") == before
            moved.rename(where)
            again(run)
            with run.connect() as sock:
                assert exchange(sock, b"after") == b"after"


@pytest.fixture
def names(monkeypatch):
    """What names resolve to: an address and port, or an error."""
    known: dict[str, tuple[str, int] | OSError] = {}
    real = socket.getaddrinfo

    def look_up(host, port, *more, **words):
        found = known.get(host)
        if isinstance(found, OSError):
            raise found
        return real(*(found or (host, port)), *more, **words)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


def test_a_name_that_cannot_be_resolved_for_a_while(gateway, names):
    names["gw.test"] = ("127.0.0.1", gateway.port)
    with targets.echo() as target:
        hop = gateway.hop(host="gw.test", name=f"[127.0.0.1]:{gateway.port}")
        with tunnel(hop, forwards=[local(target.address)], endurance=LASTING) as run:
            names["gw.test"] = socket.gaierror(socket.EAI_AGAIN, "try again")
            gateway.kill()
            run.events.wait(Retrying, count=3, timeout=20)
            names["gw.test"] = ("127.0.0.1", gateway.port)
            again(run)
            with run.connect() as sock:
                assert exchange(sock, b"after") == b"after"


def test_the_gateway_has_another_address(gateway, names):
    with FaultProxy(gateway.port) as other, targets.echo() as target:
        names["gw.test"] = ("127.0.0.1", gateway.port)
        hop = gateway.hop(host="gw.test", name=f"[127.0.0.1]:{gateway.port}")
        with tunnel(hop, forwards=[local(target.address)], endurance=LASTING) as run:
            names["gw.test"] = ("127.0.0.1", other.port)
            gateway.kill()
            again(run)
            with run.connect() as sock:
                assert exchange(sock, b"there") == b"there"
            assert other.open_connections


def test_a_nat_that_forgets_makes_keepalives_more_frequent(gateway, monkeypatch):
    """After a silence nothing passes any more, and a new connection does."""
    monkeypatch.setattr(keepalives, "LOWEST", 0.1)
    with FaultProxy(gateway.port) as proxy, targets.echo() as target:
        with tunnel(
            gateway.behind(proxy.port),
            forwards=[local(target.address)],
            keepalive=Keepalive(interval=0.8, count=2),
            endurance=LASTING,
            adapts=True,
        ) as run:
            run.events.wait(LinkUp)
            pause = threading.Event()
            pause.wait(0.3)  # the round trips that are measured at first are over
            proxy.freeze()
            assert run.events.wait(LinkDown, timeout=20).code == "gateway-silent"
            proxy.thaw()
            run.events.wait(Notice, code="keepalive-tightened")
            assert 0.3 < run.tunnel.view().keepalive < 0.5


def test_a_link_that_ends_between_two_answers_proves_nothing(gateway, monkeypatch):
    monkeypatch.setattr(keepalives, "LOWEST", 0.1)
    keepalive = Keepalive(interval=0.8, count=3)
    with tunnel(gateway, keepalive=keepalive, endurance=LASTING, adapts=True) as run:
        began, stream = time.monotonic(), run.link.stream
        wait_until(lambda: stream.last_received > began + 0.6)  # asked after a silence: an answer
        gateway.kill()
        again(run)
        assert run.tunnel.view().keepalive == 0.8
        assert not run.events.of(Notice, code="keepalive-tightened")
