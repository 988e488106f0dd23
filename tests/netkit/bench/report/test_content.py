"""What reports say, and which rows they show."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given

from netkit.bench.analysis import Term, Unit
from netkit.bench.judge import analyse
from netkit.bench.model import Direction, Measured, Setting, Skipped
from netkit.bench.report import content
from netkit.bench.statistics import Spread
from netkit.model import Fix
from netkit.text.link_shapes import LinkShape
from support import bench_samples as samples
from support.bench_values import ANALYSES, MEASURED

LOOPBACK = samples.loopback()
ANALYSIS = analyse(LOOPBACK)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([5], ""),
        ([10, 10], "±0 %"),
        ([9, 10, 10.3], "±10 %"),
        ([10, 10, 10.25], "±2.5 %"),
        ([0, 0], ""),
        ([0, 0, 1], "±100 %"),
        ([1, 1, 100], "±>999 %"),
    ],
)
def test_deviation_reaches_the_furthest_run(values, text):
    assert content.deviation(Spread.of(values)) == text


def test_span():
    amounts = content.amounts(Unit.SECONDS)
    assert content.span(Spread.of([0.5, 0.001]), amounts) == "1.00 ms … 500 ms"
    assert content.span(Spread.of([0.5]), amounts) == ""


def test_facts_of_a_real_gateway():
    facts = dict(content.facts(samples.loop_only()))
    assert facts["gateway"] == "tunnel@bastion.example.org:2222, by 1 jump"
    assert facts["link"] == "81.1 ms round trip"
    assert facts["bytes pass"].startswith("by a loop")
    assert facts["cipher"] == f"{samples.GCM} (4 ciphers offered by both sides)"
    assert facts["window"].startswith("the gateway's 2 MiB, used up 9")
    assert facts["when"] == "2026-11-26 09:15:02 +00:00, took 28.4 s"


def test_facts_of_an_imitated_link():
    setting = dataclasses.replace(
        samples.SETTING, shape=LinkShape(rate=250_000.0, round_trip=0.08, loss=0.01), round_trip=0
    )
    assert content.link(setting) == "imitated: 2 Mbit/s, 80 ms round trip, 1 % loss"


def test_nothing_is_said_of_what_is_not_known():
    assert [name for name, _ in content.facts(Measured(setting=Setting(gateway="gw")))] == [
        "gateway",
        "here",
    ]


def test_throughput_rows_know_loads_limit_and_pair():
    rows = content.throughput(LOOPBACK, ANALYSIS)
    assert list(rows) == [Direction.DOWN, Direction.UP]
    off, on, *_ = rows[Direction.DOWN]
    assert [off.figure.corpus, on.figure.corpus] == ["text", "text"]
    assert off.pair is None
    assert on.pair is not None
    assert on.pair.direction is Direction.DOWN
    assert off.limit.term is Term.OUR_CPU
    assert on.limit.term is Term.GATEWAY_COMPRESSION
    assert on.load == pytest.approx(0.12, rel=0.1)
    assert on.gateway_load == pytest.approx(0.98, rel=0.05)
    assert [row.figure.corpus for row in rows[Direction.UP]][::2] == list(samples.CORPORA)


def test_one_corpus_without_compression_stands_for_all():
    measured = samples.slow_link()
    judged = analyse(measured)
    first, *rest = content.throughput(measured, judged)[Direction.UP]
    assert (first.label, first.figure.corpus, first.off) == (content.ANY, "random", None)
    assert [row.label for row in rest] == list(samples.CORPORA)
    assert all(row.off is first.figure and row.pair is not None for row in rest)
    assert content.limited(judged)[0].what == "down, not compressed (any)"


def test_what_was_skipped_for_the_same_reason_is_one_line():
    skipped = (Skipped("a", "no time"), Skipped("b", "no shell"), Skipped("c", "no time"))
    assert content.skipped(dataclasses.replace(LOOPBACK, skipped=skipped)) == [
        "a; c: no time",
        "b: no shell",
    ]


def test_the_sample_of_the_user_stands_for_the_direction():
    rows = content.throughput(LOOPBACK, ANALYSIS)[Direction.DOWN]
    assert content.chief(rows).figure.corpus == "text"
    own = dataclasses.replace(rows[0], figure=dataclasses.replace(rows[0].figure, corpus="sample"))
    assert content.chief([*rows, own]) is own
    assert content.chief([row for row in rows if row.figure.compression]) is None


def test_ciphers_are_compared_on_the_same_corpus():
    found = content.ciphers(ANALYSIS)
    assert set(found) == set(samples.SETTING.ciphers)
    for figures in found.values():
        assert [figure.direction for figure in figures] == [Direction.DOWN, Direction.UP]
        assert {figure.corpus for figure in figures} == {"random"}
    assert content.ciphers(analyse(samples.slow_link())) == {}


def test_limits_that_are_alike_are_said_once():
    found = content.limited(ANALYSIS)
    assert found[0].what == "down, not compressed (text, program, random, zeros)"
    assert found[0].term is Term.OUR_CPU
    assert "97 % of a processor" in found[0].text
    assert len(found) < 8


@pytest.mark.parametrize(
    ("fix", "text"),
    [
        (Fix(("a",)), ""),
        (Fix(("a",), note="n"), "n"),
        (Fix(("a",), where="gateway", needs_admin=True), "on the gateway; as administrator"),
        (Fix(("sudo", "a"), needs_admin=True), ""),
    ],
)
def test_note(fix, text):
    assert content.note(fix) == text


def test_commands_can_be_pasted():
    assert content.command(["netkit", "bench", "a b"]) == "netkit bench 'a b'"


@given(MEASURED, ANALYSES)
def test_it_is_total_and_printable(measured, analysis):
    texts = [text for row in content.facts(measured) for text in row]
    texts += [each.what + each.text for each in content.limited(analysis)]
    for rows in content.throughput(measured, analysis).values():
        content.chief(rows)
        for row in rows:
            texts += [content.amount(row.figure), content.deviation(row.figure.spread)]
    content.ciphers(analysis)
    assert all(text.isprintable() for text in texts)
