"""What a running tunnel reports: frozen events, and the status they fold into.

Events are emitted in order, from the thread in which they happened; a receiver must not block.
``to_dict`` gives the shape that ``--json`` prints, one document per event.
"""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from netkit.model import Address, Endpoint, ForwardSpec, UnixPath, X11Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events; the kind is the class name in kebab case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connecting(Event):
    """A connection to ``gateway`` is being made; ``hop`` counts from 1."""

    gateway: str
    hop: int
    hops: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkUp(Event):
    """A hop is connected and logged in."""

    gateway: str
    hop: int
    hops: int
    server: str
    cipher: str
    mac: str
    kex: str
    compression: str
    auth: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardBound(Event):
    """A forward listens at ``addresses``: here, or on the gateway for a remote one."""

    forward: ForwardSpec
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayLent(Event):
    """X programs on the gateway show their windows at ``server`` here with this ``display``."""

    display: str
    server: str
    trust: X11Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Event):
    """Something the user should know that is no failure (an overridden bind, a weak algorithm)."""

    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepaliveTightened(Notice):
    """A link broke as one does behind a NAT that forgets; a keepalive is sent more often now.

    Attributes:
        way: which link that was: ``HOST:PORT`` of every hop.
        alive: the longest silence after which something came, in seconds; 0: there was none.
        dead: the silence that the link did not survive, in seconds.
        interval: seconds between keepalives from now on.
    """

    way: str
    alive: float
    dead: float
    interval: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowOpened(Event):
    """A connection is carried: ``source`` asked for ``target``."""

    flow: int
    forward: ForwardSpec | None
    source: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowFailed(Event):
    """A connection could not be carried; ``code`` is kebab-case, ``reason`` the peer's text."""

    flow: int
    forward: ForwardSpec | None
    source: str
    target: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowClosed(Event):
    """A carried connection ended.  Bytes are payload; ``error`` is empty after a clean end."""

    flow: int
    forward: ForwardSpec | None
    bytes_to_gateway: int
    bytes_from_gateway: int
    seconds: float
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkDown(Event):
    """The link ended; ``code`` and ``reason`` say why (``stopped`` when the user asked)."""

    gateway: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping(Event):
    """The tunnel accepts nothing new and waits up to ``seconds`` for ``flows`` to finish."""

    flows: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrying(Event):
    """The link is gone, or did not come about, and is tried again in ``seconds``.

    ``attempt`` counts from 1 and begins anew with every link that came up.
    """

    gateway: str
    attempt: int
    seconds: float
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthChanged(Event):
    """What is known of a forward's whole path has changed."""

    forward: ForwardSpec
    health: Health
    reason: str = ""


class Health(enum.Enum):
    """What is known of a forward: whether a connection through it would work.

    ``up`` was proved by opening its target; ``unverified``: the link is alive and the target
    was not asked; ``stale``: the gateway does not answer at the moment; ``refused``: the gateway,
    or the target, says no; ``down``: there is no link.
    """

    UP = "up"
    DOWN = "down"
    STALE = "stale"
    REFUSED = "refused"
    UNVERIFIED = "unverified"


