"""The first words of an RDP, VNC or web server: what to say and what they answer; pure.

RDP: an X.224 connection request in a TPKT, answered by a connection confirm (MS-RDPBCGR 2.2.1.1 and
2.2.1.2, RFC 1006).  VNC: the server says its version first (RFC 6143 section 7.1.1).  HTTP: a HEAD
request (RFC 9112), which any answer but silence settles.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from netkit.desktop.clients import Kind

MAX_ANSWER = 4096
"""Bytes of an answer that are looked at."""

_TLS, _NLA, _NLA_EARLY = 1, 2, 8
_PROTOCOLS = {
    0: "standard RDP security",
    _TLS: "TLS",
    _NLA: "network level authentication",
    4: "RDSTLS",
    _NLA_EARLY: "network level authentication",
}
_CONFIRM, _DISCONNECT = 0xD0, 0x80
_RESPONSE = 2


@dataclass(frozen=True, slots=True)
class Heard:
    """What a server's first bytes mean.

    ``ok``: it is a server of the kind asked for.  ``text`` says what it is: "RDP, network level
    authentication", or what else seems to answer.
    """

    ok: bool
    text: str


def question(kind: Kind, *, host: str = "", path: str = "/") -> bytes:
    """Return what the client says first; nothing for VNC, where the server begins.

    ``host`` and ``path`` are for HTTP and must hold no control characters.
    """
    match kind:
        case Kind.RDP:
            return _connection_request()
        case Kind.HTTP:
            lines = (f"HEAD {path} HTTP/1.1", f"Host: {host}", "User-Agent: netkit", "Accept: */*")
            return "\r\n".join((*lines, "Connection: close", "", "")).encode("ascii", "replace")
        case Kind.VNC:
            return b""


def _connection_request() -> bytes:
    # The cookie is what mstsc sends, too; it also ends the line that a text protocol waits for.
    cookie = b"Cookie: mstshash=netkit\r\n"
    wanted = (_TLS | _NLA | _NLA_EARLY).to_bytes(4, "little")
    variable = cookie + b"\x01\x00\x08\x00" + wanted
    header = bytes((6 + len(variable), 0xE0, 0, 0, 0, 0, 0))
    length = 4 + len(header) + len(variable)
    return b"\x03\x00" + length.to_bytes(2, "big") + header + variable


def hear(kind: Kind, data: bytes) -> Heard | None:
    """Return what ``data``, the beginning of an answer, means; None while more has to come."""
    heard = _READERS[kind](data)
    if heard is None and len(data) >= MAX_ANSWER:
        return Heard(False, what_speaks(data))
    return heard


def _rdp(data: bytes) -> Heard | None:
    if data[:1] not in (b"", b"\x03"):
        return _other(data)
    if len(data) < 7:
        return None
    length = int.from_bytes(data[2:4], "big")
    if not 11 <= length <= MAX_ANSWER:
        return Heard(False, what_speaks(data))
    if len(data) < length:
        return None
    kind = data[5] & 0xF0
    if kind == _DISCONNECT:
        return Heard(False, "an RDP server that refuses the connection")
    if kind != _CONFIRM:
        return Heard(False, what_speaks(data))
    if length >= 19 and data[11] == _RESPONSE:
        chosen = int.from_bytes(data[15:19], "little")
        return Heard(True, f"RDP, {_PROTOCOLS.get(chosen, f'protocol {chosen}')}")
    return Heard(True, "RDP")  # before Windows 2003 SP 1 there was nothing to negotiate


def _vnc(data: bytes) -> Heard | None:
    if not b"RFB ".startswith(data[:4]):
        return _other(data)
    if len(data) < 12:
        return None
    found = re.fullmatch(rb"RFB (\d{3})\.(\d{3})\n", data[:12])
    if found is None:
        return Heard(False, what_speaks(data))
    return Heard(True, f"VNC, RFB {int(found[1])}.{int(found[2])}")


def _http(data: bytes) -> Heard | None:
    if not b"HTTP/".startswith(data[:5]):
        return _other(data)
    if b"\n" not in data:
        return None
    found = re.match(rb"HTTP/\d(?:\.\d)? (\d{3})(?: [^\r\n]*)?\r?\n", data)
    if found is None:
        return Heard(False, what_speaks(data))
    server = re.search(rb"\r?\nServer:[ \t]*([!-~ ]{1,60})", data, re.IGNORECASE)
    name = f", {server[1].decode('ascii').strip()}" if server else ""
    return Heard(True, f"HTTP, status {found[1].decode('ascii')}{name}")


def _other(data: bytes) -> Heard | None:
    """Return what speaks another protocol, once enough of it is there to name it."""
    return Heard(False, what_speaks(data)) if len(data) >= 5 or data[:1] > b"\x7f" else None


_READERS: dict[Kind, Callable[[bytes], Heard | None]] = {
    Kind.RDP: _rdp,
    Kind.VNC: _vnc,
    Kind.HTTP: _http,
}


def what_speaks(data: bytes) -> str:
    """Return what seems to be speaking."""
    for start, name in (
        (b"HTTP/", "a web server"),
        (b"<!DOCTYPE", "a web server"),  # an answer to what it takes for HTTP 0.9
        (b"<html", "a web server"),
        (b"SSH-", "an SSH server"),
        (b"RFB ", "a VNC server"),
        (b"\x03\x00", "an RDP server"),
        (b"\x15\x03", "a server that speaks TLS"),
        (b"\x16\x03", "a server that speaks TLS"),
        (b"220", "a mail or FTP server"),
    ):
        if data.startswith(start):
            return name
    if not data:
        return "nothing"
    shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data[:24])
    return f"something that says {shown!r}"
