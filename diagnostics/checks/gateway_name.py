"""Does the name of the first gateway have an address, one that this machine can use, and soon."""

from __future__ import annotations

from dataclasses import dataclass

from diagnostics import remedies
from diagnostics.approach import name_of
from diagnostics.model import (
    Check,
    Confidence,
    Evidence,
    Finding,
    Judgement,
    Kind,
    Severity,
    Target,
    Unknown,
    with_gateway,
)
from diagnostics.parsers import ssh_names
from diagnostics.parsers.addresses import is_ipv6, literal
from diagnostics.parsers.text import clean
from diagnostics.ssh import HopFacts
from diagnostics.system import Resolution, System
from netkit.model import Fix

UNKNOWN, FAILED, INVALID, SLOW = (
    "gateway-name-unknown",
    "gateway-dns-failed",
    "gateway-name-invalid",
    "gateway-name-slow",
)
FAMILY, RESTRICTED, BLOCKED = (
    "gateway-family-mismatch",
    "gateway-address-family",
    "gateway-name-blocked",
)

PATIENCE = 15.0
"""Seconds for the resolver; glibc's own default is two rounds of 5 s for each name server."""

SLOW_AFTER = 2.0

_PLACES = {"inet": "192.0.2.1", "inet6": "2001:db8::1"}
"""Addresses for documentation (RFC 5737, RFC 3849): is there a route to the world?"""

_NO_NAME = {"EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY"}
_NOWHERE = {"0.0.0.0", "::"}
_MOST = 8
_NOTHING = Resolution("")


@dataclass(frozen=True, slots=True)
class Facts:
    """The name and what it stands for.

    Attributes:
        hop: the first hop; None where there is no plan.
        found: what the resolver says.
        anyway: what it says where AddressFamily is left out of account; None: not asked.
        usable: those of the addresses that this machine has a route to.
        families: ``inet`` and ``inet6``, where this machine has a route to the world.
        similar: names of the user's SSH files that differ by a slip of the hand.
    """

    os: str
    hop: HopFacts | None = None
    found: Resolution = _NOTHING
    anyway: Resolution | None = None
    usable: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    similar: tuple[str, ...] = ()


def probe(_target: Target, system: System) -> Facts:
    """Resolve the name as a connection would; look for similar ones where there is none."""
    hops = system.ssh.route().hops
    if not hops or hops[0].proxy_command:
        return Facts(system.os, hops[0] if hops else None)
    hop = hops[0]
    family = hop.address_family if hop.address_family in _PLACES else "any"
    found = system.resolve(hop.host, family, PATIENCE)
    anyway = None
    if family != "any" and not found.addresses:
        anyway = system.resolve(hop.host, "any", PATIENCE)
    usable = tuple(each for each in found.addresses[:_MOST] if system.source_address(each))
    families = tuple(name for name, place in _PLACES.items() if system.source_address(place))
    similar = () if found.addresses else _similar(hop, system)
    return Facts(system.os, hop, found, anyway, usable, families, similar)


