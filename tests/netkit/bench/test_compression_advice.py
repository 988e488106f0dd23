"""Compression: on, off, it depends, or nobody knows."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from netkit.bench.analysis import Advice, Effect, Limit, Pair, Term
from netkit.bench.compression_advice import PAYLOAD, SECRETS, WINDOW, advise_compression
from netkit.bench.limits import limits
from netkit.bench.model import Direction, Transfer
from netkit.bench.pairs import pairs
from netkit.bench.statistics import Spread
from netkit.text.link_shapes import LinkShape
from support.measurements import GCM, REAL, TRIAL, ZLIB, Tunnel, measured

SLOW = replace(TRIAL, shape=LinkShape(rate=125_000.0, round_trip=0.05), round_trip=0.05)
GAINS = {
    Effect.HELPS: Spread((2.0, 2.0, 2.0)),
    Effect.COSTS: Spread((0.5, 0.5, 0.5)),
    Effect.NEUTRAL: Spread((1.0, 1.0, 1.0)),
    Effect.UNCLEAR: Spread((0.5, 1.0, 2.0)),
}


def pair(corpus: str, effect: Effect, direction=Direction.DOWN, **others) -> Pair:
    values = {"ratio": 0.25, "break_even": 25e6, **others}
    return Pair(direction=direction, corpus=corpus, gain=GAINS[effect], effect=effect, **values)


def advice(*found: Pair, setting=REAL, limiting: tuple[Limit, ...] = ()) -> Advice:
    return advise_compression(measured(setting=setting), found, limiting)


H, C, N, U = Effect.HELPS, Effect.COSTS, Effect.NEUTRAL, Effect.UNCLEAR


@pytest.mark.parametrize(
    ("effects", "verdict"),
    [
        ({"text": H}, "on"),
        ({"text": H, "random": N}, "on"),
        ({"text": H, "random": U}, "on"),
        ({"text": H, "random": C}, "depends"),
        ({"text": C}, "off"),
        ({"text": N, "random": C}, "off"),
        ({"text": U, "random": C}, "off"),
        ({"text": N, "random": N}, "off"),
        ({"text": U}, "unclear"),
        ({"text": U, "random": N}, "unclear"),
        ({"text": C, "zeros": H}, "off"),  # nobody sends zeros
        ({"text": H, "zeros": C}, "on"),
        ({"zeros": H}, "on"),
        ({"text": C, "random": C, "sample": H}, "on"),  # the user's own decides
        ({"text": H, "sample": U}, "unclear"),
    ],
)
def test_verdict(effects, verdict):
    found = advice(*(pair(corpus, effect) for corpus, effect in effects.items()))
    assert found.topic == "compression"
    assert found.verdict == verdict


def test_directions_may_disagree():
    found = advice(pair("text", H, Direction.UP), pair("text", C, Direction.DOWN))
    assert found.verdict == "depends"
    assert (
        found.title
        == "It depends on the payload over this link: text up 2.00 x, but text down 0.50 x."
    )


def test_the_fix_is_an_option_of_forward():
    (fix,) = advice(pair("text", H)).fixes
    assert fix.command == "netkit forward ... -C"
    assert advice(pair("text", C)).fixes == ()
    (fix,) = advice(pair("text", C), setting=TRIAL).fixes
    assert fix.argv[:3] == ("netkit", "bench", "--link")


def test_where_it_was_measured():
    assert advice(pair("text", H), setting=SLOW).title == (
        "Compression pays over a link of 1.00 Mbit/s and 50.0 ms: text down 2.00 x."
    )
    assert advice(pair("text", C), setting=TRIAL).title == (
        "Leave compression off over loopback: text down 0.50 x."
    )
    assert advice(pair("text", N)).title == (
        "Leave compression off: it makes no difference over this link."
    )


def test_the_title_names_text_first():
    more = replace(pair("program", H), gain=Spread((3.0, 3.0, 3.0)))
    up = replace(pair("text", H, Direction.UP), gain=Spread((2.5, 2.5, 2.5)))
    assert advice(more, pair("text", H), up).title.endswith(": text up 2.50 x.")
    assert advice(more, pair("text", C)).title.endswith(
        "program down 3.00 x, but text down 0.50 x."
    )


def test_break_even_in_bits():
    found = advice(
        pair("text", H, break_even=25e6, at_least=True),
        pair("text", H, Direction.UP, break_even=50e6),
        pair("random", N, break_even=0.0),
        pair("program", U, break_even=None),
        pair("sample", H, break_even=math.inf),
        pair("zeros", H, break_even=1e9),
    )
    assert (
        "It pays for text down on links of up to 200 Mbit/s, perhaps more (the gateway "
        "compresses); "
        "text up on links of up to 400 Mbit/s (this side compresses); sample down on any link. "
        "It never pays for random: it does not shrink. "
    ) in found.text


def test_every_gain_is_told_with_what_it_is_worth():
    text = advice(pair("random", N), pair("text", H), pair("program", U)).text
    assert text.startswith(
        "Speed with compression against without: text down 2.00 x; program down 1.00 x "
        "(unclear); random down 1.00 x (no difference)."
    )


def test_whom_it_does_not_help_and_what_it_may_tell():
    on, off, depends = (
        advice(pair("text", H)),
        advice(pair("text", C)),
        advice(pair("text", H), pair("random", C)),
    )
    assert all(PAYLOAD in found.text for found in (on, off, depends))
    assert [SECRETS in found.text for found in (on, off, depends)] == [True, False, True]


def test_too_few_rounds_are_said():
    few = replace(pair("text", U), gain=Spread((2.0, 2.0)))
    assert "three rounds" in advice(few).text
    assert advice(few).title.endswith("over this link is not clear: there are too few rounds.")
    assert advice(pair("text", U)).title.endswith("is not clear: the rounds do not agree.")
    assert "three rounds" not in advice(pair("text", U)).text


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        (f"down.text.on.{GCM}", True),
        (f"up.text.on.{GCM}", False),
        (f"down.text.off.{GCM}", False),
    ],
)
def test_a_window_is_not_widened_by_compression(figure, said):
    limit = Limit(figure=figure, term=Term.OUR_WINDOW, load=1.0, text="full")
    assert (WINDOW in advice(pair("text", N), limiting=(limit,)).text) is said


def test_a_gateway_that_does_not_compress():
    found = advice(setting=replace(REAL, compression=False))
    assert found.verdict == "off"
    assert "Compression no" in found.text


def test_nothing_was_compared():
    found = advice()
    assert found.verdict == "unclear"
    assert found.fixes == ()


# --- from transfers to the verdict, as the two examples of the documentation


def corpora(tunnel: Tunnel) -> tuple[Transfer, ...]:
    ways = (Direction.DOWN, Direction.UP)
    return (
        *tunnel.transfers(*ways),
        *tunnel.transfers(*ways, ratio=0.25, corpus="text"),
        *tunnel.transfers(*ways, ratio=0.5, corpus="program"),
        *tunnel.transfers(*ways, ratio=1.0, corpus="random"),
    )


def of(tunnel: Tunnel, setting) -> Advice:
    facts = measured(*corpora(tunnel), setting=setting)
    limiting = limits(facts)
    return advise_compression(facts, pairs(facts, limiting), limiting)


def test_on_a_slow_link_text_gains_its_ratio_and_random_loses_nothing():
    found = of(replace(ZLIB, link=125_000.0, round_trip=0.05), SLOW)
    assert found.verdict == "on"
    assert "text down 4.00 x" in found.title
    assert "random down 1.00 x (no difference)" in found.text


def test_on_loopback_it_is_advised_against():
    found = of(replace(ZLIB, round_trip=5e-5), TRIAL)
    assert found.verdict == "off"
    assert "text down on links of up to 240 Mbit/s" in found.text


def test_in_between_it_depends_on_the_payload():
    """A gateway that deflates text faster than the link carries it, and random bytes slower."""
    link = replace(SLOW, shape=LinkShape(rate=12.5e6, round_trip=0.05))
    tunnel = replace(ZLIB, link=12.5e6, round_trip=0.05)
    slower = replace(tunnel, gateways_packed=8e6)
    facts = measured(
        *tunnel.transfers(),
        *tunnel.transfers(ratio=0.25, corpus="text"),
        *slower.transfers(ratio=1.0, corpus="random"),
        setting=link,
    )
    limiting = limits(facts)
    assert advise_compression(facts, pairs(facts, limiting), limiting).verdict == "depends"
