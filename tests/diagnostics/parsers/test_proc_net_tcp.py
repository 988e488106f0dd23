from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers import proc_net_tcp
from diagnostics.parsers.proc_net_tcp import TcpRow, parse

RECORDED = Path(__file__).parents[2] / "recorded/linux"


def test_ipv4():
    rows = parse((RECORDED / "proc_net_tcp.txt").read_bytes(), "little")
    assert rows == (
        TcpRow("127.0.0.1", 631, "0.0.0.0", 0, "LISTEN", 0, 22141),
        TcpRow("0.0.0.0", 22, "0.0.0.0", 0, "LISTEN", 0, 21067),
        TcpRow("10.0.2.10", 22, "10.0.2.2", 50130, "ESTABLISHED", 0, 28743),
        TcpRow("127.0.0.1", 48266, "127.0.0.1", 8080, "TIME_WAIT", 0, 0),
        TcpRow("127.0.0.1", 8080, "127.0.0.1", 48268, "SYN_RECEIVED", 1000, 0),
    )


def test_ipv6():
    rows = parse((RECORDED / "proc_net_tcp6.txt").read_bytes(), "little")
    assert [(row.host, row.port, row.peer_host) for row in rows] == [
        ("::", 22, "::"),
        ("::1", 631, "::"),
        ("::ffff:127.0.0.1", 8080, "::ffff:127.0.0.1"),
        ("fe80::2fc:ff:0:1", 54321, "fe80::2fc:ff:0:2"),
    ]


def test_of_a_big_endian_machine():
    line = b"0: 7F000001:0016 00000000:0000 0A 0:0 00:0 0 0 0 7 1 0"
    assert parse(line, "big") == (TcpRow("127.0.0.1", 22, "0.0.0.0", 0, "LISTEN", 0, 7),)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"0: 0100007F:0016 00000000:0000 0A 0:0 00:0",
        b"x 0100007F:0016 00000000:0000 0A 0:0 00:0 0 0 0 7 1 0",
        b"0: 0100007F:0016 00000000:0000 FF 0:0 00:0 0 0 0 7 1 0",
        b"0: 0100007F0016 00000000:0000 0A 0:0 00:0 0 0 0 7 1 0",
        b"0: 0100007F:16 00000000:0000 0A 0:0 00:0 0 0 0 7 1 0",
        b"0: 0100007F00:0016 00000000:0000 0A 0:0 00:0 0 0 0 7 1 0",
        b"0: 0100007F:0016 0000000G:0000 0A 0:0 00:0 0 0 0 7 1 0",
        b"0: 0100007F:0016 00000000:0000 0A 0:0 00:0 0 root 0 7 1 0",
        b"0: 0100007F:0016 00000000:0000 0A 0:0 00:0 0 0 0 " + b"7" * 21 + b" 1 0",
    ],
)
def test_what_is_no_row(line: bytes):
    assert parse(line, "little") == ()


def test_rows_are_bounded(monkeypatch):
    monkeypatch.setattr(proc_net_tcp, "MAX_ROWS", 3)
    line = b"0: 0100007F:0016 00000000:0000 0A 0:0 00:0 0 0 0 7 1 0\n"
    assert len(parse(b"header\n" + line * 10, "little")) == 3


@given(st.binary(max_size=400), st.sampled_from(["little", "big"]))
def test_anything_is_parsed(data: bytes, byteorder: str):
    parse(data, byteorder)


@given(st.text("0123456789ABCDEF: \n", max_size=300))
def test_anything_that_looks_like_it(text: str):
    for row in parse(text.encode()):
        assert 0 <= row.port < 65536


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux'")
@pytest.mark.parametrize(
    ("family", "host", "table"),
    [(socket.AF_INET, "127.0.0.3", "tcp"), (socket.AF_INET6, "::1", "tcp6")],
)
def test_a_real_listener(family: int, host: str, table: str):
    with socket.socket(family) as sock:
        sock.bind((host, 0))
        sock.listen()
        port = sock.getsockname()[1]
        rows = parse(Path("/proc/net", table).read_bytes())
    assert [row.host for row in rows if (row.port, row.state) == (port, "LISTEN")] == [host]
