"""A display of this machine at a port of the gateway: a remote forward that asks for a cookie.

A plain remote forward would hand the X server to whoever connects, or have programs elsewhere keep
the server's own cookie.  Here they get one that opens this forward and nothing else.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from netkit.engine.exec_channel import Executed, run_command
from netkit.engine.x11 import X11Door, XServer
from netkit.engine.x11_keeper import keep
from netkit.errors import LinkLostError
from netkit.wire.x11 import COOKIE

if TYPE_CHECKING:
    from netkit.engine.link import Link
    from netkit.engine.remote import Accept, RemoteForwards
    from netkit.model import ForwardSpec

Run = Callable[[str, bytes], Executed]

RUN_TIME: Final = 15.0
"""Seconds that a command on the gateway may take."""


class X11Mapping:
    """One display that is lent over ``forward``; serves one link after the other.

    Attributes:
        server: what is lent.
        forward: the remote forward whose clients have to show the cookie.
        cookie: what they have to show; the same on every link.  Secret.
    """

    def __init__(
        self,
        server: XServer,
        forward: ForwardSpec,
        *,
        before: Callable[[Run], None] | None = None,
    ) -> None:
        """``before`` may look at the gateway before it is asked to listen, and refuse."""
        self.server = server
        self.forward = forward
        self.cookie = secrets.token_bytes(COOKIE)
        self._before = before
        self._link: Link | None = None
        self._door: X11Door | None = None

    def connected(self, link: Link, remotes: RemoteForwards) -> None:
        """Prepare a new link; from any thread but its loop's.

        Raises:
            DisplayError: the X server has forgotten its untrusted cookie.
            NetkitError: what ``before`` raised.
        """
        self._link = link
        self._door = X11Door(link, remotes.dialer, self.server, self.cookie, forward=self.forward)
        if self.server.untrusted:
            keep(link, remotes.dialer, self.server, self._door.forgotten)
        if self._before is not None:
            self._before(self.run)

    def accept(self, forward: ForwardSpec) -> Accept | None:
        """Return what takes the channels of ``forward``; None for any other than ours."""
        return self._door.accept if self._door is not None and forward == self.forward else None

    def run(self, command: str, stdin: bytes = b"") -> Executed:
        """Run a command on the gateway.

        Raises:
            LinkLostError: there is no link.
        """
        if self._link is None:
            raise LinkLostError("there is no link to run it on")
        return run_command(self._link, command, RUN_TIME, stdin=stdin)
