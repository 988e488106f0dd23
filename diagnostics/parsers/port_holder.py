"""Who listens on a port of the gateway, as a shell there sees it.

An account other than root may not see which process holds the listener of another session, not even
of its own one: sshd's processes are closed to their users.  The kernel's table tells at least the
account, and the titles of sshd's processes whose sessions there are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from diagnostics.parsers import proc_net_tcp
from diagnostics.parsers.gateway_survey import (
    LIST_PROCESSES,
    LIST_SERVERS,
    START,
    GatewayAccount,
    GatewayProcess,
    parse_account,
    parse_processes,
    parse_servers,
    parts,
)
from diagnostics.parsers.text import clean
from netkit.model import Endpoint

_USERS = re.compile(r'\("([^"]{1,64})",pid=([0-9]{1,10}),')
_PLACE = re.compile(r"\[?([0-9A-Fa-f:.*]{1,45})(?:%[^\s\]:]{1,16})?\]?:([0-9]{1,5})\Z")
_MAX_ROWS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """One listening socket.  ``pid`` and ``name`` are known to root, and for own processes."""

    host: str
    uid: int | None = None
    pid: int | None = None
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who listens on ``port``.

    Attributes:
        account: who we are there.
        readable: whether the gateway shows its listeners at all.
        listeners: one for each socket; none where the port is free.
        sessions: of other SSH connections, as `Survey.sessions`.
        clients: (pid, the other end) of SSH connections that the gateway shows us.
    """

    port: int
    account: GatewayAccount = field(default_factory=GatewayAccount)
    readable: bool = False
    listeners: tuple[Listener, ...] = ()
    sessions: tuple[GatewayProcess, ...] = ()
    clients: tuple[tuple[int, Endpoint], ...] = ()

    def client_of(self, pid: int) -> Endpoint | None:
        """Return where the client of the session ``pid`` is."""
        return next((end for holder, end in self.clients if holder == pid), None)


def ask(port: int) -> str:
    """Return the command that shows who listens on ``port``."""
    number = f"{port & 0xFFFF:04X}"
    return (
        f"sh -c '{START}; PATH=$PATH:/usr/sbin:/usr/local/sbin:/sbin;"
        " if [ -r /proc/net/tcp ]; then echo netkit-part readable; fi;"
        " echo netkit-part table;"
        f' grep -ih ":{number} [0-9A-F]*:0000 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null;'
        f' echo netkit-part ss; ss -Hltnp "sport = :{port & 0xFFFF}" 2>/dev/null;'
        f" echo netkit-part processes; {LIST_PROCESSES};"
        f" echo netkit-part servers; {LIST_SERVERS};"
        " echo netkit-part clients;"
        ' ss -Htnp state established 2>/dev/null | grep -E "sshd|dropbear" | head -n 300;'
        " echo netkit-part end'"
    )


def parse_holder(data: bytes, port: int) -> Holder | None:
    """Read the answer to `ask`; None where no shell gave it, or it knows no table of sockets."""
    found = parts(data)
    if found is None:
        return None
    processes = parse_processes(found.get("processes", []))
    servers = parse_servers(found.get("servers", []))
    listeners = _listeners(found.get("table", []), found.get("ss", []), port)
    return Holder(
        port=port,
        account=parse_account(found.get("id", [])),
        readable="readable" in found or bool(listeners),
        listeners=listeners,
        sessions=tuple(each for each in processes if each.user and each.pid not in servers),
        clients=_clients(found.get("clients", [])),
    )


def _listeners(table: list[str], ss: list[str], port: int) -> tuple[Listener, ...]:
    """Join the kernel's table, which has accounts, with what ss adds of processes."""
    data = "\n".join(table[:_MAX_ROWS]).encode()
    # A table of a big-endian gateway shows its addresses turned round; the port is right.
    rows = [row for row in proc_net_tcp.parse(data, "little") if row.port == port]
    found = {row.host: Listener(host=row.host, uid=row.uid) for row in rows}
    for line in ss[:_MAX_ROWS]:
        words = line.split(None, 5)
        place = _place(words[3]) if len(words) > 3 else None
        if place is None or place.port != port:
            continue
        users = _USERS.search(words[5]) if len(words) > 5 else None
        host = {"*": "::"}.get(place.host, place.host)
        known = found.get(host)
        found[host] = Listener(
            host=host,
            uid=known.uid if known else None,
            pid=int(users[2]) if users else None,
            name=clean(users[1], 64) if users else "",
        )
    return tuple(found.values())


def _clients(rows: list[str]) -> tuple[tuple[int, Endpoint], ...]:
    """Read ``received sent local peer users`` of established connections."""
    found = []
    for line in rows[:_MAX_ROWS]:
        words = line.split(None, 4)
        peer = _place(words[3]) if len(words) == 5 else None
        if peer is not None:
            found += [(int(pid), peer) for _, pid in _USERS.findall(words[4][:2000])]
    return tuple(found[:_MAX_ROWS])


def _place(word: str) -> Endpoint | None:
    found = _PLACE.match(word)
    if found is None:
        return None
    host = found[1].removeprefix("::ffff:") if "." in found[1] else found[1]
    return Endpoint(host, int(found[2]))
