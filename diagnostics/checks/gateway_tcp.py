"""Does a connection to the gateway come about: TCP, a jump host's channel, or a ProxyCommand.

The login itself is the probe.  Only where it got no connection are the addresses tried one by one:
a server may punish connections that end without a login (sshd's PerSourcePenalties, noauth).
"""

from __future__ import annotations

from dataclasses import dataclass

from diagnostics import remedies
from diagnostics.approach import LOGIN_TIME, Approach, look, not_reached, standing
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
    with_gateway,
)
from diagnostics.parsers.addresses import is_ipv6, literal
from diagnostics.parsers.text import clean
from diagnostics.system import Connected, System
from netkit.model import Endpoint, Fix

REFUSED, TIMED_OUT, UNREACHABLE, RESET, DENIED = (
    "gateway-refused",
    "gateway-timed-out",
    "gateway-unreachable",
    "gateway-reset",
    "gateway-blocked-locally",
)
FLAKY, BIND, PROXY = "gateway-connect-failed", "bind-address-unavailable", "proxy-command-failed"
NO_PROXY, PROXY_REFUSES = "proxy-unreachable", "proxy-refused"
JUMP_PROHIBITED, JUMP_TARGET = "jump-forwarding-prohibited", "jump-target-unreachable"
DEAD_ADDRESS = "gateway-address-dead"

PATIENCE = 3.0
"""Seconds for each address; SYNs go out after 0, 1 and 3 s."""

STAGGER = 0.25
"""Seconds that netkit gives an address before it tries the next beside it."""

