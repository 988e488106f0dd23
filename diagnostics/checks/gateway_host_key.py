"""Is the gateway's host key the one that known_hosts holds, and can those files be read.

Advises to compare fingerprints, and never to switch the check off.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from diagnostics.approach import LOGIN_TIME, Approach, look, not_reached, standing
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
from diagnostics.parsers import known_hosts
from diagnostics.parsers.known_hosts import Contents, Entry, lookup_name
from diagnostics.parsers.public_keys import short_type
from diagnostics.parsers.text import clean
from diagnostics.ssh import HopFacts
from diagnostics.system import System
from netkit.model import Fix

UNKNOWN, CHANGED, REVOKED, CERTIFICATE, REFUSED = (
    "host-key-unknown",
    "host-key-changed",
    "host-key-revoked",
    "host-certificate-invalid",
    "host-key-refused",
)
DAMAGED, ENTRY_DAMAGED, UNREADABLE, NOT_RECORDED = (
    "known-hosts-damaged",
    "known-hosts-entry-damaged",
    "known-hosts-unreadable",
    "host-key-not-recorded",
)

_MOST_FILES = 8
_KINDS = ("ed25519", "ecdsa", "rsa")
_NOTICES = {"known-hosts-unreadable": UNREADABLE, "host-key-not-recorded": NOT_RECORDED}


_NOTHING = Contents()


@dataclass(frozen=True, slots=True)
class HostsFile:
    """A known_hosts file; ``error`` where it cannot be read (``ENOENT``: there is none)."""

    path: str
    error: str = ""
    contents: Contents = _NOTHING
    is_global: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """How far the login got, and what known_hosts says of the hop, under ``name``."""

    approach: Approach
    name: str = ""
    files: tuple[HostsFile, ...] = ()

    @property
    def shown(self) -> str:
        """The name for people."""
        return clean(self.name, 100)

    @property
    def place(self) -> str:
        """The name for titles: ``[10.0.0.1]:2222 (jump host gw)``."""
        return self.approach.with_role(self.shown)


def probe(target: Target, system: System) -> Facts:
    """Log in, or learn how far that gets; read the known_hosts files of the hop."""
    approach = look(target, system)
    hop = approach.hop
    name = _name(hop)
    files = [
        _read(path, name, approach.login.host_key, system, is_global=is_global)
        for paths, is_global in ((hop.known_hosts, False), (hop.global_known_hosts, True))
        for path in paths[:_MOST_FILES]
    ]
    return Facts(approach, name, tuple(files))


def _name(hop: HopFacts) -> str:
    """Return the name in known_hosts; a HostKeyAlias goes without the port."""
    name = hop.name or hop.host
    return lookup_name(name, hop.port if name == hop.host else 22)


def _read(path: str, name: str, key: str, system: System, *, is_global: bool) -> HostsFile:
    read = system.read(path, known_hosts.MAX_FILE)
    if read.error:
        return HostsFile(path, read.error, is_global=is_global)
    return HostsFile(path, "", known_hosts.parse(read.data, name, key), is_global=is_global)


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Return why the key was not accepted, and what is wrong with the files."""
    login = facts.approach.login
    where = standing(login, "host-key")
    if where < 0 or login.error_code == "cancelled":
        return (not_reached(facts.approach),)
    found: list[Judgement] = []
    if where == 0:
        found.append(_refused(facts))
    found += [each for file in facts.files for each in _damage(facts, file)]
    found += [
        _notice(facts, _NOTICES[code], text)
        for code, text in login.notices[:20]
        if code in _NOTICES
    ]
    return tuple(found)


def _refused(facts: Facts) -> Finding:
    match facts.approach.login.error_code:
        case "host-key-unknown" | "host-key-declined":
            return _unknown(facts)
        case "host-key-changed":
            return _changed(facts)
        case "host-key-revoked":
            return _revoked(facts)
        case "host-certificate-invalid":
            return _certificate(facts)
    approach = facts.approach
    return Finding(
        code=REFUSED,
        subject=facts.shown,
        title=clean(approach.login.error, 300) or f"The host key of {facts.place} is refused",
        explain=clean(approach.login.cause, 400),
        evidence=(_shown(approach),),
        fixes=(_on_gateway(approach),),
    )


def _shown(approach: Approach) -> Evidence:
    return Evidence("it shows", _key(approach))


def _key(approach: Approach) -> str:
    login = approach.login
    return f"{clean(short_type(login.host_key_type), 40)} {clean(login.host_key, 60)}".strip()


