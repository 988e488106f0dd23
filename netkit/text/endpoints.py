"""Endpoints, gateways and bind addresses: what the user writes, and back.

The grammar is that of ssh(1) and of URLs: ``host:port``, ``[v6]:port``, ``user@host``,
``ssh://user@host:port``.  Everything is refused that could not be a host name and might mean
something to a shell, an option parser or a terminal.
"""

from __future__ import annotations

import ipaddress
import urllib.parse

from netkit.errors import UsageError
from netkit.model import Address, Endpoint, Fix, Gateway, UnixPath

MAX_TEXT = 1024
"""Longest text looked at, in characters."""

MAX_HOST = 255
"""Longest host name, in characters (RFC 1035 section 2.3.4)."""

UNIX_PATH_LIMITS = {"macOS and the BSDs": 103, "Linux": 107}
"""Longest path of a unix socket in bytes: ``sun_path`` less its terminating NUL."""

# What ssh(1) refuses in a host name of the command line: a shell may see it (ProxyCommand).
_HOST_FORBIDDEN = frozenset("'`\"$\\;&<>|(){}[]@,/")
_USER_FORBIDDEN = frozenset("'`\";&<>|(){}")


def bad_text(what: str, text: str, why: str, *, fixes: tuple[Fix, ...] = ()) -> UsageError:
    """Return the error for a text that is not a ``what``; ``why`` is the likely cause."""
    return UsageError(f"{quoted(text)} is not {what}", code="bad-address", cause=why, fixes=fixes)


def quoted(text: str) -> str:
    """Return ``text`` quoted for a message: short, and without control characters."""
    shown = text if len(text) <= 80 else text[:77] + "..."
    return repr(shown)


def parse_port(text: str, *, zero: bool = False) -> int:
    """Parse a port number, 1..65535, or 0 as well if ``zero``.

    Raises:
        UsageError: it is no decimal number, or out of range.
    """
    lowest = 0 if zero else 1
    # Longer than any port, and bounded before int() sees it.
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise bad_text("a port", text, f"a port is a number from {lowest} to 65535")
    port = int(text)
    if not lowest <= port <= 65535:
        raise bad_text("a port", text, f"a port is a number from {lowest} to 65535")
    return port


def parse_endpoint(text: str, *, zero: bool = False) -> Endpoint:
    """Parse ``host:port`` or ``[v6]:port``; port 0 is allowed if ``zero``.

    Raises:
        UsageError: no port, a port out of range, or no possible host name.
    """
    what = "HOST:PORT"
    _check_text(text, what)
    host, port = split_host_port(text, what)
    if port is None:
        raise bad_text(what, text, "the port is missing, as in db.example:5432")
    if not host:
        raise bad_text(what, text, "the host is missing, as in db.example:5432")
    return Endpoint(check_host(host, text), parse_port(port, zero=zero))


def parse_bind(text: str) -> Address:
    """Parse a listening point: ``addr:port``, ``:port``, ``*:port``, ``port`` or ``/path``.

    An absent address gives host ``""`` (both loopbacks), an empty one or ``*`` gives ``*``.
    Port 0 means "choose one".

    Raises:
        UsageError: it is none of these.
    """
    what = "ADDRESS:PORT"
    _check_text(text, what)
    if "/" in text:
        return parse_unix_path(text)
    if text.isascii() and text.isdigit():
        return Endpoint("", parse_port(text, zero=True))
    host, port = split_host_port(text, what)
    if port is None:
        raise bad_text(what, text, "the port is missing, as in 127.0.0.2:3389")
    return Endpoint(check_bind_host(host, text), parse_port(port, zero=True))


def parse_gateway(text: str) -> Gateway:
    """Parse ``[user@]host[:port]`` or ``ssh://[user@]host[:port]``; a bare v6 address has no port.

    Raises:
        UsageError: it is neither, or could be mistaken for an option or hurt a shell.
    """
    what = "a gateway"
    _check_text(text, what)
    if text[:6].lower() == "ssh://":
        return _parse_url(text)
    user, at, rest = text.rpartition("@")
    host, port = split_host_port(rest, what)
    return Gateway(
        host=check_host(host, text),
        user=check_user(user, text) if at else None,
        port=None if port is None else parse_port(port),
    )


