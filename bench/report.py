"""From samples to a table on the terminal, in Markdown and as JSON."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments import Settings
from measure import Comparison, Samples, compare
from rows import Row

OURS = "netkit"
NOISE = "ssh-again"
PACKAGES = ("paramiko", "cryptography", "asyncssh", "sshtunnel")


@dataclass(frozen=True, slots=True)
class Line:
    """One row with its figures.

    ``figures`` has the median of each participant (the highest value where the row is about a
    peak of memory); ``comparisons`` compares each with the row's base; ``notes`` says why a
    participant has no figure.
    """

    row: Row
    figures: Mapping[str, float]
    comparisons: Mapping[str, Comparison]
    notes: Mapping[str, str]

    @property
    def reached(self) -> bool | None:
        """Whether netkit reaches the goal; None when there is no goal or no figure."""
        if self.row.absolute:
            figure = self.figures.get(OURS)
        else:
            comparison = self.comparisons.get(OURS)
            figure = comparison.ratio if comparison else None
        if figure is None:
            missed = OURS in self.notes and bool(self.row.goal)
            return False if missed else None
        return self.row.reached(figure)


def make_lines(rows: Sequence[Row], results: Mapping[str, Samples]) -> tuple[Line, ...]:
    """Fold the samples of the experiments that ran into the rows."""
    return tuple(_line(row, results[row.experiment]) for row in rows if row.experiment in results)


def _line(row: Row, samples: Samples) -> Line:
    middle = max if row.absolute else statistics.median
    names = [name for name in samples.rounds if not name.endswith("-default") or name == row.base]
    if row.base.endswith("-default"):
        names = [name for name in names if name in (row.base, OURS)]
    values = {name: samples.values(name, row.metric) for name in names}
    base = values.get(row.base, [])
    comparisons = {
        name: comparison
        for name in names
        if name != row.base and (comparison := compare(values[name], base))
    }
    figures = {name: middle(values[name]) for name in names if values[name]}
    notes = {name: text for name, text in samples.failures.items() if name in names}
    return Line(row, figures, comparisons, notes)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _cells(line: Line, others: Sequence[str]) -> list[str]:
    """Title, unit, base, netkit, ratio, spread, goal, verdict, noise, the other participants."""
    row = line.row
    comparison = line.comparisons.get(OURS)
    verdict = {True: "yes", False: "NO", None: ""}[line.reached]
    noise = line.comparisons.get(NOISE)
    return [
        row.title,
        row.unit,
        _figure(line, row.base),
        _figure(line, OURS),
        f"{comparison.ratio:.2f}" if comparison else "",
        f"{comparison.lowest:.2f} … {comparison.highest:.2f}" if comparison else "",
        row.goal,
        verdict,
        f"{noise.lowest:.2f} … {noise.highest:.2f}" if noise else "",
        *(_figure(line, name) for name in others),
    ]


def _figure(line: Line, name: str) -> str:
    if name in line.figures:
        return _number(line.figures[name]) + ("!" if name in line.notes else "")
    return "failed" if name in line.notes else ""


def _table(lines: Sequence[Line]) -> list[list[str]]:
    fixed = {OURS, NOISE, "ssh", "ssh-default"}
    others = list(dict.fromkeys(n for line in lines for n in [*line.figures, *line.notes]))
    others = [name for name in others if name not in fixed]
    head = ["row", "unit", "ssh", OURS, "ratio", "spread", "goal", "reached", "noise", *others]
    table = [head, *(_cells(line, others) for line in lines)]
    empty = {i for i in range(1, len(head)) if not any(row[i] for row in table[1:])}
    return [[cell for i, cell in enumerate(row) if i not in empty] for row in table]


def _remarks(lines: Sequence[Line]) -> list[str]:
    """Why figures are missing, each once."""
    seen: dict[str, list[str]] = {}
    for line in lines:
        for name, text in line.notes.items():
            seen.setdefault(f"{name}: {text}", []).append(line.row.key)
    return [f"{text} ({', '.join(keys)})" for text, keys in seen.items()]


def as_text(lines: Sequence[Line]) -> str:
    """The table for a terminal."""
    table = _table(lines)
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            for row in table]  # fmt: skip
    text.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in [*text, *_remarks(lines)])


def as_markdown(lines: Sequence[Line], facts: Mapping[str, Any]) -> str:
    """The table for a document, with what it was measured on."""
    head, *body = _table(lines)
    text = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    text += ["| " + " | ".join(row) + " |" for row in body]
    text += ["", *(f"* {remark}" for remark in _remarks(lines))]
    machine = facts["machine"]
    settings = facts["settings"]
    measured = (
        f"{machine['processor']}, {machine['cores']} cores, Linux {machine['kernel']}, "
        f"Python {machine['python']}, {machine['ssh']}; "
        f"{settings['size'] / 1e6:,.0f} MB a transfer, {settings['pairs']} rounds."
    )
    return "\n".join([*text, "", measured]) + "\n"


def machine_facts(settings: Settings) -> dict[str, Any]:
    """What the figures depend on."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    said = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=False)
    return {
        "machine": {
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)),
            "load_before": os.getloadavg()[0],
            "kernel": platform.release().partition("-")[0],
            "python": platform.python_version(),
            "ssh": said.stderr.strip().split(",")[0],
            "packages": versions,
        },
        "settings": asdict(settings),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def as_json(
    lines: Sequence[Line], results: Mapping[str, Samples], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything: the facts, the rows with their verdicts, and every sample."""
    return {
        "schema_version": 1,
        **facts,
        "rows": [
            {
                **asdict(line.row),
                "goal": line.row.goal,
                "figures": dict(line.figures),
                "ratios": {name: asdict(value) for name, value in line.comparisons.items()},
                "failed": dict(line.notes),
                "reached": line.reached,
            }
            for line in lines
        ],
        "samples": {name: samples.rounds for name, samples in results.items()},
    }
