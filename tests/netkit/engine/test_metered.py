"""Flows that wait for their turn, with a clock of our own."""

from __future__ import annotations

import socket
from typing import Any, cast

import pytest

from netkit.engine.metered import Gate, Meter, MeteredOutbox
from netkit.wire.rate import BURST, TURN

RATE = 100_000


class Clock:
    """The part of a loop that a gate uses."""

    def __init__(self) -> None:
        self.now = 0.0
        self.due: list[Any] = []

    def call_later(self, seconds: float, call):
        self.due.append((self.now + seconds, call))
        return self.due[-1]

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.due and min(self.due, key=lambda each: each[0])[0] <= end:
            first = min(self.due, key=lambda each: each[0])
            self.due.remove(first)
            self.now = first[0]
            first[1]()
        self.now = end


class Sender:
    """A flow that always has more to send than it may."""

    def __init__(self, wanted: int = 1 << 30) -> None:
        self.sent = 0
        self.wanted = wanted

    def resume(self, gate: Any) -> None:
        granted = gate.grant(self)
        used = min(granted, self.wanted - self.sent)
        self.sent += used
        gate.settle(used)
        if granted and self.sent < self.wanted:
            gate.wait(self)


class Silent(Sender):
    """One that does nothing with its turn."""

    def resume(self, gate: Any) -> None:
        pass


def gate_of(clock: Any, meter: Meter) -> Any:
    gate: Any = Gate(clock, meter, lambda flow: cast("Any", flow).resume(gate))
    return gate


def test_the_rate_is_kept():
    clock = Clock()
    gate = gate_of(clock, Meter(RATE))
    flow = Sender()
    flow.resume(gate)
    assert flow.sent == RATE * BURST
    clock.run(10)
    assert flow.sent == pytest.approx(10 * RATE, rel=0.03)


def test_flows_share_it_fairly():
    clock = Clock()
    gate = gate_of(clock, Meter(RATE))
    flows = [Sender() for _ in range(7)]
    for flow in flows:
        flow.resume(gate)
    clock.run(10)
    counts = [flow.sent for flow in flows]
    assert sum(counts) == pytest.approx(10 * RATE, rel=0.03)
    assert max(counts) < min(counts) * 1.1


def test_links_share_it_as_their_flows_are_many():
    clock = Clock()
    meter = Meter(RATE)
    gates = [gate_of(clock, meter) for _ in range(2)]
    one, two, three = flows = [Sender() for _ in range(3)]
    one.resume(gates[0])
    two.resume(gates[1])
    three.resume(gates[1])
    clock.run(10)
    assert sum(flow.sent for flow in flows) == pytest.approx(10 * RATE, rel=0.05)
    assert max(flow.sent for flow in flows) < min(flow.sent for flow in flows) * 2


def test_what_a_flow_does_not_use_is_there_for_the_next():
    clock = Clock()
    gate = gate_of(clock, Meter(RATE))
    small, large = Sender(10), Sender()
    small.resume(gate)
    large.resume(gate)
    assert small.sent == 10
    assert large.sent == RATE * BURST - 10


def test_a_flow_that_ended_is_not_resumed():
    clock = Clock()
    gate = gate_of(clock, Meter(RATE))
    flow = Sender()
    flow.resume(gate)
    before = flow.sent
    gate.forget(flow)
    clock.run(5)
    assert flow.sent == before
    assert not clock.due


def test_nobody_waits_at_the_end():
    clock = Clock()
    gate = gate_of(clock, Meter(RATE))
    flow = Sender(15_000)
    flow.resume(gate)
    clock.run(2)
    assert flow.sent == 15_000
    assert not clock.due


def test_an_outbox_writes_what_it_may():
    clock = Clock()
    gate = gate_of(clock, Meter(RATE))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        silent: Any = Silent()
        outbox = MeteredOutbox(ours, gate, silent)
        outbox.add(memoryview(b"x" * 12_000))
        assert outbox.write() == RATE * BURST
        assert outbox.starved
        assert bytes(outbox.pending or b"") == b"x" * 2_000
        assert outbox.write() == 0
        clock.run(2 * TURN)
        assert outbox.write() == 2_000
        assert outbox.pending is None
        assert not outbox.starved
        theirs.setblocking(False)
        assert len(theirs.recv(20_000)) == 12_000
