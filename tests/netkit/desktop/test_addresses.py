from __future__ import annotations

import itertools

import pytest

from diagnostics.knowledge.ports import BROWSER_BLOCKED
from netkit.desktop.addresses import (
    choose,
    forward_for,
    is_name,
    is_refused_by_mstsc,
    is_secure,
    places,
    reachable,
    wants_second_address,
)
from netkit.desktop.clients import Kind
from netkit.model import Endpoint, ForwardKind
from netkit.text.forwards import parse_forward


def first(kind: Kind, os: str, port: int, count: int = 3) -> list[str]:
    return [str(each) for each in itertools.islice(places(kind, os, port), count)]


@pytest.mark.parametrize("os", ["linux", "windows", "darwin", "freebsd14"])
def test_rdp_never_takes_what_mstsc_refuses(os: str):
    found = list(places(Kind.RDP, os, 3389))
    assert found[0] == Endpoint("127.0.0.2", 3389)
    assert found[1] == Endpoint("127.0.0.2", 13389)
    assert not any(is_refused_by_mstsc(each) for each in found)
    # without 127.0.0.2 there is still something
    assert any(each.host == "127.0.0.1" for each in found)


@pytest.mark.parametrize(
    ("kind", "os", "port", "expected"),
    [
        (Kind.VNC, "linux", 5900, ["127.0.0.1:5900", "127.0.0.1:5901", "127.0.0.1:5902"]),
        # Screen Sharing takes 5900 here for its own screen
        (Kind.VNC, "darwin", 5900, ["127.0.0.1:5901", "127.0.0.1:5902", "127.0.0.1:5903"]),
        (Kind.HTTP, "linux", 80, ["127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082"]),
        (Kind.HTTP, "linux", 443, ["127.0.0.1:8443", "127.0.0.1:8444", "127.0.0.1:8445"]),
        (Kind.HTTP, "linux", 3000, ["127.0.0.1:3000", "127.0.0.1:3001", "127.0.0.1:3002"]),
        # what browsers refuse, and what macOS or X hold
        (Kind.HTTP, "linux", 6000, ["127.0.0.1:7001", "127.0.0.1:7002", "127.0.0.1:7003"]),
    ],
)
def test_places(kind: Kind, os: str, port: int, expected: list[str]):
    assert first(kind, os, port) == expected


@pytest.mark.parametrize("port", [80, 5059, 6660, 10079, 65535])
def test_no_port_that_browsers_refuse(port: int):
    assert not {each.port for each in places(Kind.HTTP, "linux", port)} & BROWSER_BLOCKED


def test_the_first_free_one_is_chosen():
    wanted = list(places(Kind.RDP, "windows", 3389))
    # TermService holds port 3389 of every address
    assert choose(wanted, lambda at: at.port != 3389) == Endpoint("127.0.0.2", 13389)
    # a Mac without the alias
    assert choose(wanted, lambda at: at.host == "127.0.0.1") == Endpoint("127.0.0.1", 13389)
    assert choose(wanted, lambda _at: False) is None


@pytest.mark.parametrize(
    ("kind", "os", "there", "wants"),
    [
        (Kind.RDP, "darwin", False, True),
        (Kind.RDP, "darwin", True, False),
        (Kind.RDP, "linux", False, False),
        (Kind.RDP, "windows", False, False),
        (Kind.VNC, "darwin", False, False),
    ],
)
def test_the_second_address(kind: Kind, os: str, there: bool, wants: bool):
    assert wants_second_address(kind, os, there=there) is wants


@pytest.mark.parametrize(
    ("bind", "shown"),
    [
        ("127.0.0.1:1", "127.0.0.1:1"),
        ("0.0.0.0:1", "127.0.0.2:1"),
        (":1", "127.0.0.2:1"),
        ("[::]:1", "[::1]:1"),
        ("10.0.0.1:1", "10.0.0.1:1"),
    ],
)
def test_where_a_client_finds_it(bind: str, shown: str):
    host, _, port = bind.rpartition(":")
    at = Endpoint(host.strip("[]"), int(port))
    assert str(reachable(Kind.RDP, "windows", at)) == shown


def test_a_wildcard_is_127_0_0_1_elsewhere():
    assert reachable(Kind.VNC, "windows", Endpoint("*", 5)).host == "127.0.0.1"
    assert reachable(Kind.RDP, "linux", Endpoint("*", 5)).host == "127.0.0.1"


FORWARDS = (
    parse_forward(ForwardKind.DYNAMIC, "1080"),
    parse_forward(ForwardKind.REMOTE, "3389:localhost:3389"),
    parse_forward(ForwardKind.LOCAL, "/tmp/socket:desk:3389"),
    parse_forward(ForwardKind.LOCAL, "5432:db:5432"),
    parse_forward(ForwardKind.LOCAL, "127.0.0.2:3390:desk:3389"),
    parse_forward(ForwardKind.LOCAL, "5901:desk:5901"),
)


@pytest.mark.parametrize(("kind", "index"), [(Kind.RDP, 4), (Kind.VNC, 5), (Kind.HTTP, 3)], ids=str)
def test_the_forward_of_a_client(kind: Kind, index: int):
    assert forward_for(kind, FORWARDS) == index


def test_no_forward_for_a_client():
    assert forward_for(Kind.RDP, FORWARDS[:3]) is None
    assert forward_for(Kind.HTTP, FORWARDS, usual=True) is None
    assert forward_for(Kind.RDP, FORWARDS, usual=True) == 4


@pytest.mark.parametrize(
    ("target", "named"),
    [
        ("web.internal:80", True),
        ("10.0.0.1:80", False),
        ("[::1]:80", False),
        ("localhost:1", False),
    ],
)
def test_names(target: str, named: bool):
    assert is_name(target) is named


def test_ports_of_tls():
    assert is_secure(443)
    assert not is_secure(80)
