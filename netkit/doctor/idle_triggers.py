"""How an idle connection is made to carry something again, after so many seconds.

Only what the gateway says first tells how long a NAT remembers: many a NAT takes what comes from
inside for a new flow and lets it pass, so a question of ours is answered over a forgotten
connection too.  The gateway speaks first when a command there ends, or, for an account that may run
none, when somebody connects to a port that it listens on for us, which is what a remote forward
lives on.  Nothing here judges.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from netkit.engine.keepalive import REQUEST as KEEPALIVE
from netkit.model import Endpoint
from netkit.wire.messages import PROHIBITED
from netkit.wire.untrusted import printable

if TYPE_CHECKING:
    from netkit.doctor.session import Session
    from netkit.engine.memory_channel import MemoryChannel
    from netkit.wire.mux import OpenRequest

SETTLE: Final = 0.3
"""Seconds that belong to what went before: acknowledgements, the answer to an open."""

ANSWER_TIME: Final = 10.0
"""Seconds for the gateway to answer what is asked at the beginning."""

STAY_ALIVE: Final = 2.0
"""Seconds between the keepalives of the connection that knocks; no NAT forgets that soon."""

_LOOPBACK: Final = "127.0.0.1"


class Trigger(Protocol):
    """Makes a connection speak again.

    Attributes:
        began: `time.monotonic` since which the connection is idle; 0 while it is not yet.
        heard: when something arrived after the silence; 0 while nothing has.
        failure: why this cannot be measured; empty while it can.
        source: how the gateway sees our side of the connection; empty: not known.
    """

    began: float
    heard: float
    failure: str
    source: str

    def poll(self, now: float) -> None:
        """Look what has come, and do what is due."""


class CommandTrigger:
    """The gateway speaks when a command ends: ``sleep``, or what cmd.exe has in place of it."""

    def __init__(self, session: Session, idle: float, *, cmd: bool = False) -> None:
        self.began = 0.0
        self.heard = 0.0
        self.failure = ""
        self.source = ""
        self._idle = idle
        self._token = secrets.token_hex(4)
        self._asked = time.monotonic()
        self.command = session.start(idle_command(self._token, idle, cmd=cmd))

    def poll(self, now: float) -> None:
        """Look for the two words of the command."""
        channel = self.command.channel
        with channel.changed:
            data, last, over = bytes(channel.data), channel.last, channel.is_over or channel.eof
            lost = channel.state == "lost"
        begin, end = f"begin-{self._token}".encode(), f"end-{self._token}".encode()
        if not self.began:
            _, found, rest = data.partition(begin)
            line, complete, _ = rest.partition(b"\n")
            if found and complete:
                self.began = last
                self.source = _source(line)
            elif over and not lost:
                self.failure = "the gateway runs no commands for this account"
            elif now > self._asked + ANSWER_TIME:
                self.failure = "the gateway did not start the command"
        if end in data and self.began:
            if last < self.began + self._idle * 0.8:
                self.failure = "the gateway has no 'sleep' that waits"
            else:
                self.heard = last
        elif over and not lost and self.began and not self.failure:
            self.failure = "the command ended before its time"


def idle_command(token: str, idle: float, *, cmd: bool) -> str:
    """Return the command line; the first suits POSIX shells, csh, fish and PowerShell."""
    if cmd:
        wait = f"ping -n {max(round(idle), 1) + 1} {_LOOPBACK} >nul"
        return f"echo begin-{token} %SSH_CONNECTION%& {wait} & echo end-{token}"
    return f'echo "begin-{token} $SSH_CONNECTION"; sleep {idle:g}; echo end-{token}'


def _source(line: bytes) -> str:
    """Return the address and port that the gateway sees us at, of ``SSH_CONNECTION``."""
    words = printable(line[:512], 128).split()
    if len(words) < 4 or not words[1].isascii() or not words[1].isdecimal() or len(words[1]) > 5:
        return ""
    return str(Endpoint(words[0], int(words[1])))


class KnockTrigger:
    """The gateway speaks when ``knocker`` connects to a port that it listens on for us."""

    source = ""

    def __init__(self, session: Session, idle: float, knocker: Knocker) -> None:
        """Raises `NetkitError` where the gateway does not listen."""
        self.began = 0.0
        self.heard = 0.0
        self.failure = ""
        self._session = session
        self._idle = idle
        self._knocker = knocker
        self._knock: MemoryChannel | None = None
        self._port = session.listen(Endpoint("", 0), self._accept, ANSWER_TIME).port
        self.began = time.monotonic()

    def _accept(self, request: OpenRequest, _source: str) -> None:
        """Note the arrival; there is nobody here to talk to.  In the link's thread."""
        self.heard = time.monotonic()
        self._session.link.mux.refuse(request.channel, PROHIBITED, "this only measures")

    def try_out(self) -> str:
        """Knock at once; return why that does not arrive, nothing where it does."""
        knock = self._knocker.knock(self._port)
        if knock is None:
            return "the second connection to the gateway was lost"
        deadline = time.monotonic() + ANSWER_TIME
        knock.wait_open(deadline)
        # What arrived here was refused, and that may be all the gateway sees of its connection.
        if knock.state == "refused" and not self.heard:
            return f"the gateway does not connect to its own port: {knock.text}"
        knock.wait(lambda channel: bool(self.heard) or channel.is_over, deadline)
        if not self.heard:
            return "connections to the port that the gateway listens on do not arrive"
        self.heard = 0.0
        self.began = time.monotonic()
        return ""

    def poll(self, now: float) -> None:
        """Knock when it is time."""
        if self._knock is None and now >= self.began + self._idle:
            self._knock = self._knocker.knock(self._port)
            if self._knock is None:
                self.failure = "the second connection to the gateway was lost"


class Knocker:
    """A second connection to the gateway, kept alive, that connects to ports there."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._asked = time.monotonic()

    def poll(self, now: float) -> None:
        """Keep the connection alive."""
        if now >= self._asked + STAY_ALIVE:
            self._asked = now
            ask(self.session, lambda: None)

    def knock(self, port: int) -> MemoryChannel | None:
        """Ask for a connection to ``port`` there; None where this connection is over."""
        if self.session.has_ended:
            return None
        return self.session.open(Endpoint(_LOOPBACK, port))


class QuestionTrigger:
    """We speak first, and the gateway answers."""

    source = ""

    def __init__(self, session: Session, idle: float) -> None:
        self.began = max(session.last_received, time.monotonic() - SETTLE)
        self.heard = 0.0
        self.failure = ""
        self._session = session
        self._idle = idle
        self._has_asked = False

    def poll(self, now: float) -> None:
        """Ask when it is time."""
        if not self._has_asked and now >= self.began + self._idle:
            self._has_asked = True
            ask(self._session, self._answered)

    def _answered(self) -> None:
        self.heard = time.monotonic()


def ask(session: Session, answered: Callable[[], None]) -> None:
    """Ask for a sign of life and do not wait; ``answered`` is called in the link's thread."""
    link = session.link
    link.loop.post(lambda: link.ask(KEEPALIVE, b"", lambda _ok, _data: answered()))