def _similar(hop: HopFacts, system: System) -> tuple[str, ...]:
    home = system.account().home
    names = ssh_names.in_config(system.read(f"{home}/.ssh/config").data)
    for path in (*hop.known_hosts, *hop.global_known_hosts)[:4]:
        names += ssh_names.in_known_hosts(system.read(path).data)
    return ssh_names.close_to(hop.host, names)


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Return why the name leads nowhere, or only slowly."""
    hop, found = facts.hop, facts.found
    if hop is None:
        return (Unknown(reason="the way to the gateway was not planned"),)
    if hop.proxy_command:
        return ()
    if not found.addresses:
        return (_no_address(facts, hop),)
    judged: list[Judgement] = []
    if set(found.addresses) <= _NOWHERE:
        judged.append(_blocked(facts, hop))
    elif not facts.usable and (finding := _mismatch(facts, hop)):
        judged.append(finding)
    if found.seconds >= SLOW_AFTER and literal(hop.host) is None:
        judged.append(_slow(facts, hop))
    return tuple(judged)


def _seen(found: Resolution) -> tuple[Evidence, ...]:
    seen = [Evidence("looked up", clean(found.name, 100))]
    if found.addresses:
        seen.append(Evidence("addresses", clean(", ".join(found.addresses[:_MOST]), 400)))
    if found.error:
        seen.append(Evidence("the resolver says", clean(f"{found.error} {found.text}".strip())))
    return (*seen, Evidence("seconds", f"{found.seconds:.2f}"))


def _no_address(facts: Facts, hop: HopFacts) -> Judgement:
    found, host = facts.found, clean(hop.host, 100)
    if facts.anyway is not None and facts.anyway.addresses:
        return _restricted(facts.anyway, hop)
    look_up = remedies.look_up(hop.host, facts.os)
    if found.error == "invalid":
        return Finding(
            code=INVALID,
            subject=host,
            title=f"{host} cannot be a host name",
            explain="Letters, digits, hyphens and dots make a name, at most 63 characters between "
            "two dots; perhaps it was pasted with something around it.",
            evidence=_seen(found),
        )
    if found.error in _NO_NAME:
        return _unknown(facts, hop, look_up)
    if found.error:
        why = "did not answer in time" if found.error == "timeout" else "gave no answer"
        return Finding(
            code=FAILED,
            subject=host,
            title=f"The name {host} cannot be looked up: the name service {why}",
            explain="This machine is offline, a VPN or portal stands in between, or its name "
            "servers are wrong.",
            evidence=_seen(found),
            fixes=(look_up, _name_servers(facts.os)),
        )
    return Unknown(reason=f"the resolver gave no usable address for {host}", subject=host)


def _unknown(facts: Facts, hop: HopFacts, look_up: Fix) -> Finding:
    host = clean(hop.host, 100)
    if facts.similar:
        explain = f"Did you mean {' or '.join(facts.similar)}?"
    elif "." not in host:
        explain = (
            "It has no dot: perhaps an alias that only another ssh_config defines (-F), a name "
            "that needs a search domain, or one that exists only inside a VPN."
        )
    else:
        explain = "A typing error, or a name that exists only inside a network or VPN."
    again = tuple(
        Fix(("netkit", "doctor", f"{hop.user}@{name}" if hop.user else name))
        for name in facts.similar[:1]
    )
    return Finding(
        code=UNKNOWN,
        subject=host,
        title=f"There is no host called {host}",
        explain=explain,
        evidence=_seen(facts.found),
        fixes=(*again, look_up, _name_servers(facts.os)),
    )


def _name_servers(os: str) -> Fix:
    note = "shows which name servers are asked"
    if os == "windows":
        return Fix(("ipconfig", "/all"), note=note)
    if os == "darwin":
        return Fix(("scutil", "--dns"), note=note)
    return Fix(("cat", "/etc/resolv.conf"), note=note)


def _restricted(anyway: Resolution, hop: HopFacts) -> Finding:
    host, family = clean(hop.host, 100), "IPv6" if hop.address_family == "inet6" else "IPv4"
    return Finding(
        code=RESTRICTED,
        subject=host,
        title=f"ssh_config allows only {family} for {host}, and it has no {family} address",
        explain=f"AddressFamily {clean(hop.address_family, 20)} leaves no address; remove it, or "
        "set it to any.",
        evidence=_seen(anyway),
        fixes=(Fix(("ssh", "-G", hop.alias), note="shows addressfamily as it is in force"),),
    )


def _mismatch(facts: Facts, hop: HopFacts) -> Finding | None:
    """Return that the addresses are all of a family that this machine lacks; it has the other."""
    families = {"inet6" if is_ipv6(each) else "inet" for each in facts.found.addresses}
    if len(families) > 1 or not facts.families or families & set(facts.families):
        return None
    lacking, other = ("IPv6", "IPv4") if families == {"inet6"} else ("IPv4", "IPv6")
    host = name_of(hop)
    return Finding(
        code=FAMILY,
        subject=clean(hop.host, 100),
        title=f"{host} has only {lacking} addresses, and this machine has no {lacking}",
        explain=f"It reaches the world over {other} alone. Go through a gateway that has both "
        "(-J), or use a network or VPN with it.",
        evidence=_seen(facts.found),
        fixes=(_show_routes(facts.os, lacking),),
    )


def _show_routes(os: str, family: str) -> Fix:
    digit, note = family[-1], f"shows which {family} routes there are"
    if os == "linux":
        return Fix(("ip", f"-{digit}", "route"), note=note)
    if os == "windows":
        return Fix(("route", "print", f"-{digit}"), note=note)
    return Fix(("netstat", "-rn", "-f", "inet6" if digit == "6" else "inet"), note=note)


def _blocked(facts: Facts, hop: HopFacts) -> Finding:
    host = clean(hop.host, 100)
    return Finding(
        code=BLOCKED,
        subject=host,
        title=f"The name {host} is made to lead nowhere: its address is {facts.found.addresses[0]}",
        explain="A filtering name server, or a line in the hosts file, answers so for names it "
        "blocks.",
        evidence=_seen(facts.found),
        fixes=(remedies.look_up(hop.host, facts.os), _name_servers(facts.os)),
        confidence=Confidence.LIKELY,
    )


def _slow(facts: Facts, hop: HopFacts) -> Finding:
    host, seconds = clean(hop.host, 100), facts.found.seconds
    return Finding(
        code=SLOW,
        severity=Severity.WARNING,
        subject=host,
        title=f"Looking up {host} took {seconds:.1f} s",
        explain="Each new connection waits as long. Usually the first of several name servers "
        "does not answer.",
        evidence=_seen(facts.found),
        fixes=(
            _name_servers(facts.os),
            Fix(("ssh", "-G", hop.alias), note="an address as HostName in ssh_config needs none"),
        ),
    )


CHECK = Check(
    code="gateway-name",
    title="the gateway's name",
    probe=probe,
    judge=judge,
    finds=(
        Kind(UNKNOWN, "no name server knows the gateway's name"),
        Kind(
            FAILED,
            "the gateway's name cannot be looked up: no name server answers",
            caused_by=("no-network", "no-default-route", "address-self-assigned"),
        ),
        Kind(INVALID, "what is given as the gateway cannot be a host name"),
        Kind(SLOW, "looking the gateway's name up takes long"),
        Kind(
            FAMILY,
            "the gateway has only addresses of a family that this machine lacks",
            caused_by=("gateway-unroutable",),
        ),
        Kind(RESTRICTED, "AddressFamily in ssh_config leaves no address of the gateway"),
        Kind(BLOCKED, "the gateway's name is made to lead nowhere"),
    ),
    depends_on=("gateway-config",),
    timeout=2 * PATIENCE + 5,
    applies=with_gateway,
)
