"""What a shell on the gateway sees of X11 there: one command that only reads, and its answer."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from diagnostics.parsers import proc_net_tcp
from diagnostics.parsers.gateway_survey import START, parts
from diagnostics.parsers.text import clean

_LISTENERS = (
    'cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep " 0A " | cut -c1-100 | head -n 3000;'
    " [ -e /proc/net/tcp ] || netstat -an -p tcp 2>/dev/null | grep LISTEN | head -n 3000"
)
ASK_LISTENERS = f"sh -c '{START}; echo netkit-part listeners; {_LISTENERS}; echo netkit-part end'"
ASK = (
    f"sh -c '{START}; PATH=$PATH:/usr/sbin:/sbin:/opt/X11/bin:/usr/X11R6/bin;"
    " echo netkit-part host; uname -n; getent ahosts $(uname -n) 2>/dev/null;"
    " echo netkit-part own; ip -o addr show 2>/dev/null || ifconfig -a 2>/dev/null;"
    " echo netkit-part xauth; command -v xauth;"
    " echo netkit-part sockets; ls /tmp/.X11-unix 2>/dev/null;"
    " echo netkit-part locks; ls -d /tmp/.X*-lock 2>/dev/null;"
    " echo netkit-part ipv6; [ -e /proc/net/if_inet6 ] && echo kernel &&"
    " cut -c1-32 /proc/net/if_inet6 | head -n 500;"
    f" echo netkit-part listeners; {_LISTENERS}; echo netkit-part end'"
)

_SOCKET = re.compile(r"X([0-9]{1,5})\Z", re.ASCII)
_LOCK = re.compile(r"/tmp/\.X([0-9]{1,5})-lock\Z", re.ASCII)  # noqa: S108 - part of the protocol
_PATH = re.compile(r"/[A-Za-z0-9_./+-]{1,100}\Z", re.ASCII)
_BSD = re.compile(r"(\*|[0-9a-fA-F.:%a-z]+)[.:]([0-9]{1,5})\Z", re.ASCII)
_INET = re.compile(r"\binet6?\s+(?:addr:\s*)?([0-9A-Fa-f:.]{2,45})", re.ASCII)
_LOOPBACK6 = "00000000000000000000000000000001"
_MAX = 1000


@dataclass(frozen=True, slots=True)
class GatewayX:
    """X11 on the gateway.

    Attributes:
        answered: whether a shell said anything; nothing else is known where not.
        host: its name; ``addresses`` what that name resolves to there, ``own`` those it has.
        xauth: where xauth is; empty: nowhere a login finds it.
        sockets, locks: displays of which there is a unix socket, a lock.
        listeners: (address, port) of everything that listens on TCP.
        loopback6: whether it has ::1; None: it has no IPv6 at all, or that is not known.
    """

    answered: bool = False
    host: str = ""
    addresses: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    xauth: str = ""
    sockets: tuple[int, ...] = ()
    locks: tuple[int, ...] = ()
    listeners: tuple[tuple[str, int], ...] = ()
    loopback6: bool | None = None


def parse(data: bytes) -> GatewayX:
    """Read the answer to `ASK`."""
    found = parts(data)
    if found is None or "end" not in found:
        return GatewayX()
    host = found.get("host", [])
    xauth = [row.strip() for row in found.get("xauth", [])]
    ipv6 = [row.strip() for row in found.get("ipv6", [])]
    return GatewayX(
        True,
        clean(host[0].strip(), 80) if host else "",
        _addresses([row.split(None, 1)[0] for row in host[1:] if row.strip()]),
        _addresses(_INET.findall("\n".join(found.get("own", [])[:_MAX]))),
        next((path for path in xauth if _PATH.match(path)), ""),
        _numbers(_SOCKET, found.get("sockets", [])),
        _numbers(_LOCK, found.get("locks", [])),
        _listeners(found.get("listeners", [])),
        _LOOPBACK6 in ipv6 if "kernel" in ipv6 else None,
    )


def parse_listeners(data: bytes) -> tuple[tuple[str, int], ...] | None:
    """Read the answer to `ASK_LISTENERS`; None where no shell gave it."""
    found = parts(data)
    return None if found is None or "end" not in found else _listeners(found.get("listeners", []))


def _addresses(rows: list[str]) -> tuple[str, ...]:
    found = []
    for row in rows[:100]:
        try:
            address = ipaddress.ip_address(row.partition("%")[0])
        except ValueError:
            continue
        if not address.is_link_local:
            found.append(str(address))
    return tuple(dict.fromkeys(found))


def _numbers(pattern: re.Pattern[str], rows: list[str]) -> tuple[int, ...]:
    matches = (pattern.match(row.strip()) for row in rows[:_MAX])
    return tuple(sorted({int(match[1]) for match in matches if match}))


def _listeners(rows: list[str]) -> tuple[tuple[str, int], ...]:
    found = []
    for row in rows[:_MAX]:
        words = row.split()
        if len(words) > 3 and words[0].endswith(":"):
            found += [(each.host, each.port) for each in proc_net_tcp.parse(_filled(row))]
        elif len(words) > 4 and (match := _BSD.match(words[3])):
            host = "0.0.0.0" if match[1] == "*" else match[1]
            found.append((host, min(int(match[2]), 65535)))
    return tuple(dict.fromkeys(found))


def _filled(row: str) -> bytes:
    """Return a row that was cut off behind what matters, as long as the parser wants it."""
    return (row + " 0 0 0 0 0 0 0 0").encode("ascii", "replace")