_MOST = 4
_NO_NETWORK = (
    "no-network",
    "no-default-route",
    "address-self-assigned",
    "gateway-unroutable",
    "vpn-captures-gateway",
)
_BY_ERROR = {
    "connection-refused": REFUSED,
    "timed-out": TIMED_OUT,
    "no-route": UNREACHABLE,
    "connection-reset": RESET,
    "blocked-locally": DENIED,
    "bind-address-unavailable": BIND,
    "proxy-command-failed": PROXY,
    "proxy-unreachable": NO_PROXY,
    "proxy-refused": PROXY_REFUSES,
}
_JUMP_WORDS = {
    "target-refused": "nothing listens there, or a firewall rejects it",
    "target-unreachable": "it has no way there",
    "target-timed-out": "nothing answers there",
    "target-name-unknown": "it does not know that name",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """How far the login got; ``addresses`` of the hop, ``tried`` those connected to afterwards."""

    approach: Approach
    addresses: tuple[str, ...] = ()
    tried: tuple[Connected, ...] = ()


def probe(target: Target, system: System) -> Facts:
    """Log in, or learn how far that gets; look closer where no connection came about."""
    approach = look(target, system)
    hop = approach.hop
    if not hop.host or hop.proxy_command or approach.before is not None:
        return Facts(approach)
    family = hop.address_family if hop.address_family in ("inet", "inet6") else "any"
    addresses = system.resolve(hop.host, family).addresses[:_MOST]
    if standing(approach.login, "tcp") != 0 or approach.login.error_code == "cancelled":
        return Facts(approach, addresses)
    tried = tuple(system.connect(Endpoint(each, hop.port), PATIENCE) for each in addresses)
    return Facts(approach, addresses, tried)


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Return why there is no connection, or which address was skipped on the way."""
    approach = facts.approach
    where = standing(approach.login, "tcp")
    if where > 0:
        return _skipped(facts)
    if where < 0 or approach.login.error_code == "cancelled":
        return (not_reached(approach),)
    if approach.before is not None:
        return (_behind_jump(approach, approach.before.alias),)
    code = _BY_ERROR.get(approach.login.error_code, FLAKY)
    if any(each.outcome == "ok" for each in facts.tried):
        code = FLAKY
    makers = {
        REFUSED: _refused,
        TIMED_OUT: _timed_out,
        UNREACHABLE: _unreachable,
        BIND: _bind,
        PROXY: _proxy_command,
        NO_PROXY: _proxy,
        PROXY_REFUSES: _proxy,
    }
    return (makers.get(code, lambda given: _other(given, code))(facts),)


def _seen(facts: Facts) -> tuple[Evidence, ...]:
    seen = [
        Evidence(str(each.address), clean(f"{each.outcome} {each.error}".strip()))
        for each in facts.tried
    ]
    return (*seen, Evidence("netkit says", clean(facts.approach.detail, 400)))


def _skipped(facts: Facts) -> tuple[Finding, ...]:
    """Return a note where another address than the first answered, after the first had its time."""
    login = facts.approach.login
    if login.peer is None or not facts.addresses or login.seconds_tcp < STAGGER:
        return ()
    first, used = facts.addresses[0], login.peer.host
    if literal(first) == literal(used) or used not in facts.addresses:
        return ()
    if is_ipv6(first) and not is_ipv6(used):
        return ()  # the check ipv6-preferred looks closer at that
    return (
        Finding(
            code=DEAD_ADDRESS,
            severity=Severity.INFO,
            confidence=Confidence.LIKELY,
            subject=clean(first, 60),
            title=f"The first address of {facts.approach.name} did not answer in time: "
            f"{clean(first, 60)}",
            explain=f"netkit went on to {clean(used, 60)} after a quarter of a second; programs "
            "that try one address after the other wait much longer.",
            evidence=(Evidence("seconds to connect", f"{login.seconds_tcp:.2f}"),),
        ),
    )


def _refused(facts: Facts) -> Finding:
    approach = facts.approach
    start = "systemctl enable --now ssh || systemctl enable --now sshd"
    stop = "systemctl disable --now ssh || systemctl disable --now sshd"
    return Finding(
        code=REFUSED,
        subject=approach.where,
        title=f"{approach.place} refuses connections: no SSH server listens there",
        explain="The machine answers, so name and network are right. The server is off, listens "
        "at another port, or a firewall rejects.",
        evidence=_seen(facts),
        fixes=(
            Fix(
                ("sudo", "sh", "-c", "ss -ltnp | grep sshd"),
                where="gateway",
                needs_admin=True,
                note="shows at which port sshd listens there; -p takes another port",
            ),
            Fix(
                ("sudo", "sh", "-c", start),
                where="gateway",
                needs_admin=True,
                persistent=True,
                undo=("sudo", "sh", "-c", stop),
                note="starts it",
            ),
        ),
    )


def _timed_out(facts: Facts) -> Finding:
    approach = facts.approach
    host, os = approach.hop.host, approach.os
    return Finding(
        code=TIMED_OUT,
        subject=approach.where,
        title=f"{approach.place} does not answer",
        explain="The machine is off, the address is wrong, or a firewall drops the packets"
        + _private(facts),
        evidence=_seen(facts),
        fixes=(remedies.ping(host, os), remedies.trace(host, os)),
    )


def _private(facts: Facts) -> str:
    """Return a hint for addresses that exist only inside a network."""
    known = [address for each in facts.addresses if (address := literal(each)) is not None]
    if known and all(each.is_private and not each.is_loopback for each in known):
        return ". Its address is a private one: it answers only inside its network or VPN."
    return "."


def _unreachable(facts: Facts) -> Finding:
    approach = facts.approach
    six = bool(facts.addresses) and all(is_ipv6(each) for each in facts.addresses)
    return Finding(
        code=UNREACHABLE,
        subject=approach.where,
        title=f"There is no way to {approach.place}",
        explain="This machine is offline, the VPN to that network is down, or a router on the "
        "way says that it is unreachable" + _private(facts),
        evidence=_seen(facts),
        fixes=(_routes(approach.os, six=six), remedies.trace(approach.hop.host, approach.os)),
    )


def _routes(os: str, *, six: bool) -> Fix:
    note = "shows the routes; a default route, or one to that network, is needed"
    if os == "linux":
        return Fix(("ip", "-6" if six else "-4", "route"), note=note)
    if os == "windows":
        return Fix(("route", "print", "-6" if six else "-4"), note=note)
    return Fix(("netstat", "-rn", "-f", "inet6" if six else "inet"), note=note)


def _bind(facts: Facts) -> Finding:
    approach = facts.approach
    return Finding(
        code=BIND,
        subject=approach.where,
        title=clean(approach.login.error, 300),
        explain="BindAddress in ssh_config names an address that this machine does not have now; "
        "remove it, or bring the interface or VPN up that has it.",
        evidence=_seen(facts),
        fixes=(Fix(("ssh", "-G", approach.hop.alias), note="shows bindaddress as in force"),),
    )


def _proxy_command(facts: Facts) -> Finding:
    approach = facts.approach
    command = approach.hop.proxy_command
    return Finding(
        code=PROXY,
        subject=approach.where,
        title=f"The ProxyCommand to {approach.name} cannot be started",
        explain=clean(approach.login.cause, 400),
        evidence=(*_seen(facts), Evidence("ProxyCommand", clean(command, 400))),
        fixes=(Fix(("ssh", "-G", approach.hop.alias), note="shows proxycommand as in force"),),
    )


def _proxy(facts: Facts) -> Finding:
    login = facts.approach.login
    refuses = login.error_code == PROXY_REFUSES
    return Finding(
        code=login.error_code,
        subject=facts.approach.where,
        title=f"The way to {facts.approach.name} ends: {clean(login.error, 300)}",
        explain="It lets nobody through to that host and port, or wants another user and password."
        if refuses
        else "It does not run, its address is wrong, or this machine has no way to it.",
        evidence=_seen(facts),
        fixes=(
            Fix(("curl", "-v", "--proxy", facts.approach.hop.proxy_command, "http://example.com/"))
            if refuses
            else Fix(("netkit", "doctor"), note="examines this machine's own network"),
        ),
    )


def _other(facts: Facts, code: str) -> Finding:
    approach = facts.approach
    again = any(each.outcome == "ok" for each in facts.tried)
    titles = {
        RESET: f"The connection to {approach.place} is cut as soon as it is made",
        DENIED: f"This machine forbids connections to {approach.place}",
    }
    explains = {
        RESET: "A firewall or load balancer on the way does so, or one on the gateway.",
        DENIED: "A firewall or security product on this machine, or a sandbox, stands in the way.",
        FLAKY: "A second attempt got through a moment later: the network, or the server, is "
        "unreliable."
        if again
        else clean(approach.login.cause, 400),
    }
    fix = _filters(approach.os) if code == DENIED else remedies.ssh(approach.hop, "-v")
    return Finding(
        code=code,
        subject=approach.where,
        title=titles.get(code)
        or f"Connecting to {approach.place} failed: {clean(approach.login.error, 300)}",
        explain=explains[code],
        evidence=_seen(facts),
        fixes=(fix,),
        confidence=Confidence.LIKELY if code == FLAKY else Confidence.CERTAIN,
    )


def _filters(os: str) -> Fix:
    note = "shows the rules of this machine's firewall"
    if os == "windows":
        return Fix(("netsh", "advfirewall", "show", "allprofiles"), needs_admin=True, note=note)
    if os == "darwin":
        return Fix(("sudo", "pfctl", "-s", "rules"), needs_admin=True, note=note)
    return Fix(("sudo", "nft", "list", "ruleset"), needs_admin=True, note=note)


def _behind_jump(approach: Approach, before: str) -> Judgement:
    error, via = approach.login.error_code, clean(before, 80)
    seen = (Evidence("netkit says", clean(approach.detail, 400)),)
    if error == "forwarding-prohibited":
        return Finding(
            code=JUMP_PROHIBITED,
            subject=via,
            title=f"The jump host {via} does not allow connections on to {approach.place}",
            explain="Its sshd forbids forwarding (AllowTcpForwarding, PermitOpen, or an option of "
            "your key in authorized_keys there).",
            evidence=seen,
            fixes=(
                remedies.sshd_setting(
                    "forwarding", "AllowTcpForwarding local", note=f"on the jump host {via}"
                ),
            ),
        )
    host, port = approach.hop.host, approach.hop.port
    why = _JUMP_WORDS.get(error, clean(approach.login.cause or approach.login.error, 300))
    return Finding(
        code=JUMP_TARGET,
        subject=approach.where,
        title=f"The jump host {via} cannot connect to {approach.place}: {why}",
        explain="The jump host itself was reached and let us in. The name is looked up there, "
        "and the connection starts there.",
        evidence=seen,
        fixes=(
            Fix(
                ("nc", "-v", "-z", "-w", "5", host, str(port)),
                where="gateway",
                note=f"on the jump host {via}: shows what it gets",
            ),
        ),
    )


CHECK = Check(
    code="gateway-tcp",
    title="the connection to the gateway",
    probe=probe,
    judge=judge,
    finds=(
        Kind(REFUSED, "the gateway refuses connections at this port"),
        Kind(TIMED_OUT, "the gateway does not answer", caused_by=_NO_NETWORK),
        Kind(UNREACHABLE, "there is no way to the gateway", caused_by=_NO_NETWORK),
        Kind(RESET, "the connection is cut as soon as it is made"),
        Kind(
            DENIED,
            "this machine forbids connections to the gateway",
            caused_by=("gateway-unroutable",),  # a route of type prohibit
        ),
        Kind(FLAKY, "connecting to the gateway failed in another way"),
        Kind(BIND, "BindAddress is no address of this machine"),
        Kind(PROXY, "the ProxyCommand cannot be started"),
        Kind(NO_PROXY, "the proxy on the way cannot be reached", caused_by=_NO_NETWORK),
        Kind(PROXY_REFUSES, "the proxy on the way does not connect to the gateway"),
        Kind(JUMP_PROHIBITED, "a jump host forbids connections onwards"),
        Kind(JUMP_TARGET, "a jump host cannot connect to the next hop"),
        Kind(DEAD_ADDRESS, "the gateway's first address does not answer"),
    ),
    depends_on=("gateway-name",),
    effects=(Effect.CONNECTS, Effect.LOGS_IN),
    timeout=LOGIN_TIME,
    applies=with_gateway,
)
