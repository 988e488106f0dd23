"""Listening points of the gateway, proved: each knock carries a nonce, and we see where it arrives.

Knocks come from the gateway itself (a direct-tcpip channel) or from this machine (plain TCP), all
at once.  Only a nonce that came to us over the forward counts as an arrival: that something
accepts a connection says nothing about who it is.
"""

from __future__ import annotations

import secrets
import socket
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from diagnostics.ssh import Knock, Listened
from netkit.doctor.facts import refusal_kind
from netkit.engine.memory_channel import MemoryChannel
from netkit.engine.transport.dial import dial
from netkit.errors import GatewayUnreachableError, LinkLostError, NetkitError, RemoteForwardError
from netkit.model import Address, Hop
from netkit.wire.messages import PROHIBITED
from netkit.wire.untrusted import printable

if TYPE_CHECKING:
    from netkit.doctor.session import Session
    from netkit.engine.remote import RemoteListener
    from netkit.wire.mux import OpenRequest

LISTEN_TIME: Final = 5.0
"""Seconds the gateway has to say whether it listens, or no longer does."""

KNOCK_TIME: Final = 3.0
"""Seconds for a knock to arrive."""

SIGN_OF_LIFE: Final = 1.0
NONCE: Final = 32
MAX_ARRIVALS: Final = 64
_TICK: Final = 0.1

_HERE: Final = {
    "connection-refused": "refused",
    "timed-out": "timed-out",
    "no-route": "unreachable",
    "connection-reset": "elsewhere",
}
_GATEWAY: Final = {
    "prohibited": "prohibited",
    "refused": "refused",
    "unreachable": "unreachable",
    "timed-out": "timed-out",
}


class Round:
    """One listening point, the knocks at it, and what arrived.

    Attributes:
        changed: notified of everything that happens in this round.
    """

    def __init__(self, session: Session, cancelled: threading.Event) -> None:
        self.session = session
        self.changed = threading.Condition()
        self._cancelled = cancelled
        self._channels: list[MemoryChannel] = []
        self._arrived: dict[bytes, str] = {}

    # --- the link's thread ---

    def accept(self, request: OpenRequest, source: str) -> None:
        """Take a connection of the forward and read its nonce."""
        link = self.session.link
        if len(self._channels) >= MAX_ARRIVALS:
            link.mux.refuse(request.channel, PROHIBITED, "too many connections")
            return

        def heard(channel: MemoryChannel) -> None:
            if len(channel.data) >= NONCE:
                with self.changed:
                    self._arrived[bytes(channel.data[:NONCE])] = source
                    self.changed.notify_all()
                channel.leave()

        self._channels.append(
            MemoryChannel.accept(link, request, changed=self.changed, on_data=heard)
        )

    # --- any other thread ---

    def knock_all(self, knocks: tuple[Knock, ...], port: int) -> tuple[Knock, ...]:
        """Make every knock, side by side; ``port`` is where port 0 means the allocated one."""
        made = [
            _Attempt(replace(k, address=replace(k.address, port=k.address.port or port)))
            for k in knocks
        ]
        deadline = time.monotonic() + KNOCK_TIME
        threads = [
            threading.Thread(
                target=self._from_here, args=(each, deadline), name="netkit-knock", daemon=True
            )
            for each in made
            if each.knock.origin == "here"
        ]
        for thread in threads:
            thread.start()
        self._from_gateway([each for each in made if each.knock.origin != "here"], deadline)
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0.0) + 1.0)
        self._judge_silence(made)
        return tuple(each.knock for each in made)

    def leave(self) -> None:
        """Close every connection that came."""
        for channel in self._channels:
            channel.close()

    def _has_arrived(self, attempt: _Attempt) -> bool:
        return attempt.nonce in self._arrived

    def _from_gateway(self, attempts: list[_Attempt], deadline: float) -> None:
        opened = [
            (each, self.session.open(each.knock.address, each.nonce, changed=self.changed))
            for each in attempts
        ]
        for attempt, channel in opened:
            channel.wait(
                lambda c, a=attempt: self._has_arrived(a) or c.is_over or c.data or c.eof,  # type: ignore[misc]
                deadline,
            )
            with self.changed:
                attempt.knock = self._of_channel(attempt, channel)
            channel.close()

    def _of_channel(self, attempt: _Attempt, channel: MemoryChannel) -> Knock:
        knock = attempt.knock
        if self._has_arrived(attempt):
            return replace(knock, outcome="arrived", originator=self._arrived[attempt.nonce])
        if channel.state == "refused":
            outcome = _GATEWAY.get(refusal_kind(channel), "failed")
            return replace(knock, outcome=outcome, text=channel.text)
        if channel.state == "lost":
            return replace(knock, outcome="failed", text=channel.text)
        if channel.state == "opening":
            return replace(knock, outcome="timed-out", text="no answer to the open")
        attempt.silent = not (channel.data or channel.eof or channel.is_over)
        return replace(knock, outcome="elsewhere", text=_what_came(bytes(channel.data)))

    def _from_here(self, attempt: _Attempt, deadline: float) -> None:
        knock = attempt.knock
        where = knock.address
        hop = Hop(alias=str(where), host=where.host, port=where.port, connect_timeout=KNOCK_TIME)
        try:
            connection = dial(hop, cancelled=self._cancelled)
        except GatewayUnreachableError as error:
            outcome = _HERE.get(error.code, "failed")
            attempt.knock = replace(knock, outcome=outcome, text=error.summary)
            return
        sock = connection.sock
        came = b""
        closed = False
        try:
            sock.settimeout(_TICK)
            sock.sendall(attempt.nonce)
            while not (self._has_arrived(attempt) or came or closed or self._is_late(deadline)):
                came, closed = _listen(sock)
        except OSError as error:
            closed, came = True, came or (error.strerror or str(error)).encode()
        finally:
            connection.close()
        if self._has_arrived(attempt):
            source = self._arrived[attempt.nonce]
            attempt.knock = replace(knock, outcome="arrived", originator=source)
        elif self._cancelled.is_set():
            attempt.knock = replace(knock, outcome="failed", text="interrupted")
        else:
            attempt.silent = not (came or closed)
            attempt.knock = replace(knock, outcome="elsewhere", text=_what_came(came))

    def _is_late(self, deadline: float) -> bool:
        return time.monotonic() >= deadline or self._cancelled.is_set() or self.session.has_ended

    def _judge_silence(self, attempts: list[_Attempt]) -> None:
        """Tell a gateway that froze from somebody else who accepts and says nothing."""
        for attempt in attempts:
            if not attempt.knock.outcome:
                attempt.knock = replace(attempt.knock, outcome="timed-out")
        silent = [each for each in attempts if each.silent]
        if silent and self.session.keepalive(SIGN_OF_LIFE) is None:
            for attempt in silent:
                text = "the gateway gives no sign of life"
                attempt.knock = replace(attempt.knock, outcome="timed-out", text=text)


