"""Listeners of Windows, in two languages."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers.netstat_windows import Listener, listeners

WINDOWS = Path(__file__).parents[2] / "recorded/windows"


def test_english():
    assert listeners((WINDOWS / "netstat_ano.txt").read_bytes()) == (
        Listener("0.0.0.0", 135, 1044),
        Listener("127.0.0.1", 9999, 5120),
        Listener("::", 135, 1044),
        Listener("::1", 22, 17584),
    )


@pytest.mark.parametrize("encoding", ["utf-8", "cp850"])
def test_german_and_in_the_code_page_of_a_console(encoding):
    text = (WINDOWS / "netstat_ano_german.txt").read_text("utf-8")
    assert listeners(text.encode(encoding)) == (
        Listener("0.0.0.0", 445, 4),
        Listener("::1", 80, 17584),
    )


@pytest.mark.parametrize(
    "line",
    [
        "TCP 0.0.0.0:1 0.0.0.0:0 LISTENING",
        "TCP 0.0.0.0:1 0.0.0.0:0 LISTENING x",
        "TCP 0.0.0.0:1 0.0.0.0:0 LISTENING 12345678901",
        "TCP 0.0.0.0:99999 0.0.0.0:0 LISTENING 1",
        "TCP 0.0.0.0:x 0.0.0.0:0 LISTENING 1",
        "TCP name:1 0.0.0.0:0 LISTENING 1",
        "TCP 0.0.0.0:1 name:0 LISTENING 1",
        "UDP 0.0.0.0:1 0.0.0.0:0 LISTENING 1",
    ],
)
def test_no_listener(line):
    assert listeners(line.encode()) == ()


@given(st.binary(max_size=300) | st.text("TCP 0.:[]0123456789\n", max_size=200).map(str.encode))
def test_total(data):
    listeners(data)


def test_megabytes():
    listeners(b"TCP [::]:1 [::]:0 LISTENING 5 " * 200_000)
