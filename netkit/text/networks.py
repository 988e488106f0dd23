"""What is remembered of networks: JSON in, values out, and back.

No name and no address is in it: a network and a gateway are known by salted hashes.  The file may
hold anything, since other versions and other programs can write to it: what is no entry is passed
over.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

VERSION: Final = 1

MAX_SIZE: Final = 1 << 20
"""Bytes of the file."""

MAX_ENTRIES: Final = 200
"""Entries that are kept, the latest."""

_LONGEST: Final = 1e6
_HASH: Final = re.compile(r"[0-9a-f]{32}")
_HOW: Final = re.compile(r"[a-z]{0,16}")


class _Place(Protocol):
    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...


def way_of(hops: Iterable[_Place]) -> str:
    """Return what identifies the way to a gateway: ``HOST:PORT`` of every hop."""
    return " ".join(f"{hop.host}:{hop.port}" for hop in hops)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeout:
    """One measurement of the idle timeout between a network and a gateway.

    Attributes:
        network, gateway: hashes (`fingerprint`).
        alive: the longest silence that was survived, in seconds; 0: none was.
        dead: the shortest that was not; 0: none was fatal.
        how: what became of that connection.
        interval: the keepalive that was recommended, in seconds.
        measured: seconds since the epoch.
    """

    network: str
    gateway: str
    alive: float
    dead: float
    how: str
    interval: float
    measured: float


@dataclass(frozen=True, slots=True)
class Networks:
    """Everything that is remembered.  ``salt`` is empty where there was no file yet."""

    salt: str = ""
    timeouts: tuple[Timeout, ...] = ()

    def find(self, network: str, gateway: str) -> Timeout | None:
        """Return what is known of the way from ``network`` to ``gateway``.

        Where that was not measured, the most careful of what other gateways showed.
        """
        here = [each for each in self.timeouts if each.network == network]
        same = [each for each in here if each.gateway == gateway]
        if same:
            return max(same, key=lambda each: each.measured)
        return min(here, key=lambda each: each.interval, default=None)

    def put(self, new: Timeout) -> Networks:
        """Return the same with ``new`` in the place of what was known of that way."""
        way = (new.network, new.gateway)
        rest = [each for each in self.timeouts if (each.network, each.gateway) != way]
        kept = sorted([*rest, new], key=lambda each: each.measured)[-MAX_ENTRIES:]
        return Networks(self.salt, tuple(kept))


def fingerprint(salt: str, *words: str) -> str:
    """Return what stands for ``words`` in the file."""
    data = json.dumps([salt, *words]).encode()
    return hashlib.sha256(data).hexdigest()[:32]


def decode(data: bytes) -> Networks:
    """Return what is in the file; nothing where it is none of ours."""
    try:
        document = json.loads(data[:MAX_SIZE])
    except (ValueError, RecursionError):
        return Networks()
    if not isinstance(document, dict) or document.get("version") != VERSION:
        return Networks()
    salt = document.get("salt")
    if not isinstance(salt, str) or not _HASH.fullmatch(salt):
        return Networks()
    listed = document.get("timeouts")
    entries = listed if isinstance(listed, list) else []
    return Networks(salt, tuple(_known(map(_timeout, entries[-MAX_ENTRIES:]))))


def _known(entries: Iterable[Timeout | None]) -> Iterable[Timeout]:
    return (entry for entry in entries if entry is not None)


def _timeout(entry: Any) -> Timeout | None:
    if not isinstance(entry, dict):
        return None
    network, gateway = _text(_HASH, entry.get("network")), _text(_HASH, entry.get("gateway"))
    how = _text(_HOW, entry.get("how"))
    alive, dead, interval = (_seconds(entry.get(name)) for name in ("alive", "dead", "interval"))
    measured = _seconds(entry.get("measured"), most=1e11)
    if network is None or gateway is None or how is None:
        return None
    if alive is None or dead is None or not interval or measured is None:
        return None
    return Timeout(
        network=network,
        gateway=gateway,
        alive=alive,
        dead=dead,
        how=how,
        interval=interval,
        measured=measured,
    )


def _text(form: re.Pattern[str], value: Any) -> str | None:
    return value if isinstance(value, str) and form.fullmatch(value) else None


def _seconds(value: Any, most: float = _LONGEST) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # An integer may be too large for a float.
    if not 0 <= value <= most or not math.isfinite(value):
        return None
    return float(value)


def encode(networks: Networks) -> bytes:
    """Return the file."""
    document = {
        "version": VERSION,
        "salt": networks.salt,
        "timeouts": [asdict(each) for each in networks.timeouts],
    }
    return json.dumps(document, indent=1).encode() + b"\n"
