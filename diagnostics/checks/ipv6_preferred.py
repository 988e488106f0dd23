"""Is IPv6 tried first on the way to the gateway, and does it lead nowhere.

Only where the login went over IPv4 although an IPv6 address came first is that one tried alone: a
connection that ends without a login may count against us at the gateway.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from diagnostics.approach import LOGIN_TIME
from diagnostics.model import (
    Check,
    Effect,
    Evidence,
    Finding,
    Judgement,
    Kind,
    Severity,
    Target,
    with_gateway,
)
from diagnostics.parsers.addresses import is_ipv6
from diagnostics.parsers.text import clean
from diagnostics.system import Connected, System
from diagnostics.ways import first_hop
from netkit.model import Endpoint, Fix

BROKEN, REFUSED = "ipv6-broken", "ipv6-refused"

PATIENCE = 3.0
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")


@dataclass(frozen=True, slots=True)
class Facts:
    """``used`` is the address of the login, ``tried`` what the IPv6 address did by itself."""

    os: str
    host: str = ""
    alias: str = ""
    used: str = ""
    tried: Connected | None = None


def probe(_target: Target, system: System) -> Facts:
    """Compare the address that was used with the first one; try that where they differ."""
    hop = first_hop(system)
    families = [is_ipv6(each) for each in hop.addresses]
    if not families or not families[0] or all(families):
        return Facts(system.os, hop.host)
    login = system.ssh.login()
    if login.peer is None or is_ipv6(login.peer.host):
        return Facts(system.os, hop.host)
    tried = system.connect(Endpoint(hop.addresses[0], hop.port), PATIENCE)
    alias = system.ssh.route().hops[0].alias
    return Facts(system.os, hop.host, alias, login.peer.host, tried)


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Report an IPv6 address that keeps clients waiting, and one where no server listens."""
    tried = facts.tried
    if tried is None or tried.outcome not in ("timed-out", "refused"):
        return ()
    host, six = clean(facts.host, 80), clean(tried.address.host, 60)
    used = clean(facts.used, 60)
    silent = tried.outcome == "timed-out"
    return (
        Finding(
            code=BROKEN if silent else REFUSED,
            severity=Severity.WARNING if silent else Severity.INFO,
            subject=host,
            title=f"{host} has the IPv6 address {six} first, and nothing answers there"
            if silent
            else f"{host} has the IPv6 address {six} first, and no SSH server listens there",
            explain=f"netkit went on to {used} by itself. Programs that try one address after the "
            "other, ssh among them, wait until the first has timed out."
            if silent
            else f"Connections go to {used} then, at the cost of one round trip.",
            evidence=(
                Evidence(f"connect to {six}", clean(f"{tried.outcome} {tried.error}".strip())),
                Evidence("the login used", used),
            ),
            fixes=_fixes(facts),
        ),
    )


def _fixes(facts: Facts) -> tuple[Fix, ...]:
    found = []
    if _SAFE.fullmatch(facts.alias) and facts.os != "windows":
        text = f"printf 'Host {facts.alias}\\n  AddressFamily inet\\n' >> ~/.ssh/config"
        note = "IPv4 alone for this gateway"
        found.append(Fix(("sh", "-c", text), persistent=True, note=note))
    if facts.os == "linux":
        line = "precedence ::ffff:0:0/96 100"  # gai.conf(5)
        text = f"cp /etc/gai.conf /etc/gai.conf.before; echo '{line}' >> /etc/gai.conf"
        undo = ("sudo", "mv", "/etc/gai.conf.before", "/etc/gai.conf")
        note = "IPv4 first for every program"
        prefer = ("sudo", "sh", "-c", text)
        found.append(Fix(prefer, needs_admin=True, persistent=True, undo=undo, note=note))
    elif facts.os == "windows":
        key = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip6\Parameters"
        value = ("/v", "DisabledComponents")
        argv = ("reg", "add", key, *value, "/t", "REG_DWORD", "/d", "32", "/f")
        take = ("reg", "delete", key, *value, "/f")
        note = "IPv4 first for every program, after a restart"
        found.append(Fix(argv, needs_admin=True, persistent=True, undo=take, note=note))
    return tuple(found)


CHECK = Check(
    code="ipv6-preferred",
    title="whether IPv6 is preferred and broken",
    probe=probe,
    judge=judge,
    finds=(
        Kind(BROKEN, "the gateway's IPv6 address comes first and does not answer"),
        Kind(REFUSED, "the gateway's IPv6 address comes first and no server listens there"),
    ),
    after=("gateway-login",),
    effects=(Effect.CONNECTS, Effect.LOGS_IN),
    timeout=LOGIN_TIME + PATIENCE + 5.0,
    applies=with_gateway,
)
