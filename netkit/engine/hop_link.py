"""One hop of the chain: the connection to it, its link, and paramiko's transport that drives it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netkit.engine.link import Link
from netkit.engine.open_socket import open_socket
from netkit.engine.witness import Witness
from netkit.errors import GatewayUnreachableError, NetkitError
from netkit.events import Event, LinkUp
from netkit.model import Endpoint, Hop

if TYPE_CHECKING:
    from netkit.engine.transport.client import SshTransport
    from netkit.engine.transport.dial import Connection
    from netkit.prompt import Prompter

OPEN_TIME = 30.0
"""Seconds for a channel to the next hop; sshd itself would try a dead target for two minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """Who takes part in connecting: whom to ask, what to say, and how to be interrupted.

    ``logins`` keeps for the next time how each gateway, by its alias, let us in.
    """

    prompter: Prompter | None
    password: str | None
    emit: Callable[[Event], None]
    notice: Callable[[str, str], None]
    cancelled: threading.Event
    logins: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HopLink:
    """A hop that is connected and logged in."""

    hop: Hop
    link: Link
    transport: SshTransport
    connection: Connection
    seconds: float

    def up(self, number: int, hops: int) -> LinkUp:
        """Return the event that tells of it."""
        agreed = self.transport.agreed
        assert agreed is not None
        return LinkUp(
            gateway=self.hop.alias,
            hop=number,
            hops=hops,
            server=self.transport.server_version,
            cipher=agreed.cipher,
            mac=agreed.mac,
            kex=agreed.kex,
            compression=agreed.compression,
            auth=self.transport.auth_method,
            seconds=self.seconds,
        )

    def close(self, limit: float) -> None:
        """Close everything; each step takes at most ``limit`` seconds."""
        self.transport.shut(limit)
        self.link.wait(limit)
        self.connection.close()


def connect(
    hop: Hop,
    through: Link | None,
    company: Company,
    *,
    observe: bool,
    witness: Witness | None = None,
) -> HopLink:
    """Reach ``hop``, directly or ``through`` the link before it, and log in.

    ``observe`` says whether the link's flows are reported: those of the last hop are.
    ``witness`` is told what shows on the way.

    Raises:
        NetkitError: what failed; nothing is left behind.
    """
    # paramiko is loaded when it is needed, not when netkit is imported.
    from netkit.engine.transport import packetizer, session  # noqa: PLC0415

    witness = witness or Witness(hop.alias)
    began = time.monotonic()
    try:
        connection = _reach(hop, through, company)
    finally:
        witness.seconds_tcp = time.monotonic() - began
    detour = hop.proxy_command or hop.proxy
    witness.connected(connection.sock, direct=through is None and not detour)
    try:
        link = Link(connection.sock, observer=company.emit if observe else None)
    except OSError:  # no descriptors are left
        connection.close()
        raise
    link.on_debug = witness.heard
    try:
        transport = session.establish(
            hop,
            connection.sock,
            packetizer_class=packetizer.driving(link),
            prompter=company.prompter,
            password=company.password if observe else None,
            log=company.notice,
            cancelled=company.cancelled,
            witness=witness,
            before=company.logins.get(hop.alias, ""),
        )
    except BaseException as error:
        link.end(None)
        connection.close()
        seen = link.error
        if isinstance(error, GatewayUnreachableError) and seen is not None:
            better = _more_precise(error, seen)
            if better is not error:
                raise better from error
        raise
    company.logins[hop.alias] = transport.auth_method
    return HopLink(hop, link, transport, connection, time.monotonic() - began)


def _reach(hop: Hop, through: Link | None, company: Company) -> Connection:
    from netkit.engine.transport.dial import Connection, dial  # noqa: PLC0415

    if through is None:
        ask = company.prompter.secret if company.prompter else None
        return dial(hop, cancelled=company.cancelled, log=company.notice, ask=ask)
    target = Endpoint(hop.host, hop.port)
    sock = open_socket(through, target, OPEN_TIME, company.cancelled)
    return Connection(sock, str(target))


def _more_precise(told: NetkitError, seen: NetkitError) -> NetkitError:
    """Of what the login noticed and what the link saw, return what says more."""
    return told if seen.code in ("link-closed", "link-disconnected", "stopped") else seen
