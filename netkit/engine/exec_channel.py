"""A command run on the gateway: a session channel with an exec request (RFC 4254 section 6.5).

No terminal; standard input is what was given, which is short.  Output is bounded, and so is every
wait.  Many commands may run at once on one link, as far as the gateway allows sessions (sshd's
MaxSessions).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netkit.engine.memory_channel import HEARD, KEPT, MemoryChannel
from netkit.errors import RemoteProtocolError
from netkit.wire.messages import Fields, string
from netkit.wire.untrusted import printable

if TYPE_CHECKING:
    from netkit.engine.link import Link

_SIGNALLED: Final = "exit-signal"
_STATUS: Final = "exit-status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """What became of a command.

    Attributes:
        outcome: ``ran``, ``no-session`` (the gateway opens none, or closes it without a word),
            ``refused`` (it opens one and runs nothing), ``timed-out`` or ``link-lost``.
        status: exit status; None where the gateway told none, or was not waited for.
        signal: what ended the command, such as ``TERM``; empty for a normal end.
        stdout, stderr: the beginning of what came.
        cut: there was more output.
        reason, text: of a refusal, or why the link was lost.
        seconds: the whole of it.
    """

    outcome: str
    status: int | None = None
    signal: str = ""
    stdout: bytes = b""
    stderr: bytes = b""
    cut: bool = False
    reason: int = 0
    text: str = ""
    seconds: float = 0.0


class Command:
    """A command that has been started; `wait` for it from any thread but the loop's.

    Attributes:
        channel: where its output arrives; may be looked at meanwhile.
    """

    def __init__(self, link: Link, command: str, *, kept: int = KEPT, stdin: bytes = b"") -> None:
        self._began = time.monotonic()
        request = string(command)

        def first(channel: MemoryChannel) -> None:
            channel.ask("exec", request)
            channel.say(stdin, end=True)

        self.channel = MemoryChannel.open(link, "session", kept=kept, first=first)

    def wait(self, timeout: float) -> Executed:
        """Wait for the end, ``timeout`` seconds at most; what runs then is told to end."""
        channel = self.channel
        deadline = time.monotonic() + max(timeout, 0.0)
        channel.wait(_has_ended, deadline)
        with channel.changed:
            result = self._judge()
        self.stop()
        return result

    def stop(self) -> None:
        """End it: SIGTERM where it still runs and the gateway passes signals on, then a CLOSE."""

        def leave() -> None:
            if not _is_through(self.channel):
                self.channel.ask("signal", string("TERM"), want_reply=False)
            self.channel.leave()

        self.channel.link.loop.post(leave)

    def _judge(self) -> Executed:
        channel = self.channel
        status, signal = _status(channel)
        cut = channel.heard > len(channel.data) + len(channel.errors)
        if channel.state == "lost":
            outcome = "link-lost"
        elif channel.state == "refused":
            outcome = "no-session"
        elif channel.replies[:1] == [False]:
            outcome = "refused"
        elif channel.state == "closed" and not (channel.replies or channel.told or channel.heard):
            outcome = "no-session"
        elif channel.state == "closed" or _STATUS in channel.told or _SIGNALLED in channel.told:
            outcome = "ran"
        else:
            outcome = "timed-out"
        return Executed(
            outcome=outcome,
            status=status,
            signal=signal,
            stdout=bytes(channel.data),
            stderr=bytes(channel.errors),
            cut=cut or channel.heard > HEARD,
            reason=channel.reason,
            text=channel.text,
            seconds=time.monotonic() - self._began,
        )


def run_command(
    link: Link, command: str, timeout: float, *, kept: int = KEPT, stdin: bytes = b""
) -> Executed:
    """Run ``command``, which reads ``stdin``, and return what became of it.

    From any thread but the loop's.
    """
    return Command(link, command, kept=kept, stdin=stdin).wait(timeout)


def _is_through(channel: MemoryChannel) -> bool:
    """Whether the command has ended, its output too."""
    return channel.eof and (_STATUS in channel.told or _SIGNALLED in channel.told)


def _has_ended(channel: MemoryChannel) -> bool:
    return channel.is_over or channel.replies[:1] == [False] or _is_through(channel)


def _status(channel: MemoryChannel) -> tuple[int | None, str]:
    """Return the exit status and the signal that the gateway told of."""
    status: int | None = None
    signal = ""
    try:
        if _STATUS in channel.told:
            status = Fields(channel.told[_STATUS], 0).u32()
        if _SIGNALLED in channel.told:
            signal = printable(Fields(channel.told[_SIGNALLED], 0).text(64), 32)
    except RemoteProtocolError:
        return None, ""
    return status, signal
