"""Public keys in text of every kind."""

from __future__ import annotations

import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.text.fingerprints import key_type
from netkit.text.public_keys import MAX_BLOB, MAX_KEYS, decode, find_keys
from support.peers import require
from support.sshd import make_key, public_line

BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAIJ0Hm1hrPHSkwKFhTQlmzlzIgSFYgvcFiWmT2tPq5OQm"
LINE = f"ssh-ed25519 {BLOB}"


@pytest.mark.parametrize(
    ("line", "before", "comment"),
    [
        (LINE, "", ""),
        (f"  {LINE}\t two words ", "", "two words"),
        (f"gw,10.0.0.1 {LINE}", "gw,10.0.0.1", ""),
        (f"|1|abc=|def= {LINE} x", "|1|abc=|def=", "x"),
        (f"@cert-authority *.x {LINE}", "@cert-authority *.x", ""),
        (f'restrict,command="echo \\"ssh-ed25519 no\\"" {LINE} x',
         'restrict,command="echo \\"ssh-ed25519 no\\""', "x"),
        (f'command="unclosed {LINE}', None, None),
        (f"# {LINE}", None, None),
        ("ssh-ed25519 AAAA", None, None),
        (f"ssh-rsa {BLOB}", None, None),
        (BLOB, None, None),
    ],
)  # fmt: skip
def test_lines(line, before, comment):
    found = find_keys(f"\n{line}\r\n")
    if before is None:
        assert found == ()
        return
    (entry,) = found
    assert (entry.line, entry.before, entry.comment) == (2, before, comment)
    assert key_type(entry.blob) == "ssh-ed25519"


def test_a_file_of_putty(tmp_path):
    key = make_key(tmp_path / "key")
    out = tmp_path / "public"
    subprocess.run([require("puttygen"), key, "-O", "public", "-o", out], check=True, timeout=20)
    (entry,) = find_keys(out.read_text())
    (same,) = find_keys(public_line(key))
    assert (entry.blob, entry.comment, entry.line) == (same.blob, "key", 1)


def test_a_header_that_goes_on():
    text = f"""---- BEGIN SSH2 PUBLIC KEY ----
Comment: "one \\
two"
X-Private: y
{BLOB[:30]}
{BLOB[30:]}
---- END SSH2 PUBLIC KEY ----
"""
    (entry,) = find_keys(text)
    assert entry.comment == "one two"
    assert find_keys(text.replace("---- END", "")) == ()


def test_what_is_found_is_bounded():
    assert len(find_keys(f"{LINE}\n" * (MAX_KEYS + 5))) == MAX_KEYS
    assert decode("A" * (MAX_BLOB + 4)) == b""


def test_quotes_cost_no_time():
    began = time.monotonic()
    assert find_keys('"\\' * 30_000 + "\n" + '"' * 60_001 + "\n" + "x " * 30_000) == ()
    assert time.monotonic() - began < 5


@given(st.text() | st.text(alphabet='"\\ \tssh-ed25519AAAA=\n'))
def test_anything_is_read(text):
    for entry in find_keys(text):
        assert key_type(entry.blob)
