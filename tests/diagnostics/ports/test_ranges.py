"""Ranges of ports, as each system tells them."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers.port_ranges import Excluded
from diagnostics.ports.ranges import Ranges, read
from diagnostics.system import ToolOutput
from support.any_values import any_of
from support.machine import FakeSystem

WINDOWS = Path(__file__).parents[2] / "recorded/windows"
SYSCTL = "/proc/sys/net/ipv4/"
EXCLUDED = {
    family: ("netsh", "int", family, "show", "excludedportrange", "protocol=tcp")
    for family in ("ipv4", "ipv6")
}
Tools = dict[tuple[str, ...], str | ToolOutput]
DYNAMIC = ("netsh", "int", "ipv4", "show", "dynamicport", "tcp")


def linux(**files: bytes) -> Ranges:
    return read(FakeSystem(files={SYSCTL + name: data for name, data in files.items()}))


def test_linux():
    found = linux(
        ip_local_port_range=b"40000\t50000\n",
        ip_unprivileged_port_start=b"80\n",
        ip_local_reserved_ports=b"40007,40010-40012\n",
    )
    assert (found.low, found.high, found.known, found.privileged_below) == (40000, 50000, True, 80)
    assert found.reserved_text == "40007,40010-40012"
    assert found.hands_out(40000)
    assert not found.hands_out(40011)
    assert not found.hands_out(39999)
    assert found.avoid() == [(40000, 50000)]


def test_linux_that_does_not_tell():
    assert linux() == Ranges(32768, 60999, privileged_below=1024)
    assert linux(ip_unprivileged_port_start=b"0").privileged_below == 0


def test_bsd():
    name = "net.inet.ip.portrange"
    tools: Tools = {
        ("sysctl", "-n", f"{name}.first"): "50000",
        ("sysctl", "-n", f"{name}.last"): "60000",
    }
    assert read(FakeSystem("darwin", tools=tools)) == Ranges(
        50000, 60000, known=True, privileged_below=1024
    )
    assert read(FakeSystem("freebsd")) == Ranges(10000, 65535, privileged_below=1024)


def windows(dynamic: str = "dynamicport_english", **more) -> Ranges:
    def text(name: str) -> str:
        return (WINDOWS / f"{name}.txt").read_text("utf-8")

    tools = {
        EXCLUDED["ipv4"]: text("excludedportrange_english"),
        EXCLUDED["ipv6"]: text("excludedportrange_korean"),
        DYNAMIC: text(dynamic),
        **more.pop("tools", {}),
    }
    return read(FakeSystem("windows", tools=tools))


def test_windows():
    found = windows()
    assert (found.low, found.high, found.known, found.error) == (49152, 65535, True, "")
    assert found.privileged_below == 0
    assert found.exclusion(56700) == Excluded(56638, 56737)
    assert found.exclusion(8233) == Excluded(8233, 8233)
    assert found.exclusion(8234) is None
    assert (49152, 65535) in found.avoid()
    assert (56738, 56837) in found.avoid()
    assert windows("dynamicport_low").low == 1024


def test_windows_where_netsh_hangs():
    hangs = ToolOutput((), "timed-out")
    found = windows(tools={EXCLUDED["ipv4"]: hangs, DYNAMIC: hangs})
    assert (found.low, found.known) == (49152, False)
    assert found.error == "netsh int ipv4 show excludedportrange protocol=tcp: timed-out"
    assert found.exclusion(8233) is not None


def test_another_system():
    found = read(FakeSystem("sunos5"))
    assert found.avoid() == []
    assert not found.hands_out(40000)


@given(any_of(Ranges), st.integers(-5, 70000))
def test_total(ranges, port):
    ranges.hands_out(port)
    ranges.exclusion(port)
    assert isinstance(ranges.avoid(), list)
