"""Commands that several checks advise: how ssh is called for a hop, and changes on a gateway.

Pure.  The words of a hop come from the user's own configuration, but may hold anything.
"""

from __future__ import annotations

import shlex

from diagnostics.ssh import HopFacts
from netkit.model import Fix

_DIRECTORY = "/etc/ssh/sshd_config.d"
_RELOAD = "sshd -t && (systemctl reload ssh || systemctl reload sshd)"


def destination(hop: HopFacts) -> str:
    """Return ``user@host``."""
    return f"{hop.user}@{hop.host}" if hop.user else hop.host


def port_words(hop: HopFacts, option: str = "-p") -> tuple[str, ...]:
    """Return ``-p PORT`` off port 22."""
    return (option, str(hop.port)) if hop.port != 22 else ()


def ssh(hop: HopFacts, *options: str, note: str = "shows each step as ssh sees it") -> Fix:
    """Return the command that tries the same with ssh."""
    return Fix(("ssh", *options, *port_words(hop), destination(hop)), note=note)


def sshd_setting(name: str, *lines: str, note: str = "") -> Fix:
    """Return how sshd on the gateway gets other settings; ``name`` is of the file to be made.

    Of several values sshd uses the first, and distributions include that directory at the top.
    """
    path = f"{_DIRECTORY}/10-netkit-{name}.conf"
    words = " ".join(shlex.quote(line) for line in lines)
    return Fix(
        ("sudo", "sh", "-c", f"printf '%s\\n' {words} > {path} && {_RELOAD}"),
        where="gateway",
        needs_admin=True,
        persistent=True,
        undo=("sudo", "sh", "-c", f"rm {path} && {_RELOAD}"),
        note=note,
    )


def look_up(host: str, os: str) -> Fix:
    """Return the command that looks a name up."""
    note = "prints its addresses when the name is right"
    if os == "linux":
        return Fix(("getent", "ahosts", host), note=note)
    if os == "darwin":
        return Fix(("dscacheutil", "-q", "host", "-a", "name", host), note=note)
    return Fix(("nslookup", host), note=note)


def ping(host: str, os: str) -> Fix:
    """Return the command that shows whether a machine answers at all."""
    count = ("-n", "3") if os == "windows" else ("-c", "3")
    return Fix(
        ("ping", *count, host), note="shows whether it answers at all; many firewalls drop this"
    )


def trace(host: str, os: str) -> Fix:
    """Return the command that shows how far packets get."""
    argv = ("tracert", "-d", host) if os == "windows" else ("traceroute", "-n", host)
    return Fix(argv, note="shows how far packets get")


def install_key(hop: HopFacts, key: str, os: str) -> Fix:
    """Return the command that puts a public key on a gateway which takes a password."""
    note = "puts the public key on the gateway; asks for the password there"
    if os == "windows":
        file = (key or r"$env:USERPROFILE\.ssh\id_ed25519").replace("'", "''") + ".pub"
        target = " ".join((*port_words(hop), destination(hop)))
        quoted = f'"{file}"' if file.startswith("$") else f"'{file}'"
        line = (
            f"Get-Content {quoted} | ssh {target} "
            "'umask 077; mkdir -p ~/.ssh; cat >> ~/.ssh/authorized_keys'"
        )
        return Fix(("powershell", "-Command", line), note=note, persistent=True)
    which = ("-i", key) if key else ()
    return Fix(
        ("ssh-copy-id", *which, *port_words(hop), destination(hop)), note=note, persistent=True
    )


def new_key() -> Fix:
    """Return the command that makes a key pair."""
    return Fix(("ssh-keygen", "-t", "ed25519"), note="makes a key pair", persistent=True)
