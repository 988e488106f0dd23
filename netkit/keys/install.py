"""Bringing a key to a gateway, and proving that it logs in: what ssh-copy-id does, and then some.

The line is added over one login, by whatever credentials there are; the proof is another login with
this key and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from netkit.doctor.session import Access, Session, open_session
from netkit.engine.exec_channel import Executed, run_command
from netkit.engine.witness import Witness
from netkit.errors import AuthenticationError, GatewayUnreachableError, NetkitError
from netkit.keys import authorize, authorize_windows
from netkit.keys.authorize import Answer, Wanted
from netkit.model import Fix, Gateway, Plan
from netkit.text.fingerprints import key_type, sha256_fingerprint
from netkit.wire.untrusted import printable

PATIENCE: Final = 30.0
"""Seconds for the script; a home directory on a slow network file system takes some."""

_CERT: Final = "-cert-v01@openssh.com"


class InstallError(AuthenticationError):
    """The key could not be added, or does not log in."""

    default_code = "key-not-installed"


@dataclass(frozen=True, slots=True)
class Installed:
    """What was done; ``server`` is the gateway's version line, ``wanted`` what it was asked for."""

    answer: Answer
    server: str
    wanted: Wanted


def install(access: Access, key: Path, wish: Callable[[str], Wanted]) -> Installed:
    """Log in and add a key to the account's authorized_keys.

    ``wish`` is given the gateway's version line and returns what to add; ``key`` is its file.

    Raises:
        InstallError: ``no-shell``, or ``key-not-added`` with the reason; nothing is lost there.
        NetkitError: no login, or ``wish`` raised it.
    """
    done = _attempt(access, wish)
    if not done.answer.outcome and sha256_fingerprint(done.wanted.blob) in done.how:
        # the key itself got in, and its options there keep it from running anything
        done = _attempt(replace(access, plan=_without(access.plan, key)), wish)
    gateway = access.plan.hops[-1].alias
    if not done.answer.outcome:
        raise _no_script(gateway, done)
    if done.answer.outcome == "failed":
        raise _not_added(gateway, done.wanted, done.answer)
    return Installed(done.answer, done.server, done.wanted)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One login and what came of the script."""

    answer: Answer
    ran: Executed
    server: str
    wanted: Wanted
    how: str


def _attempt(access: Access, wish: Callable[[str], Wanted]) -> _Attempt:
    seen: list[Witness] = []
    session = open_session(access, seen)
    try:
        server = seen[-1].server
        wanted = wish(server)
        ran = _run(session, wanted, server)
        how = session.hops[-1].transport.auth_method
    finally:
        session.close()
    return _Attempt(authorize.read_answer(ran.stdout), ran, server, wanted, how)


def _without(plan: Plan, key: Path) -> Plan:
    last = plan.hops[-1]
    others = tuple(path for path in last.identities if path != key)
    return replace(plan, hops=(*plan.hops[:-1], replace(last, identities=others)))


def _run(session: Session, wanted: Wanted, server: str) -> Executed:
    if authorize_windows.is_windows(server):
        command, stdin = authorize_windows.COMMAND, authorize_windows.stdin(wanted)
    else:
        command, stdin = authorize.COMMAND, authorize.script(wanted, server)
    return run_command(session.link, command, PATIENCE, stdin=stdin)


def _no_script(gateway: str, done: _Attempt) -> NetkitError:
    ran = done.ran
    if ran.outcome == "link-lost":
        return GatewayUnreachableError(
            f"the link to {gateway} was lost before it said whether the key was added",
            code="link-lost",
            cause=ran.text,
            retryable=True,
        )
    why = {
        "no-session": "it opens no sessions",
        "refused": "it runs no commands",
        "timed-out": f"its shell did not end within {PATIENCE:g} s",
    }.get(ran.outcome, "it ran something else, such as a forced command or a menu")
    said = printable((ran.stderr or ran.stdout).decode("utf-8", "replace"), 200).strip()
    return InstallError(
        f"{gateway} runs no shell script for this account",
        code="no-shell",
        cause=f"{why} ({printable(done.server, 60)})" + (f"; it said {said!r}" if said else ""),
        fixes=(by_hand(done.wanted),),
    )


def by_hand(wanted: Wanted, file: str = "") -> Fix:
    """Return what to do where netkit cannot."""
    target = file or "~/.ssh/authorized_keys"
    return Fix((), where="gateway", note=f"add this line to {target}: {wanted.line}")


def _not_added(gateway: str, wanted: Wanted, answer: Answer) -> InstallError:
    fixes = (by_hand(wanted, answer.file),)
    if answer.reason == "differs":
        again = ("netkit", "key", "install", "...", "--replace")
        fixes = (Fix(again, note="gives the key these options"),)
    about = f" ({answer.about})" if answer.about not in ("", answer.file) else ""
    now = f"; it has: {answer.options or 'no options'}" if answer.reason == "differs" else ""
    return InstallError(
        f"the key was not added to {answer.file or 'authorized_keys'} on {gateway}",
        code="key-not-added",
        cause=f"{answer.why}{about}{now}; the file is as it was",
        fixes=fixes,
    )


# --- the proof ---


def with_only(plan: Plan, key: Path, *, agent: bool) -> Plan:
    """Return the plan of a login at the gateway with ``key`` and nothing else.

    Hops before it log in as they did.  ``agent`` lets an agent sign for it, which is for keys
    whose file cannot: a public half, or a key that nobody is there to unlock.
    """
    last = plan.hops[-1]
    only = replace(
        last,
        identities=(key,),
        identities_explicit=True,
        identities_only=True,
        certificates=(),
        identity_agent=last.identity_agent if agent else "",
        auth_methods=("publickey",),
    )
    return replace(plan, hops=(*plan.hops[:-1], only), forwards=())


def prove(access: Access, key: Path, installed: Installed, *, agent: bool) -> str:
    """Log in with ``key`` alone and return how, such as ``publickey ED25519 SHA256:…``.

    Raises:
        InstallError: ``key-does-not-log-in``; the cause names what is known of it.
            ``key-not-proved``: its certificate did.
        NetkitError: the gateway was not reached this time.
    """
    seen: list[Witness] = []
    try:
        session = open_session(replace(access, plan=with_only(access.plan, key, agent=agent)), seen)
    except AuthenticationError as error:
        raise _no_login(access, key, installed, error) from error
    try:
        how = session.hops[-1].transport.auth_method
    finally:
        session.close()
    if sha256_fingerprint(installed.wanted.blob) not in how:
        raise InstallError(
            f"the key is in {installed.answer.file}, but a certificate beside it logged in",
            code="key-not-proved",
            cause="the gateway trusts who signed it, so whether the key alone does is not known",
        )
    return how


def _no_login(
    access: Access, key: Path, installed: Installed, error: AuthenticationError
) -> InstallError:
    hop, answer = access.plan.hops[-1], installed.answer
    target = Gateway(hop.alias, hop.user or None, hop.port if hop.port != 22 else None)
    fixes = [Fix(("netkit", "doctor", str(target), "-i", str(key)), note="looks for the cause")]
    if answer.suspect:
        path = answer.suspect[0].rpartition(" ")[0]
        cause = f"others may write to {path} there, so sshd trusts no key in it (StrictModes)"
        change = Fix(("chmod", "go-w", path), where="gateway", needs_admin=True, persistent=True)
        fixes.insert(0, change)
    elif "accepted publickey" in error.cause:
        cause = "it takes the key and wants one more factor (AuthenticationMethods)"
    elif "no RSA with SHA-2" in error.cause:
        cause = "it takes RSA only with SHA-1, which is broken; an Ed25519 key may do"
    elif not answer.takes(installed.wanted.type):
        kind = installed.wanted.type
        cause = (
            f"it takes no keys of the type {kind}: PubkeyAcceptedAlgorithms {answer.types[:200]}"
        )
    elif error.code.startswith("key-"):
        cause = f"{error.summary}: {error.cause}" if error.cause else error.summary
    else:
        cause = _guesses(answer, installed.wanted)
        fixes.append(
            Fix(
                ("sh", "-c", "sshd -T | grep -i -e authorizedkeys -e pubkey -e strictmodes"),
                where="gateway",
                needs_admin=True,
                note="shows which file it reads and which types it takes",
            )
        )
    return InstallError(
        f"the key is in {answer.file} on {hop.alias}, but it does not log in",
        code="key-does-not-log-in",
        cause=cause,
        fixes=tuple(fixes),
    )


def _guesses(answer: Answer, wanted: Wanted) -> str:
    """Return what may be the matter with a key that is in the file and is refused."""
    if answer.read:
        where = f"its sshd_config says that keys are read from {answer.read}"
    else:
        where = "it may read keys from another file (AuthorizedKeysFile)"
    kind = wanted.type.removesuffix(_CERT)
    parts = [where, f"or not take keys of the type {kind} (PubkeyAcceptedAlgorithms)"]
    if "/.ssh/" not in answer.file:
        parts.append("or object to the permissions above the file (StrictModes)")
    if wanted.options:
        parts.append("or not know an option of the line")
    return ", ".join(parts)


def is_certificate(blob: bytes) -> bool:
    """Whether ``blob`` is a certificate, which authorized_keys does not take."""
    return key_type(blob).endswith(_CERT)
