"""Can each local listening point be bound, and if not, what holds it."""

from __future__ import annotations

from collections.abc import Sequence

from diagnostics.knowledge.ports import LINUX_TIME_WAIT
from diagnostics.model import (
    Check,
    Effect,
    Evidence,
    Finding,
    Judgement,
    Kind,
    Target,
    Unknown,
)
from diagnostics.parsers.addresses import is_ipv6
from diagnostics.parsers.text import clean
from diagnostics.ports import words
from diagnostics.ports.examine import (
    ENDING,
    Asked,
    Point,
    PortFacts,
    examine,
    failed,
    is_held,
)
from diagnostics.ports.points import (
    DENIED,
    WILDCARDS,
    again,
    applies,
    bare,
    elsewhere,
    where,
)
from diagnostics.ports.remedies import reserve
from diagnostics.system import SocketRow, System
from netkit.model import Fix

TAKEN, OWN_TUNNEL, HALF = "port-taken", "port-taken-by-own-tunnel", "port-half-bound"
UNSEEN, TWICE = "port-taken-unseen", "port-asked-twice"
SOURCE, LEFT, WAITING = "port-ephemeral-source", "port-left-connections", "port-time-wait"

_ORDER = ("listener", "connection", "ending", "unseen")


def probe(target: Target, system: System) -> PortFacts:
    """Bind each address for a moment; look up who holds those that cannot be had."""
    return examine(target, system)


def judge(facts: PortFacts) -> tuple[Judgement, ...]:
    """Return what is in the way of each forward."""
    found: list[Judgement] = []
    for index, asked in enumerate(facts.asked):
        held = [point for point in asked.points if is_held(point)]
        earlier = next((e for e in facts.asked[:index] if _meets(e, asked)), None)
        if held:
            found += _held(facts, asked, held)
        elif earlier is not None:
            found.append(_twice(earlier, asked))
        found += [
            Unknown(reason=f"{p.address} cannot be bound: {clean(p.error)} ({p.number})")
            for p in asked.points
            if failed(p) and not is_held(p) and p.error not in DENIED
        ]
    return tuple(found)


def _held(facts: PortFacts, asked: Asked, held: Sequence[Point]) -> list[Finding]:
    """Return the finding for a forward; the clearest cause speaks for all its addresses."""
    point = min(held, key=lambda each: _ORDER.index(_cause(each)))
    match _cause(point):
        case "listener":
            if point.holders and point.holders[0].is_neighbour:
                return []  # port-neighbours knows more about it
            return [_listener(facts, asked, point, held)]
        case "connection":
            return [_connection(facts, asked, point)]
        case "ending":
            return [_ending(facts, asked, point)]
        case _:
            return [] if facts.wsl == "mirrored" else [_unseen(facts, asked, point)]


def _cause(point: Point) -> str:
    if point.is_listened_on:
        return "listener"
    if any(row.state not in ENDING for row in point.rows):
        return "connection"
    return "ending" if point.rows else "unseen"


# --- a listener ---


def _listener(facts: PortFacts, asked: Asked, point: Point, held: Sequence[Point]) -> Finding:
    free = next((each for each in asked.points if not each.error), None)
    holder = point.holders[0] if point.holders else None
    who = "a program that cannot be named" if holder is None else words.who(holder, facts.os)
    title, explain = f"{point.address} is taken by {who}", _why(point)
    other = elsewhere(asked.wanted, asked.next_port)
    ends = () if holder is None else words.ending(holder, facts.os)
    if free is not None:
        alone = again(asked.wanted, host=free.host)
        other = (*other, Fix(alone, note=f"listens on {free.address} alone"))
    if holder is not None and holder.is_tunnel:
        code, fixes = OWN_TUNNEL, (*ends, *other)
        title = f"{point.address} is taken by a tunnel of your own, {who}"
        explain = _purpose(asked, holder.command)
    else:
        code, fixes = TAKEN, (*other, *ends)
    if free is not None and code == TAKEN:
        code = HALF
        explain = (
            f"{free.address} is free, so ssh would call this forward a success; clients would "
            "reach one or the other, depending on the address they try first."
        )
    if holder is None or (holder.pid is None and not holder.container and not holder.unit):
        fixes = (*fixes, *_show(facts, point))
    return Finding(
        code=code,
        subject=point.address,
        title=title,
        explain=explain,
        evidence=_evidence(held),
        fixes=fixes,
    )


def _why(point: Point) -> str:
    row = point.rows[0]
    if bare(row.host) in WILDCARDS and bare(row.host) != point.host:
        everywhere = where(bare(row.host), row.port)
        return f"It listens on every address ({everywhere}), {point.host} included."
    return "Nothing else can listen there before it ends."


def _purpose(asked: Asked, command: tuple[str, ...]) -> str:
    to = asked.wanted.to
    if to and any(to in word for word in command):
        return f"It leads to {to} already, so it may be the very tunnel that you want."
    return "It was started earlier and still runs."


def _show(facts: PortFacts, point: Point) -> tuple[Fix, ...]:
    """Return how to see a process that was not visible."""
    look = words.looking(point.port, facts.os)
    if facts.is_admin and facts.os == "linux":
        note = "lists containers: no process here has the socket, so one of them may, or the kernel"
        return (Fix(("lsns", "-t", "pid"), note=note),)
    return (look,)


