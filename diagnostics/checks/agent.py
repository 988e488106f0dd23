"""The SSH agent: is there one, does it answer us alone, and does it hold the keys that matter."""

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
from diagnostics.parsers.public_keys import short_type
from diagnostics.parsers.text import clean
from diagnostics.ssh import AgentFacts, HopFacts, KeyFileFacts
from diagnostics.system import FileStat, System
from netkit.model import Fix

ABSENT, DEAD, FAILED, DENIED = "agent-absent", "agent-dead", "agent-failed", "agent-denied"
EMPTY, MANY, NOT_HELD = "agent-empty", "agent-too-many-keys", "agent-key-missing"
EXPOSED, FOREIGN = "agent-exposed", "agent-foreign"

MAX_TRIES = 6
"""sshd's MaxAuthTries unless it is set (sshd_config(5))."""

_MOST = 16
_PIPE = "\\\\.\\pipe\\"
_DEFAULT = ("id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss")
_NOTHING = FileStat("")


@dataclass(frozen=True, slots=True)
class Facts:
    """The agent and the keys that it should help with.

    Attributes:
        hop: the gateway; None where none is named.
        keys: its key files, or the usual ones of ``~/.ssh``.
        socket, directory: the agent's socket and what it is in.
    """

    os: str
    uid: int | None
    agent: AgentFacts
    hop: HopFacts | None = None
    keys: tuple[KeyFileFacts, ...] = ()
    socket: FileStat = _NOTHING
    directory: FileStat = _NOTHING


