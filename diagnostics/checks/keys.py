"""Can the private keys be used: permissions, format, type, and do both halves belong together.

Of a gateway the keys that ssh_config or ``-i`` name; without one what is in ``~/.ssh``.
"""

from __future__ import annotations

from dataclasses import dataclass

from diagnostics import key_faults as k
from diagnostics.key_faults import KeyView, fault_of, words_for
from diagnostics.model import Check, Evidence, Finding, Judgement, Kind, Severity, Target, Unknown
from diagnostics.parsers import key_forms, public_keys
from diagnostics.parsers.text import clean
from diagnostics.system import FileStat, System
from netkit.model import Fix

DIRECTORY = "ssh-directory-permissions"

_MOST = 32
_NO_KEYS = (".pub", ".old", ".bak")
_WEAK_ONLY = (k.SHORT, k.MISMATCH)


@dataclass(frozen=True, slots=True)
class Facts:
    """The key files, ``~/.ssh``, and the fingerprints of what the agent holds."""

    os: str
    uid: int | None
    directory: FileStat
    keys: tuple[KeyView, ...] = ()
    held: tuple[str, ...] = ()
    more: int = 0


def probe(_target: Target, system: System) -> Facts:
    """Look at each key from outside; no passphrase is asked for."""
    account = system.account()
    home = f"{account.home}/.ssh"
    wanted: dict[tuple[str, str], bool] = {}
    hops = system.ssh.route().hops
    for hop in hops:
        wanted |= {(hop.alias, path): hop.identities_explicit for path in hop.identities}
    if not hops:
        names = [name for name in system.list_dir(home) if name.startswith("id_")]
        wanted = {("", f"{home}/{n}"): False for n in names if not n.endswith(_NO_KEYS)}
    held = tuple(key.fingerprint for key in system.ssh.agent().keys) if wanted else ()
    keys = [_view(path, hop, system, named=n) for (hop, path), n in list(wanted.items())[:_MOST]]
    return Facts(
        os=system.os,
        uid=account.uid,
        directory=system.stat(home),
        keys=tuple(keys),
        held=held,
        more=max(0, len(wanted) - _MOST),
    )


def _view(path: str, hop: str, system: System, *, named: bool) -> KeyView:
    return KeyView(
        hop=hop,
        named=named,
        facts=system.ssh.key_file(path),
        stat=system.stat(path),
        form=key_forms.look(system.read(path, key_forms.MAX_LOOK).data),
        public=public_keys.parse_line(system.read(f"{path}.pub", public_keys.MAX_BLOB).data),
    )


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Return what is wrong with each key, and with the directory they are in."""
    held = frozenset(facts.held)
    faults = [(view, fault_of(view, held)) for view in facts.keys]
    found: list[Judgement] = list(_directory(facts))
    done: set[tuple[str, str]] = set()
    for view, code in faults:
        if code and (code, view.facts.path) not in done:
            done.add((code, view.facts.path))
            found.append(_finding(view, code, facts, _severity(view, code, faults, held)))
    if facts.more:
        found.append(Unknown(reason=f"{facts.more} more keys were not looked at"))
    return tuple(found)


def _severity(
    view: KeyView, code: str, faults: list[tuple[KeyView, str]], held: frozenset[str]
) -> Severity:
    """A useless key is an error where somebody named it, or a gateway has no other one."""
    if code == k.PUTTY:
        return Severity.INFO
    if code in _WEAK_ONLY:
        return Severity.WARNING
    usable = ("", k.PUTTY, *_WEAK_ONLY)
    others = any(other.hop == view.hop and fault in usable for other, fault in faults)
    needed = bool(view.hop) and not others and not held
    return Severity.ERROR if view.named or needed else Severity.WARNING


def _finding(view: KeyView, code: str, facts: Facts, severity: Severity) -> Finding:
    words = words_for(code, view, facts.os)
    own = view.facts
    kind = f"{own.key_type} {own.bits or ''} {own.fingerprint}".split()
    seen = (
        Evidence("for", clean(view.hop, 80)),
        Evidence("key", clean(" ".join(kind))),
        Evidence("netkit's code", clean(own.error_code)),
        Evidence("looks like", clean(f"{view.form.form} {view.form.fault}".strip())),
        Evidence("mode", f"{view.stat.mode & 0o7777:04o}" if view.stat.kind else ""),
    )
    return Finding(
        code=code,
        severity=severity,
        subject=clean(own.path, 300),
        title=words.title,
        explain=words.explain,
        evidence=tuple(each for each in seen if each.value),
        fixes=words.fixes,
    )


def _directory(facts: Facts) -> tuple[Finding, ...]:
    found, path = facts.directory, clean(facts.directory.path, 300)
    if facts.os == "windows" or found.kind != "directory":
        return ()
    foreign = None not in (found.uid, facts.uid) and found.uid not in (facts.uid, 0)
    if not foreign and not found.mode & 0o022:
        return ()
    mode = found.mode & 0o7777
    what = "belongs to another user" if foreign else f"can be changed by others (mode {mode:04o})"
    own = Fix(("ls", "-ld", found.path), note="shows whose it is")
    shut = Fix(
        ("chmod", "700", found.path), persistent=True, undo=("chmod", f"{mode:o}", found.path)
    )
    return (
        Finding(
            code=DIRECTORY,
            severity=Severity.WARNING,
            subject=path,
            title=f"{path} {what}",
            explain="Whoever can change it can put in a configuration that runs commands as you, "
            "or other keys and known hosts. sshd ignores authorized_keys in such a directory.",
            evidence=(Evidence("mode", f"{mode:04o}"), Evidence("owner", str(found.uid))),
            fixes=(own,) if foreign else (shut,),
        ),
    )


CHECK = Check(
    code="keys",
    title="the private keys",
    probe=probe,
    judge=judge,
    finds=(
        Kind(k.MISSING, "a key that is named does not exist"),
        Kind(k.UNREADABLE, "a key cannot be read"),
        Kind(k.PERMISSIONS, "a key can be read by other users"),
        Kind(k.PUTTY, "a key is in PuTTY's format, which netkit reads and ssh does not"),
        Kind(k.SSH2, "a key is in the format of ssh.com or protocol 1"),
        Kind(k.DSA, "a key is of the type DSA, which servers no longer accept"),
        Kind(k.SHORT, "an RSA key is short"),
        Kind(k.UNSUPPORTED, "a key is of a kind that cannot be used"),
        Kind(k.DAMAGED, "a file is no private key, or is damaged"),
        Kind(k.PUBLIC, "a public key is named, and no agent holds its private half"),
        Kind(k.NEEDS_AGENT, "a security key is named, and no agent holds it"),
        Kind(k.MISMATCH, "a .pub file is not the public half of its key"),
        Kind(DIRECTORY, "~/.ssh can be changed by others"),
    ),
    timeout=15.0,
)
