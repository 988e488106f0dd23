from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers import lsof
from diagnostics.parsers.lsof import TcpRow, parse
from support import peers

RECORDED = Path(__file__).parents[2] / "recorded/darwin"


def test_recorded():
    assert parse((RECORDED / "lsof_tcp.txt").read_bytes()) == (
        TcpRow("127.0.0.1", 3000, "", 0, "LISTEN", 501, 501),
        TcpRow("::", 5000, "", 0, "LISTEN", 501, 501),
        TcpRow("fe80:1::1", 5900, "fe80:1::1", 52044, "ESTABLISHED", 501, 501),
        TcpRow("192.168.1.191", 52036, "140.82.114.4", 443, "SYN_RECEIVED", 777, 501),
        TcpRow("0.0.0.0", 0, "", 0, "CLOSED", 777, 501),
    )


def test_real_output():
    """The fields are the same on every system, so that lsof on Linux proves the form."""
    program = peers.require("lsof")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            done = subprocess.run(
                [program, *lsof.ARGUMENTS, "-a", "-p", str(os.getpid())],
                check=False,
                capture_output=True,
            )
            local = client.getsockname()
    rows = parse(done.stdout)
    uid = os.getuid()
    assert TcpRow("127.0.0.1", port, "", 0, "LISTEN", os.getpid(), uid) in rows
    pair = TcpRow("127.0.0.1", local[1], "127.0.0.1", port, "ESTABLISHED", os.getpid(), uid)
    assert pair in rows


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ("tIPv4\nn127.0.0.1:1\nTST=FIN_WAIT1", "FIN_WAIT_1"),
        ("tIPv4\nn127.0.0.1:1", "CLOSED"),
        ("tIPv4\nn127.0.0.1:1->127.0.0.1:2", "ESTABLISHED"),
    ],
)
def test_states(fields: str, state: str):
    (row,) = parse(f"p1\nu0\nf3\n{fields}\n".encode())
    assert row.state == state


@pytest.mark.parametrize(
    "text",
    [
        "f3\ntIPv4\nn*:1\n",
        "px\nf3\ntIPv4\nn*:1\n",
        "p1\ntIPv4\nn*:1\nTST=LISTEN\n",
        "p1\nf3\ntunix\nn*:1\n",
        "p1\nf3\ntIPv4\n",
        "p1\nf3\ntIPv4\nnhost:1\n",
        "p1\nf3\ntIPv4\nn*:http\n",
        "p1\nf3\ntIPv4\nn*:70000\n",
        "p1\nf3\ntIPv4\nn*:1->nowhere\n",
    ],
)
def test_what_is_no_socket(text: str):
    assert parse(text.encode()) == ()


@given(st.binary(max_size=400))
def test_anything_is_parsed(data: bytes):
    parse(data)


@given(st.lists(st.sampled_from(["p1", "u0", "f3", "tIPv4", "n*:1", "n[::1]:2", "TST=x", "T", ""])))
def test_anything_that_looks_like_it(found: list[str]):
    parse("\n".join(found).encode())
