"""Each limiting term is named when it is the one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from netkit.bench.analysis import Limit, Term
from netkit.bench.groups import grouped
from netkit.bench.limits import limits, without_compression
from netkit.bench.model import Direction, Setting
from netkit.text.link_shapes import LinkShape
from support.measurements import CHACHA, GCM, REAL, TRIAL, Tunnel, measured

IDLE = 1e12
WIDE = 1 << 50


def shaped(rate: float, loss: float = 0.0) -> Setting:
    return replace(
        TRIAL, shape=LinkShape(rate=rate, round_trip=0.02, loss=loss), round_trip=0.02, cores=16
    )


def limit_of(tunnel: Tunnel, direction: Direction, setting: Setting, ratio=None) -> Limit:
    """What limits one kind of transfer where it was measured with compression and without."""
    runs = (*tunnel.transfers(direction), *tunnel.transfers(direction, ratio=0.25))
    setting = replace(setting, round_trip=tunnel.round_trip)
    switch = "off" if ratio is None else "on"
    found = {limit.figure: limit for limit in limits(measured(*runs, setting=setting))}
    return found[f"{direction.value}.text.{switch}.{GCM}"]


EACH = [
    (Tunnel(link=1e6), Direction.DOWN, None, Term.LINK),
    (Tunnel(link=1e6), Direction.UP, None, Term.LINK),
    (Tunnel(link=1e6), Direction.LOOP, None, Term.LINK),
    (Tunnel(link=1e6), Direction.DOWN, 0.25, Term.LINK),
    (Tunnel(window=2 << 20), Direction.UP, None, Term.GATEWAY_WINDOW),
    (Tunnel(window=2 << 20), Direction.UP, 0.25, Term.GATEWAY_WINDOW),
    (Tunnel(window=2 << 20), Direction.LOOP, None, Term.GATEWAY_WINDOW),
    (Tunnel(window=2 << 20), Direction.DOWN, None, Term.OUR_WINDOW),
    (Tunnel(ours=1e8), Direction.DOWN, None, Term.OUR_CPU),
    (Tunnel(ours=1e8, ours_packed=1e8), Direction.UP, 0.25, Term.OUR_CPU),
    (Tunnel(gateways=1e8), Direction.UP, None, Term.GATEWAY_CPU),
    (Tunnel(gateways=1e8, gateways_packed=9e7), Direction.DOWN, 0.25, Term.GATEWAY_CPU),
    (Tunnel(ours=1e9, ours_packed=1e8), Direction.UP, 0.25, Term.OUR_COMPRESSION),
    (Tunnel(ours=1e9, ours_packed=1e8), Direction.DOWN, 0.25, Term.OUR_COMPRESSION),
    (Tunnel(gateways=1e9, gateways_packed=3e7), Direction.DOWN, 0.25, Term.GATEWAY_COMPRESSION),
    (Tunnel(gateways=1e9, gateways_packed=3e7), Direction.UP, 0.25, Term.GATEWAY_COMPRESSION),
]


@pytest.mark.parametrize(("tunnel", "direction", "ratio", "term"), EACH)
def test_each_term_is_named_on_a_real_link(tunnel, direction, ratio, term):
    limit = limit_of(tunnel, direction, REAL, ratio)
    assert limit.term is term
    assert limit.load == pytest.approx(1.0, abs=0.05)
    assert limit.text


@pytest.mark.parametrize(("tunnel", "direction", "ratio", "term"), EACH)
def test_each_term_is_named_on_an_imitated_link(tunnel, direction, ratio, term):
    limit = limit_of(tunnel, direction, shaped(min(tunnel.link, 1e10)), ratio)
    assert limit.term is term


CAPACITY = st.floats(5.5, 9.5).map(lambda power: 10.0**power)


@given(
    capacities=st.tuples(CAPACITY, CAPACITY, CAPACITY, CAPACITY),
    direction=st.sampled_from(Direction),
    ratio=st.sampled_from([None, 0.25, 0.5, 1.0]),
)
def test_the_narrowest_term_is_named_whatever_the_others(capacities, direction, ratio):
    """Whoever has the least capacity, by a third at least, is the limit."""
    link, ours, gateways, windowed = capacities
    lowest, second, *_ = sorted((link / (ratio or 1.0), ours, gateways, windowed))
    assume(lowest * 1.3 < second)
    tunnel = Tunnel(
        link=link,
        ours=ours,
        gateways=gateways,
        ours_packed=ours,
        gateways_packed=gateways,
        window=int(windowed * 0.02),
    )
    ours_window = direction is Direction.DOWN
    expected = {
        link / (ratio or 1.0): Term.LINK,
        ours: Term.OUR_CPU,
        gateways: Term.GATEWAY_CPU,
        windowed: Term.OUR_WINDOW if ours_window else Term.GATEWAY_WINDOW,
    }[lowest]
    runs = tunnel.transfers(direction, ratio=ratio)
    (limit,) = limits(measured(*runs, setting=shaped(link)))
    assert limit.term is expected
    assert limit.loads[0] == (limit.term, limit.load)
    assert {term for term, _ in limit.loads} == set(
        {Term.LINK, Term.OUR_CPU, Term.GATEWAY_CPU}
        | {Term.OUR_WINDOW if ours_window else Term.GATEWAY_WINDOW}
    )


def test_by_exclusion_it_is_the_link():
    (limit,) = limits(measured(*Tunnel(link=2e6, window=2 << 20).transfers(Direction.UP)))
    assert limit.term is Term.LINK
    assert limit.load == 1.0
    assert limit.text == (
        "neither the gateway's window (1.9 %) nor our processor (<0.1 %) nor the gateway's "
        "processor (<0.1 %): by exclusion the link, with 16.0 Mbit/s on the wire"
    )


@pytest.mark.parametrize("load", [0.65, 0.75])
def test_nothing_is_excluded_that_is_nearly_used_up(load):
    tunnel = Tunnel(link=2e6, ours=2e6 / load)
    (limit,) = limits(measured(*tunnel.transfers()))
    assert limit.term is Term.UNKNOWN
    assert limit.load == pytest.approx(load, rel=0.05)


def test_a_gateway_that_cannot_be_seen_is_not_excluded():
    tunnel = Tunnel(link=2e6, sees_gateway=False)
    up, down = Direction.UP, Direction.DOWN
    found = limits(measured(*tunnel.transfers(down, up)))
    assert [limit.term for limit in found] == [Term.UNKNOWN, Term.UNKNOWN]
    assert "gateway's processor" not in found[0].text
    assert found[0].text.endswith(": the link, or what the gateway makes the data from")
    assert found[1].text.endswith(": the link, or what the gateway does with the data")


def test_only_our_side_to_be_seen():
    run = replace(Tunnel(link=1e6, ours=2e6, sees_gateway=False).transfer(), window=0)
    (limit,) = limits(measured(run))
    assert limit.text.startswith("not our processor (49 %): ")


def test_nothing_to_be_seen_at_all():
    run = replace(Tunnel(link=1e6).transfer(), cpu=0.0, gateway_cpu=None, window=0)
    (limit,) = limits(measured(run))
    assert (limit.term, limit.load, limit.loads) == (Term.UNKNOWN, 0.0, ())
    assert limit.text.startswith("nothing that limits could be seen: ")


def test_nothing_passed():
    run = replace(Tunnel(link=1e6).transfer(), size=0, wire=0, cpu=0.0, gateway_cpu=0.0)
    (limit,) = limits(measured(run))
    assert (limit.term, limit.text) == (Term.UNKNOWN, "nothing passed")


# --- throw-away gateways


def shared(ours: float, gateways: float, cores: int) -> Limit:
    """What limits 400 MB/s for which the two sides use so much of a processor."""
    tunnel = Tunnel(link=4e8, ours=4e8 / ours, gateways=4e8 / gateways, noise=0.0)
    (limit,) = limits(measured(*tunnel.transfers(), setting=replace(TRIAL, cores=cores)))
    return limit


@pytest.mark.parametrize(
    ("ours", "gateways", "cores", "term"),
    [
        (0.75, 0.6, 2, Term.OUR_CPU),
        (0.6, 0.75, 2, Term.GATEWAY_CPU),
        (0.75, 0.25, 2, Term.OUR_CPU),
        (0.6, 0.35, 2, Term.UNKNOWN),  # more than half of two processors is left
        (0.35, 0.25, 1, Term.OUR_CPU),
        (0.75, 0.79, 3, Term.GATEWAY_CPU),
        (0.7, 0.7, 3, Term.UNKNOWN),
        (0.75, 0.6, 4, Term.UNKNOWN),  # one for each
        (0.75, 0.6, 0, Term.UNKNOWN),  # nobody could count them
    ],
)
def test_shared_processors_are_full_before_one_of_them_is(ours, gateways, cores, term):
    assert shared(ours, gateways, cores).term is term


def test_it_is_said_that_they_are_shared():
    many, one = shared(0.75, 0.6, 2), shared(0.5, 0.2, 1)
    assert many.text.endswith(
        "gateway, client and both ends of the transfer share 2 processors here"
    )
    assert one.text.endswith("share one processor here")
    assert many.load == pytest.approx(0.75)


def test_a_real_gateway_shares_nothing():
    tunnel = Tunnel(link=4e8, ours=4e8 / 0.7, gateways=4e8 / 0.7)
    (limit,) = limits(measured(*tunnel.transfers(), setting=replace(REAL, cores=1)))
    assert limit.term is Term.UNKNOWN


def test_loopback_is_never_the_limit():
    limit = shared(0.1, 0.1, 8)
    assert limit.term is Term.UNKNOWN
    assert limit.text.endswith(": what makes and takes the bytes, or takes turns with them")


def crowded(busy: float | None, setting: Setting, **capacities: float) -> Limit:
    """What limits a transfer while so much of this machine's processors has work."""
    tunnel = Tunnel(link=4e8, noise=0.0)
    tunnel = replace(tunnel, **capacities)  # type: ignore[arg-type]
    runs = (replace(run, busy=busy) for run in tunnel.transfers())
    (limit,) = limits(measured(*runs, setting=setting))
    return limit


