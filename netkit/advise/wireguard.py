"""WireGuard: a file for wg-quick on each side (wg-quick(8), wg(8))."""

from __future__ import annotations

import ipaddress

from netkit.advise import routing
from netkit.advise.keys import Keys, Pair
from netkit.advise.model import (
    GATEWAY,
    HERE,
    File,
    Interface,
    Network,
    Recipe,
    Sites,
    System,
    Technology,
)
from netkit.model import Fix

PORT = 51820
_KEEPALIVE = 25
"""Seconds; shorter than any NAT forgets, as wg(8) recommends."""

_WINDOWS = "C:\\Program Files\\WireGuard\\wireguard.exe"


def recipe(sites: Sites, keys: Keys) -> Recipe:
    """Return both sides' files and what to do with them."""
    nft = routing.masquerade_file(sites, sites.tunnel.networks)
    files = (
        File(HERE, f"{sites.name}.conf", here_text(sites, keys), _folder(sites), private=True),
        File(
            GATEWAY,
            f"{sites.name}.conf",
            gateway_text(sites, keys),
            f"/etc/wireguard/{sites.name}.conf",
            private=True,
        ),
        *nft,
    )
    return Recipe(
        technology=Technology.WIREGUARD,
        files=files,
        steps=(
            *routing.copy_step(sites),
            *routing.forwarding_steps(sites),
            *routing.masquerade_steps(nft, sites),
            *_install(sites, GATEWAY, sites.gateway),
            *_install(sites, HERE, sites.here),
        ),
        notes=(
            f"The gateway's firewall has to let UDP port {sites.port or PORT} in.",
            *routing.notes(sites),
            "To see whether it works: wg show, where a handshake is named once packets have flown.",
        ),
    )


def here_text(sites: Sites, keys: Keys) -> str:
    """Return this side's file."""
    host = f"[{sites.gateway_address}]" if ":" in sites.gateway_address else sites.gateway_address
    allowed = (*_ends(sites.tunnel.gateway), *sites.remote_nets)
    return _text(
        keys.wireguard_here,
        sites.tunnel.here,
        (),
        keys.wireguard_gateway.public,
        keys.shared,
        allowed,
        (
            f"Endpoint = {host}:{sites.port or PORT}",
            f"PersistentKeepalive = {_KEEPALIVE}",
        ),
    )


def gateway_text(sites: Sites, keys: Keys) -> str:
    """Return the gateway's file."""
    local = sites.local_nets if sites.lan_to_lan else ()
    return _text(
        keys.wireguard_gateway,
        sites.tunnel.gateway,
        (f"ListenPort = {sites.port or PORT}",),
        keys.wireguard_here.public,
        keys.shared,
        (*_ends(sites.tunnel.here), *local),
        (),
    )


def for_reading(text: str) -> str:
    """Return a file that wg can read without looking a name up."""
    lines = []
    for line in text.splitlines():
        word, _, endpoint = line.partition(" = ")
        if word == "Endpoint" and not endpoint.startswith("["):
            lines.append(f"Endpoint = 127.0.0.1:{endpoint.rpartition(':')[2]}")
        else:
            lines.append(line)
    return "\n".join([*lines, ""])


def _text(
    own: Pair,
    addresses: tuple[Interface, ...],
    settings: tuple[str, ...],
    peer: str,
    shared: str,
    allowed: tuple[Network, ...],
    peer_settings: tuple[str, ...],
) -> str:
    return "\n".join(
        [
            "[Interface]",
            f"PrivateKey = {own.private}",
            f"Address = {', '.join(map(str, addresses))}",
            *settings,
            "",
            "[Peer]",
            f"PublicKey = {peer}",
            f"PresharedKey = {shared}",
            f"AllowedIPs = {', '.join(map(str, allowed))}",
            *peer_settings,
            "",
        ]
    )


def _ends(interfaces: tuple[Interface, ...]) -> tuple[Network, ...]:
    """Return the networks of one address each."""
    return tuple(ipaddress.ip_network(each.ip) for each in interfaces)


def _folder(sites: Sites) -> str:
    if sites.here is System.WINDOWS:
        return f"wherever you like, as {sites.name}.conf"
    folder = "/usr/local/etc/wireguard" if sites.here is System.MACOS else "/etc/wireguard"
    return f"{folder}/{sites.name}.conf"


def _install(sites: Sites, side: str, system: System) -> tuple[Fix, ...]:
    file = f"{side}/{sites.name}.conf" if side == HERE else f"{sites.name}.conf"
    if system is System.WINDOWS:
        return (
            Fix(
                (_WINDOWS, "/installtunnelservice", file),
                where=side,
                needs_admin=True,
                note="with the whole path of the file",
                undo=(_WINDOWS, "/uninstalltunnelservice", sites.name),
            ),
        )
    folder = "/usr/local/etc/wireguard" if system is System.MACOS else "/etc/wireguard"
    there = f"{folder}/{sites.name}.conf"
    return (
        Fix(
            ("install", "-D", "-m", "600", file, there),
            where=side,
            needs_admin=True,
            undo=("rm", there),
        ),
        Fix(
            ("wg-quick", "up", sites.name),
            where=side,
            needs_admin=True,
            undo=("wg-quick", "down", sites.name),
        ),
    )
