"""What is known of a protocol: values of the tables, and how entries of each kind are made."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Passes(enum.Enum):
    """Whether a forwarded TCP connection is all that a protocol needs."""

    YES = "passes"
    REDIRECTS = "its answers send the client to other addresses"
    FIXED_PORT = "its client takes one port only"
    MORE = "it makes further connections"
    UDP = "it runs over UDP"
    NO_TCP = "it does not run over TCP"


@dataclass(frozen=True, slots=True)
class Way:
    """What does it instead: words of a command, or none and ``note`` says it.

    ``{gateway}`` in the words is the gateway.
    """

    words: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A protocol.

    Attributes:
        names: for ``--for``, lower case, the usual one first.
        title: how people write it.
        passes: what becomes of it.
        why: one or two sentences.
        ways: what does it instead, the best first.
        ports: TCP ports that belong to it alone, so that a forward to one means it.
        works: whether it can be used through a tunnel when one knows how.
        systems: the client systems that this holds for; none: all.  On the others it passes, by
            the ways ``elsewhere``.
        source: where it is written.
    """

    names: tuple[str, ...]
    title: str
    passes: Passes
    why: str
    source: str
    ways: tuple[Way, ...] = ()
    ports: tuple[int, ...] = ()
    works: bool = False
    systems: tuple[str, ...] = ()
    elsewhere: tuple[Way, ...] = ()


SOCKS = Way("netkit forward -D 1080 {gateway}", "a SOCKS proxy reaches every address over TCP")
VPN = Way(
    "",
    "a VPN carries it, such as WireGuard or, as root on both sides, ssh -w; netkit advise says "
    "which one fits",
)


def udp(
    names: str, title: str, why: str, source: str, *ways: Way, works: bool = False, port: int = 0
) -> Protocol:
    """Return a protocol that sends datagrams; ``port`` is one that its TCP form has, if any."""
    return Protocol(
        names=tuple(names.split()),
        title=title,
        passes=Passes.UDP,
        why=why,
        source=source,
        ways=(*ways, *(() if works else (VPN,))),
        ports=(port,) if port else (),
        works=works,
    )


def more(
    names: str,
    title: str,
    why: str,
    source: str,
    *ways: Way,
    works: bool = False,
    ports: tuple[int, ...] = (),
) -> Protocol:
    return Protocol(
        names=tuple(names.split()),
        title=title,
        passes=Passes.MORE,
        why=why,
        source=source,
        ways=(*ways, *(() if works else (VPN,))),
        ports=ports,
        works=works,
    )


def redirects(
    names: str, title: str, why: str, source: str, *ways: Way, ports: tuple[int, ...] = ()
) -> Protocol:
    return Protocol(
        names=tuple(names.split()),
        title=title,
        passes=Passes.REDIRECTS,
        why=why,
        source=source,
        ways=(*ways, SOCKS),
        ports=ports,
        works=True,
    )


def no_tcp(names: str, title: str, why: str, source: str, *ways: Way) -> Protocol:
    return Protocol(
        names=tuple(names.split()),
        title=title,
        passes=Passes.NO_TCP,
        why=why,
        source=source,
        ways=(*ways, VPN),
    )


def yes(names: str, title: str, port: int, source: str, note: str = "") -> Protocol:
    words = f"netkit forward --bind 127.0.0.1:{port + 10000} --to SERVER:{port} {{gateway}}"
    return Protocol(
        names=tuple(names.split()),
        title=title,
        passes=Passes.YES,
        why=note or "It uses one TCP connection to one port.",
        source=source,
        ways=(Way(words),),
        ports=(port,),
        works=True,
    )
