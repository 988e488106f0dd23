"""netkit's own SSH server: for trials, tests, and hosts without sshd.

It only forwards.  One thread accepts; each connection is a `ServerTransport` whose thread is the
loop of its link, exactly as on the client's side, and a `GatewaySession` once it has logged in.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    load_pem_private_key,
    load_ssh_private_key,
)

from netkit.engine import listeners
from netkit.engine.gateway_session import ForwardRules, GatewaySession
from netkit.engine.loop import Loop
from netkit.engine.transport.algorithms import CIPHERS
from netkit.engine.transport.server import HostKey, ServerConfig, ServerTransport
from netkit.engine.transport.server_login import Identity, LoginRules
from netkit.engine.transport.signatures import PrivateKey
from netkit.errors import BindError, KeyFileError, UsageError
from netkit.events import Event, Notice
from netkit.model import Endpoint, Fix, ForwardKind, ForwardSpec, Keepalive
from netkit.text.authorized_keys import AuthorizedKey, parse_authorized_keys
from netkit.text.fingerprints import sha256_fingerprint
from netkit.text.known_hosts import format_line
from netkit.wire.packets import REKEY_BYTES
from netkit.wire.untrusted import printable

log = logging.getLogger("netkit.gateway")

_T = TypeVar("_T", bound=threading.Thread)

LOGIN_GRACE: Final = 60.0
MAX_AUTH_TRIES: Final = 6
MAX_UNAUTHENTICATED: Final = 64
"""Connections that have not logged in; more are closed as they come (sshd's MaxStartups)."""

STOP_LIMIT: Final = 5.0
"""Seconds that `GatewayServer.stop` waits for threads to end."""


class GatewayServer:
    """An SSH server that forwards and does nothing else.

    Args:
        host: where to listen; ``""`` is both loopback addresses, ``*`` everything.
        port: 0 for one that is free.
        host_key: a private key or the path of one without passphrase; None makes one for the run.
        authorized_keys: lines as in sshd's file; those that cannot be enforced let nobody in.
        password: accepted from anybody who knows it; None for none.
        user: the only user name; None for any.
        allow: targets that clients may reach; port 0 is any port of the host; None for any target.
        observer: called with flows and notices, from the connections' threads, one at a time; it
            must not block, and not stop the server.
        forwarding: False refuses everything, as ``AllowTcpForwarding no`` does.
        remote_forwarding: whether clients may have this server listen, on loopback addresses;
            with ``gateway_ports`` on others too.
        ciphers: in place of netkit's own list.
        rekey_bytes: ask for new keys after so many bytes each way.
        max_auth_tries, login_grace: failed tries and seconds until a client that has not logged
            in is left.
        keepalive: how clients are watched.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        host_key: PrivateKey | Path | None = None,
        authorized_keys: Sequence[str] = (),
        password: str | None = None,
        user: str | None = None,
        allow: tuple[Endpoint, ...] | None = None,
        observer: Callable[[Event], None] | None = None,
        forwarding: bool = True,
        remote_forwarding: bool = True,
        gateway_ports: bool = False,
        ciphers: tuple[str, ...] = CIPHERS,
        rekey_bytes: int = REKEY_BYTES,
        max_auth_tries: int = MAX_AUTH_TRIES,
        login_grace: float = LOGIN_GRACE,
        keepalive: Keepalive = Keepalive(),  # noqa: B008 (frozen)
    ) -> None:
        """Prepare a server; nothing listens yet.

        Raises:
            UsageError: nobody could log in.
            KeyFileError: ``host_key`` cannot be used.
        """
        self._bind = ForwardSpec(ForwardKind.LOCAL, Endpoint(host, port))
        self._observer = observer
        self._keepalive = keepalive
        self._rules = ForwardRules(
            allow=_lowered(allow),
            forwarding=forwarding,
            remote_forwarding=remote_forwarding,
            gateway_ports=gateway_ports,
        )
        self._config = ServerConfig(
            host_key=HostKey(_host_key(host_key)),
            login=LoginRules(
                _authorized(authorized_keys, password), password, user, max_auth_tries
            ),
            ciphers=ciphers,
            rekey_bytes=rekey_bytes,
            login_grace=login_grace,
            logged_in=self._logged_in,
            ended=self._ended,
            emit=self._emit,
        )
        self._emit_lock = threading.Lock()
        self._lock = threading.Lock()
        self._connections: set[ServerTransport] = set()
        self._listener: listeners.Listener | None = None
        self._loop: Loop | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False

    # --- for callers ---

    @property
    def addresses(self) -> tuple[Endpoint, ...]:
        """Where it listens; empty before `start`."""
        found = self._listener.addresses if self._listener is not None else ()
        return tuple(address for address in found if isinstance(address, Endpoint))

    @property
    def address(self) -> Endpoint:
        """The first address it listens on; what was asked for before `start`."""
        asked = self._bind.bind
        assert isinstance(asked, Endpoint)
        return self.addresses[0] if self.addresses else asked

    @property
    def host_key_line(self) -> str:
        """A line for known_hosts, without a newline."""
        return format_line(self.address.host, self.address.port, self._config.host_key.blob)

    @property
    def fingerprint(self) -> str:
        """The host key's ``SHA256:…``."""
        return sha256_fingerprint(self._config.host_key.blob)

    @property
    def connections(self) -> int:
        """Connections there are now, logged in or not."""
        with self._lock:
            return len(self._connections)

    def start(self) -> None:
        """Listen and serve, in threads of its own; once.

        Raises:
            BindError: the address cannot be listened on.
        """
        if self._thread is not None:
            raise UsageError("the gateway was started before", code="gateway-started")
        listener = self._open_listener()
        try:
            listener.listen()
            loop = Loop()
        except BaseException:
            listener.close()
            raise
        self._listener, self._loop = listener, loop
        listener.attach(loop, self._accepted, self._exhausted)
        self._thread = threading.Thread(
            target=self._serve, args=(loop, listener), name="netkit-gateway", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End every connection and wait until all threads have ended, `STOP_LIMIT` at most.

        Idempotent, from any thread; flows are reset.
        """
        deadline = time.monotonic() + STOP_LIMIT
        self._stopping = True
        if self._loop is None or self._thread is None:
            return
        self._loop.wake()
        _join([self._thread], deadline)
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.end("the gateway is shutting down")
        for connection in _join(connections, deadline - STOP_LIMIT / 2):
            connection.link.stop()
        left = _join([*connections, self._thread], deadline)
        if left:
            log.warning("%d connections did not end within %g s", len(left), STOP_LIMIT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _open_listener(self) -> listeners.Listener:
        try:
            return listeners.bind(self._bind)
        except BindError as error:
            if error.code in ("bind-address-in-use", "bind-privileged-port"):
                free = Fix(("netkit", "gateway", "...", "--port", "0"), note="takes any free port")
                error.fixes = (free,)
            raise

    # --- the accepting thread ---

    def _serve(self, loop: Loop, listener: listeners.Listener) -> None:
        try:
            while not self._stopping:
                loop.run_once(wait=True)
        finally:
            listener.detach()
            listener.close()
            loop.close()

    def _accepted(self, sock: socket.socket, peer: object) -> None:
        assert isinstance(peer, tuple)
        source = Endpoint(printable(str(peer[0]), 80), int(peer[1]))
        with self._lock:
            strangers = sum(not each.link.authenticated for each in self._connections)
        if strangers >= MAX_UNAUTHENTICATED or self._stopping:
            self._notice("gateway-full", f"{source} was turned away: too many did not log in yet")
            sock.close()
            return
        try:
            connection = ServerTransport(sock, source, self._config)
        except OSError as error:
            sock.close()
            self._exhausted(str(error))
            return
        with self._lock:
            self._connections.add(connection)
        try:
            connection.start_server(event=threading.Event())
        except RuntimeError as error:
            # No more threads; Thread.start raises this.
            connection.discard()
            self._ended(connection)
            self._exhausted(str(error))

    def _exhausted(self, text: str) -> None:
        log.warning("%s", text)
        self._emit(Notice(code="gateway-out-of-resources", text=text))

    # --- the connections' threads ---

    def _logged_in(self, connection: ServerTransport, identity: Identity) -> None:
        GatewaySession(connection.link, self._rules, identity.key, self._emit)
        connection.link.start_keepalive(self._keepalive)
        user = printable(identity.user, 60)
        self._notice("gateway-login", f"{user} from {connection.peer}: {identity.how}")

    def _ended(self, connection: ServerTransport) -> None:
        with self._lock:
            self._connections.discard(connection)
        self._notice("gateway-left", f"{connection.peer} has left: {connection.reason()}")

    def _notice(self, code: str, text: str) -> None:
        log.info("%s", text)
        self._emit(Notice(code=code, text=text))

    def _emit(self, event: Event) -> None:
        if self._observer is None:
            return
        try:
            with self._emit_lock:
                self._observer(event)
        except Exception:
            log.exception("the observer failed")


def _join(threads: Sequence[_T], deadline: float) -> list[_T]:
    """Wait for ``threads``; return those that are still there."""
    others = [thread for thread in threads if thread is not threading.current_thread()]
    for thread in others:
        thread.join(max(deadline - time.monotonic(), 0))
    return [thread for thread in others if thread.is_alive()]


def _lowered(allow: tuple[Endpoint, ...] | None) -> tuple[Endpoint, ...] | None:
    if allow is None:
        return None
    return tuple(Endpoint(target.host.lower(), target.port) for target in allow)


def _authorized(lines: Sequence[str], password: str | None) -> tuple[AuthorizedKey, ...]:
    keys, problems = parse_authorized_keys(lines)
    for problem in problems:
        log.warning("authorized_keys, %s; nobody gets in with it", problem)
    if not keys and password is None:
        raise UsageError(
            "nobody could log in to this gateway",
            code="gateway-without-logins",
            cause="; ".join(problems[:3]) or "there is neither an authorized key nor a password",
            fixes=(Fix(("netkit", "gateway", "...", "--authorized-keys", "FILE")),),
        )
    return keys


def _host_key(given: PrivateKey | Path | None) -> PrivateKey:
    if given is None:
        return ed25519.Ed25519PrivateKey.generate()
    if not isinstance(given, Path):
        return given
    try:
        data = given.read_bytes()
        load = load_ssh_private_key if b"OPENSSH PRIVATE KEY" in data else load_pem_private_key
        key = load(data, password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(
            f"{given} cannot be used as a host key",
            cause=str(error),
            fixes=(Fix(("ssh-keygen", "-t", "ed25519", "-N", "", "-f", str(given))),),
        ) from error
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        return key
    raise KeyFileError(f"{given} is no RSA, ECDSA or Ed25519 key")
