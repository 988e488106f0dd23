"""Bulk transfers: what they count is what passed."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from netkit.bench.measuring.bulk import (
    FIRST_ALLOWANCE,
    LEAST_ALLOWANCE,
    Download,
    Pace,
    Upload,
)
from netkit.bench.measuring.ends import FlowBrokenError
from netkit.bench.model import Direction, Way
from netkit.errors import LinkLostError, NetkitError
from support import bench, tunnels
from support.faults import FaultProxy
from support.waiting import wait_until


class TestPace:
    def test_nothing_is_known(self):
        assert Pace(round_trip=0.1).allowance == FIRST_ALLOWANCE

    def test_what_was_seen(self):
        pace = Pace(round_trip=0.1)
        pace.learn(0, 1)
        assert pace.allowance == FIRST_ALLOWANCE
        pace.learn(10**8, 1)
        assert pace.allowance == pytest.approx(0.45 * 10**8)
        pace.learn(10**8, 0)
        assert pace.rate == 10**8

    def test_a_slow_link_is_learnt_by_and_by(self):
        pace = Pace(round_trip=0.0, rate=10**8)
        pace.learn(10**5, 1)
        assert pace.rate == 5 * 10**7
        for _ in range(20):
            pace.learn(10**5, 1)
        assert pace.rate == 10**5
        assert pace.allowance == LEAST_ALLOWANCE


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with tunnels.start("sshd", tmp_path_factory.mktemp("sshd")) as gateway:
        yield gateway


def check(marks):
    assert len(marks) > 2
    for before, after in itertools.pairwise(marks):
        assert before.time <= after.time
        assert before.size <= after.size
        assert before.wire <= after.wire
        assert before.cpu <= after.cpu
    assert marks[-1].size > marks[0].size
    return (marks[-1].wire - marks[0].wire) / (marks[-1].size - marks[0].size)


@pytest.mark.parametrize("direction", [Direction.DOWN, Direction.UP])
@pytest.mark.parametrize("compression", [False, True])
def test_by_commands(gateway, direction, compression):
    with bench.maker(gateway.hop(compression=compression)) as way:
        for corpus, most in (("random", 1.2), ("text", 0.5 if compression else 1.2)):
            bulk = way.bulk(direction, corpus)
            assert way.bulk(direction, corpus) is bulk
            # one may end while much is under way, which is on the wire and not in its size
            assert min(check(bulk.move(0.3)) for _ in range(3)) < most
            assert bulk.window >= 2 << 20


@pytest.mark.parametrize("compression", [False, True])
def test_by_a_loop(gateway, compression):
    with bench.maker(gateway.hop(compression=compression), Way.LOOP) as way:
        bulk = way.bulk(Direction.LOOP, "text")
        assert min(check(bulk.move(0.3)) for _ in range(3)) < (0.6 if compression else 1.2)
        assert bulk.window == 2 << 20


def test_all_of_an_upload_has_arrived_when_it_ends(gateway):
    with bench.maker(gateway.hop()) as way:
        bulk = way.bulk(Direction.UP, "random")
        assert isinstance(bulk, Upload)
        bulk.move(0.2)
        assert bulk._arrived == bulk._pushed > 0


def test_a_download_takes_what_it_asked_for(gateway):
    with bench.maker(gateway.hop()) as way:
        bulk = way.bulk(Direction.DOWN, "zeros")
        assert isinstance(bulk, Download)
        bulk.move(0.2)
        assert bulk._came == bulk._asked > 0


@pytest.mark.parametrize(
    ("direction", "way"),
    [(Direction.DOWN, Way.POSIX), (Direction.UP, Way.POSIX), (Direction.LOOP, Way.LOOP)],
)
def test_a_gateway_that_dies_meanwhile(tmp_path, direction, way):
    with (
        tunnels.start("sshd", tmp_path) as gateway,
        FaultProxy(gateway.port) as proxy,
        bench.maker(gateway.behind(proxy.port), way) as this,
    ):
        bulk = this.bulk(direction, "random")
        bulk.move(0.05)
        failed = []

        def move():
            try:
                bulk.move(60)
            except NetkitError as error:
                failed.append(error)

        mover = threading.Thread(target=move)
        mover.start()
        proxy.cut()
        mover.join(30)
        assert isinstance(failed[0], LinkLostError | FlowBrokenError)


def test_stopped(gateway):
    with bench.maker(gateway.hop()) as way:
        stop = threading.Event()
        bulk = way.bulk(Direction.DOWN, "random")
        assert isinstance(bulk, Download)
        mover = threading.Thread(target=bulk.move, args=(60, stop))
        began = time.monotonic()
        mover.start()
        wait_until(lambda: bulk._came > 0)
        stop.set()
        mover.join(20)
        assert time.monotonic() - began < 30
