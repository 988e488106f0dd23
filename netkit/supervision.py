"""What may be seen of a running tunnel, and done to it: a port.

`netkit.engine.tunnel.Tunnel` implements it; control, metrics and services use it.  Every method
may be called from any thread and returns within a second or so.
"""

from __future__ import annotations

from typing import Protocol

from netkit.events import FlowView, TunnelView
from netkit.model import Address, ForwardSpec


class Supervised(Protocol):
    """A tunnel that runs."""

    def view(self) -> TunnelView:
        """Return what it is like now."""

    def flows(self) -> tuple[FlowView, ...]:
        """Return its flows, the oldest first."""

    def kick(self) -> None:
        """Try to connect now, whatever was planned."""

    def add(self, spec: ForwardSpec) -> tuple[Address, ...]:
        """Begin a forward; return where it listens.

        Raises:
            NetkitError: it cannot; the tunnel goes on as it was.
        """

    def remove(self, spec: ForwardSpec) -> bool:
        """End a forward of that kind and bind, its flows too; return whether there was one."""

    def kill(self, flow: int) -> bool:
        """Reset a flow; return whether there was one."""

    def stop(self, drain: float = 5.0) -> None:
        """End the tunnel: flows get ``drain`` seconds."""
