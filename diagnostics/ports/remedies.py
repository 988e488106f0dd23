"""Commands that keep a port out of what the system hands out.  Pure."""

from __future__ import annotations

from diagnostics.knowledge.ports import WINDOWS_DYNAMIC_START
from diagnostics.ports.ranges import Ranges
from netkit.model import Fix

NETSH = ("netsh", "int", "ipv4")
_RESERVED = "net.ipv4.ip_local_reserved_ports"


def reserve(os: str, ranges: Ranges, port: int) -> tuple[Fix, ...]:
    """Return how to keep ``port`` for programs that ask for it by number."""
    if os == "linux":
        before = ranges.reserved_text
        value = f"{before},{port}" if before else str(port)
        sysctl = ("sudo", "sysctl", "-w")
        note = "is not handed out from then on; a connection that has it keeps it"
        argv, undo = ((*sysctl, f"{_RESERVED}={each}") for each in (value, before))
        return (Fix(argv, note=note, needs_admin=True, undo=undo),)
    if os == "windows":
        one = ("excludedportrange", "protocol=tcp", f"startport={port}", "numberofports=1")
        note = "keeps the port for programs that ask for it by number"
        add, delete = ((*NETSH, verb, *one) for verb in ("add", "delete"))
        return (Fix(add, note=note, needs_admin=True, persistent=True, undo=delete),)
    return ()


def take_back(port: int) -> Fix:
    """Return how to get a port that Windows keeps for Hyper-V, WSL or containers.

    The service that keeps it has to let go meanwhile; it takes other ports when it starts again.
    """
    one = f"excludedportrange protocol=tcp startport={port} numberofports=1"
    line = f"net stop winnat && netsh int ipv4 add {one} && net start winnat"
    return Fix(
        ("cmd", "/c", line),
        note="interrupts the network of containers and virtual machines for a moment",
        needs_admin=True,
        persistent=True,
        undo=(*NETSH, "delete", *one.split()),
    )


def reset_dynamic() -> tuple[Fix, ...]:
    """Return how to have Windows hand out ports from where it does by default."""
    size = 65536 - WINDOWS_DYNAMIC_START
    start = (f"start={WINDOWS_DYNAMIC_START}", f"num={size}")
    return tuple(
        Fix(
            ("netsh", "int", family, "set", "dynamic", "tcp", *start),
            note="then restart Windows",
            needs_admin=True,
            persistent=True,
        )
        for family in ("ipv4", "ipv6")
    )
