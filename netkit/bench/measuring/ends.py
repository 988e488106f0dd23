"""Our end of a flow: one socket of a pair whose other one the link relays.

So what is timed takes the road that a tunnel's traffic takes: kernel, relay, packets, link.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Self

from netkit.engine.open_socket import BUFFER
from netkit.errors import GatewayUnreachableError, LinkLostError, NetkitError, OpenError
from netkit.wire.messages import string
from netkit.wire.untrusted import printable

if TYPE_CHECKING:
    from netkit.engine.link import Link
    from netkit.engine.relay import Flow
    from netkit.wire.channel import Channel

TICK: Final = 0.05
"""Seconds after which a wait looks whether it was interrupted."""


class FlowBrokenError(NetkitError):
    """A flow of the benchmark ended before it should."""

    default_code = "flow-broken"


class End:
    """One flow, from our side; `read` and `write` are for one thread each.

    Attributes:
        link: the link that carries it.
        window: bytes of window that the peer granted at the start.
    """

    def __init__(self, link: Link, sock: socket.socket, cancelled: threading.Event) -> None:
        self.link = link
        self.sock = sock
        self.window = 0
        self._cancelled = cancelled
        self._flow: Flow | None = None
        sock.settimeout(TICK)

    @property
    def flow(self) -> Flow:
        """The link's side; to be looked at in the loop's thread."""
        assert self._flow is not None
        return self._flow

    def attach(self, flow: Flow) -> None:
        """Note the other side; in the loop's thread, or before anything passes."""
        self._flow = flow
        self.window = flow.channel.send_window

    def write(self, data: bytes | memoryview) -> int:
        """Send what there is room for within a moment; return how much.

        Raises:
            FlowBrokenError: the flow, or its link, has ended.
        """
        self.look()
        try:
            return self.sock.send(data)
        except TimeoutError:
            return 0
        except OSError as error:
            raise self._broken(error.strerror or str(error)) from error

    def write_all(self, data: bytes, deadline: float) -> None:
        """Send all of ``data`` by ``deadline`` of `time.monotonic`; raises as `write` does."""
        view = memoryview(data)
        while view:
            view = view[self.write(view) :]
            if view and time.monotonic() >= deadline:
                raise self._broken("it takes no data")

    def read_into(self, buffer: bytearray | memoryview) -> int:
        """Receive into ``buffer``; return how much, 0 where nothing came within a moment.

        Raises:
            FlowBrokenError: the flow, or its link, has ended.
        """
        self.look()
        try:
            count = self.sock.recv_into(buffer)
        except TimeoutError:
            return 0
        except OSError as error:
            raise self._broken(error.strerror or str(error)) from error
        if not count:
            raise self._broken("the gateway's side ended it")
        return count

    def read_exactly(self, size: int, deadline: float) -> bytes:
        """Receive ``size`` bytes by ``deadline`` (`time.monotonic`); raises as `read_into` does."""
        data = bytearray(size)
        view = memoryview(data)
        while view:
            view = view[self.read_into(view) :]
            if view and time.monotonic() >= deadline:
                raise self._broken("nothing comes")
        return bytes(data)

    def close(self) -> None:
        """End the flow; idempotent."""
        self.sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def look(self) -> None:
        """Raise where we are interrupted or the link has ended."""
        if self._cancelled.is_set():
            raise cancelled_error()
        if self.link.has_ended:
            raise self.link.error or LinkLostError("the link was closed", code="link-lost")

    def _broken(self, why: str) -> NetkitError:
        if self.link.has_ended:
            return self.link.error or LinkLostError("the link was closed", code="link-lost")
        return FlowBrokenError("a flow of the benchmark broke", cause=why)


def cancelled_error() -> GatewayUnreachableError:
    """Return what is raised everywhere when the benchmark is interrupted."""
    return GatewayUnreachableError("the benchmark was interrupted", code="cancelled")


class _Opening:
    """What waits for the channel, and what is asked of it first."""

    def __init__(self, end: End, request: Callable[[Channel], None] | None) -> None:
        self.done = threading.Event()
        self.failure: tuple[int, str] | None = None
        self._end = end
        self._request = request

    def opened(self, flow: Flow) -> bytes:
        self._end.attach(flow)
        if self._request is not None:
            self._request(flow.channel)
        self.done.set()
        return b""

    def failed(self, _flow: Flow, reason: int, text: str) -> bytes | None:
        self.failure = (reason, text)
        self.done.set()
        return None


def _pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    for sock in (ours, theirs):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    return ours, theirs


def open_command(link: Link, command: str, timeout: float, cancelled: threading.Event) -> End:
    """Start ``command`` on the gateway; the flow is its standard input and output.

    Raises:
        OpenError: the gateway opens no session, or not within ``timeout`` seconds.
        LinkLostError: the link ended.
    """

    def request(channel: Channel) -> None:
        link.mux.request(channel, "exec", string(command), want_reply=False)

    return _open(link, "session", b"", request, timeout, cancelled)


def open_flow(
    link: Link, kind: str, data: bytes, timeout: float, cancelled: threading.Event
) -> End:
    """Open a channel of type ``kind``; raises as `open_command` does."""
    return _open(link, kind, data, None, timeout, cancelled)


def _open(
    link: Link,
    kind: str,
    data: bytes,
    request: Callable[[Channel], None] | None,
    timeout: float,
    cancelled: threading.Event,
) -> End:
    ours, theirs = _pair()
    end = End(link, ours, cancelled)
    opening = _Opening(end, request)
    try:
        link.run(lambda: link.start_flow(theirs, kind, data, None, opening))
    except BaseException:
        ours.close()
        theirs.close()
        raise
    try:
        _wait(link, opening, timeout, cancelled)
    except BaseException:
        ours.close()
        raise
    return end


def _wait(link: Link, opening: _Opening, timeout: float, cancelled: threading.Event) -> None:
    deadline = time.monotonic() + timeout
    while not opening.done.wait(TICK):
        if cancelled.is_set():
            raise cancelled_error()
        if link.has_ended:
            raise link.error or LinkLostError("the link was closed", code="link-lost")
        if time.monotonic() >= deadline:
            raise OpenError(f"no answer to a new flow within {timeout:g} s", code="open-timed-out")
    if opening.failure is not None:
        reason, text = opening.failure
        raise OpenError(
            "the gateway refused a flow", reason=reason, cause=printable(text, 200), code="refused"
        )


def accept_end(link: Link, channel: Channel, cancelled: threading.Event) -> End:
    """Take a channel that the peer offers; in the loop's thread."""
    ours, theirs = _pair()
    end = End(link, ours, cancelled)
    end.attach(link.accept_flow(theirs, channel))
    return end
