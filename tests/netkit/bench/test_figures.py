"""Every measured thing is a figure with a key that stays."""

from __future__ import annotations

import math
import random

import pytest

from netkit.bench.analysis import Unit
from netkit.bench.figures import LEAST, PARTS, figures, parts
from netkit.bench.model import (
    Connections,
    Direction,
    Echo,
    FirstBytes,
    Login,
    Measured,
    Setting,
)
from netkit.bench.statistics import Spread
from support.measurements import CHACHA, GCM, REAL, Tunnel

TUNNEL = Tunnel(link=1e6)


def login(total: float) -> Login:
    return Login(
        cipher=GCM,
        compression=False,
        tcp=total / 10,
        key_exchange=total / 5,
        authentication=total / 2,
        total=total,
    )


EVERYTHING = Measured(
    setting=REAL,
    logins=(login(0.3), login(0.1), login(0.2)),
    transfers=(
        *TUNNEL.transfers(Direction.DOWN, Direction.UP),
        *TUNNEL.transfers(Direction.DOWN, ratio=0.25),
        *TUNNEL.transfers(Direction.DOWN, cipher=CHACHA),
    ),
    echoes=(
        Echo(beside=None, samples=(0.1, 0.2, 0.3)),
        Echo(beside=Direction.UP, samples=(0.5,)),
    ),
    first_bytes=(FirstBytes(how="command", samples=(0.4, 0.5)),),
    connections=tuple(
        Connections(round=number, at_once=at_once, count=100, seconds=0.1)
        for number in range(3)
        for at_once in (8, 1)
    ),
)


def test_keys_groups_and_their_order():
    assert [(figure.group, figure.key) for figure in figures(EVERYTHING)] == [
        ("login", "login.total"),
        ("login", "login.tcp"),
        ("login", "login.key-exchange"),
        ("login", "login.authentication"),
        ("latency", "first-byte.command"),
        ("latency", "echo.idle.p50"),
        ("latency", "echo.idle.p99"),
        ("latency", "echo.up.p50"),
        ("latency", "echo.up.p99"),
        ("throughput", f"down.text.off.{GCM}"),
        ("throughput", f"down.text.on.{GCM}"),
        ("throughput", f"up.text.off.{GCM}"),
        ("compression", "ratio.down.text"),
        ("ciphers", f"down.text.off.{CHACHA}"),
        ("connections", "connections.1"),
        ("connections", "connections.8"),
    ]


def test_values_units_and_directions():
    found = {figure.key: figure for figure in figures(EVERYTHING)}
    assert found["login.total"].spread == Spread((0.1, 0.2, 0.3))
    assert found["login.key-exchange"].spread.median == pytest.approx(0.04)
    assert found["first-byte.command"].spread == Spread((0.4, 0.5))
    assert found["echo.idle.p50"].spread == Spread((0.2,))
    assert found["connections.8"].spread.median == pytest.approx(1000)
    assert found["connections.8"].unit is Unit.PER_SECOND
    assert found["ratio.down.text"].spread.median == pytest.approx(0.25)
    assert not found["ratio.down.text"].more_is_better
    packed = found[f"down.text.on.{GCM}"]
    assert packed.spread.median == pytest.approx(4e6)
    assert (packed.direction, packed.cipher, packed.compression, packed.corpus) == (
        Direction.DOWN,
        GCM,
        True,
        "text",
    )
    assert packed.more_is_better
    assert CHACHA in found[f"down.text.off.{CHACHA}"].title
    titles = [figure.title for figure in found.values()]
    assert len(set(titles)) == len(titles)


def test_nothing_measured_nothing_to_show():
    assert figures(Measured(setting=Setting(gateway="gw"))) == ()
    empty = Measured(
        setting=REAL,
        echoes=(Echo(beside=None, samples=()),),
        first_bytes=(FirstBytes(how="command", samples=(math.inf,)),),
        connections=(Connections(round=0, at_once=1, count=5, seconds=0.0),),
    )
    assert figures(empty) == ()


def test_the_quantile_of_few_round_trips_is_one_value():
    assert parts([(3.0, 1.0, 2.0)], 0.5) == Spread((2.0,))
    assert parts([], 0.5) is parts([()], 0.5) is None


def test_a_long_series_is_cut_in_order():
    """The machine gets slower on the way: the parts show it."""
    series = tuple(float(number // 20) for number in range(20 * PARTS))
    assert parts([series], 0.5) == Spread.of(float(part) for part in range(PARTS))


def test_each_part_has_enough_for_its_quantile():
    chance = random.Random(1)
    samples = tuple(chance.random() for _ in range(1000))
    for p, least in LEAST.items():
        spread = parts([samples[: 3 * least]], p)
        assert spread is not None
        assert spread.count == 3
        long = parts([samples], p)
        assert long is not None
        assert long.count == PARTS
        assert long.median == pytest.approx(p, abs=0.05)


def test_several_series_are_parts_already():
    spread = parts([(float(number),) * 500 for number in range(PARTS)], 0.99)
    assert spread == Spread.of(float(number) for number in range(PARTS))


def test_round_trips_that_cannot_be_are_left_out():
    assert parts([(math.nan, -1.0, math.inf, 2.0)], 0.99) == Spread((2.0,))


def test_first_bytes_of_a_command_are_not_those_of_a_forward():
    measured = Measured(
        setting=REAL,
        first_bytes=(
            FirstBytes(how="command", samples=(0.1,)),
            FirstBytes(how="forward", samples=(0.2,)),
            FirstBytes(how="command", samples=(0.3,)),
        ),
    )
    found = {figure.key: figure.spread.values for figure in figures(measured)}
    assert found == {"first-byte.command": (0.1, 0.3), "first-byte.forward": (0.2,)}
