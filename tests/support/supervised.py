"""A tunnel made of values, for what controls and watches tunnels."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from netkit.errors import BindError, NetkitError
from netkit.events import FlowView, ForwardView, Health, LinkView, State, TunnelView
from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec
from netkit.text.forwards import parse_forward

DB = parse_forward(ForwardKind.LOCAL, "127.0.0.1:5432:db.internal:5432")
ANY = parse_forward(ForwardKind.LOCAL, "0:web.internal:80")
LINK = LinkView(
    number=1,
    gateway="gw",
    up=True,
    since=60.0,
    round_trip=0.012,
    silent=0.5,
    flows=1,
    server="OpenSSH_9.2",
    cipher="aes128-gcm@openssh.com",
)
FLOW = FlowView(
    number=7,
    link=1,
    forward=DB,
    source="127.0.0.1:50000",
    target="db.internal:5432",
    bytes_to_gateway=1000,
    bytes_from_gateway=2_000_000,
    seconds=12.0,
    idle=0.1,
    window=2_097_152,
)


def view(**changes: object) -> TunnelView:
    """Return a tunnel that is up with the forward `DB`, changed."""
    values: dict[str, object] = {
        "state": State.UP,
        "reason": "",
        "code": "",
        "attempt": 0,
        "retry_in": None,
        "overdue": 0.0,
        "reconnects": 2,
        "seconds": 3723.0,
        "keepalive": 30.0,
        "links": (LINK,),
        "forwards": (
            ForwardView(
                forward=DB, addresses=(Endpoint("127.0.0.1", 5432),), health=Health.UNVERIFIED
            ),
        ),
        "flows_open": 1,
        "flows_total": 9,
        "flows_failed": 1,
        "bytes_to_gateway": 1000,
        "bytes_from_gateway": 2_000_000,
        **changes,
    }
    return TunnelView(**values)  # type: ignore[arg-type]


@dataclass
class FakeSupervised:
    """Records what is done to it; ``refuses`` is what `add` raises."""

    now: TunnelView = field(default_factory=view)
    current: tuple[FlowView, ...] = (FLOW,)
    refuses: NetkitError | None = None
    kicks: int = 0
    killed: list[int] = field(default_factory=list)
    stopped: list[float] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    waits: threading.Event | None = None

    def view(self) -> TunnelView:
        if self.waits is not None:
            self.waits.wait(20)
        return self.now

    def flows(self) -> tuple[FlowView, ...]:
        return self.current

    def kick(self) -> None:
        self.kicks += 1

    def add(self, spec: ForwardSpec) -> tuple[Address, ...]:
        if self.refuses is not None and any(
            each.forward.kind is spec.kind for each in self.now.forwards[1:]
        ):
            raise self.refuses
        bind = spec.bind
        at = Endpoint(bind.host or "127.0.0.1", bind.port or 40000)
        if any(at in each.addresses for each in self.now.forwards):
            raise BindError(f"cannot listen on {at}", code="bind-address-in-use")
        made = ForwardView(forward=spec, addresses=(at,), health=Health.UNVERIFIED)
        self.now = view(forwards=(*self.now.forwards, made))
        return (at,)

    def remove(self, spec: ForwardSpec) -> bool:
        left = tuple(
            each
            for each in self.now.forwards
            if (each.forward.kind, each.forward.bind) != (spec.kind, spec.bind)
        )
        was_there = len(left) < len(self.now.forwards)
        self.now = view(forwards=left)
        return was_there

    def kill(self, flow: int) -> bool:
        self.killed.append(flow)
        left = tuple(each for each in self.current if each.number != flow)
        was_there = len(left) < len(self.current)
        self.current = left
        return was_there

    def stop(self, drain: float = 5.0) -> None:
        self.stopped.append(drain)
        self.ended.set()
