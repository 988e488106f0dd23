"""Each term's load is what is used of it, and its sentence holds the arithmetic."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from netkit.bench.analysis import Term
from netkit.bench.groups import Group, grouped
from netkit.bench.model import Direction, Setting, Transfer
from netkit.bench.terms import Use, limits, link_rates, uses
from netkit.text.link_shapes import LinkShape
from support.measurements import REAL, TRIAL, Tunnel, measured

KNOWN = (125_000.0, "")


def group(*runs: Transfer) -> Group:
    (found,) = grouped(measured(*runs))
    return found


def use(term: Term, *runs: Transfer, setting: Setting = REAL, **others) -> Use:
    found = uses(setting, group(*runs), others.get("plain"), others.get("link"))
    return next(each for each in found if each.term is term)


def test_the_link_counts_what_is_on_the_wire():
    found = use(Term.LINK, *Tunnel(link=125_000).transfers(ratio=0.25), link=KNOWN)
    assert found.load == pytest.approx(1.0)
    assert (
        found.text == "1.00 Mbit/s on the wire are 100 % of the 1.00 Mbit/s that the link carries"
    )
    assert limits(found)


def test_a_load_beyond_all_numbers_is_no_load():
    found = uses(REAL, group(*Tunnel(link=1e6).transfers()), None, (5e-324, ""))
    assert Term.LINK not in {each.term for each in found}
    endless = replace(REAL, round_trip=1.7e308)
    found = uses(endless, group(*Tunnel(window=1).transfers()), None, None)
    assert Term.OUR_WINDOW not in {each.term for each in found}


def test_the_gateways_window_with_the_arithmetic():
    tunnel = Tunnel(window=2 << 20, round_trip=0.1, noise=0.0, link=20e6)
    found = use(
        Term.GATEWAY_WINDOW,
        *(replace(run, starved=None) for run in tunnel.transfers(Direction.UP)),
        setting=replace(REAL, round_trip=0.1),
    )
    assert found.load == pytest.approx(20e6 / (20 * (1 << 20)), rel=1e-3)
    assert found.text == (
        "2 MiB of the gateway's window per 100 ms round trip allow 21.0 MB/s; "
        "20.0 MB/s is 95 % of it"
    )


@pytest.mark.parametrize(
    ("direction", "term"),
    [
        (Direction.UP, Term.GATEWAY_WINDOW),
        (Direction.LOOP, Term.GATEWAY_WINDOW),
        (Direction.DOWN, Term.OUR_WINDOW),
    ],
)
def test_the_window_is_the_receivers(direction, term):
    tunnel = Tunnel(window=2 << 20)
    assert limits(use(term, *tunnel.transfers(direction)))


@pytest.mark.parametrize(
    ("share", "starved", "limiting"),
    [
        (0.81, None, True),
        (0.79, None, False),
        (0.9, 0.1, False),  # it looks full, but nobody waited
        (0.9, 0.11, True),
        (0.6, 0.5, True),  # it looks half empty, but somebody did
        (0.6, 0.49, False),
        (0.4, 0.9, False),
    ],
)
def test_waiting_for_window_is_evidence(share, starved, limiting):
    tunnel = Tunnel(window=2 << 20, link=share * (2 << 20) / 0.02, noise=0.0)
    run = replace(tunnel.transfer(Direction.UP), starved=starved)
    assert limits(use(Term.GATEWAY_WINDOW, run)) is limiting


def test_a_term_limits_from_four_fifths():
    assert limits(Use(Term.LINK, 0.8, ""))
    assert not limits(Use(Term.LINK, 0.799, ""))


@pytest.mark.parametrize("round_trip", [0.0, -1.0, math.inf, math.nan])
def test_no_window_without_a_round_trip(round_trip):
    setting = replace(REAL, round_trip=round_trip)
    found = uses(setting, group(*Tunnel(link=1e6).transfers()), None, None)
    assert {each.term for each in found} == {Term.OUR_CPU, Term.GATEWAY_CPU}


@pytest.mark.parametrize("ratio", [None, 0.25])
def test_processors_without_anything_to_compare_with(ratio):
    tunnel = Tunnel(ours=1e8, gateways=4e8, ours_packed=1e8, gateways_packed=4e8)
    ours = use(Term.OUR_CPU, *tunnel.transfers(ratio=ratio))
    assert ours.load == pytest.approx(1.0)
    assert ours.text == "our side uses 100 % of a processor at 100 MB/s, 10.0 s per GB"
    assert use(Term.GATEWAY_CPU, *tunnel.transfers(ratio=ratio)).load == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("direction", "work"),
    [
        (Direction.UP, "compression"),
        (Direction.DOWN, "decompression"),
        (Direction.LOOP, "compression and decompression"),
    ],
)
def test_our_processor_compresses_if_that_is_what_costs(direction, work):
    tunnel = Tunnel(ours=1e9, ours_packed=2.5e7)
    plain = group(*tunnel.transfers(direction))
    found = use(Term.OUR_COMPRESSION, *tunnel.transfers(direction, ratio=0.25), plain=plain)
    assert found.text == (
        "our side uses 100 % of a processor at 25.0 MB/s, 40.0 s per GB "
        f"against 1.00 s per GB without {work}"
    )


@pytest.mark.parametrize(
    ("direction", "work"), [(Direction.DOWN, "compression"), (Direction.UP, "decompression")]
)
def test_the_gateways_processor_does_the_other_half(direction, work):
    tunnel = Tunnel(gateways=1e9, gateways_packed=5e7)
    plain = group(*tunnel.transfers(direction))
    found = use(Term.GATEWAY_COMPRESSION, *tunnel.transfers(direction, ratio=0.25), plain=plain)
    assert found.text.startswith("the gateway uses 100 % of a processor at 50.0 MB/s")
    assert found.text.endswith(f" without {work}")


@pytest.mark.parametrize(
    ("packed", "term"), [(0.67e9, Term.OUR_CPU), (0.66e9, Term.OUR_COMPRESSION)]
)
def test_compression_is_named_only_where_it_is_clearly_dearer(packed, term):
    tunnel = Tunnel(ours=1e9, ours_packed=packed)
    plain = group(*tunnel.transfers())
    assert use(term, *tunnel.transfers(ratio=0.25), plain=plain).load == pytest.approx(1.0)


def test_a_slow_link_does_not_make_compression_look_cheap():
    """At the same load the compressed transfer carries four times as much: per byte it counts."""
    tunnel = Tunnel(link=1e6, ours=1e9, ours_packed=2.5e7)
    plain = group(*tunnel.transfers(Direction.UP))
    packed = tunnel.transfers(Direction.UP, ratio=0.25)
    assert use(Term.OUR_COMPRESSION, *packed, plain=plain).load == pytest.approx(0.16)


def test_the_fullest_comes_first():
    tunnel = Tunnel(ours=1e8, gateways=2e8, link=5e8)
    found = uses(REAL, group(*tunnel.transfers()), None, (5e8, ""))
    assert [each.term for each in found[:3]] == [Term.OUR_CPU, Term.GATEWAY_CPU, Term.LINK]
    assert [each.load for each in found] == sorted((each.load for each in found), reverse=True)


# --- what the link carries


def test_an_imitated_link_is_known_in_every_direction():
    setting = replace(TRIAL, shape=LinkShape(rate=125_000.0, round_trip=0.05))
    assert link_rates(setting, ()) == dict.fromkeys(Direction, KNOWN)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.inf, math.nan])
def test_a_nonsense_rate_is_not_believed(rate):
    setting = replace(TRIAL, shape=LinkShape(rate=rate, round_trip=0.05))
    assert link_rates(setting, ()) == {}


def both(tunnel: Tunnel, ratio: float = 0.25) -> tuple[Group, ...]:
    return grouped(measured(*tunnel.transfers(), *tunnel.transfers(ratio=ratio)))


def test_the_same_on_the_wire_with_compression_and_without_is_the_link():
    found = link_rates(REAL, both(Tunnel(link=1e6)))
    assert set(found) == {Direction.DOWN}
    rate, why = found[Direction.DOWN]
    assert rate == pytest.approx(1e6)
    text = use(Term.LINK, *Tunnel(link=1e6).transfers(), link=(rate, why)).text
    assert text.endswith("8.00 Mbit/s that the link carries, as much with compression as without")


@pytest.mark.parametrize(
    "tunnel",
    [
        Tunnel(window=2 << 20, round_trip=0.02),  # as much of the flow, not on the wire
        Tunnel(link=1e6, gateways_packed=4e6),  # a processor explains it as well
        Tunnel(ours=1e6, ours_packed=4e6),
    ],
)
def test_without_evidence_the_link_is_unknown(tunnel):
    assert link_rates(REAL, both(tunnel)) == {}


@pytest.mark.parametrize(("share", "known"), [(0.88, False), (0.92, True)])
def test_as_much_is_within_a_tenth(share, known):
    runs = (*Tunnel(link=1e6).transfers(), *Tunnel(link=share * 1e6).transfers(ratio=0.25))
    found = link_rates(REAL, grouped(measured(*runs)))
    assert bool(found) is known
    assert not known or found[Direction.DOWN][0] == pytest.approx(1e6)


@pytest.mark.parametrize(("ratio", "known"), [(0.8, False), (0.7, True)])
def test_the_flow_has_to_differ_where_the_wire_does_not(ratio, known):
    assert bool(link_rates(REAL, both(Tunnel(link=1e6), ratio))) is known


def test_a_payload_that_does_not_shrink_is_no_evidence():
    assert link_rates(REAL, both(Tunnel(link=1e6), ratio=1.0)) == {}


def test_loopback_is_no_link():
    assert link_rates(TRIAL, both(Tunnel(link=1e6))) == {}
