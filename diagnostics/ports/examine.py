"""The shared probe of the checks about local ports: the table, a bind, and a nonce per address.

None of the three is believed alone: on Windows and the BSDs a bind may succeed in front of another
listener, the table does not show what is bound without listening, and neither knows of rules that
divert connections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from diagnostics.model import Target
from diagnostics.parsers.addresses import literal
from diagnostics.ports import points
from diagnostics.ports.holders import Holder, identify
from diagnostics.ports.next_port import candidates, single
from diagnostics.ports.points import BOTH, DENIED, NOT_HERE, Wanted, overlaps
from diagnostics.ports.ranges import Ranges, read
from diagnostics.system import SocketRow, SocketTable, System
from netkit.model import Endpoint

# RFC 9293 section 3.3.2: both sides have said that they will send no more, or nobody is left to
ENDING = frozenset(["TIME_WAIT", "FIN_WAIT_1", "FIN_WAIT_2", "CLOSING", "LAST_ACK", "CLOSED"])
"""States of connections that go away by themselves."""

_MAX_ROWS = 64
"""Rows of the table kept for one address."""

_MAX_HOLDERS = 4
_TRIES = 24


@dataclass(frozen=True, slots=True)
class Point:
    """One address that a forward is to listen on.

    Attributes:
        error: why it cannot be bound, an errno name; ``number`` as the system counts.
        back, back_error: what came of a nonce sent to it; empty where none was sent.
        rows: sockets of the table that may be in its way.
            They are in the order listeners, connections, connections that end.
        holders: who has those of them that listen; where none does, who has the first.
    """

    host: str
    port: int
    error: str = ""
    number: int = 0
    back: str = ""
    back_error: str = ""
    rows: tuple[SocketRow, ...] = ()
    holders: tuple[Holder, ...] = ()

    @property
    def address(self) -> str:
        """The address as people write it."""
        return points.where(self.host, self.port)

    @property
    def is_listened_on(self) -> bool:
        """Whether one of those sockets listens."""
        return any(row.state == "LISTEN" for row in self.rows)


@dataclass(frozen=True, slots=True)
class Asked:
    """One forward, its addresses, and the next port that is free for all of them (0: none)."""

    wanted: Wanted
    points: tuple[Point, ...] = ()
    next_port: int = 0
    resolved: bool = True

    @property
    def port(self) -> int:
        """The port that is asked for."""
        return self.wanted.port


@dataclass(frozen=True, slots=True)
class PortFacts:
    """What the checks about ports judge.

    ``complete`` and ``owners`` are those of the table of sockets; ``wsl`` is the networking mode of
    a Linux in WSL, empty elsewhere.
    """

    os: str
    asked: tuple[Asked, ...] = ()
    ranges: Ranges = field(default_factory=Ranges)
    complete: bool = True
    owners: bool = True
    table_error: str = ""
    is_admin: bool = False
    wsl: str = ""


def examine(target: Target, system: System, *, back: bool = False) -> PortFacts:
    """Look at every local listening point of ``target``; ``back`` sends a nonce to each."""
    ranges = read(system)
    account = system.account()
    wanted = points.listening(target)
    hosts = {each.host: _hosts(each.host, system) for each in wanted}
    bound = [_bind_all(each, hosts[each.host], system, back=back) for each in wanted]
    table = system.sockets()
    asked = []
    taken = {row.port for row in table.rows if row.state == "LISTEN"}
    taken |= {each.port for each in wanted}
    for each, its_points in zip(wanted, bound, strict=True):
        looked = tuple(_look(point, table, system) for point in its_points)
        port = _next_port(each, looked, ranges, taken, system)
        taken.add(port)
        asked.append(Asked(each, looked, port, resolved=bool(hosts[each.host])))
    return PortFacts(
        os=system.os,
        asked=tuple(asked),
        ranges=ranges,
        complete=table.complete,
        owners=table.owners,
        table_error=table.error,
        is_admin=account.is_admin,
        wsl=_wsl(system, account.system),
    )


def _hosts(host: str, system: System) -> tuple[str, ...]:
    """Return the addresses that netkit would bind for ``host``, none for an unknown name."""
    if host.lower() in BOTH:
        return BOTH[host.lower()]
    if literal(host) is not None:
        return (host,)
    return tuple(dict.fromkeys(system.resolve(host).addresses))[:8]


def _bind_all(wanted: Wanted, hosts: Sequence[str], system: System, *, back: bool) -> list[Point]:
    found = []
    for host in hosts:
        address = Endpoint(host, wanted.port)
        result = system.bind(address)
        point = Point(host, wanted.port, result.error, result.number)
        if back and not result.error:
            reply = system.connect_back(address)
            point = replace(point, back=reply.outcome, back_error=reply.error)
        found.append(point)
    return found


def _look(point: Point, table: SocketTable, system: System) -> Point:
    """Add what the table holds against ``point``; listeners of that very address come first."""
    rows = [row for row in table.rows if row.port == point.port and overlaps(row.host, point.host)]
    near = [row for row in rows if not _maybe(row, point)]
    if any(row.state == "LISTEN" for row in near):
        rows = near  # what may hold both families explains nothing that these do not
    elif not point.error and system.os == "linux":
        rows = near  # Linux would have refused the bind
    rows.sort(
        key=lambda row: (
            row.state != "LISTEN",
            row.state in ENDING,
            points.bare(row.host) != point.host,
        )
    )
    rows = rows[:_MAX_ROWS]
    account = system.account()
    named = [row for row in rows[:_MAX_HOLDERS] if row.state == "LISTEN"] or rows[:1]
    holders = [identify(system, row, account) for row in named]
    return replace(point, rows=tuple(rows), holders=tuple(holders))


def _maybe(row: SocketRow, point: Point) -> bool:
    """Return whether ``row`` is in the way only if it holds both families."""
    return row.host == "::" and ":" not in point.host


def _next_port(
    wanted: Wanted,
    its_points: Sequence[Point],
    ranges: Ranges,
    taken: set[int],
    system: System,
) -> int:
    """Return a port that is outside every risky set and can be bound on each address now."""
    hosts = [point.host for point in its_points if point.error not in NOT_HERE]
    if not hosts:
        return 0
    avoid = single(taken)
    if not system.account().is_admin:
        avoid.append((0, ranges.privileged_below - 1))
    # Where everything may be handed out, a port that is free now has to do.
    for risky in (ranges.avoid(), ranges.kept()):
        for port in candidates(wanted.port, [*avoid, *risky], _TRIES):
            if all(not system.bind(Endpoint(host, port)).error for host in hosts):
                return port
    return 0


def _wsl(system: System, release: str) -> str:
    """Return ``nat``, ``mirrored``, ``unknown`` …; empty where this is no Linux in WSL 2."""
    if system.os != "linux" or "microsoft" not in release.lower():
        return ""
    output = system.run(("wslinfo", "--networking-mode"))
    word = output.text.strip().lower()[:20]
    return word if word.isascii() and word.isalpha() else "unknown"


def failed(point: Point) -> bool:
    """Return whether the address exists here and cannot be bound."""
    return bool(point.error) and point.error not in NOT_HERE


def is_held(point: Point) -> bool:
    """Return whether ``point`` cannot be bound because of another socket.

    Windows says "denied" where another user, or an exclusive listener, has the port; then the
    table tells.  So it may be elsewhere for a port that is privileged as well.
    """
    if point.error == "EADDRINUSE":
        return True
    return point.error in DENIED and point.is_listened_on
