from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers import default_routes, proc_net_tcp
from diagnostics.redaction import binary
from diagnostics.redaction.binary import proc_table, xauthority
from diagnostics.redaction.stand_ins import IPAddress

RECORDED = Path(__file__).parents[2] / "recorded/linux"


def counted(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def entry(family: int, host: bytes, cookie: bytes = b"c" * 16) -> bytes:
    fields = (host, b"0", b"MIT-MAGIC-COOKIE-1", cookie)
    return family.to_bytes(2, "big") + b"".join(map(counted, fields))


def longer(text: str) -> str:
    return f"<{text}>"


def other(address: IPAddress) -> bytes:
    return b"\x0b" + bytes(len(address.packed) - 2) + b"\x07"


def test_xauthority():
    data = (
        entry(256, b"laptop")
        + entry(0, bytes([192, 168, 1, 2]))
        + entry(0, bytes([127, 0, 0, 1]))
        + entry(6, ipaddress.ip_address("2001:db8::1").packed)
        + entry(65535, b"")
        + entry(0, b"odd")
    )
    assert xauthority(data, longer, other) == (
        entry(256, b"<laptop>")
        + entry(0, b"\x0b\0\0\x07")
        + entry(0, bytes([127, 0, 0, 1]))
        + entry(6, b"\x0b" + bytes(14) + b"\x07")
        + entry(65535, b"<>")
        + entry(0, b"<odd>")
    )


@pytest.mark.parametrize(
    "data", [b"", b"\1", b"\1\0", b"\1\0\0", entry(256, b"x")[:-1], entry(256, b"x") + b"\1"]
)
def test_no_xauthority(data: bytes):
    assert xauthority(data, longer, other) is None


def test_entries_are_bounded(monkeypatch):
    monkeypatch.setattr(binary, "_MAX_ENTRIES", 2)
    assert xauthority(entry(256, b"x") * 2, longer, other) is not None
    assert xauthority(entry(256, b"x") * 3, longer, other) is None


def test_proc_net_tcp():
    data = (RECORDED / "proc_net_tcp.txt").read_bytes()
    found = proc_table(data, other)
    assert len(found) == len(data)
    before, after = proc_net_tcp.parse(data, "little"), proc_net_tcp.parse(found, "little")
    assert [(row.port, row.state, row.inode, row.uid) for row in before] == [
        (row.port, row.state, row.inode, row.uid) for row in after
    ]
    assert [row.host for row in after][:3] == ["127.0.0.1", "0.0.0.0", "11.0.0.7"]
    assert after[2].peer_host == "11.0.0.7"


def test_proc_net_tcp6():
    data = (RECORDED / "proc_net_tcp6.txt").read_bytes()
    after = proc_net_tcp.parse(proc_table(data, other), "little")
    assert [row.host for row in after] == ["::", "::1", "::ffff:127.0.0.1", "b00::7"]


def test_proc_net_route():
    data = (RECORDED / "proc_net_route.txt").read_bytes()
    found = proc_table(data, other)
    routes = default_routes.proc_net_route(found, "little")
    assert [(route.router, route.metric) for route in routes] == [
        ("", 50),
        ("11.0.0.7", 100),
        ("11.0.0.7", 600),
    ]
    assert b"00FFFFFF" in found


def test_proc_net_ipv6_route():
    data = (RECORDED / "proc_net_ipv6_route.txt").read_bytes()
    routes = default_routes.proc_net_ipv6_route(proc_table(data, other))
    assert [route.router for route in routes] == ["", "b00::7"]


@pytest.mark.parametrize(
    "data", [b"", b"0A02000A:0016 text", b"commit 0123456789abcdef0123456789abcdef", b"\xff" * 50]
)
def test_what_is_no_table(data: bytes):
    assert proc_table(data, other) == data


@given(st.binary(max_size=200))
def test_anything(data: bytes):
    xauthority(data, longer, other)
    proc_table(b"local_address " + data, other)
