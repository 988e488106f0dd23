"""Charts: well-formed, to scale, inside their page."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import charts
import pytest
from charts import Bars, Dot, Value
from hypothesis import given
from hypothesis import strategies as st

SVG = "{http://www.w3.org/2000/svg}"
FIGURES = st.floats(1e-6, 1e9)
RATIOS = st.floats(1e-4, 1e4)


def value(middle: float, spread: float) -> Value:
    return Value(middle, middle / (1 + spread), middle * (1 + spread))


def shapes(text: str, kind: str, of_class: str) -> list[dict[str, float]]:
    """The numeric attributes of these elements."""
    found = [e for e in ET.fromstring(text).iter(SVG + kind) if e.get("class") == of_class]
    return [
        {name: float(each) for name, each in element.items() if name != "class"}
        for element in found
    ]


def texts(text: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(text).iter(SVG + "text")]


def test_bars_are_to_scale():
    groups = [
        Bars("a & <b>", (Value(100, 90, 120), Value(50, 50, 50))),
        Bars("c", (None, Value(25, 20, 30))),
    ]
    made = charts.bars("T", "MB/s", ("ssh", "netkit"), groups)
    (ssh,) = shapes(made, "rect", "s0")[1:]  # the first is the legend's
    ours = shapes(made, "rect", "s1")[1:]
    assert [bar["width"] / ssh["width"] for bar in ours] == pytest.approx([0.5, 0.25], abs=0.01)
    spread = shapes(made, "line", "spread")[0]
    per_unit = ssh["width"] / 100
    assert spread["x1"] == pytest.approx(ssh["x"] + 90 * per_unit, abs=0.2)
    assert spread["x2"] == pytest.approx(ssh["x"] + 120 * per_unit, abs=0.2)
    assert {"T, MB/s", "a & <b>", "c", "100", "50", "25", "ssh", "netkit"} <= set(texts(made))


def test_ratios_are_logarithmic():
    dots = [
        Dot("a", Value(0.5, 0.25, 1)),
        Dot("b", Value(2, 1, 4), goal=4, missed=True),
    ]
    made = charts.ratios("T", "right is better", dots)
    (half,), (double,) = shapes(made, "circle", "s1"), shapes(made, "circle", "missed")
    (one,), (goal,) = shapes(made, "line", "one"), shapes(made, "line", "goal")
    octave = double["cx"] - one["x1"]
    assert half["cx"] == pytest.approx(one["x1"] - octave, abs=0.2)
    assert goal["x1"] == pytest.approx(one["x1"] + 2 * octave, abs=0.2)
    assert "right is better" in texts(made)


@given(st.lists(st.tuples(st.text("abcÄ&<\"'", max_size=40), FIGURES, st.floats(0, 3)), min_size=1))
def test_bars_stay_inside(rows):
    groups = [Bars(label, (value(middle, spread), None)) for label, middle, spread in rows]
    _inside(charts.bars("title", "s", ("a", "b"), groups))


@given(st.lists(st.tuples(RATIOS, st.floats(0, 3), st.none() | st.just(1.0)), min_size=1))
def test_ratios_stay_inside(rows):
    dots = [Dot("label", value(middle, spread), goal) for middle, spread, goal in rows]
    _inside(charts.ratios("title", "better", dots))


def _inside(made: str) -> None:
    page = ET.fromstring(made)
    width, height = float(page.get("width", 0)), float(page.get("height", 0))
    for element in page.iter():
        for name in ("x", "x1", "x2", "cx"):
            assert 0 <= float(element.get(name, 1)) <= width, element.attrib
        for name in ("y", "y1", "y2", "cy"):
            assert 0 <= float(element.get(name, 1)) <= height, element.attrib


def test_both_colour_schemes():
    made = charts.bars("T", "s", ("a",), [Bars("b", (Value(1, 1, 1),))])
    assert "prefers-color-scheme: dark" in made
    assert shapes(made, "rect", "page"), "a background of its own"


@pytest.mark.parametrize("groups", [[], [Bars("a", (None,))]])
def test_nothing_to_draw(groups):
    with pytest.raises(ValueError, match="nothing to draw in 'T'"):
        charts.bars("T", "s", ("a",), groups)
    with pytest.raises(ValueError, match="nothing to draw in 'T'"):
        charts.ratios("T", "", [])


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (1234567, "1,234,567"),
        (99.94, "99.9"),
        (20.0, "20"),
        (2.5, "2.5"),
        (1.0, "1"),
        (0.1234, "0.123"),
        (0.0, "0"),
        (0.0001, "0.0001"),
    ],
)
def test_numbers(figure, text):
    assert charts.number(figure) == text
