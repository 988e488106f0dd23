"""Compare a run with a saved one: ``python bench/compare.py [SAVED.json] [NEW.json]``.

SAVED is docs/performance.json unless named; without NEW everything is measured now.  A change
counts when it is larger than ``--threshold`` and the spreads of both runs do not meet: extremes of
the rounds' ratios of a row, quartiles of a suite.

Rows are compared by their ratio to ssh, which hardly depends on the machine (those about memory by
netkit's own figure).  Suites are compared where the machine is the same, in yardsticks
(`yardstick.py`); the shortest time has to change as the median does, and both by more than the
yardstick itself did meanwhile.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import document
import performance
import run
from document import Benchmark, Document, DocumentError, Ratio, Row, Stats
from processes import ROOT
from tables import OURS

THRESHOLD = 1.1
BUSY = 0.5
"""Load average per core before a run, from which on others were at work."""


@dataclass(frozen=True, slots=True)
class Change:
    """One figure then and now.

    Attributes:
        factor: how many times as good it is now; above 1 is better.
        apart: whether the spreads of the two do not meet.
        drift: the factor by which the machine's speed changed while this was measured.
    """

    what: str
    before: float
    after: float
    unit: str
    factor: float
    apart: bool
    drift: float = 1.0

    def counts(self, threshold: float) -> bool:
        """Whether it is more than noise."""
        least = threshold * self.drift
        return self.apart and not 1 / least < self.factor < least


def changes(before: Document, after: Document) -> Iterator[Change]:
    """Every figure that both runs have; suites only from the same machine.  Pure."""
    for row in after.netkit.peers.rows:
        saved = before.row(row.key)
        if saved is None:
            continue
        old, new = _judged(before, saved), _judged(after, row)
        if old is not None and new is not None:
            yield _row_change(row, old, new)
    if same_machine(before, after):
        known = {benchmark.fullname: benchmark for benchmark in before.benchmarks}
        for benchmark in after.benchmarks:
            if benchmark.fullname in known:
                yield _suite_change(known[benchmark.fullname], benchmark)


def same_machine(before: Document, after: Document) -> bool:
    """Whether times can be compared."""
    one, other = before.netkit.peers.machine, after.netkit.peers.machine
    return (one.processor, one.cores) == (other.processor, other.cores)


def caveats(before: Document, after: Document) -> list[str]:
    """What makes the comparison worth less."""
    said = []
    if not same_machine(before, after):
        said.append("The machines differ: only ratios to ssh are compared.")
    for name, found in (("saved", before), ("new", after)):
        if found.netkit.load > BUSY * found.netkit.peers.machine.cores:
            said.append(
                f"The machine was busy before the {name} run (load {found.netkit.load:.1f}): "
                "what others do there shows as changes, of the suites above all."
            )
    return said


def missing(before: Document, after: Document) -> list[str]:
    """What the saved run has and the new one has not."""
    rows = {row.key for row in after.netkit.peers.rows if OURS in row.figures}
    names = {benchmark.fullname for benchmark in after.benchmarks}
    lost = [row.title for row in before.netkit.peers.rows if row.key not in rows]
    return lost + [each.fullname for each in before.benchmarks if each.fullname not in names]


def _judged(found: Document, row: Row) -> Ratio | None:
    """By what a row is judged: its ratio to ssh, or netkit's own figure."""
    judged = row.ratios.get(OURS)
    if row.absolute:
        ends = found.netkit.peers.extremes(row, OURS)
        judged = Ratio(row.figures[OURS], *ends) if ends and OURS in row.figures else None
    return judged if judged and judged.ratio > 0 else None


def _row_change(row: Row, old: Ratio, new: Ratio) -> Change:
    factor = new.ratio / old.ratio
    return Change(
        row.title,
        old.ratio,
        new.ratio,
        row.unit if row.absolute else "x ssh",
        factor if row.more_is_better else 1 / factor,
        new.lowest > old.highest or new.highest < old.lowest,
    )


