"""Tables and figures of a document in words, as Markdown.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from document import Benchmark, Document, Row

OURS = "netkit"
CODEC_COLUMNS = {
    "open 128 KiB": "open, 128 KiB",
    "open 32 KiB": "open, 32 KiB",
    "seal 32 KiB": "seal, 32 KiB",
    "open 64 B": "open, 64 B",
    "seal 64 B": "seal, 64 B",
}
NOTHING = "-"


def number(value: float) -> str:
    """Three significant digits, in groups of thousands."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{number(seconds / size)} {unit}"
    return f"{number(seconds / 1e-9)} ns"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def figure(row: Row, participant: str) -> str:
    """What a participant reached, without the unit; ``!`` where later rounds failed."""
    if participant in row.figures:
        return number(row.figures[participant]) + ("!" if participant in row.failed else "")
    return "failed" if participant in row.failed else NOTHING


def ratio(row: Row, participant: str = OURS) -> str:
    """A participant's ratio to the row's base."""
    found = row.ratios.get(participant)
    return f"{found.ratio:.2f}" if found else NOTHING


def goal(row: Row) -> str:
    """What is to be reached, with three digits."""
    unit = f" {row.unit}" if row.absolute else ""
    if row.at_least is not None:
        return f">= {number(row.at_least)}{unit}"
    return f"<= {number(row.at_most)}{unit}" if row.at_most is not None else ""


def long_titles(rows: Iterable[Row]) -> list[tuple[Row, str]]:
    """Rows with titles that stand alone: ``… upload`` continues the last one that does."""
    found, head = [], ""
    for row in rows:
        if row.title.startswith("… "):
            found.append((row, f"{head} {row.title}"))
        else:
            head = row.title
            found.append((row, head))
    return found


def peers_table(document: Document) -> str:
    """Every row of the comparison: base, netkit, their ratio, and the goal."""
    rows = []
    for row in document.netkit.peers.rows:
        found = row.ratios.get(OURS)
        verdict = {True: "yes", False: "**no**", None: ""}[row.reached]
        spread = f"{found.lowest:.2f} … {found.highest:.2f}" if found else ""
        cells = (figure(row, row.base), figure(row, OURS), ratio(row), spread)
        rows.append((row.title, row.unit, *cells, goal(row), verdict))
    return table(["", "unit", "ssh", OURS, "ratio", "spread", "goal", "reached"], rows)


def others(document: Document) -> str:
    """What participants besides ssh and netkit reached, and who failed where."""
    lines = []
    for row in document.netkit.peers.rows:
        lines += [
            f"* {row.title}: {name} {number(value)} {row.unit}."
            for name, value in row.figures.items()
            if name != OURS and not name.startswith("ssh")
        ]
    failed: dict[str, list[str]] = {}
    for row in document.netkit.peers.rows:
        for name, text in row.failed.items():
            failed.setdefault(f"{name}: {text}", []).append(row.title)
    lines += [f"* {text} ({', '.join(titles)})." for text, titles in failed.items()]
    return "\n".join(lines)


def missed(document: Document, remarks: Mapping[str, str]) -> str:
    """Every row whose goal is not reached, with what ``remarks`` says about it."""
    lines = []
    for row, title in long_titles(document.netkit.peers.rows):
        if row.reached is False:
            shown = figure(row, OURS) if row.absolute else ratio(row)
            head = f"**{title}** ({shown}, goal {goal(row)}{_within_spread(row)})"
            remark = " ".join(remarks.get(row.key, "").split())
            lines.append(f"* {head}{': ' if remark else '.'}{remark}")
    return "\n".join(lines) or "Every goal is reached."


def _within_spread(row: Row) -> str:
    found, wanted = row.ratios.get(OURS), row.at_most if row.at_least is None else row.at_least
    if row.absolute or found is None or wanted is None:
        return ""
    return ", within the spread" if found.lowest <= wanted <= found.highest else ""


def rate(benchmark: Benchmark, seconds: float) -> float:
    """MB/s of a round that took so long."""
    return benchmark.extra_info.bytes / seconds / 1e6


def each(benchmark: Benchmark, seconds: float) -> float:
    """Seconds for one of what a round consists of."""
    return seconds / (benchmark.extra_info.packets or 1)


def codec_table(document: Document) -> str:
    """Ciphers against packets: MB/s for long ones, the time of one for short ones."""
    columns = {group: {b.label: b for b in document.group(group)} for group in CODEC_COLUMNS}
    labels = list(dict.fromkeys(label for column in columns.values() for label in column))
    rows = []
    for label in labels:
        cells = [_codec_cell(column.get(label)) for column in columns.values()]
        rows.append((label, *cells))
    return table(["", *CODEC_COLUMNS.values()], rows)


def _codec_cell(benchmark: Benchmark | None) -> str:
    if benchmark is None:
        return NOTHING
    middle = benchmark.stats.median
    if benchmark.extra_info.bytes < 64_001:
        return duration(each(benchmark, middle))
    return f"{number(rate(benchmark, middle))} MB/s"


def suite_table(document: Document, groups: Sequence[str]) -> str:
    """Benchmarks of these groups: what one of them takes, or MB/s, and what else is known."""
    rows = []
    for group in groups:
        for benchmark in document.group(group):
            label = benchmark.label if len(groups) == 1 else f"{group}: {benchmark.label}"
            stats = benchmark.stats
            ends = (stats.q3, stats.q1) if _is_rate(benchmark) else (stats.q1, stats.q3)
            middle, low, high = (
                _suite_figure(benchmark, seconds) for seconds in (stats.median, *ends)
            )
            rows.append((label, middle, f"{low} … {high}", _more(benchmark)))
    return table(["", "median", "quartiles", ""], rows)


def _is_rate(benchmark: Benchmark) -> bool:
    return bool(benchmark.extra_info.bytes) and not benchmark.extra_info.packets


def _suite_figure(benchmark: Benchmark, seconds: float) -> str:
    if _is_rate(benchmark):
        return f"{number(rate(benchmark, seconds))} MB/s"
    return duration(each(benchmark, seconds))


def _more(benchmark: Benchmark) -> str:
    extra = benchmark.extra_info
    parts = []
    if extra.cpu_seconds and extra.bytes:
        parts.append(f"{number(extra.cpu_seconds / extra.bytes * 1e9)} s of CPU a GB")
    elif extra.cpu_seconds:
        parts.append(f"{duration(each(benchmark, extra.cpu_seconds))} of CPU")
    if extra.bytes_per_flow:
        parts.append(f"{number(extra.bytes_per_flow)} bytes of heap a flow")
    return ", ".join(parts)
