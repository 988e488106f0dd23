"""Commands that keep a port out of what the system hands out."""

from __future__ import annotations

from diagnostics.ports.ranges import Ranges
from diagnostics.ports.remedies import reserve, reset_dynamic, take_back

NAME = "net.ipv4.ip_local_reserved_ports"


def test_linux_adds_to_what_is_reserved():
    (fix,) = reserve("linux", Ranges(), 40000)
    assert fix.argv == ("sudo", "sysctl", "-w", f"{NAME}=40000")
    assert fix.undo == ("sudo", "sysctl", "-w", f"{NAME}=")
    (fix,) = reserve("linux", Ranges(reserved_text="8080"), 40000)
    assert fix.argv[-1] == f"{NAME}=8080,40000"
    assert fix.undo[-1] == f"{NAME}=8080"


def test_windows():
    (fix,) = reserve("windows", Ranges(), 50001)
    assert " ".join(fix.argv) == (
        "netsh int ipv4 add excludedportrange protocol=tcp startport=50001 numberofports=1"
    )
    assert fix.undo[3] == "delete"
    assert fix.undo[4:] == fix.argv[4:]
    assert fix.persistent
    taken = take_back(50001)
    assert "startport=50001" in taken.argv[2]
    assert taken.undo == fix.undo


def test_others_have_none():
    assert reserve("darwin", Ranges(), 50001) == ()


def test_reset():
    assert [fix.argv[2] for fix in reset_dynamic()] == ["ipv4", "ipv6"]
    assert reset_dynamic()[0].argv[-2:] == ("start=49152", "num=16384")
