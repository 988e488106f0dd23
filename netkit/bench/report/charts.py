"""Charts as inline SVG: they know nothing of benchmarks, and colours come from the page's style.

Widths are percentages and heights pixels, so that a chart fits a phone and a wide window while its
text keeps its size.  Each row's label stands above its marks rather than beside them for the same
reason.  Every chart carries a title and a description in words for those who cannot see it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from netkit.bench.report.markup import Markup, element, percent
from netkit.bench.report.scales import Scale, labels, linear, logarithmic

_LABEL = 18.0
"""Pixels of a line of text."""
_BAR = 12.0
_GAP = 8.0
_DOTS = 18.0
_AXIS = 24.0
_CURVES = 210.0
_BARS_SHARE = 0.62
"""Share of the width that bars may take; the rest is for what they say."""
_POINTS = 120
"""Points of a curve at most: more cannot be told apart."""

Wording = Callable[[float], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One figure: its middle, the ends of its spread, single runs, and what is written beside it.

    ``series`` numbers the colour, from 1.
    """

    middle: float
    low: float
    high: float
    series: int = 1
    text: str = ""
    runs: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A label, its marks, and what is written at the right end of the label's line."""

    label: str
    marks: tuple[Mark, ...]
    text: str = ""
    tone: str = ""
    """Class of `text`: ``good``, ``bad``, or none."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Sorted values of one series."""

    label: str
    series: int
    values: tuple[float, ...]


def bars(name: str, title: str, rows: Sequence[Row], wording: Wording) -> Markup:
    """Return horizontal bars from zero, grouped by row; ``name`` makes identifiers unique."""
    scale = linear((mark.high for row in rows for mark in row.marks), most=4)
    drawn: list[Markup] = []
    y = 0.0
    for row in rows:
        drawn.append(_text(row.label, 0, y + 13, "label"))
        y += _LABEL
        for mark in row.marks:
            drawn += _bar(mark, scale, y)
            y += _BAR + 4
        y += _GAP
    grid = _grid(scale, wording, y, _BARS_SHARE)
    return _chart(name, title, _said(rows), y + _AXIS, [*grid, *drawn])


def _bar(mark: Mark, scale: Scale, y: float) -> list[Markup]:
    share = scale.at(mark.middle) * _BARS_SHARE
    middle = y + _BAR / 2
    drawn = [
        element(
            "rect",
            element("title", mark.text),
            class_=f"fill s{mark.series}",
            x="0",
            y=y,
            width=percent(max(share, 0.002)),
            height=_BAR,
            rx=2,
        )
    ]
    if mark.high > mark.low:
        ends = [scale.at(end) * _BARS_SHARE for end in (mark.low, mark.high)]
        drawn += _whisker(ends[0], ends[1], middle, 3)
    drawn.append(_text(mark.text, 1, middle + 4, "value end"))
    return drawn


def dots(
    name: str, title: str, rows: Sequence[Row], wording: Wording, *, around: float | None = None
) -> Markup:
    """Return dots on a logarithmic axis, those of one row joined by a line, runs as small strokes.

    ``around`` is a value that gets a line of its own, such as 1 where factors are shown.
    """
    every = [value for row in rows for mark in row.marks for value in (mark.low, mark.high)]
    scale = logarithmic(every, around=around, most=5)
    drawn: list[Markup] = []
    y = 0.0
    for row in rows:
        drawn.append(_text(row.label, 0, y + 13, "label"))
        drawn.append(_text(row.text, 1, y + 13, f"value end {row.tone}".rstrip()))
        y += _LABEL
        drawn += _dots(row, scale, y + _DOTS / 2, around)
        y += _DOTS + _GAP
    grid = _grid(scale, wording, y, 1.0)
    return _chart(name, title, _said(rows), y + _AXIS, [*grid, *drawn])


def _dots(row: Row, scale: Scale, y: float, around: float | None) -> list[Markup]:
    places = [_inset(scale.at(mark.middle)) for mark in row.marks]
    drawn = [element("line", class_="track", x1=percent(0), x2=percent(1), y1=y, y2=y)]
    if around is not None:
        where, half = percent(_inset(scale.at(around))), _DOTS / 2
        drawn.append(
            element("line", class_="reference", x1=where, x2=where, y1=y - half, y2=y + half)
        )
    if len(places) > 1:
        ends = percent(min(places)), percent(max(places))
        drawn.append(element("line", class_="joint", x1=ends[0], x2=ends[1], y1=y, y2=y))
    for mark in row.marks:
        for run in mark.runs:
            where = percent(_inset(scale.at(run)))
            drawn.append(
                element(
                    "line", class_=f"run s{mark.series}", x1=where, x2=where, y1=y - 6, y2=y + 6
                )
            )
        if mark.high > mark.low and not mark.runs:
            drawn += _whisker(_inset(scale.at(mark.low)), _inset(scale.at(mark.high)), y, 5)
    for mark, place in zip(row.marks, places, strict=True):
        drawn.append(
            element(
                "circle",
                element("title", mark.text),
                class_=f"dot s{mark.series}",
                cx=percent(place),
                cy=y,
                r=5,
            )
        )
    return drawn


