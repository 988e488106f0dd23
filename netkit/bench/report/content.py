"""What a report says, the same for the terminal and the page: words and the choice of rows.

Text of the gateway and of the user is made printable here, and shortened where it could go on for
ever.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from netkit.bench import wording
from netkit.bench.analysis import Analysis, Figure, Limit, Pair, Term, Unit
from netkit.bench.groups import grouped, place, way
from netkit.bench.model import Direction, Measured, Setting, Transfer, Way
from netkit.bench.report.scales import trimmed
from netkit.bench.statistics import Spread, spread_of
from netkit.model import Fix
from netkit.wire.untrusted import printable

_DATE = re.compile(r"(\d{4}-\d\d-\d\d)T([\d:]+)(?:\.\d+)?([+-]\d\d:\d\d)")
_LONGEST = 300
"""Characters of any text from outside."""

WAYS = {
    Way.POSIX: "by commands of a POSIX shell on the gateway",
    Way.POWERSHELL: "by PowerShell on the gateway",
    Way.LOOP: "by a loop: out and back through a remote forward, twice over the link",
    Way.NONE: "not at all: neither commands nor forwards are allowed",
}

DIRECTIONS = {direction: way(direction) for direction in Direction}

TERMS = {
    Term.LINK: "link",
    Term.GATEWAY_WINDOW: "gateway window",
    Term.OUR_WINDOW: "our window",
    Term.OUR_CPU: "our CPU",
    Term.GATEWAY_CPU: "gateway CPU",
    Term.MACHINE: "all CPUs here",
    Term.OUR_COMPRESSION: "our zlib",
    Term.GATEWAY_COMPRESSION: "gateway zlib",
    Term.UNKNOWN: "unknown",
}


ANY = "any"
"""What stands for every corpus: without compression it does not matter what passes."""


def clean(text: str, limit: int = _LONGEST) -> str:
    """Return ``text`` as one printable line, shortened."""
    return printable(text, limit).replace("\t", " ")


def count(number: int, word: str) -> str:
    """``1 run``, ``3 runs``."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def amounts(unit: Unit) -> Callable[[float], str]:
    """Return how values of ``unit`` are written."""
    return {
        Unit.SECONDS: wording.seconds,
        Unit.BYTES_PER_SECOND: wording.rate,
        Unit.PER_SECOND: wording.count_rate,
        Unit.RATIO: wording.percent,
    }[unit]


def amount(figure: Figure) -> str:
    """Return the median of ``figure``."""
    return amounts(figure.unit)(figure.spread.median)


def deviation(spread: Spread) -> str:
    """Return how far from the median its values are, ``±3.1 %``; nothing for a single one."""
    if spread.count < 2:
        return ""
    middle = spread.median
    if not middle:
        return "" if spread.low == spread.high else "±100 %"
    furthest = max(spread.high - middle, middle - spread.low) / abs(middle)
    return "±>999 %" if furthest > 9.99 else f"±{wording.percent(furthest)}"


def span(spread: Spread, wordings: Callable[[float], str]) -> str:
    """Return ``low … high``; nothing for a single value."""
    if spread.count < 2:
        return ""
    return f"{wordings(spread.low)} … {wordings(spread.high)}"


def command(argv: Sequence[str]) -> str:
    """Return a command line, quoted for a POSIX shell."""
    return clean(shlex.join(argv), 1000)


def note(fix: Fix) -> str:
    """Return what else to know about a command."""
    notes = [] if fix.where == "here" else [f"on the {fix.where}"]
    if fix.needs_admin and fix.argv[:1] != ("sudo",):
        notes.append("as administrator")
    if fix.note:
        notes.append(fix.note)
    return clean("; ".join(notes))


def facts(measured: Measured) -> list[tuple[str, str]]:
    """Return what was measured, with what: a name and a value each, those that are known."""
    setting = measured.setting
    ciphers = f"{clean(setting.cipher, 60)}" + (
        f" ({count(len(setting.ciphers), 'cipher')} offered by both sides)"
        if setting.ciphers
        else ""
    )
    here = [setting.client, setting.python, setting.platform, setting.processor]
    here.append(count(setting.cores, "core"))
    rows = [
        ("gateway", gateway(setting)),
        ("server", clean(setting.server)),
        ("link", link(setting)),
        ("bytes pass", WAYS[setting.way] if setting.server or setting.cipher else ""),
        ("cipher", ciphers.strip()),
        ("compression", _compressor(setting)),
        ("window", windows(measured.transfers)),
        ("here", clean(", ".join(each for each in here if each))),
        ("when", when(setting)),
    ]
    return [(name, value) for name, value in rows if value]


