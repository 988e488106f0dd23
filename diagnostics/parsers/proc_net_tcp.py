"""Linux's table of TCP sockets: ``/proc/net/tcp`` and ``/proc/net/tcp6`` (proc(5))."""

from __future__ import annotations

import ipaddress
import sys
from dataclasses import dataclass

MAX_ROWS = 200_000

_STATES = {
    "01": "ESTABLISHED",
    "02": "SYN_SENT",
    "03": "SYN_RECEIVED",
    "04": "FIN_WAIT_1",
    "05": "FIN_WAIT_2",
    "06": "TIME_WAIT",
    "07": "CLOSED",
    "08": "CLOSE_WAIT",
    "09": "LAST_ACK",
    "0A": "LISTEN",
    "0B": "CLOSING",
    "0C": "SYN_RECEIVED",
}
"""<net/tcp_states.h>; TCP_NEW_SYN_RECV (0C) is a half-open connection like 03."""


@dataclass(frozen=True, slots=True)
class TcpRow:
    """One row.  ``inode`` 0: no process holds it (TIME_WAIT, or not yet accepted)."""

    host: str
    port: int
    peer_host: str
    peer_port: int
    state: str
    uid: int
    inode: int


def parse(data: bytes, byteorder: str = sys.byteorder) -> tuple[TcpRow, ...]:
    """Return the rows; what is no row is passed over.

    ``byteorder`` is that of the machine the table is of: addresses are printed as 32-bit words in
    its own order.
    """
    rows: list[TcpRow] = []
    hosts: dict[str, str] = {}
    for line in data.split(b"\n", MAX_ROWS + 2)[: MAX_ROWS + 1]:
        row = _row(line[:512], hosts, byteorder)
        if row is not None:
            rows.append(row)
    return tuple(rows[:MAX_ROWS])


def _row(line: bytes, hosts: dict[str, str], byteorder: str) -> TcpRow | None:
    words = line.decode("ascii", "replace").split()
    if len(words) < 10 or not words[0].endswith(":") or words[3].upper() not in _STATES:
        return None
    try:
        host, port = _address(words[1], hosts, byteorder)
        peer_host, peer_port = _address(words[2], hosts, byteorder)
        uid, inode = _number(words[7]), _number(words[9])
    except ValueError:
        return None
    return TcpRow(host, port, peer_host, peer_port, _STATES[words[3].upper()], uid, inode)


def _number(word: str) -> int:
    if not word.isascii() or not word.isdecimal() or len(word) > 20:
        raise ValueError(word)
    return int(word)


def _address(word: str, hosts: dict[str, str], byteorder: str) -> tuple[str, int]:
    text, colon, port = word.partition(":")
    if not colon or len(port) != 4 or len(text) not in (8, 32):
        raise ValueError(word)
    host = hosts.get(text)
    if host is None:
        host = hosts[text] = _host(bytes.fromhex(text), byteorder)
    return host, int.from_bytes(bytes.fromhex(port), "big")


def _host(data: bytes, byteorder: str) -> str:
    if byteorder == "little":
        data = b"".join(data[at : at + 4][::-1] for at in range(0, len(data), 4))
    if len(data) == 4:
        return str(ipaddress.IPv4Address(data))
    address = ipaddress.IPv6Address(data)
    mapped = address.ipv4_mapped
    return f"::ffff:{mapped}" if mapped is not None else str(address)
