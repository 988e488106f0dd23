"""macOS' table of TCP sockets: ``netstat -anvW -p tcp``, which knows every process without root.

The columns have changed: up to Sonoma ``rhiwat shiwat pid epid``, in Sequoia ``rxbytes txbytes``
before them, in Tahoe ``process:pid`` in the place of ``pid epid``.  The process is found by the
header, from the left where it is a number and from the right where its name may hold spaces.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from diagnostics.parsers.text import lines

MAX_ROWS = 100_000

_STATES = {
    "SYN_RCVD": "SYN_RECEIVED",
    **{
        name: name
        for name in (
            *("LISTEN", "ESTABLISHED", "SYN_SENT", "FIN_WAIT_1", "FIN_WAIT_2"),
            *("TIME_WAIT", "CLOSED", "CLOSE_WAIT", "LAST_ACK", "CLOSING"),
        )
    },
}
_WILDCARDS = {"tcp4": ("0.0.0.0",), "tcp6": ("::",), "tcp46": ("0.0.0.0", "::")}


@dataclass(frozen=True, slots=True)
class TcpRow:
    """One socket.  ``pid`` is None where the table does not name one."""

    host: str
    port: int
    peer_host: str
    peer_port: int
    state: str
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where the process is: words after the state, or words before the end; None: nowhere."""

    after_state: int | None = None
    before_end: int | None = None


def parse(data: bytes) -> tuple[TcpRow, ...]:
    """Return the rows; a listener for both families (``tcp46``) gives two."""
    found: list[TcpRow] = []
    columns = _Columns()
    for line in lines(data, MAX_ROWS, 1024):
        words = line.split()
        if "(state)" in line.lower():
            columns = _header(words)
        elif len(words) >= 6 and words[0] in _WILDCARDS and words[5] in _STATES:
            found += _rows(words, columns)
    return tuple(found)


def _header(words: list[str]) -> _Columns:
    lowered = [word.lower() for word in words]
    names = lowered[lowered.index("(state)") + 1 :] if "(state)" in lowered else []
    if "process:pid" in names:
        return _Columns(before_end=len(names) - names.index("process:pid"))
    return _Columns(after_state=names.index("pid") + 1) if "pid" in names else _Columns()


def _rows(words: list[str], columns: _Columns) -> list[TcpRow]:
    local, peer = _address(words[3]), _address(words[4])
    if local is None or peer is None:
        return []
    pid = _pid(words, columns)
    hosts = _WILDCARDS[words[0]] if local[0] == "*" else (local[0],)
    peer_host = "" if peer[0] == "*" else peer[0]
    return [TcpRow(host, local[1], peer_host, peer[1], _STATES[words[5]], pid) for host in hosts]


def _pid(words: list[str], columns: _Columns) -> int | None:
    word = ""
    if columns.after_state is not None and len(words) > 5 + columns.after_state:
        word = words[5 + columns.after_state]
    elif columns.before_end is not None and len(words) - columns.before_end > 5:
        word = words[len(words) - columns.before_end].rpartition(":")[2]
    return int(word) or None if word.isascii() and word.isdecimal() and len(word) < 11 else None


def _address(text: str) -> tuple[str, int] | None:
    """Return host and port of ``127.0.0.1.22``, ``::1.22``, ``*.22`` or ``*.*``."""
    host, _, port = text.rpartition(".")
    host = host.partition("%")[0]
    if host != "*":
        try:
            host = str(ipaddress.ip_address(host))
        except ValueError:
            return None
    if port == "*":
        return host, 0
    if not port.isascii() or not port.isdecimal() or len(port) > 5 or int(port) > 65535:
        return None
    return host, int(port)
