from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers.netstat_darwin import TcpRow, parse

RECORDED = Path(__file__).parents[2] / "recorded/darwin"


def recorded(name: str) -> tuple[TcpRow, ...]:
    return parse((RECORDED / f"netstat_tcp_{name}.txt").read_bytes())


def test_mojave():
    assert recorded("mojave") == (
        TcpRow("192.168.1.191", 52044, "31.13.66.35", 443, "ESTABLISHED", 9811),
        TcpRow("192.168.1.191", 52040, "140.82.114.4", 443, "CLOSE_WAIT", 9811),
        TcpRow("0.0.0.0", 8082, "", 0, "LISTEN", 70902),
        TcpRow("::", 8082, "", 0, "LISTEN", 70902),
    )


def test_sequoia():
    assert recorded("sequoia") == (
        TcpRow("127.0.0.1", 3000, "", 0, "LISTEN", 4711),
        TcpRow("fe80::1", 8021, "", 0, "LISTEN", 1),
    )


def test_tahoe():
    assert recorded("tahoe") == (
        TcpRow("127.0.0.1", 49515, "127.0.0.1", 49472, "ESTABLISHED", 22712),
        TcpRow("127.0.0.1", 49510, "127.0.0.1", 49513, "ESTABLISHED", 22712),
        TcpRow("127.0.0.1", 55910, "127.0.0.1", 4242, "TIME_WAIT", None),
        TcpRow("::", 5000, "", 0, "LISTEN", 612),
    )


@pytest.mark.parametrize(
    "header",
    ["", "Proto Local Address Foreign Address (state) rhiwat", "(state)x pid"],
)
def test_without_a_column_for_the_process(header: str):
    line = "tcp4 0 0 127.0.0.1.22 *.* LISTEN 1 2 3 4"
    assert parse(f"{header}\n{line}".encode()) == (TcpRow("127.0.0.1", 22, "", 0, "LISTEN"),)


def test_a_row_that_is_too_short_for_its_process():
    for header in ("(state) rhiwat shiwat pid", "(state) process:pid a b c d"):
        found = parse(f"{header}\ntcp4 0 0 127.0.0.1.22 *.* SYN_RCVD".encode())
        assert found == (TcpRow("127.0.0.1", 22, "", 0, "SYN_RECEIVED"),)


@pytest.mark.parametrize("pid", ["-1", "x", "9" * 11, "0"])
def test_a_process_that_is_none(pid: str):
    (row,) = parse(f"(state) pid\ntcp4 0 0 127.0.0.1.22 *.* LISTEN {pid}".encode())
    assert row.pid is None


@pytest.mark.parametrize(
    "line",
    [
        "udp4 0 0 *.22 *.* LISTEN",
        "tcp4 0 0 *.22 *.* OTHER",
        "tcp4 0 0 host.22 *.* LISTEN",
        "tcp4 0 0 127.0.0.1.70000 *.* LISTEN",
        "tcp4 0 0 127.0.0.1.ssh *.* LISTEN",
        "tcp4 0 0 127.0.0.1.22 nowhere LISTEN",
    ],
)
def test_lines_that_are_no_socket(line: str):
    assert parse(line.encode()) == ()


@given(st.binary(max_size=400))
def test_anything_is_parsed(data: bytes):
    parse(data)


WORDS = [
    "tcp4",
    "tcp46",
    "0",
    "*.22",
    "*.*",
    "LISTEN",
    "(state)",
    "pid",
    "process:pid",
    "a:7",
    "\n",
]


@given(st.lists(st.sampled_from(WORDS), max_size=60))
def test_anything_that_looks_like_it(words: list[str]):
    for row in parse(" ".join(words).encode()):
        assert row.pid is None or row.pid > 0
