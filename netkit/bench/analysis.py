"""What a benchmark's measurements mean: figures, what limits them, and what to do.

The values that reports are made from; `netkit.bench.judge.analyse` is the one way to them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netkit.bench.model import Direction
    from netkit.bench.statistics import Spread
    from netkit.model import Fix


class Unit(enum.Enum):
    """What a figure counts."""

    SECONDS = "s"
    BYTES_PER_SECOND = "B/s"
    PER_SECOND = "/s"
    RATIO = "ratio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the result.

    Attributes:
        key: stable name for comparisons, such as ``down.text.off.aes128-gcm@openssh.com``,
            ``echo.idle.p50``, ``login.total``, ``first-byte.command``, ``ratio.up.text``,
            ``connections.8``.
        group: ``login``, ``latency``, ``throughput`` (the agreed cipher), ``compression`` (bytes
            on the wire per byte), ``ciphers`` (all others), ``connections``.
        title: for people.
        spread: median, quartiles, extremes and the values themselves.
        more_is_better: how to read a change.
    """

    key: str
    group: str
    title: str
    unit: Unit
    spread: Spread
    more_is_better: bool = False
    direction: Direction | None = None
    cipher: str = ""
    compression: bool = False
    corpus: str = ""


class Term(enum.Enum):
    """What can hold a transfer up."""

    LINK = "link"
    GATEWAY_WINDOW = "gateway-window"
    OUR_WINDOW = "our-window"
    OUR_CPU = "our-cpu"
    GATEWAY_CPU = "gateway-cpu"
    MACHINE = "machine"
    """All processors of this machine are taken, by either side, the ends, or other programs."""
    OUR_COMPRESSION = "our-compression"
    """Our processor too, but most of its time goes into compressing or decompressing."""
    GATEWAY_COMPRESSION = "gateway-compression"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What limits one throughput figure.

    Attributes:
        figure: its key.
        term: the limiting one.
        load: how much of that term's capacity is used, 0 … 1 or a little more.
        text: one sentence with the arithmetic, such as ``2 MiB of the gateway's window per 100 ms
            round trip allow 21 MB/s; 20 MB/s is 95 % of it``.
        loads: every term that is known, the fullest first.
    """

    figure: str
    term: Term
    load: float
    text: str
    loads: tuple[tuple[Term, float], ...] = ()


class Effect(enum.Enum):
    """What switching something on does."""

    HELPS = "helps"
    COSTS = "costs"
    NEUTRAL = "neutral"
    UNCLEAR = "unclear"
    """The spread does not allow a verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Compression on against off for one corpus in one direction, round by round.

    Attributes:
        gain: on / off of the flow's bytes per second, a spread over the rounds.
        effect: what that amounts to, see `netkit.bench.statistics.difference`.
        ratio: bytes on the wire per byte with compression on (median).
        break_even: bytes per second of a link below which compression gains; None: not known,
            infinity where it gains on any, 0 where it gains on none.
        at_least: `break_even` is a lower bound: the processors were not what limited.
    """

    direction: Direction
    corpus: str
    gain: Spread
    effect: Effect
    ratio: float
    break_even: float | None
    at_least: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What to do about one topic.

    Topics and verdicts, a word for a headline:

    * ``compression``: ``on``, ``off``, ``depends`` (on the payload), ``unclear``
    * ``cipher``: the name of a faster one, ``keep``, ``unclear``
    * ``window``: ``limits``, ``enough``
    * ``links``: ``one``, ``flows`` (several through one link), ``links`` (several)
    * ``gateway``: ``busy``

    ``title`` is one sentence, ``text`` why, with figures, ``fixes`` commands that do it.
    """

    topic: str
    verdict: str
    title: str
    text: str
    fixes: tuple[Fix, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """All of it, in the order in which it is shown."""

    figures: tuple[Figure, ...] = ()
    limits: tuple[Limit, ...] = ()
    pairs: tuple[Pair, ...] = ()
    advice: tuple[Advice, ...] = ()
