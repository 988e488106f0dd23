"""The page's sections with tables: figures, limits, changes, and how it was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from netkit.bench import wording
from netkit.bench.analysis import Analysis, Figure, Term
from netkit.bench.compare import Comparison
from netkit.bench.groups import Group, grouped
from netkit.bench.model import Measured
from netkit.bench.report import content
from netkit.bench.report.cells import tied
from netkit.bench.report.markup import Markup, element, join
from netkit.bench.report.pictures import section


def _table(
    name: str,
    head: Sequence[str],
    rows: Iterable[Markup],
    numbers: set[int],
    *,
    stacked: bool = False,
) -> Markup:
    """Return a table that scrolls on its own where it is wider than the window.

    A ``stacked`` one has its cells below each other instead on a phone.
    """
    cells = [
        element("th", text, scope="col", class_="number" if at in numbers else None)
        for at, text in enumerate(head)
    ]
    table = element(
        "table",
        element("thead", element("tr", *cells)),
        element("tbody", *rows),
        class_="stacked" if stacked else None,
    )
    return element("div", table, class_="scroll", role="region", tabindex=0, aria_label=name)


def _row(
    cells: Sequence[str | Markup],
    numbers: set[int],
    tones: Mapping[int, str] = MappingProxyType({}),
) -> Markup:
    first, *rest = cells
    return element(
        "tr",
        element("th", first, scope="row"),
        *(
            element(
                "td",
                cell,
                class_=f"{'number' if at in numbers else ''} {tones.get(at, '')}".strip() or None,
            )
            for at, cell in enumerate(rest, 1)
        ),
    )


def limits(analysis: Analysis) -> Markup:
    """Return what limits throughput, with the arithmetic."""
    rows = []
    for each in content.limited(analysis):
        cells = [
            each.what,
            element("b", content.TERMS[each.term], class_="term"),
            _meter(each.load) if each.term is not Term.UNKNOWN else "",
            element("div", tied(each.text), class_="wide"),
        ]
        rows.append(_row(cells, set()))
    if not rows:
        return Markup()
    head = ("", "limited by", "of it used", "arithmetic of the first")
    return section("What limits", "", _table("What limits", head, rows, set(), stacked=True))


def _meter(load: float) -> Markup:
    share = min(max(load, 0.0), 1.0)
    bar = element("i", style=f"width:{share * 100:.0f}%")
    return join([element("span", wording.percent(load)), element("span", bar, class_="meter")])


def figures(measured: Measured, analysis: Analysis) -> Markup:
    """Return every figure with its spread, and how busy both sides were."""
    head = (
        *("", "median", "lowest … highest", "values"),
        *("our CPU", "gateway CPU", "limited by"),
    )
    rows: list[Markup] = []
    numbers = {1, 2, 3, 4, 5}
    limiting = {limit.figure: content.TERMS[limit.term] for limit in analysis.limits}
    groups = {group.key: group for group in grouped(measured)}
    group = ""
    for figure in analysis.figures:
        if figure.group != group:
            group = figure.group
            rows.append(
                element(
                    "tr", element("td", content.clean(group, 40), colspan=len(head)), class_="group"
                )
            )
        rows.append(
            _row([*_cells(figure, groups.get(figure.key)), limiting.get(figure.key, "")], numbers)
        )
    if not rows:
        return Markup()
    note = "CPU is the share of one processor that the link's own work took meanwhile."
    return section("All figures", note, _table("All figures", head, rows, numbers))


def _cells(figure: Figure, runs: Group | None) -> list[str]:
    amounts, spread = content.amounts(figure.unit), figure.spread
    loads = (runs.load, runs.gateway_load) if runs else (None, None)
    return [
        content.clean(figure.title, 120),
        content.amount(figure),
        content.span(spread, amounts),
        str(spread.count),
        *("" if load is None else wording.percent(load) for load in loads),
    ]


def changes(comparison: Comparison) -> Markup:
    """Return what changed beyond the noise, and what else is different."""
    parts = [element("p", f"{comparison.summary}.")]
    if comparison.differences:
        told = (element("li", content.clean(each)) for each in comparison.differences)
        parts.append(element("ul", *told, class_="plain"))
    rows = []
    numbers = {2, 3, 4, 5, 6}
    for change in comparison.changes:
        if change.flagged:
            amounts = content.amounts(change.unit)
            cells = [
                content.clean(change.title, 120),
                change.verdict,
                change.shown,
                amounts(change.old.median),
                content.span(change.old, amounts),
                amounts(change.new.median),
                content.span(change.new, amounts),
            ]
            tone = "good" if change.better else "bad"
            rows.append(_row(cells, numbers, {1: tone, 2: tone}))
    if rows:
        head = ("", "", "change", "before", "lowest … highest", "now", "lowest … highest")
        parts.append(_table("Changes", head, rows, numbers))
    return section("Compared with before", "", *parts)


def skipped(measured: Measured) -> Markup:
    """Return what was not measured and why, and what else to know."""
    told = content.skipped(measured) + [content.clean(note) for note in measured.notes]
    if not told:
        return Markup()
    entries = (element("li", each) for each in told)
    return section("Not measured, and notes", "", element("ul", *entries, class_="plain"))


def conditions(measured: Measured) -> Markup:
    """Return the command and the machine."""
    parts: list[Markup] = []
    for name, value in content.facts(measured):
        parts += [element("dt", name), element("dd", value)]
    if measured.setting.command:
        command = element("code", content.command(measured.setting.command))
        parts += [element("dt", "command"), element("dd", command)]
    return section("How it was measured", "", element("dl", *parts, class_="facts"))
