"""Transfers of one kind are one line; what cannot have happened is left out."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from netkit.bench.groups import default_cipher, grouped, place, way
from netkit.bench.model import Direction, Measured, Setting
from support.measurements import CHACHA, GCM, REAL, Tunnel, measured

TUNNEL = Tunnel(link=1e6)


def test_rounds_of_a_kind_are_a_group():
    runs = TUNNEL.transfers(Direction.DOWN, rounds=3)
    (group,) = grouped(measured(*reversed(runs)))
    assert group.key == f"down.text.off.{GCM}"
    assert group.runs == runs
    assert group.rates.count == 3
    assert group.by_round == [(number, run.rate) for number, run in enumerate(runs)]


def test_medians_over_the_runs():
    tunnel = Tunnel(link=1e6, ours_packed=8e6, gateways_packed=16e6, window=1 << 21)
    (group,) = grouped(measured(*tunnel.transfers(Direction.UP, ratio=0.25)))
    assert group.key == f"up.text.on.{GCM}"
    assert group.rate == pytest.approx(4e6)
    assert group.wire_rate == pytest.approx(1e6)
    assert group.ratio == pytest.approx(0.25)
    assert group.load == pytest.approx(0.5)
    assert group.gateway_load == pytest.approx(0.25)
    assert group.cost == pytest.approx(1 / 8e6)
    assert group.gateway_cost == pytest.approx(1 / 16e6)
    assert group.window == 1 << 21
    assert group.starved == pytest.approx(4e6 * 0.02 / (1 << 21))


def test_what_could_not_be_seen_is_not_zero():
    run = replace(TUNNEL.transfer(), cpu=0.0, gateway_cpu=None, window=0, starved=None, wire=0)
    assert grouped(measured(replace(run, busy=0.5)))[0].busy == 0.5
    (group,) = grouped(measured(run))
    assert group.load is group.gateway_load is group.cost is group.gateway_cost is None
    assert group.window is group.starved is group.ratio is group.busy is None
    assert group.wire_rate == 0.0


def test_the_order_is_that_of_the_table():
    runs = [
        TUNNEL.transfer(direction, cipher=cipher, corpus=corpus, ratio=ratio)
        for cipher in (CHACHA, GCM)
        for corpus in ("mine", "zeros", "text")
        for ratio in (0.5, None)
        for direction in (Direction.UP, Direction.DOWN)
    ]
    keys = [group.key for group in grouped(measured(*runs))]
    assert keys == [
        f"{direction}.{corpus}.{switch}.{cipher}"
        for direction in ("down", "up")
        for cipher in (GCM, CHACHA)
        for corpus in ("text", "zeros", "mine")
        for switch in ("off", "on")
    ]


@pytest.mark.parametrize(
    "change", [{"seconds": 0.0}, {"seconds": -1.0}, {"size": -1}, {"seconds": 5e-324}]
)
def test_what_cannot_have_happened_is_left_out(change):
    good = TUNNEL.transfer()
    bad = replace(good, round=1, **change)
    (group,) = grouped(measured(good, bad))
    assert group.runs == (good,)
    assert grouped(measured(bad)) == ()


def test_nothing_passed_is_a_measurement():
    (group,) = grouped(measured(replace(TUNNEL.transfer(), size=0, wire=0)))
    assert group.rate == 0.0
    assert group.ratio is None


def test_a_first_look_counts_where_there_is_nothing_else():
    look, run = TUNNEL.transfer(number=-1), TUNNEL.transfer(number=0)
    assert grouped(measured(look, run))[0].runs == (run,)
    assert grouped(measured(look))[0].runs == (look,)


def test_infinite_time_is_no_rate():
    endless = replace(TUNNEL.transfer(), seconds=math.inf)
    assert [group.rate for group in grouped(measured(endless))] == [0.0]


def test_the_default_cipher_is_the_agreed_one_else_the_first():
    groups = grouped(Measured(setting=Setting(gateway="gw"), transfers=(TUNNEL.transfer(),)))
    assert default_cipher(REAL, groups) == GCM
    assert default_cipher(replace(REAL, cipher=CHACHA), groups) == CHACHA
    assert default_cipher(replace(REAL, cipher=""), groups) == GCM
    assert default_cipher(replace(REAL, cipher=""), ()) == ""


def test_places_and_ways():
    assert place("text") < place("zeros") < place("sample") < place("anything")
    assert {way(direction) for direction in Direction} == {"down", "up", "out and back"}
