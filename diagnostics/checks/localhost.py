"""Is localhost this machine, in which family, and is its own name.

The resolver is asked as every program would; the hosts file explains what it says.
"""

from __future__ import annotations

from dataclasses import dataclass

from diagnostics.model import (
    Check,
    Confidence,
    Evidence,
    Finding,
    Judgement,
    Kind,
    Severity,
    Target,
)
from diagnostics.parsers.addresses import is_ipv6, is_loopback, literal
from diagnostics.parsers.hosts import HostsFile, HostsLine, hosts, nsswitch_hosts
from diagnostics.parsers.text import clean
from diagnostics.system import Resolution, System
from netkit.model import Endpoint, Fix, ForwardKind

UNKNOWN, ELSEWHERE, SLOW = "localhost-unknown", "localhost-elsewhere", "localhost-slow"
IGNORED, FAMILY, JUNK = "hosts-file-ignored", "localhost-other-family", "hosts-file-bad-lines"
OWN_UNKNOWN, OWN_ELSEWHERE = "own-name-unknown", "own-name-elsewhere"

NAME = "localhost"
_PATIENCE, _OWN_PATIENCE = 1.5, 0.5
_LONG = 1.0
"""Seconds after which an answer about localhost did not come from a file."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the resolver and the hosts file say of localhost and of this machine's own name.

    Attributes:
        services: what nsswitch.conf consults for host names; none where there is no such file.
        own: the lookup of the own name; None where it is not looked up.
        own_addresses: the addresses of the interfaces.
        has_six: whether ::1 is one of them.
        binds: the loopback addresses that forwards listen on alone, 127.0.0.1 or ::1.
    """

    os: str
    path: str
    file: HostsFile
    file_error: str
    services: tuple[str, ...]
    localhost: Resolution
    hostname: str = ""
    own: Resolution | None = None
    own_addresses: tuple[str, ...] = ()
    has_six: bool = False
    binds: tuple[str, ...] = ()


def probe(target: Target, system: System) -> Facts:
    """Look both names up, and read the file that should say so."""
    hostname = system.account().hostname
    path = _path(system)
    read = system.read(path)
    services: tuple[str, ...] = ()
    if system.os in ("linux", "freebsd"):
        services = nsswitch_hosts(system.read("/etc/nsswitch.conf", 65536).data)
    localhost = system.resolve(NAME, "any", _PATIENCE)
    own = None
    if hostname and hostname.lower() != NAME:
        own = system.resolve(hostname, "any", _OWN_PATIENCE)
    addresses = tuple(each.address for one in system.interfaces() for each in one.addresses)
    return Facts(
        os=system.os,
        path=path,
        file=hosts(read.data, {NAME, hostname}),
        file_error=read.error,
        services=services,
        localhost=localhost,
        hostname=hostname,
        own=own,
        own_addresses=addresses,
        has_six="::1" in addresses,
        binds=_binds(target),
    )


def _path(system: System) -> str:
    if system.os == "windows":
        root = system.variable("SystemRoot") or r"C:\Windows"
        return root + r"\System32\drivers\etc\hosts"
    return "/etc/hosts"


