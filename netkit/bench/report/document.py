"""A result as JSON: pytest-benchmark's form, and all of it in a section of our own, ``netkit``.

pytest-benchmark compares seconds, the fewer the better.  A throughput becomes seconds per
megabyte and a rate of connections seconds per connection; the names of the groups say so.  Neither
the name of this machine nor that of its user is in it, unless they are typed on the command line.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from netkit.bench.analysis import Analysis, Figure, Unit
from netkit.bench.model import Measured, Setting
from netkit.bench.report.forms import Section, section
from netkit.wire.untrusted import printable

FORM: Final = "5.1.0"
"""The version of pytest-benchmark whose form this is; later ones read it."""

_MB: Final = 1e6

_ENDLESS: Final = 1e100
"""Seconds; the square of this is still a number."""

_GROUPS: Final = {
    Unit.BYTES_PER_SECOND: "seconds per MB",
    Unit.PER_SECOND: "seconds per connection",
    Unit.SECONDS: "seconds",
}
"""What is timed; ratios are no times and stand in the section of our own alone."""


def document(measured: Measured, analysis: Analysis) -> dict[str, Any]:
    """Return the whole document: nothing but what JSON has, and no number that is not finite."""
    setting = measured.setting
    return {
        "machine_info": _machine(setting),
        "commit_info": _commit(setting),
        "benchmarks": [
            benchmark
            for figure in analysis.figures
            if (benchmark := _benchmark(figure)) is not None
        ],
        "datetime": printable(setting.began, 60),
        "version": FORM,
        "netkit": msgspec.json.decode(msgspec.json.encode(section(measured, analysis))),
    }


def encode(measured: Measured, analysis: Analysis) -> bytes:
    """Return the document as text, with a line end."""
    made = msgspec.json.encode(document(measured, analysis))
    return msgspec.json.format(made, indent=2) + b"\n"


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the ``netkit`` section."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": 'netkit bench --json: the section "netkit"',
        **msgspec.json.schema(Section),
    }


def _machine(setting: Setting) -> dict[str, Any]:
    processor = printable(setting.processor)
    return {
        "processor": processor,
        "system": printable(setting.platform),
        "python_version": printable(setting.python),
        "cpu": {"brand_raw": processor, "count": setting.cores},
    }


def _commit(setting: Setting) -> dict[str, Any]:
    return {
        "id": printable(setting.client),
        "time": None,
        "author_time": None,
        "dirty": False,
        "project": "netkit",
        "branch": "(unknown)",
    }


def _benchmark(figure: Figure) -> dict[str, Any] | None:
    times = _times(figure)
    if not times:
        return None
    unit = _GROUPS[figure.unit]
    key = printable(figure.key).replace(".", "-", 3)  # but not the dots of a cipher's name
    params = {
        "direction": figure.direction.value if figure.direction else "",
        "corpus": printable(figure.corpus),
        "compression": "on" if figure.compression else "off",
        "cipher": printable(figure.cipher),
    }
    return {
        "group": f"{figure.group}, {unit}",
        "name": f"{figure.group}[{key}]",
        "fullname": f"netkit bench::{figure.group}[{key}]",
        "params": params,
        "param": key,
        "extra_info": {
            "key": printable(figure.key),
            "title": printable(figure.title),
            "data": unit,
        },
        "options": {},
        "stats": stats(times),
    }


def _times(figure: Figure) -> list[float]:
    """Return the values as seconds; nothing where one is no time that a deviation can be taken of.

    A speed of 0, for one, would be an endless time.
    """
    values = figure.spread.values
    size = {Unit.BYTES_PER_SECOND: _MB, Unit.PER_SECOND: 1.0}.get(figure.unit)
    if figure.unit is Unit.SECONDS:
        times = list(values)
    elif size is not None and min(values) > 0:
        times = [size / value for value in values]
    else:
        return []
    return times if max(map(abs, times)) < _ENDLESS else []


def stats(times: Sequence[float]) -> dict[str, Any]:
    """Return pytest-benchmark's figures of one or more times, in seconds.

    The quartiles are those of its `Stats`, which are not those of the table: "method 3" for an odd
    number of values, the medians of both halves for an even one.
    """
    data = sorted(times)
    mean, q1, q3 = statistics.fmean(data), _quartile(data), _upper_quartile(data)
    deviation = statistics.stdev(data) if len(data) > 1 else 0.0
    iqr, total = q3 - q1, math.fsum(data)
    within = [value for value in data if q1 - 1.5 * iqr <= value <= q3 + 1.5 * iqr] or data
    beyond = sum(not mean - deviation <= value <= mean + deviation for value in data)
    outliers = sum(not q1 - 1.5 * iqr <= value <= q3 + 1.5 * iqr for value in data)
    return {
        "min": data[0],
        "max": data[-1],
        "mean": mean,
        "stddev": deviation,
        "rounds": len(data),
        "median": statistics.median(data),
        "iqr": iqr,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": outliers,
        "stddev_outliers": beyond,
        "outliers": f"{beyond};{outliers}",
        "ld15iqr": within[0],
        "hd15iqr": within[-1],
        "ops": len(data) / total if total else 0.0,
        "total": total,
        "data": data,
        "iterations": 1,
    }


def _quartile(data: Sequence[float]) -> float:
    number, odd = divmod(len(data), 2)
    if len(data) == 1:
        return data[0]
    if not odd:
        return statistics.median(data[:number])
    at, rest = divmod(len(data), 4)
    if rest == 1:
        return 0.25 * data[at - 1] + 0.75 * data[at]
    return 0.75 * data[at] + 0.25 * data[at + 1]


def _upper_quartile(data: Sequence[float]) -> float:
    """The lower quartile from the other end."""
    return -_quartile([-value for value in reversed(data)])
