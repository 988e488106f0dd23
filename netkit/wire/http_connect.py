"""The server side of an HTTP proxy (sans-IO): CONNECT, and plain http:// requests.

Sources: RFC 9110 section 9.3.6 (CONNECT), RFC 9112 section 3.2.2 (absolute-form), RFC 9209
(Proxy-Status).  Requests in origin-form, as a browser sends to a web server, are refused: a web
page could otherwise reach through a proxy on loopback by pointing its own name there.
"""

from __future__ import annotations

from http import HTTPStatus

from netkit.model import Endpoint
from netkit.wire.handshake import (
    HANDSHAKE_LIMIT,
    NEED_MORE,
    ProxyEvent,
    Refused,
    Request,
)
from netkit.wire.http_head import (
    Field,
    HeadError,
    RequestLine,
    check_fields,
    origin_head,
    parse_absolute,
    parse_authority,
    parse_field,
    parse_request_line,
)
from netkit.wire.open_failures import Failure
from netkit.wire.untrusted import printable

# Status, and error type of RFC 9209 section 2.3.
_FAILURES = {
    Failure.PROHIBITED: (403, "http_request_denied"),
    Failure.RULED_OUT: (403, "http_request_denied"),
    Failure.REFUSED: (502, "connection_refused"),
    Failure.UNREACHABLE: (502, "destination_ip_unroutable"),
    Failure.NETWORK_UNREACHABLE: (502, "destination_ip_unroutable"),
    Failure.TIMED_OUT: (504, "connection_timeout"),
    Failure.NAME: (502, "dns_error"),
    Failure.UNSUPPORTED: (501, "proxy_configuration_error"),
    Failure.SHORTAGE: (503, "connection_limit_reached"),
    Failure.LINK_DOWN: (503, "connection_terminated"),
    Failure.OTHER: (502, "destination_unavailable"),
}
_BAD_REQUEST = "http_request_error"


class HttpServer:
    """One request: the head is read line by line, then judged as a whole."""

    def __init__(self) -> None:
        self.leading = b""
        self._line_start = 0
        self._searched = 0
        self._line: RequestLine | None = None
        self._fields: list[Field] = []
        self._target: Endpoint | None = None

    def take_output(self) -> bytes:
        """Return nothing: HTTP says nothing before its response."""
        return b""

    def advance(self, buffer: bytearray) -> ProxyEvent:
        """Read complete lines; at the empty one, take the head off ``buffer`` and judge it."""
        try:
            while True:
                end = buffer.find(b"\n", self._searched, HANDSHAKE_LIMIT)
                if end < 0:
                    self._searched = len(buffer)
                    return NEED_MORE if len(buffer) < HANDSHAKE_LIMIT else self._too_large()
                line = bytes(buffer[self._line_start : end])
                self._line_start = self._searched = end + 1
                if not line.endswith(b"\r"):
                    raise HeadError("a line ends in LF without CR")
                if line == b"\r":
                    break
                self._take_line(line[:-1])
            del buffer[: self._line_start]
            return self._judge()
        except HeadError as error:
            return self._refuse(error.status, str(error))

    def succeeded(self, _bound: Endpoint | None, /) -> bytes:
        """Return the 200 of a CONNECT; a plain request is answered by the origin server."""
        return b"" if self.leading else b"HTTP/1.1 200 Connection established\r\n\r\n"

    def failed(self, failure: Failure, text: str, /) -> bytes:
        """Return an error response; before the request is complete, a time-out is the client's."""
        cause = failure.value + (f" ({printable(text)})" if text else "")
        status, error = _FAILURES[failure]
        if self._target is not None:
            return self._respond(status, error, f"cannot reach {self._target}: {cause}")
        if failure is Failure.TIMED_OUT:
            return self._respond(408, _BAD_REQUEST, "no complete request came in time")
        return self._respond(status, error, cause)

    def _take_line(self, line: bytes) -> None:
        if self._line is None:
            self._line = parse_request_line(line)
        else:
            self._fields.append(parse_field(line))

    def _judge(self) -> ProxyEvent:
        if self._line is None:
            raise HeadError("this is not an HTTP request")
        check_fields(self._fields)
        if self._line.method == b"CONNECT":
            self._target = parse_authority(self._line.target, None)
            return Request(self._target, "http-connect")
        origin = parse_absolute(self._line)
        self.leading = origin_head(self._line, origin, self._fields)
        self._target = origin.target
        return Request(self._target, "http")

    def _too_large(self) -> Refused:
        status = 414 if self._line is None else 431
        text = f"the request head is longer than {HANDSHAKE_LIMIT} bytes"
        return Refused(
            "proxy-request-too-large",
            f"HTTP request refused: {text}",
            self._respond(status, _BAD_REQUEST, text),
        )

    def _refuse(self, status: int, text: str) -> Refused:
        return Refused(
            "proxy-request-malformed",
            f"HTTP request refused: {text}",
            self._respond(status, _BAD_REQUEST, text),
        )

    def _respond(self, status: int, error: str, text: str) -> bytes:
        body = f"netkit: {text}\n".encode()
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
            f"Proxy-Status: netkit; error={error}\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            "X-Content-Type-Options: nosniff\r\n"
            "Cache-Control: no-store\r\n"
            f"Content-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        # The response to HEAD ends with its head (RFC 9110 section 9.3.2).
        bodyless = self._line is not None and self._line.method == b"HEAD"
        return head.encode() + (b"" if bodyless else body)