@dataclass(slots=True)
class _Attempt:
    knock: Knock
    nonce: bytes = b""
    silent: bool = False

    def __post_init__(self) -> None:
        self.nonce = secrets.token_hex(NONCE // 2).encode()


def _listen(sock: socket.socket) -> tuple[bytes, bool]:
    """Return what came within a moment, and whether the other side closed."""
    try:
        came = sock.recv(256)
    except TimeoutError:
        return b"", False
    return came, not came


def _what_came(data: bytes) -> str:
    if not data:
        return "something accepts the connection, and our words do not come to us"
    return f"something else answers: {printable(data, 100)}"


def listen(
    session: Session,
    bind: Address,
    knocks: tuple[Knock, ...],
    *,
    cancelled: threading.Event,
    turn: threading.Lock,
) -> Listened:
    """Have the gateway listen, knock, and give the port back.

    ``turn`` keeps apart what the gateway says while it begins to listen.
    """
    this = Round(session, cancelled)
    with turn:
        # What it said about the login must not be taken for a word about this.
        session.settle(time.monotonic() + SIGN_OF_LIFE)
        before = len(session.messages)
        try:
            listener = session.listen(bind, this.accept, LISTEN_TIME)
        except NetkitError as error:
            messages = tuple(session.messages[before:])
            return Listened(
                bind=bind, outcome=_failure(error), text=error.summary, messages=messages
            )
        messages = tuple(session.messages[before:])
    made = this.knock_all(knocks, listener.port)
    outcome, text = _give_back(session, listener)
    this.leave()
    return Listened(
        bind=bind, outcome=outcome, port=listener.port, knocks=made, messages=messages, text=text
    )


def _failure(error: NetkitError) -> str:
    if not isinstance(error, RemoteForwardError):
        return "link-lost"
    return "timed-out" if error.code == "remote-forward-unanswered" else "refused"


def _give_back(session: Session, listener: RemoteListener) -> tuple[str, str]:
    try:
        session.unlisten(listener, LISTEN_TIME)
    except LinkLostError as error:
        return "link-lost", error.summary
    except NetkitError as error:
        return "ok", error.summary
    return "ok", ""
