"""Compression against none, and the link below which it pays."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.bench.analysis import Effect, Pair
from netkit.bench.groups import grouped
from netkit.bench.limits import limits
from netkit.bench.model import Direction, Measured, Transfer
from netkit.bench.pairs import pairs, partners
from netkit.bench.statistics import Spread
from support.measurements import CHACHA, GCM, REAL, TRIAL, ZLIB, Tunnel, measured


def paired(of: Measured) -> tuple[Pair, ...]:
    return pairs(of, limits(of))


def one(*runs: Transfer, setting=REAL) -> Pair:
    (pair,) = paired(measured(*runs, setting=setting))
    return pair


def both(tunnel: Tunnel, ratio: float, direction=Direction.DOWN, **kinds) -> tuple[Transfer, ...]:
    return (
        *tunnel.transfers(direction, ratio=ratio, **kinds),
        *tunnel.transfers(direction, **kinds),
    )


def test_a_slow_link_gains_the_ratio():
    pair = one(*both(replace(ZLIB, link=1.25e5), 0.25))
    assert pair.effect is Effect.HELPS
    assert pair.gain.median == pytest.approx(4.0)
    assert pair.ratio == pytest.approx(0.25, rel=1e-3)


def test_a_fast_link_loses():
    pair = one(*both(ZLIB, 0.25), setting=TRIAL)
    assert pair.effect is Effect.COSTS
    assert pair.gain.median == pytest.approx(3e7 / 8e8)


def test_what_the_window_limits_gains_nothing():
    pair = one(*both(replace(ZLIB, window=1 << 16), 0.25))
    assert pair.effect is Effect.NEUTRAL


def test_rounds_that_contradict_each_other_are_no_verdict():
    slow, fast = Tunnel(link=1e6), Tunnel(link=4e6)
    runs = (
        slow.transfer(number=0, ratio=1.0),
        fast.transfer(number=0),
        fast.transfer(number=1, ratio=1.0),
        slow.transfer(number=1),
        slow.transfer(number=2, ratio=1.0),
        slow.transfer(number=2),
    )
    assert one(*runs).effect is Effect.UNCLEAR


def test_two_rounds_are_no_verdict():
    tunnel = Tunnel(link=1e5)
    assert one(*tunnel.transfers(rounds=2), *tunnel.transfers(ratio=0.1, rounds=2)).effect is (
        Effect.UNCLEAR
    )


# --- break even


@pytest.mark.parametrize(
    ("direction", "capacity"), [(Direction.DOWN, 3e7), (Direction.UP, 3e7), (Direction.LOOP, 3e7)]
)
def test_break_even_is_what_the_busier_side_can_do(direction, capacity):
    pair = one(*both(replace(ZLIB, link=1.25e5), 0.25, direction))
    assert pair.break_even == pytest.approx(capacity, rel=1e-3)
    assert pair.at_least, "the link was the limit, no processor"


def test_break_even_is_exact_where_a_processor_was_the_limit():
    pair = one(*both(ZLIB, 0.25), setting=TRIAL)
    assert pair.break_even == pytest.approx(3e7)
    assert not pair.at_least


@given(
    link=st.floats(4.0, 9.5).map(lambda power: 10.0**power),
    ratio=st.floats(0.05, 0.9),
    packed=st.floats(6.0, 8.5).map(lambda power: 10.0**power),
)
def test_the_verdict_agrees_with_the_break_even(link, ratio, packed):
    """Below break-even compression is not slower, above it not faster: the model's own words."""
    tunnel = Tunnel(link=link, gateways_packed=packed, noise=0.0)
    pair = one(*both(tunnel, ratio))
    assert pair.break_even is not None
    if link < pair.break_even * 0.99:
        assert pair.gain.median >= 0.999
    elif link > pair.break_even * 1.01:
        assert pair.gain.median <= 1.001


@pytest.mark.parametrize("ratio", [0.97, 1.0, 1.02])
def test_what_does_not_shrink_pays_on_no_link(ratio):
    assert one(*both(replace(ZLIB, link=1e5), ratio)).break_even == 0.0


def test_what_is_faster_than_the_cipher_alone_pays_on_any_link():
    tunnel = Tunnel(ours=5e7, ours_packed=3e8, gateways_packed=4e8)
    pair = one(*both(tunnel, 0.001), setting=TRIAL)
    assert pair.effect is Effect.HELPS
    assert pair.break_even == math.inf


