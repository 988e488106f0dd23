"""A small coverage-guided fuzzer: mutates inputs, keeps those that reach new code.

Pure Python on ``sys.settrace``, so it runs wherever the tests do; some thousand inputs a second is
what the short machines of netkit need.  A target is a function of bytes; whatever it raises is a
finding, so it catches the errors that are declared.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

MAX_INPUT = 4096
SLOW = 2.0
"""Seconds after which one small input counts as a finding."""

_INTERESTING = [
    *(bytes([n]) for n in (0, 1, 2, 4, 5, 10, 13, 0x7F, 0x80, 0xFF)),
    *(
        n.to_bytes(4, "big")
        for n in (0, 1, 0x7F, 0x8000, 0xFFFF, 1 << 18, 1 << 21, 1 << 31, 2**32 - 1)
    ),
]

Edge = tuple[CodeType, int, int]


@dataclass(frozen=True, slots=True)
class Target:
    """What to fuzz: ``run`` takes any bytes; coverage counts in files whose path holds ``area``."""

    name: str
    run: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    area: str = "netkit"
    words: tuple[bytes, ...] = ()


@dataclass(slots=True)
class Finding:
    """An input that a target does not survive."""

    target: str
    data: bytes
    what: str

    def __str__(self) -> str:
        return f"{self.target}: {self.what}\n  data = {self.data!r}"


@dataclass(slots=True)
class Outcome:
    """What a run found and how far it came."""

    inputs: int = 0
    edges: int = 0
    kept: int = 0
    finding: Finding | None = None


@dataclass(slots=True)
class _Coverage:
    """The line-to-line steps that one input takes in the target's area."""

    area: str
    steps: set[Edge] = field(default_factory=set)
    _is_ours: dict[str, bool] = field(default_factory=dict)

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        name = code.co_filename
        ours = self._is_ours.get(name)
        if ours is None:
            ours = self._is_ours[name] = self.area in name and "/tests/" not in name
        if not ours:
            return None
        steps = self.steps
        before = 0

        def local(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal before
            steps.add((code, before, frame.f_lineno))
            before = frame.f_lineno
            return local

        return local


def fuzz(target: Target, *, seconds: float, inputs: int | None = None, seed: int = 0) -> Outcome:
    """Look for an input that ``target`` does not survive, and stop at the first.

    Ends after ``seconds`` or after that many ``inputs``.  The same ``seed`` and number of inputs
    take the same road.
    """
    rng = random.Random(seed)
    outcome = Outcome()
    seen: set[Edge] = set()
    corpus: list[bytes] = []
    waiting = [*target.seeds, b""]
    coverage = _Coverage(target.area)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and (inputs is None or outcome.inputs < inputs):
        data = waiting.pop() if waiting else _mutate(rng, corpus, target.words)
        outcome.inputs += 1
        coverage.steps.clear()
        outcome.finding = _try(target, data, coverage)
        if outcome.finding is not None:
            break
        if coverage.steps - seen or not corpus:
            seen |= coverage.steps
            corpus.append(data)
    outcome.edges, outcome.kept = len(seen), len(corpus)
    return outcome


def _try(target: Target, data: bytes, coverage: _Coverage) -> Finding | None:
    start = time.monotonic()
    before = sys.gettrace()
    sys.settrace(coverage)
    try:
        target.run(data)
    except Exception as error:  # noqa: BLE001 - any exception is what we look for
        return Finding(target.name, data, f"{type(error).__name__}: {error}")
    finally:
        sys.settrace(before)
    took = time.monotonic() - start
    return Finding(target.name, data, f"took {took:.1f} s") if took > SLOW else None


def _mutate(rng: random.Random, corpus: list[bytes], words: tuple[bytes, ...]) -> bytes:
    # Later finds lie deeper: half of the time one of the last ones is taken.
    recent = corpus[-8:] if rng.random() < 0.5 else corpus
    data = bytearray(rng.choice(recent))
    for _ in range(1 << rng.randrange(4)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(7):
            case 0 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 2:
                word = rng.choice([*_INTERESTING, *words])
                data[at : at + (len(word) if rng.random() < 0.5 else 0)] = word
            case 3:
                del data[at : at + 1 + rng.randrange(16)]
            case 4:
                piece = data[at : at + 1 + rng.randrange(64)]
                data[at:at] = piece * (1 + rng.randrange(4))
            case 5:
                other = rng.choice(corpus)
                start = rng.randrange(len(other) + 1)
                data[at:] = other[start:]
            case 6 if at:
                data[at - 1] = (data[at - 1] + rng.choice((-1, 1))) & 0xFF
    return bytes(data[:MAX_INPUT])
