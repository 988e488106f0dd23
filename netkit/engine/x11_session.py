"""A session on the gateway whose programs show their windows here: what ``ssh -X`` does.

sshd makes a display for a session that asks for it (``x11-req``, RFC 4254 section 6.3.1), and
writes its cookie for X programs when the session starts a program, not before.  So a session runs
one: the user's, or one that tells DISPLAY and waits as long as the link lives.
"""

from __future__ import annotations

import re
import secrets
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from netkit.engine.memory_channel import MemoryChannel
from netkit.engine.x11 import X11Door, XServer
from netkit.engine.x11_keeper import keep
from netkit.errors import LinkLostError, NetkitError, RemoteForwardError, RemoteProtocolError
from netkit.model import Fix
from netkit.wire.messages import Fields, string
from netkit.wire.untrusted import printable
from netkit.wire.x11 import COOKIE

if TYPE_CHECKING:
    from netkit.engine.link import Link
    from netkit.engine.remote import Accept, RemoteForwards
    from netkit.model import ForwardSpec

ANSWER_TIME = 30.0
"""Seconds that the gateway has to open the session and to say whether it forwards X11."""

START_TIME = 20.0
"""Seconds until a program runs there; sshd calls xauth before, which may wait for a lock."""

HOLD: Final = "sh -c 'echo \"netkit-display=$DISPLAY.\"; exec cat >/dev/null'"
"""Tells DISPLAY, and ends with its input: when the link does."""

_TOLD: Final = re.compile(rb"^netkit-display=(.{0,200})\.\r?$", re.MULTILINE)
_TURN: Final = 3600.0

Write = Callable[[bytes, bytes], None]


class X11Session:
    """The display of a tunnel's user on the gateway; serves one link after the other.

    Attributes:
        server: what is lent.
        display: DISPLAY for programs on the gateway; empty while unknown, and for a ``command``.
    """

    def __init__(
        self,
        server: XServer,
        *,
        command: str = "",
        single: bool = False,
        gateway: str = "GATEWAY",
    ) -> None:
        """Without a ``command`` the session runs until the link ends.

        With ``single`` one X connection is let in, and no more.  ``gateway`` is what the user
        calls it, for messages.
        """
        self._gateway = gateway
        self.server = server
        self.display = ""
        self._command = command
        self._single = single
        self._link: Link | None = None
        self._door: X11Door | None = None
        self._channel: MemoryChannel | None = None
        self._messages: list[str] = []

    def connected(self, link: Link, remotes: RemoteForwards) -> None:
        """Ask for the display on a new link; from any thread but its loop's.

        Raises:
            RemoteForwardError: the gateway forwards no X11 for this login.
            DisplayError: the X server has forgotten its untrusted cookie.
            LinkLostError: the link ended meanwhile.
        """
        fake = secrets.token_bytes(COOKIE)
        door = X11Door(link, remotes.dialer, self.server, fake, single=self._single)
        self._link, self._door = link, door
        if self.server.untrusted:
            keep(link, remotes.dialer, self.server, door.forgotten)
        self._hear(link)
        remotes.on_x11 = door.open_request
        request = door.request()
        channel = MemoryChannel.open(
            link, "session", first=lambda c: c.ask("x11-req", request), paced=bool(self._command)
        )
        self._channel = channel
        channel.on_over = self._ended
        try:
            self._wait_granted(channel)
            self._start(channel)
        except BaseException:
            channel.close()
            raise

    def accept(self, forward: ForwardSpec) -> Accept | None:  # noqa: ARG002 - Lending
        """Return None: remote forwards have nothing to do with it."""
        return None

    def _hear(self, link: Link) -> None:
        """Note what sshd says; the reason of a refusal is in a debug message alone."""
        before = link.on_debug
        messages = self._messages = []

        def heard(text: str) -> None:
            if len(messages) < 100:
                messages.append(text)
            if before is not None:
                before(text)

        link.on_debug = heard

    def _wait_granted(self, channel: MemoryChannel) -> None:
        channel.wait(lambda c: c.replies, time.monotonic() + ANSWER_TIME)
        if not channel.replies:
            raise _unanswered(channel)
        if not channel.replies[0]:
            raise refused(self._messages, channel.link.peer_version, self._gateway)

    def _start(self, channel: MemoryChannel) -> None:
        command = string(self._command or HOLD)

        def begin() -> None:
            channel.ask("exec", command)
            if self._command:
                channel.say(b"", end=True)

        channel.link.loop.post(begin)
        deadline = time.monotonic() + START_TIME
        channel.wait(lambda c: len(c.replies) > 1, deadline)
        if channel.state == "lost":
            raise _lost(channel)
        if channel.replies[1:2] != [True]:
            raise no_shell("it runs no command for this login", self._gateway)
        if not self._command:
            self._read_display(channel, deadline)

    def _read_display(self, channel: MemoryChannel, deadline: float) -> None:
        channel.wait(lambda c: _TOLD.search(c.data) or c.eof, deadline)
        with channel.changed:
            told = _TOLD.search(channel.data)
        if channel.state == "lost":
            raise _lost(channel)
        if told is None:
            what = "no shell answers there (a forced command, or a login without one)"
            raise no_shell(what, self._gateway)
        self.display = printable(told[1], 200)
        if not self.display:
            what = "its shell does not know DISPLAY although sshd granted it"
            raise no_shell(what, self._gateway)

    def _ended(self, channel: MemoryChannel) -> None:
        """In the loop's thread: the session is over, and with it the display."""
        if self._door is not None:
            self._door.close()
        told, self.display = self.display, ""
        if told and channel.state != "lost":
            channel.link.report.notice(
                "x11-session-ended",
                "the gateway ended the session that X11 forwarding needs: programs there find no "
                "display any more",
            )

    # --- the user's program; from any thread but the loop's ---

    def pump(self, write: Write) -> int:
        """Pass on what the program says until it ends; return its exit status.

        ``write(stdout, stderr)`` may take its time: the program waits.  What a signal ended has
        128 and its number, as in a shell; 255 where that is not known.

        Raises:
            LinkLostError: the link ended before.
        """
        channel = self._channel
        assert channel is not None
        while True:
            channel.wait(lambda c: c.data or c.errors or _is_through(c), time.monotonic() + _TURN)
            through = channel.is_over or _is_through(channel)
            data, errors = channel.take()
            if data or errors:
                write(data, errors)
            elif through:
                break
        if channel.state == "lost":
            raise _lost(channel)
        return _status(channel)

    def wait_flows(self) -> None:
        """Wait until the last window is closed: programs in the background outlive the command."""
        link = self._link
        while link is not None and link.flows and not link.wait(0.1):
            pass

    def interrupt(self) -> None:
        """Have the program end: SIGTERM where the gateway passes signals on, then a CLOSE."""
        channel = self._channel
        if channel is None:
            return

        def leave() -> None:
            channel.ask("signal", string("TERM"), want_reply=False)
            channel.leave()

        channel.link.loop.post(leave)