def test_a_gateway_that_compresses_unseen_may_be_slow():
    tunnel = replace(ZLIB, link=1e6, sees_gateway=False)
    down, up = paired(
        measured(*both(tunnel, 0.25, Direction.DOWN), *both(tunnel, 0.25, Direction.UP))
    )
    assert down.break_even == pytest.approx(4e6)
    assert down.at_least
    assert up.break_even == pytest.approx(4e7, rel=1e-3)
    assert up.at_least


def test_an_unseen_gateway_does_not_matter_where_we_are_the_limit():
    tunnel = Tunnel(sees_gateway=False, ours=1e9, ours_packed=4e7)
    pair = one(*both(tunnel, 0.25))
    assert pair.break_even == pytest.approx(4e7)
    assert not pair.at_least


def test_without_any_load_it_is_at_least_what_was_seen():
    runs = (replace(run, cpu=0.0, gateway_cpu=None) for run in both(Tunnel(link=1e6), 0.25))
    pair = one(*runs)
    assert pair.break_even == pytest.approx(4e6)
    assert pair.at_least


def test_nothing_passed_nothing_known():
    off = Tunnel(link=1e6).transfer()
    on = replace(Tunnel(link=1e6).transfer(ratio=0.5), size=0, wire=0)
    pair = one(on, off)
    assert (pair.break_even, pair.ratio, pair.effect) == (None, 0.0, Effect.UNCLEAR)


def test_break_even_takes_a_ratio_and_a_rate():
    tunnel = Tunnel(link=1e6)
    unseen = (replace(run, wire=0) for run in tunnel.transfers(ratio=0.5))
    assert one(*tunnel.transfers(), *unseen).break_even is None
    first, *stalled = tunnel.transfers(ratio=0.5)
    stalled = [replace(run, size=0, wire=0) for run in stalled]
    assert one(*tunnel.transfers(), first, *stalled).break_even is None


# --- who is compared with whom


def test_one_corpus_without_compression_stands_for_all():
    tunnel = Tunnel(link=1e6, noise=0.0)
    runs = (
        *tunnel.transfers(corpus="random"),
        *tunnel.transfers(corpus="zeros", ratio=0.01),
        *tunnel.transfers(corpus="text", ratio=0.25),
    )
    found = {pair.corpus: pair.gain.median for pair in paired(measured(*runs))}
    assert list(found) == ["text", "zeros"]
    assert found == {"text": pytest.approx(4.0), "zeros": pytest.approx(100.0)}


def test_its_own_corpus_comes_first():
    slow, fast = Tunnel(link=1e6, noise=0.0), Tunnel(link=4e6, noise=0.0)
    (on,) = grouped(measured(*slow.transfers(ratio=0.5)))
    offs = grouped(measured(*slow.transfers(rounds=2), *fast.transfers(corpus="random", rounds=3)))
    assert partners(on, offs) == [(0, 1e6), (1, 1e6), (2, 4e6)]


def test_another_cipher_is_no_partner():
    tunnel = Tunnel(link=1e6)
    assert paired(measured(*tunnel.transfers(ratio=0.5), *tunnel.transfers(cipher=CHACHA))) == ()


def test_the_agreed_cipher_is_the_one_that_is_compared():
    slow, fast = Tunnel(link=1e6, noise=0.0), Tunnel(link=4e6, noise=0.0)
    runs = (*both(slow, 0.5, cipher=CHACHA), *fast.transfers(ratio=0.5), *slow.transfers())
    assert one(*runs).gain == Spread((8.0, 8.0, 8.0))
    runs = both(slow, 0.5, cipher=CHACHA)
    assert one(*runs).gain == Spread((2.0, 2.0, 2.0))


def test_the_other_direction_is_no_partner():
    tunnel = Tunnel(link=1e6)
    runs = (*tunnel.transfers(Direction.UP, ratio=0.5), *tunnel.transfers(Direction.DOWN))
    assert paired(measured(*runs)) == ()


def test_limits_may_be_unknown():
    of = measured(*both(ZLIB, 0.25))
    (pair,) = pairs(of, ())
    assert pair.at_least
    assert f"down.text.on.{GCM}" in {limit.figure for limit in limits(of)}
