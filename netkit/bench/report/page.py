"""A result as one HTML page that needs nothing else: no script, no network, no font of its own.

It is made to be pasted into a ticket: the verdict first, then what it rests on, and at the end what
anyone needs to repeat it.
"""

from __future__ import annotations

from netkit.bench.analysis import Advice, Analysis, Term
from netkit.bench.compare import Comparison
from netkit.bench.model import Direction, Measured
from netkit.bench.report import content, pictures, tables
from netkit.bench.report.cells import tied
from netkit.bench.report.markup import Markup, element, join
from netkit.bench.report.style import STYLE
from netkit.model import Fix

_TONES = {
    **dict.fromkeys(("on", "keep", "enough"), " good"),
    **dict.fromkeys(("limits", "busy"), " bad"),
}


def page(measured: Measured, analysis: Analysis, comparison: Comparison | None = None) -> str:
    """Return the whole page."""
    gateway = content.gateway(measured.setting) or "a gateway"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element(
            "meta",
            http_equiv="Content-Security-Policy",
            content="default-src 'none'; style-src 'unsafe-inline'",
        ),
        element("title", f"netkit bench: {gateway}"),
        element("style", Markup(STYLE)),
    )
    body = element(
        "body",
        element(
            "main",
            _header(measured),
            _verdict(measured, analysis),
            _tiles(measured, analysis),
            tables.changes(comparison) if comparison else Markup(),
            pictures.pairs(measured, analysis),
            pictures.ciphers(analysis),
            pictures.times(measured, analysis),
            tables.limits(analysis),
            tables.figures(measured, analysis),
            tables.skipped(measured),
            tables.conditions(measured),
        ),
        element("footer", f"Made by {content.clean(measured.setting.client) or 'netkit'}."),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _header(measured: Measured) -> Markup:
    setting = measured.setting
    under = [content.clean(setting.server, 120), content.link(setting), content.when(setting)]
    return element(
        "header",
        element("p", "netkit bench", class_="product"),
        element("h1", content.gateway(setting) or "a gateway"),
        element("p", *(element("span", each) for each in under if each), class_="under"),
    )


def _verdict(measured: Measured, analysis: Analysis) -> Markup:
    parts = [element("h2", "Verdict")]
    if measured.interrupted:
        text = "Interrupted: this rests on what was measured until then."
        parts.append(element("p", text, class_="note bad"))
    parts += map(_advice, analysis.advice)
    if not analysis.advice:
        parts.append(element("p", "None: too little was measured."))
    return element("section", *parts, class_="card warn" if measured.interrupted else "card")


def _advice(advice: Advice) -> Markup:
    verdict = content.clean(advice.verdict, 40)
    tone = _TONES.get(advice.verdict, "")
    return element(
        "div",
        element(
            "div",
            element("div", content.clean(advice.topic, 40), class_="topic"),
            element("span", verdict, class_=f"chip{tone}") if verdict else "",
        ),
        element(
            "div",
            element("h3", tied(content.clean(advice.title))),
            element("p", tied(content.clean(advice.text, 1000))) if advice.text else "",
            *map(_fix, advice.fixes),
        ),
        class_="advice",
    )


def _fix(fix: Fix) -> Markup:
    note = content.note(fix)
    if not fix.argv:
        return element("p", note)
    return join(
        [
            element("pre", element("code", content.command(fix.argv))),
            element("p", note, class_="note") if note else Markup(),
        ]
    )


def _tiles(measured: Measured, analysis: Analysis) -> Markup:
    tiles = []
    names = {Direction.DOWN: "Download", Direction.UP: "Upload", Direction.LOOP: "Out and back"}
    for direction, rows in content.throughput(measured, analysis).items():
        row = content.chief(rows)
        if row is None:
            continue
        said = [content.deviation(row.figure.spread)]
        if row.limit is not None and row.limit.term is not Term.UNKNOWN:
            said.append(f"limit: {content.TERMS[row.limit.term]}")
        under = ", ".join(each for each in said if each)
        tiles.append(_tile(names[direction], content.amount(row.figure), under))
    for key, name in (
        ("echo.idle.p50", "Round trip, idle"),
        ("login.total", "Login"),
        ("first-byte.command", "First byte of a command"),
        ("first-byte.forward", "First byte of a forward"),
    ):
        for figure in analysis.figures:
            if figure.key == key:
                spread = content.span(figure.spread, content.amounts(figure.unit))
                tiles.append(_tile(name, content.amount(figure), spread))
    return element("dl", *tiles, class_="tiles") if tiles else Markup()


def _tile(name: str, value: str, under: str) -> Markup:
    small = element("small", under) if under else ""
    return element("div", element("dt", name), element("dd", value, small), class_="tile")
