"""What becomes of a connection that a listener accepted, once there is a link for it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from netkit.engine.dynamic import ProxyClient
from netkit.events import FlowFailed
from netkit.model import ForwardKind, UnixPath
from netkit.wire.messages import string, u32

if TYPE_CHECKING:
    from netkit.engine.link import Link
    from netkit.model import Address, ForwardSpec

Accept = Callable[[socket.socket, object], None]


def acceptor(link: Link, spec: ForwardSpec) -> Accept:
    """Return what takes a connection of ``spec``'s listener and where it came from.

    To be called in the thread of the link's loop.
    """
    if spec.kind is ForwardKind.DYNAMIC:
        return lambda sock, peer: _start_proxy(link, sock, spec, peer)
    target = spec.to
    assert target is not None
    kind, prefix = opening(target)
    name = str(target)

    def accept(sock: socket.socket, peer: object) -> None:
        host, port = _source(peer)
        flow = link.start_flow(sock, kind, prefix + string(host) + u32(port), spec)
        flow.source = f"{host}:{port}"
        flow.target = name

    return accept


def opening(target: Address) -> tuple[str, bytes]:
    """Return the channel type for ``target`` and what its open says before who asks.

    RFC 4254 section 7.2, and streamlocal in OpenSSH's PROTOCOL section 2.4.
    """
    if isinstance(target, UnixPath):
        return "direct-streamlocal@openssh.com", string(target.path)
    return "direct-tcpip", string(target.host) + u32(target.port)


def not_carried(number: int, forward: ForwardSpec, peer: object, why: str) -> FlowFailed:
    """Return the event that a connection was reset because there was no link."""
    host, port = _source(peer)
    return FlowFailed(
        flow=number,
        forward=forward,
        source=f"{host}:{port}",
        target="" if forward.to is None else str(forward.to),
        code="no-link",
        reason=why,
    )


def _start_proxy(link: Link, sock: socket.socket, spec: ForwardSpec, peer: object) -> None:
    ProxyClient(link, sock, spec, _source(peer))


def _source(peer: object) -> tuple[str, int]:
    """Return the peer's address as the open request wants it; unix sockets have none."""
    if isinstance(peer, tuple) and len(peer) >= 2:
        return str(peer[0]), int(peer[1])
    return "127.0.0.1", 0
