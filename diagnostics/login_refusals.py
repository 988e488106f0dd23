"""What a login that failed means: one kind for each way, from what was tried.  Pure and total."""

from __future__ import annotations

from dataclasses import dataclass

from diagnostics.parsers.login_words import Credential, credential
from diagnostics.ssh import Attempt, Login

(
    NOT_AUTHORIZED,
    NO_KEY,
    PASSWORD_ONLY,
    METHOD,
    WRONG_PASSWORD,
    EXPIRED,
    TOO_MANY,
    LOCKED,
    PASSPHRASE,
    UNUSABLE,
    FACTOR,
    WOULD_NOT_SIGN,
    OLD_RSA,
    UNANSWERED,
    CUT,
    TIMED_OUT,
    FAILED,
) = (
    "key-not-authorized",
    "login-no-key",
    "login-password-only",
    "login-method-unsupported",
    "login-password-refused",
    "login-password-expired",
    "login-too-many-keys",
    "key-locked",
    "key-wrong-passphrase",
    "login-key-unusable",
    "login-second-factor",
    "agent-would-not-sign",
    "login-rsa-sha1-only",
    "login-unanswered",
    "login-cut-off",
    "login-timed-out",
    "login-failed",
)

KEY_FAULTS = (
    "key-missing",
    "key-unreadable",
    "key-permissions",
    "key-is-dsa",
    "key-is-ssh2",
    "key-is-public",
    "key-needs-agent",
    "key-unsupported",
    "key-not-recognised",
    "key-pair-mismatch",
)
"""Codes of netkit's `KeyFileError` that the check ``keys`` reports under the same names."""

SECRETS = frozenset({"password", "keyboard-interactive"})

_AGENT = "the SSH agent"
_BY_CODE = {
    "too-many-auth-failures": TOO_MANY,
    "password-expired": EXPIRED,
    "wrong-password": WRONG_PASSWORD,
    "key-encrypted": LOCKED,
    "key-wrong-passphrase": PASSPHRASE,
    "login-timeout": TIMED_OUT,
    "closed-during-login": CUT,
    "disconnected-by-gateway": CUT,
    "link-cut": CUT,
    "link-closed": CUT,
    "bad-certificate": UNUSABLE,
    "bad-key-file": UNUSABLE,
    **dict.fromkeys(KEY_FAULTS, UNUSABLE),
}
_AGENT_GONE = ("agent-unreachable", "agent-failed", "agent-timeout")
"""The login had nothing but an agent, which does not answer."""

_REFUSED = {"authentication-failed", "no-credentials", *_AGENT_GONE}


@dataclass(frozen=True, slots=True)
class Tried:
    """What was tried with keys, sorted by what became of it.

    Attributes:
        refused: keys that the gateway does not accept.
        old_rsa: RSA keys that it would take only with SHA-1.
        unsigned: keys it would accept, whose agent did not sign; with the reason.
        faults: codes of key files that are of no use, with what is said of them.
        agent: why the agent could not be asked; empty where it could.
        unanswered: whether a person gave no answer.
    """

    refused: tuple[Credential, ...] = ()
    old_rsa: tuple[Credential, ...] = ()
    unsigned: tuple[tuple[Credential, str], ...] = ()
    faults: tuple[tuple[str, str], ...] = ()
    agent: str = ""
    unanswered: bool = False


def sort_out(attempts: tuple[Attempt, ...]) -> Tried:
    """Sort what was tried."""
    refused: list[Credential] = []
    old_rsa: list[Credential] = []
    unsigned: list[tuple[Credential, str]] = []
    faults: list[tuple[str, str]] = []
    agent = ""
    for each in attempts:
        if each.method != "publickey":
            continue
        if each.what == _AGENT:
            agent = each.why or "it failed"
        elif each.why.startswith("refused"):
            refused.append(credential(each.what))
        elif "RSA with SHA-2" in each.why:
            old_rsa.append(credential(each.what))
        elif each.why.startswith(("key-", "bad-")) and " " not in each.why:
            faults.append((each.why, each.what))
        else:
            unsigned.append((credential(each.what), each.why))
    unanswered = any("not answered" in each.why for each in attempts)
    return Tried(tuple(refused), tuple(old_rsa), tuple(unsigned), tuple(faults), agent, unanswered)


def kind_of(login: Login, tried: Tried) -> str:
    """Return the code of what a login that failed means."""
    code = login.error_code
    if code in _BY_CODE:
        return _BY_CODE[code]
    if code not in _REFUSED:
        return FAILED
    if login.cause.startswith("it accepted "):
        return FACTOR
    if tried.unsigned:
        return WOULD_NOT_SIGN
    faults = [each for each, _ in tried.faults]
    for each in ("key-wrong-passphrase", "key-encrypted"):
        if each in faults:  # the gateway wanted a signature of it
            return _BY_CODE[each]
    if tried.refused:
        return NOT_AUTHORIZED
    if tried.old_rsa:
        return OLD_RSA
    if tried.unanswered:
        return UNANSWERED
    if "publickey" not in login.methods:
        return PASSWORD_ONLY if SECRETS & set(login.methods) else METHOD
    return UNUSABLE if faults else NO_KEY


def causes(kind: str, login: Login, tried: Tried) -> tuple[str, ...]:
    """Return the codes of other checks that, where they are found, say why."""
    if kind == UNUSABLE:
        faults = [each for each, _ in tried.faults]
        return tuple(dict.fromkeys(c for c in (login.error_code, *faults) if c in KEY_FAULTS))
    if kind in (LOCKED, NO_KEY):
        return ("agent-dead", "agent-failed")
    return ()
