"""What to say about one target of a local forward, as the gateway reaches it.

Pure.  `Reached` holds what was found out; `judge_target` names it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from diagnostics.forwarding.fixes import again
from diagnostics.forwarding.permits import LOCAL, LOCAL_PROHIBITED, SOCKETS_PROHIBITED, barrier
from diagnostics.forwarding.shell import Asked, by_hand, why
from diagnostics.knowledge.greetings import greeting_on
from diagnostics.model import Confidence, Evidence, Finding, Judgement, Kind, Severity, Unknown
from diagnostics.parsers.addresses import is_loopback, literal
from diagnostics.parsers.key_options import KeyLine
from diagnostics.parsers.port_holder import Holder
from diagnostics.parsers.text import clean
from diagnostics.ssh import Opened
from netkit.model import Endpoint, Fix, ForwardSpec, UnixPath

PROHIBITED, REFUSED = "target-prohibited", "target-refused"
UNREACHABLE, TIMED_OUT = "target-unreachable", "target-timed-out"
NAME, LOOKUP = "target-name-unknown", "target-lookup-failed"
SLOW_NAME, SLOW = "target-lookup-slow", "target-slow"
SILENT, CLOSES = "target-silent", "target-closes-at-once"
SOCKET, FAILED = "target-socket-unusable", "target-open-failed"

_CAUSES = (LOCAL_PROHIBITED,)
KINDS = (
    Kind(PROHIBITED, "the gateway forbids forwards to this target", _CAUSES),
    Kind(REFUSED, "nothing accepts connections at the target", _CAUSES),
    Kind(UNREACHABLE, "the gateway has no way to the target", _CAUSES),
    Kind(TIMED_OUT, "the target does not answer the gateway", _CAUSES),
    Kind(NAME, "the gateway does not know the target's name", _CAUSES),
    Kind(LOOKUP, "the gateway's name server does not answer", _CAUSES),
    Kind(SLOW_NAME, "the gateway takes long to look up the target's name", _CAUSES),
    Kind(SLOW, "the gateway takes long to connect to the target", _CAUSES),
    Kind(SILENT, "the target accepts the connection and does not greet", _CAUSES),
    Kind(CLOSES, "the target accepts the connection and closes it at once", _CAUSES),
    Kind(
        SOCKET,
        "the gateway cannot use the target's unix socket",
        (*_CAUSES, SOCKETS_PROHIBITED),
    ),
    Kind(FAILED, "the gateway opens no connection, for another reason", _CAUSES),
)

MANY_SECONDS = 2.0
"""After which a channel that opens at last is worth a word."""

_STARTS = {22: "start the SSH server", 3389: "turn on Remote Desktop", 5900: "start the VNC server"}
_RETRY = ("temporary failure", "try again", "timed out")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """What came of one target.

    Attributes:
        forward: the first one that leads there.
        opened: of the channel to it.
        heard: of another channel on which something was waited for.
        frozen: whether the gateway as a whole was silent when its answer did not come.
        lookup: seconds that a shell there took to look up the name; None: not asked, or no answer.
        here: what this machine resolves the name to, where the gateway does not.
        holder: who listens on the port of a target on the gateway itself.
        socket: what a shell sees at a path: ``socket``, ``closed``, ``other``, ``missing`` or "".
    """

    forward: ForwardSpec
    opened: Opened
    heard: Opened | None = None
    frozen: bool = False
    lookup: float | None = None
    here: tuple[str, ...] = ()
    holder: Holder | None = None
    socket: str = ""

    @property
    def to(self) -> str:
        """The target, to be shown."""
        return clean(str(self.opened.target), 100)

    @property
    def host(self) -> str:
        """Its host, to be shown; the path of a socket."""
        target = self.opened.target
        return clean(target.host if isinstance(target, Endpoint) else target.path, 80)

    @property
    def evidence(self) -> Evidence:
        """What the gateway said."""
        opened = self.opened
        said = clean(opened.text, 120) or opened.outcome
        return Evidence(f"channel to {self.to}", f"{said}, after {opened.seconds:.1f} s")


def judge_target(
    gateway: str, reached: Reached, asked: Asked, key: KeyLine | None
) -> list[Judgement]:
    """Return what is wrong with one target; nothing where it can be used."""
    opened = reached.opened
    match opened.outcome:
        case "ok":
            return [*_slow(gateway, reached), *_odd(gateway, reached)]
        case "timed-out":
            return [_no_answer(gateway, reached)]
        case "refused-by-gateway":
            pass
        case _:
            reason = f"whether {gateway} reaches {reached.to}: the connection to it was lost"
            return [Unknown(reason=reason, subject=reached.to)]
    if isinstance(opened.target, UnixPath):
        return [_socket(gateway, reached, asked)]
    match opened.kind:
        case "prohibited" | "unsupported":
            return [_prohibited(gateway, reached, asked, key)]
        case "refused":
            return [_refused(gateway, reached, opened.target, asked), *_slow(gateway, reached)]
        case "unreachable":
            return [_unreachable(gateway, reached)]
        case "timed-out":
            return [_timed_out(gateway, reached)]
        case "name":
            return [_name(gateway, reached)]
        case _:
            return [_failed(gateway, reached)]


def _finding(reached: Reached, code: str, title: str, explain: str, *fixes: Fix) -> Finding:
    return Finding(
        code=code,
        subject=reached.to,
        title=title,
        explain=explain,
        evidence=(reached.evidence,),
        fixes=fixes,
    )


def _try_by_hand(reached: Reached, note: str) -> Fix:
    target = reached.opened.target
    if not isinstance(target, Endpoint):
        return by_hand("ls", "-l", clean(target.path), note=note)
    return by_hand("nc", "-vzw5", clean(target.host, 253), str(target.port), note=note)


def _prohibited(gateway: str, reached: Reached, asked: Asked, key: KeyLine | None) -> Finding:
    rule = barrier(LOCAL, asked, key, reached.to)
    found = _finding(
        reached,
        PROHIBITED,
        f"{gateway} forbids forwards to {reached.to}; it allows {rule.allowed or 'others'}",
        rule.because,
        *rule.fixes,
    )
    evidence = (*found.evidence, *rule.evidence)
    return replace(found, evidence=evidence, confidence=rule.confidence)


def _is_own(host: str) -> bool:
    return host.lower().rstrip(".") == "localhost" or is_loopback(host)


def _refused(gateway: str, reached: Reached, target: Endpoint, asked: Asked) -> Finding:
    """Some servers (asyncssh) give a rule's number where a target refuses."""
    found = _refused_by(gateway, reached, target, asked)
    if reached.opened.reason != 1:
        return found
    explain = f"{found.explain} Or it is a rule of the gateway: its server tells no difference."
    return replace(found, explain=explain, confidence=Confidence.LIKELY)