@pytest.mark.parametrize("setting", [TRIAL, REAL])
def test_a_machine_without_a_processor_to_spare_limits(setting):
    setting = replace(setting, cores=2)
    limit = crowded(0.95, setting, ours=8e8)
    assert (limit.term, limit.load) == (Term.MACHINE, 0.95)
    assert limit.text == (
        "2 processors of this machine are 95 % busy, in shares of one: our processor 50 %, the "
        "gateway's processor <0.1 %; the rest takes what makes and takes the bytes, and other "
        "programs"
    )
    one = crowded(1.0, replace(setting, cores=1)).text
    assert one.startswith("one processor of this machine is 100 % busy")


def test_a_machine_with_something_to_spare_does_not():
    assert crowded(0.85, TRIAL).term is Term.MACHINE
    assert crowded(0.84, TRIAL).term is Term.UNKNOWN
    # Where the machine was watched nothing has to be guessed from what the two sides use.
    assert crowded(0.84, TRIAL, ours=6e8, gateways=6e8).term is Term.UNKNOWN
    assert crowded(None, TRIAL, ours=6e8, gateways=6e8).term is Term.OUR_CPU


def test_a_term_of_our_own_says_more_than_a_busy_machine():
    assert crowded(1.0, TRIAL, ours=4e8).term is Term.OUR_CPU


