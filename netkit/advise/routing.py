"""What every IP tunnel needs around it: forwarding between interfaces, and the way back.

For a single machine the gateway hides it behind its own address (masquerading), so that nothing in
its network has to change.  Between two networks nothing is hidden: the routers on both sides have
to know the way, which a note says.
"""

from __future__ import annotations

from netkit.advise.model import GATEWAY, HERE, File, Network, Sites, System
from netkit.model import Fix

_FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}


def forwarding_steps(sites: Sites) -> tuple[Fix, ...]:
    """Return what lets packets pass through the gateway, and through this machine if need be."""
    sides = [*([(HERE, sites.here)] if sites.lan_to_lan else []), (GATEWAY, sites.gateway)]
    versions = sorted({net.version for net in (*sites.remote_nets, *sites.local_nets)})
    return tuple(
        Fix(
            ("sysctl", "-w", f"{_FORWARDING[version]}=1"),
            where=side,
            needs_admin=True,
            note="until the next start; undo it only if it was 0 before",
            undo=("sysctl", "-w", f"{_FORWARDING[version]}=0"),
        )
        for side, system in sides
        if system is System.LINUX
        for version in versions
    )


def masquerade_file(sites: Sites, sources: tuple[Network, ...]) -> tuple[File, ...]:
    """Return the rules (nft(8)) that hide ``sources`` behind the gateway; none between networks."""
    if sites.lan_to_lan or sites.gateway is not System.LINUX:
        return ()
    rules = [
        f"        {_family(source)} saddr {source} {_family(net)} daddr {net} masquerade"
        for source in sources
        for net in sites.remote_nets
        if source.version == net.version
    ]
    if not rules:
        return ()
    table = f"inet {sites.name}"
    text = "\n".join(
        [
            f"# Machines of the remote network answer the gateway: nft -f {sites.name}.nft",
            f"table {table} {{}}",
            f"delete table {table}",
            f"table {table} {{",
            "    chain back {",
            "        type nat hook postrouting priority srcnat; policy accept;",
            *rules,
            "    }",
            "}",
            "",
        ]
    )
    return (File(GATEWAY, f"{sites.name}.nft", text, f"/etc/nftables.d/{sites.name}.nft"),)


def masquerade_steps(files: tuple[File, ...], sites: Sites) -> tuple[Fix, ...]:
    """Return what puts the rules of `masquerade_file` into force."""
    return tuple(
        Fix(
            ("nft", "-f", file.name),
            where=GATEWAY,
            needs_admin=True,
            undo=("nft", "delete", "table", "inet", sites.name),
        )
        for file in files
        if file.name.endswith(".nft")
    )


def notes(sites: Sites) -> tuple[str, ...]:
    """Return what has to be seen to by hand."""
    said = []
    if sites.lan_to_lan:
        nets = ", ".join(map(str, sites.remote_nets))
        back = ", ".join(map(str, sites.local_nets))
        said.append(
            "Unless the two ends are the routers of their networks, the routers need a route: here "
            f"to {nets} by this machine, there to {back} by the gateway."
        )
    elif sites.gateway is not System.LINUX:
        said.append(
            "The gateway has to forward packets and hide the tunnel's addresses behind its own "
            "(NAT); how that is done is up to its system."
        )
    if sites.lan_to_lan and sites.here is not System.LINUX:
        said.append("This machine has to forward packets; how that is done is up to its system.")
    return tuple(said)


def copy_step(sites: Sites) -> tuple[Fix, ...]:
    """Return the copying of the gateway's files, where there is a login to do it with."""
    if sites.login is None:
        return ()
    login = sites.login
    port = ("-P", str(login.port)) if login.port else ()
    host = f"[{login.host}]" if ":" in login.host else login.host
    target = f"{login.user}@{host}:" if login.user else f"{host}:"
    return (
        Fix(
            ("scp", "-r", *port, GATEWAY, target),
            note="the gateway's files; without a login, carry the folder there",
        ),
    )


def ssh_words(sites: Sites) -> tuple[str, ...]:
    """Return ``[-p PORT] user@host`` for ssh(1)."""
    login = sites.login
    assert login is not None, "checked before"
    port = ("-p", str(login.port)) if login.port else ()
    return (*port, f"{login.user}@{login.host}" if login.user else login.host)


def script(lines: list[str]) -> str:
    """Return a shell script that ends at the first command that fails."""
    return "".join(f"{line}\n" for line in ("#!/bin/sh", "set -eu", *lines))


def _family(network: Network) -> str:
    return "ip" if network.version == 4 else "ip6"
