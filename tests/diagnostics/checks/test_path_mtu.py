"""Large packets on the way to the gateway: answered, refused, lost, or not to be known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.checks.path_mtu import CHECK, Facts, judge, probe
from diagnostics.model import Confidence, Finding, Severity, Target, Unknown
from diagnostics.ssh import Login, Route
from diagnostics.system import InterfaceAddress, ToolOutput
from diagnostics.ways import Destination
from support.any_values import any_of
from support.machine import ETHERNET, HOP, LOGIN, LOOPBACK, FakeSsh, FakeSystem

CODES = {kind.code for kind in CHECK.finds}
GATEWAY = "198.51.100.7"
STOPPED = Login(stage="kex", hop="gw", error_code="key-exchange-timeout")
ANSWER = "PING 198.51.100.7\n1480 bytes from 198.51.100.7: icmp_seq=1 ttl=63 time=1 ms\n"
SILENCE = "PING 198.51.100.7 (198.51.100.7) 1472(1500) bytes of data.\n"
REFUSAL = SILENCE + "From 192.0.2.1 icmp_seq=1 Frag needed and DF set (mtu = 1400)\n"


class Way:
    """What pings of each size get; remembers the sizes asked about."""

    def __init__(self, limit: int = 0, above: str = SILENCE, below: str = ANSWER) -> None:
        self.limit, self.above, self.below = limit, above, below
        self.sizes: list[int] = []

    def __call__(self, argv):
        if argv[0] not in ("ping", "ping.exe"):
            return None
        size = next(int(argv[at + 1]) for at, word in enumerate(argv) if word in ("-s", "-l"))
        self.sizes.append(size + (48 if ":" in argv[-1] else 28))
        said = self.below if self.sizes[-1] <= self.limit else self.above
        return ToolOutput(argv, "ran", 0, said.encode())


def examine(way, login: Login = LOGIN, host: str = GATEWAY, os: str = "linux", **machine):
    ssh = FakeSsh(route=Route(hops=(replace(HOP, host=host),)), login=login)
    return judge(probe(Target(gateway="gw"), FakeSystem(os, ssh=ssh, tools=way, **machine)))


def test_what_it_applies_to():
    assert CHECK.applies(Target()) != ""


@pytest.mark.parametrize("login", [LOGIN, STOPPED])
def test_the_largest_packet_is_answered(login):
    way = Way(1500)
    assert examine(way, login) == ()
    assert way.sizes == [1500]


def test_a_router_says_what_is_too_large():
    way = Way(0, REFUSAL)
    assert examine(way, STOPPED) == ()
    assert way.sizes == [1500]


def test_a_black_hole():
    way = Way(1400)
    (finding,) = examine(way, STOPPED)
    assert (finding.code, finding.severity) == ("mtu-black-hole", Severity.ERROR)
    assert "Packets of 1412 bytes" in finding.title
    assert "those of 1400 arrive" in finding.title
    assert len(way.sizes) <= 8
    assert finding.fixes[0].command == "sudo ip route replace 198.51.100.7/32 dev eth0 mtu 1400"
    assert finding.fixes[-1].where == "network"


def test_a_way_that_loses_large_pings_alone():
    (finding,) = examine(Way(1492))
    assert (finding.code, finding.severity) == ("mtu-loses-large-pings", Severity.INFO)
    assert finding.confidence is Confidence.POSSIBLE
    assert "those of 1492" in finding.title


def test_refusals_in_between_count_as_lost():
    def way(argv):
        size = int(argv[argv.index("-s") + 1]) + 28 if argv[0] == "ping" else 0
        said = ANSWER if size <= 1300 else REFUSAL if size < 1500 else SILENCE
        return ToolOutput(argv, "ran", 1, said.encode())

    (finding,) = examine(way, STOPPED)
    assert "those of 1300" in finding.title


def test_jumbo_frames():
    jumbo = replace(ETHERNET, mtu=9000)
    (finding,) = examine(Way(1500), STOPPED, interfaces=(LOOPBACK, jumbo))
    assert "Packets of 4000 bytes" in finding.title
    way = Way(9216)
    assert examine(way, interfaces=(LOOPBACK, replace(ETHERNET, mtu=65000))) == ()
    assert way.sizes == [9216]


def test_a_small_interface():
    way = Way(0)
    assert examine(way, interfaces=(LOOPBACK, replace(ETHERNET, mtu=1200))) == ()
    assert way.sizes == [1200]


@pytest.mark.parametrize(
    ("os", "command"),
    [
        ("darwin", "sudo ifconfig eth0 mtu 1300"),
        ("windows", "netsh interface ipv4 set subinterface eth0 mtu=1300 store=active"),
    ],
)
def test_other_systems(os, command):
    (finding,) = examine(Way(1300), STOPPED, os=os)
    assert finding.fixes[0].command == command
    assert "1500" in " ".join(finding.fixes[0].undo)


def test_ipv6():
    way = Way(1400)
    (finding,) = examine(way, STOPPED, "2001:db8::7")
    assert way.sizes[:2] == [1500, 1200]
    assert "2001:db8::7/128" in finding.fixes[0].command
    (unknown,) = examine(way, STOPPED, "2001:db8::7", "darwin")
    assert isinstance(unknown, Unknown)
    assert unknown.fixes == ()


def test_pings_are_filtered():
    way = Way(0)
    assert examine(way) == ()
    assert way.sizes == [1500, 1200]
    (unknown,) = examine(way, STOPPED)
    assert "answers pings" in unknown.reason
    assert unknown.fixes[0].argv[0] == "ping"
    assert unknown.evidence[-1].value == "1500"


@pytest.mark.parametrize("outcome", ["missing", "denied", "failed"])
def test_no_ping(outcome):
    def tools(argv):
        return ToolOutput(argv, outcome)

    assert examine(tools) == ()
    (unknown,) = examine(tools, STOPPED)
    assert "no ping" in unknown.reason
    assert unknown.fixes[0].argv[-1] == "iputils-ping"


def test_a_router_in_between_is_kept():
    way = Way(1400)

    def tools(argv):
        if argv[0] == "ip":
            said = b"198.51.100.7 via 192.0.2.1 dev eth0 src 192.0.2.10"
            return ToolOutput(argv, "ran", 0, said)
        return way(argv)

    (finding,) = examine(tools, STOPPED)
    assert "via 192.0.2.1 dev eth0 mtu 1400" in finding.fixes[0].command


def test_an_unknown_interface():
    (finding,) = examine(Way(1400), STOPPED, source="192.0.2.99")
    assert finding.evidence[-1].what.startswith("ping")
    (finding,) = examine(Way(1400), STOPPED, source="192.0.2.99", os="darwin")
    assert finding.fixes[0].undo[-1] == "1500"


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.10", "gw.example"])
def test_nothing_to_measure(host):
    assert examine(Way(0), STOPPED, host) == ()


@pytest.mark.parametrize("login", [Login(), Login(stage="tcp", hop="gw", error_code="timed-out")])
def test_not_before_there_was_a_connection(login):
    assert examine(Way(0), login) == ()
    assert examine(Way(0), STOPPED, source="") == ()


def test_the_address_that_the_login_used():
    names = {"gw.example": ("2001:db8::7", "198.51.100.1")}
    way = Way(1400)
    (finding,) = examine(way, host="gw.example", names=names)
    assert "198.51.100.1/32" in finding.fixes[0].command


def test_a_jump_host_behind_is_another_way():
    login = replace(STOPPED, hop="behind")
    (finding,) = examine(Way(1400), login)
    assert finding.severity is Severity.INFO


def test_an_own_address_in_ipv6_is_compared_by_value():
    own = replace(ETHERNET, addresses=(InterfaceAddress("inet6", "2001:db8:0:0::7"),))
    assert examine(Way(0), STOPPED, "2001:db8::7", interfaces=(LOOPBACK, own)) == ()


@given(st.sampled_from(["linux", "darwin", "windows"]), any_of(Facts))
def test_is_total(os, facts):
    facts = replace(facts, os=os, way=facts.way or Destination("192.0.2.7"))
    judged = judge(facts)
    assert {each.code for each in judged if isinstance(each, Finding)} <= CODES