def _refused_by(gateway: str, reached: Reached, target: Endpoint, asked: Asked) -> Finding:
    if _is_own(target.host):
        return _refused_own(gateway, reached, target, asked)
    start = _STARTS.get(target.port, "start the service")
    note = f"the same from there; if it is refused too, {start} on {reached.host}"
    return _finding(
        reached,
        REFUSED,
        f"{reached.to} refuses the connection from {gateway}",
        f"{gateway} reaches {reached.host}, but nothing accepts connections on port {target.port}:"
        " the service does not run, listens on another port or address, or a firewall rejects.",
        _try_by_hand(reached, note),
    )


def _refused_own(gateway: str, reached: Reached, target: Endpoint, asked: Asked) -> Finding:
    """The target is the gateway itself, which may surprise whoever wrote localhost."""
    explain = f"After the gateway, {reached.host} is {gateway} itself, not this machine."
    holder = reached.holder
    others = [each.host for each in holder.listeners if literal(each.host)] if holder else []
    fixes: tuple[Fix, ...] = ()
    if others:
        explain += f" There the service listens on {clean(others[0], 60)} alone."
        forward = replace(reached.forward, to=Endpoint(others[0], target.port), text="")
        fixes = (again(gateway, forward, note="leads to where it listens"),)
    elif holder is not None and holder.readable:
        explain += f" Nothing listens on its port {target.port}."
    elif asked.outcome:
        explain += f" What listens there is not known: {why(asked)}."
    look = by_hand("ss", "-ltn", note=f"lists what listens; start the service on {target.port}")
    return _finding(
        reached,
        REFUSED,
        f"{gateway} itself refuses the connection to {reached.to}",
        explain,
        *fixes,
        look,
    )


