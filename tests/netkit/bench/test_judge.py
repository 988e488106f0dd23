"""The judge says something sensible about everything, and raises nothing."""

from __future__ import annotations

import math
import re
from dataclasses import fields, replace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from netkit.bench.analysis import Advice, Analysis, Term, Unit
from netkit.bench.judge import analyse
from netkit.bench.model import (
    Connections,
    Direction,
    Echo,
    FirstBytes,
    Login,
    Measured,
    Setting,
    Transfer,
)
from netkit.text.link_shapes import LinkShape
from support.any_values import any_of
from support.measurements import CHACHA, GCM, REAL, TRIAL, Tunnel, measured

VERDICTS = {
    "compression": {"on", "off", "depends", "unclear"},
    "window": {"limits", "enough"},
    "links": {"one", "flows", "links"},
    "gateway": {"busy"},
}

# As measured, but with any number: infinite times, no bytes, more CPU than there is.
NUMBER = st.sampled_from([0.0, 5e-324, 1e-9, 1.0, 3.0, 1e9, 1.7e308, math.inf, -1.0]) | st.floats(
    0, 1e12
)
COUNT = st.sampled_from([0, 1, 2 << 20, 64 << 20, -5]) | st.integers(0, 1 << 60)
ROUND = st.integers(-1, 4)
CIPHER = st.sampled_from([GCM, CHACHA, "3des-cbc", ""])
CORPUS = st.sampled_from(["text", "program", "random", "zeros", "sample", "", "a.b"])


def odd(kind: type, **strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Any value of ``kind`` with the numbers and names above where nothing else is said."""
    numbers = {"float": NUMBER, "int": COUNT, "float | None": st.none() | NUMBER}
    others = {
        field.name: numbers[str(field.type)]
        for field in fields(kind)
        if field.name not in strategies
    }
    return st.builds(kind, **strategies, **others)


BOOLEANS = st.booleans()
TRANSFERS = odd(
    Transfer,
    direction=st.sampled_from(Direction),
    round=ROUND,
    cipher=CIPHER,
    compression=BOOLEANS,
    corpus=CORPUS,
)
SETTINGS = st.builds(
    replace,
    st.sampled_from([REAL, TRIAL]),
    shape=st.none() | odd(LinkShape),
    round_trip=NUMBER,
    cipher=CIPHER,
    ciphers=st.lists(CIPHER, max_size=3).map(tuple),
    compression=BOOLEANS,
    cores=st.integers(-1, 8),
)
SAMPLES = st.lists(NUMBER, max_size=8).map(tuple)
ODD = st.builds(
    Measured,
    setting=SETTINGS,
    logins=st.lists(odd(Login, cipher=CIPHER, compression=BOOLEANS), max_size=2).map(tuple),
    transfers=st.lists(TRANSFERS, max_size=6).map(tuple),
    echoes=st.lists(
        odd(Echo, beside=st.none() | st.sampled_from(Direction), samples=SAMPLES), max_size=3
    ).map(tuple),
    first_bytes=st.lists(odd(FirstBytes, how=CORPUS, samples=SAMPLES), max_size=2).map(tuple),
    connections=st.lists(odd(Connections, round=ROUND), max_size=3).map(tuple),
)


def check(found: Analysis) -> None:
    """What holds for every analysis."""
    throughput = {figure.key for figure in found.figures if figure.unit is Unit.BYTES_PER_SECOND}
    assert {limit.figure for limit in found.limits} == throughput
    for figure in found.figures:
        assert figure.title
        assert all(math.isfinite(value) and value >= 0 for value in figure.spread.values)
    for limit in found.limits:
        loads = [load for _, load in limit.loads]
        assert limit.text
        assert limit.term in {Term.UNKNOWN, Term.MACHINE} or limit.loads
        assert math.isfinite(limit.load)
        assert loads == sorted(loads, reverse=True)
    for pair in found.pairs:
        assert pair.break_even is None or pair.break_even >= 0
    for advice in found.advice:
        check_advice(advice)
    assert len({advice.topic for advice in found.advice}) == len(found.advice)
    assert bool(found.advice) == bool(found.limits)


def check_advice(advice: Advice) -> None:
    assert advice.topic == "cipher" or advice.verdict in VERDICTS[advice.topic]
    assert re.search(r"[.!?]$", advice.title)
    assert advice.text.endswith((".", ")"))
    assert "None" not in advice.text
    assert all(fix.argv[0] == "netkit" for fix in advice.fixes)


@given(any_of(Measured))
def test_any_values_are_judged(facts):
    check(analyse(facts))


@given(ODD)
@example(Measured(setting=Setting(gateway="")))
def test_odd_measurements_are_judged(facts):
    check(analyse(facts))


@given(ODD)
def test_the_order_of_what_was_measured_does_not_matter(facts):
    """But for what was never agreed on: then the first cipher is the one compared with."""
    facts = replace(
        facts, setting=replace(facts.setting, cipher=GCM, ciphers=(GCM, CHACHA, "", "3des-cbc"))
    )
    turned = replace(facts, transfers=facts.transfers[::-1], logins=facts.logins[::-1])
    one, other = analyse(facts), analyse(turned)
    assert (one.limits, one.advice) == (other.limits, other.advice)


def test_a_whole_benchmark():
    """A slow link: what limits, what compression gains, and what to do."""
    tunnel = Tunnel(link=125_000.0, round_trip=0.05, window=2 << 20, ours_packed=4e7)
    ways = (Direction.DOWN, Direction.UP)
    facts = measured(
        *tunnel.transfers(*ways),
        *tunnel.transfers(*ways, ratio=0.25),
        *tunnel.transfers(*ways, cipher=CHACHA),
        setting=replace(
            TRIAL, shape=LinkShape(rate=125_000.0, round_trip=0.05), round_trip=0.05, cores=8
        ),
    )
    found = analyse(facts)
    check(found)
    assert {limit.term for limit in found.limits} == {Term.LINK}
    assert [round(pair.gain.median, 2) for pair in found.pairs] == [4.0, 4.0]
    assert {advice.topic: advice.verdict for advice in found.advice} == {
        "compression": "on",
        "cipher": "keep",
        "window": "enough",
        "links": "one",
    }


def test_an_interrupted_benchmark_says_what_it_knows():
    login = Login(
        cipher=GCM, compression=False, tcp=0.1, key_exchange=0.2, authentication=0.3, total=0.6
    )
    found = analyse(Measured(setting=REAL, logins=(login,), interrupted=True))
    assert [figure.key for figure in found.figures][:1] == ["login.total"]
    assert (found.limits, found.pairs, found.advice) == ((), (), ())
