"""Proxy URLs and NO_PROXY as curl(1) reads them, which is stricter than most."""

from __future__ import annotations

import ipaddress
import re

from diagnostics.parsers.addresses import literal

_MAX_ENTRIES = 500
_PROXY = re.compile(r"(?:[a-zA-Z][a-zA-Z0-9+.-]{0,15}://)?(?:[^@/\s]*@)?(\[[^\]]*\]|[^:/\s]*)")


def bypasses(no_proxy: str, host: str) -> bool:
    """Return whether ``host``, a name or an IP literal, is reached without the proxy.

    curl(1), section ENVIRONMENT: names separated by commas or blanks, a domain covers what is
    below it, ``*`` covers everything, and since 7.86 a CIDR network covers its addresses.
    """
    wanted = host.lower().rstrip(".")
    address = literal(wanted)
    for entry in re.split(r"[,\s]+", no_proxy[:65536])[:_MAX_ENTRIES]:
        name = entry.lower().strip("[]").rstrip(".")
        if name == "*":
            return True
        if address is not None:
            if _covers(name, address):
                return True
        elif name and (wanted == name.lstrip(".") or wanted.endswith("." + name.lstrip("."))):
            return True
    return False


def _covers(entry: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def proxy_host(url: str) -> str:
    """Return the host in a proxy variable, with or without a scheme and a password before it."""
    match = _PROXY.match(url[:2048].strip())
    return match[1].strip("[]").lower() if match else ""
