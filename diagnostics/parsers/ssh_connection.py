"""The words of sshd's ``SSH_CONNECTION``: who is connected to whom, as the server sees it."""

from __future__ import annotations

import ipaddress

from diagnostics.parsers.text import lines
from netkit.model import Endpoint


def ssh_connection(data: bytes) -> tuple[Endpoint, Endpoint] | None:
    """Return client and server of the first line that ends in ``address port address port``.

    What a login prints before it is passed over.
    """
    for line in lines(data, 1000, 1024):
        words = line.replace('"', " ").split()[-4:]
        if len(words) == 4:
            client, server = _endpoint(*words[:2]), _endpoint(*words[2:])
            if client is not None and server is not None:
                return client, server
    return None


def plain_address(text: str) -> str:
    """Return an IP literal in its one form: no scope, no IPv4 in IPv6; empty for anything else."""
    try:
        address = ipaddress.ip_address(text[:64].partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(address)


def _endpoint(host: str, port: str) -> Endpoint | None:
    address = plain_address(host)
    if not address or not port.isascii() or not port.isdecimal() or len(port) > 5:
        return None
    number = int(port)
    return Endpoint(address, number) if 0 < number < 65536 else None
