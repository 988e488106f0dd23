"""Would the gateway forward X11 for us?  Asked as ssh -X asks, and given back.

The session runs nothing, so sshd never comes to write the cookie into ``~/.Xauthority``: it does
that when a session starts a program.  The cookie is made for this question and opens no display.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Final

from diagnostics.ssh import X11Answer
from netkit.doctor.facts import output_of
from netkit.engine.memory_channel import MemoryChannel
from netkit.wire.messages import string, u32

if TYPE_CHECKING:
    from netkit.doctor.session import Session

PROTOCOL: Final = "MIT-MAGIC-COOKIE-1"
COOKIE: Final = 16
"""Bytes of a cookie, as every X server makes them."""


def ask_x11(session: Session, command: str, deadline: float) -> X11Answer:
    """Ask; run ``command`` in another session while it is granted."""
    # What it said about earlier questions must not be taken for a word about this.
    session.settle(deadline)
    before = len(session.messages)
    request = b"\0" + string(PROTOCOL) + string(secrets.token_hex(COOKIE)) + u32(0)
    channel = MemoryChannel.open(session.link, "session", first=lambda c: c.ask("x11-req", request))
    channel.wait(lambda c: c.replies or c.is_over, deadline)
    with channel.changed:
        outcome = _outcome(channel)
    meanwhile = None
    if outcome == "granted" and command:
        done = session.run(command, deadline - time.monotonic())
        meanwhile = output_of(command, done)
    channel.close()
    if outcome != "link-lost":
        session.settle(deadline)
    return X11Answer(
        outcome=outcome, messages=tuple(session.messages[before:]), meanwhile=meanwhile
    )


def _outcome(channel: MemoryChannel) -> str:
    if channel.replies:
        return "granted" if channel.replies[0] else "refused"
    if channel.state == "lost":
        return "link-lost"
    if channel.state in ("refused", "closed"):
        return "no-session"
    return "timed-out"
