"""IPsec with strongSwan: swanctl.conf on both sides, as four tunnels or as one with routes.

A policy covers the packets between two networks and no others.  Two gateways with a network each
need four: LAN-LAN, gateway-gateway, gateway-LAN and LAN-gateway, or the gateways themselves reach
nothing (strongSwan, "Four Tunnel case").  The other way is one tunnel whose policy covers
everything, bound to an xfrm interface by ``if_id``: what is routed into the interface goes through
(swanctl.conf(5), ip-link(8) type xfrm; RFC 4301 section 5, RFC 7296).
"""

from __future__ import annotations

from netkit.advise import routing
from netkit.advise.addresses import is_address
from netkit.advise.keys import Keys
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
from netkit.advise.routing import script
from netkit.model import Fix

IF_ID = 7
"""Written alike in decimal and in hexadecimal: ip(8) and swanctl need not agree."""

_IKE = "aes256gcm16-prfsha384-ecp384,aes256-sha256-modp2048"
_ESP = "aes256gcm16-ecp384,aes256-sha256-modp2048"

Section = dict[str, "str | Section"]


def recipe_one(sites: Sites, keys: Keys) -> Recipe:
    """Return one tunnel for everything that is routed into its interface."""
    nft = routing.masquerade_file(sites, sites.tunnel.networks)
    return Recipe(
        technology=Technology.IPSEC_ONE,
        files=(
            *_files(sites, _one(sites, keys, HERE), _one(sites, keys, GATEWAY)),
            *_scripts(sites),
            *nft,
        ),
        steps=(
            *routing.copy_step(sites),
            *routing.forwarding_steps(sites),
            *routing.masquerade_steps(nft, sites),
            *_interface(sites, GATEWAY),
            *_load(sites, GATEWAY),
            *_interface(sites, HERE),
            *_load(sites, HERE),
        ),
        notes=(*_notes(sites), "xfrm interfaces need Linux 4.19 and iproute2 5.1 or later."),
    )


def recipe_four(sites: Sites, keys: Keys) -> Recipe:
    """Return a tunnel for each pair of what the two sides have."""
    nft = routing.masquerade_file(sites, sites.tunnel.networks)
    return Recipe(
        technology=Technology.IPSEC_FOUR,
        files=(*_files(sites, _four(sites, keys, HERE), _four(sites, keys, GATEWAY)), *nft),
        steps=(
            *routing.copy_step(sites),
            *routing.forwarding_steps(sites),
            *routing.masquerade_steps(nft, sites),
            *_load(sites, GATEWAY),
            *_load(sites, HERE),
        ),
        notes=_notes(sites),
    )


def pairs(sites: Sites) -> tuple[tuple[str, str, str], ...]:
    """Return (name, this side's selector, the gateway's): four between networks, else one.

    ``dynamic`` is the address of the end itself, or the one it got for the tunnel
    (swanctl.conf(5), local_ts).
    """
    lan, far = _list(sites.local_nets), _list(sites.remote_nets)
    if not sites.lan_to_lan:
        return (("gateway-lan", "dynamic", far),)
    return (
        ("lan-lan", lan, far),
        ("gateway-gateway", "dynamic", "dynamic"),
        ("gateway-lan", "dynamic", far),
        ("lan-gateway", lan, "dynamic"),
    )


def _four(sites: Sites, keys: Keys, side: str) -> Section:
    here = side == HERE
    children: Section = {
        name: _child(side, mine if here else theirs, theirs if here else mine)
        for name, mine, theirs in pairs(sites)
    }
    connection = _connection(sites, side)
    top: Section = {}
    if not sites.lan_to_lan:  # a machine that may be anywhere gets an address for the tunnel
        pools: Section = {
            f"{sites.name}-ipv{each.version}": {"addrs": str(each.ip)} for each in sites.tunnel.here
        }
        if here:
            any_of = {4: "0.0.0.0", 6: "::"}
            connection["vips"] = ", ".join(any_of[each.version] for each in sites.tunnel.here)
        else:
            connection["pools"] = ", ".join(pools)
            top["pools"] = pools
    connection["children"] = children
    return {"connections": {sites.name: connection}, **top, "secrets": _secrets(sites, keys)}


def _one(sites: Sites, keys: Keys, side: str) -> Section:
    everything = "0.0.0.0/0, ::/0" if len(sites.tunnel.pairs) > 1 else "0.0.0.0/0"
    child = _child(side, everything, everything)
    child.update({"if_id_in": str(IF_ID), "if_id_out": str(IF_ID)})
    connection = _connection(sites, side)
    connection["children"] = {"all": child}
    return {"connections": {sites.name: connection}, "secrets": _secrets(sites, keys)}


