"""A result as lines for a person at a terminal, 80 columns wide.

What was measured comes first and the verdict last, where the eye is when the prompt
comes back; each part of the verdict ends in a command.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from netkit.bench import wording
from netkit.bench.analysis import Advice, Analysis, Figure
from netkit.bench.compare import Comparison
from netkit.bench.model import Measured
from netkit.bench.report import content
from netkit.bench.report.cells import COLUMNS, cut, left, table, width, wrap
from netkit.model import Fix

_LEGEND = (
    "(zlib: compression; ± reaches the furthest run; on/off: speed with it against without; wire:"
    " bytes sent per byte; CPU: share of one processor, of this side and of the gateway)"
)

_INDENT = "  "
_INNER = COLUMNS - len(_INDENT)


def lines(
    measured: Measured, analysis: Analysis, comparison: Comparison | None = None
) -> list[str]:
    """Return the whole result, no line wider than `COLUMNS`."""
    sections = [
        _heading(measured),
        _facts(measured),
        _others(analysis),
        *_throughput(measured, analysis),
        _ciphers(analysis),
        _limits(analysis),
        _changes(comparison),
        _skipped(measured),
        _verdict(measured, analysis),
    ]
    return [
        cut(line, COLUMNS)
        for number, section in enumerate(section for section in sections if section)
        for line in ([""] if number else []) + section
    ]


def _heading(measured: Measured) -> list[str]:
    return [f"netkit bench: {content.gateway(measured.setting)}"]


def _facts(measured: Measured) -> list[str]:
    rows = [row for row in content.facts(measured) if row[0] != "gateway"]
    wide = max((width(name) for name, _ in rows), default=0)
    said: list[str] = []
    for name, value in rows:
        said += _hanging(left(name, wide), value)
    return said


def _hanging(head: str, text: str) -> list[str]:
    """Return ``text`` behind ``head``, its further lines under the first."""
    margin = f"{_INDENT}{head}  "
    wrapped = wrap(text, COLUMNS - width(margin))
    return [
        (margin if not number else " " * width(margin)) + line
        for number, line in enumerate(wrapped)
    ]


def _section(title: str, rows: Sequence[Sequence[str]], aligned: str) -> list[str]:
    if len(rows) < 2:
        return []
    made = table(rows, aligned=aligned, columns=_INNER)
    return [title, *(f"{_INDENT}{line}" for line in made)]


def _others(analysis: Analysis) -> list[str]:
    rows = [("", "median", "lowest … highest", "values")]
    rows += [_line(figure) for figure in content.others(analysis)]
    return _section("Login, latency and connections", rows, "lrrr")


def _line(figure: Figure) -> tuple[str, str, str, str]:
    amounts = content.amounts(figure.unit)
    return (
        content.clean(figure.title, 60),
        content.amount(figure),
        content.span(figure.spread, amounts),
        str(figure.spread.count),
    )


def _throughput(measured: Measured, analysis: Analysis) -> list[list[str]]:
    sections = []
    for direction, rows in content.throughput(measured, analysis).items():
        cells: list[Sequence[str]] = [
            ("", "zlib", "median", "", "on/off", "wire", "CPU us", "CPU gw", "limited by")
        ]
        label = ""
        for row in rows:
            cells.append(_throughput_row(row, "" if row.label == label else row.label))
            label = row.label
        cipher = cut(content.clean(rows[0].figure.cipher, 60), 50)
        title = f"Throughput {content.DIRECTIONS[direction]}, {cipher}"
        sections.append(_section(title, cells, "llrrrrrrl"))
    if sections:
        sections[-1] += _wrapped(_LEGEND)
    return sections


def _throughput_row(row: content.Row, label: str) -> tuple[str, ...]:
    figure, pair = row.figure, row.pair
    return (
        cut(label, 12),
        "on" if figure.compression else "off",
        content.amount(figure),
        content.deviation(figure.spread),
        wording.factor(pair.gain.median) if pair else "",
        wording.percent(pair.ratio) if pair else "",
        wording.percent(row.load) if row.load is not None else "",
        wording.percent(row.gateway_load) if row.gateway_load is not None else "",
        content.TERMS[row.limit.term] if row.limit else "",
    )


def _ciphers(analysis: Analysis) -> list[str]:
    found = content.ciphers(analysis)
    if not found:
        return []
    directions = list(
        dict.fromkeys(figure.direction for figures in found.values() for figure in figures)
    )
    words = [content.DIRECTIONS[each] for each in directions if each]
    rows: list[Sequence[str]] = [["", *(cell for word in words for cell in (word, ""))]]
    for cipher, figures in found.items():
        by_direction = {figure.direction: figure for figure in figures}
        cells = [content.clean(cipher, 40)]
        for direction in directions:
            figure = by_direction.get(direction)
            cells += (
                [content.amount(figure), content.deviation(figure.spread)] if figure else ["", ""]
            )
        rows.append(cells)
    corpus = content.clean(next(iter(found.values()))[0].corpus, 20)
    return _section(f"Ciphers, {corpus}, not compressed", rows, "l" + "rr" * len(words))


def _limits(analysis: Analysis) -> list[str]:
    said = ["What limits"]
    for each in content.limited(analysis):
        said += _wrapped(f"{each.what}: {content.TERMS[each.term]}")
        said += _wrapped(each.text, indent=_INDENT * 2)
    return said if len(said) > 1 else []


def _wrapped(text: str, *, indent: str = _INDENT) -> list[str]:
    return [indent + line for line in wrap(text, COLUMNS - len(indent))]


def _changes(comparison: Comparison | None) -> list[str]:
    if comparison is None:
        return []
    said = ["Compared with before"]
    for difference in comparison.differences:
        said += _wrapped(f"not the same: {difference}")
    rows = [("", "before", "now", "change", "")]
    rows += [
        (
            content.clean(change.title, 60),
            content.amounts(change.unit)(change.old.median),
            content.amounts(change.unit)(change.new.median),
            change.shown,
            change.verdict,
        )
        for change in comparison.changes
        if change.flagged
    ]
    if len(rows) > 1:
        made = table(rows, aligned="lrrrl", columns=_INNER)
        said += [f"{_INDENT}{line}" for line in made]
    return [*said, *_wrapped(comparison.summary)]


def _skipped(measured: Measured) -> list[str]:
    said = []
    if measured.skipped:
        said.append("Not measured")
        for each in content.skipped(measured):
            said += _wrapped(each)
    for each_note in measured.notes:
        said += _wrapped(f"note: {content.clean(each_note)}", indent="")
    return said


def _verdict(measured: Measured, analysis: Analysis) -> list[str]:
    said = ["Verdict"]
    if measured.interrupted:
        said += _wrapped("interrupted: what follows rests on what was measured until then")
    for number, advice in enumerate(analysis.advice):
        said += ([""] if number else []) + _advice(advice)
    if not analysis.advice:
        said += _wrapped("none: too little was measured")
    return said


def _advice(advice: Advice) -> list[str]:
    head = f"{content.clean(advice.topic, 20)}: {content.clean(advice.verdict, 30)}"
    said = _wrapped(head.removesuffix(": "))
    said += _wrapped(content.clean(advice.title), indent=_INDENT * 2)
    said += _wrapped(content.clean(advice.text, 1000), indent=_INDENT * 2)
    for number, fix in enumerate(advice.fixes):
        said += _fix(fix, "run: " if not number else "or:  ")
    return said


def _fix(fix: Fix, label: str) -> list[str]:
    """Return a command, broken as a POSIX shell lets one break it."""
    margin = f"{_INDENT * 2}{label} "
    under = " " * len(margin)
    room = COLUMNS - len(margin) - 2
    broken: list[str] = []
    for word in map(content.clean, map(shlex.quote, fix.argv)):
        if broken and width(f"{broken[-1]} {word}") <= room:
            broken[-1] += f" {word}"
        else:
            broken.append(word)
    said = [f"{line} \\" for line in broken[:-1]] + broken[-1:]
    made = [(margin if not number else under) + line for number, line in enumerate(said)]
    note = content.note(fix)
    if note:
        head = under if made else margin
        made += [head + line for line in wrap(f"({note})" if made else note, COLUMNS - len(head))]
    return made
