"""Why a local address could not be bound, who holds it, and what to do instead."""

from __future__ import annotations

import errno
import socket
import sys
from dataclasses import replace
from pathlib import Path

from netkit.errors import BindError
from netkit.model import Address, Endpoint, Fix, ForwardSpec, UnixPath
from netkit.text.forwards import format_option

_BOTH = {
    "": ["127.0.0.1", "::1"],
    "localhost": ["127.0.0.1", "::1"],
    "*": ["0.0.0.0", "::"],
}
"""Bind hosts that stand for one address of each family."""

_TRIES = 8

_ADDRESSES = (
    ("ipconfig",)
    if sys.platform == "win32"
    else ("ip", "-br", "address")
    if sys.platform.startswith("linux")
    else ("ifconfig",)
)


def explain(
    address: Address,
    error: OSError,
    bound: list[str] | None = None,
    forward: ForwardSpec | None = None,
) -> BindError:
    """Return the error for ``address``, which failed with ``error`` after ``bound`` succeeded.

    With the ``forward`` that wanted it, the remedy is the same forward at another port.
    """
    if isinstance(address, UnixPath):
        return _explain_unix(address, error)
    code, cause, fixes = _explain_tcp(address, error, forward)
    summary = f"cannot listen on {address}: {error.strerror or error}"
    if bound:
        family = "IPv6" if ":" in address.host else "IPv4"
        summary += f" ({family} failed; {', '.join(bound)} was free)"
    return BindError(summary, code=code, cause=cause, fixes=fixes)


def _explain_tcp(
    address: Endpoint, error: OSError, forward: ForwardSpec | None
) -> tuple[str, str, tuple[Fix, ...]]:
    match error.errno:
        case errno.EADDRINUSE:
            cause = _holder(address) or "another process listens there"
            return "bind-address-in-use", cause, (_other_port(address, address.port + 1, forward),)
        case errno.EACCES | errno.EPERM:
            if address.port < 1024 and sys.platform != "win32":
                return (
                    "bind-privileged-port",
                    "ports below 1024 belong to the administrator",
                    (_other_port(address, address.port + 8000, forward),),
                )
            return "bind-denied", "the system forbids it (excluded port range, firewall)", ()
        case errno.EADDRNOTAVAIL:
            return _not_available(address)
        case _:
            return "bind-failed", "", ()


def _not_available(address: Endpoint) -> tuple[str, str, tuple[Fix, ...]]:
    code, cause = "bind-address-unavailable", "no interface of this machine has this address"
    if sys.platform == "darwin" and address.host.startswith("127."):
        alias = Fix(
            ("sudo", "ifconfig", "lo0", "alias", address.host, "up"),
            note="gone after a restart",
            needs_admin=True,
        )
        return code, "macOS configures 127.0.0.1 alone of 127.0.0.0/8", (alias,)
    return code, cause, (Fix(_ADDRESSES, note="shows the addresses of this machine"),)


def _other_port(address: Endpoint, wanted: int, forward: ForwardSpec | None) -> Fix:
    """Propose a port that is free now: ``wanted``, or any."""
    hosts = [address.host]
    if forward is not None and isinstance(forward.bind, Endpoint):
        hosts = _BOTH.get(forward.bind.host.lower(), hosts)
    port = next((each for each in (wanted, wanted + 1) if _is_free(hosts, each)), 0)
    for _ in range(_TRIES):
        if port:
            break
        port = _any_free(hosts)
    option = ("--bind", str(Endpoint(address.host, port)))
    if forward is not None and isinstance(forward.bind, Endpoint):
        bind = replace(forward.bind, port=port)
        option = format_option(replace(forward, bind=bind, text=""))
    note = f"port {port} is free" if port else "lets the system choose the port"
    return Fix(("netkit", "forward", "...", *option), note=note)


def _any_free(hosts: list[str]) -> int:
    """Return a port the system chooses for the first of ``hosts``; 0 if the others lack it."""
    try:
        with _bound(hosts[0], 0) as probe:
            port = int(probe.getsockname()[1])
    except OSError:
        return 0
    return port if _is_free(hosts, port) else 0


def _is_free(hosts: list[str], port: int) -> bool:
    if not 0 < port < 65536:
        return False
    for host in hosts:
        try:
            _bound(host, port).close()
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                return False
    return True


def _bound(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
    except BaseException:
        sock.close()
        raise
    return sock


def _explain_unix(address: UnixPath, error: OSError) -> BindError:
    code, cause, fix = "bind-failed", "", None
    if error.errno == errno.EADDRINUSE:
        code, cause = "bind-address-in-use", "the path exists and is not a dead socket of yours"
        fix = Fix(("ls", "-l", address.path), note="shows what is there; remove it if unused")
    elif error.errno == errno.ENOENT:
        directory = str(Path(address.path).parent)
        cause = f"the directory {directory} does not exist"
        fix = Fix(("mkdir", "-p", directory))
    return BindError(
        f"cannot listen on {address}: {error.strerror or error}",
        code=code,
        cause=cause,
        fixes=(fix,) if fix else (),
    )


def _holder(address: Endpoint) -> str:
    """Say which process holds the port, as far as this user may know."""
    try:
        import psutil  # noqa: PLC0415 (needed for this one message)
    except ImportError:
        return ""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return ""
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or not connection.laddr:
            continue
        if connection.laddr.port != address.port:
            continue
        if connection.laddr.ip not in (address.host, "0.0.0.0", "::", "*"):
            continue
        if connection.pid is None:
            return "a process of another user listens there"
        try:
            name = psutil.Process(connection.pid).name()
        except psutil.Error:
            return f"process {connection.pid} listens there"
        return f"{name} (process {connection.pid}) listens there"
    return ""
