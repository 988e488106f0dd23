"""What to do with a forward that listens: one line of text per forward."""

from __future__ import annotations

from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec, UnixPath

_WILDCARDS = {"*", "", "0.0.0.0", "::"}

# By the port at the far end: what a person types next.  {host} is bracketed where it must be.
_BY_PORT = {
    21: "lftp -p {port} {bare}",
    22: "ssh -p {port} {bare}",
    23: "telnet {bare} {port}",
    25: "mail server (SMTP) is {address}",
    80: "open http://{address}/",
    110: "mail server (POP3) is {address}",
    143: "mail server (IMAP) is {address}",
    443: "open https://{address}/",
    587: "mail server (SMTP) is {address}",
    993: "mail server (IMAP, TLS) is {address}",
    995: "mail server (POP3, TLS) is {address}",
    1433: "sqlcmd -S {bare},{port}",
    3128: "curl --proxy http://{address} URL",
    3306: "mysql -h {bare} -P {port}",
    3389: "point your RDP client at {address}",
    5432: "psql -h {bare} -p {port}",
    5900: "vncviewer {bare}::{port}",
    5901: "vncviewer {bare}::{port}",
    6379: "redis-cli -h {bare} -p {port}",
    8000: "open http://{address}/",
    8080: "open http://{address}/",
    8443: "open https://{address}/",
    27017: "mongosh mongodb://{address}/",
}


def forward_line(forward: ForwardSpec, addresses: tuple[Address, ...], gateway: str) -> str:
    """Return the line for a forward that listens at ``addresses``.

    The first word is always an address to connect to, so that ``cut -d' ' -f1`` is enough for a
    script.  ``gateway`` is what the user calls it.
    """
    first = addresses[0] if addresses else forward.bind
    notes = [_hint(forward, first, gateway)]
    if others := [str(address) for address in addresses[1:]]:
        notes.insert(0, f"also on {', '.join(others)}")
    if forward.kind is ForwardKind.REMOTE:
        route = f"{first} on {gateway} -> {forward.to or 'any host'} through this machine"
    else:
        route = f"{first} -> {forward.to or 'any host'} through {gateway}"
    text = "; ".join(note for note in notes if note)
    return f"{route}   ({text})" if text else route


def _hint(forward: ForwardSpec, address: Address, gateway: str) -> str:
    where = f"on {gateway}: " if forward.kind is ForwardKind.REMOTE else ""
    if isinstance(address, UnixPath):
        return where + _unix_hint(forward, address)
    reachable = _reachable(address)
    if forward.to is None:
        return f"{where}curl --proxy socks5h://{reachable} URL; SOCKS4, SOCKS4a and HTTP work too"
    template = _BY_PORT.get(_far_port(forward), "connect to {address}")
    return where + template.format(address=reachable, bare=reachable.host, port=reachable.port)


def _unix_hint(forward: ForwardSpec, address: UnixPath) -> str:
    if isinstance(forward.to, UnixPath) and forward.to.path.endswith("docker.sock"):
        return f"docker -H unix://{address.path} ps"
    return f"connect to the socket {address.path}"


def _reachable(address: Endpoint) -> Endpoint:
    """Return what to connect to: a wildcard is an address to listen on only."""
    if address.host in _WILDCARDS:
        return Endpoint("::1" if address.host == "::" else "127.0.0.1", address.port)
    return address


def _far_port(forward: ForwardSpec) -> int:
    return forward.to.port if isinstance(forward.to, Endpoint) else 0
