"""A logged-in chain of links for questions: commands, channels, remote listening points.

`open_session` makes a fresh one, each time a login of its own; the examiner has one for its
questions, and measuring idle timeouts takes many side by side.  No keepalive is ever sent on it by
itself, so an idle session is idle.  Every wait is bounded by the caller, and `Session.abandon` or
the ``cancelled`` of `Access` ends it early.  Nothing here knows of findings.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from netkit.doctor.answers import Answers
from netkit.doctor.facts import endpoint
from netkit.engine.dynamic import direct_tcpip
from netkit.engine.exec_channel import Command, Executed
from netkit.engine.hop_link import Company, HopLink, connect
from netkit.engine.keepalive import REQUEST as KEEPALIVE
from netkit.engine.memory_channel import MemoryChannel
from netkit.engine.remote import Accept, RemoteForwards, RemoteListener
from netkit.engine.witness import Witness
from netkit.errors import GatewayUnreachableError, NetkitError
from netkit.model import Address, ForwardKind, ForwardSpec, Plan, UnixPath
from netkit.wire.messages import string, u32

if TYPE_CHECKING:
    from netkit.engine.link import Link
    from netkit.events import Event
    from netkit.prompt import Prompter
    from netkit.wire.mux import ChannelRequest, GlobalRequest

STEP: Final = 2.0
"""Seconds for each step of the way down before the next one is forced."""

_TICK: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """All it takes to log in, as often as need be; ``cancelled`` interrupts a login."""

    plan: Plan
    prompter: Prompter | None = None
    password: str | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    notice: Callable[[str, str], None] = lambda _code, _text: None


class Session:
    """A logged-in chain; its methods are for any thread but the link's own.

    Attributes:
        hops: every hop of the chain, the gateway last.
        local, peer: addresses of the TCP connection to the gateway; None behind a jump host or a
            ProxyCommand.
        remotes: the remote forwards of the gateway's link.
        messages: texts of SSH_MSG_DEBUG from the gateway, oldest first.
    """

    def __init__(self, hops: tuple[HopLink, ...], witness: Witness) -> None:
        self.hops = hops
        self.local = endpoint(witness.local)
        self.peer = endpoint(witness.peer)
        self.messages = witness.messages
        self._heard = witness.heard
        self._keepalives = 0
        self.remotes = RemoteForwards(self.link)
        self._debug = self.link.on_debug
        self.link.on_debug = self._note_debug
        self.link.on_global = self._note_global
        self.link.on_request = self._note_request

    # --- what it is ---

    @property
    def link(self) -> Link:
        """The link to the gateway."""
        return self.hops[-1].link

    @property
    def has_ended(self) -> bool:
        """Whether the link to the gateway is over."""
        return self.link.has_ended

    @property
    def error(self) -> NetkitError | None:
        """Why the link ended: ``link-closed`` is a FIN, ``link-cut`` an RST or the like."""
        return self.link.error

    @property
    def last_received(self) -> float:
        """`time.monotonic` of the last byte from the gateway."""
        return self.link.stream.last_received

    @property
    def server_keepalives(self) -> int:
        """How many keepalive requests the gateway has sent on this link, on channels or off."""
        return self._keepalives

    # --- questions ---

    def start(self, command: str) -> Command:
        """Start a command and return at once; ``.wait(timeout)`` gives what became of it."""
        return Command(self.link, command)

    def run(self, command: str, timeout: float) -> Executed:
        """Run a command to its end, or for ``timeout`` seconds."""
        return self.start(command).wait(timeout)

    def count_sessions(self, count: int, deadline: float) -> int:
        """Open ``count`` session channels at once and return how many were opened."""
        self.settle(deadline)
        changed = threading.Condition()
        asked = [
            MemoryChannel.open(self.link, "session", changed=changed) for _ in range(max(count, 0))
        ]
        opened = sum(channel.wait_open(deadline) for channel in asked)
        for channel in asked:
            channel.close()
        self.settle(deadline)
        return opened

    def settle(self, deadline: float) -> None:
        """Wait until the gateway has let go of the channels that were closed so far.

        sshd gives a session's place free only in the round after that which reads the CLOSE, so
        what comes in the same segment is refused.
        """
        self.keepalive(max(deadline - time.monotonic(), _TICK))

    def open(
        self, target: Address, say: bytes = b"", *, changed: threading.Condition | None = None
    ) -> MemoryChannel:
        """Ask for a channel to ``target`` and return at once; the channel says how it goes.

        ``say`` is sent as soon as it is open.
        """
        if isinstance(target, UnixPath):
            kind, data = "direct-streamlocal@openssh.com", string(target.path) + string("") + u32(0)
        else:
            kind, data = "direct-tcpip", direct_tcpip(target, ("127.0.0.1", 0))
        return MemoryChannel.open(
            self.link, kind, data, changed=changed, first=lambda channel: channel.say(say)
        )

    def listen(self, bind: Address, accept: Accept, timeout: float) -> RemoteListener:
        """Have the gateway listen on ``bind``; its ``port`` is the allocated one.

        ``accept(request, source)`` is called in the link's thread for each connection there, and
        confirms it with `MemoryChannel.accept`.

        Raises:
            RemoteForwardError: it refused, or did not answer (``remote-forward-unanswered``).
            LinkLostError: the link ended.
        """
        forward = ForwardSpec(ForwardKind.REMOTE, bind)
        return self.remotes.request(forward, accept=accept, limit=timeout)

    def unlisten(self, listener: RemoteListener, timeout: float) -> None:
        """Have the gateway stop listening; raises as `listen` does."""
        self.remotes.cancel(listener, limit=timeout)

    def keepalive(self, timeout: float) -> float | None:
        """Ask for a sign of life; return after how many seconds it came, None if it did not."""
        answered = threading.Event()
        began = time.monotonic()

        def ask() -> None:
            self.link.ask(KEEPALIVE, b"", lambda _ok, _data: answered.set())

        try:
            self.link.run(ask, timeout)
        except NetkitError:
            return None
        while not answered.wait(_TICK):
            if self.has_ended or time.monotonic() - began >= timeout:
                return None
        return time.monotonic() - began

    # --- the end ---

    def abandon(self) -> None:
        """End the links soon, so that whoever waits for something on them returns."""
        for hop in self.hops:
            hop.link.stop()

    def close(self) -> None:
        """Log out and wait for it, a few seconds at most; idempotent."""
        for hop in reversed(self.hops):
            hop.close(STEP)

    # --- the link's thread ---

    def _note_debug(self, text: str) -> None:
        self._heard(text)
        if self._debug is not None:
            self._debug(text)

    def _note_global(self, event: GlobalRequest) -> bool:
        self._count(event.kind)
        return False

    def _note_request(self, event: ChannelRequest) -> bool:
        # sshd asks on a channel, where there is one (clientloop.c and serverloop.c).
        self._count(event.kind)
        return False

    def _count(self, kind: str) -> None:
        if kind.startswith("keepalive@"):
            self._keepalives += 1


def open_session(access: Access, witnesses: list[Witness] | None = None) -> Session:
    """Connect hop by hop and log in.

    Every hop that is begun leaves its `Witness` in ``witnesses``, also where it fails.

    Raises:
        NetkitError: what failed; nothing is left behind.
    """
    seen = witnesses if witnesses is not None else []
    hops: list[HopLink] = []
    plan = access.plan
    prompter = access.prompter
    company = Company(
        prompter=prompter.for_login() if isinstance(prompter, Answers) else prompter,
        password=access.password,
        emit=_ignore,
        notice=access.notice,
        cancelled=access.cancelled,
    )
    try:
        for number, hop in enumerate(plan.hops, 1):
            if access.cancelled.is_set():
                raise GatewayUnreachableError("connecting was cancelled", code="cancelled")
            witness = Witness(hop.alias)
            seen.append(witness)
            through = hops[-1].link if hops else None
            last = number == len(plan.hops)
            hops.append(connect(hop, through, company, observe=last, witness=witness))
        return Session(tuple(hops), seen[-1])
    except BaseException:
        for entry in reversed(hops):
            entry.close(STEP)
        raise


def _ignore(_event: Event) -> None:
    """Nobody watches the flows of an examination."""
