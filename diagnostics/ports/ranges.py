"""Which ports the system hands out or keeps for itself."""

from __future__ import annotations

from dataclasses import dataclass

from diagnostics.knowledge.ports import EPHEMERAL, PRIVILEGED_BELOW, Span
from diagnostics.parsers import port_ranges
from diagnostics.parsers.port_ranges import Excluded
from diagnostics.system import System

_SYSCTL = "/proc/sys/net/ipv4"


@dataclass(frozen=True, slots=True)
class Ranges:
    """What is known of them.

    Attributes:
        low, high: the range from which source ports come.
        known: whether the machine said so; else it is what such a system has by default.
        reserved: what Linux leaves out of that range; ``reserved_text`` as its sysctl has it.
        excluded: what Windows keeps for somebody.
        privileged_below: ports below it are the administrator's; 0: there are none.
        error: why something of it is not known.
    """

    low: int = 0
    high: int = 0
    known: bool = False
    reserved: tuple[Span, ...] = ()
    reserved_text: str = ""
    excluded: tuple[Excluded, ...] = ()
    privileged_below: int = 0
    error: str = ""

    def hands_out(self, port: int) -> bool:
        """Return whether ``port`` may become the source port of any connection."""
        kept = any(low <= port <= high for low, high in self.reserved)
        return self.low <= port <= self.high and not kept

    def exclusion(self, port: int) -> Excluded | None:
        """Return the range of Windows that ``port`` is in."""
        return next((each for each in self.excluded if each.low <= port <= each.high), None)

    def kept(self) -> list[Span]:
        """Return what Windows keeps."""
        return [(each.low, each.high) for each in self.excluded]

    def avoid(self) -> list[Span]:
        """Return what a port that is to last had better keep off."""
        return [*self.kept(), (self.low, self.high)] if self.low else self.kept()


def read(system: System) -> Ranges:
    """Ask the machine; where it does not tell, assume what its kind has by default."""
    low, high = EPHEMERAL.get(system.os, (0, 0))
    if system.os == "linux":
        return _linux(system, low, high)
    if system.os == "windows":
        return _windows(system, low, high)
    found = tuple(_bsd(system, end) for end in ("first", "last"))
    if found[0] is not None and found[1] is not None and found[0] <= found[1]:
        return Ranges(found[0], found[1], known=True, privileged_below=PRIVILEGED_BELOW)
    return Ranges(low, high, privileged_below=PRIVILEGED_BELOW)


def _linux(system: System, low: int, high: int) -> Ranges:
    found = port_ranges.pair(system.read(f"{_SYSCTL}/ip_local_port_range").data)
    start = port_ranges.number(system.read(f"{_SYSCTL}/ip_unprivileged_port_start").data)
    text = system.read(f"{_SYSCTL}/ip_local_reserved_ports").data
    reserved = port_ranges.reserved(text)
    return Ranges(
        *(found or (low, high)),
        known=found is not None,
        reserved=reserved,
        reserved_text=",".join(f"{a}-{b}" if a < b else str(a) for a, b in reserved),
        privileged_below=PRIVILEGED_BELOW if start is None else start,
    )


def _bsd(system: System, end: str) -> int | None:
    output = system.run(("sysctl", "-n", f"net.inet.ip.portrange.{end}"))
    return port_ranges.number(output.stdout)


def _windows(system: System, low: int, high: int) -> Ranges:
    excluded: list[Excluded] = []
    errors = []
    for family in ("ipv4", "ipv6"):
        argv = ("netsh", "int", family, "show", "excludedportrange", "protocol=tcp")
        output = system.run(argv)
        found = port_ranges.excluded(output.stdout)
        excluded += [each for each in found if each not in excluded]
        if not output.ok:
            errors.append(f"{' '.join(argv)}: {output.outcome}")
    argv = ("netsh", "int", "ipv4", "show", "dynamicport", "tcp")
    dynamic = port_ranges.dynamic(system.run(argv).stdout)
    return Ranges(
        *(dynamic or (low, high)),
        known=dynamic is not None,
        excluded=tuple(excluded),
        error="; ".join(errors),
    )