class State(enum.Enum):
    """Life of a tunnel."""

    CONNECTING = "connecting"
    UP = "up"
    WAITING = "waiting"
    STOPPING = "stopping"
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkView:
    """One link of a tunnel, at a moment.  Times are seconds; ``round_trip`` is 0 while unknown.

    ``bulk`` and ``flows`` count its flows; ``silent`` is since the last byte of the gateway.
    """

    number: int
    gateway: str
    up: bool
    since: float = 0.0
    round_trip: float = 0.0
    silent: float = 0.0
    flows: int = 0
    bulk: int = 0
    server: str = ""
    cipher: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowView:
    """One flow, at a moment.

    Attributes:
        number: as in the events; a tunnel's flows have different ones, whatever their link.
        link: the number of its link.
        source, target: as in the events.
        bytes_to_gateway, bytes_from_gateway: payload so far.
        seconds, idle: since it began; since the last byte of either direction.
        window: bytes that the gateway would still take.
        waits: for what, if anything: ``opening``, ``window``, ``reader`` or ``link``.
    """

    number: int
    link: int
    forward: ForwardSpec | None
    source: str
    target: str
    bytes_to_gateway: int
    bytes_from_gateway: int
    seconds: float
    idle: float
    window: int
    waits: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardView:
    """One forward, at a moment; ``addresses`` is where it really listens."""

    forward: ForwardSpec
    addresses: tuple[Address, ...]
    health: Health
    reason: str = ""
    held: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelView:
    """A whole tunnel, at a moment: what ``netkit status`` shows.

    ``retry_in`` is seconds until the next attempt, None while none is due; ``overdue`` is by how
    many seconds one that was due has not begun, or takes longer than any should.  ``code`` and
    ``reason`` say why it is not up.
    """

    state: State
    reason: str
    code: str
    attempt: int
    retry_in: float | None
    overdue: float
    reconnects: int
    seconds: float
    keepalive: float
    links: tuple[LinkView, ...]
    forwards: tuple[ForwardView, ...]
    flows_open: int
    flows_total: int
    flows_failed: int
    bytes_to_gateway: int
    bytes_from_gateway: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A snapshot of a tunnel; ``evolve`` folds events into it."""

    state: State = State.CONNECTING
    reason: str = ""
    code: str = ""
    flows_open: int = 0
    flows_total: int = 0
    flows_failed: int = 0
    bytes_to_gateway: int = 0
    bytes_from_gateway: int = 0


def evolve(status: Status, event: Event) -> Status:
    """Return the status after ``event``."""
    # Flows first, and without the generic `replace`: this runs twice for every connection.
    if isinstance(event, FlowOpened):
        return _count(status, opened=1, total=1)
    if isinstance(event, FlowClosed):
        return _count(
            status, opened=-1, sent=event.bytes_to_gateway, received=event.bytes_from_gateway
        )
    match event:
        case LinkUp(hop=hop, hops=hops) if hop == hops:
            return replace(status, state=State.UP, reason="", code="")
        case Stopping():
            return replace(status, state=State.STOPPING)
        case Retrying(reason=reason, code=code):
            return replace(status, state=State.WAITING, reason=reason, code=code)
        case LinkDown(reason=reason, code=code):
            return replace(status, state=State.DOWN, reason=reason, code=code)
        case FlowFailed():
            return replace(status, flows_failed=status.flows_failed + 1)
    return status


def _count(
    status: Status, *, opened: int, total: int = 0, sent: int = 0, received: int = 0
) -> Status:
    return Status(
        state=status.state,
        reason=status.reason,
        code=status.code,
        flows_open=status.flows_open + opened,
        flows_total=status.flows_total + total,
        flows_failed=status.flows_failed,
        bytes_to_gateway=status.bytes_to_gateway + sent,
        bytes_from_gateway=status.bytes_from_gateway + received,
    )


def kind(event: Event) -> str:
    """Return the event's kind in kebab case: ``ForwardBound`` is ``forward-bound``."""
    name = type(event).__name__
    return "".join(f"-{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


def to_dict(event: Event) -> dict[str, Any]:
    """Return the event as plain values for JSON."""
    fields = {f.name: plain(getattr(event, f.name)) for f in dataclasses.fields(event)}
    return {"event": kind(event), **fields}


def plain(value: object) -> Any:
    """Return a value of netkit as what JSON knows: dictionaries, lists, text and numbers."""
    match value:
        case Endpoint(host=host, port=port):
            return {"host": host, "port": port}
        case UnixPath(path=path):
            return {"path": path}
        case ForwardSpec():
            return {
                "kind": value.kind.value,
                "bind": plain(value.bind),
                "to": plain(value.to),
                "text": str(value),
            }
        case enum.Enum():
            return value.value
        case tuple() | list():
            return [plain(item) for item in value]
        case PurePath():
            return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return value
