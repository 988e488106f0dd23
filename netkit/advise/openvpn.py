"""OpenVPN between two machines: TLS, each knowing the other's certificate by its fingerprint.

No certificate authority is needed: ``peer-fingerprint`` (openvpn(8), since 2.6) names the one
certificate that is accepted.  ``tls-crypt`` hides the handshake from everybody else.
"""

from __future__ import annotations

from netkit.advise import routing
from netkit.advise.keys import Identity, Keys
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

PORT = 1194

_COMMON = (
    "persist-key",
    "persist-tun",
    "ping 10",
    "ping-restart 60",
    "data-ciphers AES-256-GCM:CHACHA20-POLY1305",
    "tls-version-min 1.2",
    "verb 3",
)


def recipe(sites: Sites, keys: Keys) -> Recipe:
    """Return both sides' files and what to do with them."""
    nft = routing.masquerade_file(sites, sites.tunnel.networks)
    files = (
        File(
            HERE, _name(sites.here, sites), here_text(sites, keys), _there(sites.here, sites), True
        ),
        File(
            GATEWAY,
            _name(sites.gateway, sites),
            gateway_text(sites, keys),
            _there(sites.gateway, sites),
            True,
        ),
        *nft,
    )
    transport = "UDP" if sites.udp else "TCP"
    return Recipe(
        technology=Technology.OPENVPN,
        files=files,
        steps=(
            *routing.copy_step(sites),
            *routing.forwarding_steps(sites),
            *routing.masquerade_steps(nft, sites),
            *_install(sites, GATEWAY, sites.gateway),
            *_install(sites, HERE, sites.here),
        ),
        notes=(
            "Both sides need OpenVPN 2.6 or later.",
            f"The gateway's firewall has to let {transport} port {sites.port or PORT} in.",
            *(
                ()
                if sites.udp
                else ("Over TCP one lost packet stalls everything in the tunnel: UDP is better.",)
            ),
            *routing.notes(sites),
        ),
    )


def here_text(sites: Sites, keys: Keys) -> str:
    """Return this side's file."""
    settings = (
        f"remote {sites.gateway_address} {sites.port or PORT} {_protocol(sites, 'client')}",
        "nobind",
        "resolv-retry infinite",
        "tls-client",
        "remote-cert-tls server",
        *_addresses(sites.tunnel.here, sites.tunnel.gateway),
        *_routes(sites.remote_nets),
    )
    return _text(sites, settings, keys, keys.tls_here, keys.tls_gateway.fingerprint)


def gateway_text(sites: Sites, keys: Keys) -> str:
    """Return the gateway's file."""
    settings = (
        f"proto {_protocol(sites, 'server')}",
        f"port {sites.port or PORT}",
        "float",  # this side's address may change
        "tls-server",
        "dh none",
        "remote-cert-tls client",
        *_addresses(sites.tunnel.gateway, sites.tunnel.here),
        *_routes(sites.local_nets if sites.lan_to_lan else ()),
    )
    return _text(sites, settings, keys, keys.tls_gateway, keys.tls_here.fingerprint)


def for_reading(text: str) -> str:
    """Return a file that openvpn can read without looking anything up or opening a device."""
    lines = []
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "dev-type":
            continue  # a device of that type would be opened
        if word == "remote":
            address, *others = rest.split()
            own = "::1" if ":" in address else "127.0.0.1"
            lines.append(" ".join(["remote", own, *others]))
        else:
            lines.append(line)
    return "\n".join([*lines, ""])


def _text(
    sites: Sites, settings: tuple[str, ...], keys: Keys, own: Identity, fingerprint: str
) -> str:
    inline = (
        ("cert", own.certificate),
        ("key", own.key),
        ("peer-fingerprint", f"{fingerprint}\n"),
        ("tls-crypt", keys.static),
    )
    return "".join(
        [
            f"dev {sites.name}\ndev-type tun\n",
            *(f"{line}\n" for line in (*settings, *_COMMON)),
            *(f"<{name}>\n{content}</{name}>\n" for name, content in inline),
        ]
    )


def _protocol(sites: Sites, role: str) -> str:
    """Return the transport; a listener of IPv6 takes IPv4 as well, the other way round not."""
    family = "6" if ":" in sites.gateway_address else ""
    return f"udp{family}" if sites.udp else f"tcp{family}-{role}"


def _addresses(own: tuple[Interface, ...], other: tuple[Interface, ...]) -> tuple[str, ...]:
    lines = []
    for mine, theirs in zip(own, other, strict=True):
        if mine.version == 4:
            lines.append(f"ifconfig {mine.ip} {theirs.ip}")
        else:
            lines.append(f"ifconfig-ipv6 {mine.ip}/{mine.network.prefixlen} {theirs.ip}")
    return tuple(lines)


def _routes(nets: tuple[Network, ...]) -> tuple[str, ...]:
    return tuple(
        f"route {net.network_address} {net.netmask}" if net.version == 4 else f"route-ipv6 {net}"
        for net in nets
    )


def _name(system: System, sites: Sites) -> str:
    return f"{sites.name}.ovpn" if system is System.WINDOWS else f"{sites.name}.conf"


def _there(system: System, sites: Sites) -> str:
    if system is System.WINDOWS:
        return f"C:\\Program Files\\OpenVPN\\config\\{sites.name}.ovpn"
    folder = "/etc/openvpn" if system is System.LINUX else "/usr/local/etc/openvpn"
    return f"{folder}/{sites.name}.conf"


def _install(sites: Sites, side: str, system: System) -> tuple[Fix, ...]:
    name = _name(system, sites)
    file = f"{side}/{name}" if side == HERE else name
    there = _there(system, sites)
    if system is System.WINDOWS:
        return (
            Fix(
                ("copy", file.replace("/", "\\"), there),
                where=side,
                needs_admin=True,
                note="then Connect in OpenVPN's tray icon",
                undo=("del", there),
            ),
        )
    start = (
        Fix(
            ("systemctl", "start", f"openvpn@{sites.name}"),
            where=side,
            needs_admin=True,
            note="Debian's unit for /etc/openvpn; elsewhere: openvpn --config FILE",
            undo=("systemctl", "stop", f"openvpn@{sites.name}"),
        )
        if system is System.LINUX
        else Fix(
            ("openvpn", "--config", there),
            where=side,
            needs_admin=True,
            note="runs until Ctrl-C",
        )
    )
    return (
        Fix(
            ("install", "-D", "-m", "600", file, there),
            where=side,
            needs_admin=True,
            undo=("rm", there),
        ),
        start,
    )
