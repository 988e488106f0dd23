"""A result beside an earlier one: hostile files, noise, and what else is different."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.bench.analysis import Analysis, Figure, Unit
from netkit.bench.compare import MAX_BYTES, Old, compare, described, read
from netkit.bench.judge import analyse
from netkit.bench.report.document import encode
from netkit.bench.statistics import Difference, Spread
from netkit.errors import UsageError
from support import bench_samples as samples
from support.bench_values import ANALYSES, MEASURED

NOW = samples.loopback()
ANALYSIS = analyse(NOW)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["netkit", "figures", "values", "key", "unit", "setting", "schema_version", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


def figure(*values: float, more: bool = False, unit: Unit = Unit.SECONDS) -> Figure:
    """A figure ``k`` with those values."""
    return Figure(
        key="k",
        group="latency",
        title="title",
        unit=unit,
        spread=Spread.of(values),
        more_is_better=more,
    )


def with_values(values: str) -> bytes:
    """A file with one figure."""
    one = f'{{"key": "a", "unit": "s", "values": {values}}}'
    return f'{{"netkit": {{"schema_version": 1, "figures": [{one}]}}}}'.encode()


def compared(old: Figure, new: Figure):
    """The comparison of two figures."""
    before = Old(described(NOW.setting), {old.key: (old.unit, old.spread)})
    return compare(before, NOW, Analysis(figures=(new,)))


def test_round_trip():
    old = read(encode(NOW, ANALYSIS), "OLD.json")
    assert old.figures == {each.key: (each.unit, each.spread) for each in ANALYSIS.figures}
    assert old.setting == described(NOW.setting)
    found = compare(old, NOW, ANALYSIS)
    assert len(found.changes) == len(ANALYSIS.figures)
    assert not any(change.flagged for change in found.changes)
    assert (found.differences, found.gone, found.new) == ((), (), ())


@pytest.mark.parametrize("name", samples.ALL)
def test_every_sample_can_be_read_back(name):
    measured = samples.ALL[name]()
    judged = analyse(measured)
    old = read(encode(measured, judged), "OLD.json")
    assert compare(old, measured, judged).differences == ()


@given(MEASURED, ANALYSES)
def test_comparing_is_total(measured, analysis):
    """Of what was written with values below zero, which nothing measures, reading says so."""
    data = encode(measured, analysis)
    try:
        old = read(data, "OLD.json")
    except UsageError:
        assert any(each.spread.low < 0 for each in analysis.figures)
        return
    found = compare(old, measured, analysis)
    assert all(change.shown and change.verdict for change in found.changes)
    assert found.summary.isprintable()


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything_else_is_refused_in_words(data):
    try:
        read(data, "a\x1b[2J file.json")
    except UsageError as error:
        assert error.code == "bad-old-result"
        assert error.summary.startswith("a?[2J file.json is no result")
        assert error.cause.isprintable()
        assert error.fixes


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, ""),
        (b'{"a":' * 100_000, ""),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"benchmarks": []}', "missing required field `netkit`"),
        (b'{"netkit": {"schema_version": 99, "figures": []}}', "a later netkit wrote it"),
        (with_values('["x"]'), "$.netkit.figures[0].values[0]"),
        (with_values("[]"), "length >= 1"),
        (with_values("[-1]"), "$.netkit.figures[0].values"),
        (b" " * (MAX_BYTES + 1), "larger than 32 MiB"),
    ],
)
def test_the_place_is_named(data, cause):
    with pytest.raises(UsageError) as caught:
        read(data, "OLD.json")
    assert cause in caught.value.cause
    assert caught.value.exit_code == 2
    assert caught.value.fixes[0].argv[:2] == ("netkit", "bench")


@pytest.mark.parametrize(
    ("old", "new", "verdict", "shown"),
    [
        (figure(1, 1, 1), figure(1.3, 1.3, 1.3), "worse", "+30 %"),
        (figure(1, 1, 1), figure(0.7, 0.7, 0.7), "better", "-30 %"),
        (figure(1, 1, 1, more=True), figure(3, 3, 3, more=True), "better", "3.00 x"),
        (figure(1, 1, 1, more=True), figure(0.001, 0.001, 0.001, more=True), "worse", "to 1/1000"),
        (figure(1, 1, 1), figure(1.02, 1.02, 1.02), "same", "+2.0 %"),
        (figure(1, 1.2, 3), figure(1.1, 1.5, 2.9), "same", "+25 %"),
        (figure(1), figure(5), "unclear", "5.00 x"),
        (figure(0, 0, 0), figure(1, 1, 1), "worse", "from 0"),
        (figure(1, 1, 1), figure(0, 0, 0), "better", "to nothing"),
    ],
)
def test_only_what_stands_out_is_flagged(old, new, verdict, shown):
    (change,) = compared(old, new).changes
    assert change.verdict == verdict
    assert change.shown == shown
    assert change.flagged == (verdict in {"better", "worse"})


def test_figures_of_another_unit_are_not_compared():
    found = compared(figure(1), figure(1, unit=Unit.PER_SECOND))
    assert (found.changes, found.gone, found.new) == ((), ("k",), ("title",))
    assert found.summary == (
        "0 figures compared, 0 better and 0 worse beyond the noise, 1 not measured now,"
        " 1 not measured before"
    )


def test_worse_comes_first_and_the_largest_change_before_others():
    before = samples.earlier()
    old = read(encode(before, analyse(before)), "OLD.json")
    found = compare(old, NOW, ANALYSIS)
    flagged = [(change.title, change.better) for change in found.changes if change.flagged]
    assert flagged == [
        ("login: key exchange", False),
        ("login, all of it", False),
        ("text, down", True),
    ]
    assert found.changes[0].difference is Difference.MORE
    assert [title for title in found.new if samples.CTR in title] == list(found.new) != []


def test_another_setting_is_told_and_not_refused():
    other = dataclasses.replace(
        samples.slow_link(),
        setting=dataclasses.replace(
            samples.slow_link().setting, gateway="gw2", client="netkit 0.2", cores=8
        ),
    )
    old = read(encode(NOW, ANALYSIS), "OLD.json")
    assert compare(old, other, analyse(other)).differences == (
        f"gateway: {NOW.setting.gateway} before, gw2 now",
        "link: none before, 1mbit/50ms now",
        "netkit: netkit 0.1.0 before, netkit 0.2 now",
        "processors: 2 before, 8 now",
    )
