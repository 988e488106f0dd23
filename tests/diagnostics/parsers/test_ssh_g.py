from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers.ssh_g import MAX_LINES, parse

# OpenSSH 9.2p1 of Debian 12, `ssh -G localhost`, in part.
SAMPLE = b"""user me
hostname localhost
port 22
forwardx11 no
forwardx11trusted yes
forwardx11timeout 1200
xauthlocation /usr/bin/xauth
identityfile ~/.ssh/id_rsa
identityfile ~/.ssh/id_ecdsa
"""


def test_sample():
    found = parse(SAMPLE)
    assert found["forwardx11timeout"] == "1200"
    assert found["xauthlocation"] == "/usr/bin/xauth"
    assert found["identityfile"] == "~/.ssh/id_rsa"
    assert "" not in parse(b"\n \n\nword\r\n")
    assert parse(b"word\n") == {"word": ""}


@given(st.binary(max_size=200))
def test_total(data: bytes):
    for keyword, value in parse(data).items():
        assert keyword == keyword.lower()
        assert value == value.strip()


def test_bounded():
    assert len(parse(b"".join(b"k%d v\n" % number for number in range(100_000)))) == MAX_LINES
