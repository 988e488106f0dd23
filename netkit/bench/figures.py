"""What was measured as lines of the result: a name that stays, a title, and a spread of values.

Keys are made of ``login.total``, ``first-byte.command``, ``echo.idle.p50``, ``echo.down.p99``,
``down.text.off.aes128-gcm@openssh.com``, ``ratio.up.program``, ``connections.8``: two benchmarks
are compared by them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from netkit.bench.analysis import Figure, Unit
from netkit.bench.groups import Group, default_cipher, grouped, way
from netkit.bench.model import Connections, Direction, Echo, FirstBytes, Login, Measured
from netkit.bench.statistics import Spread, sound, spread_of

PARTS = 5
"""A series of round trips is cut into about so many, so that its quantiles have a spread."""

LEAST = {0.5: 20, 0.99: 100}
"""Samples that a part has at least: with fewer, a quantile is that of its extremes."""

_BESIDE: tuple[Direction | None, ...] = (None, Direction.DOWN, Direction.UP, Direction.LOOP)
_ANSWERS = {"command": "first byte of a command", "forward": "first byte of a forward"}


def figures(measured: Measured) -> tuple[Figure, ...]:
    """Return every figure, in the order in which they are shown.

    The group ``throughput`` has the agreed cipher, ``ciphers`` all others; ``compression`` has the
    bytes on the wire per byte with compression on.
    """
    groups = grouped(measured)
    default = default_cipher(measured.setting, groups)
    agreed = [group for group in groups if group.cipher == default]
    others = [group for group in groups if group.cipher != default]
    return (
        *_logins(measured.logins),
        *_first_bytes(measured.first_bytes),
        *_echoes(measured.echoes),
        *(_throughput(group, "throughput") for group in agreed),
        *_ratios(groups),
        *(_throughput(group, "ciphers") for group in others),
        *_connections(measured.connections),
    )


def parts(series: Iterable[tuple[float, ...]], p: float) -> Spread | None:
    """Return the ``p`` quantile of consecutive parts of round trips, one value for each part.

    A part has at least `LEAST` samples of one series, so there is one part and one value where the
    series are short; together there are at least `PARTS` where they are long enough.  Each series
    has one at least.  None where there are no samples.
    """
    kept = [samples for samples in map(sound, series) if samples]
    if not kept:
        return None
    wanted = math.ceil(PARTS / len(kept))
    cut = (part for samples in kept for part in _cut(samples, wanted, LEAST.get(p, 1)))
    return Spread.of(Spread.of(part).quantile(p) for part in cut)


def _cut(samples: list[float], wanted: int, least: int) -> Iterator[list[float]]:
    number = max(1, min(wanted, len(samples) // least))
    for at in range(number):
        yield samples[len(samples) * at // number : len(samples) * (at + 1) // number]


def _logins(logins: tuple[Login, ...]) -> Iterator[Figure]:
    for name, title, values in (
        ("total", "login, all of it", [login.total for login in logins]),
        ("tcp", "login: TCP", [login.tcp for login in logins]),
        ("key-exchange", "login: key exchange", [login.key_exchange for login in logins]),
        ("authentication", "login: authentication", [login.authentication for login in logins]),
    ):
        yield from _seconds(f"login.{name}", "login", title, spread_of(values))


def _first_bytes(taken: tuple[FirstBytes, ...]) -> Iterator[Figure]:
    for how in dict.fromkeys(first.how for first in taken):
        samples = (sample for first in taken if first.how == how for sample in first.samples)
        title = _ANSWERS.get(how, "first byte")
        yield from _seconds(f"first-byte.{how}", "latency", title, spread_of(samples))


def _echoes(echoes: tuple[Echo, ...]) -> Iterator[Figure]:
    for beside in _BESIDE:
        series = [echo.samples for echo in echoes if echo.beside is beside]
        name = beside.value if beside else "idle"
        what = f"beside bulk {way(beside)}" if beside else "idle"
        for p in LEAST:
            title = f"echo, {what}, p{p * 100:.0f}"
            yield from _seconds(f"echo.{name}.p{p * 100:.0f}", "latency", title, parts(series, p))


def _throughput(group: Group, where: str) -> Figure:
    corpus = group.corpus or "data"
    what = f"{corpus}, {way(group.direction)}{', compressed' if group.compression else ''}"
    return Figure(
        key=group.key,
        group=where,
        title=what if where == "throughput" else f"{what}, {group.cipher}",
        unit=Unit.BYTES_PER_SECOND,
        spread=group.rates,
        more_is_better=True,
        direction=group.direction,
        cipher=group.cipher,
        compression=group.compression,
        corpus=group.corpus,
    )


def _ratios(groups: tuple[Group, ...]) -> Iterator[Figure]:
    """What is left on the wire; the cipher adds next to nothing, so all of them count together."""
    kinds = {(group.direction, group.corpus): None for group in groups if group.compression}
    for direction, corpus in kinds:
        spread = spread_of(
            run.ratio
            for group in groups
            if group.compression and (group.direction, group.corpus) == (direction, corpus)
            for run in group.runs
            if run.size > 0 and run.wire > 0
        )
        if spread is not None:
            yield Figure(
                key=f"ratio.{direction.value}.{corpus}",
                group="compression",
                title=f"{corpus or 'data'}, {way(direction)}: on the wire per byte",
                unit=Unit.RATIO,
                spread=spread,
                direction=direction,
                compression=True,
                corpus=corpus,
            )


def _connections(taken: tuple[Connections, ...]) -> Iterator[Figure]:
    for at_once in sorted({connections.at_once for connections in taken}):
        spread = spread_of(
            connections.rate
            for connections in taken
            if connections.at_once == at_once and connections.seconds > 0
        )
        if spread is not None:
            yield Figure(
                key=f"connections.{at_once}",
                group="connections",
                title=f"flows opened and closed, {at_once} at a time",
                unit=Unit.PER_SECOND,
                spread=spread,
                more_is_better=True,
            )


def _seconds(key: str, group: str, title: str, spread: Spread | None) -> Iterator[Figure]:
    if spread is not None:
        yield Figure(key=key, group=group, title=title, unit=Unit.SECONDS, spread=spread)
