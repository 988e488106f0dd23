"""Why a local address could not be bound, who holds it, and what to do instead."""

from __future__ import annotations

import errno
import socket
import sys
from pathlib import Path

from netkit.errors import BindError
from netkit.model import Address, Endpoint, Fix, UnixPath


def explain(address: Address, error: OSError, bound: list[str] | None = None) -> BindError:
    """Return the error for ``address``, which failed with ``error`` after ``bound`` succeeded."""
    if isinstance(address, UnixPath):
        return _explain_unix(address, error)
    code, cause, fixes = _explain_tcp(address, error)
    summary = f"cannot listen on {address}: {error.strerror or error}"
    if bound:
        family = "IPv6" if ":" in address.host else "IPv4"
        summary += f" ({family} failed; {', '.join(bound)} was free)"
    return BindError(summary, code=code, cause=cause, fixes=fixes)


def _explain_tcp(address: Endpoint, error: OSError) -> tuple[str, str, tuple[Fix, ...]]:
    match error.errno:
        case errno.EADDRINUSE:
            cause = _holder(address) or "another process listens there"
            return "bind-address-in-use", cause, (_other_port(address),)
        case errno.EACCES | errno.EPERM:
            if address.port < 1024 and sys.platform != "win32":
                return (
                    "bind-privileged-port",
                    "ports below 1024 belong to the administrator",
                    (_other_port(Endpoint(address.host, address.port + 8000)),),
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
    return code, cause, ()


def _other_port(address: Endpoint) -> Fix:
    """Propose a port that is free now."""
    port = 0
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    for candidate in (address.port, address.port + 1, 0):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.bind((address.host, candidate if candidate < 65536 else 0))
                port = probe.getsockname()[1]
                break
        except OSError:
            continue
    return Fix(
        ("netkit", "forward", "--bind", str(Endpoint(address.host, port)), "..."),
        note=f"port {port} is free",
    )


def _explain_unix(address: UnixPath, error: OSError) -> BindError:
    code, cause = "bind-failed", ""
    if error.errno == errno.EADDRINUSE:
        code, cause = "bind-address-in-use", "the path exists and is not a dead socket of yours"
    elif error.errno == errno.ENOENT:
        cause = f"the directory {Path(address.path).parent} does not exist"
    return BindError(
        f"cannot listen on {address}: {error.strerror or error}", code=code, cause=cause
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
