"""Charts: well-formed, described in words, and every mark inside the picture."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.bench import wording
from netkit.bench.report.charts import Curve, Mark, Row, bars, distribution, dots, stack

VALUES = st.floats(allow_nan=False, allow_infinity=False) | st.floats(0, 1e9)
MARKS = st.builds(
    Mark,
    middle=VALUES,
    low=VALUES,
    high=VALUES,
    series=st.integers(1, 5),
    text=st.text(max_size=9),
    runs=st.lists(VALUES, max_size=3).map(tuple),
)
ROWS = st.lists(
    st.builds(
        Row,
        st.text(max_size=9),
        st.lists(MARKS, max_size=3).map(tuple),
        st.text(max_size=9),
        st.sampled_from(["", "good", "bad"]),
    ),
    max_size=4,
)
CURVES = st.lists(
    st.builds(
        Curve,
        st.text(max_size=9),
        st.integers(1, 5),
        st.lists(VALUES, max_size=300).map(sorted).map(tuple),
    ),
    max_size=3,
)


def checked(svg: str) -> ET.Element:
    """Parse a chart; see that it is described and that nothing lies outside of it."""
    root = ET.fromstring(svg)
    height = float(root.attrib["height"])
    assert root.attrib["role"] == "img"
    ids = [each.attrib["id"] for each in root if "id" in each.attrib]
    assert root.attrib["aria-labelledby"].split() == ids
    assert [each.tag for each in root[:2]] == ["title", "desc"]
    for each in root.iter():
        for name in ("x", "x1", "x2", "cx", "width"):
            value = each.attrib.get(name, "0")
            if value.endswith("%"):
                assert -0.01 <= float(value[:-1]) <= 100.01
        for name in ("y", "y1", "y2", "cy"):
            assert 0 <= float(each.attrib.get(name, "0")) <= height
    return root


def found(root: ET.Element, class_: str) -> list[ET.Element]:
    """Return the elements that have a class."""
    return [each for each in root.iter() if class_ in each.attrib.get("class", "").split()]


@given(ROWS)
def test_bars_and_dots_are_total(rows):
    checked(bars("a", "t", rows, wording.rate))
    checked(dots("a", "t", rows, wording.rate))
    checked(dots("a", "t", rows, wording.factor, around=1.0))


@given(CURVES)
def test_distributions_are_total(curves):
    root = checked(distribution("a", "t", curves, wording.seconds))
    for line in found(root, "curve"):
        points = [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]
        assert all(0 <= value <= 1000 for point in points for value in point)
        assert points[0][1] == 1000
        assert points[-1][1] == 0
        assert [x for x, _ in points] == sorted(x for x, _ in points)


@given(st.lists(st.tuples(st.text(max_size=9), st.floats(0, 1e9)), max_size=5))
def test_stacks_are_total(parts):
    root = checked(stack("a", "t", parts, wording.seconds))
    assert len(found(root, "part")) == len(parts)


def test_bars_are_as_long_as_their_values():
    rows = [
        Row("a", (Mark(middle=100, low=90, high=100, text="100"),)),
        Row("b", (Mark(middle=50, low=50, high=50, series=2, text="50"),)),
    ]
    root = checked(bars("a", "t", rows, wording.count_rate))
    long, short = (float(each.attrib["width"][:-1]) for each in found(root, "fill"))
    assert long == pytest.approx(2 * short)
    assert len(found(root, "whisker")) == 3, "one spread: a line and its two ends"
    assert [each.text for each in found(root, "value")] == ["100", "50"]
    assert root.find("desc").text == "a: 100; b: 50"


def test_dots_lie_on_a_logarithmic_axis_with_every_run():
    row = Row(
        "text",
        (
            Mark(middle=1, low=1, high=1, series=5, runs=(1, 1)),
            Mark(middle=10, low=10, high=10, runs=(10,)),
            Mark(middle=100, low=100, high=100),
        ),
        "1 → 10",
        "good",
    )
    root = checked(dots("a", "t", [row], wording.factor, around=1))
    places = [float(each.attrib["cx"][:-1]) for each in found(root, "dot")]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.02)
    assert len(found(root, "run")) == 3
    assert len(found(root, "joint")) == 1
    assert found(root, "reference")[0].attrib["x1"] == f"{places[0]:g}%"
    assert found(root, "good")[0].text == "1 → 10"


def test_a_distribution_marks_median_and_99th_percentile():
    curve = Curve("idle", 1, tuple(float(n) for n in range(1, 101)))
    root = checked(distribution("a", "t", [curve], wording.seconds))
    assert [each[0].text for each in found(root, "dot")] == [
        "idle: 50% below 50.0 s",
        "idle: 99% below 99.0 s",
    ]
    assert root.find("desc").text == "idle: half below 50.0 s, 99 % below 99.0 s"


def test_the_parts_of_a_stack_fill_it():
    root = checked(stack("a", "t", [("x", 1.0), ("y", 3.0)], wording.seconds))
    parts = found(root, "part")
    assert [each.attrib["width"] for each in parts] == ["25%", "75%"]
    assert [each.attrib["x"] for each in parts] == ["0%", "25%"]