def probe(_target: Target, system: System) -> Facts:
    """Ask the agent for its keys, and look at those it should hold; asks for no passphrase."""
    account = system.account()
    hops = system.ssh.route().hops
    hop = hops[-1] if hops else None
    if hop is None and system.os != "windows" and not system.variable("SSH_AUTH_SOCK"):
        agent = AgentFacts(outcome="none")  # asking would load the engine for nothing
    else:
        agent = system.ssh.agent()
    if hop is None:
        home = f"{account.home}/.ssh"
        there = system.list_dir(home)
        paths: tuple[str, ...] = tuple(f"{home}/{name}" for name in _DEFAULT if name in there)
    else:
        paths = hop.identities[:_MOST]
    keys = tuple(system.ssh.key_file(path) for path in paths)
    if not agent.path or agent.path.startswith(_PIPE):
        return Facts(system.os, account.uid, agent, hop, keys)
    parent = agent.path.rpartition("/")[0] or "/"
    stats = system.stat(agent.path), system.stat(parent)
    return Facts(system.os, account.uid, agent, hop, keys, *stats)


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Return what is wrong with the agent, and which keys it lacks."""
    agent = facts.agent
    if agent.outcome == "none":
        return _absent(facts)
    if agent.outcome == "absent":
        return (_dead(facts),)
    if agent.outcome != "ok":
        return (_denied(facts) if _is_denied(facts) else _failed(facts),)
    found = [*_safety(facts)]
    if not agent.keys:
        return (*found, *_empty(facts))
    return (*found, *_many(facts), *_not_held(facts))


def _locked(facts: Facts) -> tuple[KeyFileFacts, ...]:
    """Return the keys that cannot be used unattended unless the agent holds them."""
    held = {key.fingerprint for key in facts.agent.keys}
    wanting = [key for key in facts.keys if key.encrypted or key.error_code == "key-needs-agent"]
    return tuple(key for key in wanting if not key.fingerprint or key.fingerprint not in held)


def _needed(facts: Facts) -> bool:
    """Whether a login depends on the agent: there is no key that works without it."""
    return not any(not key.error_code and not key.encrypted for key in facts.keys)


def _shown(facts: Facts) -> str:
    return clean(facts.agent.path, 200) or "the configured place"


def _seen(facts: Facts) -> tuple[Evidence, ...]:
    seen = (
        Evidence("agent", clean(f"{facts.agent.outcome} {facts.agent.path}", 300)),
        Evidence("it says", clean(facts.agent.text, 300)),
        Evidence("keys it holds", str(len(facts.agent.keys))),
        Evidence("socket", _mode(facts.socket)),
    )
    return tuple(each for each in seen if each.value)


def _mode(stat: FileStat) -> str:
    if not stat.kind:
        return ""
    return f"{stat.kind}, mode {stat.mode & 0o7777:04o}, user {stat.uid}"


def _start(os: str) -> Fix:
    if os == "windows":
        line = "Set-Service ssh-agent -StartupType Automatic; Start-Service ssh-agent"
        return Fix(
            ("powershell", "-Command", line),
            needs_admin=True,
            persistent=True,
            undo=("powershell", "-Command", "Set-Service ssh-agent -StartupType Disabled"),
            note="starts the agent, now and with Windows",
        )
    return Fix(("ssh-agent", "sh"), note="opens a shell with an agent of its own; ssh-add there")


def _add(facts: Facts, key: KeyFileFacts) -> Fix:
    mac = ("--apple-use-keychain",) if facts.os == "darwin" else ()
    note = "asks for the passphrase once"
    return Fix(("ssh-add", *mac, key.path), note=note, undo=("ssh-add", "-d", key.path))


def _absent(facts: Facts) -> tuple[Finding, ...]:
    locked = _locked(facts)
    if not locked:
        return ()
    return (
        Finding(
            code=ABSENT,
            severity=Severity.INFO,
            title=f"There is no SSH agent, so the passphrase of {clean(locked[0].path, 200)} is "
            "asked for at each login",
            explain="A tunnel that starts by itself cannot be asked, and will not get in.",
            evidence=_seen(facts),
            fixes=(_start(facts.os), _add(facts, locked[0])),
        ),
    )


def _dead(facts: Facts) -> Finding:
    find = (
        'ls -l /tmp/ssh-*/agent.* "$XDG_RUNTIME_DIR"/*/ssh "$XDG_RUNTIME_DIR"/*agent* 2>/dev/null'
    )
    fixes = [_start(facts.os)]
    if facts.os != "windows":
        note = "shows agents that run; SSH_AUTH_SOCK has to name one"
        fixes.insert(0, Fix(("sh", "-c", find), note=note))
    return Finding(
        code=DEAD,
        severity=Severity.ERROR if _needed(facts) else Severity.WARNING,
        subject=_shown(facts),
        title=f"No SSH agent answers at {_shown(facts)}, where one should be",
        explain="It has ended, or SSH_AUTH_SOCK is left over from an old session (tmux and screen "
        "keep it), or IdentityAgent in ssh_config names the wrong place.",
        evidence=_seen(facts),
        fixes=tuple(fixes),
    )


def _is_denied(facts: Facts) -> bool:
    denied = "EACCES" in (facts.socket.error, facts.directory.error)
    return denied or "Errno 13" in facts.agent.text


def _denied(facts: Facts) -> Finding:
    return Finding(
        code=DENIED,
        severity=Severity.ERROR if _needed(facts) else Severity.WARNING,
        subject=_shown(facts),
        title=f"This user may not use the SSH agent at {_shown(facts)}",
        explain="It belongs to another user, as after su or sudo. Start one of your own.",
        evidence=_seen(facts),
        fixes=(_start(facts.os), Fix(("ls", "-l", facts.agent.path), note="shows whose it is")),
    )


def _failed(facts: Facts) -> Finding:
    return Finding(
        code=FAILED,
        severity=Severity.ERROR if _needed(facts) else Severity.WARNING,
        subject=_shown(facts),
        title=f"The SSH agent at {_shown(facts)} does not answer as an agent",
        explain=clean(facts.agent.text, 300)
        or "It hangs, or something else listens there (gpg-agent without SSH support).",
        evidence=_seen(facts),
        fixes=(Fix(("ssh-add", "-l"), note="shows what ssh makes of it"), _start(facts.os)),
    )


def _empty(facts: Facts) -> tuple[Finding, ...]:
    locked = _locked(facts)
    if not locked:
        return ()
    return (
        Finding(
            code=EMPTY,
            severity=Severity.INFO,
            subject=_shown(facts),
            title=f"The SSH agent is empty, so the passphrase of {clean(locked[0].path, 200)} is "
            "asked for at each login",
            explain="A tunnel that starts by itself cannot be asked, and will not get in.",
            evidence=_seen(facts),
            fixes=(_add(facts, locked[0]),),
        ),
    )


def _not_held(facts: Facts) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            code=NOT_HELD,
            severity=Severity.INFO,
            subject=clean(key.path, 200),
            title=f"The SSH agent does not hold the key {clean(key.path, 200)}",
            explain="Its passphrase is asked for at each login; a tunnel that starts by itself "
            "cannot be asked.",
            evidence=_seen(facts),
            fixes=(_add(facts, key),),
        )
        for key in _locked(facts)
        if key.encrypted
    )


def _many(facts: Facts) -> tuple[Finding, ...]:
    hop, count = facts.hop, len(facts.agent.keys)
    if count < MAX_TRIES or (hop is not None and (hop.identities_only or hop.identities_explicit)):
        return ()
    held = [
        f"{clean(short_type(key.key_type), 30)} {clean(key.comment, 60)}".strip()
        for key in facts.agent.keys
    ]
    where = "for this gateway" if hop is not None else "for a gateway"
    return (
        Finding(
            code=MANY,
            severity=Severity.WARNING,
            confidence=Confidence.LIKELY,
            subject=_shown(facts),
            title=f"The SSH agent holds {count} keys, and most servers hang up after "
            f"{MAX_TRIES} that are not the right one",
            explain=f"Each of them is offered, and costs a try. Name the key {where} "
            "(IdentityFile) and let no other be offered (IdentitiesOnly yes) in ~/.ssh/config.",
            evidence=(*_seen(facts), Evidence("held", clean("; ".join(held[:20]), 600))),
            fixes=(Fix(("ssh-add", "-l"), note="lists them; ssh-add -d FILE removes one"),),
        ),
    )


def _safety(facts: Facts) -> tuple[Finding, ...]:
    """Return who else can use the agent, or whose it is."""
    socket, directory, uid = facts.socket, facts.directory, facts.uid
    if facts.os == "windows" or not socket.kind:
        return ()
    if uid and socket.uid not in (None, 0, uid):
        return (
            Finding(
                code=FOREIGN,
                severity=Severity.WARNING,
                subject=_shown(facts),
                title=f"The SSH agent at {_shown(facts)} belongs to another user ({socket.uid})",
                explain="Its owner decides what it signs, and sees what you log in to.",
                evidence=_seen(facts),
                fixes=(_start(facts.os),),
            ),
        )
    # Linux asks for write permission on the socket, and for search permission on its directory.
    if not socket.mode & 0o022 or not directory.mode & 0o011:
        return ()
    mode = f"{socket.mode & 0o7777:o}"
    return (
        Finding(
            code=EXPOSED,
            severity=Severity.WARNING,
            subject=_shown(facts),
            title=f"Other users of this machine can use the SSH agent at {_shown(facts)}",
            explain="Whoever can write to the socket can log in everywhere with the keys in it.",
            evidence=(*_seen(facts), Evidence("directory", _mode(directory))),
            fixes=(
                Fix(("chmod", "600", facts.agent.path), undo=("chmod", mode, facts.agent.path)),
            ),
        ),
    )


CHECK = Check(
    code="agent",
    title="the SSH agent",
    probe=probe,
    judge=judge,
    finds=(
        Kind(ABSENT, "there is no agent, and a key has a passphrase"),
        Kind(DEAD, "no agent answers where one should be"),
        Kind(FAILED, "what answers at the agent's socket is no agent, or hangs"),
        Kind(DENIED, "the agent belongs to another user and cannot be used"),
        Kind(EMPTY, "the agent is empty, and a key has a passphrase"),
        Kind(
            MANY,
            "the agent holds more keys than servers let be tried",
            caused_by=("login-too-many-keys",),
        ),
        Kind(NOT_HELD, "the agent does not hold a key with a passphrase"),
        Kind(EXPOSED, "other users can use the agent"),
        Kind(FOREIGN, "the agent belongs to another user"),
    ),
    timeout=15.0,
)
