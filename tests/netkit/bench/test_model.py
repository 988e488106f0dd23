"""What is derived from a transfer: rates, ratios and loads, and zero where nothing can be said."""

from __future__ import annotations

import pytest

from netkit.bench.model import Connections, Direction, Transfer


def transfer(**values) -> Transfer:
    given = {"size": 8_000_000, "seconds": 2.0, "wire": 2_000_000, "cpu": 0.5, **values}
    return Transfer(
        direction=Direction.UP, round=0, cipher="c", compression=True, corpus="text", **given
    )


def test_rate_ratio_and_load():
    run = transfer(gateway_cpu=1.0)
    assert (run.rate, run.ratio, run.load, run.gateway_load) == (4e6, 0.25, 0.25, 0.5)


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_no_time_no_rate(seconds):
    run = transfer(seconds=seconds, gateway_cpu=1.0)
    assert (run.rate, run.load, run.gateway_load) == (0.0, 0.0, None)
    assert Connections(round=0, at_once=1, count=5, seconds=seconds).rate == 0.0


def test_nothing_passed():
    assert transfer(size=0).ratio == 0.0


def test_an_unseen_gateway_has_no_load():
    assert transfer().gateway_load is None


def test_flows_per_second():
    assert Connections(round=0, at_once=8, count=100, seconds=0.5).rate == 200.0