def _connection(sites: Sites, side: str) -> Section:
    here = side == HERE
    other = sites.gateway_address if here else sites.local_address
    mine, theirs = (HERE, GATEWAY) if here else (GATEWAY, HERE)
    return {
        "version": "2",
        # behind a NAT a side has another address than the one it is seen by
        "local_addrs": "%any",
        "remote_addrs": other or "%any",
        "proposals": _IKE,
        "dpd_delay": "30s",
        "encap": "no" if sites.local_address else "yes",
        "local": {"auth": "psk", "id": f"{mine}.{sites.name}"},
        "remote": {"auth": "psk", "id": f"{theirs}.{sites.name}"},
    }


def _child(side: str, local: str, remote: str) -> Section:
    """Return a tunnel; this side starts it, and again when the other has fallen silent."""
    starts = side == HERE
    return {
        "local_ts": local,
        "remote_ts": remote,
        "esp_proposals": _ESP,
        "start_action": "start" if starts else "none",
        "dpd_action": "restart" if starts else "clear",
    }


def _secrets(sites: Sites, keys: Keys) -> Section:
    # 0s introduces base64 (swanctl.conf(5), secrets.ike)
    secret = f"0s{keys.shared}" if keys.secret else keys.shared
    return {
        f"ike-{sites.name}": {
            "id-1": f"{HERE}.{sites.name}",
            "id-2": f"{GATEWAY}.{sites.name}",
            "secret": f'"{secret}"',
        }
    }


def render(section: Section, depth: int = 0) -> str:
    """Return a tree of sections as strongSwan reads it (strongswan.conf(5))."""
    indent = "    " * depth
    lines = []
    for name, value in section.items():
        if isinstance(value, str):
            lines.append(f"{indent}{name} = {value}\n")
        else:
            lines.append(f"{indent}{name} {{\n{render(value, depth + 1)}{indent}}}\n")
    return "".join(lines)


def _files(sites: Sites, here: Section, gateway: Section) -> tuple[File, ...]:
    name = f"{sites.name}.conf"
    there = f"/etc/swanctl/conf.d/{name}"
    return (
        File(HERE, name, render(here), there, private=True),
        File(GATEWAY, name, render(gateway), there, private=True),
    )


def _scripts(sites: Sites) -> tuple[File, ...]:
    local = sites.local_nets if sites.lan_to_lan else ()
    sides = {
        HERE: (sites.gateway_address, sites.tunnel.here, sites.remote_nets),
        GATEWAY: (sites.local_address, sites.tunnel.gateway, local),
    }
    return tuple(
        File(side, f"{sites.name}-{word}.sh", text, "in its folder")
        for side, (address, own, nets) in sides.items()
        for word, text in zip(
            ("up", "down"),
            # any address will do that the default route leads to (RFC 5737)
            interface_scripts(sites, address if is_address(address) else "192.0.2.1", own, nets),
            strict=True,
        )
    )


def interface_scripts(
    sites: Sites, towards: str, addresses: tuple[Interface, ...], nets: tuple[Network, ...]
) -> tuple[str, str]:
    """Return shell scripts that make the xfrm interface with its addresses and routes, and end it.

    It is put on the device that leads to ``towards`` (ip-link(8), type xfrm, dev).
    """
    name = sites.name
    find = f"ip -o route get {towards} | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p'"
    up = [
        f"device=$({find})",
        f'ip link add {name} type xfrm dev "$device" if_id {IF_ID}',
        *(f"ip address add {each} dev {name}" for each in addresses),
        f"ip link set {name} up mtu 1400",
        *(f"ip route add {net} dev {name}" for net in nets),
    ]
    return script(up), script([f"ip link delete {name}"])


def _interface(sites: Sites, side: str) -> tuple[Fix, ...]:
    folder = f"{HERE}/" if side == HERE else ""
    return (
        Fix(
            ("sh", f"{folder}{sites.name}-up.sh"),
            where=side,
            needs_admin=True,
            undo=("sh", f"{folder}{sites.name}-down.sh"),
        ),
    )


def _load(sites: Sites, side: str) -> tuple[Fix, ...]:
    name = f"{sites.name}.conf"
    there = f"/etc/swanctl/conf.d/{name}"
    return (
        Fix(
            ("install", "-D", "-m", "600", f"{side}/{name}" if side == HERE else name, there),
            where=side,
            needs_admin=True,
            undo=("rm", there),
        ),
        Fix(
            ("swanctl", "--load-all"),
            where=side,
            needs_admin=True,
            undo=("swanctl", "--terminate", "--ike", sites.name),
        ),
    )


def _notes(sites: Sites) -> tuple[str, ...]:
    return (
        "Both sides need strongSwan 5.8 or later (Debian: strongswan-swanctl, charon-systemd).",
        "The gateway's firewall has to let UDP ports 500 and 4500 in, and without a NAT also ESP.",
        *routing.notes(sites),
        *(
            ("swanctl --load-all runs once more after the files are removed, to forget them.",)
            if sites.gateway is System.LINUX
            else ()
        ),
    )


def _list(nets: tuple[Network, ...]) -> str:
    return ", ".join(map(str, nets))
