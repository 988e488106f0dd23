"""The link-layer address of a neighbour: ``/proc/net/arp``, ``arp -n``, ``arp -a``, ``ip neigh``.

Read by shape alone: a line with the address as a word of its own, and a MAC address in it.
"""

from __future__ import annotations

import re

from diagnostics.parsers.text import lines

_MAC = re.compile(r"[0-9A-Fa-f]{1,2}(?:[:-][0-9A-Fa-f]{1,2}){5}")
_BRACKETS = str.maketrans("()", "  ")


def mac_of(data: bytes, address: str) -> str:
    """Return the MAC address of ``address``, like ``00:1b:2c:…``; empty: it is not known."""
    for line in lines(data, 10_000, 512):
        words = line.translate(_BRACKETS).split()
        if address not in (word.partition("%")[0] for word in words):
            continue
        for word in words:
            if _MAC.fullmatch(word) and (mac := _plain(word)):
                return mac
    return ""


def _plain(mac: str) -> str:
    """Return it in one form; macOS leaves out leading zeros.  All zeros: not known yet."""
    parts = [part.zfill(2).lower() for part in re.split("[:-]", mac)]
    return ":".join(parts) if set(parts) != {"00"} else ""
