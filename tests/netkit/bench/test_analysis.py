"""The names of the result are an interface: files and scripts are compared by them."""

from __future__ import annotations

import pickle
import re

import pytest

from netkit.bench.analysis import Analysis, Effect, Figure, Term, Unit
from netkit.bench.judge import analyse
from netkit.bench.model import Direction
from netkit.bench.statistics import Spread
from support.measurements import Tunnel, measured


@pytest.mark.parametrize("names", [Term, Effect], ids=["Term", "Effect"])
def test_names_are_lower_case_words(names):
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name.value) for name in names)


def test_names_of_units():
    assert {unit.value for unit in Unit} == {"s", "B/s", "/s", "ratio"}


def test_a_figure_says_nothing_that_it_does_not_know():
    figure = Figure(key="k", group="login", title="t", unit=Unit.SECONDS, spread=Spread.of([1.0]))
    assert figure.direction is None
    assert (figure.cipher, figure.compression, figure.corpus) == ("", False, "")
    assert not figure.more_is_better


def test_an_analysis_is_a_value():
    tunnel = Tunnel(link=1e6)
    facts = measured(*tunnel.transfers(Direction.UP), *tunnel.transfers(Direction.UP, ratio=0.5))
    found = analyse(facts)
    assert found.figures
    assert found.limits
    assert found.pairs
    assert found.advice
    assert found == analyse(facts)
    assert hash(found) == hash(analyse(facts))
    assert pickle.loads(pickle.dumps(found)) == found
    assert found != Analysis()
