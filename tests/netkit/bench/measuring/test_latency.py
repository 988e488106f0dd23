"""Round trips, first bytes, sessions."""

from __future__ import annotations

import threading

import pytest

from netkit.bench.measuring import latency
from netkit.bench.model import Way
from support import bench, tunnels
from support.faults import FaultProxy

DELAY = 0.05


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with tunnels.start("sshd", tmp_path_factory.mktemp("sshd")) as gateway:
        yield gateway


@pytest.mark.parametrize("way", [Way.POSIX, Way.LOOP])
def test_round_trips_are_those_of_the_link(gateway, way):
    with (
        FaultProxy(gateway.port) as proxy,
        bench.maker(gateway.behind(proxy.port), way) as this,
    ):
        ends = this.echo()
        proxy.set_delay(DELAY)
        samples = latency.echo(ends, 0.3, stop=threading.Event())
        for end in ends:
            end.close()
        assert samples
        assert min(samples) >= 2 * DELAY * 0.9
        assert min(latency.first_bytes(this, 0.1, 3, threading.Event())) >= 2 * DELAY * 0.9
        assert latency.idle_round_trip(this._session, 2, 20) >= 2 * DELAY * 0.9


def test_samples_are_many_and_bounded(gateway, monkeypatch):
    monkeypatch.setattr(latency, "MOST_SAMPLES", 20)
    with bench.maker(gateway.hop()) as this:
        ends = this.echo()
        assert len(latency.echo(ends, 60, stop=threading.Event())) == 20
        ends[0].close()
        assert len(latency.first_bytes(this, 60, 3, threading.Event())) == 3


def test_sessions(gateway):
    with bench.session(gateway.hop()) as session:
        count, seconds = latency.sessions(session, 0.2, threading.Event())
        assert count >= latency.AT_ONCE
        assert seconds >= 0.2


def test_a_gateway_that_opens_few_sessions(tmp_path):
    with (
        tunnels.start("sshd", tmp_path, MaxSessions="2") as gateway,
        bench.session(gateway.hop()) as session,
    ):
        count, _ = latency.sessions(session, 60, threading.Event())
        assert count == 2


def test_stopped(gateway):
    stop = threading.Event()
    stop.set()
    with bench.maker(gateway.hop()) as this:
        ends = this.echo()
        assert latency.echo(ends, 60, stop=stop) == ()
        ends[0].close()
        assert latency.first_bytes(this, 60, 3, stop) == ()
