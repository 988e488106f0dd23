"""PPP over SSH: pppd on both sides, and ssh as the wire between them (pppd(8), pty and notty).

It was the way before ``ssh -w``, and still is where sshd may not be changed.
"""

from __future__ import annotations

from netkit.advise import routing
from netkit.advise.keys import Keys
from netkit.advise.model import GATEWAY, HERE, File, Network, Recipe, Sites, Technology
from netkit.model import Fix

_BOTH = (
    # neither side asks the other for a password: SSH has proved both
    "noauth",
    "nodefaultroute",
    "noccp",
    "novj",
    "lcp-echo-interval 30",
    "lcp-echo-failure 3",
    "mtu 1400",
    "mru 1400",
)


def recipe(sites: Sites, keys: Keys) -> Recipe:
    """Return both sides' options, the scripts for the routes, and what to do with them."""
    del keys  # SSH has its own
    name = sites.name
    peers = f"/etc/ppp/peers/{name}"
    nft = routing.masquerade_file(sites, sites.tunnel.networks)
    local = sites.local_nets if sites.lan_to_lan else ()
    routes = f"/etc/ppp/ip-up.d/{name}"
    files = (
        File(HERE, f"{name}.peer", here_text(sites), peers),
        File(HERE, f"{name}.ip-up", route_script(sites.name, sites.remote_nets), routes),
        File(GATEWAY, f"{name}.peer", gateway_text(sites), peers),
        *((File(GATEWAY, f"{name}.ip-up", route_script(name, local), routes),) if local else ()),
        *nft,
    )
    return Recipe(
        technology=Technology.PPP_SSH,
        files=files,
        steps=(
            *routing.copy_step(sites),
            *routing.forwarding_steps(sites),
            *routing.masquerade_steps(nft, sites),
            *(
                _install(file, file.install, "755" if file.name.endswith("up") else "600")
                for file in files
                if file not in nft
            ),
            Fix(
                ("pppd", "call", name, "nodetach"),
                needs_admin=True,
                note="the tunnel; leave it running, Ctrl-C ends it",
            ),
        ),
        notes=(
            "The SSH login has to work without a question: root's key here, in known_hosts too.",
            f"On the gateway the login runs: sudo -n pppd call {name}; sudoers has to allow that.",
            "TCP inside TCP: one lost packet stalls everything in the tunnel.",
            *routing.notes(sites),
        ),
    )


def here_text(sites: Sites) -> str:
    """Return this side's options."""
    ssh = ("ssh", "-T", "-o", "BatchMode=yes", *routing.ssh_words(sites))
    command = " ".join((*ssh, "sudo", "-n", "pppd", "call", sites.name))
    here, gateway = sites.tunnel.here, sites.tunnel.gateway
    return _text(
        (
            f'pty "{command}"',
            f"{here[0].ip}:{gateway[0].ip}",
            *_ipv6(sites),
            f"ipparam {sites.name}",
            f"ifname {sites.name}",
        )
    )


def gateway_text(sites: Sites) -> str:
    """Return the gateway's options."""
    here, gateway = sites.tunnel.here, sites.tunnel.gateway
    return _text(
        (
            "notty",
            "nodetach",
            f"{gateway[0].ip}:{here[0].ip}",
            *_ipv6(sites),
            f"ipparam {sites.name}",
            f"ifname {sites.name}",
        )
    )


def route_script(name: str, nets: tuple[Network, ...]) -> str:
    """Return the script that pppd runs when the link is up; $1 is the interface, $6 the name."""
    lines = [
        "#!/bin/sh",
        f'[ "${{6:-}}" = {name} ] || exit 0',
        *(f'ip route replace {net} dev "$1"' for net in nets),
    ]
    return "".join(f"{line}\n" for line in lines)


def _ipv6(sites: Sites) -> tuple[str, ...]:
    return ("+ipv6",) if len(sites.tunnel.pairs) > 1 else ()


def _text(lines: tuple[str, ...]) -> str:
    return "".join(f"{line}\n" for line in (*lines, *_BOTH))


def _install(file: File, there: str, mode: str) -> Fix:
    return Fix(
        ("install", "-D", "-m", mode, file.path if file.side == HERE else file.name, there),
        where=file.side,
        needs_admin=True,
        undo=("rm", there),
    )
