"""A connected socket through a link, without a local port: for hops and for programs."""

from __future__ import annotations

import socket
import threading

from netkit.engine.dynamic import direct_tcpip
from netkit.engine.link import Link
from netkit.engine.relay import Flow
from netkit.errors import GatewayUnreachableError, LinkLostError, OpenError
from netkit.model import Endpoint
from netkit.wire.open_failures import classify_open_failure, failure_code
from netkit.wire.untrusted import printable

BUFFER = 1 << 20
"""Bytes of buffer on the socket pair: enough that a batch of the relay fits."""


class _Waiter:
    """Tells a waiting thread how the open went."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.failure: tuple[int, str] | None = None

    def opened(self, _flow: Flow) -> bytes:
        self.done.set()
        return b""

    def failed(self, _flow: Flow, reason: int, text: str) -> bytes | None:
        self.failure = (reason, text)
        self.done.set()
        return None


def open_socket(
    link: Link, target: Endpoint, timeout: float, cancelled: threading.Event | None = None
) -> socket.socket:
    """Return a blocking socket that is connected to ``target`` as the gateway reaches it.

    Raises:
        OpenError: the gateway could not or would not connect, or not within ``timeout`` seconds.
        LinkLostError: the link ended meanwhile.
        GatewayUnreachableError: ``cancelled`` was set meanwhile.
    """
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    for sock in (ours, theirs):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    waiter = _Waiter()
    data = direct_tcpip(target, ("127.0.0.1", 0))
    started = False
    try:
        flow = link.run(lambda: link.start_flow(ours, "direct-tcpip", data, None, waiter))
        started = True
        flow.target = str(target)
        _wait(link, waiter, target, timeout, cancelled)
    except BaseException:
        theirs.close()
        if not started:
            ours.close()
        raise
    return theirs


def _wait(
    link: Link,
    waiter: _Waiter,
    target: Endpoint,
    timeout: float,
    cancelled: threading.Event | None,
) -> None:
    waited = 0.0
    while not waiter.done.wait(min(0.2, timeout)):
        waited += 0.2
        if cancelled is not None and cancelled.is_set():
            raise GatewayUnreachableError("connecting was cancelled", code="cancelled")
        if link.has_ended:
            raise link.error or LinkLostError("the link was closed", code="link-lost")
        if waited >= timeout:
            raise OpenError(
                f"{target} did not answer within {timeout:g} s", code="target-timed-out"
            )
    if waiter.failure is not None:
        reason, text = waiter.failure
        failure = classify_open_failure(reason, text)
        raise OpenError(
            f"the gateway could not connect {target}: {printable(text, 200) or failure.value}",
            reason=reason,
            code=failure_code(failure),
            cause=failure.value,
        )