def _evidence(held: Sequence[Point]) -> tuple[Evidence, ...]:
    listeners = {holder: None for point in held for holder in point.holders}
    return (
        *(Evidence(f"bind {each.address}", each.error) for each in held),
        *(words.evidence(holder) for holder in listeners),
    )


# --- connections ---


def _connection(facts: PortFacts, asked: Asked, point: Point) -> Finding:
    live = [row for row in point.rows if row.state not in ENDING]
    holder = point.holders[0] if point.holders else None
    who = "a program" if holder is None else words.who(holder, facts.os)
    other = elsewhere(asked.wanted, asked.next_port)
    if len(live) > 1 or not facts.ranges.hands_out(point.port):
        title = f"{point.address} is kept by connections of {who}, which does not listen any more"
        explain = "They were accepted there, and hold the port until the last of them has ended."
        return _about(LEFT, point, title, explain, other)
    ranges = facts.ranges
    peer = where(live[0].peer_host, live[0].peer_port)
    return _about(
        SOURCE,
        point,
        f"{point.address} is the near end of a connection of {who} to {peer}",
        f"The system takes ports {ranges.low} to {ranges.high} for outgoing connections, and "
        "this one is among them; it is free again when the connection has ended.",
        (*other, *reserve(facts.os, ranges, point.port)),
    )


def _ending(facts: PortFacts, asked: Asked, point: Point) -> Finding:
    wait = "It is free again when the system has forgotten them."
    if facts.os == "linux" and all(row.state == "TIME_WAIT" for row in point.rows):
        wait = f"Linux keeps it for {LINUX_TIME_WAIT} seconds (TIME_WAIT)."
    return _about(
        WAITING,
        point,
        f"{point.address} is kept by connections that have just ended",
        f"{wait} The program that had them did not allow the port to be used again at once.",
        (*elsewhere(asked.wanted, asked.next_port), Fix((), note="or wait for that")),
    )


def _about(code: str, point: Point, title: str, explain: str, fixes: tuple[Fix, ...]) -> Finding:
    return Finding(
        code=code,
        subject=point.address,
        title=title,
        explain=explain,
        evidence=(
            Evidence(f"bind {point.address}", point.error),
            *(_connection_evidence(row) for row in point.rows[:5]),
        ),
        fixes=fixes,
    )


def _connection_evidence(row: SocketRow) -> Evidence:
    peer = where(row.peer_host, row.peer_port)
    return Evidence(f"{where(row.host, row.port)} to {peer}", clean(row.state, 20))


# --- neither ---


def _unseen(facts: PortFacts, asked: Asked, point: Point) -> Finding:
    other = elsewhere(asked.wanted, asked.next_port)
    bound = Evidence(f"bind {point.address}", point.error)
    if facts.table_error or not facts.complete:
        table = Evidence("table of sockets", clean(facts.table_error) or "not complete")
        return Finding(
            code=TAKEN,
            subject=point.address,
            title=f"{point.address} is taken by a program that is not visible to you",
            explain="Nothing else can listen there before it ends.",
            evidence=(bound, table),
            fixes=(*other, words.looking(point.port, facts.os)),
        )
    show: tuple[Fix, ...] = ()
    if facts.os == "linux":
        argv = ("sudo", "ss", "-tnpB", f"sport = :{point.port}")
        show = (Fix(argv, note="shows it where ss knows -B", needs_admin=True),)
    return Finding(
        code=UNSEEN,
        subject=point.address,
        title=f"{point.address} is in use, and the table of sockets does not show by what",
        explain="A program that binds a port without listening on it is not in that table.",
        evidence=(bound, Evidence("table of sockets", f"no row for port {point.port}")),
        fixes=(*other, *show),
    )


def _meets(first: Asked, second: Asked) -> bool:
    """Return whether two forwards want the same address and port."""
    if first.port != second.port:
        return False
    return any(
        a.host == b.host
        or (is_ipv6(a.host) == is_ipv6(b.host) and bool(WILDCARDS & {a.host, b.host}))
        for a in first.points
        for b in second.points
    )


def _twice(first: Asked, second: Asked) -> Finding:
    wanted = second.wanted
    return Finding(
        code=TWICE,
        subject=f"{wanted.host or 'localhost'}:{wanted.port}",
        title=f"Two of the forwards listen on port {wanted.port}",
        explain="The second cannot be bound, because the first has the address by then.",
        evidence=(
            Evidence("first", clean(first.wanted.text)),
            Evidence("second", clean(wanted.text)),
        ),
        fixes=elsewhere(wanted, second.next_port),
    )


CHECK = Check(
    code="port-in-use",
    title="the local listening points",
    probe=probe,
    judge=judge,
    finds=(
        Kind(TAKEN, "a program listens there"),
        Kind(OWN_TUNNEL, "an earlier tunnel of yours listens there"),
        Kind(HALF, "one of the addresses of a forward is taken, the other is free"),
        Kind(UNSEEN, "the port is in use, the table does not show by what"),
        Kind(SOURCE, "the port is the source port of a connection"),
        Kind(LEFT, "connections of an earlier listener hold the port"),
        Kind(WAITING, "connections that have just ended hold the port"),
        Kind(TWICE, "two of the forwards want the same port"),
    ),
    effects=(Effect.BINDS, Effect.RUNS_TOOLS),
    timeout=15.0,
    applies=applies,
)