def parse_unix_path(text: str) -> UnixPath:
    """Return the path of a unix socket.

    Raises:
        UsageError: it is empty, longer than any system allows, or holds control characters.
    """
    if not text or any(ord(character) < 32 or character == "\x7f" for character in text):
        raise bad_text("a socket path", text, "it is empty or holds control characters")
    try:
        size = len(text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        raise bad_text("a socket path", text, "it is no UTF-8 text") from None
    longest = max(UNIX_PATH_LIMITS.values())
    if size > longest:
        limits = ", ".join(f"{limit} on {name}" for name, limit in UNIX_PATH_LIMITS.items())
        raise UsageError(
            f"socket path {quoted(text)} is too long: {size} bytes",
            code="socket-path-too-long",
            cause=f"the longest path of a unix socket is, in bytes, {limits}",
        )
    return UnixPath(text)


def split_host_port(text: str, what: str) -> tuple[str, str | None]:
    """Split ``host[:port]``, ``[host][:port]`` or a bare v6 address, nothing checked yet.

    Raises:
        UsageError: brackets do not match.
    """
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise bad_text(what, text, "brackets enclose the whole address, as in [::1]:22")
        return host, rest[1:] if rest else None
    if text.count(":") > 1:
        if is_ipv6(text):
            return text, None
        raise bad_text(what, text, "an IPv6 address with a port is written [::1]:22")
    host, colon, port = text.partition(":")
    return host, port if colon else None


def check_host(host: str, text: str) -> str:
    """Return ``host`` if it can be a host name or a literal address; ``text`` is for the message.

    Raises:
        UsageError: it cannot.
    """
    if not host:
        raise bad_text("an address", text, "the host is missing")
    if len(host) > MAX_HOST:
        raise bad_text("an address", text, f"a host name has at most {MAX_HOST} characters")
    if host.startswith("-"):
        raise bad_text("an address", text, "a host that begins with '-' would be an option to ssh")
    for character in host:
        if character.isspace() or not character.isprintable() or character in _HOST_FORBIDDEN:
            raise bad_text("an address", text, f"a host name cannot hold {character!r}")
    if ":" in host and not is_ipv6(host):
        raise bad_text("an address", text, f"{quoted(host)} is no IPv6 address")
    return host


def check_bind_host(host: str, text: str) -> str:
    """Return the host of a bind address; an empty one and ``*`` are the wildcard ``*``."""
    return "*" if host in ("", "*") else check_host(host, text)


def check_user(user: str, text: str) -> str:
    """Return ``user`` if ssh(1) would take it as a login name.

    Raises:
        UsageError: it is empty, begins with '-' or could hurt a shell.
    """
    if not user:
        raise bad_text("a gateway", text, "the user before '@' is missing")
    if user.startswith("-") or " -" in user or user.endswith("\\"):
        raise bad_text("a gateway", text, "the user name could be mistaken for an option")
    for character in user:
        if not character.isprintable() or character in _USER_FORBIDDEN:
            raise bad_text("a gateway", text, f"a user name cannot hold {character!r}")
    return user


def is_ipv6(text: str) -> bool:
    """Tell whether ``text`` is an IPv6 literal, with or without a zone."""
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _check_text(text: str, what: str) -> None:
    if not text:
        raise bad_text(what, text, "it is empty")
    if len(text) > MAX_TEXT:
        raise bad_text(what, text, f"it is longer than {MAX_TEXT} characters")


def _parse_url(text: str) -> Gateway:
    what = "a gateway"
    rest = text[6:].removesuffix("/")
    raw_user, at, rest = rest.rpartition("@")
    if at and ":" in raw_user:
        # The text is not shown: it holds a password.
        raise UsageError(
            "a gateway's URL cannot hold a password",
            code="password-in-url",
            cause="other users of this machine could read it",
        )
    host, port = split_host_port(rest, what)
    user = None
    if at:
        # RFC 3986 section 2.1; what ';' introduces are parameters that ssh ignores.
        user = check_user(urllib.parse.unquote(raw_user.partition(";")[0]), text)
    host = check_host(host, text)
    return Gateway(host=host, user=user, port=None if port is None else parse_port(port))
