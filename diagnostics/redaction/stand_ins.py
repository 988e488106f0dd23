"""What stands for a name or an address: a token for people, or an example that can be judged.

Each is given once and then again for the same thing.  Examples keep the kind of what they stand
for: a private address stays private, two of one /24 stay in one /24.
"""

from __future__ import annotations

import ipaddress
from typing import Protocol

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class StandIns(Protocol):
    """Gives a stand-in for the ``number``-th thing of its kind."""

    def user(self, number: int) -> str: ...

    def host(self, number: int, name: str) -> str: ...

    def address(self, number: int, address: IPAddress) -> str: ...

    def mac(self, number: int) -> str: ...

    def comment(self, number: int) -> str: ...

    def home(self, path: str, user: str) -> str: ...

    def packed(self, address: IPAddress) -> bytes:
        """Return what stands for an address in its binary form."""


class Tokens:
    """``<user>``, ``<host-1>``, ``<ip-2>``: for reports that people read."""

    def user(self, number: int) -> str:
        return "<user>" if number == 1 else f"<user-{number}>"

    def host(self, number: int, name: str) -> str:
        del name
        return f"<host-{number}>"

    def address(self, number: int, address: IPAddress) -> str:
        del address
        return f"<ip-{number}>"

    def mac(self, number: int) -> str:
        return f"<mac-{number}>"

    def comment(self, number: int) -> str:
        return f"<comment-{number}>"

    def home(self, path: str, user: str) -> str:
        del path, user
        return "<home>"

    def packed(self, address: IPAddress) -> bytes:
        return bytes(len(address.packed))


_IPV4_KINDS = (
    ("10.0.0.0/8", "10.0"),
    ("172.16.0.0/12", "172.16"),
    ("192.168.0.0/16", "192.168"),
    ("100.64.0.0/10", "100.64"),  # RFC 6598, carrier-grade NAT
    ("169.254.0.0/16", "169.254"),
)
_IPV4_KINDS_PARSED = tuple((ipaddress.IPv4Network(text), head) for text, head in _IPV4_KINDS)
_PUBLIC = "11.0"
"""Public addresses become some of 11.0.0.0/16: the networks for documentation are not public."""

_LINK_LOCAL = ipaddress.IPv6Network("fe80::/10")
_UNIQUE_LOCAL = ipaddress.IPv6Network("fc00::/7")


class Examples:
    """``user-1``, ``host-1.example``, ``10.0.1.2``: for recordings that are judged again."""

    def __init__(self) -> None:
        self._networks: dict[tuple[str, int], int] = {}
        self._addresses: dict[tuple[str, int], list[int]] = {}

    def user(self, number: int) -> str:
        return f"user-{number}"

    def host(self, number: int, name: str) -> str:
        return f"host-{number}.example" if "." in name else f"host-{number}"

    def address(self, number: int, address: IPAddress) -> str:
        del number
        return str(self._example(address))

    def mac(self, number: int) -> str:
        return ":".join(f"{byte:02x}" for byte in (0x02, 0, *number.to_bytes(4, "big")))

    def comment(self, number: int) -> str:
        return f"comment-{number}"

    def home(self, path: str, user: str) -> str:
        if "\\" in path:
            return f"C:\\Users\\{user}"
        return f"/Users/{user}" if path.startswith("/Users/") else f"/home/{user}"

    def packed(self, address: IPAddress) -> bytes:
        return self._example(address).packed

    def _example(self, address: IPAddress) -> IPAddress:
        if isinstance(address, ipaddress.IPv6Address):
            if address.ipv4_mapped is not None:
                inner = self._example(address.ipv4_mapped)
                return ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + inner.packed)
            return self._example_v6(address)
        head = next((head for net, head in _IPV4_KINDS_PARSED if address in net), _PUBLIC)
        network = self._network(head, int(address) >> 8) % 256
        last = int(address) & 255
        if last not in (0, 255):  # those are names of the network itself
            last = 1 + self._place(f"{head}.{network}", last) % 254
        return ipaddress.IPv4Address(f"{head}.{network}.{last}")

    def _example_v6(self, address: ipaddress.IPv6Address) -> ipaddress.IPv6Address:
        head = (
            0xFE80 << 112
            if address in _LINK_LOCAL
            else 0xFD00 << 112
            if address in _UNIQUE_LOCAL
            else 0x2600 << 112
        )
        network = 0 if head >> 112 == 0xFE80 else self._network(f"{head:x}", int(address) >> 64)
        low = int(address) & (2**64 - 1)
        if low:
            low = 1 + self._place(f"{head:x}.{network}", low)
        return ipaddress.IPv6Address(head | network << 64 | low)

    def _network(self, head: str, prefix: int) -> int:
        """Return the number of a network among those that begin with ``head``."""
        known = sum(1 for kind, _ in self._networks if kind == head)
        return self._networks.setdefault((head, prefix), known + 1)

    def _place(self, network: str, low: int) -> int:
        """Return the number of an address among those of its network."""
        held = self._addresses.setdefault((network, 0), [])
        if low not in held:
            held.append(low)
        return held.index(low)
