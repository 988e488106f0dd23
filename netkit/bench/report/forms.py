"""The forms that the ``netkit`` section of a result's JSON is made of.

Its schema is published as docs/bench.schema.json.  ``schema_version`` grows when a reader of the
old form would be misled; new fields may come at any time.  Times are seconds, sizes bytes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from netkit.bench.analysis import Advice, Analysis, Effect, Figure, Limit, Pair, Term, Unit
from netkit.bench.compare import LONGEST, SCHEMA_VERSION, link_text
from netkit.bench.model import Direction, Measured, Setting, Skipped, Transfer, Way
from netkit.model import Fix
from netkit.wire.untrusted import printable

_Count = Annotated[int, msgspec.Meta(ge=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingForm:
    """What was measured; ``link`` is the imitated one as the command line has it, or empty.

    ``round_trip`` is 0 where it is not known; ``wanted`` and ``took`` are about the whole run.
    """

    gateway: str
    trial: Literal["", "sshd", "netkit"]
    server: str
    way: Way
    link: str
    hops: _Count
    round_trip: float
    cipher: str
    ciphers: tuple[str, ...]
    compression: bool
    compressor: str
    client: str
    python: str
    platform: str
    processor: str
    cores: _Count
    began: str
    wanted: float
    took: float
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureForm:
    """One line of the result; ``values`` are sorted, and there is one at least."""

    key: str
    group: str
    title: str
    unit: Unit
    more_is_better: bool
    direction: Direction | None
    cipher: str
    compression: bool
    corpus: str
    median: float
    q1: float
    q3: float
    values: Annotated[tuple[float, ...], msgspec.Meta(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginForm:
    """One login and its parts, as netkit.bench.model.Login has them."""

    cipher: str
    compression: bool
    tcp: float
    key_exchange: float
    authentication: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferForm:
    """One transfer without its warm-up; see netkit.bench.model.Transfer."""

    direction: Direction
    round: int
    cipher: str
    compression: bool
    corpus: str
    size: _Count
    seconds: float
    wire: _Count
    cpu: float
    gateway_cpu: float | None
    window: _Count
    starved: float | None
    busy: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplesForm:
    """Single round trips or first bytes.

    ``what`` is ``idle``, ``down``, ``up``, ``loop`` (what went on beside an echo), ``command`` or
    ``forward`` (what the first byte came from).
    """

    what: str
    samples: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionsForm:
    """``count`` flows were opened and closed in ``seconds``."""

    round: int
    at_once: int
    count: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadForm:
    """How much of a term's capacity was used, 0 … 1 or a little more."""

    term: Term
    load: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitForm:
    """What limits the figure of that key, with the arithmetic in words."""

    figure: str
    term: Term
    load: float | None
    text: str
    loads: tuple[LoadForm, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairForm:
    """Compression on against off, round by round: ``gain`` has the sorted ratios on / off.

    ``break_even`` is the speed of a link, bytes per second, below which compression gains:
    ``exact``, ``at-least`` so much, on ``any`` link, or ``unknown`` (the last two without a
    number).
    """

    direction: Direction
    corpus: str
    effect: Effect
    gain: tuple[float, ...]
    ratio: float | None
    break_even: float | None
    break_even_is: Literal["exact", "at-least", "any", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FixForm:
    """A command that does it; ``command`` is ``argv`` quoted for a POSIX shell."""

    argv: tuple[str, ...]
    command: str
    where: str
    note: str
    needs_admin: bool
    persistent: bool
    undo: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceForm:
    """What to do about one topic."""

    topic: str
    verdict: str
    title: str
    text: str
    fixes: tuple[FixForm, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedForm:
    """What was not measured, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A whole result: every run, what they mean, and what to do."""

    schema_version: Annotated[int, msgspec.Meta(ge=1)]
    interrupted: bool
    setting: SettingForm
    figures: tuple[FigureForm, ...]
    logins: tuple[LoginForm, ...]
    transfers: tuple[TransferForm, ...]
    echoes: tuple[SamplesForm, ...]
    first_bytes: tuple[SamplesForm, ...]
    connections: tuple[ConnectionsForm, ...]
    limits: tuple[LimitForm, ...]
    pairs: tuple[PairForm, ...]
    advice: tuple[AdviceForm, ...]
    skipped: tuple[SkippedForm, ...]
    notes: tuple[str, ...]


def section(measured: Measured, analysis: Analysis) -> Section:
    """Return the section; text from outside is printable in it."""
    return Section(
        schema_version=SCHEMA_VERSION,
        interrupted=measured.interrupted,
        setting=_setting(measured.setting),
        figures=tuple(map(_figure, analysis.figures)),
        logins=tuple(
            LoginForm(
                cipher=_safe(each.cipher),
                compression=each.compression,
                tcp=each.tcp,
                key_exchange=each.key_exchange,
                authentication=each.authentication,
                total=each.total,
            )
            for each in measured.logins
        ),
        transfers=tuple(map(_transfer, measured.transfers)),
        echoes=tuple(
            SamplesForm(
                what=each.beside.value if each.beside else "idle", samples=_finite(each.samples)
            )
            for each in measured.echoes
        ),
        first_bytes=tuple(
            SamplesForm(what=_safe(each.how), samples=_finite(each.samples))
            for each in measured.first_bytes
        ),
        connections=tuple(
            ConnectionsForm(
                round=each.round, at_once=each.at_once, count=each.count, seconds=each.seconds
            )
            for each in measured.connections
        ),
        limits=tuple(map(_limit, analysis.limits)),
        pairs=tuple(map(_pair, analysis.pairs)),
        advice=tuple(map(_advice, analysis.advice)),
        skipped=tuple(map(_skipped, measured.skipped)),
        notes=tuple(map(_safe, measured.notes)),
    )


def _setting(setting: Setting) -> SettingForm:
    trial: Literal["", "sshd", "netkit"] = ""
    if setting.trial:
        trial = "sshd" if setting.trial == "sshd" else "netkit"
    return SettingForm(
        gateway=_safe(setting.gateway),
        trial=trial,
        server=_safe(setting.server),
        way=setting.way,
        link=link_text(setting),
        hops=setting.hops,
        round_trip=setting.round_trip,
        cipher=_safe(setting.cipher),
        ciphers=tuple(map(_safe, setting.ciphers)),
        compression=setting.compression,
        compressor=_safe(setting.compressor),
        client=_safe(setting.client),
        python=_safe(setting.python),
        platform=_safe(setting.platform),
        processor=_safe(setting.processor),
        cores=setting.cores,
        began=_safe(setting.began),
        wanted=setting.wanted,
        took=setting.took,
        command=tuple(map(_safe, setting.command)),
    )


def _figure(figure: Figure) -> FigureForm:
    return FigureForm(
        key=_safe(figure.key),
        group=figure.group,
        title=_safe(figure.title),
        unit=figure.unit,
        more_is_better=figure.more_is_better,
        direction=figure.direction,
        cipher=_safe(figure.cipher),
        compression=figure.compression,
        corpus=_safe(figure.corpus),
        median=figure.spread.median,
        q1=figure.spread.q1,
        q3=figure.spread.q3,
        values=figure.spread.values,
    )


def _transfer(run: Transfer) -> TransferForm:
    return TransferForm(
        direction=run.direction,
        round=run.round,
        cipher=_safe(run.cipher),
        compression=run.compression,
        corpus=_safe(run.corpus),
        size=run.size,
        seconds=run.seconds,
        wire=run.wire,
        cpu=run.cpu,
        gateway_cpu=run.gateway_cpu,
        window=run.window,
        starved=run.starved,
        busy=run.busy,
    )


def _limit(limit: Limit) -> LimitForm:
    return LimitForm(
        figure=_safe(limit.figure),
        term=limit.term,
        load=_known(limit.load),
        text=_safe(limit.text),
        loads=tuple(LoadForm(term=term, load=_known(load)) for term, load in limit.loads),
    )


def _pair(pair: Pair) -> PairForm:
    even = pair.break_even
    kind: Literal["exact", "at-least", "any", "unknown"] = "exact"
    if even is None or math.isnan(even):
        kind = "unknown"
    elif math.isinf(even):
        kind = "any"
    elif pair.at_least:
        kind = "at-least"
    return PairForm(
        direction=pair.direction,
        corpus=_safe(pair.corpus),
        effect=pair.effect,
        gain=pair.gain.values,
        ratio=_known(pair.ratio),
        break_even=_known(even),
        break_even_is=kind,
    )


def _advice(advice: Advice) -> AdviceForm:
    return AdviceForm(
        topic=_safe(advice.topic),
        verdict=_safe(advice.verdict),
        title=_safe(advice.title),
        text=_safe(advice.text),
        fixes=tuple(map(_fix, advice.fixes)),
    )


def _fix(fix: Fix) -> FixForm:
    return FixForm(
        argv=tuple(map(_safe, fix.argv)),
        command=_safe(fix.command),
        where=_safe(fix.where),
        note=_safe(fix.note),
        needs_admin=fix.needs_admin,
        persistent=fix.persistent,
        undo=tuple(map(_safe, fix.undo)),
    )


def _skipped(skipped: Skipped) -> SkippedForm:
    return SkippedForm(what=_safe(skipped.what), why=_safe(skipped.why))


def _safe(text: str) -> str:
    return printable(text, LONGEST)


def _known(value: float | None) -> float | None:
    """Return what JSON can hold."""
    return value if value is not None and math.isfinite(value) else None


def _finite(values: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(value for value in values if math.isfinite(value))
