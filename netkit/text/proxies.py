"""The URL of a proxy, as curl and PuTTY's users write it: ``socks5://[user@]host[:port]``."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote_to_bytes

from netkit.errors import UsageError
from netkit.model import Proxy
from netkit.text.endpoints import MAX_TEXT, check_host, parse_port, quoted, split_host_port

PORTS: Final = {"http": 0, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}
"""Schemes with the port that is meant where none is given; 0: it has to be given."""

_MAX_USER: Final = 255
"""Bytes; the length is a byte in SOCKS 5 (RFC 1929)."""


def parse_proxy(text: str) -> Proxy:
    """Return the proxy that a URL names.

    Raises:
        UsageError: it is no such URL, or holds a password.
    """
    if len(text) > MAX_TEXT:
        raise _bad(text, f"it is longer than {MAX_TEXT} characters")
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in PORTS:
        raise _bad(text, f"it has the form SCHEME://[USER@]HOST:PORT, SCHEME is {_schemes()}")
    authority, _, path = rest.partition("/")
    if path:
        raise _bad(text, "nothing follows the port of a proxy")
    user, _, place = authority.rpartition("@")
    host, port = split_host_port(place, "a proxy")
    check_host(host, place)
    if port is None and not PORTS[scheme]:
        raise _bad(text, f"HTTP proxies have no usual port: {scheme}://{authority}:3128")
    return Proxy(scheme, host, parse_port(port) if port else PORTS[scheme], _user(scheme, user))


def _user(scheme: str, text: str) -> str:
    if ":" in text:
        # the URL is in the list of processes and in files
        raise UsageError(
            "a proxy's URL must not hold a password",
            code="secret-in-argument",
            cause="everybody on this machine could read it; leave it out, netkit asks for it",
        )
    try:
        user = unquote_to_bytes(text).decode("utf-8")
    except UnicodeError:
        raise _bad(text, "the user name is no text") from None
    if scheme == "http" and ":" in user:
        raise _bad(f"{text}@", "Basic authentication knows no user name with a colon (RFC 7617)")
    if len(user.encode()) > _MAX_USER or any(ord(each) < 32 or ord(each) == 127 for each in user):
        raise _bad(text, "such a user name is not possible")
    return user


def _schemes() -> str:
    return ", ".join(list(PORTS)[:-1]) + f" or {list(PORTS)[-1]}"


def _bad(text: str, why: str) -> UsageError:
    # what stands before an @ may hold a password
    shown = quoted(text.rpartition("@")[2])
    return UsageError(f"{shown} is no proxy", code="bad-proxy", cause=why)
