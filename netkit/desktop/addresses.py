"""At which local address a client is to find its server: a decision, pure.

mstsc takes its own machine at port 3389 for a console session that exists already (error 0x708),
but accepts 127.0.0.2, and any other port.  The Remote Desktop service of Windows holds port 3389 of
every address while it runs, and macOS has no 127.0.0.2 unless it is told to.  So: 127.0.0.2 first,
other ports next, and never 127.0.0.1 with port 3389.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator

from diagnostics.ports.next_port import FIXED, candidates, within
from netkit.desktop.clients import Kind
from netkit.model import Endpoint, ForwardKind, ForwardSpec

PORTS = {Kind.RDP: 3389, Kind.VNC: 5900, Kind.HTTP: 80}
"""The port at the far end where none is named."""

LOOPBACK, SECOND = "127.0.0.1", "127.0.0.2"

_RDP = (13389, 3390, 3391, 3392, 33389)
_SECURE = {443, 8443}


def places(kind: Kind, os: str, port: int) -> Iterator[Endpoint]:
    """Yield where to listen for a server at ``port``, the best first; the first that is free."""
    match kind:
        case Kind.RDP:
            yield from (Endpoint(SECOND, each) for each in (PORTS[kind], *_RDP))
            yield from (Endpoint(LOOPBACK, each) for each in _RDP)
            yield from (Endpoint(LOOPBACK, each) for each in candidates(_RDP[0], ()))
        case Kind.VNC:
            # Screen Sharing of macOS takes port 5900 here for the screen that it is on.
            if os != "darwin":
                yield Endpoint(LOOPBACK, PORTS[kind])
            yield from (Endpoint(LOOPBACK, each) for each in candidates(PORTS[kind], ()))
        case Kind.HTTP:
            if port >= 1024 and not within(port, FIXED):
                yield Endpoint(LOOPBACK, port)
            yield from (Endpoint(LOOPBACK, each) for each in candidates(port, ()))


def choose(wanted: Iterable[Endpoint], is_free: Callable[[Endpoint], bool]) -> Endpoint | None:
    """Return the first that is free, None if none is."""
    return next((each for each in wanted if is_free(each)), None)


def wants_second_address(kind: Kind, os: str, *, there: bool) -> bool:
    """Tell whether 127.0.0.2 would have to be made first: on a Mac, for RDP, when it is not there.

    Every other system answers at all of 127.0.0.0/8 (RFC 1122 section 3.2.1.3), or has no
    command for it that netkit knows.
    """
    return kind is Kind.RDP and os == "darwin" and not there


def reachable(kind: Kind, os: str, address: Endpoint) -> Endpoint:
    """Return where a client finds what listens at ``address``, which may be a wildcard."""
    if address.host == "::":
        return Endpoint("::1", address.port)
    if address.host in ("", "*", "0.0.0.0"):
        host = SECOND if kind is Kind.RDP and os == "windows" else LOOPBACK
        return Endpoint(host, address.port)
    return address


def is_name(target: str) -> bool:
    """Tell whether the host of a target is a name of more than the machine itself."""
    host = target.rpartition(":")[0].strip("[]").lower()
    if host in ("", "localhost"):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


def is_refused_by_mstsc(at: Endpoint) -> bool:
    """Tell whether mstsc takes ``at`` for the machine that it runs on."""
    names = (LOOPBACK, "", "localhost", "::1", "*", "0.0.0.0", "::")
    return at.port == PORTS[Kind.RDP] and at.host.lower() in names


def forward_for(kind: Kind, forwards: Iterable[ForwardSpec], *, usual: bool = False) -> int | None:
    """Return which forward leads to the server of ``kind``: by its far port, else the first.

    Only local forwards at a TCP address count, and with ``usual`` only those to one of the usual
    ports; None if there is none.
    """
    fitting: list[tuple[int, int]] = []
    for index, forward in enumerate(forwards):
        if (
            forward.kind is ForwardKind.LOCAL
            and isinstance(forward.bind, Endpoint)
            and forward.to is not None
        ):
            far = forward.to.port if isinstance(forward.to, Endpoint) else 0
            if not (usual and _misfit(kind, far)):
                fitting.append((_misfit(kind, far), index))
    return min(fitting)[1] if fitting else None


def _misfit(kind: Kind, port: int) -> int:
    ports = {
        Kind.RDP: {3389},
        Kind.VNC: set(range(5900, 5920)),
        Kind.HTTP: {80, 8080, 8000, *_SECURE},
    }
    return 0 if port in ports[kind] else 1


def is_secure(port: int) -> bool:
    """Tell whether a web server at ``port`` is likely to speak TLS."""
    return port in _SECURE
