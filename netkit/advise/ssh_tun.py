"""An IP tunnel inside SSH: ``ssh -w`` between two tun devices (ssh(1), -w; sshd_config(5)).

The devices are made beforehand and belong to the user who logs in, so neither ssh nor sshd runs as
root (ip-tuntap(8)).
"""

from __future__ import annotations

import shlex

from netkit.advise import routing
from netkit.advise.keys import Keys
from netkit.advise.model import (
    GATEWAY,
    HERE,
    File,
    Interface,
    Network,
    Recipe,
    Sites,
    Technology,
)
from netkit.advise.routing import script
from netkit.model import Fix

UNIT = 70
DEVICE = f"tun{UNIT}"
"""On both sides; far from the numbers that other programs take first."""

_MTU = 1400


def recipe(sites: Sites, keys: Keys) -> Recipe:
    """Return scripts for both sides, sshd's setting, and what to do with them."""
    del keys  # SSH has its own
    name = sites.name
    nft = routing.masquerade_file(sites, sites.tunnel.networks)
    login = sites.login
    assert login is not None, "checked before"
    local = sites.local_nets if sites.lan_to_lan else ()
    scripts = {
        HERE: device_script(sites.tunnel.here, sites.tunnel.gateway, sites.remote_nets, ""),
        GATEWAY: device_script(sites.tunnel.gateway, sites.tunnel.here, local, login.user or ""),
    }
    files = (
        *(
            File(side, f"{name}-{word}.sh", text, "in its folder")
            for side, texts in scripts.items()
            for word, text in zip(("up", "down"), texts, strict=True)
        ),
        File(
            GATEWAY,
            f"{name}-sshd.conf",
            "# tun devices for ssh -w (sshd_config(5)); sshd -t tells whether it is right\n"
            "PermitTunnel point-to-point\n",
            f"/etc/ssh/sshd_config.d/{name}.conf",
        ),
        *nft,
    )
    return Recipe(
        technology=Technology.SSH_TUN,
        files=files,
        steps=(
            *routing.copy_step(sites),
            *routing.forwarding_steps(sites),
            *routing.masquerade_steps(nft, sites),
            *_steps(sites),
            Fix(
                ssh_argv(sites),
                note="the tunnel; leave it running, Ctrl-C ends it",
            ),
        ),
        notes=(
            "TCP inside TCP: one lost packet stalls everything in the tunnel.",
            "For single services netkit forward is faster.",
            "sshd reads sshd_config.d only where sshd_config includes it; else add the line there.",
            *routing.notes(sites),
        ),
    )


def ssh_argv(sites: Sites) -> tuple[str, ...]:
    """Return the command that connects the two devices."""
    options = ("ExitOnForwardFailure=yes", "ServerAliveInterval=30", "Tunnel=point-to-point")
    words = [word for option in options for word in ("-o", option)]
    return ("ssh", "-N", "-T", *words, "-w", f"{UNIT}:{UNIT}", *routing.ssh_words(sites))


def device_script(
    own: tuple[Interface, ...],
    other: tuple[Interface, ...],
    nets: tuple[Network, ...],
    user: str,
) -> tuple[str, str]:
    """Return shell scripts that make the device of one side, and take it away."""
    owner = shlex.quote(user) if user else '"${SUDO_USER:-$(id -un)}"'
    lines = [f"ip tuntap add dev {DEVICE} mode tun user {owner}"]
    for mine, theirs in zip(own, other, strict=True):
        if mine.version == 4:
            lines.append(f"ip address add {mine.ip} peer {theirs.ip} dev {DEVICE}")
        else:
            lines.append(f"ip address add {mine} dev {DEVICE} nodad")
    lines.append(f"ip link set dev {DEVICE} up mtu {_MTU}")
    gateways = {each.version: each.ip for each in other}
    lines += [f"ip route add {net} via {gateways[net.version]} dev {DEVICE}" for net in nets]
    return script(lines), script([f"ip tuntap del dev {DEVICE} mode tun"])


def _steps(sites: Sites) -> tuple[Fix, ...]:
    name = sites.name
    there = f"/etc/ssh/sshd_config.d/{name}.conf"

    def run(side: str, folder: str) -> Fix:
        return Fix(
            ("sh", f"{folder}{name}-up.sh"),
            where=side,
            needs_admin=True,
            undo=("sh", f"{folder}{name}-down.sh"),
        )

    return (
        run(GATEWAY, ""),
        Fix(
            ("install", "-m", "644", f"{name}-sshd.conf", there),
            where=GATEWAY,
            needs_admin=True,
            undo=("rm", there),
        ),
        Fix(
            ("systemctl", "reload", "ssh"),
            where=GATEWAY,
            needs_admin=True,
            note="sshd on other systems than Debian; once more after undoing it",
        ),
        run(HERE, f"{HERE}/"),
    )