def _on_gateway(approach: Approach) -> Fix:
    """Return the command that shows the key at its home, where nobody is in between."""
    kind = short_type(approach.login.host_key_type).lower()
    if kind in _KINDS:
        argv: tuple[str, ...] = ("ssh-keygen", "-l", "-f", f"/etc/ssh/ssh_host_{kind}_key.pub")
    else:
        argv = ("sh", "-c", 'for k in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -l -f "$k"; done')
    note = f"at its console, or by its administrator: has to print {_key(approach)}"
    return Fix(argv, where="gateway", note=note)


def _lines(facts: Facts, *markers: str) -> list[tuple[HostsFile, Entry]]:
    return [
        (file, entry)
        for file in facts.files
        for entry in file.contents.entries
        if entry.marker in markers
    ]


def _evidence(lines: list[tuple[HostsFile, Entry]]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(
            f"{clean(file.path, 200)}:{entry.number}",
            f"{entry.marker} {clean(short_type(entry.key_type), 40)} {entry.fingerprint}".strip(),
        )
        for file, entry in lines[:10]
    )


def _unknown(facts: Facts) -> Finding:
    approach = facts.approach
    others = [
        (f"{clean(file.path, 200)}:{number}", "a hashed name" if hosts == "|" else hosts)
        for file in facts.files
        for number, hosts in file.contents.others
    ]
    damaged = any(each.here for file in facts.files for each in file.contents.damage)
    known = f" The same key is known as {others[0][1]} ({others[0][0]})." if others else ""
    return Finding(
        code=UNKNOWN,
        subject=facts.shown,
        title=f"The host key of {facts.place} is not known yet: {_key(approach)}",
        explain="Compare it with the gateway's own, so that nobody in between is trusted; then "
        f"accept it once.{known}",
        evidence=(
            _shown(approach),
            *(Evidence(place, hosts) for place, hosts in others[:5]),
            Evidence("looked in", clean(", ".join(file.path for file in facts.files), 400)),
        ),
        fixes=(_on_gateway(approach), *_accept(facts)),
        caused_by=(ENTRY_DAMAGED,) if damaged else (),
    )


def _accept(facts: Facts) -> tuple[Fix, ...]:
    """Return how the key gets into known_hosts once it has been compared."""
    approach = facts.approach
    hop = approach.hop
    again = Fix(
        ("netkit", "doctor", approach.typed, "--host-key", "accept-new"),
        note="once it is the same: records it",
        persistent=True,
    )
    if not hop.known_hosts:
        return (again,)
    kind = short_type(approach.login.host_key_type).lower()
    types = f"-t {kind} " if kind in _KINDS else ""
    scan = f"ssh-keyscan -p {hop.port} {types}{shlex.quote(hop.host)}"
    line = Fix(
        ("sh", "-c", f"{scan} >> {shlex.quote(hop.known_hosts[0])}"),
        note="the same without netkit",
        persistent=True,
        undo=("ssh-keygen", "-R", facts.name, "-f", hop.known_hosts[0]),
    )
    return (again,) if approach.os == "windows" or approach.before is not None else (again, line)


def _changed(facts: Facts) -> Finding:
    approach = facts.approach
    lines = _lines(facts, "")
    held = "known_hosts holds another one"
    if lines:
        file, entry = lines[0]
        held = f"{clean(file.path, 200)}:{entry.number} holds {clean(entry.fingerprint, 60)}"
    paths = {file.path: file.is_global for file, _ in lines}
    return Finding(
        code=CHANGED,
        subject=facts.shown,
        title=f"The host key of {facts.place} has changed: it shows {_key(approach)}, but {held}",
        explain="The server was reinstalled, the address belongs to another machine now, or "
        "somebody is in between. Find out which before you remove the old key.",
        evidence=(_shown(approach), *_evidence(lines)),
        fixes=(
            _on_gateway(approach),
            *(_forget(facts.name, path, is_global=each) for path, each in paths.items()),
        ),
    )


def _forget(name: str, path: str, *, is_global: bool) -> Fix:
    sudo = ("sudo",) if is_global else ()
    return Fix(
        (*sudo, "ssh-keygen", "-R", name, "-f", path),
        needs_admin=is_global,
        persistent=True,
        undo=(*sudo, "mv", f"{path}.old", path),
        note="forgets the old key, only once the new one has been confirmed",
    )


