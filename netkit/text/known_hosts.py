"""known_hosts files in full: sshd(8), section SSH_KNOWN_HOSTS FILE FORMAT.

Hashed and plain names, wildcards, negation, ``[host]:port``, ``@cert-authority``, ``@revoked``.  A
bad line is reported and skipped; it never hides the others.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from netkit.errors import ConfigError
from netkit.model import Hop
from netkit.text.fingerprints import key_type as type_in_blob
from netkit.text.patterns import host_matches_list

MAX_FILE = 8 * 1024 * 1024
"""Longest known_hosts file read, in bytes."""

MAX_LINE = 64 * 1024
"""Longest line looked at, in characters."""

_HASHED = "|1|"
_MAX_BAD_LINES = 1000


class Marker(enum.Enum):
    """What a line says about its key."""

    NONE = ""
    CERT_AUTHORITY = "@cert-authority"
    REVOKED = "@revoked"


class Verdict(enum.Enum):
    """What known_hosts says about a key that a gateway shows."""

    MATCH = "match"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class KnownHost:
    """One line: ``hosts`` is the pattern list or the hashed name, ``key`` the wire form."""

    marker: Marker
    hosts: str
    key_type: str
    key: bytes
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def applies_to(self, name: str) -> bool:
        """Tell whether the line is about ``name``, a result of :func:`lookup_name`."""
        if self.hosts.startswith(_HASHED):
            return _hash_matches(self.hosts, name)
        return host_matches_list(name, self.hosts)


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that was skipped, and why."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and the line it rests on, if it rests on one."""

    verdict: Verdict
    entry: KnownHost | None = None


@dataclass(frozen=True, slots=True)
class HostKeys:
    """The lines that apply to one host, in the order of the files.

    ``elsewhere`` holds those for the same name at port 22, which ssh consults when nothing is
    known about the port asked for.
    """

    entries: tuple[KnownHost, ...] = ()
    elsewhere: tuple[KnownHost, ...] = ()

    @property
    def known(self) -> tuple[KnownHost, ...]:
        """The plain keys: neither authorities nor revoked."""
        return tuple(entry for entry in self.entries if entry.marker is Marker.NONE)

    @property
    def authorities(self) -> tuple[KnownHost, ...]:
        """The keys whose host certificates are trusted for this host."""
        own = tuple(entry for entry in self.entries if entry.marker is Marker.CERT_AUTHORITY)
        return own or tuple(e for e in self.elsewhere if e.marker is Marker.CERT_AUTHORITY)

    @property
    def revoked(self) -> tuple[KnownHost, ...]:
        """The keys that must never be accepted for this host."""
        both = (*self.entries, *self.elsewhere)
        return tuple(entry for entry in both if entry.marker is Marker.REVOKED)

    @property
    def key_types(self) -> tuple[str, ...]:
        """Types of the known keys, each once, in order: what to ask the gateway for first."""
        known = self.known or tuple(e for e in self.elsewhere if e.marker is Marker.NONE)
        return tuple(dict.fromkeys(entry.key_type for entry in known))

    def is_revoked(self, key: bytes) -> KnownHost | None:
        """Return the line that revokes ``key`` (a host key or a certificate's authority)."""
        return next((entry for entry in self.revoked if entry.key == key), None)

    def verdict(self, key: bytes) -> Judgement:
        """Judge a plain host key in wire form, as ssh does.

        A host with a known key that shows another one is CHANGED whatever the types: the types
        known are asked for first, so another one is no accident.
        """
        revoked = self.is_revoked(key)
        if revoked:
            return Judgement(Verdict.REVOKED, revoked)
        for entry in self.known:
            if entry.key == key:
                return Judgement(Verdict.MATCH, entry)
        if self.known:
            shown = type_in_blob(key)
            same = [entry for entry in self.known if entry.key_type == shown]
            return Judgement(Verdict.CHANGED, (same or self.known)[0])
        for entry in self.elsewhere:
            if entry.marker is Marker.NONE and entry.key == key:
                return Judgement(Verdict.MATCH, entry)
        return Judgement(Verdict.UNKNOWN)


@dataclass(frozen=True, slots=True)
class KnownHosts:
    """The lines of one or several files, parsed once and matched often."""

    entries: tuple[KnownHost, ...] = ()
    bad_lines: tuple[BadLine, ...] = ()

    def __add__(self, other: KnownHosts) -> KnownHosts:
        return KnownHosts(self.entries + other.entries, self.bad_lines + other.bad_lines)

    def match(self, name: str, port: int = 22, address: str | None = None) -> HostKeys:
        """Return what is known about a host: by name and, if given, by IP ``address`` too."""
        names = {lookup_name(name, port)} | ({lookup_name(address, port)} if address else set())
        entries = tuple(e for e in self.entries if any(e.applies_to(n) for n in names))
        if port == 22:
            return HostKeys(entries)
        plain = lookup_name(name, 22)
        return HostKeys(entries, tuple(e for e in self.entries if e.applies_to(plain)))

    def match_hop(self, hop: Hop) -> HostKeys:
        """Return what is known about a hop; a HostKeyAlias is looked up without a port."""
        return self.match(*hop_lookup(hop))


