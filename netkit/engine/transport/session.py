"""From a connected socket to a logged-in transport."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from netkit.engine.transport import dial_errors
from netkit.engine.transport.algorithms import is_strict, offer_for
from netkit.engine.transport.auth import Login
from netkit.engine.transport.client import SshTransport, describe_loss, supported_kex
from netkit.engine.transport.hostkeys import HostKeyCheck
from netkit.engine.witness import Witness
from netkit.errors import GatewayUnreachableError
from netkit.model import Endpoint, Hop
from netkit.prompt import Prompter

if TYPE_CHECKING:
    import socket

    from paramiko.packet import Packetizer

_TICK: Final = 0.1


def _silent(code: str, text: str) -> None:
    """Drop a notice."""


def establish(
    hop: Hop,
    sock: socket.socket,
    *,
    packetizer_class: type[Packetizer] | None = None,
    prompter: Prompter | None = None,
    password: str | None = None,
    log: Callable[[str, str], None] | None = None,
    cancelled: threading.Event | None = None,
    witness: Witness | None = None,
    before: str = "",
) -> SshTransport:
    """Exchange keys, check the host key and log in over a connected socket.

    Args:
        hop: the gateway, fully resolved; ``connect_timeout`` seconds bound identification and
            key exchange (people and slow logins are not hurried).
        sock: belongs to the transport from here on, also on failure.
        packetizer_class: paramiko's when not given.
        prompter: whom to ask; without one nothing is asked.
        password: tried once, for ``password`` or a password question.
        log: receives (code, text) of what the user should know and what is no failure.
        cancelled: ends any wait with code ``cancelled`` when set.
        witness: is told what shows on the way, also where it fails.
        before: how the gateway let us in the last time (``auth_method``).

    Raises:
        NetkitError: of a class and code per cause.  The socket is closed and the transport's
            thread has ended then.
    """
    notice = log or _silent
    witness = witness or Witness(hop.alias)
    try:
        check = HostKeyCheck(hop, prompter=prompter, log=notice)
        offer = offer_for(
            hop,
            kex=supported_kex(),
            known_types=check.known.key_types,
            cert=bool(check.known.authorities),
        )
        witness.ours = offer
        transport = SshTransport(
            sock, offer, packetizer_class=packetizer_class, timeout=hop.connect_timeout
        )
    except OSError as error:
        sock.close()
        raise GatewayUnreachableError(
            "the connection was closed before it could be used",
            code="closed-early",
            cause=str(error),
            retryable=True,
        ) from error
    except BaseException:
        sock.close()
        raise
    try:
        began = time.monotonic()
        try:
            _exchange_keys(transport, hop.connect_timeout, cancelled)
        finally:
            witness.seconds_kex = time.monotonic() - began
            _note(transport, witness)
        witness.stage = "host-key"
        check.check(transport.host_key_blob, transport.certificate, _peer(sock))
        witness.stage = "auth"
        login = Login(
            transport,
            hop,
            prompter=prompter,
            password=password,
            log=notice,
            cancelled=cancelled,
            before=before,
        )
        began = time.monotonic()
        try:
            transport.auth_method = login.run()
        finally:
            witness.seconds_auth = time.monotonic() - began
            login.tell(witness)
        witness.stage = "done"
    except BaseException as error:
        transport.shut()
        if isinstance(error, GatewayUnreachableError):
            _name(error, hop)
        raise
    return transport


def _note(transport: SshTransport, witness: Witness) -> None:
    """Tell the witness what the key exchange has shown so far."""
    witness.server = transport.server_version
    if witness.server:
        witness.stage = "kex"
    witness.theirs, witness.agreed = transport.theirs, transport.agreed
    witness.strict_kex = None if transport.theirs is None else is_strict(transport.theirs)
    witness.host_key = transport.host_key_blob


_ODD_PORT = {"not-ssh", "silent-port", "banner-flood", "closed-early", "key-exchange-timeout"}


def _name(error: GatewayUnreachableError, hop: Hop) -> None:
    """Say which gateway of the chain it is that a failure speaks of."""
    if error.code in _ODD_PORT and not error.fixes:
        error.fixes = (dial_errors.by_ssh(hop),)
    if error.code != "cancelled":
        error.summary = f"{Endpoint(hop.host, hop.port)}: {error.summary}"
        error.args = (error.summary,)


def _exchange_keys(
    transport: SshTransport, timeout: float, cancelled: threading.Event | None
) -> None:
    deadline = time.monotonic() + timeout
    done = threading.Event()
    transport.start_client(event=done)
    while not done.wait(_TICK):
        if cancelled and cancelled.is_set():
            raise GatewayUnreachableError("connecting was cancelled", code="cancelled")
        if time.monotonic() >= deadline + _TICK:
            stage = "key exchange" if transport.remote_version else "identification"
            raise GatewayUnreachableError(
                f"the gateway did not finish the {stage} within {timeout:.0f} s",
                code="key-exchange-timeout",
                cause="it is overloaded or frozen, or large packets are lost on the way "
                "(an MTU black hole)",
                retryable=True,
            )
    if not transport.is_active():
        raise describe_loss(transport, "key exchange")


def _peer(sock: socket.socket) -> str:
    try:
        name = sock.getpeername()
    except OSError:
        return ""
    return str(name[0]) if isinstance(name, tuple) else ""