def refused(messages: list[str], version: str, gateway: str) -> RemoteForwardError:
    """Return why the gateway forwards no X11, by what sshd said meanwhile."""
    said = " ".join(messages)
    fixes = [_by_number(gateway)]
    fix: Fix | None
    if "No xauth program" in said:
        code, cause = "x-forwarding-no-xauth", "its sshd finds no xauth, which X11 forwarding needs"
        fix = Fix(
            ("sh", "-c", "apt-get install -y xauth || dnf install -y /usr/bin/xauth"),
            where="gateway",
            needs_admin=True,
            note="or XAuthLocation in its sshd_config says where xauth is",
        )
    elif "disabled by key options" in said:
        code, cause = "x-forwarding-forbidden-to-key", "the key that logged in may not forward X11"
        fix = Fix(
            ("grep", "-nE", "restrict|no-X11-forwarding", ".ssh/authorized_keys"),
            where="gateway",
            note="shows the line; take the option out of it",
        )
    elif "OpenSSH" not in version:
        fix = None
        code = "x-forwarding-refused"
        cause = f"its SSH server ({printable(version, 60) or 'unnamed'}) may know no X11 forwarding"
    else:
        code = "x-forwarding-refused"
        cause = "its sshd_config says X11Forwarding no (OpenSSH's default), or no display is free"
        fix = Fix(
            ("sshd", "-T"),
            where="gateway",
            needs_admin=True,
            note="shows x11forwarding; set X11Forwarding yes in sshd_config and reload sshd",
        )
    if fix is not None:
        fixes.insert(0, fix)
    return RemoteForwardError(
        "the gateway refused to forward X11", code=code, cause=cause, fixes=tuple(fixes)
    )


def _by_number(gateway: str) -> Fix:
    return Fix(
        ("netkit", "x11", gateway, "--display", "1"),
        note="needs no X11 forwarding there, and programs get its cookie by hand",
    )


def no_shell(cause: str, gateway: str) -> RemoteForwardError:
    """Return that no program can be started, without which sshd makes no cookie."""
    return RemoteForwardError(
        "the gateway forwards X11, but starts no program that could use it",
        code="gateway-no-shell",
        cause=f"{cause}; sshd hands out the cookie of the display when a program starts",
        fixes=(_by_number(gateway),),
    )


def _unanswered(channel: MemoryChannel) -> NetkitError:
    if channel.state == "lost":
        return _lost(channel)
    if channel.state in ("opening", "open"):
        what, cause = "did not answer", f"nothing came within {ANSWER_TIME:g} s"
    else:
        what, cause = "opens no session", channel.text or "sessions are forbidden to this login"
    return RemoteForwardError(
        f"the gateway {what}, and X11 is forwarded to sessions only",
        code="gateway-no-sessions",
        cause=f"{cause} (MaxSessions, or a key that may only forward ports)",
    )


def _lost(channel: MemoryChannel) -> NetkitError:
    return channel.link.error or LinkLostError(channel.text or "the link ended")


def _is_through(channel: MemoryChannel) -> bool:
    """Whether the program has ended, its output too."""
    return channel.eof and ("exit-status" in channel.told or "exit-signal" in channel.told)


def _status(channel: MemoryChannel) -> int:
    told = channel.told
    try:
        if "exit-status" in told:
            return min(Fields(told["exit-status"], 0).u32(), 255)
        if "exit-signal" in told:
            name = f"SIG{Fields(told['exit-signal'], 0).text(64)}"
            return 128 + signal.Signals[name]
    except (RemoteProtocolError, KeyError):
        pass
    return 255
