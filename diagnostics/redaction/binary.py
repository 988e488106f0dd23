"""Names and addresses in binary forms: ``.Xauthority``, and the hexadecimal of ``/proc/net``."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from diagnostics.redaction.addresses import stays
from diagnostics.redaction.stand_ins import IPAddress

_INTERNET, _INTERNET6 = 0, 6  # X11 protocol, appendix B
_MAX_ENTRIES = 10_000

OnText = Callable[[str], str]
OnIp = Callable[[IPAddress], bytes]


def xauthority(data: bytes, on_text: OnText, on_ip: OnIp) -> bytes | None:
    """Return an authority file with its hosts and addresses replaced; None: it is none.

    An entry is a family and four counted strings: address, display, protocol, cookie (Xau(3)).
    """
    entries = []
    at = 0
    while at < len(data):
        family = int.from_bytes(data[at : at + 2], "big")
        at += 2
        fields = []
        for _ in range(4):
            length = int.from_bytes(data[at : at + 2], "big")
            field = data[at + 2 : at + 2 + length]
            if at + 2 > len(data) or len(field) < length:
                return None
            fields.append(field)
            at += 2 + length
        fields[0] = _host(family, fields[0], on_text, on_ip)
        entries.append(family.to_bytes(2, "big") + b"".join(map(_counted, fields)))
        if len(entries) > _MAX_ENTRIES:
            return None
    return b"".join(entries) if entries else None


def _counted(field: bytes) -> bytes:
    return len(field).to_bytes(2, "big") + field


def _host(family: int, host: bytes, on_text: OnText, on_ip: OnIp) -> bytes:
    if (family, len(host)) in ((_INTERNET, 4), (_INTERNET6, 16)):
        address = ipaddress.ip_address(host)
        return host if stays(address) else on_ip(address)
    return on_text(host.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


_PROC_TABLE = re.compile(
    rb"local_address|rem_address|Iface\s+Destination|^[0-9a-f]{32} [0-9a-f]{2} ", re.MULTILINE
)
_WORD = re.compile(rb"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{8})(?![0-9A-Fa-f])")


def proc_table(data: bytes, on_ip: OnIp) -> bytes:
    """Return a table of ``/proc/net`` with its addresses replaced; anything else as it is.

    IPv4 addresses and those of ``tcp6`` are in 32-bit words of the machine's order, taken for
    little-endian here; those of ``ipv6_route`` and ``if_inet6`` are as on the wire.
    """
    if _PROC_TABLE.search(data[:4096]) is None:
        return data
    swapped = b":" in data[:4096] or b"Iface" in data[:4096]

    def replace(match: re.Match[bytes]) -> bytes:
        word = match[0]
        # Queues, timers and flags have 8 digits as well.
        if len(word) == 8 and not _is_place(data, match.start(), match.end()):
            return word
        packed = bytes.fromhex(word.decode())
        address = ipaddress.ip_address(_words(packed) if swapped else packed)
        if stays(address):
            return word
        new = on_ip(address)
        digits = (_words(new) if swapped else new).hex().encode()
        return digits.upper() if word.upper() == word else digits

    return _WORD.sub(replace, data)


def _words(packed: bytes) -> bytes:
    return b"".join(packed[at : at + 4][::-1] for at in range(0, len(packed), 4))


def _is_place(data: bytes, start: int, end: int) -> bool:
    followed = data[end : end + 1]
    if followed == b":":  # 0100007F:1F90, but 00000000:00000000 are queues
        return re.match(rb":[0-9A-Fa-f]{4}(?![0-9A-Fa-f])", data[end : end + 6]) is not None
    return followed == b"\t" or data[start - 1 : start] == b"\t"
