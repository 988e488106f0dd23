"""PuTTY's cache of host keys to keys in wire form, as known_hosts has them, and back.

An entry is a name ``type@port:host`` and numbers (ssh/common.c, crypto/*.c):

* ``rsa2@22:gw`` -- ``0xEXPONENT,0xMODULUS``
* ``ecdsa-sha2-nistp256@22:gw`` -- ``nistp256,0xX,0xY``
* ``ssh-ed25519@22:gw`` -- ``0xX,0xY``: the point itself, where SSH sends it compressed

Unix keeps them as lines ``NAME VALUE`` of ``sshhostkeys``, Windows as values of the key
``SshHostKeys``, portable ones as files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from netkit.errors import ConfigError, UsageError
from netkit.text.endpoints import check_host, parse_port, quoted
from netkit.text.fingerprints import key_type
from netkit.text.putty.edwards import decode_point, encode_point
from netkit.text.putty.names import ANSI, escape_registry, from_registry_key

MAX_FILE: Final = 8 * 1024 * 1024
"""Longest file of host keys, in bytes."""

MAX_KEYS: Final = 50_000
_MAX_TOLD: Final = 100

_NAME = re.compile(r"([A-Za-z0-9-]{1,40})@([0-9]{1,5}):(\S{1,300})\Z")
_NUMBER = re.compile(r"0x[0-9a-f]{1,4200}\Z")
_CURVE_BYTES: Final = {"nistp256": 32, "nistp384": 48, "nistp521": 66}
_OTHERS: Final = {
    "dss": "DSA keys are not used any more",
    "rsa": "keys of SSH protocol 1 are not used any more",
    "ssh-ed448": "OpenSSH and netkit know no Ed448",
}


@dataclass(frozen=True, slots=True)
class CachedKey:
    """A host's key; ``blob`` is its wire form (RFC 4253 section 6.6)."""

    host: str
    port: int
    blob: bytes


@dataclass(frozen=True, slots=True)
class Cache:
    """Host keys, and why others could not be taken over."""

    keys: tuple[CachedKey, ...] = ()
    left_out: tuple[str, ...] = ()


def parse_cache_file(content: bytes, file: str) -> Cache:
    """Return the keys of unix PuTTY's ``sshhostkeys``.

    Raises:
        ConfigError: it is longer than MAX_FILE.
    """
    if len(content) > MAX_FILE:
        raise ConfigError(
            f"{file} is too large: {len(content)} bytes",
            cause=f"a cache of host keys of more than {MAX_FILE >> 20} MiB is none",
        )
    entries = []
    for number, line in enumerate(content.decode("utf-8", "replace").split("\n"), 1):
        if line.strip():
            name, _, value = line.strip("\r").partition(" ")
            entries.append((name, value, f"{file}:{number}"))
    return parse_entries(entries)


def parse_entries(entries: Iterable[tuple[str, str, str]]) -> Cache:
    """Return the keys of (name, value, place): the place is named where one is no key."""
    keys: list[CachedKey] = []
    left_out: list[str] = []
    for name, value, place in entries:
        if len(keys) >= MAX_KEYS:
            left_out.append(f"{place}: more than {MAX_KEYS} keys; the rest is not read")
            break
        try:
            keys.append(parse_entry(name, value))
        except (ValueError, UsageError) as error:
            if len(left_out) < _MAX_TOLD:
                left_out.append(f"{place}: {error}")
    return Cache(tuple(dict.fromkeys(keys)), tuple(left_out))


def parse_entry(name: str, value: str) -> CachedKey:
    """Return the key of one entry of the cache; the host may be escaped as in the registry.

    Raises:
        ValueError: it is none, or of a type that nobody uses any more.
        UsageError: the host is none.
    """
    match = _NAME.match(name)
    if not match:
        raise ValueError(f"{quoted(name)} is no TYPE@PORT:HOST")
    kind, port, host = match[1], parse_port(match[2]), match[3]
    if "%" in host and ":" not in host.partition("%")[0]:
        host = from_registry_key(host)
    check_host(host, host)
    if kind in _OTHERS:
        raise ValueError(f"{quoted(name)}: {_OTHERS[kind]}")
    return CachedKey(host, port, _blob(kind, value.strip()))


