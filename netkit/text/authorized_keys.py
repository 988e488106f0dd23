"""Lines of authorized_keys (sshd(8), AUTHORIZED_KEYS FILE FORMAT) for netkit's own gateway.  Pure.

An option that netkit does not enforce may be what makes a key safe to hand out, so a line with one
is refused as a whole and the problem is reported.  Options about things the gateway never does
(shells, X11, agents) hold by themselves.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass, replace

from netkit.errors import UsageError
from netkit.model import Endpoint
from netkit.text.endpoints import parse_port, split_host_port
from netkit.text.fingerprints import key_type

MAX_LINE = 8192
"""Longest line in characters, as in sshd."""

MAX_KEYS = 10_000
ANY_HOST = "*"

_KEY_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)

# They widen or narrow what this gateway does not have.
_EMPTY_HERE = frozenset(
    {
        "agent-forwarding",
        "command",
        "environment",
        "no-agent-forwarding",
        "no-pty",
        "no-user-rc",
        "no-x11-forwarding",
        "pty",
        "tunnel",
        "user-rc",
        "x11-forwarding",
    }
)


@dataclass(frozen=True, slots=True)
class AuthorizedKey:
    """A key that may log in, and what it may do then.

    ``permit_open`` and ``permit_listen`` are ``None`` for "anything"; in them port 0 is any port
    and host ``*`` any host.  ``needs_touch`` and ``needs_pin`` ask a security key for proof of
    the user's presence and verification.
    """

    blob: bytes
    comment: str = ""
    forwarding: bool = True
    permit_open: tuple[Endpoint, ...] | None = None
    permit_listen: tuple[Endpoint, ...] | None = None
    needs_touch: bool = True
    needs_pin: bool = False


def permits(rules: tuple[Endpoint, ...] | None, host: str, port: int) -> bool:
    """Return whether ``rules`` allow ``host`` and ``port``; hosts are compared as text."""
    return rules is None or any(
        rule.host in (ANY_HOST, host.lower()) and rule.port in (0, port) for rule in rules
    )


def parse_authorized_keys(
    lines: Iterable[str],
) -> tuple[tuple[AuthorizedKey, ...], tuple[str, ...]]:
    """Return the keys, and one text per line that was refused: ``line 3: …``."""
    keys: list[AuthorizedKey] = []
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            if len(keys) >= MAX_KEYS:
                raise ValueError(f"more than {MAX_KEYS} keys")
            keys.append(_parse_line(text))
        except (ValueError, UsageError) as error:
            problems.append(f"line {number}: {error}")
    return tuple(keys), tuple(problems)


def _parse_line(text: str) -> AuthorizedKey:
    if len(text) > MAX_LINE:
        raise ValueError(f"longer than {MAX_LINE} characters")
    options = ""
    if text.split(None, 1)[0] not in _KEY_TYPES:
        options, text = _split_options(text)
    kind, _, rest = text.partition(" ")
    if kind not in _KEY_TYPES:
        raise ValueError(f"{kind[:40]!r} is no key type that netkit knows")
    encoded, _, comment = rest.strip().partition(" ")
    try:
        blob = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise ValueError("the key is no base64") from None
    if key_type(blob) != kind:
        raise ValueError(f"the key is not of the type {kind} that the line names")
    key = AuthorizedKey(blob, comment.strip())
    for name, value in _options(options):
        key = _apply(key, name, value)
    return key


def _split_options(text: str) -> tuple[str, str]:
    """Split at the first white space outside of quotes."""
    at = 0
    while at < len(text) and not text[at].isspace():
        at = _after_quoted(text, at) if text[at] == '"' else at + 1
    return text[:at], text[at:].strip()


def _after_quoted(text: str, at: int) -> int:
    at += 1
    while at < len(text) and text[at] != '"':
        at += 2 if text.startswith('\\"', at) else 1
    if at >= len(text):
        raise ValueError("a quote is not closed")
    return at + 1


def _options(text: str) -> Iterable[tuple[str, str | None]]:
    at = start = 0
    while start < len(text):
        while at < len(text) and text[at] != ",":
            at = _after_quoted(text, at) if text[at] == '"' else at + 1
        name, equals, value = text[start:at].partition("=")
        yield name.lower(), _unquoted(value) if equals else None
        at += 1
        start = at


def _unquoted(value: str) -> str:
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        raise ValueError("an option's value is not in quotes")
    return value[1:-1].replace('\\"', '"')


def _apply(key: AuthorizedKey, name: str, value: str | None) -> AuthorizedKey:
    match name, value:
        case "restrict" | "no-port-forwarding", None:
            return replace(key, forwarding=False)
        case "port-forwarding", None:
            return replace(key, forwarding=True)
        case "permitopen", str():
            return replace(key, permit_open=(*(key.permit_open or ()), _rule(value)))
        case "permitlisten", str():
            rule = _rule(value if ":" in value else f"{ANY_HOST}:{value}")
            return replace(key, permit_listen=(*(key.permit_listen or ()), rule))
        case "no-touch-required", None:
            return replace(key, needs_touch=False)
        case "verify-required", None:
            return replace(key, needs_pin=True)
    if name in _EMPTY_HERE:
        return key
    raise ValueError(f"netkit's gateway does not enforce the option {name[:40]!r}")


def _rule(value: str) -> Endpoint:
    host, port = split_host_port(value, "HOST:PORT")
    if not host or port is None:
        raise ValueError(f"{value[:80]!r} is not HOST:PORT")
    return Endpoint(host.lower(), 0 if port == "*" else parse_port(port))
