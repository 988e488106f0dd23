"""Through a proxy to the first gateway: SOCKS with python-socks (extra ``proxy``), HTTP without."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from netkit.engine.transport import dial_errors
from netkit.engine.transport.http_proxy import HttpProxy, UnreachableError
from netkit.errors import GatewayUnreachableError, UsageError
from netkit.model import Fix, Hop, Proxy
from netkit.wire.untrusted import printable

_TICK: Final = 0.1
_HERE: Final = ("socks4",)
"""Schemes whose names this machine resolves."""


class Connector(Protocol):
    """What connects through a proxy."""

    def connect(self, host: str, port: int, timeout: float) -> socket.socket: ...


def connect(
    hop: Hop,
    proxy: Proxy,
    *,
    ask: Callable[[str], str | None] | None,
    cancelled: threading.Event | None,
) -> socket.socket:
    """Return a socket to ``hop`` through ``proxy``, within ``hop.connect_timeout`` seconds.

    Connecting can neither be limited as a whole nor interrupted, so it works on a thread of its
    own, which is left behind in the worst case and then closes what it got.

    Args:
        hop: where to.
        proxy: through what.
        ask: asks a person for the proxy's password; None where there is nobody.
        cancelled: ends the wait.

    Raises:
        UsageError: python-socks is not installed, or the password is not to be had.
        GatewayUnreachableError: ``proxy-unreachable``, ``proxy-refused``, ``cancelled``.
    """
    connector = _connector(proxy, _password(proxy, ask))
    attempt = _Attempt(connector, hop)
    attempt.start()
    deadline = time.monotonic() + hop.connect_timeout
    while not attempt.done.wait(_TICK):
        if cancelled is not None and cancelled.is_set():
            attempt.abandon()
            raise dial_errors.cancelled()
        if time.monotonic() >= deadline:
            attempt.abandon()
            raise _silent(hop, proxy)
    return attempt.result(proxy)


class _Attempt:
    """One connection under way on a thread."""

    def __init__(self, connector: Connector, hop: Hop) -> None:
        self.done = threading.Event()
        self._connector = connector
        self._hop = hop
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self._error: Exception | None = None
        self._abandoned = False

    def start(self) -> None:
        threading.Thread(target=self._work, name="netkit-proxy", daemon=True).start()

    def abandon(self) -> None:
        """Want nothing any more."""
        with self._lock:
            self._abandoned = True
            if self._sock is not None:
                self._sock.close()

    def result(self, proxy: Proxy) -> socket.socket:
        """Return the socket, or raise why there is none."""
        if self._sock is not None:
            return self._sock
        if isinstance(self._error, TimeoutError):
            raise _silent(self._hop, proxy) from self._error
        said = printable(str(self._error), 200)
        if isinstance(self._error, UnreachableError):
            raise _unreachable(self._hop, proxy, said) from self._error
        raise _refused(self._hop, proxy, said) from self._error

    def _work(self) -> None:
        hop = self._hop
        try:
            sock = self._connector.connect(hop.host, hop.port, timeout=hop.connect_timeout)
        except Exception as error:  # noqa: BLE001 (whatever the library raises is told)
            self._error = error
        else:
            with self._lock:
                self._sock = sock
                if self._abandoned:
                    sock.close()
        self.done.set()


class _SocksProxy:
    """A SOCKS proxy, by python-socks."""

    def __init__(self, proxy: Proxy, password: str | None) -> None:
        self._proxy = proxy
        self._password = password

    def connect(self, host: str, port: int, timeout: float) -> socket.socket:
        from python_socks import ProxyConnectionError, ProxyType  # noqa: PLC0415 (an extra)
        from python_socks.sync import Proxy as Library  # noqa: PLC0415

        proxy = self._proxy
        library = Library(
            ProxyType.SOCKS4 if proxy.scheme.startswith("socks4") else ProxyType.SOCKS5,
            proxy.host,
            proxy.port,
            proxy.user or None,
            self._password,
            rdns=proxy.scheme not in _HERE,
        )
        try:
            return library.connect(host, port, timeout=timeout)
        except ProxyConnectionError as error:
            raise UnreachableError(str(error)) from error


def _connector(proxy: Proxy, password: str | None) -> Connector:
    if proxy.scheme == "http":
        return HttpProxy(proxy.host, proxy.port, proxy.user, password or "")
    try:
        import python_socks  # noqa: F401, PLC0415 (an extra)
    except ImportError:
        raise UsageError(
            f"the proxy {proxy} cannot be used: python-socks is not installed",
            code="needs-extra",
            cause="SOCKS proxies need netkit's extra 'proxy'",
            fixes=(Fix(("pip", "install", "netkit-tunnel[proxy]")),),
        ) from None
    return _SocksProxy(proxy, password)


def _password(proxy: Proxy, ask: Callable[[str], str | None] | None) -> str | None:
    """Return the password; SOCKS 4 knows a user without one."""
    if not proxy.user or proxy.scheme.startswith("socks4"):
        return None
    password = ask(f"Password of {proxy.user} at the proxy {proxy.host}: ") if ask else None
    if password is None:
        raise UsageError(
            f"the proxy {proxy} wants a password, and there is nobody to ask",
            code="proxy-password",
            cause="a password is typed on a terminal; without one a ProxyCommand can log in",
        )
    return password


def _unreachable(hop: Hop, proxy: Proxy, why: str) -> GatewayUnreachableError:
    return GatewayUnreachableError(
        f"the proxy {proxy} on the way to {hop.alias} cannot be reached",
        code="proxy-unreachable",
        cause=why,
        fixes=(dial_errors.ping(proxy.host),),
        retryable=True,
    )


def _silent(hop: Hop, proxy: Proxy) -> GatewayUnreachableError:
    return _unreachable(hop, proxy, f"no answer within {hop.connect_timeout:g} s")


def _refused(hop: Hop, proxy: Proxy, why: str) -> GatewayUnreachableError:
    return GatewayUnreachableError(
        f"the proxy {proxy} does not connect to {hop.host}:{hop.port}",
        code="proxy-refused",
        cause=f"it says: {why}" if why else "it ended the connection",
        retryable=True,
    )