def _unreachable(gateway: str, reached: Reached) -> Finding:
    route = by_hand("ip", "route", "get", reached.host, note="shows which way it would take")
    fix = route if literal(reached.host) else _try_by_hand(reached, "shows the address it tries")
    return _finding(
        reached,
        UNREACHABLE,
        f"{gateway} has no way to {reached.host}",
        f"It answered: {clean(reached.opened.text, 80)}. The target is off, in a network that the"
        " gateway has no route to, or a firewall says so.",
        fix,
    )


def _timed_out(gateway: str, reached: Reached) -> Finding:
    note = "the same from there; a firewall on the way drops it, or the machine is off"
    return _finding(
        reached,
        TIMED_OUT,
        f"{reached.to} does not answer {gateway}",
        "Nothing came back to its attempts to connect: the machine is off or asleep, the address is"
        " wrong, or a firewall between the two drops the packets.",
        _try_by_hand(reached, note),
    )


def _no_answer(gateway: str, reached: Reached) -> Judgement:
    """The gateway did not say anything in time; if it froze, it looks a name up."""
    seconds = f"{reached.opened.seconds:.0f}"
    if not reached.frozen:
        return _timed_out(gateway, reached)
    if literal(reached.host):
        reason = f"whether {gateway} reaches {reached.to}: it answers nothing for {seconds} s"
        return Unknown(reason=reason, subject=reached.to)
    return _lookup_failed(gateway, reached)


def _lookup_failed(gateway: str, reached: Reached) -> Finding:
    found = _finding(
        reached,
        LOOKUP,
        f"{gateway} gets no answer from its name server for {reached.host}",
        "While it waits, everything else in the tunnel stands still, because sshd looks names up in"
        " the process that serves the connection.",
        by_hand("getent", "hosts", reached.host, note="the same from there; see /etc/resolv.conf"),
        *_to_address(gateway, reached),
    )
    sure = Confidence.LIKELY if reached.frozen else Confidence.CERTAIN
    return replace(found, confidence=sure)


def _to_address(gateway: str, reached: Reached) -> tuple[Fix, ...]:
    """Return the same forward to the address that this machine knows for the name."""
    target = reached.opened.target
    address = next((each for each in reached.here if literal(each)), "")
    if not address or not isinstance(target, Endpoint):
        return ()
    forward = replace(reached.forward, to=Endpoint(address, target.port), text="")
    return (again(gateway, forward, note="uses the address that this machine knows"),)


def _name(gateway: str, reached: Reached) -> Finding:
    text = reached.opened.text.lower()
    if any(each in text for each in _RETRY):
        return _lookup_failed(gateway, reached)
    known = _to_address(gateway, reached)
    explain = "Names of targets are looked up by the gateway, not here."
    if known:
        explain += f" This machine knows it as {clean(reached.here[0], 60)}."
    fix = by_hand("getent", "hosts", reached.host, note="the same from there; try the full name")
    return _finding(
        reached,
        NAME,
        f"{gateway} does not know the name {reached.host}",
        explain,
        *known,
        fix,
    )


def _slow(gateway: str, reached: Reached) -> list[Judgement]:
    """Name what took long, where the connection came about (or was refused) at last."""
    took = reached.opened.seconds
    if took <= MANY_SECONDS:
        return []
    is_name = literal(reached.host) is None and isinstance(reached.opened.target, Endpoint)
    if is_name and (reached.lookup is None or reached.lookup > MANY_SECONDS):
        return [_slow_name(gateway, reached)]
    found = _finding(
        reached,
        SLOW,
        f"{gateway} needs {took:.1f} s to connect to {reached.to}",
        "Each connection through the tunnel begins with this wait: packets to the target are lost,"
        " its first address does not answer, or the target is busy.",
        _try_by_hand(reached, "the same from there"),
    )
    return [replace(found, severity=Severity.WARNING)]


