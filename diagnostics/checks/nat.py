"""Whether there is a NAT on the way to the gateway, and whether it keeps our port.

The gateway is asked how it sees our side of the very connection it is asked through
(``SSH_CONNECTION``).  How long the NAT remembers an idle connection is measured elsewhere
(`diagnostics.checks.nat_timeout`); here there is at most a guess, and it is called one.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from diagnostics.knowledge.nat_timers import PLATFORMS, expected_on
from diagnostics.model import (
    Check,
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
from diagnostics.parsers.ssh_connection import plain_address, ssh_connection
from diagnostics.parsers.text import clean
from netkit.model import Endpoint, Fix

if TYPE_CHECKING:
    from diagnostics.system import System

PRESENT = "nat-present"
TRANSLATED = "nat-gateway-translated"

_COMMANDS = ("echo $SSH_CONNECTION", "echo $env:SSH_CONNECTION", "echo %SSH_CONNECTION%")
"""For POSIX shells, csh and fish; for PowerShell; for cmd.exe."""

_DMI = "/sys/class/dmi/id/"
_AZURE_TAG = "7783-7084-3265-9085-8269-3286-77"
"""The chassis asset tag of every virtual machine in Azure (cloud-init, DataSourceAzure); the vendor
alone is that of Hyper-V too."""

_GENERAL = (
    "A guess: 7440 s or more where it keeps to RFC 5382, and less than 75 s in many homes (as"
    " maintainers of libp2p report)."
)

_SHARED = ipaddress.IPv4Network("100.64.0.0/10")
"""Shared address space between a provider's NAT and its customers (RFC 6598)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """How both sides see one connection.

    Attributes:
        gateway: as the user wrote it.
        direct: whether the connection goes to the gateway itself, not through another host.
        local, peer: its ends as we see them.
        source, server: its ends as the gateway sees them.
        command: what became of asking for those: ``ran``, ``refused``, ….
        platform: ``aws``, ``azure``, ``gcp`` where this machine is one there.
        measuring: whether the timeout is measured in this run.
    """

    gateway: str = ""
    direct: bool = True
    local: Endpoint | None = None
    peer: Endpoint | None = None
    source: Endpoint | None = None
    server: Endpoint | None = None
    command: str = ""
    platform: str = ""
    measuring: bool = False


def probe(target: Target, system: System) -> Facts:
    """Ask the gateway how it sees us."""
    login = system.ssh.login()
    hops = system.ssh.route().hops
    direct = len(hops) < 2 and login.local is not None
    seen: tuple[Endpoint, Endpoint] | None = None
    outcome = ""
    if direct:
        for command in _COMMANDS:
            output = system.ssh.run(command)
            outcome = output.outcome
            seen = ssh_connection(output.stdout)
            if seen is not None or outcome != "ran":
                break
    source, server = seen or (None, None)
    return Facts(
        gateway=target.gateway,
        direct=direct,
        local=login.local,
        peer=login.peer,
        source=source,
        server=server,
        command=outcome,
        platform=_platform(system) if direct else "",
        measuring=target.nat is not None,
    )


def _platform(system: System) -> str:
    if system.os != "linux":
        return ""
    vendor = system.read(f"{_DMI}sys_vendor", 256).data.strip()
    if vendor == b"Amazon EC2":
        return "aws"
    if vendor == b"Google":
        return "gcp"
    tag = system.read(f"{_DMI}chassis_asset_tag", 256).data.strip()
    return "azure" if tag == _AZURE_TAG.encode() else ""


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Compare the two views of the connection."""
    if not facts.direct or facts.local is None:
        return (
            Unknown(
                reason="whether there is a NAT is not known: the gateway is reached through"
                " another host or a ProxyCommand, whose connection is not ours to see",
                subject=clean(facts.gateway),
            ),
        )
    found: list[Judgement] = []
    if facts.source is None:
        found.append(_unseen(facts, facts.local))
    elif _address(facts.local) != _address(facts.source):
        found.append(_present(facts, facts.local, facts.source))
    if facts.peer and facts.server and _address(facts.peer) != _address(facts.server):
        found.append(_translated(facts, facts.peer, facts.server))
    return tuple(found)


def _address(endpoint: Endpoint) -> tuple[str, int]:
    return plain_address(endpoint.host) or endpoint.host, endpoint.port


