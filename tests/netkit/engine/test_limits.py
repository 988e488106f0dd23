"""Who is let in, and what is said of who is not."""

from __future__ import annotations

import contextlib
import socket

import pytest

from netkit.engine.limits import Guard, TunnelLimits
from netkit.engine.teller import Teller
from netkit.errors import UsageError
from netkit.model import Endpoint, ForwardKind, ForwardSpec, Limits

HERE = ForwardSpec(ForwardKind.LOCAL, Endpoint("127.0.0.1", 1), Endpoint("h", 1))
EVERYWHERE = ForwardSpec(ForwardKind.LOCAL, Endpoint("0.0.0.0", 1), Endpoint("h", 1))


@pytest.fixture
def told():
    return []


@pytest.fixture
def clients():
    with contextlib.ExitStack() as stack:

        def make() -> socket.socket:
            ours, theirs = socket.socketpair()
            stack.enter_context(ours)
            stack.enter_context(theirs)
            return ours

        yield make


def teller(told: list[tuple[str, str]]) -> Teller:
    return Teller(lambda code, text: told.append((code, text)))


def test_as_many_as_may_and_no_more(told, clients):
    guard = Guard(HERE, Limits(flows=2), teller(told))
    first, second, third = clients(), clients(), clients()
    assert guard.admit(first, ("127.0.0.1", 1))
    assert guard.admit(second, ("127.0.0.1", 2))
    assert not guard.admit(third, ("127.0.0.1", 3))
    assert third.fileno() < 0
    assert told[0][0] == "too-many-flows"
    first.close()
    assert guard.admit(clients(), ("127.0.0.1", 4))


def test_one_machine_does_not_take_everything(told, clients):
    guard = Guard(EVERYWHERE, Limits(flows=9), teller(told))
    greedy = sum(guard.admit(clients(), ("192.0.2.1", n)) for n in range(20))
    assert greedy == 6
    assert guard.admit(clients(), ("192.0.2.2", 1))


def test_sources(told, clients):
    guard = Guard(EVERYWHERE, Limits(sources=("192.0.2.0/24", "::1")), teller(told))
    assert guard.admit(clients(), ("192.0.2.7", 1))
    assert guard.admit(clients(), ("::ffff:192.0.2.7", 1, 0, 0))
    assert guard.admit(clients(), ("::1", 1, 0, 0))
    assert not guard.admit(clients(), ("198.51.100.1", 1))
    assert not guard.admit(clients(), "")
    assert [code for code, _ in told] == ["source-refused"]


def test_a_loopback_bind_has_no_sources(told, clients):
    limits = TunnelLimits(Limits(sources=("192.0.2.0/24",)), lambda code, text: None)
    assert limits.admission(HERE) is None
    assert limits.admission(EVERYWHERE) is not None


def test_without_limits_nobody_is_asked():
    limits = TunnelLimits(Limits(), lambda code, text: None)
    assert limits.admission(EVERYWHERE) is None


def test_a_forward_has_one_guard_and_one_pair_of_meters():
    limits = TunnelLimits(Limits(flows=1, rate=2048), lambda code, text: None)
    assert limits.guard(HERE) is limits.guard(HERE)
    assert limits.guard(HERE) is not limits.guard(EVERYWHERE)
    assert limits.meters(HERE) == limits.meters(HERE)
    assert limits.meters(HERE)[0] is not limits.meters(HERE)[1]


def test_patterns_that_are_none():
    with pytest.raises(UsageError):
        TunnelLimits(Limits(targets=("nothing",)), lambda code, text: None)
