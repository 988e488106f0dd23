"""Which charts a document makes.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from charts import Bars, Dot, Value, bars, ratios
from document import Benchmark, Document, Row
from tables import OURS, long_titles, rate

CODEC_CHART = {"open 32 KiB": "open", "seal 32 KiB": "seal"}
PEERS = ("ssh", OURS)


def drawings(document: Document) -> dict[str, str]:
    """SVG text by name; a chart without any figure is left out."""
    makers: dict[str, Callable[[Document], str]] = {
        "more-is-better": lambda d: _ratios(d, more=True),
        "less-is-better": lambda d: _ratios(d, more=False),
        "throughput": _throughput,
        "compression": _compression,
        "latency": _latency,
        "codec": _codec,
        "tunnel": _tunnel,
        "start": _start,
    }
    made = {}
    for name, make in makers.items():
        try:
            made[name] = make(document)
        except ValueError:
            continue
    return made


def _ratios(document: Document, *, more: bool) -> str:
    dots = []
    for row, title in long_titles(document.netkit.peers.rows):
        found = row.ratios.get(OURS)
        if found is None or row.more_is_better is not more or found.lowest <= 0:
            continue
        goal = None if row.absolute else row.at_least if more else row.at_most
        value = Value(found.ratio, found.lowest, found.highest)
        dots.append(Dot(title, value, goal, missed=row.reached is False))
    side = "right" if more else "left"
    what = "more" if more else "less"
    return ratios(
        f"netkit divided by ssh: {what} is better",
        f"Better is to the {side} of 1.  Dots are medians, lines extremes of all rounds, "
        "bars goals, red a goal that is missed.",
        dots,
    )


def _values(document: Document, row: Row, names: Iterable[str]) -> tuple[Value | None, ...]:
    values: list[Value | None] = []
    for name in names:
        ends = document.netkit.peers.extremes(row, name)
        if name not in row.figures or ends is None:
            values.append(None)
        else:
            middle = row.figures[name]
            values.append(Value(middle, min(ends[0], middle), max(ends[1], middle)))
    return tuple(values)


def _peer_bars(document: Document, title: str, unit: str, wanted: Callable[[Row], bool]) -> str:
    groups = [
        Bars(label, _values(document, row, PEERS))
        for row, label in long_titles(document.netkit.peers.rows)
        if row.unit == unit and row.base == "ssh" and wanted(row)
    ]
    return bars(title, unit, PEERS, groups)


def _is_near(row: Row) -> bool:
    return not row.experiment.startswith(("far-", "zlib-"))


def _throughput(document: Document) -> str:
    return _peer_bars(document, "Throughput on loopback", "MB/s", _is_near)


def _compression(document: Document) -> str:
    return _peer_bars(
        document,
        "Throughput with compression",
        "MB/s",
        lambda row: row.experiment.startswith("zlib-") and "thin" not in row.experiment,
    )


def _latency(document: Document) -> str:
    return _peer_bars(document, "Round trip of one byte", "µs", _is_near)


def _rate(benchmark: Benchmark) -> Value:
    stats = benchmark.stats
    return Value(*(rate(benchmark, seconds) for seconds in (stats.median, stats.q3, stats.q1)))


def _codec(document: Document) -> str:
    columns = [{b.label: _rate(b) for b in document.group(group)} for group in CODEC_CHART]
    labels = dict.fromkeys(label for column in columns for label in column)
    groups = [Bars(label, tuple(column.get(label) for column in columns)) for label in labels]
    return bars("Packets of 32 KiB", "MB/s", tuple(CODEC_CHART.values()), groups)


def _tunnel(document: Document) -> str:
    groups = [Bars(b.label, (_rate(b),)) for b in document.group("tunnel")]
    return bars("netkit.open_tunnel through sshd on loopback", "MB/s", (OURS,), groups)


def _start(document: Document) -> str:
    groups = []
    for benchmark in document.group("start"):
        stats = benchmark.stats
        value = Value(*(seconds * 1e3 for seconds in (stats.median, stats.q1, stats.q3)))
        groups.append(Bars(benchmark.label, (value,)))
    return bars("Start of the command line", "ms", ("time",), groups)