def _slow_name(gateway: str, reached: Reached) -> Finding:
    certain = reached.lookup is not None
    took = reached.lookup if reached.lookup is not None else reached.opened.seconds
    found = _finding(
        reached,
        SLOW_NAME,
        f"{gateway} needs {took:.1f} s to look up {reached.host}",
        "Each connection begins with this wait, and everything else in the tunnel stands still"
        " meanwhile: a name server there does not answer, and the next one is asked late.",
        by_hand("getent", "hosts", reached.host, note="the same from there; see /etc/resolv.conf"),
        *_to_address(gateway, reached),
    )
    return replace(
        found,
        severity=Severity.WARNING,
        confidence=Confidence.CERTAIN if certain else Confidence.LIKELY,
    )


def _odd(gateway: str, reached: Reached) -> list[Judgement]:
    """Name what is odd about a target that accepts connections."""
    heard, target = reached.heard, reached.opened.target
    if heard is None or heard.outcome != "ok" or heard.data or not isinstance(target, Endpoint):
        return []
    if heard.ended:
        found = _finding(
            reached,
            CLOSES,
            f"{reached.to} accepts the connection from {gateway} and closes it at once",
            "Something is in front of the service and has nothing behind it (a container's or a"
            f" balancer's port), or the service lets {gateway} not in.",
            _try_by_hand(reached, "the same from there; look at the service's log"),
        )
        return [replace(found, severity=Severity.WARNING)]
    greeting = greeting_on(target.port)
    if greeting is None:
        return []
    found = _finding(
        reached,
        SILENT,
        f"{reached.to} accepts the connection from {gateway} and says nothing",
        f"A {greeting.protocol} server speaks first ({greeting.source}): this one hangs, or a"
        " firewall accepts in its place.",
        _try_by_hand(reached, "the same from there; look at the service"),
    )
    return [replace(found, severity=Severity.WARNING, confidence=Confidence.LIKELY)]


def _socket(gateway: str, reached: Reached, asked: Asked) -> Finding:
    """sshd gives one answer for every reason; a shell there sees which it is."""
    path = reached.to
    title = {
        "missing": f"There is no {path} on {gateway}",
        "other": f"The file {path} on {gateway} is no socket",
        "closed": f"The account may not write to the socket {path} on {gateway}",
        "socket": f"Nothing accepts connections at the socket {path} on {gateway}",
    }.get(reached.socket, f"The unix socket {path} cannot be used on {gateway}")
    explain = {
        "socket": "The file is there, and its server is not, or sshd forbids such forwards.",
        "": "It is missing, not open to the account, or forbidden: the gateway says the same for"
        f" each, and no shell tells{f': {why(asked)}' if asked.outcome else ''}.",
        "missing": "The path is one of the gateway; what makes the socket there does not run.",
        "closed": "sshd connects to it as the account that logged in.",
    }.get(reached.socket, "The path is one of the gateway.")
    found = _finding(
        reached,
        SOCKET,
        title,
        explain,
        _try_by_hand(reached, "shows what is there; start what makes the socket"),
    )
    return replace(found, confidence=Confidence.CERTAIN if reached.socket else Confidence.POSSIBLE)


def _failed(gateway: str, reached: Reached) -> Finding:
    shortage = reached.opened.kind == "shortage"
    why_not = "It is out of resources." if shortage else "It gave no reason that is known."
    return _finding(
        reached,
        FAILED,
        f"{gateway} opens no connection to {reached.to}",
        f"{why_not} It answered: {clean(reached.opened.text, 120) or 'nothing'}.",
        _try_by_hand(reached, "the same from there"),
    )