def _suite_change(before: Benchmark, after: Benchmark) -> Change:
    known = before.extra_info.yardstick > 0 and after.extra_info.yardstick > 0
    (old, old_best), (new, new_best) = (
        _times(each.stats, each.extra_info.yardstick if known else 1.0) for each in (before, after)
    )
    return Change(
        after.fullname.rpartition("/")[2],
        old.ratio,
        new.ratio,
        "yardsticks" if known else "s",
        _smaller(old.ratio / new.ratio, old_best / new_best),
        new.lowest > old.highest or new.highest < old.lowest,
        before.extra_info.drift * after.extra_info.drift,
    )


def _times(stats: Stats, unit: float) -> tuple[Ratio, float]:
    """Median and quartiles, and the shortest time, in units of so many seconds."""
    spread = Ratio(stats.median / unit, stats.q1 / unit, stats.q3 / unit)
    return spread, stats.min / unit


def _smaller(one: float, other: float) -> float:
    """Of two factors the one that says less, 1 where they contradict each other."""
    if (one > 1) != (other > 1):
        return 1.0
    return min(one, other) if one > 1 else max(one, other)


def as_text(found: list[Change], lost: list[str], threshold: float) -> str:
    """What changed, the worst first."""
    lines = []
    for change in sorted(found, key=lambda change: change.factor):
        if change.counts(threshold):
            word = "better" if change.factor > 1 else "WORSE"
            times = f"{max(change.factor, 1 / change.factor):.2f} times {word}"
            figures = f"{change.before:.3g} -> {change.after:.3g} {change.unit}"
            lines.append(f"{times:>20}  {change.what}: {figures}")
    lines += [f"{'not measured':>20}  {what}" for what in lost]
    quiet = sum(not change.counts(threshold) for change in found)
    lines.append(f"{quiet} of {len(found)} figures changed by no more than noise")
    return "\n".join(lines)


def compare(saved: Path, new: Path, threshold: float) -> bool:
    """Print the comparison; whether something is worse.

    Raises:
        DocumentError: a file is no document.
    """
    before, after = document.read(saved), document.read(new)
    for caveat in caveats(before, after):
        print(caveat)
    found = list(changes(before, after))
    print(as_text(found, missing(before, after), threshold))
    return any(change.counts(threshold) and change.factor < 1 for change in found)


def show_suites(saved: Path, new: Path) -> None:
    """pytest-benchmark's own table of both runs."""
    columns = "--columns=min,median,iqr,rounds"
    argv = ["pytest_benchmark", "compare", str(saved), str(new), "--group-by=fullname", columns]
    subprocess.run([sys.executable, "-m", *argv], check=False, cwd=ROOT)


def main() -> int:
    """The command line; 1 if something is worse and ``--strict`` was given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("saved", nargs="?", type=Path, default=performance.SAVED)
    parser.add_argument("new", nargs="?", type=Path, help="measured now if not named")
    parser.add_argument("--threshold", type=float, default=THRESHOLD, help="1.1: a tenth")
    parser.add_argument("--strict", action="store_true", help="exit 1 if something is worse")
    parser.add_argument("--suites", action="store_true", help="pytest-benchmark's table as well")
    options = parser.parse_args()
    new: Path = options.new or run.LATEST
    try:
        document.read(options.saved)  # before minutes are spent
        if options.new is None:
            new.parent.mkdir(parents=True, exist_ok=True)
            new.write_bytes(run.measure("make bench-compare", quick=False))
        if options.suites:
            show_suites(options.saved.resolve(), new.resolve())
        worse = compare(options.saved, new, options.threshold)
    except KeyboardInterrupt:
        print("compare.py: interrupted", file=sys.stderr)
        return 130
    except (DocumentError, run.FailedError, OSError) as error:
        print(f"compare.py: {error}", file=sys.stderr)
        print("Two runs of `make bench` are compared, of which one was saved.", file=sys.stderr)
        print("Save one: make bench ARGS='--output saved.json --no-docs'", file=sys.stderr)
        return 2
    return 1 if worse and options.strict else 0


if __name__ == "__main__":
    sys.exit(main())
