"""Who really reaches the ports that the gateway opens for remote forwards: GatewayPorts, proved.

sshd agrees to listen on any address and then does what its GatewayPorts says (channels.c,
channel_fwd_bind_addr): ``no`` means loopback whatever was asked for, ``yes`` every address, and
``clientspecified`` what was asked for.  A nonce of ours, sent to each address from there and from
here, shows where it arrives.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from diagnostics.checks.forwarding_remote import MAX_FORWARDS, remote_forwards
from diagnostics.forwarding.fixes import moved, set_option, told
from diagnostics.forwarding.shell import Asked, ask, by_hand, why
from diagnostics.model import (
    Check,
    Confidence,
    Effect,
    Evidence,
    Finding,
    Judgement,
    Kind,
    Severity,
    Target,
    Unknown,
    with_gateway,
)
from diagnostics.parsers.addresses import is_loopback, literal
from diagnostics.parsers.text import clean
from diagnostics.ssh import Knock, Listened
from diagnostics.system import System
from netkit.model import Endpoint, Fix, ForwardSpec

ONLY_LOOPBACK, WIDER = "gateway-ports-loopback-only", "gateway-ports-wider"
FILTERED, SHADOWED = "remote-port-filtered", "remote-port-shadowed"

LOOPBACK = "127.0.0.1"
_ALL = {"*": 0, "0.0.0.0": 4, "::": 6}
"""Bind addresses that mean every address, and of which family alone."""

_NAMES = ("", "localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What came of one forward: ``listened`` with its knocks."""

    forward: ForwardSpec
    listened: Listened

    @property
    def host(self) -> str:
        """The address that is asked for."""
        bind = self.forward.bind
        return bind.host.lower() if isinstance(bind, Endpoint) else ""

    @property
    def is_private(self) -> bool:
        """Whether only the gateway itself should get in."""
        return self.host in _NAMES or is_loopback(self.host)

    def knocks(self, origin: str) -> list[Knock]:
        """Return the knocks from ``gateway`` or ``here`` at addresses other than loopback."""
        found = self.listened.knocks
        return [k for k in found if k.origin == origin and not is_loopback(k.address.host)]

    @property
    def at_loopback(self) -> str:
        """What came of knocking at the gateway's loopback."""
        found = self.listened.knocks
        return next((k.outcome for k in found if is_loopback(k.address.host)), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What came of each forward, and what the gateway's shell says of its addresses and rules."""

    gateway: str = ""
    opened: tuple[Opened, ...] = ()
    asked: Asked = field(default_factory=Asked)


def applies(target: Target) -> str:
    """Concern remote forwards from TCP ports."""
    return with_gateway(target) or ("" if _wanted(target) else "no remote forward is named")


def _wanted(target: Target) -> list[ForwardSpec]:
    return [each for each in remote_forwards(target) if isinstance(each.bind, Endpoint)]


def seconds_for(target: Target) -> float:
    """Return how long the probe may take: one forward after the other."""
    return 15.0 + 25.0 * len(_wanted(target)[:MAX_FORWARDS])


def probe(target: Target, system: System) -> Facts:
    """Have the gateway listen for each forward, and knock at its addresses from both sides."""
    ssh = system.ssh
    asked = ask(ssh)
    peer = ssh.login().peer
    opened = []
    for forward in _wanted(target)[:MAX_FORWARDS]:
        bind = forward.bind
        assert isinstance(bind, Endpoint)
        own = _own_addresses(asked, peer, bind.host)
        outside = "" if peer is None or is_loopback(peer.host) else peer.host
        knocks = _knocks(bind.host, own, outside)
        listened = ssh.listen(bind, knocks)
        if listened.outcome == "refused":
            # Only the port may be the matter; what the address means can be seen at any.
            listened = ssh.listen(Endpoint(bind.host, 0), knocks)
        opened.append(Opened(forward=forward, listened=listened))
    return Facts(gateway=clean(target.gateway), opened=tuple(opened), asked=asked)


def _own_addresses(asked: Asked, peer: Endpoint | None, host: str) -> list[str]:
    """Return the addresses of the gateway that others use, the one we came to first."""
    server = asked.survey.account.server
    found = [server.host] if server else []
    found += asked.survey.addresses
    if not asked.survey.has_shell and peer is not None:
        found.append(peer.host)
    family = _ALL.get(host.lower(), 0)
    usable = [each for each in dict.fromkeys(found) if _is_public(each, family)]
    first: dict[bool, str] = {}
    for each in usable:
        first.setdefault(":" in each, each)
    return list(first.values())


def _is_public(address: str, family: int) -> bool:
    found = literal(address)
    if found is None or found.is_loopback or found.is_link_local:
        return False
    return family in (0, found.version)


def _knocks(host: str, own: list[str], outside: str) -> tuple[Knock, ...]:
    """Return the knocks that show what an address to listen on means."""
    lowered = host.lower()
    hosts = [LOOPBACK if _ALL.get(lowered) != 6 else "::1"]
    if lowered in _ALL or lowered in _NAMES or is_loopback(host):
        hosts += own
    elif literal(host) is not None:
        hosts.append(host)
    found = [Knock(origin="gateway", address=Endpoint(each, 0)) for each in hosts]
    if outside and not (lowered in _NAMES or is_loopback(host)):
        found.append(Knock(origin="here", address=Endpoint(outside, 0)))
    return tuple(found)


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Say of each forward who can use it that should not, and who cannot that should."""
    return tuple(found for each in facts.opened for found in _one(facts, each))


def _one(facts: Facts, opened: Opened) -> list[Judgement]:
    listened = opened.listened
    if listened.outcome != "ok":
        reason = f"who reaches {_bind(opened)} of {facts.gateway}: it does not listen there for us"
        return [Unknown(reason=reason, subject=_bind(opened))]
    outcomes = [each.outcome for each in opened.knocks("gateway")]
    if opened.is_private:
        return [_wider(facts, opened)] if _is_overridden(opened) or "arrived" in outcomes else []
    shadowed = [k for k in opened.knocks("gateway") if k.outcome == "elsewhere"]
    if shadowed:
        return [_shadowed(facts, opened, shadowed[0])]
    if "arrived" in outcomes:
        return [*_too_wide(facts, opened), *_filtered(facts, opened)]
    if any(each.outcome == "arrived" for each in opened.knocks("here")):
        return []
    if opened.at_loopback == "arrived" and (outcomes or opened.knocks("here")):
        dropped = "timed-out" in outcomes
        return _filtered(facts, opened) if dropped else [_only_loopback(facts, opened)]
    if "refused" in {each.outcome for each in opened.knocks("here")} and _says_no(facts):
        return [_only_loopback(facts, opened)]
    return [_unproved(facts, opened)]


def _says_no(facts: Facts) -> bool:
    config = facts.asked.survey.config
    return config.known and config.word("GatewayPorts", "no") == "no"


def _bind(opened: Opened) -> str:
    bind = opened.forward.bind
    return clean(str(bind), 100)


def _is_overridden(opened: Opened) -> bool:
    return any("overridden by server GatewayPorts" in each for each in opened.listened.messages)


def _too_wide(facts: Facts, opened: Opened) -> list[Judgement]:
    """One address was asked for, and loopback leads to us as well: so do all the others."""
    narrow = opened.host not in _ALL
    wide = _is_overridden(opened) or opened.at_loopback == "arrived"
    return [_wider(facts, opened)] if narrow and wide else []


def _evidence(facts: Facts, opened: Opened) -> tuple[Evidence, ...]:
    found = [
        Evidence(f"nonce to {each.address} from {_origin(each)}", each.outcome)
        for each in opened.listened.knocks
    ]
    found += [Evidence("the gateway says", clean(m, 120)) for m in opened.listened.messages[:2]]
    setting = facts.asked.survey.config.get("GatewayPorts")
    if setting is not None:
        found.append(Evidence(setting.place or "sshd -T", told(setting)))
    return tuple(found)


def _origin(knock: Knock) -> str:
    return "here" if knock.origin == "here" else "the gateway"


def _only_loopback(facts: Facts, opened: Opened) -> Finding:
    setting = facts.asked.survey.config.get("GatewayPorts")
    reads = f" It reads {told(setting)} from {setting.place}." if setting and setting.place else ""
    refused = "refused" in {each.outcome for each in opened.knocks("gateway")}
    return Finding(
        code=ONLY_LOOPBACK,
        # Refused from here alone, it may be a firewall that says no.
        confidence=Confidence.CERTAIN if refused else Confidence.LIKELY,
        subject=_bind(opened),
        title=f"{facts.gateway} lets only itself reach {_bind(opened)}: it listens on loopback",
        explain=f"Its server agrees to any address and listens on loopback{_unless(facts)};"
        f" nobody else can connect.{reads}",
        evidence=_evidence(facts, opened),
        fixes=(
            set_option(
                facts.asked,
                "GatewayPorts clientspecified",
                note="then the address that is asked for counts",
            ),
        ),
    )


def _unless(facts: Facts) -> str:
    return " unless GatewayPorts is set there" if facts.asked.is_openssh else ""


def _yes(facts: Facts) -> str:
    return " (GatewayPorts yes)" if facts.asked.is_openssh else ""


def _wider(facts: Facts, opened: Opened) -> Finding:
    asked_for = "loopback" if opened.is_private else clean(opened.host, 60)
    return Finding(
        code=WIDER,
        severity=Severity.WARNING,
        subject=_bind(opened),
        title=f"{facts.gateway} listens on every address, though {asked_for} was asked for",
        explain=f"Its server overrides what a forward asks for{_yes(facts)}: whoever reaches"
        f" {facts.gateway} can use the forward.",
        evidence=_evidence(facts, opened),
        fixes=(
            set_option(
                facts.asked,
                "GatewayPorts clientspecified",
                note="then the address that is asked for counts",
            ),
        ),
    )


def _shadowed(facts: Facts, opened: Opened, knock: Knock) -> Finding:
    return Finding(
        code=SHADOWED,
        subject=_bind(opened),
        title=f"Another program answers at {knock.address} of {facts.gateway}, not this forward",
        explain="It listens on that very address, and the forward gets the others alone."
        f" {clean(knock.text, 120)}".rstrip(),
        evidence=_evidence(facts, opened),
        fixes=(
            _other_port(opened),
            by_hand("ss", "-ltnp", note="shows which program", needs_admin=True),
        ),
    )


def _other_port(opened: Opened) -> Fix:
    bind = opened.forward.bind
    host = bind.host if isinstance(bind, Endpoint) else ""
    return moved(opened.forward, Endpoint(host, 0), note="lets the gateway choose the port")


def _filtered(facts: Facts, opened: Opened) -> list[Judgement]:
    """It listens as asked; does this machine get through to it."""
    here = opened.knocks("here")
    there = [each for each in opened.knocks("gateway") if each.outcome == "timed-out"]
    failed = there or [each for each in here if each.outcome not in ("arrived", "")]
    if not failed or any(each.outcome == "arrived" for each in here):
        return []
    knock = failed[0]
    port = knock.address.port
    side = "the gateway itself" if knock.origin == "gateway" else "this machine"
    how = {"refused": "it is refused", "elsewhere": "something else answers"}
    return [
        Finding(
            code=FILTERED,
            severity=Severity.WARNING,
            subject=_bind(opened),
            title=f"{knock.address} of {facts.gateway} cannot be reached from {side},"
            " though the gateway listens there",
            explain=f"A firewall, a security group or a NAT in front of {facts.gateway} does not"
            f" pass port {port} on: {how.get(knock.outcome, 'there is no answer')}.",
            evidence=_evidence(facts, opened),
            fixes=(
                by_hand(
                    *("ufw", "allow", f"{port}/tcp"),
                    note="or what else opens the port there, at the provider too",
                    needs_admin=True,
                ),
            ),
        )
    ]


def _unproved(facts: Facts, opened: Opened) -> Unknown:
    because = "no address of the gateway could be tried"
    if "prohibited" in {each.outcome for each in opened.listened.knocks}:
        because = "the gateway opens no connection to itself for us"
    if facts.asked.outcome:
        because += f", and {why(facts.asked)}"
    reason = f"who reaches {_bind(opened)} of {facts.gateway}: {because}"
    return Unknown(reason=reason, subject=_bind(opened), evidence=_evidence(facts, opened))


CHECK = Check(
    code="gateway-ports",
    title="who reaches the ports of remote forwards",
    probe=probe,
    judge=judge,
    finds=(
        Kind(ONLY_LOOPBACK, "the gateway listens on loopback, whatever is asked for"),
        Kind(WIDER, "the gateway listens on every address, whatever is asked for"),
        Kind(FILTERED, "the gateway listens, and a firewall keeps this machine out"),
        Kind(SHADOWED, "another program answers at an address of the gateway"),
    ),
    depends_on=("gateway-login", "forwarding-remote"),
    effects=(Effect.LOGS_IN, Effect.LISTENS_REMOTELY, Effect.CONNECTS, Effect.RUNS_REMOTELY),
    timeout=seconds_for,
    applies=applies,
)