def hop_lookup(hop: Hop) -> tuple[str, int]:
    """Return the name and port under which a hop is looked up and recorded.

    A HostKeyAlias stands for itself, so it goes without the port.
    """
    name = hop.name or hop.host
    return name, hop.port if name == hop.host else 22


def lookup_name(name: str, port: int) -> str:
    """Return the name that lines are matched with: ``host``, or ``[host]:port`` off port 22."""
    lowered = name.lower()
    return lowered if port == 22 else f"[{lowered}]:{port}"


def parse_known_hosts(content: str | bytes, file: str = "known_hosts") -> KnownHosts:
    """Parse a known_hosts file; ``file`` names it in findings.

    Raises:
        ConfigError: the file is longer than MAX_FILE.
    """
    if len(content) > MAX_FILE:
        raise ConfigError(
            f"{file} is too large: {len(content)} bytes",
            cause=f"a known_hosts file of more than {MAX_FILE >> 20} MiB is no known_hosts file",
        )
    text = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
    entries: list[KnownHost] = []
    bad: list[BadLine] = []
    for number, line in enumerate(text.split("\n"), 1):
        try:
            entry = _parse_line(line, file, number)
        except ValueError as error:
            if len(bad) < _MAX_BAD_LINES:
                bad.append(BadLine(file, number, str(error)))
            continue
        if entry:
            entries.append(entry)
    return KnownHosts(tuple(entries), tuple(bad))


def combine(parts: Iterable[KnownHosts]) -> KnownHosts:
    """Return the lines of several files as one, in order."""
    whole = KnownHosts()
    for part in parts:
        whole += part
    return whole


def format_line(
    name: str, port: int, key: bytes, *, salt: bytes | None = None, comment: str = ""
) -> str:
    """Return the line to append for a new host key, without a newline.

    With ``salt`` (20 random bytes) the name is hashed, as HashKnownHosts asks.

    Raises:
        ValueError: the key's wire form names no type, or the name cannot stand in a line.
    """
    shown = lookup_name(name, port)
    if not shown or any(c.isspace() or not c.isprintable() or c in ",*?!|#" for c in shown):
        raise ValueError(f"{shown!r} cannot stand in known_hosts")
    kind = type_in_blob(key)
    if not kind:
        raise ValueError("the key names no type")
    if salt is not None:
        encoded = base64.b64encode(salt).decode()
        shown = f"{_HASHED}{encoded}|{base64.b64encode(_digest(salt, shown)).decode()}"
    words = [shown, kind, base64.b64encode(key).decode(), *comment.split()]
    return " ".join(words)


def _parse_line(line: str, file: str, number: int) -> KnownHost | None:
    """Parse one line; None for blank lines and comments; ValueError says what is wrong."""
    if len(line) > MAX_LINE:
        raise ValueError(f"longer than {MAX_LINE} characters")
    words = line.strip(" \t\r").replace("\t", " ").split(" ")
    words = [word for word in words if word]
    if not words or words[0].startswith("#"):
        return None
    marker = Marker.NONE
    if words[0].startswith("@"):
        try:
            marker = Marker(words.pop(0))
        except ValueError:
            raise ValueError("unknown marker") from None
    if len(words) < 3:
        raise ValueError("host names, key type and key are expected")
    hosts, kind, encoded = words[:3]
    if kind.isdigit():
        raise ValueError("a key of SSH protocol 1, which is no longer used")
    if hosts.startswith("|"):
        _split_hash(hosts)
    try:
        key = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise ValueError("the key is not base64") from None
    if type_in_blob(key) != kind:
        raise ValueError("the key is damaged, or of another type than the line says")
    return KnownHost(marker, hosts, kind, key, file, number)


def _split_hash(hosts: str) -> tuple[bytes, bytes]:
    """Return salt and digest of a hashed name; ValueError if it is none."""
    parts = hosts.split("|")
    if len(parts) != 4 or parts[1] != "1":
        raise ValueError("unknown form of a hashed host name")
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in parts[2:])
    except (binascii.Error, ValueError):
        raise ValueError("the hashed host name is not base64") from None
    if len(digest) != 20:
        raise ValueError("the hashed host name is damaged")
    return salt, digest


def _hash_matches(hosts: str, name: str) -> bool:
    salt, digest = _split_hash(hosts)
    return hmac.compare_digest(_digest(salt, name), digest)


def _digest(salt: bytes, name: str) -> bytes:
    return hmac.new(salt, name.encode("utf-8", "replace"), hashlib.sha1).digest()