def _unseen(facts: Facts, local: Endpoint) -> Judgement:
    """Say what follows from our address alone."""
    if facts.peer is not None and _is_inside(local.host) and _is_global(facts.peer.host):
        return Finding(
            code=PRESENT,
            severity=Severity.INFO,
            subject=clean(facts.gateway),
            title=f"There must be a NAT on the way to {clean(facts.gateway)}: our address"
            f" {local.host} exists in this network only",
            explain=_advice(facts),
            evidence=_evidence(facts),
            fixes=_measure(facts),
        )
    return Unknown(
        reason="whether there is a NAT is not known: the gateway does not tell how it sees us"
        f" ({_why(facts.command)})",
        subject=clean(facts.gateway),
        evidence=_evidence(facts),
    )


def _why(command: str) -> str:
    if command == "ran":
        return "its shell does not know SSH_CONNECTION"
    if command == "refused":
        return "it runs no commands for this account"
    return f"asking it: {clean(command, 40) or 'not done'}"


def _is_inside(host: str) -> bool:
    address = _ip(host)
    return address is not None and (address.is_private or address in _SHARED)


def _is_global(host: str) -> bool:
    address = _ip(host)
    return address is not None and address.is_global


def _ip(host: str) -> ipaddress.IPv4Address | None:
    """Return an IPv4 address that others could connect to; NAT of IPv6 is not guessed at."""
    try:
        address = ipaddress.IPv4Address(plain_address(host))
    except ValueError:
        return None
    return None if address.is_loopback else address


def _present(facts: Facts, local: Endpoint, source: Endpoint) -> Finding:
    kept = local.port == source.port
    address = _address(local)[0] != _address(source)[0]
    how = (
        "It keeps the port: connections that it has forgotten may go on when this side speaks"
        " first (-L), and are lost when the gateway does (-R)."
        if kept
        else "It changes the port: what it has forgotten is lost, whoever speaks first."
    )
    what = "a NAT" if address else "something that changes ports"
    return Finding(
        code=PRESENT,
        severity=Severity.INFO,
        subject=clean(facts.gateway),
        title=f"There is {what} on the way: {clean(facts.gateway)} sees this machine as {source},"
        f" here it is {local}",
        explain=f"{how} {_advice(facts)}",
        evidence=_evidence(facts),
        fixes=_measure(facts),
    )


def _advice(facts: Facts) -> str:
    if facts.measuring:
        return "After how long it forgets an idle connection is measured in this run."
    text = "After how long it forgets an idle connection has not been measured."
    timers = expected_on(facts.platform)
    if not timers:
        return f"{text} {_GENERAL}"
    listed = ", ".join(f"{timer.name} {timer.seconds} s" for timer in timers[:3])
    return f"{text} A guess, because this machine runs on {PLATFORMS[facts.platform]}: {listed}."


def _measure(facts: Facts) -> tuple[Fix, ...]:
    if facts.measuring or not facts.gateway or facts.gateway.startswith("-"):
        return ()
    argv = ("netkit", "doctor", facts.gateway, "--nat")
    return (Fix(argv, note="measures it, in about 6 minutes"),)


def _translated(facts: Facts, peer: Endpoint, server: Endpoint) -> Finding:
    return Finding(
        code=TRANSLATED,
        severity=Severity.INFO,
        subject=clean(facts.gateway),
        title=f"{clean(facts.gateway)} is behind a port forward or load balancer: we connect to"
        f" {peer}, and it is {server}",
        explain="Whatever forwards the port has an idle timeout of its own.",
        evidence=_evidence(facts),
    )


def _evidence(facts: Facts) -> tuple[Evidence, ...]:
    ends = (
        ("our end, seen from here", facts.local),
        ("our end, seen from the gateway", facts.source),
        ("its end, seen from here", facts.peer),
        ("its end, seen from the gateway", facts.server),
    )
    shown = tuple(Evidence(what, clean(str(end))) for what, end in ends if end is not None)
    guesses = tuple(
        Evidence(f"prior, not measured: {timer.name}", f"{timer.seconds} s ({timer.source})")
        for timer in expected_on(facts.platform)
    )
    return shown + guesses


CHECK = Check(
    code="nat",
    title="address translation on the way to the gateway",
    probe=probe,
    judge=judge,
    finds=(
        Kind(PRESENT, "a NAT stands between this machine and the gateway"),
        Kind(TRANSLATED, "the gateway is behind a port forward or a load balancer"),
    ),
    depends_on=("gateway-login",),
    effects=(Effect.LOGS_IN, Effect.RUNS_REMOTELY),
    timeout=40.0,
    applies=with_gateway,
)
