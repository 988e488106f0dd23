"""Transfers in rounds, with flows that are made up."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from netkit.bench import schedule
from netkit.bench.marks import Mark
from netkit.bench.measuring import throughput as module
from netkit.bench.measuring.ends import FlowBrokenError
from netkit.bench.measuring.record import Record, Route
from netkit.bench.measuring.throughput import CIPHER_ROUNDS, LOOK, Throughput
from netkit.bench.model import Direction, Setting
from netkit.errors import LinkLostError

BOTH = (Direction.DOWN, Direction.UP)


class FakeBulk:
    window = 2 << 20

    def __init__(self, rate, faults=0):
        self.rate = rate
        self.faults = faults
        self.moved = []

    def move(self, seconds, _stop=None):
        if self.faults:
            self.faults -= 1
            raise FlowBrokenError("broke", cause="a test")
        self.moved.append(seconds)
        steps = [seconds * step / 10 for step in range(11)]
        return [Mark(at, int(self.rate * at), int(self.rate * at / 2), at / 4) for at in steps]


class FakeWay:
    directions = BOTH

    def __init__(self, rate=1e6, faults=0, cpu=None):
        self.bulks = {}
        self.dropped = []
        self.order = []
        self._rate, self._faults, self._cpu = rate, faults, cpu

    def bulk(self, direction, corpus):
        self.order.append((direction, corpus))
        made = FakeBulk(self._rate, self._faults)
        return self.bulks.setdefault((direction, corpus), made)

    def drop(self, bulk):
        self.dropped.append(bulk)

    def gateway_cpu(self):
        return self._cpu() if self._cpu else None


def route(way, cipher="c", *, compression=False, answer=0.01):
    session = SimpleNamespace(keepalive=lambda _timeout: answer)
    login: Any = SimpleNamespace(cipher=cipher, compression=compression, session=session)
    return Route(login, way)


@pytest.fixture
def record(monkeypatch):
    monkeypatch.setattr(module.machine, "work", lambda: (1.0, 1.0))
    return Record(Setting(gateway="g"), 60, threading.Event(), lambda _progress: None)


def test_a_first_look_is_of_no_round(record):
    plain = route(FakeWay())
    Throughput(record, ["text"], None).look(plain)
    assert [(run.round, run.direction) for run in record.transfers] == [(LOOK, way) for way in BOTH]
    assert record.transfers[0].rate == pytest.approx(1e6, rel=0.01)
    assert record.transfers[0].ratio == pytest.approx(0.5, rel=0.01)
    assert record.transfers[0].load == pytest.approx(0.25)
    assert record.transfers[0].window == 2 << 20
    assert record.transfers[0].busy is None


def test_rounds_compare_on_and_off(record):
    plain, packed = route(FakeWay()), route(FakeWay(), compression=True)
    Throughput(record, ["text", "zeros"], None).compression(plain, packed, 30)
    rounds = {run.round for run in record.transfers}
    assert rounds == set(range(schedule.MOST_ROUNDS))
    for number in rounds:
        kinds = {
            (run.direction, run.compression, run.corpus)
            for run in record.transfers
            if run.round == number
        }
        assert kinds == {
            (way, on, corpus)
            for way in BOTH
            for on, corpus in ((False, "random"), (True, "text"), (True, "zeros"))
        }
    assert record.skipped == []
    first = plain.way.order[:2]
    assert plain.way.order[2:4] == first[::-1]


def test_without_compression_there_is_one_kind(record):
    Throughput(record, ["text"], None).compression(route(FakeWay()), None, 30)
    assert {(run.compression, run.corpus) for run in record.transfers} == {(False, "random")}


def test_no_time_at_all(record):
    Throughput(record, ["text"], None).compression(route(FakeWay()), None, 0.0)
    assert record.transfers == []
    assert {each.why for each in record.skipped} == {module.MORE_TIME}


def test_what_breaks_is_tried_again_and_given_up(record):
    way = FakeWay(faults=1)
    subject = Throughput(record, ["text"], None)
    subject.compression(route(way), None, 30)
    assert len(way.dropped) == 2
    assert record.skipped == []
    assert record.transfers
    broken = FakeWay(faults=100)
    record.transfers.clear()
    subject = Throughput(record, ["text"], None)
    subject.compression(route(broken), None, 30)
    assert record.transfers == []
    assert {each.what for each in record.skipped} == {
        "down random, uncompressed (c)",
        "up random, uncompressed (c)",
    }
    assert record.skipped[0].why == "broke: a test"
    assert len(broken.dropped) == 2 * module.MAX_FAULTS


def test_an_interrupt_is_not_a_fault(record):
    record.cancelled.set()
    with pytest.raises(FlowBrokenError):
        Throughput(record, ["text"], None).look(route(FakeWay(faults=9)))
    assert record.skipped == []


def test_a_gateway_that_is_silent_ends_it(record):
    with pytest.raises(LinkLostError):
        Throughput(record, ["text"], None).look(route(FakeWay(faults=9), answer=None))


def test_cpu_of_the_gateway(record):
    counted = iter(range(100))
    way = FakeWay(cpu=lambda: float(next(counted)))
    Throughput(record, ["text"], None).look(route(way))
    assert all(run.gateway_cpu > 0 for run in record.transfers)
    Throughput(record, ["text"], lambda: 7.0).look(route(way))
    assert record.transfers[-1].gateway_cpu == 0.0


def test_how_busy_the_machine_is(record, monkeypatch):
    ticks = iter([(0.0, 0.0), (3.0, 4.0)] * 10)
    monkeypatch.setattr(module.machine, "work", lambda: next(ticks))
    Throughput(record, ["text"], None).look(route(FakeWay()))
    assert record.transfers[0].busy == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("cpu", "busy", "matters"),
    [
        (0.0, None, False),
        (0.7, None, True),
        (0.2, 0.95, True),
        (0.2, 0.2, False),
        (0.0, 0.95, False),
    ],
)
def test_whether_ciphers_matter(record, cpu, busy, matters):
    subject = Throughput(record, ["text"], None)
    assert subject.cipher_matters
    subject.look(route(FakeWay()))
    from dataclasses import replace

    record.transfers[:] = [
        replace(run, cpu=cpu * run.seconds, busy=busy) for run in record.transfers
    ]
    assert subject.cipher_matters is matters


def test_ciphers_are_compared_in_rounds_of_their_own(record):
    routes = [route(FakeWay(), "a"), route(FakeWay(), "b")]
    Throughput(record, ["text"], None).ciphers(routes, 30)
    found = {(run.round, run.cipher, run.direction) for run in record.transfers}
    assert found == {
        (CIPHER_ROUNDS + number, cipher, way)
        for number in range(schedule.MOST_ROUNDS)
        for cipher in "ab"
        for way in BOTH
    }


def test_ciphers_without_time(record):
    Throughput(record, ["text"], None).ciphers([route(FakeWay())], 0.1)
    assert record.transfers == []
    assert record.skipped[0].what == "other ciphers, down"


def test_what_goes_with_a_transfer_is_learnt(record):
    class Slow(FakeBulk):
        def move(self, seconds, _stop=None):
            threading.Event().wait(0.2)
            return super().move(seconds)

    way = FakeWay()
    for direction in BOTH:
        way.bulks[direction, "random"] = Slow(1e6)
    subject = Throughput(record, [], None)
    began = time.monotonic()
    subject.compression(route(way), None, 3.0)
    assert record.transfers
    assert len(record.transfers) * 0.2 <= time.monotonic() - began
