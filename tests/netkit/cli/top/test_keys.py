from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.cli.top.keys import decode
from support.cli import environment


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"q", ["q"]),
        (b"\x1b[A\x1bOB", ["up", "down"]),
        (b"\x1b[C\x1b[D", ["right", "left"]),
        (b"\r\t\x7f", ["enter", "tab", "backspace"]),
        (b"\x1b", ["escape"]),
        (b"\x1b[5~x", ["x"]),
        (b"\x1b[1;5Ax", ["x"]),
        (b"\x1b[", []),
        ("é€😀".encode(), ["é", "€", "😀"]),
        (b"\xff\xfeq", []),
        (b"\x01a", ["a"]),
    ],
)
def test_keys(data, keys):
    assert decode(data) == keys


@given(st.binary(max_size=200))
def test_any_bytes(data):
    assert all(key.isprintable() for key in decode(data))


_CODE = """
from netkit.cli.top.keys import keyboard
with keyboard() as keys:
    print("ready", flush=True)
    print(keys.read(20), keys.read(0.01), flush=True)
"""


def test_a_terminal_is_given_back_as_it_was(tmp_path):
    import termios

    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    with subprocess.Popen(
        [sys.executable, "-c", _CODE],
        stdin=theirs,
        stdout=subprocess.PIPE,
        env=environment(tmp_path),
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        assert termios.tcgetattr(theirs)[3] & (termios.ECHO | termios.ICANON) == 0
        os.write(ours, b"\x1b[A")
        assert child.stdout.readline() == "['up'] []\n"
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)
