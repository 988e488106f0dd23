"""Why a gateway could not be connected to, each way with its cause and remedy."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Sequence

from netkit.errors import GatewayUnreachableError
from netkit.model import Fix, Hop

_REFUSED = {errno.ECONNREFUSED, 10061}
_TIMED_OUT = {errno.ETIMEDOUT, 10060}
_NO_ROUTE = {
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.EHOSTDOWN,
    errno.EADDRNOTAVAIL,
    10051,
    10065,
}
# ENOTCONN is what asking a socket gives that was reset as soon as it was connected
_RESET = {
    errno.ECONNRESET,
    errno.ECONNABORTED,
    errno.EPIPE,
    errno.ENOTCONN,
    10054,
    10057,
}
_BLOCKED = {errno.EACCES, errno.EPERM, 10013}


def as_error(code: int) -> OSError:
    """Return the OSError for an error number."""
    return OSError(code, os.strerror(code))


def unreachable(hop: Hop, failed: Sequence[tuple[str, OSError]]) -> GatewayUnreachableError:
    """Return the error for a gateway of which no address answered."""
    where = f"{hop.host}:{hop.port}" if ":" not in hop.host else f"[{hop.host}]:{hop.port}"
    codes = [error.errno or 0 for _, error in failed]
    seen = "; ".join(f"{shown}: {error.strerror or error}" for shown, error in failed)

    def any_of(numbers: set[int]) -> bool:
        return any(code in numbers for code in codes)

    fix = by_ssh(hop)
    # the answer that shows most of the way is the most telling one
    if any_of(_REFUSED):
        text, code = f"{where} refused the connection", "connection-refused"
        cause = "the machine is up, but no SSH server listens on this port, or a firewall rejects"
    elif any_of(_RESET):
        text, code = f"{where} reset the connection", "connection-reset"
        cause = "a firewall or load balancer in between cuts it"
    elif any_of(_TIMED_OUT):
        text, code = f"{where} did not answer within {hop.connect_timeout:.0f} s", "timed-out"
        cause = "the machine is off, the address is wrong, or a firewall drops the packets"
        fix = ping(hop.host)
    elif any_of(_NO_ROUTE):
        text, code = f"there is no route to {where}", "no-route"
        cause = "this machine is offline or the VPN to that network is down"
        fix = ping(hop.host)
    elif any_of(_BLOCKED):
        text, code = f"this machine may not connect to {where}", "blocked-locally"
        cause = "a local firewall or security policy forbids it"
    else:
        text, code = f"{where} cannot be connected to", "gateway-unreachable"
        cause = ""
    return GatewayUnreachableError(
        text,
        code=code,
        cause=f"{cause} ({seen})" if cause and seen else cause or seen,
        fixes=(fix,),
        retryable=True,
    )


def by_ssh(hop: Hop) -> Fix:
    """Return the command that tries the same with ssh."""
    target = f"{hop.user}@{hop.host}" if hop.user else hop.host
    argv = ("ssh", "-v", "-p", str(hop.port), target)
    return Fix(argv, note="shows whether ssh gets any further")


def ping(host: str) -> Fix:
    """Return the command that asks whether a machine answers."""
    count = () if sys.platform == "win32" else ("-c", "3")
    return Fix(("ping", *count, host), note="shows whether the machine answers at all")


def _lookup(host: str) -> Fix:
    """Return the command that looks a name up as programs do."""
    note = "prints its addresses when the name is right"
    if sys.platform.startswith("linux"):
        return Fix(("getent", "ahosts", host), note=note)
    return Fix(("nslookup", host), note=note)


def not_resolved(hop: Hop, host: str, error: Exception) -> GatewayUnreachableError:
    """Return the error for a name without an address."""
    number = error.errno if isinstance(error, socket.gaierror) else None
    if number == socket.EAI_AGAIN:
        return GatewayUnreachableError(
            f"the name {host} could not be looked up",
            code="dns-failed",
            cause="no name server answers: this machine is offline, or its DNS is broken",
            fixes=(_lookup(host),),
            retryable=True,
        )
    family = {"inet": "an IPv4 ", "inet6": "an IPv6 "}.get(hop.address_family, "an ")
    return GatewayUnreachableError(
        f"{host} has no address",
        code="name-not-resolved",
        cause=f"no name server knows {family}address for it: a typing error, an alias that only "
        "another ssh_config defines, or a name that exists only inside a VPN",
        fixes=(_lookup(host),),
    )


def slow_resolver(host: str, seconds: float) -> GatewayUnreachableError:
    """Return the error for a resolver that did not answer in time."""
    return GatewayUnreachableError(
        f"the name {host} could not be looked up within {seconds:.0f} s",
        code="dns-failed",
        cause="the name servers of this machine do not answer",
        fixes=(_lookup(host),),
        retryable=True,
    )


def bind_failed(hop: Hop, error: OSError) -> GatewayUnreachableError:
    """Return the error for a BindAddress this machine does not have."""
    return GatewayUnreachableError(
        f"connections cannot start from the address {hop.bind_address}",
        code="bind-address-unavailable",
        cause=f"BindAddress in ssh_config is no address of this machine now ({error.strerror})",
        retryable=True,
    )


def cancelled() -> GatewayUnreachableError:
    """Return the error for an attempt the user ended."""
    return GatewayUnreachableError("connecting was cancelled", code="cancelled")
