"""Transfers of the same kind, taken together: one group is one line of the result."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from netkit.bench.model import Direction, Measured, Setting, Transfer
from netkit.bench.statistics import Spread, spread_of

CORPORA = ("text", "program", "random", "zeros", "sample")
"""In the order in which they are shown; a corpus by another name comes behind."""

_DIRECTIONS = (Direction.DOWN, Direction.UP, Direction.LOOP)
_WAYS = {Direction.DOWN: "down", Direction.UP: "up", Direction.LOOP: "out and back"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Transfers that differ only in their round; at least one, each with a rate."""

    direction: Direction
    cipher: str
    compression: bool
    corpus: str
    runs: tuple[Transfer, ...]

    @property
    def key(self) -> str:
        """Its name: direction, corpus, ``on`` or ``off``, cipher."""
        switch = "on" if self.compression else "off"
        return f"{self.direction.value}.{self.corpus}.{switch}.{self.cipher}"

    @property
    def rates(self) -> Spread:
        """Bytes of the flow per second, a value for each run."""
        return Spread.of(run.rate for run in self.runs)

    @property
    def rate(self) -> float:
        """The median of `rates`."""
        return self.rates.median

    @property
    def by_round(self) -> list[tuple[int, float]]:
        """``(round, bytes of the flow per second)`` of each run."""
        return [(run.round, run.rate) for run in self.runs]

    @property
    def wire_rate(self) -> float:
        """Median bytes per second on the wire."""
        return self.median(lambda run: run.wire / run.seconds) or 0.0

    @property
    def ratio(self) -> float | None:
        """Median bytes on the wire per byte of the flow; None where nothing passed."""
        return self.median(lambda run: run.ratio if run.wire > 0 and run.size > 0 else None)

    @property
    def load(self) -> float | None:
        """Median share of a processor that our side used; None: the clock was too coarse to see."""
        return self.median(lambda run: run.load if run.cpu > 0 else None)

    @property
    def gateway_load(self) -> float | None:
        """Median share of a processor that the gateway used; None where it cannot be seen."""
        return self.median(lambda run: run.gateway_load if run.gateway_cpu else None)

    @property
    def cost(self) -> float | None:
        """Median seconds of our processor per byte of the flow."""
        return self.median(lambda run: run.cpu / run.size if run.cpu > 0 and run.size > 0 else None)

    @property
    def gateway_cost(self) -> float | None:
        """Median seconds of the gateway's processor per byte of the flow."""
        return self.median(
            lambda run: run.gateway_cpu / run.size if run.gateway_cpu and run.size > 0 else None
        )

    @property
    def window(self) -> float | None:
        """Median window of the receiving side, bytes."""
        return self.median(lambda run: run.window if run.window > 0 else None)

    @property
    def starved(self) -> float | None:
        """Median share of moments in which our side waited for window; None: does not apply."""
        return self.median(lambda run: run.starved)

    @property
    def busy(self) -> float | None:
        """Median share of this machine's processors that had work; None where it is not known."""
        return self.median(lambda run: run.busy)

    def median(self, of: Callable[[Transfer], float | None]) -> float | None:
        """Return the median over the runs of what ``of`` knows and is sound; None: nothing."""
        spread = spread_of(value for run in self.runs if (value := of(run)) is not None)
        return None if spread is None else spread.median


def grouped(measured: Measured) -> tuple[Group, ...]:
    """Return the groups in the order in which they are shown.

    By direction, then the agreed cipher before the others, corpus, and off before on.  Transfers
    that took no time or cannot have happened are left out, and those of a round below 0, which
    only looked how things are, where there are others of their group.
    """
    found: dict[tuple[Direction, str, bool, str], list[Transfer]] = {}
    for run in filter(_is_sound, measured.transfers):
        found.setdefault((run.direction, run.cipher, run.compression, run.corpus), []).append(run)
    groups = [
        Group(
            direction=direction,
            cipher=cipher,
            compression=compression,
            corpus=corpus,
            runs=tuple(sorted(_counting(runs), key=lambda run: run.round)),
        )
        for (direction, cipher, compression, corpus), runs in found.items()
    ]
    default = default_cipher(measured.setting, groups)
    ciphers = [default, *measured.setting.ciphers, *(group.cipher for group in groups)]
    return tuple(
        sorted(
            groups,
            key=lambda group: (
                _DIRECTIONS.index(group.direction),
                ciphers.index(group.cipher),
                place(group.corpus),
                group.corpus,
                group.compression,
            ),
        )
    )


def default_cipher(setting: Setting, groups: Iterable[Group]) -> str:
    """Return the cipher that others are compared with: the agreed one, else the first measured."""
    return setting.cipher or next((group.cipher for group in groups), "")


def place(corpus: str) -> int:
    """Return where a corpus stands among `CORPORA`; one by another name behind all of them."""
    return CORPORA.index(corpus) if corpus in CORPORA else len(CORPORA)


def way(direction: Direction) -> str:
    """Return ``down``, ``up`` or ``out and back``."""
    return _WAYS[direction]


def _counting(runs: list[Transfer]) -> list[Transfer]:
    return [run for run in runs if run.round >= 0] or runs


def _is_sound(run: Transfer) -> bool:
    return run.seconds > 0 and run.size >= 0 and math.isfinite(run.rate)