def entry_name(host: str, port: int, blob: bytes) -> str:
    """Return the name under which unix PuTTY keeps a key.

    Raises:
        ValueError: PuTTY has no such key.
    """
    kind = key_type(blob)
    return f"{'rsa2' if kind == 'ssh-rsa' else kind}@{port}:{host}"


def registry_name(host: str, port: int, blob: bytes, encoding: str = ANSI) -> str:
    """Return the same for the registry, which escapes the host."""
    return entry_name(escape_registry(host, encoding), port, blob)


def entry_value(blob: bytes) -> str:
    """Return a key in wire form as PuTTY caches it.

    Raises:
        ValueError: PuTTY cannot keep such a key, or it is damaged.
    """
    kind, *fields = _fields(blob)
    match kind.decode("ascii", "replace"), fields:
        case "ssh-rsa", [exponent, modulus]:
            return f"{_hex(exponent)},{_hex(modulus)}"
        case "ssh-ed25519", [point]:
            return ",".join(hex(number) for number in decode_point(point))
        case name, [curve, point] if name == f"ecdsa-sha2-{curve.decode('ascii', 'replace')}":
            size = _CURVE_BYTES.get(curve.decode("ascii", "replace"), 0)
            if size and len(point) == 1 + 2 * size and point[0] == 4:
                return f"{curve.decode()},{_hex(point[1 : 1 + size])},{_hex(point[1 + size :])}"
    raise ValueError(f"PuTTY keeps no {key_type(blob) or 'such'} key")


def format_cache_line(key: CachedKey) -> str:
    """Return a line of ``sshhostkeys``, without a newline.

    Raises:
        ValueError: PuTTY cannot keep such a key.
    """
    return f"{entry_name(key.host, key.port, key.blob)} {entry_value(key.blob)}"


def _blob(kind: str, value: str) -> bytes:
    words = value.split(",")
    if kind == "rsa2" and len(words) == 2:
        exponent, modulus = map(_number, words)
        return _string(b"ssh-rsa") + _mpint(exponent) + _mpint(modulus)
    if kind == "ssh-ed25519" and len(words) == 2:
        return _string(kind.encode()) + _string(encode_point(*map(_number, words)))
    curve = kind.removeprefix("ecdsa-sha2-")
    size = _CURVE_BYTES.get(curve, 0)
    if size and kind != curve and len(words) == 3 and words[0] == curve:
        x, y = map(_number, words[1:])
        if max(x, y) >> (8 * size):
            raise ValueError("the key's numbers are too large")
        point = b"\4" + x.to_bytes(size, "big") + y.to_bytes(size, "big")
        return _string(kind.encode()) + _string(curve.encode()) + _string(point)
    raise ValueError(f"{quoted(kind)} is no type of key, or what follows is no such key")


def _number(word: str) -> int:
    if not _NUMBER.match(word):
        raise ValueError(f"{quoted(word)} is no number of a key")
    number = int(word, 16)
    if number <= 0:
        raise ValueError("a number of the key is 0")
    return number


def _hex(data: bytes) -> str:
    return hex(int.from_bytes(data, "big"))


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _mpint(number: int) -> bytes:
    """RFC 4251 section 5: one more byte where the highest bit would make it negative."""
    return _string(number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _fields(blob: bytes) -> list[bytes]:
    """Return the strings of a key.

    Raises:
        ValueError: it does not consist of strings.
    """
    fields: list[bytes] = []
    at = 0
    while at < len(blob):
        size = int.from_bytes(blob[at : at + 4], "big")
        if at + 4 + size > len(blob) or len(fields) == 4:
            raise ValueError("the key is damaged")
        fields.append(blob[at + 4 : at + 4 + size])
        at += 4 + size
    if not fields:
        raise ValueError("the key is empty")
    return fields
