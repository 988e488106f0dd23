"""A result beside an earlier one: what changed by more than the noise.

`read` takes what ``--json`` wrote, or anything else that somebody calls that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from netkit.bench import wording
from netkit.bench.analysis import Analysis, Figure, Unit
from netkit.bench.model import Measured, Setting
from netkit.bench.statistics import Difference, Spread, changed_beyond_noise
from netkit.errors import UsageError
from netkit.model import Fix
from netkit.wire.untrusted import printable

SCHEMA_VERSION: Final = 1
"""Of the ``netkit`` section; it grows when a reader of the old form would be misled."""

MAX_BYTES: Final = 32 << 20
"""A result with every sample of a long run is below 5 MB."""

LONGEST: Final = 2000
"""Characters of any text in the section."""

_MAX_FIGURES: Final = 2_000
_MAX_VALUES: Final = 100_000

_Values = Annotated[tuple[float, ...], msgspec.Meta(min_length=1, max_length=_MAX_VALUES)]


@dataclass(frozen=True, slots=True)
class _OldFigure:
    key: str
    unit: Unit
    values: _Values
    title: str = ""


@dataclass(frozen=True, slots=True)
class _OldSetting:
    gateway: str = ""
    trial: str = ""
    server: str = ""
    way: str = ""
    link: str = ""
    cipher: str = ""
    compressor: str = ""
    client: str = ""
    python: str = ""
    platform: str = ""
    processor: str = ""
    cores: int = 0
    began: str = ""


@dataclass(frozen=True, slots=True)
class _OldSection:
    schema_version: Annotated[int, msgspec.Meta(ge=1)]
    figures: Annotated[tuple[_OldFigure, ...], msgspec.Meta(max_length=_MAX_FIGURES)]
    setting: _OldSetting = _OldSetting()


@dataclass(frozen=True, slots=True)
class _OldFile:
    netkit: _OldSection


@dataclass(frozen=True, slots=True)
class Old:
    """An earlier result: its setting by name, and its figures by key."""

    setting: dict[str, str]
    figures: dict[str, tuple[Unit, Spread]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One figure then and now.

    Attributes:
        difference: MORE or LESS where the change stands out from the noise.
    """

    key: str
    title: str
    unit: Unit
    old: Spread
    new: Spread
    difference: Difference
    more_is_better: bool

    @property
    def flagged(self) -> bool:
        """Whether it changed beyond the noise."""
        return self.difference in {Difference.MORE, Difference.LESS}

    @property
    def better(self) -> bool:
        """Whether a flagged change is one for the better."""
        return (self.difference is Difference.MORE) == self.more_is_better

    @property
    def verdict(self) -> str:
        """``better``, ``worse``, ``same`` (or hidden by the noise) or ``unclear``."""
        if not self.flagged:
            return self.difference.value
        return "better" if self.better else "worse"

    @property
    def shown(self) -> str:
        """The change of the median: ``+12 %``, ``5.00 x`` from the double on, ``to 1/300``."""
        if not self.old.median:
            return "from 0"
        ratio = self.new.median / self.old.median
        if ratio >= 2:
            return wording.factor(ratio)
        if ratio < 0.01:
            return f"to 1/{1 / ratio:.0f}" if ratio > 1e-9 else "to nothing"
        return f"{'-' if ratio < 1 else '+'}{wording.percent(abs(ratio - 1))}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every figure that both results have, and what else is different about them.

    ``differences`` are clauses such as ``gateway: gw1 before, gw2 now``; ``gone`` and ``new`` are
    titles or keys of figures that only one of them has.
    """

    changes: tuple[Change, ...]
    differences: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """One sentence."""
        flagged = [change for change in self.changes if change.flagged]
        better = sum(change.better for change in flagged)
        unclear = sum(change.difference is Difference.UNCLEAR for change in self.changes)
        parts = [
            f"{len(self.changes)} figures compared",
            f"{better} better and {len(flagged) - better} worse beyond the noise",
        ]
        if unclear:
            parts.append(f"{unclear} with too few rounds to tell")
        if self.gone:
            parts.append(f"{len(self.gone)} not measured now")
        if self.new:
            parts.append(f"{len(self.new)} not measured before")
        return ", ".join(parts)


def read(data: bytes, name: str) -> Old:
    """Return what the file called ``name`` holds.

    Raises:
        UsageError: it is too large, no JSON, or nothing that ``netkit bench --json`` wrote.
    """
    if len(data) > MAX_BYTES:
        raise _bad(name, f"it is larger than {wording.size(MAX_BYTES)}")
    try:
        section = msgspec.json.decode(data, type=_OldFile).netkit
    except msgspec.ValidationError as error:
        raise _bad(name, printable(str(error), 300)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _bad(name, f"it is no JSON: {printable(str(error), 200)}") from None
    if section.schema_version > SCHEMA_VERSION:
        written = printable(section.setting.client, 60) or "a later netkit"
        raise _bad(name, f"{written} wrote it, in a form this one does not know")
    figures = {}
    for place, figure in enumerate(section.figures):
        if not all(value >= 0 and math.isfinite(value) for value in figure.values):
            raise _bad(name, f"a value below zero - at `$.netkit.figures[{place}].values`")
        figures[figure.key] = (figure.unit, Spread.of(figure.values))
    setting = section.setting
    words = {field: printable(str(getattr(setting, field))) for field in _TOLD}
    return Old(words, figures)


_TOLD: Final = {
    "gateway": "gateway",
    "trial": "throw-away gateway",
    "server": "server",
    "way": "way of the bytes",
    "link": "link",
    "compressor": "compressor",
    "client": "netkit",
    "python": "Python",
    "platform": "platform",
    "processor": "processor",
    "cores": "processors",
}
"""What of a setting matters for a comparison, and what it is called."""


def described(setting: Setting) -> dict[str, str]:
    """Return ``setting`` as `Old` has it."""
    words = {
        field: getattr(setting, field) for field in _TOLD if field not in {"way", "link", "cores"}
    }
    words["way"] = setting.way.value
    words["link"] = link_text(setting)
    words["cores"] = str(setting.cores)
    return {field: printable(text) for field, text in words.items()}


def link_text(setting: Setting) -> str:
    """Return the imitated link as the command line has it, such as ``2mbit/80ms``; or nothing."""
    return str(setting.shape) if setting.shape else ""


def compare(old: Old, measured: Measured, analysis: Analysis) -> Comparison:
    """Return every figure that both have, the flagged ones first, the largest change first."""
    now = {printable(figure.key, LONGEST): figure for figure in analysis.figures}
    changes = [
        _change(figure, old.figures[key][1])
        for key, figure in now.items()
        if key in old.figures and old.figures[key][0] is figure.unit
    ]
    compared = {change.key for change in changes}
    before, setting = old.setting, described(measured.setting)
    return Comparison(
        changes=tuple(sorted(changes, key=_rank)),
        differences=tuple(
            f"{word}: {before.get(field) or 'none'} before, {setting[field] or 'none'} now"
            for field, word in _TOLD.items()
            if before.get(field, "") != setting[field]
        ),
        gone=tuple(printable(key) for key in old.figures if key not in compared),
        new=tuple(figure.title for key, figure in now.items() if key not in compared),
    )


def _change(figure: Figure, old: Spread) -> Change:
    return Change(
        key=figure.key,
        title=figure.title,
        unit=figure.unit,
        old=old,
        new=figure.spread,
        difference=changed_beyond_noise(old, figure.spread),
        more_is_better=figure.more_is_better,
    )


def _rank(change: Change) -> tuple[bool, bool, float]:
    """Sort key: flagged before others, worse before better, far before near."""
    medians = sorted((change.old.median, change.new.median))
    far = medians[1] / medians[0] if medians[0] > 0 else math.inf
    return not change.flagged, change.flagged and change.better, -far


def _bad(name: str, cause: str) -> UsageError:
    return UsageError(
        f"{printable(name)} is no result of netkit bench",
        code="bad-old-result",
        cause=cause,
        fixes=(Fix(("netkit", "bench", "--json", "OLD.json"), note="writes one"),),
    )
