from __future__ import annotations

import threading

import pytest

from netkit import errors
from netkit.cli.output import Output
from netkit.cli.services import Services
from netkit.cli.tunnel_job import Request, TunnelJob
from netkit.model import Gateway, TunnelSpec
from netkit.text.forwards import parse_bind_to
from support.cli import FakeTunnel, plan_of

SPEC = TunnelSpec(
    gateway=Gateway("gw"), forwards=(parse_bind_to("127.0.0.2:3389", "desktop:3389"),)
)


class Friend:
    """A companion that notes what it is told, and ends the tunnel if so wished."""

    def __init__(self, *, ends: bool = False) -> None:
        self.told: list[str] = []
        self._ends = ends
        self._threads: list[threading.Thread] = []

    def up(self, tunnel, plan, end):
        self.told.append(f"up {tunnel.forwards[0].addresses[0]} through {plan.hops[-1].alias}")
        if self._ends:
            self._threads.append(threading.Thread(target=end))
            self._threads[0].start()

    def down(self):
        self.told.append("down")
        for thread in self._threads:
            thread.join()


def job(tunnel: FakeTunnel, *companions: Friend) -> TunnelJob:
    services = Services(plan=plan_of, tunnel=tunnel)
    return TunnelJob(Request(spec=SPEC, drain=1.5), services, Output(), companions)


def test_a_companion_is_told_when_the_tunnel_is_up_and_over():
    friend = Friend()
    assert job(FakeTunnel(), friend).work() == 0
    assert friend.told == ["up 127.0.0.2:3389 through gw", "down"]


def test_a_companion_ends_the_tunnel():
    tunnel, friend = FakeTunnel(stays=True), Friend(ends=True)
    assert job(tunnel, friend).work() == 0
    assert tunnel.drains[0] == 1.5
    assert friend.told[-1] == "down"


def test_a_companion_is_told_of_a_tunnel_that_was_lost():
    friend = Friend()
    with pytest.raises(errors.LinkLostError):
        job(FakeTunnel(end_error=errors.LinkLostError("gone")), friend).work()
    assert friend.told[-1] == "down"


def test_a_tunnel_that_never_was_up_has_no_company():
    friend = Friend()
    with pytest.raises(errors.BindError):
        job(FakeTunnel(start_error=errors.BindError("taken")), friend).work()
    assert friend.told == []
