"""Tunnels that say of themselves what a test wants, for those who look on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from netkit.events import (
    FlowClosed,
    FlowFailed,
    FlowOpened,
    FlowView,
    ForwardView,
    Health,
    LinkView,
    State,
    TunnelView,
)
from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec

DESKTOP = ForwardSpec(
    ForwardKind.LOCAL, Endpoint("127.0.0.2", 3389), Endpoint("desktop", 3389), text="-L as typed"
)
PROXY = ForwardSpec(ForwardKind.DYNAMIC, Endpoint("", 1080))


def view(state: State = State.UP, **changes) -> TunnelView:
    """Return what a tunnel says: one link and one forward, both well if ``state`` lets them."""
    up = state in {State.UP, State.STOPPING}
    values: dict[str, Any] = {
        "state": state,
        "reason": "",
        "code": "",
        "attempt": 0,
        "retry_in": None,
        "overdue": 0.0,
        "reconnects": 0,
        "seconds": 10.0,
        "keepalive": 30.0,
        "links": (LinkView(number=1, gateway="gw", up=up, round_trip=0.02, flows=1),),
        "forwards": (ForwardView(forward=DESKTOP, addresses=(), health=Health.UP, held=2),),
        "flows_open": 0,
        "flows_total": 0,
        "flows_failed": 0,
        "bytes_to_gateway": 0,
        "bytes_from_gateway": 0,
    }
    return TunnelView(**{**values, **changes})


def flow(number: int = 1, sent: int = 0, received: int = 0) -> FlowView:
    return FlowView(
        number=number,
        link=1,
        forward=DESKTOP,
        source="127.0.0.1:5000",
        target="desktop:3389",
        bytes_to_gateway=sent,
        bytes_from_gateway=received,
        seconds=1.0,
        idle=0.0,
        window=1 << 20,
    )


@dataclass
class SaysOfItself:
    """A `Supervised` that only answers."""

    shown: TunnelView = field(default_factory=view)
    carried: tuple[FlowView, ...] = ()

    def view(self) -> TunnelView:
        return self.shown

    def flows(self) -> tuple[FlowView, ...]:
        return self.carried

    def kick(self) -> None:
        raise AssertionError("who looks on does nothing")

    def add(self, spec: ForwardSpec) -> tuple[Address, ...]:
        raise AssertionError(f"who looks on does not add {spec}")

    def remove(self, spec: ForwardSpec) -> bool:
        raise AssertionError(f"who looks on does not remove {spec}")

    def kill(self, flow: int) -> bool:
        raise AssertionError(f"who looks on does not kill {flow}")

    def stop(self, drain: float = 5.0) -> None:
        raise AssertionError(f"who looks on stops nothing within {drain} s")


def opened(number: int = 1, forward: ForwardSpec | None = DESKTOP) -> FlowOpened:
    return FlowOpened(flow=number, forward=forward, source="127.0.0.1:5000", target="desktop:3389")


def closed(
    number: int = 1, sent: int = 10, received: int = 20, error: str = "", seconds: float = 1.5
) -> FlowClosed:
    return FlowClosed(
        flow=number,
        forward=DESKTOP,
        bytes_to_gateway=sent,
        bytes_from_gateway=received,
        seconds=seconds,
        error=error,
    )


def failed(number: int = 1, code: str = "connect-failed") -> FlowFailed:
    return FlowFailed(
        flow=number,
        forward=DESKTOP,
        source="127.0.0.1:5000",
        target="desktop:3389",
        code=code,
        reason="Connection refused",
    )
