"""``--metrics ADDR:PORT``: ``/metrics`` for Prometheus, ``/healthz`` for whoever starts and stops.

Listens on loopback unless told otherwise.  ``/healthz`` is 200 while every tunnel of the process
carries connections, and 503 with the reason of each that does not.
"""

from __future__ import annotations

import errno
import importlib.util
import ipaddress
import socket
import sys
import threading
from typing import TYPE_CHECKING, Final

from netkit.errors import BindError, UsageError
from netkit.model import Endpoint, Fix, UnixPath
from netkit.observe.pages import Page, PageServer
from netkit.text.endpoints import parse_bind

if TYPE_CHECKING:
    from netkit.observe.fleet import Fleet

INSTALL: Final = ("pip", "install", "netkit-tunnel[metrics]")
_BOTH: Final = ("127.0.0.1", "::1")
_BACKLOG: Final = 64


def parse_address(text: str, *, expose: bool, command: str = "forward") -> Endpoint:
    """Return where to listen: ``ADDR:PORT``, or ``PORT`` for both loopback addresses.

    Raises:
        UsageError: it is no address, or one that other machines reach and ``expose`` is not given.
    """
    try:
        address = parse_bind(text)
    except UsageError as error:
        raise UsageError(
            f"--metrics {text[:80]}: {error.summary}", code=error.code, cause=error.cause
        ) from None
    if isinstance(address, UnixPath):
        raise UsageError(
            f"--metrics {text[:80]} is no ADDR:PORT",
            code="bad-address",
            cause="Prometheus asks over TCP: 127.0.0.1:9273",
        )
    if not expose and not _is_loopback(address.host):
        raise UsageError(
            f"--metrics {text} can be read by other machines",
            code="metrics-needs-expose",
            cause="it tells them what this tunnel carries; --expose allows it, 127.0.0.1 keeps it"
            " to this machine",
            fixes=(Fix(("netkit", command, "...", "--expose")),),
        )
    return address


def _is_loopback(host: str) -> bool:
    if host.lower() in {"", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Exporter:
    """Serves the figures of a fleet.  Begun and ended once for every tunnel, the last ends it."""

    def __init__(self, fleet: Fleet, address: Endpoint, command: str = "forward") -> None:
        """``command`` is what was typed, for messages."""
        self._fleet = fleet
        self._command = command
        self._wanted = address
        self._lock = threading.Lock()
        self._users = 0
        self._server: PageServer | None = None
        self.addresses: tuple[Endpoint, ...] = ()
        """Where it listens."""

    def begin(self) -> None:
        """Listen and serve, unless another tunnel has begun it.

        Raises:
            UsageError: prometheus-client is not installed.
            BindError: the address cannot be had.
        """
        with self._lock:
            if self._server is None:
                self._server = self._made()
            self._users += 1

    def end(self) -> None:
        """End it with the last tunnel."""
        with self._lock:
            self._users -= 1
            server = self._server if self._users <= 0 else None
            if server is not None:
                self._server = None
        if server is not None:
            server.stop()

    def _made(self) -> PageServer:
        if importlib.util.find_spec("prometheus_client") is None:
            raise UsageError(
                "--metrics needs the package prometheus-client",
                code="metrics-not-installed",
                cause="it is not installed with netkit by default",
                fixes=(Fix(INSTALL),),
            )
        # prometheus-client is an extra
        from netkit.observe.exposition import CONTENT_TYPE, exposed  # noqa: PLC0415

        try:
            listeners = _listen(self._wanted)
        except OSError as error:
            raise self._not_bound(error) from None
        self.addresses = tuple(
            Endpoint(each[0], each[1]) for each in (sock.getsockname() for sock in listeners)
        )
        render = exposed(self._fleet.figures)
        server = PageServer(
            listeners,
            {
                "/metrics": lambda: Page(render(), content_type=CONTENT_TYPE),
                "/healthz": self._health,
            },
        )
        server.start()
        return server

    def _not_bound(self, error: OSError) -> BindError:
        taken = error.errno == errno.EADDRINUSE
        other = Endpoint(self._wanted.host or "127.0.0.1", 0)
        return BindError(
            f"metrics cannot be served at {self._wanted}: {error.strerror or error}",
            code="metrics-address-in-use" if taken else "metrics-bind-failed",
            cause="another program listens there, perhaps another tunnel with --metrics"
            if taken
            else "",
            fixes=(
                Fix(
                    ("netkit", self._command, "...", "--metrics", str(other)),
                    note="lets the system choose the port",
                ),
            ),
        )

    def _health(self) -> Page:
        figures = self._fleet.figures()
        lines = [f"{each.name}: {each.trouble}" for each in figures if each.trouble]
        if not figures:
            lines = ["no tunnel"]
        text = "".join(f"{line}\n" for line in lines) or "ok\n"
        return Page(text.encode("utf-8", "replace"), 503 if lines else 200)


def _listen(address: Endpoint) -> list[socket.socket]:
    """Return listening sockets; raises OSError, and leaves none."""
    hosts = {"": _BOTH, "localhost": _BOTH, "*": ("0.0.0.0", "::")}.get(
        address.host.lower(), (address.host,)
    )
    made: list[socket.socket] = []
    try:
        for host in hosts:
            port = made[0].getsockname()[1] if made else address.port
            try:
                made.append(_listener(host, port))
            except OSError as error:
                if ":" in host and made and error.errno in _NO_V6:
                    continue
                raise
    except OSError:
        for sock in made:
            sock.close()
        raise
    return made


_NO_V6: Final = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}
"""What a machine without IPv6 says."""


def _listener(host: str, port: int) -> socket.socket:
    family, _, _, _, where = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(where)
        sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock
