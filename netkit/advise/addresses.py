"""Networks and addresses of the two sides: parsed, and checked against each other.

What passes here is made of letters, digits, ``.``, ``:``, ``-`` and ``/``: nothing that means
something to a shell or to a configuration file gets through.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Final

from netkit.advise.model import Interface, Network, Sites, TunnelAddresses
from netkit.errors import UsageError
from netkit.model import Endpoint, Gateway
from netkit.text.endpoints import parse_endpoint, parse_gateway, quoted

MAX_NETS: Final = 32
"""Networks of one side."""

_LONGEST: Final = 300
_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_INTERFACE: Final = re.compile(r"[a-z][a-z0-9]{0,13}")

# Rarely used ends of the private ranges (RFC 1918) and of shared address space (RFC 6598).
_TUNNEL_NETS: Final = (
    *("10.255.255.252/30", "172.31.255.252/30", "192.168.255.252/30", "100.127.255.252/30"),
    *("10.254.254.252/30", "172.30.254.252/30", "192.168.254.252/30", "100.126.254.252/30"),
)


def parse_network(text: str, what: str = "a network") -> Network:
    """Parse ``10.1.0.0/16``, ``2001:db8::/48`` or a single address.

    Raises:
        UsageError: it is none, has host bits, or is nothing that can be behind a gateway.
    """
    if len(text) > _LONGEST or not text.isascii():
        raise _bad(what, text, "it is written like 10.1.0.0/16 or 2001:db8:1::/48")
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise _bad(what, text, "it is written like 10.1.0.0/16 or 2001:db8:1::/48") from None
    address, _, prefix = text.strip().partition("/")
    if "%" in address:
        raise _bad(what, text, "an address with a zone is of one link only")
    if prefix and ipaddress.ip_address(address) != network.network_address:
        raise _bad(what, text, f"bits beyond the prefix are set; the network is {network}")
    why = _unusable(network)
    if why:
        raise _bad(what, text, why)
    return network


def _unusable(network: Network) -> str:
    if network.prefixlen == 0:
        return "everything would go into the tunnel, the packets that carry it too"
    kinds = {
        "loopback": network.is_loopback,
        "link-local": network.is_link_local,
        "multicast": network.is_multicast,
        "unspecified": network.network_address.is_unspecified,
        "reserved": network.is_reserved and network.version == 4,
    }
    found = [kind for kind, is_it in kinds.items() if is_it]
    return f"{found[0]} addresses are not behind any gateway" if found else ""


def parse_address(text: str, what: str) -> str:
    """Return an address or a name of a machine, as it goes into a file.

    Raises:
        UsageError: it is neither, or is an address that no other machine can reach.
    """
    word = text.strip()
    if len(word) <= _LONGEST and word.isascii():
        bare = word[1:-1] if word.startswith("[") and word.endswith("]") else word
        try:
            address = ipaddress.ip_address(bare)
        except ValueError:
            # 10.1.2 or 1e3 would be read as an address by some programs and as a name by others
            if _NAME.fullmatch(word) and re.search(r"[A-Za-z]", word.rpartition(".")[2]):
                return word.lower()
        else:
            if "%" not in bare and not (
                address.is_loopback or address.is_unspecified or address.is_multicast
            ):
                return str(address)
            raise _bad(what, text, "another machine cannot reach this side by it")
    raise _bad(what, text, "it is an address like 192.0.2.1 or a name like gw.example.org")


def parse_login(text: str) -> Gateway:
    """Return the gateway of an SSH login; stricter than ssh, since it goes into scripts.

    Raises:
        UsageError: it is no ``[user@]host[:port]`` of plain characters.
    """
    gateway = parse_gateway(text)
    host = gateway.host
    if not (_NAME.fullmatch(host) or re.fullmatch(r"[A-Za-z0-9_.:-]{1,253}", host)):
        raise _bad("a gateway", text, "its name has characters that do not belong into a script")
    if gateway.user is not None and not _USER.fullmatch(gateway.user):
        raise _bad("a gateway", text, "its user has characters that do not belong into a script")
    return gateway


def parse_target(text: str) -> Endpoint:
    """Return a service beyond the gateway.

    Raises:
        UsageError: it is no ``HOST:PORT`` of plain characters.
    """
    target = parse_endpoint(text)
    if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,253}", target.host):
        raise _bad("HOST:PORT", text, "the host has characters that do not belong into a file")
    return target


def parse_name(text: str) -> str:
    """Return the name of an interface and of its files.

    Raises:
        UsageError: it is longer than 14 characters, or has others than ``a-z0-9``.
    """
    if not _INTERFACE.fullmatch(text):
        raise _bad("a name", text, "it has 1 to 14 characters out of a-z and 0-9, a letter first")
    return text


def tunnel_addresses(text: str | None, nets: Sequence[Network], ula: int) -> TunnelAddresses:
    """Return addresses for the two ends of a tunnel.

    Args:
        text: the IPv4 network that the user wants for it, with room for two; None: a free one.
        nets: those of both sides; a v6 pair is added where one of them is v6.
        ula: 40 random bits for a unique local prefix (RFC 4193 section 3.2).

    Raises:
        UsageError: ``text`` is no such network, or none of ours is free.
    """
    candidates = (
        [_wanted(text)]
        if text is not None
        else [ipaddress.IPv4Network(each) for each in _TUNNEL_NETS]
    )
    free = [each for each in candidates if not any(overlap(each, other) for other in nets)]
    if not free:
        raise UsageError(
            "the tunnel's own network overlaps with those it connects",
            code="networks-overlap",
            cause="no free network for the two ends of the tunnel: --tunnel-net names another /30",
        )
    pairs: list[tuple[Interface, Interface]] = [_pair(free[0])]
    if any(each.version == 6 for each in nets):
        prefix = (0xFD << 120) | ((ula & ((1 << 40) - 1)) << 80)
        pairs.append(_pair(ipaddress.IPv6Network((prefix, 64))))
    return TunnelAddresses(tuple(pairs))


def _wanted(text: str) -> ipaddress.IPv4Network:
    network = parse_network(text, "--tunnel-net")
    if isinstance(network, ipaddress.IPv6Network) or network.num_addresses < 4:
        raise _bad("--tunnel-net", text, "it is an IPv4 network with room for two, such as a /30")
    return network


def _pair(network: Network) -> tuple[Interface, Interface]:
    first = network.network_address + 1
    here = ipaddress.ip_interface(f"{first}/{network.prefixlen}")
    return here, ipaddress.ip_interface(f"{first + 1}/{network.prefixlen}")


def overlap(one: Network, other: Network) -> bool:
    """Tell whether two networks share an address; those of two families do not."""
    if isinstance(one, ipaddress.IPv4Network) and isinstance(other, ipaddress.IPv4Network):
        return one.overlaps(other)
    if isinstance(one, ipaddress.IPv6Network) and isinstance(other, ipaddress.IPv6Network):
        return one.overlaps(other)
    return False


def check_sites(sites: Sites, *, routed: bool = True) -> None:
    """Check the two sides against each other; with ``routed``, as ends of an IP tunnel.

    Raises:
        UsageError: networks overlap, both sides have one address, an end of the tunnel is inside a
            network that is reached through it, or the two sides share no IP version.
    """
    _check_amount(sites)
    _check_overlaps(sites)
    if not routed:
        return
    _check_ends(sites)
    if sites.lan_to_lan:
        here = {each.version for each in sites.local_nets}
        there = {each.version for each in sites.remote_nets}
        if here and there and here != there:
            raise UsageError(
                "the two sides do not use the same IP versions",
                code="ip-versions-differ",
                cause=f"local networks: {_versions(here)}; remote networks: {_versions(there)}",
            )


def _check_amount(sites: Sites) -> None:
    for option, nets in (("--local-net", sites.local_nets), ("--remote-net", sites.remote_nets)):
        if len(nets) > MAX_NETS:
            raise UsageError(
                f"{option} is given {len(nets)} times",
                code="too-many-networks",
                cause=f"at most {MAX_NETS} networks of a side; take larger ones",
            )


def _check_overlaps(sites: Sites) -> None:
    named = [
        *((net, "local") for net in sites.local_nets),
        *((net, "remote") for net in sites.remote_nets),
    ]
    for (one, side), (other, other_side) in combinations(named, 2):
        if not overlap(one, other):
            continue
        same = side == other_side
        raise UsageError(
            f"{one} ({side}) and {other} ({other_side}) overlap",
            code="networks-overlap",
            cause="one of them is enough"
            if same
            else "a packet for an address of both would have two ways: renumber one side, or "
            "forward single services with netkit forward",
        )


def _check_ends(sites: Sites) -> None:
    ends = ((sites.gateway_address, "gateway"), (sites.local_address, "local"))
    gateway, local = (_literal(address) for address, _ in ends)
    if sites.gateway_address and sites.gateway_address == sites.local_address:
        raise UsageError(
            f"both sides have the address {sites.gateway_address}",
            code="same-gateway",
            cause="a tunnel has two ends: --local-address is this side's, --gateway-address the "
            "other's",
        )
    for address, name, nets, side in (
        (gateway, "gateway's", sites.remote_nets, "remote"),
        (gateway, "gateway's", sites.local_nets, "local"),
        (local, "local", sites.remote_nets, "remote"),
    ):
        inside = [net for net in nets if address is not None and address in net]
        if inside:
            raise UsageError(
                f"the {name} address {address} is inside the {side} network {inside[0]}",
                code="address-inside-network",
                cause="the tunnel's own packets would be sent into the tunnel"
                if side == "remote"
                else "what is in a local network is reached without a tunnel",
            )


def _literal(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


def is_address(text: str) -> bool:
    """Tell whether ``text`` is an address and not a name."""
    return _literal(text) is not None


def _versions(versions: Iterable[int]) -> str:
    return " and ".join(f"IPv{version}" for version in sorted(versions))


def _bad(what: str, text: str, why: str) -> UsageError:
    return UsageError(f"{quoted(text)} is no use as {what}", code="bad-address", cause=why)
