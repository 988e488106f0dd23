"""The head of a request to an HTTP proxy, read strictly and rewritten for the origin server.

Sources: RFC 9112 (HTTP/1.1 messages), RFC 9110 (fields, CONNECT), RFC 3986 (URIs).  What two
readers could take for two different things is refused instead of mended: bare LF, folded lines,
space before a colon, control characters, two hosts, two lengths.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from netkit.model import Endpoint
from netkit.wire.handshake import NAME_LIMIT

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_REQUEST_LINE = re.compile(
    rb"([A-Za-z]" + _TOKEN + rb"{0,31}) ([!-~\x80-\xff]+) (HTTP/[0-9]\.[0-9])"
)
_FIELD = re.compile(rb"(" + _TOKEN + rb"+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_AUTHORITY = re.compile(rb"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._~-]+))(?::([0-9]{0,5}))?")

_HOP_BY_HOP = frozenset((b"connection", b"keep-alive", b"te", b"upgrade", b"host"))
# A client may declare any field hop-by-hop; without these the body would have no end.
_FRAMING = frozenset((b"content-length", b"transfer-encoding"))


class HeadError(ValueError):
    """The head cannot be served; ``status`` is the HTTP status that says so."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class RequestLine:
    """``method target version``, each as the client sent it."""

    method: bytes
    target: bytes
    version: bytes


@dataclass(frozen=True, slots=True)
class Field:
    """One header field; ``name`` keeps the client's spelling, ``value`` is trimmed."""

    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class OriginRequest:
    """An absolute-form target taken apart: whom to connect to, and what to ask there."""

    target: Endpoint
    authority: bytes
    path: bytes


def parse_request_line(line: bytes) -> RequestLine:
    """Parse a line without its CRLF; raises HeadError."""
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise HeadError("this is not an HTTP request")
    method, target, version = match.groups()
    if version not in (b"HTTP/1.0", b"HTTP/1.1"):
        raise HeadError("only HTTP/1.0 and HTTP/1.1 are spoken here", 505)
    return RequestLine(method, target, version)


def parse_field(line: bytes) -> Field:
    """Parse a header line without its CRLF; raises HeadError."""
    match = _FIELD.fullmatch(line)
    if match is None:
        raise HeadError("a header line is malformed")
    return Field(match[1], match[2].rstrip(b" \t"))


def parse_authority(text: bytes, default_port: int | None) -> Endpoint:
    """Parse ``host[:port]`` or ``[v6][:port]``; raises HeadError.

    Without ``default_port`` the port must be there, as in a CONNECT request.
    """
    if b"@" in text:
        raise HeadError("the address holds a user name; send it in an Authorization header")
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        raise HeadError("the address is not host:port or [IPv6]:port")
    literal, name, digits = match.groups()
    if literal is not None:
        try:
            ipaddress.IPv6Address(literal.decode())
        except ValueError:
            raise HeadError("the address in brackets is not IPv6") from None
    host = literal or name
    if len(host) > NAME_LIMIT:
        raise HeadError(f"the host name is longer than {NAME_LIMIT} characters")
    port = int(digits) if digits else default_port
    if port is None or not 0 < port <= 0xFFFF:
        raise HeadError("the port is missing or not between 1 and 65535")
    return Endpoint(host.decode(), port)


def parse_absolute(line: RequestLine) -> OriginRequest:
    """Take apart the ``http://host[:port][/path][?query]`` of a request; raises HeadError."""
    if line.target.startswith(b"/") or line.target == b"*":
        raise HeadError(
            "this is a proxy port (SOCKS 4, 4a, 5 and HTTP), not a web server; "
            "set it as the proxy of your program"
        )
    if line.target[:7].lower() != b"http://":
        raise HeadError("only CONNECT and http:// addresses are served (use CONNECT for https)")
    if b"#" in line.target:
        raise HeadError("the address holds a fragment (#), which is never sent to a server")
    rest = line.target[7:]
    authority = re.split(rb"[/?]", rest, maxsplit=1)[0]
    path = rest[len(authority) :]
    if not path and line.method == b"OPTIONS":
        path = b"*"  # RFC 9112 section 3.2.4
    elif not path.startswith(b"/"):
        path = b"/" + path
    return OriginRequest(parse_authority(authority, 80), authority, path)


def check_fields(fields: list[Field]) -> None:
    """Refuse heads that say two things at once (RFC 9112 sections 3.2 and 6.3)."""
    names = [field.name.lower() for field in fields]
    if names.count(b"host") > 1:
        raise HeadError("the request has more than one Host header")
    lengths = [field.value for field in fields if field.name.lower() == b"content-length"]
    if len(lengths) + (b"transfer-encoding" in names) > 1:
        raise HeadError("the length of the request body is stated more than once")
    if lengths and not re.fullmatch(rb"[0-9]{1,19}", lengths[0]):
        raise HeadError("Content-Length is not a number")


def origin_head(line: RequestLine, request: OriginRequest, fields: list[Field]) -> bytes:
    """Return the head for the origin server: origin-form, its own Host, nothing hop-by-hop.

    ``Connection: close`` makes one connection serve one request: a later request of the client
    may go to another host, and the relay behind this head looks at no further bytes.  There is
    no Via field: it would tell the origin of the tunnel, and some servers then stop compressing.
    The client's version stays, since the origin's answer goes to it untouched.
    """
    dropped = set(_HOP_BY_HOP)
    for field in fields:
        if field.name.lower() == b"connection":
            dropped.update(option.strip(b" \t").lower() for option in field.value.split(b","))
    dropped -= _FRAMING
    lines = [
        b" ".join((line.method, request.path, line.version)),
        b"Host: " + request.authority,
        *(
            field.name + b": " + field.value
            for field in fields
            if field.name.lower() not in dropped and not field.name.lower().startswith(b"proxy-")
        ),
        b"Connection: close",
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"
