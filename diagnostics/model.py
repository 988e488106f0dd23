"""The values of the doctor: targets, checks, findings.  Frozen, and without any I/O.

A check is ``probe(target, system) -> facts`` and ``judge(facts) -> findings``.  The probe asks and
never judges; the judge is pure and total.  What text of a tool means is a third, pure thing
(`diagnostics.parsers`).
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from netkit.model import Fix, ForwardSpec

if TYPE_CHECKING:
    from diagnostics.system import System

SCHEMA_VERSION = 1
"""Of the JSON report and of recordings; grows when a reader of the old form would be misled."""


class Severity(enum.Enum):
    """How bad a finding is, mildest first."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """0 for the mildest."""
        return _SEVERITIES.index(self)


_SEVERITIES = tuple(Severity)


class Confidence(enum.Enum):
    """How sure a finding is: seen (``certain``), inferred (``likely``), or a guess."""

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"


class Status(enum.Enum):
    """What became of a check; says nothing about what it found."""

    RAN = "ran"
    SKIPPED = "skipped"
    INCONCLUSIVE = "inconclusive"
    TIMED_OUT = "timed-out"
    CRASHED = "crashed"


class Effect(enum.Enum):
    """What a check does beyond reading; ``--dry-run`` shows it."""

    RUNS_TOOLS = "runs system tools"
    BINDS = "binds local ports for a moment"
    CONNECTS = "connects to the gateway or a target"
    LOGS_IN = "logs in to the gateway"
    RUNS_REMOTELY = "runs read-only commands on the gateway"
    LISTENS_REMOTELY = "lets the gateway listen for a moment"
    WAITS = "waits for minutes"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact that a finding rests on: what was looked at, and what it said."""

    what: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something worth telling about one subject.

    Attributes:
        code: kebab-case and stable; has a section in docs/findings.md.
        title: one sentence a person who is no network engineer understands.
        subject: what it is about, such as ``127.0.0.2:3389``; tells findings of one code apart.
        explain: why it matters or what happened, one or two sentences.
        evidence: what it rests on.
        fixes: commands that mend it, the best first.
        caused_by: codes of findings that, where present, make this one a mere consequence; added
            to those of its `Kind`.
    """

    code: str
    title: str
    severity: Severity = Severity.ERROR
    subject: str = ""
    explain: str = ""
    evidence: tuple[Evidence, ...] = ()
    fixes: tuple[Fix, ...] = ()
    confidence: Confidence = Confidence.CERTAIN
    caused_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """What could not be found out, why, and what would tell.

    A check with one is ``inconclusive``, whatever else it found.
    """

    reason: str
    subject: str = ""
    fixes: tuple[Fix, ...] = ()
    evidence: tuple[Evidence, ...] = ()


Judgement = Finding | Unknown


class InconclusiveError(Exception):
    """Raised by a probe that could not ask; becomes an `Unknown`."""

    def __init__(self, reason: str, *, fixes: tuple[Fix, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fixes = fixes


@dataclass(frozen=True, slots=True)
class Kind:
    """A code that a check may report.

    ``summary`` is one line for lists.  ``caused_by`` are codes that make it a consequence
    whenever one of them is reported in the same run: it is then hidden and counted.  ``docs`` is
    the section for ``--explain`` of a check that comes from elsewhere; netkit's own are in
    ``knowledge/findings/``.
    """

    code: str
    summary: str
    caused_by: tuple[str, ...] = ()
    docs: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NatOptions:
    """What ``--nat`` was asked to do: the longest idle time probed, in seconds."""

    budget: float = 360.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What an earlier ``--nat`` measured in this network.

    Attributes:
        alive: the longest silence that was survived, in seconds; 0: none was.
        dead: the shortest that was not; 0: none was fatal.
        age: seconds since then.
    """

    alive: float = 0.0
    dead: float = 0.0
    age: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the doctor is asked about.

    Attributes:
        gateway: as the user wrote it; empty: this machine only, offline.
        forwards: the forwards of ``--for forward``, or of the profile.
        wanted: whether ``forwards`` were asked for, so that their absence is worth a word.
        protocol: the name after ``--for`` where it is no netkit command (``ftp``, ``sip``, …).
        nat: measure NAT idle timeouts; None: do not.
        remembered: what is known of idle timeouts in this network; None: nothing.
        config_file: the ssh_config of ``-F``; empty: the usual ones.
    """

    gateway: str = ""
    forwards: tuple[ForwardSpec, ...] = ()
    wanted: bool = False
    protocol: str = ""
    nat: NatOptions | None = None
    remembered: Remembered | None = None
    config_file: str = ""


def always(_target: Target) -> str:
    """Apply to every target."""
    return ""


def with_gateway(target: Target) -> str:
    """Apply where a gateway is named."""
    return "" if target.gateway else "no gateway is named"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that can be examined.

    Attributes:
        code: kebab-case name of the check, for ``--only`` and ``--skip``.
        title: what is examined, a noun phrase.
        probe: asks the machine or the gateway; runs on a thread of its own; may raise
            `InconclusiveError`; anything else it raises makes the check ``crashed``.
        judge: pure and total.
        finds: every code that ``judge`` may report.
        depends_on: codes of checks without whose success this one makes no sense: it is skipped
            when one of them reports an error or did not run.
        after: codes of checks to wait for without needing them.
        effects: what the probe does beyond reading.
        timeout: seconds the probe may take, or a function of the target.
        applies: says why it does not concern a target; empty: it does.
    """

    code: str
    title: str
    probe: Callable[[Target, System], Any]
    judge: Callable[[Any], tuple[Judgement, ...]]
    finds: tuple[Kind, ...]
    depends_on: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()
    timeout: float | Callable[[Target], float] = 5.0
    applies: Callable[[Target], str] = always


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """A finding or a skipped check that is a consequence of ``cause``, a code."""

    what: str
    check: str
    cause: str
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one check.  ``facts`` are the probe's own, ``None`` where it gave none."""

    check: Check
    status: Status
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    unknowns: tuple[Unknown, ...] = ()
    seconds: float = 0.0
    facts: Any = None
    blocked_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything a run found, in the order of the checks; consequences are in ``hidden``."""

    results: tuple[Result, ...]
    hidden: tuple[Hidden, ...] = ()
    target: Target = field(default_factory=Target)
    os: str = ""
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding that is no consequence of another."""
        return tuple(finding for result in self.results for finding in result.findings)