def _revoked(facts: Facts) -> Finding:
    approach = facts.approach
    lines = _lines(facts, "@revoked")
    path = lines[0][0].path if lines else next((f.path for f in facts.files), "")
    show = ("ssh-keygen", "-F", facts.name, *(("-f", path) if path else ()))
    return Finding(
        code=REVOKED,
        subject=facts.shown,
        title=f"The host key of {facts.place} is revoked: {_key(approach)} must not be trusted",
        explain="Somebody who knows says in known_hosts that this key has fallen into wrong "
        "hands. Do not log in; ask the gateway's administrator for its new key.",
        evidence=(_shown(approach), *_evidence(lines)),
        fixes=(Fix(show, note="shows the lines about it"), _on_gateway(approach)),
    )


def _certificate(facts: Facts) -> Finding:
    approach = facts.approach
    lines = _lines(facts, "@cert-authority")
    note = "shows for which names and until when it is valid; its authority has to renew it"
    command = 'for c in /etc/ssh/ssh_host_*-cert.pub; do ssh-keygen -L -f "$c"; done'
    return Finding(
        code=CERTIFICATE,
        subject=facts.shown,
        title=clean(approach.login.error, 300) or f"The host certificate of {facts.place} is bad",
        explain=clean(approach.login.cause, 400),
        evidence=(_shown(approach), *_evidence(lines)),
        fixes=(Fix(("sh", "-c", command), where="gateway", note=note),),
    )


def _damage(facts: Facts, file: HostsFile) -> tuple[Finding, ...]:
    contents, path = file.contents, clean(file.path, 200)
    if not contents.damage:
        return ()
    here = [each for each in contents.damage if each.here]
    first = (here or contents.damage)[0]
    failed = facts.approach.login.stage == "host-key"
    what = f"line {first.number}"
    if contents.damaged > 1:
        what += f" and {contents.damaged - 1} more"
    about = f" about {facts.place}" if here else ""
    return (
        Finding(
            code=ENTRY_DAMAGED if here else DAMAGED,
            severity=Severity.ERROR if here and failed else Severity.WARNING,
            subject=f"{path}:{first.number}",
            title=f"{path} is damaged{about} ({what}): {clean(first.reason, 100)}",
            explain="Such a line is skipped without a word, so the host in it counts as unknown.",
            evidence=tuple(
                Evidence(f"{path}:{each.number}", clean(f"{each.reason} ({each.hosts})"))
                for each in (here or contents.damage)[:10]
            ),
            fixes=_remove_line(facts.approach.os, file, first.number),
        ),
    )


def _remove_line(os: str, file: HostsFile, number: int) -> tuple[Fix, ...]:
    path, sudo = file.path, ("sudo",) if file.is_global else ()
    if os == "windows":
        quoted = path.replace("'", "''")
        show = f"Get-Content -LiteralPath '{quoted}' | Select-Object -Index {number - 1}"
        return (Fix(("powershell", "-Command", show), note="shows the line; remove it"),)
    remove = Fix(
        (*sudo, "sed", "-i.bak", f"{number}d", path),
        note="removes the line, and keeps a copy of the file",
        needs_admin=file.is_global,
        persistent=True,
        undo=(*sudo, "mv", f"{path}.bak", path),
    )
    return (remove, Fix((*sudo, "sed", "-n", f"{number}p", path), note="shows the line"))


def _notice(facts: Facts, code: str, text: str) -> Finding:
    explain = {
        UNREADABLE: "It counts as empty, so hosts in it are unknown.",
        NOT_RECORDED: "It was accepted for now; the next connection has to ask again.",
    }[code]
    own = next((file.path for file in facts.files if file.path in text), "")
    fixes = (Fix(("ls", "-l", own)),) if own and facts.approach.os != "windows" else ()
    return Finding(
        code=code,
        severity=Severity.WARNING,
        subject=clean(own or facts.name, 200),
        title=clean(text, 300),
        explain=explain,
        fixes=fixes,
    )


CHECK = Check(
    code="gateway-host-key",
    title="the gateway's host key",
    probe=probe,
    judge=judge,
    finds=(
        Kind(UNKNOWN, "the host key is in no known_hosts file"),
        Kind(CHANGED, "the host key differs from the one in known_hosts"),
        Kind(REVOKED, "the host key is revoked"),
        Kind(CERTIFICATE, "the host certificate is not valid"),
        Kind(REFUSED, "the host key is refused for another reason"),
        Kind(ENTRY_DAMAGED, "the line about the gateway in known_hosts is damaged"),
        Kind(DAMAGED, "known_hosts has damaged lines"),
        Kind(UNREADABLE, "a known_hosts file cannot be read"),
        Kind(NOT_RECORDED, "an accepted host key could not be recorded"),
    ),
    depends_on=("gateway-algorithms",),
    effects=(Effect.CONNECTS, Effect.LOGS_IN),
    timeout=LOGIN_TIME,
    applies=with_gateway,
)
