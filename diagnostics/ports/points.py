"""Where the forwards of a target listen on this machine, and the words that move one elsewhere.

Pure.  Addresses are those that netkit binds: an empty host and ``localhost`` are both loopback
addresses, ``*`` is every address of both families (each family by a socket of its own).
"""

from __future__ import annotations

from dataclasses import dataclass

from diagnostics.model import Target
from diagnostics.parsers.addresses import is_ipv6, literal
from netkit.model import Address, Endpoint, Fix, ForwardKind, ForwardSpec, UnixPath

BOTH = {
    "": ("127.0.0.1", "::1"),
    "localhost": ("127.0.0.1", "::1"),
    "*": ("0.0.0.0", "::"),
}
"""Bind hosts that stand for one address of each family."""

WILDCARDS = frozenset(["0.0.0.0", "::"])

NOT_HERE = frozenset(["EADDRNOTAVAIL", "EAFNOSUPPORT"])
"""Errors of an address that this machine does not have; that is another check's matter."""

DENIED = frozenset(["EACCES", "EPERM"])


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one forward asks for, in words: ``-L``, where to listen, where it leads."""

    option: str
    host: str
    port: int
    to: str = ""
    to_port: int = 0
    text: str = ""


def listening(target: Target) -> tuple[Wanted, ...]:
    """Return the local and dynamic forwards that listen on a TCP port of their own choice."""
    return tuple(
        _wanted(forward, forward.bind)
        for forward in _local(target)
        if isinstance(forward.bind, Endpoint) and forward.bind.port
    )


def applies(target: Target) -> str:
    """Apply where a forward listens on a TCP port of this machine."""
    if any(isinstance(forward.bind, Endpoint) for forward in _local(target)):
        return "" if listening(target) else "the system chooses the port"
    return "no forward listens on this machine"


@dataclass(frozen=True, slots=True)
class WantedPath:
    """What a forward that listens on a unix socket asks for."""

    option: str
    path: str
    to: str = ""


def sockets(target: Target) -> tuple[WantedPath, ...]:
    """Return the local and dynamic forwards that listen on a unix socket."""
    return tuple(
        WantedPath(_option(forward), forward.bind.path, _to(forward))
        for forward in _local(target)
        if isinstance(forward.bind, UnixPath)
    )


def _local(target: Target) -> list[ForwardSpec]:
    return [each for each in target.forwards if each.kind is not ForwardKind.REMOTE]


def _wanted(forward: ForwardSpec, bind: Endpoint) -> Wanted:
    to_port = forward.to.port if isinstance(forward.to, Endpoint) else 0
    option, to = _option(forward), _to(forward)
    return Wanted(option, bind.host, bind.port, to, to_port, str(forward))


def _option(forward: ForwardSpec) -> str:
    return "-D" if forward.kind is ForwardKind.DYNAMIC else "-L"


def _to(forward: ForwardSpec) -> str:
    return "" if forward.to is None else _target(forward.to)


def _target(address: Address) -> str:
    """Return the target in ssh's grammar; a path shows by its slash."""
    if isinstance(address, Endpoint):
        return str(address)
    path = address.path if "/" in address.path else f"./{address.path}"
    path = path.replace("\\", "\\\\").replace(":", "\\:")
    return f"\\{path}" if path[:1] in ("[", " ", "\t") else path


def again(wanted: Wanted, *, host: str | None = None, port: int | None = None) -> tuple[str, ...]:
    """Return the command of the same forward at another address or port.

    ``...`` in it are the words that were typed, see `Fix`.
    """
    host = wanted.host if host is None else host
    port = wanted.port if port is None else port
    bind = str(Endpoint(host, port)) if host else str(port)
    text = f"{bind}:{wanted.to}" if wanted.to else bind
    return ("netkit", "forward", "...", wanted.option, text)


def again_at(wanted: WantedPath, path: str) -> tuple[str, ...]:
    """Return the command of the same forward at another path."""
    bind = _target(UnixPath(path))
    text = f"{bind}:{wanted.to}" if wanted.to else bind
    return ("netkit", "forward", "...", wanted.option, text)


def elsewhere(wanted: Wanted, port: int) -> tuple[Fix, ...]:
    """Return the same forward at ``port``, which is free; at any port if that is 0."""
    note = f"port {port} is free" if port else "lets the system choose the port"
    return (Fix(again(wanted, port=port), note=note),)


def bare(host: str) -> str:
    """Return an address as tables and binds can be compared by: no scope, no mapped IPv4."""
    host = host.partition("%")[0]
    return host[7:] if host.lower().startswith("::ffff:") and "." in host else host


def overlaps(held: str, wanted: str) -> bool:
    """Return whether a listener on ``held`` can be in the way of one on ``wanted``.

    A listener on ``::`` may hold IPv4 too, the table does not tell; netkit's own never does.
    """
    held, wanted = bare(held), bare(wanted)
    if held == wanted:
        return True
    six, wanted_six = is_ipv6(held), is_ipv6(wanted)
    if six == wanted_six:
        return bool(WILDCARDS & {held, wanted})
    return held == "::" and literal(wanted) is not None


def where(host: str, port: int) -> str:
    """Return an address as people write it."""
    return str(Endpoint(host, port))
