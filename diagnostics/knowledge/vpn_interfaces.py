"""Which network interfaces belong to VPNs: by name, and on Linux by the kind of link.

A name proves nothing, so whatever rests on one is a likelihood.
"""

from __future__ import annotations

import re

ARPHRD_NONE = 65534  # <linux/if_arp.h>: tun(4) without Ethernet frames, and WireGuard
ARPHRD_PPP = 512  # the same file: pppd, and the VPNs that are built on it
ARPHRD_TUNNEL = 768  # ipip
ARPHRD_IPGRE = 778

_LINK_TYPES = frozenset({ARPHRD_NONE, ARPHRD_PPP, ARPHRD_TUNNEL, ARPHRD_IPGRE})

_UNIX_NAMES = re.compile(
    r"""(?x)
      (tun|tap)\d            # OpenVPN, "dev tun" (openvpn(8)); openconnect(8)
    | utun\d                 # macOS: <net/if_utun.h>, used by every VPN there
    | wg\d?                  # WireGuard: wg(8), wg-quick(8) in their examples
    | ppp\d                  # pppd(8): L2TP, PPTP, SSTP
    | ipsec\d | xfrm\d | vti # ipsec(4) of macOS and FreeBSD; ip-link(8)
    | tailscale\d            # tailscaled --tun
    | zt[a-z0-9]{8,}         # ZeroTier One
    | nordlynx | proton\d    # NordVPN, Proton VPN
    | cscotun\d              # Cisco AnyConnect
    | gpd\d                  # Palo Alto GlobalProtect
    """,
)

_WINDOWS_NAMES = re.compile(
    r"(?i)vpn|wireguard|wintun|\btap\b|tap-windows|tailscale|zerotier|anyconnect|globalprotect"
    r"|pangp|fortinet|fortissl|pulse secure|juniper"
)
"""Words in the names that the installers of these products give their adapters."""


def is_vpn(name: str, os: str, link_type: int = 0) -> bool:
    """Return whether an interface is probably that of a VPN."""
    if os == "windows":
        return _WINDOWS_NAMES.search(name[:256]) is not None
    return link_type in _LINK_TYPES or _UNIX_NAMES.match(name[:64]) is not None
