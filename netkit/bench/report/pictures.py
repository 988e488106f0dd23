"""The page's sections with charts: what is drawn, and the words around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netkit.bench import wording
from netkit.bench.analysis import Analysis, Effect, Figure, Pair
from netkit.bench.model import Direction, Measured
from netkit.bench.report import content
from netkit.bench.report.charts import Curve, Mark, Row, bars, distribution, dots, stack
from netkit.bench.report.markup import Markup, element
from netkit.bench.statistics import sound, spread_of

_TONES = {Effect.HELPS: "good", Effect.COSTS: "bad"}
_WORDS = {
    Effect.HELPS: "faster",
    Effect.COSTS: "slower",
    Effect.NEUTRAL: "no difference",
    Effect.UNCLEAR: "unclear",
}
_SERIES = {Direction.DOWN: 1, Direction.UP: 2, Direction.LOOP: 3}
_OFF, _ON = 5, 1
_PARTS = ("TCP", "key exchange", "authentication")


def section(title: str, note: str, *content_: Markup) -> Markup:
    """Return one card of the page."""
    return element(
        "section",
        element("h2", title),
        element("p", note, class_="note") if note else "",
        *content_,
        class_="card",
    )


def legend(entries: Iterable[tuple[str, int, str]]) -> Markup:
    """Return what colours mean: a name, the number of the series, and a value or nothing."""
    return element(
        "ul",
        *(
            element(
                "li",
                element("span", class_=f"swatch s{series}"),
                name,
                *([" ", element("b", value)] if value else []),
            )
            for name, series, value in entries
        ),
        class_="legend",
    )


def _figure(caption: str, *content_: Markup) -> Markup:
    return element("figure", element("figcaption", caption), *content_)


def pairs(measured: Measured, analysis: Analysis) -> Markup:
    """Return throughput by corpus with and without compression, and what compression gains."""
    figures = []
    for direction, rows in content.throughput(measured, analysis).items():
        word = content.DIRECTIONS[direction]
        drawn = _pair_rows(rows)
        colours = [("no compression", _OFF, ""), ("compression", _ON, "")]
        chart = dots(f"pairs-{direction.value}", f"Throughput {word}", drawn, wording.rate)
        figures.append(_figure(f"Throughput {word}", legend(colours), chart))
    for direction in Direction:
        known = [pair for pair in analysis.pairs if pair.direction is direction]
        if known:
            figures.append(_gains(direction, known))
    if not figures:
        return Markup()
    note = (
        "Bytes of the user's data a second, before compression. A dot is the median, a stroke one"
        " run; axes are logarithmic. A gain is the ratio of neighbouring runs: on the left of the"
        " line compression slows down, on the right it speeds up."
    )
    return section("Throughput and compression", note, element("div", *figures, class_="grid"))


def _pair_rows(rows: Sequence[content.Row]) -> list[Row]:
    """Return one row for each corpus: without compression, then with it."""
    compared = [row.off for row in rows if row.off is not None]
    return [
        Row(
            row.label,
            tuple(map(_pair_mark, figures)),
            " → ".join(map(content.amount, figures)),
        )
        for row in rows
        if not any(row.figure is figure for figure in compared)
        for figures in [[row.off, row.figure] if row.off is not None else [row.figure]]
    ]


def _pair_mark(figure: Figure) -> Mark:
    return Mark(
        middle=figure.spread.median,
        low=figure.spread.low,
        high=figure.spread.high,
        series=_ON if figure.compression else _OFF,
        text=f"{'on' if figure.compression else 'off'}: {_amount(figure)}",
        runs=figure.spread.values[:40],
    )


def _amount(figure: Figure) -> str:
    return f"{content.amount(figure)} {content.deviation(figure.spread)}".strip()


def _gains(direction: Direction, known: Sequence[Pair]) -> Markup:
    word = content.DIRECTIONS[direction]
    rows = [
        Row(
            content.clean(pair.corpus, 20) or "data",
            (
                Mark(
                    middle=pair.gain.median,
                    low=pair.gain.low,
                    high=pair.gain.high,
                    series=_ON,
                    text=content.span(pair.gain, wording.factor),
                ),
            ),
            f"{wording.factor(pair.gain.median)}, {_WORDS[pair.effect]}",
            _TONES.get(pair.effect, ""),
        )
        for pair in known
    ]
    title = f"Gain of compression, {word}"
    chart = dots(f"gains-{direction.value}", title, rows, wording.factor, around=1.0)
    return _figure(title, chart)


def ciphers(analysis: Analysis) -> Markup:
    """Return throughput by cipher."""
    found = content.ciphers(analysis)
    if not found:
        return Markup()
    directions = {figure.direction: None for figures in found.values() for figure in figures}
    rows = [
        Row(
            content.clean(cipher, 60),
            tuple(
                Mark(
                    middle=figure.spread.median,
                    low=figure.spread.low,
                    high=figure.spread.high,
                    series=_SERIES[figure.direction],
                    text=_amount(figure),
                )
                for figure in figures
                if figure.direction is not None
            ),
        )
        for cipher, figures in found.items()
    ]
    corpus = content.clean(next(iter(found.values()))[0].corpus, 20)
    colours = [(content.DIRECTIONS[each], _SERIES[each], "") for each in directions if each]
    chart = bars("ciphers", "Throughput by cipher", rows, wording.rate)
    note = f"Corpus {corpus}, no compression. A bar is the median, the line across it the range."
    return section("Ciphers", note, element("figure", legend(colours), chart))


def times(measured: Measured, analysis: Analysis) -> Markup:
    """Return the distribution of round trips, the parts of a login, and connections a second."""
    latency, login, opened = _latency(measured), _login(measured), _connections(analysis)
    if not latency and not login and not opened:
        return Markup()
    beside = [element("div", login, opened)] if login or opened else []
    return section(
        "Latency, login and connections", "", element("div", latency, *beside, class_="grid")
    )


def _connections(analysis: Analysis) -> Markup:
    figures = [figure for figure in analysis.figures if figure.group == "connections"]
    if not figures:
        return Markup()
    rows = [
        Row(
            content.clean(figure.title.rpartition(", ")[2], 60),
            (
                Mark(
                    middle=figure.spread.median,
                    low=figure.spread.low,
                    high=figure.spread.high,
                    text=_amount(figure),
                ),
            ),
        )
        for figure in figures
    ]
    chart = bars("connections", "Flows opened and closed", rows, wording.count_rate)
    return _figure("Flows opened and closed", chart)


def _latency(measured: Measured) -> Markup:
    curves = []
    for beside in (None, *Direction):
        values = sorted(
            value
            for echo in measured.echoes
            if echo.beside is beside
            for value in sound(echo.samples)
        )
        if values:
            word = f"beside bulk {content.DIRECTIONS[beside]}" if beside else "idle"
            series = _SERIES[beside] if beside else 4
            curves.append(Curve(word, series, tuple(values)))
    if not curves:
        return Markup()
    caption = "Round trips of one byte: share that took no longer"
    colours = [(curve.label, curve.series, f"{len(curve.values):,}") for curve in curves]
    chart = distribution("latency", "Round trips of one byte", curves, wording.seconds)
    return _figure(caption, legend(colours), chart)


def _login(measured: Measured) -> Markup:
    logins, setting = measured.logins, measured.setting
    names = (*_PARTS, "earlier jumps" if setting.hops > 1 else "the rest")
    spreads = [
        spread_of(login.tcp for login in logins),
        spread_of(login.key_exchange for login in logins),
        spread_of(login.authentication for login in logins),
        spread_of(
            login.total - login.tcp - login.key_exchange - login.authentication for login in logins
        ),
    ]
    parts = [
        (name, spread.median if spread else 0.0)
        for name, spread in zip(names, spreads, strict=True)
    ]
    whole = spread_of(login.total for login in logins)
    if whole is None or not any(value for _, value in parts):
        return Markup()
    if parts[-1][1] < whole.median / 50:
        parts.pop()
    colours = [
        (name, series, wording.seconds(value)) for series, (name, value) in enumerate(parts, 1)
    ]
    chart = stack("login", "Parts of a login", parts, wording.seconds)
    caption = f"Login: {wording.seconds(whole.median)}, median of {whole.count}"
    return _figure(caption, chart, element("div", legend(colours), class_="below"))
