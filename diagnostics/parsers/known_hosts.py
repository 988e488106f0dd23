"""known_hosts files (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): damaged lines, and those about a host.

ssh skips a line it cannot read without a word, so the host in it counts as unknown.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field

from diagnostics.parsers.public_keys import describe
from diagnostics.parsers.text import clean

MAX_FILE = 4 << 20
"""Bytes of a file that are looked at."""

MAX_LINES = 100_000
MAX_LINE = 64 * 1024
MAX_PATTERNS = 20_000
"""Patterns with wildcards that are compared."""

MAX_KEPT = 50
"""Damaged lines, and lines about one host, that are told of one by one."""

_HASHED = "|1|"
_MARKERS = ("@cert-authority", "@revoked")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line about the host asked for; ``marker`` is ``@revoked``, ``@cert-authority`` or empty."""

    number: int
    marker: str
    key_type: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Damage:
    """A line that cannot be read; ``here`` says that it begins with the host asked for."""

    number: int
    reason: str
    hosts: str
    here: bool


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file says.

    Attributes:
        entries: lines about the host asked for.
        others: lines that hold the key asked for under other names; a hashed name as ``|``.
        damage: the first damaged lines; ``damaged`` counts all of them.
        truncated: whether the file goes on where nobody looked.
    """

    entries: tuple[Entry, ...] = ()
    others: tuple[tuple[int, str], ...] = ()
    damage: tuple[Damage, ...] = ()
    damaged: int = 0
    truncated: bool = False


def lookup_name(name: str, port: int) -> str:
    """Return the name that stands in a line: ``host``, or ``[host]:port`` off port 22."""
    lowered = name.lower()
    return lowered if port == 22 else f"[{lowered}]:{port}"


@dataclass(slots=True)
class _Host:
    """The host asked for; ``left`` bounds what hostile patterns can cost."""

    name: str
    key: str
    left: int = MAX_PATTERNS
    others: list[tuple[int, str]] = field(default_factory=list)

    def is_in(self, hosts: str) -> bool:
        """Tell whether the first word of a line is about it."""
        if hosts.startswith("|"):
            parts = _hash_parts(hosts)
            if parts is None:
                return False
            name = self.name.encode("utf-8", "replace")
            return hmac.compare_digest(hmac.new(parts[0], name, hashlib.sha1).digest(), parts[1])
        matched = False
        for pattern in hosts[:MAX_LINE].lower().split(","):
            if pattern.startswith("!") and self._matches(pattern[1:]):
                return False
            matched = matched or self._matches(pattern)
        return matched

    def _matches(self, pattern: str) -> bool:
        if "*" not in pattern and "?" not in pattern:
            return self.name == pattern
        if not self.left:
            return False
        self.left -= 1
        return _matches(self.name, pattern)


def parse(data: bytes, name: str, key: str = "") -> Contents:
    """Return what a file says of ``name``, a result of `lookup_name`, and which lines are damaged.

    ``key`` is a fingerprint to be looked for under other names.  Keys of SSH protocol 1 are
    leftovers, no damage.
    """
    pieces = data[:MAX_FILE].split(b"\n", MAX_LINES)
    truncated = len(data) > MAX_FILE or len(pieces) > MAX_LINES
    entries: list[Entry] = []
    damage: list[Damage] = []
    damaged = 0
    host = _Host(name, key)
    for number, raw in enumerate(pieces[:MAX_LINES], 1):
        found = _line(raw, number, host)
        if isinstance(found, Entry) and len(entries) < MAX_KEPT:
            entries.append(found)
        elif isinstance(found, Damage):
            damaged += 1
            if len(damage) < MAX_KEPT or (found.here and all(not each.here for each in damage)):
                damage.append(found)
    truncated = truncated or not host.left
    return Contents(tuple(entries), tuple(host.others), tuple(damage), damaged, truncated)


def _line(raw: bytes, number: int, host: _Host) -> Entry | Damage | None:
    if len(raw) > 4 * MAX_LINE:
        return Damage(number, f"longer than {MAX_LINE} characters", clean(raw, 40), here=False)
    text = raw.decode("utf-8", "replace")
    words = [word for word in text.strip(" \t\r").replace("\t", " ").split(" ") if word]
    if not words or words[0].startswith("#"):
        return None
    marker = words.pop(0) if words[0].startswith("@") else ""
    hosts = words[0] if words else ""
    reason = _fault(text, marker, words)
    if reason:
        return Damage(number, reason, clean(hosts, 60), here=host.is_in(hosts))
    if words[1].isdigit():
        return None
    about = host.is_in(hosts)
    if not about and not host.key:
        return None
    found = describe(base64.b64decode(words[2]))
    print_ = found.fingerprint if found is not None else ""
    if about:
        return Entry(number, marker, words[1], print_)
    if print_ == host.key and not marker and len(host.others) < MAX_KEPT:
        host.others.append((number, "|" if hosts.startswith("|") else clean(hosts, 100)))
    return None


def _fault(text: str, marker: str, words: list[str]) -> str:
    """Return what is wrong with a line; empty for a good one and for a key of protocol 1."""
    if len(text) > MAX_LINE:
        return f"longer than {MAX_LINE} characters"
    if marker and marker not in _MARKERS:
        return "unknown marker"
    if len(words) < 3:
        return "host names, key type and key are expected"
    hosts, kind, encoded = words[:3]
    if kind.isdigit():
        return ""
    if hosts.startswith("|") and _hash_parts(hosts) is None:
        return "the hashed host name is damaged"
    try:
        blob = base64.b64decode(encoded, validate=True)
    except ValueError:
        return "the key is not base64"
    length = int.from_bytes(blob[:4], "big")
    if not kind or len(blob) < 4 or blob[4 : 4 + length] != kind.encode():
        return "the key is damaged, or of another type than the line says"
    return ""


def _hash_parts(hosts: str) -> tuple[bytes, bytes] | None:
    """Return salt and digest of a hashed name; None where it is none."""
    parts = hosts.split("|")
    if len(parts) != 4 or not hosts.startswith(_HASHED):
        return None
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in parts[2:])
    except ValueError:
        return None
    return (salt, digest) if len(digest) == 20 else None


def _matches(name: str, pattern: str) -> bool:
    """Match ``*`` and ``?`` in at most ``len(name) * len(pattern)`` steps."""
    at = place = 0
    star, back = -1, 0
    while at < len(name):
        if place < len(pattern) and pattern[place] == "*":
            star, back = place, at
            place += 1
        elif place < len(pattern) and pattern[place] in ("?", name[at]):
            at += 1
            place += 1
        elif star >= 0:
            back += 1
            at, place = back, star + 1
        else:
            return False
    return all(char == "*" for char in pattern[place:])