def gateway(setting: Setting) -> str:
    """Return which gateway it was, and over how many it was reached."""
    named = clean(setting.gateway, 120)
    return f"{named}, by {count(setting.hops - 1, 'jump')}" if setting.hops > 1 else named


def link(setting: Setting) -> str:
    """Return what is known of the way to the gateway."""
    shape = setting.shape
    if shape is None:
        trip = wording.seconds(setting.round_trip)
        return f"{trip} round trip" if setting.round_trip > 0 else ""
    parts = [trimmed(wording.bits(shape.rate)), trimmed(wording.seconds(shape.round_trip))]
    if shape.loss:
        parts.append(f"{trimmed(wording.percent(shape.loss))} loss")
    imitated = f"imitated: {parts[0]}, {parts[1]} round trip" + "".join(f", {p}" for p in parts[2:])
    if setting.round_trip > 0:
        imitated += f" ({wording.seconds(setting.round_trip)} measured)"
    return imitated


def when(setting: Setting) -> str:
    """Return when the benchmark ran and how long."""
    began = _DATE.sub(r"\1 \2 \3", clean(setting.began, 40))
    took = f"took {setting.took:.1f} s" if 0 < setting.took < 1e6 else ""
    return ", ".join(each for each in (began, took) if each)


def _compressor(setting: Setting) -> str:
    if not setting.cipher:
        return ""
    if not setting.compression:
        return "not offered by both sides"
    named = clean(setting.compressor, 60)
    return f"possible; {named} on our side" if named else "possible"


