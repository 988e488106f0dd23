"""What systems print about their ranges of ports, in several languages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers.port_ranges import (
    Excluded,
    PortProxy,
    dynamic,
    excluded,
    number,
    pair,
    portproxy,
    reserved,
)

WINDOWS = Path(__file__).parents[2] / "recorded/windows"


def recorded(name: str) -> bytes:
    return (WINDOWS / f"{name}.txt").read_bytes()


def test_pair():
    assert pair(b"32768\t60999\n") == (32768, 60999)
    arabic = "\u0661 \u0662".encode()
    for wrong in (b"", b"1", b"2 1", b"1 2 3", b"a b", b"1 99999", b"1 -2", arabic):
        assert pair(wrong) is None


def test_number():
    assert number(b"1024\n") == 1024
    assert number(b"0") == 0
    for wrong in (b"", b"x", b"-1", b"65536", b"1 2", "\uff11".encode()):
        assert number(wrong) is None


def test_reserved():
    assert reserved(b"8080,9000-9010\n") == ((8080, 8080), (9000, 9010))
    assert reserved(b"\n") == ()
    assert reserved(b"5-3,x,7-,-8,1-2-3") == ()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux'")
def test_this_machine():
    root = Path("/proc/sys/net/ipv4")
    assert pair((root / "ip_local_port_range").read_bytes()) is not None
    assert number((root / "ip_unprivileged_port_start").read_bytes()) is not None


@pytest.mark.parametrize(
    ("name", "first", "last", "count"),
    [
        ("english", Excluded(80, 80), Excluded(56738, 56837), 6),
        ("spanish", Excluded(1025, 1124), Excluded(50000, 50059), 7),
        ("chinese", Excluded(1607, 1706), Excluded(54235, 54235), 7),
        ("korean", Excluded(5357, 5357), Excluded(50000, 50059, administered=True), 4),
    ],
)
def test_excluded_in_every_language(name, first, last, count):
    found = excluded(recorded(f"excludedportrange_{name}"))
    assert (found[0], found[-1], len(found)) == (first, last, count)


def test_administered_ranges_are_marked():
    marked = [each for each in excluded(recorded("excludedportrange_english")) if each.administered]
    assert marked == [Excluded(55679, 55679, administered=True)]


def test_excluded_nonsense():
    assert excluded(b"  9 3\n 1 99999\n99999 99999\n 12\n1 2 3\n") == ()
    assert len(excluded(b"1 2\n" * 5000)) == 4096


@pytest.mark.parametrize("language", ["english", "chinese", "german"])
def test_dynamic_in_every_language(language):
    assert dynamic(recorded(f"dynamicport_{language}")) == (49152, 65535)


def test_dynamic_range_that_was_moved():
    assert dynamic(recorded("dynamicport_low")) == (1024, 65534)
    assert dynamic("启动端口\uff1a1024\n端口数\uff1a13977".encode()) == (1024, 15000)


@pytest.mark.parametrize(
    "text", ["", "a: 1", "a: 1\nb: 2\nc: 3", "a: 0\nb: 5", "a: 60000\nb: 9999", "a: 5\nb: 0"]
)
def test_dynamic_nonsense(text):
    assert dynamic(text.encode()) is None


def test_portproxy():
    assert portproxy(recorded("portproxy")) == (
        PortProxy("v4tov4", "192.168.226.64", 2222, "10.4.226.215", 22),
        PortProxy("v4tov4", "*", 8080, "172.20.1.5", 8080),
        PortProxy("v4tov6", "127.0.0.1", 3389, "fd00::5", 3389),
        PortProxy("v6tov4", "::1", 5432, "db.example", 5432),
    )


def test_portproxy_nonsense():
    assert portproxy(b"name 1 b 2\n1.2.3.4 x b 2\n1.2.3.4 1 b 0\n1.2.3.4 1 b\n") == ()
    assert len(portproxy(b"1.2.3.4 1 b 2\n" * 4999)) == 4096


DATA = st.binary(max_size=300) | st.text("0123456789 *-:,.\n\tab\0", max_size=200).map(str.encode)


@given(DATA)
def test_total(data):
    for parse in (pair, number, reserved, excluded, dynamic, portproxy):
        parse(data)


def test_megabytes():
    for parse in (pair, number, reserved, excluded, dynamic, portproxy):
        parse(b"1234 5678 1.2.3.4 99 *:,\0" * 400_000)
