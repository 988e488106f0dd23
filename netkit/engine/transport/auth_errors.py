"""What to say when a login failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from netkit.errors import AuthenticationError, KeyFileError, NetkitError
from netkit.model import Fix, Hop

_MANY: Final = 3

_KEY_CAUSES: Final = {
    "key-missing": "the path has a typing error, or the key is on another machine",
    "key-unreadable": "it is a directory or a device, or belongs to somebody else",
    "key-wrong-passphrase": "the passphrase was mistyped, or belongs to another key",
}


@dataclass(frozen=True, slots=True)
class Tried:
    """A credential that did not do, and why."""

    method: str
    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why}"


def refused(
    hop: Hop,
    *,
    offered: Sequence[str],
    tried: Sequence[Tried],
    faults: Sequence[KeyFileError],
    succeeded: Sequence[str],
    could_prompt: bool,
) -> AuthenticationError:
    """Return the error for a login that ran out of credentials."""
    listed = "; ".join([*map(str, tried), *(fault.summary for fault in faults)])
    methods = ", ".join(offered) or "nothing more"
    cause = f"tried {listed or 'nothing, as there was nothing to try'}. It offers {methods}"
    if succeeded:
        cause = f"it accepted {' and '.join(succeeded)} and wants one more factor; {cause}"
    secret_refused = any("refused" in t.why for t in tried if t.method != "publickey")
    if faults and hop.identities_explicit and not secret_refused:
        # the user named this file, so its trouble is the likely reason
        first = faults[0]
        others = "; ".join([*map(str, tried), *(fault.summary for fault in faults[1:])])
        causes = [first.cause, f"tried also {others}" if others else ""]
        cause = "; ".join(text for text in causes if text) or _KEY_CAUSES.get(first.code, "")
        return KeyFileError(first.summary, code=first.code, cause=cause, fixes=first.fixes)
    fixes, code = _advice(hop, offered, tried, could_prompt=could_prompt)
    if secret_refused:
        code = "wrong-password"
        stdin = () if could_prompt else ("--password-stdin",)
        again = Fix(("netkit", "forward", "...", *stdin), note="with the right password")
        fixes = (again, *(fix for fix in fixes if "--password-stdin" not in fix.argv))
    return AuthenticationError(
        f"{hop.host} accepted no credential for {hop.user or 'nobody'}",
        code=code,
        cause=cause,
        fixes=fixes,
    )


def _advice(
    hop: Hop, offered: Sequence[str], tried: Sequence[Tried], *, could_prompt: bool
) -> tuple[tuple[Fix, ...], str]:
    fixes: list[Fix] = []
    code = "authentication-failed" if tried else "no-credentials"
    secret = not {"password", "keyboard-interactive"}.isdisjoint(offered)
    if "publickey" in offered:
        keys_tried = any(t.method == "publickey" for t in tried)
        fixes.append(_key_fix(hop, secret=secret, keys_tried=keys_tried))
    if secret and not could_prompt:
        fixes.append(
            Fix(
                ("netkit", "forward", "...", "--password-stdin"),
                note="reads the password from standard input",
            )
        )
    return tuple(fixes), code


def _own_key(hop: Hop) -> Path | None:
    return next((path for path in hop.identities if path.is_file()), None)


def _key_fix(hop: Hop, *, secret: bool, keys_tried: bool) -> Fix:
    """Return how to make the gateway accept the user's key; ssh-copy-id needs a password for it."""
    key = _own_key(hop)
    if secret and (key or keys_tried):
        target = f"{hop.user}@{hop.host}" if hop.user else hop.host
        port = ("-p", str(hop.port)) if hop.port != 22 else ()
        which = ("-i", str(key)) if key and hop.identities_explicit else ()
        return Fix(
            ("ssh-copy-id", *which, *port, target), note="puts your public key on the gateway"
        )
    if key is None:
        return Fix(
            ("ssh-keygen", "-t", "ed25519"),
            note="makes a key; ssh-copy-id then puts it on the gateway"
            if secret
            else "makes a key; the gateway's administrator has to add its .pub file",
        )
    return Fix(
        ("ssh-keygen", "-y", "-f", str(key)),
        note=f"prints the key that belongs into ~{hop.user}/.ssh/authorized_keys on the gateway",
    )


def without_agent(hop: Hop, error: AuthenticationError) -> AuthenticationError:
    """Return the error for a login that had nothing but an agent, which is gone.

    It may come back, and nothing was refused: trying again harms no account.
    """
    return AuthenticationError(
        f"{hop.host} was offered no key: {error.summary}",
        code=error.code,
        cause=error.cause or "the agent has ended, or its socket was removed",
        fixes=(
            Fix(("ssh-add", "-l"), note="shows whether an agent answers, and its keys"),
            Fix(("netkit", "forward", "...", "-i", "KEYFILE"), note="needs no agent"),
        ),
        retryable=True,
    )


def password_expired(hop: Hop) -> AuthenticationError:
    """Return the error for a server that wants the password changed first."""
    target = f"{hop.user}@{hop.host}" if hop.user else hop.host
    return AuthenticationError(
        "the gateway wants the password changed before it lets anybody in",
        code="password-expired",
        fixes=(Fix(("ssh", "-p", str(hop.port), target), note="asks for the new password"),),
    )


def at_end(error: NetkitError, hop: Hop, tried: Sequence[Tried]) -> NetkitError:
    """Return the error to raise when the login ended with ``error``.

    A server that hangs up because of too many failures says so in its disconnect message
    (OpenSSH, dropbear), so that case becomes an AuthenticationError with its remedy.
    """
    listed = "; ".join(map(str, tried))
    # servers of other make just hang up
    hung_up = error.code == "closed-during-login" and len(tried) >= _MANY
    if hung_up or (
        error.code == "disconnected-by-gateway" and "authentication fail" in error.cause.lower()
    ):
        return AuthenticationError(
            "the gateway hung up after too many failed authentications",
            code="too-many-auth-failures",
            cause=f"each key an agent holds costs one try; tried {listed or 'nothing'}",
            fixes=(
                Fix(
                    ("netkit", "forward", "...", "-i", str(_own_key(hop) or "KEYFILE")),
                    note="offers this key first; `IdentitiesOnly yes` in ~/.ssh/config offers "
                    "no other",
                ),
            ),
        )
    if error.code == "closed-during-login" and tried:
        error.cause = f"{error.cause}; tried {listed}"
    return error