def _binds(target: Target) -> tuple[str, ...]:
    found = [
        forward.bind.host
        for forward in target.forwards
        if forward.kind is not ForwardKind.REMOTE and isinstance(forward.bind, Endpoint)
    ]
    return tuple(dict.fromkeys(host for host in found if host in ("127.0.0.1", "::1")))


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Say what is wrong with localhost, then with the own name and the file."""
    found: list[Finding] = []
    away = [each for each in facts.localhost.addresses if not is_loopback(each)]
    if away or not facts.localhost.addresses:
        found += _ignored(facts)
    if not facts.localhost.addresses:
        found.append(_unknown(facts))
    elif away:
        found.append(_elsewhere(facts, away[0]))
    else:
        found += _family(facts)
    if facts.localhost.addresses and facts.localhost.seconds > _LONG:
        found.append(_slow(facts))
    found += _own(facts)
    found += _junk(facts)
    return tuple(found)


def _seen(facts: Facts, name: str, resolution: Resolution) -> tuple[Evidence, ...]:
    said = ", ".join(resolution.addresses) or resolution.text or resolution.error or "nothing"
    written = facts.file.about(name)
    shown = "; ".join(f"line {each.number}: {each.address}" for each in written) or "nothing"
    return (
        Evidence(f"the resolver on {clean(name, 100)}", clean(said)),
        Evidence(f"{clean(facts.path, 100)} on it", clean(facts.file_error or shown)),
    )


def _ignored(facts: Facts) -> list[Finding]:
    """Report a file that is right, and not asked."""
    right = [line for line in facts.file.about(NAME) if is_loopback(line.address)]
    if not right or not facts.services or "files" in facts.services:
        return []
    edit = ("sed", "-i.before", "s/^hosts:/hosts: files/", "/etc/nsswitch.conf")
    undo = ("mv", "/etc/nsswitch.conf.before", "/etc/nsswitch.conf")
    return [
        Finding(
            code=IGNORED,
            subject="/etc/nsswitch.conf",
            title="Names are looked up without the hosts file, which knows localhost",
            explain="The line 'hosts:' of /etc/nsswitch.conf does not name 'files'.",
            evidence=(
                Evidence("hosts: in /etc/nsswitch.conf", clean(" ".join(facts.services))),
                *_seen(facts, NAME, facts.localhost),
            ),
            fixes=(Fix(("sudo", *edit), needs_admin=True, persistent=True, undo=("sudo", *undo)),),
        )
    ]


def _unknown(facts: Facts) -> Finding:
    return Finding(
        code=UNKNOWN,
        subject=NAME,
        title="The name localhost cannot be looked up on this machine",
        explain="Programs that are told localhost:PORT do not reach a forward; 127.0.0.1:PORT "
        "still works.",
        evidence=_seen(facts, NAME, facts.localhost),
        fixes=(_append(facts),),
    )


def _append(facts: Facts) -> Fix:
    """Return what adds localhost to the hosts file."""
    addresses = ["127.0.0.1", *(["::1"] if facts.has_six else [])]
    if facts.os == "windows":
        values = ",".join(f"'{each} localhost'" for each in addresses)
        command = f"Add-Content -Path '{facts.path}' -Value {values}"
        return Fix(("powershell", "-Command", command), needs_admin=True, persistent=True)
    text = "".join(f"{each} localhost\\n" for each in addresses)
    command = f"cp {facts.path} {facts.path}.before && printf '{text}' >> {facts.path}"
    return Fix(
        ("sudo", "sh", "-c", command),
        needs_admin=True,
        persistent=True,
        undo=("sudo", "mv", f"{facts.path}.before", facts.path),
    )


def _elsewhere(facts: Facts, away: str) -> Finding:
    wrong = [line for line in facts.file.about(NAME) if not is_loopback(line.address)]
    fixes: tuple[Fix, ...] = ()
    if wrong:
        why = f"Line {wrong[0].number} of {facts.path} says so."
        fixes = (_readdress(facts, wrong[0], "::1" if is_ipv6(wrong[0].address) else "127.0.0.1"),)
    elif not facts.file.about(NAME):
        why = f"{facts.path} does not mention it, so a name server was asked."
        fixes = (_append(facts),)
    else:
        why = f"{facts.path} says otherwise and is not asked first."
    return Finding(
        code=ELSEWHERE,
        subject=NAME,
        title=f"localhost is {clean(away, 60)}, which is not this machine's loopback",
        explain=f"{why} What is meant for a forward goes out on the network, passwords included.",
        evidence=_seen(facts, NAME, facts.localhost),
        fixes=fixes,
    )


def _readdress(facts: Facts, line: HostsLine, address: str) -> Fix:
    """Return what gives a line of the hosts file another address."""
    others = [name for name in line.names if not name.lower().startswith(NAME)]
    own = facts.hostname.lower()
    note = ""
    if [name for name in others if name.lower().partition(".")[0] != own.partition(".")[0]]:
        note = f"mind {clean(' '.join(others), 100)}, which the line names too"
    if facts.os == "windows":
        where = f"line {line.number}: {address}" + (f"; {note}" if note else "")
        return Fix(("notepad", facts.path), needs_admin=True, persistent=True, note=where)
    edit = f"{line.number}s/^[[:space:]]*[^[:space:]]*/{address}/"
    return Fix(
        ("sudo", "sed", "-i.before", edit, facts.path),
        needs_admin=True,
        persistent=True,
        undo=("sudo", "mv", f"{facts.path}.before", facts.path),
        note=note,
    )


def _family(facts: Facts) -> list[Finding]:
    """Report forwards that listen on one family while localhost is in the other, or first."""
    addresses = facts.localhost.addresses
    found = []
    for host in facts.binds:
        same = [each for each in addresses if is_ipv6(each) == is_ipv6(host)]
        if same and is_ipv6(addresses[0]) == is_ipv6(host):
            continue
        never = not same
        first = clean(addresses[0], 60)
        found.append(
            Finding(
                code=FAMILY,
                severity=Severity.WARNING if never else Severity.INFO,
                subject=host,
                title=f"The forward listens on {host} alone, and localhost "
                + (f"is {first} only" if never else f"means {first} first"),
                explain=f"Clients that are told localhost "
                f"{'do not reach it' if never else 'try the wrong address first'}: "
                f"tell them {host}, or let the forward listen on localhost.",
                evidence=_seen(facts, NAME, facts.localhost),
            )
        )
    return found


def _slow(facts: Facts) -> Finding:
    return Finding(
        code=SLOW,
        severity=Severity.WARNING,
        subject=NAME,
        title=f"Looking up localhost took {facts.localhost.seconds:.1f} s",
        explain="Something asks the network before the hosts file; each connection to localhost "
        "pays for it.",
        evidence=(
            *_seen(facts, NAME, facts.localhost),
            Evidence("hosts: in /etc/nsswitch.conf", clean(" ".join(facts.services)) or "nothing"),
        ),
        confidence=Confidence.LIKELY,
    )


def _own(facts: Facts) -> list[Finding]:
    own, name = facts.own, clean(facts.hostname, 100)
    if own is None or not facts.own_addresses:
        return []
    if not own.addresses:
        return [
            Finding(
                code=OWN_UNKNOWN,
                severity=Severity.INFO,
                subject=name,
                title=f"The name of this machine, {name}, cannot be looked up",
                explain="sudo, mail and X programs may wait for it; tunnels do not need it.",
                evidence=_seen(facts, facts.hostname, own),
            )
        ]
    mine = {literal(each) for each in facts.own_addresses}
    if any(is_loopback(each) or literal(each) in mine for each in own.addresses):
        return []
    written = [line for line in facts.file.about(facts.hostname) if not is_loopback(line.address)]
    return [
        Finding(
            code=OWN_ELSEWHERE,
            severity=Severity.WARNING if written else Severity.INFO,
            subject=name,
            title=f"The name of this machine, {name}, is {clean(own.addresses[0], 60)}, "
            "which it does not have",
            explain="Programs that listen on their own name fail, and others reach nothing here.",
            evidence=_seen(facts, facts.hostname, own),
            fixes=tuple(_readdress(facts, line, "127.0.1.1") for line in written[:1]),
        )
    ]


def _junk(facts: Facts) -> list[Finding]:
    if not facts.file.bad_count:
        return []
    path = clean(facts.path, 100)
    lines = "lines say" if facts.file.bad_count > 1 else "line says"
    return [
        Finding(
            code=JUNK,
            severity=Severity.INFO,
            subject=path,
            title=f"{facts.file.bad_count} {lines} nothing in {path}",
            explain="A line has an address and a name; others are passed over.",
            evidence=tuple(
                Evidence(f"line {number}", clean(text, 80)) for number, text in facts.file.bad[:3]
            ),
        )
    ]


CHECK = Check(
    code="localhost",
    title="localhost and this machine's own name",
    probe=probe,
    judge=judge,
    finds=(
        Kind(UNKNOWN, "localhost cannot be looked up", caused_by=(IGNORED,)),
        Kind(ELSEWHERE, "localhost is another machine", caused_by=(IGNORED,)),
        Kind(SLOW, "looking up localhost takes long", caused_by=(IGNORED,)),
        Kind(IGNORED, "names are looked up without the hosts file"),
        Kind(FAMILY, "a forward listens in the family that localhost is not in"),
        Kind(OWN_UNKNOWN, "the machine's own name cannot be looked up"),
        Kind(OWN_ELSEWHERE, "the machine's own name is an address it does not have"),
        Kind(JUNK, "lines of the hosts file say nothing"),
    ),
)