def windows(transfers: Iterable[Transfer]) -> str:
    """Return the windows that transfers had, and how often they were used up."""
    most: dict[str, int] = {}
    starved: list[float] = []
    for run in transfers:
        whose = "ours" if run.direction is Direction.DOWN else "the gateway's"
        if run.window > 0:
            most[whose] = max(run.window, most.get(whose, 0))
        if run.starved is not None:
            starved.append(run.starved)
    said = [f"{whose} {wording.size(window)}" for whose, window in most.items()]
    spread = spread_of(starved)
    if said and spread is not None:
        said[-1] += f", used up {wording.percent(spread.high)} of the time at most"
    return "; ".join(said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One throughput figure with what is known of its runs.

    ``label`` is its corpus, or `ANY`.  A figure with compression has its ``pair`` and, in ``off``,
    the figure that it is compared with.  ``limit`` is set where one was found; ``load`` (ours) and
    ``gateway_load`` are shares of one processor, None: not known.
    """

    figure: Figure
    label: str
    off: Figure | None
    limit: Limit | None
    pair: Pair | None
    load: float | None
    gateway_load: float | None


def throughput(measured: Measured, analysis: Analysis) -> dict[Direction, list[Row]]:
    """Return the figures of the agreed cipher by direction; by corpus, off before on."""
    groups = {group.key: group for group in grouped(measured)}
    limits = {limit.figure: limit for limit in analysis.limits}
    pairs = {(pair.direction, pair.corpus): pair for pair in analysis.pairs}
    rows: dict[Direction, list[Row]] = {}
    for direction, figures in _by_direction(analysis).items():
        lone = _lone(figures)
        plain = {figure.corpus: figure for figure in figures if not figure.compression}
        for figure in sorted(figures, key=lambda each: (each is not lone, *_order(each))):
            group, on = groups.get(figure.key), figure.compression
            row = Row(
                figure=figure,
                label=_label(figure, lone),
                off=plain.get(figure.corpus, lone) if on else None,
                limit=limits.get(figure.key),
                pair=pairs.get((direction, figure.corpus)) if on else None,
                load=group.load if group else None,
                gateway_load=group.gateway_load if group else None,
            )
            rows.setdefault(direction, []).append(row)
    return rows


def _by_direction(analysis: Analysis) -> dict[Direction, list[Figure]]:
    found: dict[Direction, list[Figure]] = {direction: [] for direction in Direction}
    for figure in analysis.figures:
        if figure.group == "throughput" and figure.direction is not None:
            found[figure.direction].append(figure)
    return {direction: figures for direction, figures in found.items() if figures}


def _order(figure: Figure) -> tuple[int, str, bool]:
    return place(figure.corpus), figure.corpus, figure.compression


def _lone(figures: Iterable[Figure]) -> Figure | None:
    """Return the one figure without compression that stands for every corpus, if there is one."""
    plain = [figure for figure in figures if not figure.compression]
    corpora = {figure.corpus for figure in figures if figure.compression}
    if len(plain) != 1 or not corpora - {plain[0].corpus}:
        return None
    return plain[0]


def _label(figure: Figure, lone: Figure | None) -> str:
    return ANY if figure is lone else clean(figure.corpus, 20) or "data"


def chief(rows: Sequence[Row]) -> Row | None:
    """Return the row that stands for its direction: no compression, of the sample or of text."""
    plain = [row for row in rows if not row.figure.compression]
    ranks = {"sample": 0, "text": 1, "program": 2, "random": 3}
    return min(plain, key=lambda row: ranks.get(row.figure.corpus, 4), default=None)


def ciphers(analysis: Analysis) -> dict[str, list[Figure]]:
    """Return each cipher's figures without compression and of one corpus, by direction.

    Nothing where there is but one cipher.
    """
    plain = [figure for figure in analysis.figures if figure.direction and not figure.compression]
    others = [figure for figure in plain if figure.group == "ciphers"]
    if not others:
        return {}
    corpora = [figure.corpus for figure in others]
    corpus = max(corpora, key=corpora.count)
    found: dict[str, list[Figure]] = {}
    for figure in plain:
        if figure.group in {"throughput", "ciphers"} and figure.corpus == corpus:
            found.setdefault(figure.cipher, []).append(figure)
    order = [*DIRECTIONS, None]
    return {
        cipher: sorted(figures, key=lambda figure: order.index(figure.direction))
        for cipher, figures in found.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """What one reason limits in one direction, and the arithmetic of the first of them."""

    term: Term
    direction: Direction
    compression: bool
    corpora: tuple[str, ...]
    load: float
    text: str

    @property
    def what(self) -> str:
        """``down, compressed (text, zeros)``."""
        compressed = ", compressed" if self.compression else ", not compressed"
        return f"{DIRECTIONS[self.direction]}{compressed} ({', '.join(self.corpora)})"


def limited(analysis: Analysis) -> list[Limited]:
    """Return what limits the figures of the agreed cipher, alike ones together.

    By direction, those without compression first.
    """
    figures = {figure.key: figure for figure in analysis.figures if figure.group == "throughput"}
    labels = {
        figure.key: _label(figure, _lone(several))
        for several in _by_direction(analysis).values()
        for figure in several
    }
    found: dict[tuple[Direction, bool, Term], list[Limit]] = {}
    for limit in analysis.limits:
        figure = figures.get(limit.figure)
        if figure is not None and figure.direction is not None:
            kind = (figure.direction, figure.compression, limit.term)
            found.setdefault(kind, []).append(limit)
    return [
        Limited(
            term=term,
            direction=direction,
            compression=compression,
            corpora=tuple(labels[limit.figure] for limit in limits),
            load=limits[0].load,
            text=clean(limits[0].text, 600),
        )
        for (direction, compression, term), limits in sorted(
            found.items(), key=lambda item: (list(Direction).index(item[0][0]), item[0][1])
        )
    ]


def others(analysis: Analysis) -> list[Figure]:
    """Return the figures of logins, latency and connections."""
    return [
        figure for figure in analysis.figures if figure.group in {"login", "latency", "connections"}
    ]


def skipped(measured: Measured) -> list[str]:
    """Return what was not measured and why, things with the same reason together."""
    reasons: dict[str, list[str]] = {}
    for each in measured.skipped:
        reasons.setdefault(clean(each.why), []).append(clean(each.what))
    return [f"{'; '.join(whats)}: {why}" for why, whats in reasons.items()]
