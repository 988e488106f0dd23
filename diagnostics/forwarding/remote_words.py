"""What to say about remote forwards, as the gateway answers to them.

Pure.  `Facts` holds what was found out; `judge` names it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from diagnostics.forwarding.fixes import moved, set_option
from diagnostics.forwarding.holders import STALE, TAKEN, Taken, judge_taken
from diagnostics.forwarding.permits import (
    LOCAL,
    LOCAL_PROHIBITED,
    REMOTE,
    REMOTE_PROHIBITED,
    Barrier,
    barrier,
)
from diagnostics.forwarding.shell import Asked, by_hand, why
from diagnostics.model import (
    Confidence,
    Evidence,
    Finding,
    Judgement,
    Kind,
    Severity,
    Unknown,
)
from diagnostics.parsers.key_options import KeyLine
from diagnostics.parsers.text import clean
from diagnostics.ssh import Listened
from netkit.model import Endpoint, Fix, ForwardSpec, UnixPath

RESTRICTED, LISTEN = "remote-forwarding-restricted", "remote-listen-prohibited"
PRIVILEGED, ADDRESS = "remote-port-privileged", "remote-address-unavailable"
DEAD, REFUSED = "remote-listener-unreachable", "remote-forward-refused"
SOCKETS, PATH = "streamlocal-listen-prohibited", "remote-socket-unusable"

DISABLED = "Server has disabled port forwarding"
LISTED = "port forwarding refused"
SOCKETS_DISABLED = "Server has disabled streamlocal forwarding"
"""What sshd says in SSH_MSG_DEBUG beside its refusal (serverloop.c, channels.c)."""

_CAUSES = (REMOTE_PROHIBITED,)
KINDS = (
    Kind(REMOTE_PROHIBITED, "the gateway forbids remote forwards (-R)"),
    Kind(RESTRICTED, "the gateway listens on listed ports only"),
    Kind(LISTEN, "the gateway forbids to listen on this port", _CAUSES),
    Kind(PRIVILEGED, "the port is one that only root may listen on", _CAUSES),
    Kind(ADDRESS, "the gateway cannot listen on this address", _CAUSES),
    Kind(TAKEN, "the port is taken on the gateway", _CAUSES),
    Kind(STALE, "an earlier session of ours holds the port on the gateway", _CAUSES),
    Kind(DEAD, "the gateway says that it listens, and cannot be reached there", _CAUSES),
    Kind(REFUSED, "the gateway does not listen, for a reason that is not known", _CAUSES),
    Kind(SOCKETS, "the gateway forbids to listen on unix sockets", _CAUSES),
    Kind(PATH, "the gateway cannot listen on this path", (*_CAUSES, SOCKETS)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of one remote forward.

    Attributes:
        forward: the forward.
        listened: of asking for what it binds; for a unix socket, for a path that nobody can have.
        path: what a shell sees at the path of a unix socket: ``free``, ``socket``, ``other``,
            ``no-directory``, ``closed`` or "".
        on_loopback: whether the gateway gives the same port on its loopback.
        taken: who holds the port.
        unproved: whether nobody could look who answers at the port.
    """

    forward: ForwardSpec
    listened: Listened
    path: str = ""
    on_loopback: bool = False
    taken: Taken | None = None
    unproved: bool = False

    @property
    def bind(self) -> str:
        """Where the gateway should listen, to be shown."""
        bind = self.forward.bind
        if isinstance(bind, Endpoint) and not bind.host:
            return f"port {bind.port}" if bind.port else "a port of its choice"
        return clean(str(bind), 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What came of asking the gateway to listen.

    Attributes:
        gateway: as the user wrote it.
        wanted: whether remote forwards are named, so that a refusal is an error.
        general: of asking for any port on loopback; None where that was not needed.
        tried: of each forward.
        left: forwards that were too many to be tried.
        asked: what the gateway's shell says; empty where nothing was refused.
        key: the line of authorized_keys that let us in.
    """

    gateway: str = ""
    wanted: bool = False
    general: Listened | None = None
    tried: tuple[Tried, ...] = ()
    left: int = 0
    asked: Asked = field(default_factory=Asked)
    key: KeyLine | None = None


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Say which rule is in the way, or what is wrong with each port."""
    found: list[Judgement] = []
    general = facts.general
    if general is not None and general.outcome == "refused" and not _is_listed(general):
        found.append(_prohibited(facts, general, barrier(REMOTE, facts.asked, facts.key)))
    elif general is not None and general.outcome == "refused" and not facts.tried:
        found.append(_restricted(facts, general))
    elif general is not None and general.outcome not in ("ok", "refused"):
        found.append(_unanswered(facts, "remote forwards", general))
    found += [each for tried in facts.tried for each in _one(facts, tried)]
    if facts.left:
        reason = f"whether {facts.gateway} listens for {facts.left} further forwards: too many"
        found.append(Unknown(reason=reason))
    return tuple(found)


def _is_listed(listened: Listened) -> bool:
    return any(each.startswith(LISTED) for each in listened.messages)


def _is_disabled(listened: Listened) -> bool:
    return any(each.startswith((DISABLED, SOCKETS_DISABLED)) for each in listened.messages)


def _unanswered(facts: Facts, what: str, listened: Listened) -> Unknown:
    why_not = {
        "timed-out": "it does not answer",
        "link-lost": "the connection to it was lost",
    }.get(listened.outcome, "there is no login")
    reason = f"whether {facts.gateway} allows {what}: {why_not}"
    return Unknown(reason=reason, subject=facts.gateway)


def _seen(listened: Listened) -> tuple[Evidence, ...]:
    asked = Evidence(f"listening on {clean(str(listened.bind), 80)}", listened.outcome)
    said = [Evidence("the gateway says", clean(each, 100)) for each in listened.messages[:3]]
    return (asked, *said)


def _prohibited(facts: Facts, listened: Listened, rule: Barrier) -> Finding:
    return Finding(
        code=REMOTE_PROHIBITED,
        severity=Severity.ERROR if facts.wanted else Severity.WARNING,
        subject=facts.gateway,
        title=f"{facts.gateway} forbids remote forwards (-R): it listens on no port for us",
        explain=rule.because,
        evidence=(*_seen(listened), *rule.evidence),
        fixes=rule.fixes,
        confidence=rule.confidence,
        caused_by=(LOCAL_PROHIBITED,) if _is_common(facts, rule) else (),
    )


def _is_common(facts: Facts, rule: Barrier) -> bool:
    """Whether the same rule forbids local forwards, so that one finding is enough."""
    local = barrier(LOCAL, facts.asked, facts.key)
    return rule.scope == "all" and local.because == rule.because


def _restricted(facts: Facts, listened: Listened) -> Finding:
    rule = barrier(REMOTE, facts.asked, facts.key)
    if rule.allowed.lower() == "none":
        return _prohibited(facts, listened, rule)
    return Finding(
        code=RESTRICTED,
        severity=Severity.INFO,
        subject=facts.gateway,
        title=f"{facts.gateway} listens for remote forwards on listed ports only"
        + (f": {rule.allowed}" if rule.allowed else ""),
        explain=rule.because,
        evidence=(*_seen(listened), *rule.evidence),
        fixes=rule.fixes,
        confidence=rule.confidence,
    )


def _one(facts: Facts, tried: Tried) -> list[Judgement]:
    listened, bind = tried.listened, tried.forward.bind
    if listened.outcome not in ("ok", "refused"):
        return [_unanswered(facts, f"listening on {tried.bind}", listened)]
    if isinstance(bind, UnixPath):
        return _socket(facts, tried, bind)
    if listened.outcome == "ok":
        return _agreed(facts, tried)
    if _is_listed(listened):
        return [_listed(facts, tried, bind)]
    general = facts.general
    if general is not None and general.outcome != "ok":
        return []
    if _is_disabled(listened) or (0 < bind.port < 1024 and facts.asked.survey.account.uid != 0):
        return [_privileged(facts, tried, bind)]
    if tried.on_loopback:
        return [_address(facts, tried, bind)]
    if tried.taken is not None and bind.port:
        return [judge_taken(facts.gateway, tried.taken, facts.asked)]
    return [_refused(facts, tried)]


def _agreed(facts: Facts, tried: Tried) -> list[Judgement]:
    """The gateway says that it listens: do connections there reach us."""
    if tried.taken is not None:
        return [judge_taken(facts.gateway, tried.taken, facts.asked)]
    if tried.unproved:
        reason = (
            f"whether {tried.bind} of {facts.gateway} leads to us alone: the gateway opens no"
            " connection to itself for us, and no shell there tells who listens"
        )
        return [Unknown(reason=reason, subject=tried.bind)]
    outcomes = {each.outcome for each in tried.listened.knocks}
    if not outcomes or "arrived" in outcomes or not outcomes & {"refused", "timed-out"}:
        return []
    return [
        Finding(
            code=DEAD,
            severity=Severity.WARNING,
            subject=f"{tried.bind} of {facts.gateway}",
            title=f"{facts.gateway} agreed to listen on {tried.bind}, and cannot connect there",
            explain="A firewall there drops what comes over its own loopback, or the server says"
            " yes without listening.",
            evidence=tuple(
                Evidence(f"knock at {each.address} from the gateway", each.outcome)
                for each in tried.listened.knocks
            ),
            fixes=(by_hand("ss", "-ltn", note="shows whether it listens"),),
            confidence=Confidence.LIKELY,
        )
    ]


def _listed(facts: Facts, tried: Tried, bind: Endpoint) -> Finding:
    # PermitListen compares texts, and a port without a host stands for every address.
    there = Endpoint(bind.host or "localhost", bind.port)
    wanted = str(bind.port) if bind.host == "*" else clean(str(there), 100)
    rule = barrier(REMOTE, facts.asked, facts.key, wanted)
    only = f"; it allows {rule.allowed}" if rule.allowed else ""
    return Finding(
        code=LISTEN,
        subject=f"{tried.bind} of {facts.gateway}",
        title=f"{facts.gateway} forbids to listen on {tried.bind}{only}",
        explain=rule.because,
        evidence=(*_seen(tried.listened), *rule.evidence),
        fixes=rule.fixes,
        confidence=rule.confidence,
    )


def _privileged(facts: Facts, tried: Tried, bind: Endpoint) -> Finding:
    port = bind.port + 8000
    return Finding(
        code=PRIVILEGED,
        subject=f"{tried.bind} of {facts.gateway}",
        title=f"{facts.gateway} lets only root listen on port {bind.port}",
        explain="sshd keeps ports below 1024 for root, whatever the system there allows.",
        evidence=_seen(tried.listened),
        fixes=(moved(tried.forward, Endpoint(bind.host, port), note="is for everybody"),),
    )


def _address(facts: Facts, tried: Tried, bind: Endpoint) -> Finding:
    own = [clean(each, 60) for each in facts.asked.survey.addresses[:8]]
    has = f" It has {', '.join(own)}." if own else ""
    return Finding(
        code=ADDRESS,
        subject=f"{tried.bind} of {facts.gateway}",
        title=f"{facts.gateway} cannot listen on the address {clean(bind.host, 60)}",
        explain=f"The same port on its loopback is free, so the address is none of its own.{has}",
        evidence=_seen(tried.listened),
        fixes=(
            moved(tried.forward, Endpoint("*", bind.port), note="every address of the gateway"),
            by_hand("ip", "-br", "address", note="shows its addresses"),
        ),
        confidence=Confidence.LIKELY,
    )


def _refused(facts: Facts, tried: Tried) -> Finding:
    return Finding(
        code=REFUSED,
        subject=f"{tried.bind} of {facts.gateway}",
        title=f"{facts.gateway} does not listen on {tried.bind}",
        explain="It gave no reason, and does listen on other ports.",
        evidence=_seen(tried.listened),
        fixes=(by_hand("ss", "-ltnp", note="shows what listens there", needs_admin=True),),
        confidence=Confidence.LIKELY,
    )


def _socket(facts: Facts, tried: Tried, bind: UnixPath) -> list[Judgement]:
    """A rule shows by its message; what is at the path, by a shell."""
    listened, path = tried.listened, tried.bind
    if _is_disabled(listened) or _is_listed(listened):
        rule = barrier(REMOTE, facts.asked, facts.key, socket=True)
        found = _prohibited(facts, listened, rule)
        told = f"{facts.gateway} forbids remote forwards from unix sockets"
        return [replace(found, code=SOCKETS, title=told, severity=Severity.ERROR)]
    title = {
        "socket": f"There is a socket {path} on {facts.gateway} already",
        "other": f"There is a file {path} on {facts.gateway} already",
        "no-directory": f"There is no directory for {path} on {facts.gateway}",
        "closed": f"The account may not make {path} on {facts.gateway}",
    }.get(tried.path)
    if title is None:
        if tried.path:
            return []
        reason = f"whether {facts.gateway} can listen on {path}: {why(facts.asked)}"
        return [Unknown(reason=reason, subject=path)]
    return [
        Finding(
            code=PATH,
            subject=path,
            title=title,
            explain="sshd makes the socket itself and removes none: not even its own, when the"
            " forward ends."
            if tried.path == "socket"
            else "sshd makes the socket itself, in a directory that is there and open to the"
            " account.",
            evidence=(Evidence("a shell on the gateway", tried.path),),
            fixes=_path_fixes(facts, tried, bind),
        )
    ]


def _path_fixes(facts: Facts, tried: Tried, bind: UnixPath) -> tuple[Fix, ...]:
    path = clean(bind.path)
    if tried.path == "socket":
        return (
            by_hand("rm", path, note="where no program uses it any more"),
            set_option(facts.asked, "StreamLocalBindUnlink yes", note="lets sshd do so itself"),
        )
    if tried.path == "no-directory":
        return (by_hand("mkdir", "-p", path.rpartition("/")[0] or "/"),)
    return (by_hand("ls", "-ld", path.rpartition("/")[0] or "/", path, note="shows what is there"),)
