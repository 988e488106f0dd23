"""What is to be added to authorized_keys on a POSIX gateway, and what its answer means.  Pure."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from netkit.errors import UsageError
from netkit.keys.authorize_script import SCRIPT
from netkit.text.endpoints import parse_port, split_host_port
from netkit.text.fingerprints import key_type
from netkit.wire.untrusted import printable

COMMAND: Final = "exec sh"
MARK: Final = "netkit-key: "
MAX_LINE: Final = 8192
"""Bytes of a line that sshd reads (SSH_MAX_PUBKEY_BYTES)."""

_OPENSSH: Final = re.compile(r"OpenSSH_(?:for_Windows_)?(\d{1,3})\.(\d{1,3})")
_UNRESTRICTED: Final = ("no-pty", "no-agent-forwarding", "no-X11-forwarding")
_REASONS: Final = {
    "no-home": "the account has no home directory there",
    "none": "the gateway's AuthorizedKeysFile is 'none': it takes no keys from files",
    "not-a-file": "it is not a regular file",
    "symlink": "it is a symbolic link that leads nowhere or in circles",
    "not-ours": "it belongs to another account, and sshd may not trust it",
    "directory-not-ours": "its directory belongs to another account",
    "no-directory": "its directory does not exist",
    "read-only": "it has no write permission, which somebody may have wanted; chmod u+w allows it",
    "unreadable": "it cannot be read",
    "cut-off": "its answer is not whole: the link or the shell ended early",
    "cannot-write": "its directory cannot be written: a read-only file system, or no permission",
    "full": "the new file could not be written in full: the disk or the quota is full",
    "changed": "somebody changed it at the same time; try again",
    "differs": "the key is there with other options",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The line to add.

    Attributes:
        blob: the key in SSH's wire form.
        comment: one line.
        options: what stands before the key; empty for none.
        replace: give the key these options where it is there with others.
        file: on the gateway, where it is not the one that sshd reads; empty: find out.
    """

    blob: bytes
    comment: str = ""
    options: str = ""
    replace: bool = False
    file: str = ""

    @property
    def line(self) -> str:
        """The line of authorized_keys."""
        text = "".join(c for c in self.comment if c.isprintable()).strip()
        return f"{self.options} {self.type} {self.base64} {text}".strip()

    @property
    def type(self) -> str:
        """The key's type."""
        return key_type(self.blob)

    @property
    def base64(self) -> str:
        """The key as it stands in the file."""
        return base64.b64encode(self.blob).decode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a gateway answered.

    Attributes:
        outcome: ``added``, ``present``, ``updated``, ``failed``, or empty where it ran no script.
        file: the file that the key is in, or should be.
        options: those that a key has which was there before.
        reason: of ``failed``, a code.
        about: what the reason is about, such as a path.
        repaired: paths whose permissions were changed, with the old ones.
        suspect: paths whose permissions sshd will object to, and which could not be changed.
        read: the files that the gateway's sshd says it reads, unexpanded; empty where unknown.
        types: the signature algorithms that it says it takes, as in sshd_config; empty likewise.
    """

    outcome: str = ""
    file: str = ""
    options: str = ""
    reason: str = ""
    about: str = ""
    repaired: tuple[str, ...] = ()
    suspect: tuple[str, ...] = ()
    read: str = ""
    types: str = ""

    def takes(self, kind: str) -> bool:
        """Whether a key of this type may log in, as far as is known."""
        if not self.types or self.types[0] in "+-^" or "*" in self.types:
            return True
        signed = {"rsa-sha2-256", "rsa-sha2-512"} if kind == "ssh-rsa" else {kind}
        return not signed.isdisjoint(self.types.split(","))

    @property
    def why(self) -> str:
        """The reason in words."""
        return _REASONS.get(self.reason, self.reason)


def restriction(server: str, permit_open: Sequence[str], permit_listen: Sequence[str]) -> str:
    """Return the options of a key that may forward and do nothing else.

    ``restrict`` alone would let it run commands without a terminal, hence ``command``.  dropbear
    and OpenSSH before 7.2 know no ``restrict`` that leaves forwarding on.

    Args:
        server: the gateway's version line.
        permit_open: ``HOST:PORT``, where the key may connect to; none: anywhere.
        permit_listen: ``[HOST:]PORT``, where it may listen; none: anywhere.

    Raises:
        UsageError: a rule is malformed, or this gateway cannot enforce it.
    """
    opens = [f'permitopen="{_rule(rule)}"' for rule in permit_open]
    listens = [f'permitlisten="{_rule(rule, bare=True)}"' for rule in permit_listen]
    version = _OPENSSH.search(server)
    number = (int(version[1]), int(version[2])) if version else None
    dropbear = "dropbear" in server.lower()
    if listens and (dropbear or (number is not None and number < (7, 8))):
        raise UsageError(
            "this gateway cannot limit where a key may listen",
            code="no-permitlisten",
            cause=f"it is {printable(server, 80)}; permitlisten came with OpenSSH 7.8",
        )
    words: tuple[str, ...] = ("restrict", "port-forwarding")
    if dropbear:
        words = _UNRESTRICTED
    elif number is not None and number < (7, 2):
        words = (*_UNRESTRICTED, "no-user-rc")
    return ",".join((*words, *opens, *listens, 'command="exit 1"'))


def _rule(text: str, *, bare: bool = False) -> str:
    """Return ``HOST:PORT`` as sshd reads it; raises UsageError."""
    if bare and ":" not in text:
        return str(_port(text))
    host, port = split_host_port(text, "HOST:PORT")
    if not host or port is None or not re.fullmatch(r"[A-Za-z0-9.:*_\-]{1,255}", host):
        raise UsageError(
            f"{text[:80]!r} is not HOST:PORT",
            code="bad-permit",
            cause="such as db.internal:5432, [2001:db8::1]:22 or 10.0.0.5:*",
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{'*' if port == '*' else _port(port)}"


def _port(text: str) -> int:
    return parse_port(text)


def script(wanted: Wanted, server: str) -> bytes:
    """Return the script for a gateway with this version line.

    Raises:
        UsageError: ``line-too-long``.
    """
    line = wanted.line
    if len(line.encode("utf-8", "surrogateescape")) > MAX_LINE:
        raise UsageError(
            f"the line for authorized_keys is longer than {MAX_LINE} bytes",
            code="line-too-long",
            cause="sshd reads no longer ones; name fewer --permit-open",
        )
    kind = "dropbear" if "dropbear" in server.lower() else "sshd"
    # a tilde is the home, and so is what a relative path starts in
    file = wanted.file.removeprefix("~/")
    values = {
        "server": kind,
        "type": wanted.type,
        "blob": wanted.base64,
        "options": wanted.options,
        "line": line,
        "replace": "yes" if wanted.replace else "",
        "given": file,
    }
    settings = "\n".join(f"{name}={shlex.quote(value)}" for name, value in values.items())
    return SCRIPT.replace("@SETTINGS@", settings).encode("utf-8", "surrogateescape")


def read_answer(stdout: bytes) -> Answer:
    """Return what the script said; shells may have said something before it.  Never raises."""
    said: dict[str, list[str]] = {}
    for raw in stdout.decode("utf-8", "replace").splitlines():
        if raw.startswith(MARK):
            word, _, rest = raw.removeprefix(MARK).partition(" ")
            said.setdefault(word, []).append(printable(rest, 1000).strip())

    def last(word: str) -> str:
        return said.get(word, [""])[-1]

    outcome = next((w for w in ("failed", "added", "updated", "present") if w in said), "")
    reason, _, about = last("failed").partition(" ")
    if outcome and outcome != "failed" and "end" not in said:
        outcome, reason = "failed", "cut-off"
    return Answer(
        outcome=outcome,
        file=last("file"),
        options=last("options"),
        reason=reason,
        about=about,
        repaired=tuple(said.get("repaired", ())[:20]),
        suspect=tuple(said.get("suspect", ())[:20]),
        read=last("reads"),
        types=last("types"),
    )
