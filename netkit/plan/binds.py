"""Which listening points are allowed together, and which need ``--expose``."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import replace

from netkit.errors import UsageError
from netkit.model import Endpoint, Fix, ForwardKind, ForwardSpec, UnixPath
from netkit.text.forwards import format_option

_LOOPBACK_NAMES = ("", "localhost", "localhost.", "ip6-localhost", "ip6-loopback")


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches a bind address.

    Any other name counts as reachable: what it resolves to is not known here.
    """
    if host.lower() in _LOOPBACK_NAMES:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def check_exposure(forward: ForwardSpec, gateway: str, *, expose: bool) -> str | None:
    """Return a warning that says who can reach what, None for a forward that stays private.

    Raises:
        UsageError: other machines could reach the forward, and ``expose`` was not given.
    """
    bind = forward.bind
    if forward.kind is ForwardKind.REMOTE or isinstance(bind, UnixPath) or is_loopback(bind.host):
        return None
    who = (
        "every machine that reaches this one" if _is_wildcard(bind.host) else f"who reaches {bind}"
    )
    what = f"{forward.to} through {gateway}" if forward.to else f"whatever {gateway} reaches"
    if expose:
        return f"{bind} is exposed: {who} gets to {what}"
    private = replace(forward, bind=Endpoint("127.0.0.1", bind.port), text="")
    raise UsageError(
        f"{bind} would let other machines use the tunnel",
        code="bind-needs-expose",
        cause=f"{who} would get to {what}; --expose allows it, 127.0.0.1 keeps it to this machine",
        fixes=(
            Fix(argv=("netkit", "forward", "...", "--expose")),
            Fix(argv=("netkit", "forward", "...", *format_option(private))),
        ),
    )


def find_clash(forward: ForwardSpec, others: Iterable[ForwardSpec]) -> ForwardSpec | None:
    """Return the forward that listens where ``forward`` would, if there is one.

    Local and dynamic forwards share this machine; of the gateway's addresses only what is written
    alike is known to be the same.
    """
    return next((other for other in others if _clash(forward, other)), None)


def _clash(one: ForwardSpec, other: ForwardSpec) -> bool:
    remote = ForwardKind.REMOTE
    if (one.kind is remote) != (other.kind is remote):
        return False
    if isinstance(one.bind, UnixPath) or isinstance(other.bind, UnixPath):
        return one.bind == other.bind
    if one.bind.port != other.bind.port or one.bind.port == 0:
        return False
    if one.kind is remote:
        return one.bind.host.lower() == other.bind.host.lower()
    return any(_covers(a, b) or _covers(b, a) for a in _hosts(one.bind) for b in _hosts(other.bind))


def _hosts(bind: Endpoint) -> tuple[str, ...]:
    if bind.host.lower() in _LOOPBACK_NAMES:
        return ("127.0.0.1", "::1")
    try:
        return (str(ipaddress.ip_address(bind.host)),)
    except ValueError:
        return (bind.host.lower(),)


def _covers(wide: str, narrow: str) -> bool:
    if wide in ("*", narrow):
        return True
    # Each wildcard listens for its own family only.
    return (wide == "0.0.0.0" and ":" not in narrow) or (wide == "::" and ":" in narrow)


def _is_wildcard(host: str) -> bool:
    return host in ("*", "0.0.0.0", "::")
