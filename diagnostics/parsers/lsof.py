"""TCP sockets of the processes that lsof may look into: ``lsof -nPw -iTCP -FpuftnT``.

Each line is one field, named by its first character (lsof(8), OUTPUT FOR OTHER PROGRAMS): ``p``
and ``u`` open a process, ``f`` opens a descriptor of it, ``t`` is its type, ``n`` its name and
``TST=`` its state.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from diagnostics.parsers.text import lines

ARGUMENTS = ("-nPw", "-iTCP", "-FpuftnT")

_MAX_LINES = 400_000
_STATES = {
    "SYN_RCVD": "SYN_RECEIVED",
    "SYN_RECV": "SYN_RECEIVED",
    "SYN_RCDV": "SYN_RECEIVED",
    "FIN_WAIT1": "FIN_WAIT_1",
    "FIN_WAIT2": "FIN_WAIT_2",
    "CLOSE": "CLOSED",
}


@dataclass(frozen=True, slots=True)
class TcpRow:
    """One socket of one process."""

    host: str
    port: int
    peer_host: str
    peer_port: int
    state: str
    pid: int
    uid: int | None


def parse(data: bytes) -> tuple[TcpRow, ...]:
    """Return the sockets; one that several processes hold is named for the first of them."""
    found: dict[tuple[str, int, str, int, str], TcpRow] = {}
    for pid, uid, fields in _descriptors(data):
        row = _row(pid, uid, fields)
        if row is not None:
            key = (row.host, row.port, row.peer_host, row.peer_port, row.state)
            found.setdefault(key, row)
    return tuple(found.values())


def _descriptors(data: bytes) -> Iterator[tuple[int, int | None, dict[str, str]]]:
    """Yield (pid, uid, fields) of every descriptor."""
    pid: int | None = None
    uid: int | None = None
    fields: dict[str, str] | None = None
    for line in (*lines(data, _MAX_LINES, 1024), "p"):
        name, value = line[:1], line[1:]
        if name in ("p", "f") and fields is not None and pid is not None:
            yield pid, uid, fields
            fields = None
        if name == "p":
            pid, uid = _number(value), None
        elif name == "u":
            uid = _number(value)
        elif name == "f":
            fields = {}
        elif name == "T" and fields is not None:
            what, _, value = value.partition("=")
            fields[f"T{what}"] = value
        elif fields is not None:
            fields[name] = value


def _row(pid: int, uid: int | None, fields: dict[str, str]) -> TcpRow | None:
    wildcard = {"IPv4": "0.0.0.0", "IPv6": "::"}.get(fields.get("t", ""))
    if wildcard is None:
        return None
    local_text, arrow, peer_text = fields.get("n", "").partition("->")
    local = _address(local_text, wildcard)
    peer = _address(peer_text, wildcard) if arrow else ("", 0)
    if local is None or peer is None:
        return None
    state = fields.get("TST", "")[:32].upper()
    state = _STATES.get(state, state) or ("ESTABLISHED" if arrow else "CLOSED")
    return TcpRow(*local, *peer, state, pid, uid)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 11 else None


def _address(text: str, wildcard: str) -> tuple[str, int] | None:
    """Return host and port of ``127.0.0.1:22``, ``[::1]:22``, ``*:22`` or ``*:*``."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]").partition("%")[0]
    if host == "*":
        host = wildcard
    else:
        try:
            host = str(ipaddress.ip_address(host))
        except ValueError:
            return None
    number = 0 if port == "*" else _number(port)
    return None if number is None or number > 65535 else (host, number)
