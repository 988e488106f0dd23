"""One run as one JSON document: what the suites and the comparison with peers gave.

It is pytest-benchmark's document, so ``pytest-benchmark compare`` reads it, with one more member
``netkit``: the command, the peers' rows with every sample, and versions.  Pure but for `read`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

SCHEMA_VERSION = 1
ONE_LINE = 1500
"""Characters up to which a value is written on one line."""

MAX_SIZE = 32 << 20


class DocumentError(Exception):
    """A file is no such document; the text says what is wrong and where."""


@dataclass(frozen=True, slots=True)
class Stats:
    """Times of one benchmark in seconds."""

    min: float
    max: float
    median: float
    q1: float
    q3: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Extra:
    """What a suite adds: its label, and what a round consists of (0: does not apply).

    ``bytes`` and ``packets`` are those of one round, ``packets`` being messages, flows or judges.
    ``yardstick`` and ``drift`` are those of `yardstick.Yardstick` around the benchmark.
    """

    label: str = ""
    bytes: int = 0
    packets: int = 0
    bytes_per_flow: int = 0
    cpu_seconds: float = 0.0
    yardstick: float = 0.0
    drift: float = 1.0


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark of the suites."""

    fullname: str
    stats: Stats
    group: str | None = None
    extra_info: Extra = field(default_factory=Extra)

    @property
    def label(self) -> str:
        """What it is called in its group."""
        return self.extra_info.label or self.fullname.rpartition("::")[2]


@dataclass(frozen=True, slots=True)
class Ratio:
    """A participant beside the row's base: the median of the rounds' ratios, and their extremes."""

    ratio: float
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the comparison with peers (``rows.Row``) with its figures."""

    key: str
    title: str
    unit: str
    experiment: str
    metric: str
    base: str = "ssh"
    goal: str = ""
    absolute: bool = False
    at_least: float | None = None
    at_most: float | None = None
    reached: bool | None = None
    figures: dict[str, float] = field(default_factory=dict)
    ratios: dict[str, Ratio] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def more_is_better(self) -> bool:
        """Whether a larger figure is the better one."""
        if self.at_least is not None or self.at_most is not None:
            return self.at_least is not None
        return self.unit.endswith("/s")


@dataclass(frozen=True, slots=True)
class Machine:
    """What absolute figures depend on."""

    processor: str = ""
    cores: int = 0
    kernel: str = ""
    python: str = ""
    ssh: str = ""
    packages: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Peers:
    """The comparison with peers: ``samples[experiment][participant]`` has one entry a round."""

    machine: Machine
    settings: dict[str, float]
    rows: list[Row]
    samples: dict[str, dict[str, list[dict[str, float]]]]

    def extremes(self, row: Row, participant: str) -> tuple[float, float] | None:
        """The lowest and the highest sample of a row's figure."""
        rounds = self.samples.get(row.experiment, {}).get(participant, [])
        values = [values[row.metric] for values in rounds if row.metric in values]
        return (min(values), max(values)) if values else None


@dataclass(frozen=True, slots=True)
class Netkit:
    """Our member of the document.

    ``seconds``: how long the whole run took; ``load``: the load average before it, -1: unknown.
    """

    command: str
    version: str
    seconds: float
    peers: Peers
    load: float = -1.0
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class Document:
    """A run.  ``datetime`` is its end, ISO 8601 in UTC."""

    netkit: Netkit
    benchmarks: list[Benchmark]
    datetime: str = ""

    def row(self, key: str) -> Row | None:
        """The row of this key."""
        return next((row for row in self.netkit.peers.rows if row.key == key), None)

    def group(self, name: str) -> list[Benchmark]:
        """The benchmarks of a group."""
        return [each for each in self.benchmarks if each.group == name]


def parse(data: bytes) -> Document:
    """Read a document.

    Raises:
        DocumentError: it is none, or of a later version.
    """
    try:
        found = msgspec.json.decode(data, type=Document)
    except msgspec.MsgspecError as error:
        raise DocumentError(f"it is no document of `make bench`: {error}") from error
    if found.netkit.schema_version > SCHEMA_VERSION:
        raise DocumentError(f"it has version {found.netkit.schema_version}, which is newer than us")
    return found


def read(path: Path) -> Document:
    """Read a document from a file.

    Raises:
        DocumentError: it cannot be read or is none; names the file.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SIZE + 1)
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(data) > MAX_SIZE:
        raise DocumentError(f"{path} is too large to be a document of `make bench`")
    try:
        return parse(data)
    except DocumentError as error:
        raise DocumentError(f"{path}: {error}") from error


def merge(
    suites: Mapping[str, Any],
    peers: Mapping[str, Any],
    *,
    command: str,
    version: str,
    seconds: float,
    load: float = -1.0,
) -> bytes:
    """Make the document of pytest-benchmark's and ``peers.py``'s JSON."""
    ours = {
        "schema_version": SCHEMA_VERSION,
        "command": command,
        "version": version,
        "seconds": seconds,
        "load": load,
        "peers": peers,
    }
    return (_text(_rounded({**suites, "netkit": ours})) + "\n").encode()


def _rounded(value: Any) -> Any:
    """The same with six significant digits, which is more than any measurement has."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return value


def _text(value: Any, indent: str = "") -> str:
    """JSON with what is short on one line, so that two runs can be compared by eye."""
    short = json.dumps(value, ensure_ascii=False)
    if len(short) <= ONE_LINE or not isinstance(value, dict | list):
        return short
    deeper = indent + " "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {_text(each, deeper)}" for key, each in value.items()]
        return "{\n" + ",\n".join(deeper + part for part in parts) + f"\n{indent}}}"
    parts = [_text(each, deeper) for each in value]
    return "[\n" + ",\n".join(deeper + part for part in parts) + f"\n{indent}]"
