"""Which cipher to ask for: the one that is faster beyond the noise, else the agreed one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from netkit.bench import wording
from netkit.bench.analysis import Advice
from netkit.bench.groups import Group, default_cipher, grouped, way
from netkit.bench.model import Direction, Measured
from netkit.bench.statistics import Difference, Spread, difference, gain
from netkit.model import Fix

TOPIC = "cipher"

_WEAK = ("-cbc", "-cbc@lysator.liu.se", "arcfour", "arcfour128", "arcfour256", "none")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cipher against the agreed one, in each direction that has both."""

    cipher: str
    gains: tuple[tuple[Direction, Spread], ...]

    @property
    def score(self) -> float:
        """The geometric mean of its median gains."""
        logs = [math.log(spread.median) for _, spread in self.gains if spread.median > 0]
        return math.exp(sum(logs) / len(logs)) if logs else 0.0

    @property
    def is_faster(self) -> bool:
        """Whether it is faster in one direction, and as far as the medians tell in none slower."""
        found = {difference(spread) for _, spread in self.gains}
        return (
            Difference.MORE in found
            and Difference.LESS not in found
            and all(
                spread.median >= 1 or difference(spread) is Difference.SAME
                for _, spread in self.gains
            )
        )

    @property
    def is_unclear(self) -> bool:
        """Whether the spread leaves open that it is faster."""
        found = {difference(spread) for _, spread in self.gains}
        return Difference.UNCLEAR in found and self.score > 1

    def __str__(self) -> str:
        shown = ", ".join(
            f"{way(direction)} {wording.factor(spread.median)}" for direction, spread in self.gains
        )
        return f"{self.cipher} {shown}"


def advise_cipher(measured: Measured) -> Advice | None:
    """Return the verdict: a cipher's name, ``keep`` or ``unclear``; None where nothing was
    compared.

    Without compression, pair by pair of the same round, so that a busy moment of the machine
    counts for neither.  Ciphers in CBC mode and older ones are not recommended however fast.
    """
    groups = grouped(measured)
    default = default_cipher(measured.setting, groups)
    compared = candidates(groups, default)
    if not compared:
        return None
    known = f"Against {default}: {'; '.join(map(str, compared))}."
    faster = [c for c in compared if c.is_faster and not c.cipher.endswith(_WEAK)]
    if faster:
        best = max(faster, key=lambda candidate: candidate.score)
        return Advice(
            topic=TOPIC,
            verdict=best.cipher,
            title=f"{best.cipher} is faster than {default}.",
            text=known,
            fixes=(
                Fix(
                    ("netkit", "forward", "...", "-c", f"{best.cipher},{default}"),
                    note=f"for good: the line 'Ciphers ^{best.cipher}' in ssh_config",
                ),
            ),
        )
    unclear = [c for c in compared if c.is_unclear and not c.cipher.endswith(_WEAK)]
    if unclear:
        return Advice(
            topic=TOPIC,
            verdict="unclear",
            title=f"Nothing is faster than {default} beyond the noise.",
            text=f"{known} The rounds are too few or do not agree; keep what is agreed on.",
        )
    return Advice(
        topic=TOPIC,
        verdict="keep",
        title=f"Keep {default}: no other cipher that both sides offer is faster.",
        text=known,
    )


def candidates(groups: Iterable[Group], default: str) -> list[Candidate]:
    """Return the other ciphers with their gains, the best first."""
    plain = [group for group in groups if not group.compression]
    found = []
    for cipher in dict.fromkeys(group.cipher for group in plain if group.cipher != default):
        gains = [
            (direction, spread)
            for direction in Direction
            if (spread := gain(_runs(plain, direction, cipher), _runs(plain, direction, default)))
        ]
        if gains:
            found.append(Candidate(cipher, tuple(gains)))
    return sorted(found, key=lambda candidate: -candidate.score)


def _runs(groups: Iterable[Group], direction: Direction, cipher: str) -> list[tuple[int, float]]:
    return [
        pair
        for group in groups
        if (group.direction, group.cipher) == (direction, cipher)
        for pair in group.by_round
    ]
