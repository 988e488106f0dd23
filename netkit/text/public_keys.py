"""Public keys in text: ``.pub`` files, certificates, authorized_keys, known_hosts, RFC 4716.  Pure.

A line holds a key where a word names a type and the next one is a key of that type in base64;
options or host names may stand before it and a comment behind.  Lines without one are no fault.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import re
from dataclasses import dataclass
from typing import Final

from netkit.text.fingerprints import key_type

MAX_KEYS: Final = 10_000
MAX_LINE: Final = 65_536
MAX_BLOB: Final = 16_384

_WORD: Final = re.compile(r'(?:"(?:\\.|[^"\\])*+"?|[^\s"])+')
_TYPE: Final = re.compile(r"[a-z0-9@.\-]{5,64}")
_SSH2: Final = re.compile(
    r"---- BEGIN SSH2 PUBLIC KEY ----\s*\n(.*?)---- END SSH2 PUBLIC KEY ----", re.DOTALL
)
_HEADER: Final = re.compile(r"[^:\n]{1,64}:[ \t]*(?:[^\n]*\\\n)*[^\n]*\n")


@dataclass(frozen=True, slots=True)
class PublicEntry:
    """A public key or certificate found in a text.

    Attributes:
        line: its number, from 1.
        before: what stands before it: options of authorized_keys, names of known_hosts.
        blob: in SSH's wire form (RFC 4253 section 6.6).
        comment: what stands behind it.
    """

    line: int
    before: str
    blob: bytes
    comment: str


def find_keys(text: str) -> tuple[PublicEntry, ...]:
    """Return the keys in ``text``, at most `MAX_KEYS`; empty when there is none."""
    if "---- BEGIN SSH2 PUBLIC KEY" in text:
        return _rfc4716(text)
    found: list[PublicEntry] = []
    for number, line in enumerate(text.splitlines(), 1):
        if (
            len(line) <= MAX_LINE
            and not line.lstrip().startswith("#")
            and (entry := _entry(number, line))
        ):
            found.append(entry)
            if len(found) == MAX_KEYS:
                break
    return tuple(found)


def _entry(number: int, line: str) -> PublicEntry | None:
    words = list(_WORD.finditer(line))
    for name, data in itertools.pairwise(words):
        if not _TYPE.fullmatch(name[0]):
            continue
        blob = decode(data[0])
        if blob and key_type(blob) == name[0]:
            before, comment = line[: name.start()], line[data.end() :]
            return PublicEntry(number, before.strip(), blob, comment.strip())
    return None


def decode(text: str) -> bytes:
    """Return the bytes of base64; empty for anything else."""
    if len(text) > MAX_BLOB:
        return b""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _rfc4716(text: str) -> tuple[PublicEntry, ...]:
    found: list[PublicEntry] = []
    text = text.replace("\r\n", "\n")
    for match in _SSH2.finditer(text):
        body, comment = match[1], ""
        while header := _HEADER.match(body):
            name, _, value = header[0].replace("\\\n", "").strip().partition(":")
            if name.lower() == "comment":
                comment = value.strip().removeprefix('"').removesuffix('"')
            body = body[header.end() :]
        blob = decode("".join(body.split()))
        if key_type(blob):
            line = text.count("\n", 0, match.start()) + 1
            found.append(PublicEntry(line, "", blob, comment))
    return tuple(found[:MAX_KEYS])