def test_a_busy_machine_that_cannot_be_counted():
    run = replace(Tunnel(link=4e8).transfer(), busy=1.0, cpu=0.0, gateway_cpu=None)
    (limit,) = limits(measured(run, setting=replace(TRIAL, cores=0)))
    assert limit.text.startswith("the processors of this machine are 100 % busy; the rest")


def test_a_link_that_loses_packets_is_not_filled_and_limits_all_the_same():
    (limit,) = limits(measured(*Tunnel(link=4e5).transfers(), setting=shaped(1e6, loss=0.01)))
    assert limit.term is Term.LINK
    assert limit.load == pytest.approx(0.4)
    assert limit.text.endswith("with 1.0 % of the packets lost TCP does not fill it")


def test_a_link_that_is_not_filled_without_a_loss_is_no_limit():
    (limit,) = limits(measured(*Tunnel(link=4e5).transfers(), setting=shaped(1e6)))
    assert limit.term is Term.UNKNOWN
    assert "the link (40 %)" in limit.text


def test_a_limit_for_each_figure_in_their_order():
    tunnel = Tunnel(link=1e6)
    runs = (
        *tunnel.transfers(Direction.UP, Direction.DOWN, ratio=0.25),
        *tunnel.transfers(Direction.UP, Direction.DOWN),
    )
    assert [limit.figure for limit in limits(measured(*runs))] == [
        f"down.text.off.{GCM}",
        f"down.text.on.{GCM}",
        f"up.text.off.{GCM}",
        f"up.text.on.{GCM}",
    ]


def test_what_compression_is_compared_with():
    tunnel = Tunnel(link=1e6)
    groups = grouped(
        measured(
            tunnel.transfer(ratio=0.25, corpus="program"),
            tunnel.transfer(corpus="program", cipher=CHACHA),
            tunnel.transfer(corpus="text"),
            tunnel.transfer(Direction.UP, corpus="program"),
        )
    )
    packed = next(group for group in groups if group.compression)
    nearest = without_compression(packed, groups)
    assert nearest is not None
    assert nearest.key == f"down.text.off.{GCM}"
    own = grouped(measured(tunnel.transfer(corpus="program"), tunnel.transfer(corpus="text")))
    assert without_compression(packed, own) is own[1]
    assert without_compression(packed, [packed]) is None