def distribution(name: str, title: str, curves: Sequence[Curve], wording: Wording) -> Markup:
    """Return which share of the values (upwards) lies below a value (to the right, logarithmic)."""
    curves = [curve for curve in curves if curve.values]
    scale = logarithmic((v for c in curves for v in (c.values[0], c.values[-1])), most=5)
    bottom = _LABEL + _CURVES
    drawn = _grid(scale, wording, bottom, 1.0, top=_LABEL)
    for share in (0.0, 0.5, 1.0):
        y = bottom - _CURVES * share
        drawn.append(element("line", class_="grid", x1=percent(0), x2=percent(1), y1=y, y2=y))
        if share:
            drawn.append(_text(f"{share * 100:.0f} %", 1, y - 5, "tick end"))
    drawn.append(_curves(curves, scale))
    drawn += [
        element(
            "circle",
            element("title", f"{curve.label}: {share:.0%} below {wording(value)}"),
            class_=f"dot s{curve.series}",
            cx=percent(_inset(scale.at(value))),
            cy=bottom - _CURVES * share,
            r=4,
        )
        for curve in curves
        for share in (0.5, 0.99)
        for value in [_quantile(curve.values, share)]
    ]
    said = "; ".join(
        f"{curve.label}: half below {wording(_quantile(curve.values, 0.5))}, "
        f"99 % below {wording(_quantile(curve.values, 0.99))}"
        for curve in curves
    )
    return _chart(name, title, said, bottom + _AXIS, drawn)


def _curves(curves: Iterable[Curve], scale: Scale) -> Markup:
    """Return the lines alone: points have no percentages, so they get a picture that stretches."""
    lines = [
        element(
            "polyline",
            class_=f"curve s{curve.series}",
            points=" ".join(_points(curve.values, scale)),
            vector_effect="non-scaling-stroke",
        )
        for curve in curves
    ]
    return element(
        "svg",
        lines,
        viewBox="0 0 1000 1000",
        preserveAspectRatio="none",
        x="0",
        y=_LABEL,
        width="100%",
        height=_CURVES,
    )


def _points(values: Sequence[float], scale: Scale) -> Iterable[str]:
    steps = min(len(values), _POINTS)
    yield f"{_inset(scale.at(values[0])) * 1000:.1f},1000"
    for step in range(steps):
        share = (step + 1) / steps
        value = values[min(round(share * len(values)), len(values)) - 1]
        yield f"{_inset(scale.at(value)) * 1000:.1f},{(1 - share) * 1000:.1f}"


def _quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least ``share`` of them do not exceed."""
    return values[min(max(-int(-share * len(values) // 1), 1), len(values)) - 1]


def stack(name: str, title: str, parts: Sequence[tuple[str, float]], wording: Wording) -> Markup:
    """Return one bar whose parts follow each other; they are not negative."""
    whole = sum(value for _, value in parts) or 1.0
    start = 0.0
    drawn = []
    for series, (label, value) in enumerate(parts, 1):
        share = value / whole
        drawn.append(
            element(
                "rect",
                element("title", f"{label}: {wording(value)}"),
                class_=f"part s{series}",
                x=percent(start),
                y="0",
                width=percent(share),
                height=26,
            )
        )
        start += share
    said = ", ".join(f"{label} {wording(value)}" for label, value in parts)
    return _chart(name, title, said, 26, drawn)


def _grid(
    scale: Scale, wording: Wording, bottom: float, width: float, *, top: float = 0.0
) -> list[Markup]:
    """Return the lines and labels of an axis that takes the share ``width``, from the left on."""
    drawn = []
    for place, text in labels(scale, wording):
        at = (_inset(place) if scale.logarithmic else place) * width
        where = percent(at)
        drawn.append(element("line", class_="grid", x1=where, x2=where, y1=top, y2=bottom))
        drawn.append(_text(text, at, bottom + 15, "tick" if at else "tick start"))
    return drawn


def _whisker(low: float, high: float, y: float, half: float) -> list[Markup]:
    ends = percent(low), percent(high)
    drawn = [element("line", class_="whisker", x1=ends[0], x2=ends[1], y1=y, y2=y)]
    drawn += [
        element("line", class_="whisker", x1=end, x2=end, y1=y - half, y2=y + half) for end in ends
    ]
    return drawn


def _inset(share: float) -> float:
    """Keep marks at the ends of an axis inside the picture, and their labels inside its margin."""
    return 0.04 + share * 0.92


def _text(text: str, x: float, y: float, class_: str) -> Markup:
    return element("text", text, class_=class_, x=percent(x), y=y) if text else Markup()


def _said(rows: Sequence[Row]) -> str:
    said = []
    for row in rows:
        texts = [mark.text for mark in row.marks if mark.text] + ([row.text] if row.text else [])
        said.append(f"{row.label}: {', '.join(texts)}")
    return "; ".join(said)


def _chart(name: str, title: str, said: str, height: float, drawn: Iterable[Markup]) -> Markup:
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", said, id=f"{name}-desc"),
        *drawn,
        class_="chart",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        width="100%",
        height=height,
    )
