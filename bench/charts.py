"""Charts as SVG text: bars from zero, and ratios on a logarithmic axis, each with its spread.

The files follow the reader's colour scheme by a media query and bring their own background, so
that they are readable wherever they are shown.  Pure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH = 820
RIGHT = 84
LETTER = 7.3
"""Pixels that a letter of the labels takes, with some to spare."""

TOP = 64
BAR = 13
GAP = 12
ROW = 24
TICKS = 6


STYLE = """
  svg { --page: #ffffff; --ink: #1f2328; --soft: #59636e; --line: #d1d9e0;
        --c0: #8c959f; --c1: #0969da; --c2: #bf8700; --c3: #8250df; --bad: #cf222e; }
  @media (prefers-color-scheme: dark) {
    svg { --page: #0d1117; --ink: #f0f6fc; --soft: #9198a1; --line: #3d444d;
          --c0: #9198a1; --c1: #4493f8; --c2: #d29922; --c3: #ab7df8; --bad: #f85149; }
  }
  .page { fill: var(--page); stroke: var(--line); }
  text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif;
         fill: var(--ink); }
  .title { font-weight: 600; font-size: 15px; }
  .soft { fill: var(--soft); font-size: 12px; }
  .axis { stroke: var(--line); }
  .one { stroke: var(--soft); }
  .spread { stroke: var(--ink); stroke-width: 1.5; }
  .s0 { fill: var(--c0); } .s1 { fill: var(--c1); }
  .s2 { fill: var(--c2); } .s3 { fill: var(--c3); }
  .missed { fill: var(--bad); }
  .goal { stroke: var(--c2); stroke-width: 2; }
"""


@dataclass(frozen=True, slots=True)
class _Plot:
    """Where things are: the left edge of the plot, and the place of a figure."""

    left: float
    x: Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Value:
    """A figure with its spread, ``low <= value <= high``."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Bars:
    """A label with one value for each series, None where it has none."""

    label: str
    values: tuple[Value | None, ...]


@dataclass(frozen=True, slots=True)
class Dot:
    """A ratio with its spread; ``goal`` is where it should be, on the side of ``better``.

    Attributes:
        missed: it is not where it should be.
    """

    label: str
    ratio: Value
    goal: float | None = None
    missed: bool = False


def number(value: float) -> str:
    """A figure with three significant digits, in groups of thousands, never as a power of ten."""
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}".removesuffix(".0")
    if value >= 1:
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{value:.3g}" if value >= 0.001 or not value else f"{value:.6f}".rstrip("0")


def bars(title: str, unit: str, series: Sequence[str], groups: Sequence[Bars]) -> str:
    """Horizontal bars from zero, one for each series in each group.

    Raises:
        ValueError: there is nothing to draw.
    """
    shown = [value for group in groups for value in group.values if value is not None]
    if not shown:
        raise ValueError(f"nothing to draw in {title!r}")
    step, top = _scale(max(value.high for value in shown))
    left = _label_width([group.label for group in groups])
    plot = _Plot(left, lambda value: left + (WIDTH - left - RIGHT) * value / top)
    height = TOP + sum(_height(group) for group in groups)
    marks = [step * i for i in range(round(top / step) + 1)]
    # A single series is netkit's, and has its colour.
    first = 1 if len(series) == 1 else 0
    parts = [*_legend(series, first), *_grid(plot, marks, height)]
    y = float(TOP)
    for group in groups:
        parts += _group(group, y, plot, first)
        y += _height(group)
    return _page(f"{title}, {unit}", height + 30, parts)


def ratios(title: str, better: str, dots: Sequence[Dot]) -> str:
    """Ratios on a logarithmic axis around 1; ``better`` says on which side the better ones are.

    Raises:
        ValueError: there is nothing to draw, or a ratio is not positive.
    """
    if not dots:
        raise ValueError(f"nothing to draw in {title!r}")
    goals = [dot.goal for dot in dots if dot.goal is not None]
    lowest = math.floor(math.log2(min(1.0, *goals, *(dot.ratio.low for dot in dots))))
    highest = math.ceil(math.log2(max(1.0, *goals, *(dot.ratio.high for dot in dots))))
    highest = max(highest, lowest + 1)
    left = _label_width([dot.label for dot in dots])
    scale = (WIDTH - left - RIGHT) / (highest - lowest)
    plot = _Plot(left, lambda value: left + scale * (math.log2(value) - lowest))
    height = TOP + ROW * len(dots)
    every = math.ceil((highest - lowest) / 8)
    marks = [2.0**power for power in range(lowest, highest + 1) if power % every == 0]
    parts = [f'<text class="soft" x="16" y="46">{escape(better)}</text>']
    parts += _grid(plot, marks, height)
    parts.append(_line("one", plot.x(1), TOP - 6, plot.x(1), height))
    for index, dot in enumerate(dots):
        parts += _dot(dot, TOP + ROW * index + ROW / 2, plot)
    return _page(title, height + 30, parts)


def _dot(dot: Dot, y: float, plot: _Plot) -> list[str]:
    ratio, x = dot.ratio, plot.x
    parts = [_label(dot.label, y, plot), _line("spread", x(ratio.low), y, x(ratio.high), y)]
    if dot.goal is not None:
        parts.append(_line("goal", x(dot.goal), y - 9, x(dot.goal), y + 9))
    parts.append(
        f'<circle class="{"missed" if dot.missed else "s1"}" '
        f'cx="{x(ratio.value):.1f}" cy="{y:.1f}" r="5"/>'
    )
    parts.append(
        f'<text x="{WIDTH - RIGHT + 14}" y="{y + 4.5:.1f}">{number(round(ratio.value, 2))}</text>'
    )
    return parts


def _group(group: Bars, y: float, plot: _Plot, first: int) -> list[str]:
    x = plot.x
    present = [(index, value) for index, value in enumerate(group.values) if value is not None]
    parts = [_label(group.label, y + (_height(group) - GAP) / 2, plot)]
    for place, (index, value) in enumerate(present):
        top = y + place * (BAR + 2)
        middle = top + BAR / 2
        parts.append(
            f'<rect class="s{(first + index) % 4}" x="{plot.left:.1f}" y="{top:.1f}" '
            f'width="{x(value.value) - plot.left:.1f}" height="{BAR}"/>'
        )
        parts.append(_line("spread", x(value.low), middle, x(value.high), middle))
        parts += [
            _line("spread", x(end), middle - 3, x(end), middle + 3)
            for end in (value.low, value.high)
        ]
        parts.append(
            f'<text x="{x(value.high) + 6:.1f}" y="{middle + 4.5:.1f}">{number(value.value)}</text>'
        )
    return parts


def _height(group: Bars) -> float:
    return (BAR + 2) * max(1, sum(value is not None for value in group.values)) + GAP


def _scale(highest: float) -> tuple[float, float]:
    """A round step, and the first multiple of it that holds ``highest``."""
    if highest <= 0:
        return 1.0, 1.0
    raw = highest / TICKS
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = magnitude * next(round_ for round_ in (1, 2, 2.5, 5, 10) if magnitude * round_ >= raw)
    return step, step * math.ceil(highest / step - 1e-9)


def _legend(series: Sequence[str], first: int) -> list[str]:
    parts, at = [], 16.0
    for index, name in enumerate(series):
        parts.append(
            f'<rect class="s{(first + index) % 4}" x="{at:.1f}" y="36" width="12" height="12"/>'
        )
        parts.append(f'<text class="soft" x="{at + 18:.1f}" y="46">{escape(name)}</text>')
        at += 18 + 7 * len(name) + 22
    return parts


def _grid(plot: _Plot, marks: Sequence[float], height: float) -> list[str]:
    parts = []
    for mark in marks:
        place = plot.x(mark)
        parts.append(_line("axis", place, TOP - 6, place, height))
        parts.append(
            f'<text class="soft" text-anchor="middle" x="{place:.1f}" y="{height + 16:.1f}">'
            f"{number(mark)}</text>"
        )
    return parts


def _label_width(labels: Sequence[str]) -> float:
    return 28 + LETTER * max(map(len, labels))


def _label(text: str, middle: float, plot: _Plot) -> str:
    place = f'x="{plot.left - 12:.1f}" y="{middle + 4.5:.1f}"'
    return f'<text text-anchor="end" {place}>{escape(text)}</text>'


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _page(title: str, height: float, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        f'width="{WIDTH}" height="{height:.0f}" role="img">'
    )
    page = f'width="{WIDTH - 1}" height="{height - 1:.0f}"'
    body = [
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="page" x="0.5" y="0.5" {page} rx="8"/>',
        f'<text class="title" x="16" y="24">{escape(title)}</text>',
        *parts,
    ]
    return "\n".join([head, *body, "</svg>"]) + "\n"
