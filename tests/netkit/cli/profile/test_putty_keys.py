"""Host keys between PuTTY's cache and known_hosts."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from netkit.cli.profile.putty_keys import cached, learn
from netkit.model import Hop
from netkit.wire.messages import string

RECORDED = Path(__file__).parents[3] / "recorded" / "putty"
BLOBS = [
    base64.b64decode(line.split()[1])
    for line in (RECORDED / "host_keys.pub").read_text().splitlines()
]
ED25519 = next(blob for blob in BLOBS if b"ssh-ed25519" in blob)
RSA = next(blob for blob in BLOBS if b"ssh-rsa" in blob)
OTHER = string("ssh-ed25519") + string(bytes.fromhex("58" + "66" * 31))


@pytest.fixture
def hop(tmp_path: Path) -> Hop:
    return Hop(alias="gw", host="gw", port=2222, known_hosts=(tmp_path / "ssh" / "known_hosts",))


def line(blob: bytes, name: str = "[gw]:2222", kind: str = "ssh-ed25519") -> str:
    return f"{name} {kind} {base64.b64encode(blob).decode()}\n"


def write(hop: Hop, *lines: str) -> Path:
    path = hop.known_hosts[0]
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(lines))
    return path


def test_keys_are_added_once(hop: Hop):
    (first,) = learn(hop, [ED25519, ED25519], dry_run=True)
    assert "would be added" in first
    assert not hop.known_hosts[0].exists()
    assert "added to" in learn(hop, [ED25519], dry_run=False)[0]
    assert hop.known_hosts[0].read_text() == line(ED25519)
    assert stat.S_IMODE(hop.known_hosts[0].stat().st_mode) == 0o600
    known, added = learn(hop, [ED25519, RSA], dry_run=False)
    assert "known already" in known
    assert "added to" in added
    assert len(hop.known_hosts[0].read_text().splitlines()) == 2


def test_names_are_hashed_where_that_is_wanted(tmp_path: Path):
    hop = Hop(alias="gw", host="gw", known_hosts=(tmp_path / "k",), hash_known_hosts=True)
    learn(hop, [ED25519], dry_run=False)
    assert hop.known_hosts[0].read_text().startswith("|1|")
    assert "known already" in learn(hop, [ED25519], dry_run=False)[0]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([line(OTHER)], "holds another key of that type"),
        ([line(ED25519, "@revoked *")], "revokes it"),
    ],
)
def test_nothing_is_replaced(hop: Hop, lines: list[str], why: str):
    path = write(hop, *lines)
    (told,) = learn(hop, [ED25519], dry_run=False)
    assert "not added" in told
    assert why in told
    assert path.read_text() == "".join(lines)


def test_no_file_to_add_to(tmp_path: Path):
    assert "names no known_hosts" in learn(Hop(alias="g", host="g"), [RSA], dry_run=False)[0]
    (tmp_path / "file").touch()
    broken = Hop(alias="g", host="g", known_hosts=(tmp_path / "file" / "known_hosts",))
    assert "not added" in learn(broken, [RSA], dry_run=False)[0]


def test_what_putty_gets(hop: Hop):
    sk = string("sk-ssh-ed25519@openssh.com") + string(bytes(32)) + string("ssh:")
    write(
        hop,
        line(ED25519),
        line(RSA, kind="ssh-rsa"),
        line(sk, kind="sk-ssh-ed25519@openssh.com"),
        line(OTHER, "other"),
    )
    keys, left_out = cached(hop)
    assert [(key.host, key.port, key.blob) for key in keys] == [
        ("gw", 2222, ED25519),
        ("gw", 2222, RSA),
    ]
    assert len(left_out) == 1
    assert "sk-ssh" in left_out[0]


def test_an_alias_stands_for_itself(tmp_path: Path):
    hop = Hop(alias="g", host="g", port=99, name="other", known_hosts=(tmp_path / "k",))
    hop.known_hosts[0].write_text(line(ED25519, "other"))
    (key,), _ = cached(hop)
    assert (key.host, key.port) == ("other", 22)


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        ([], "plink -batch refuses"),
        ([line(OTHER, "@cert-authority *")], "authority"),
        ([line(ED25519), line(ED25519, "@revoked *")], "revoked"),
    ],
)
def test_no_key_for_putty(hop: Hop, lines: list[str], word: str):
    write(hop, *lines)
    keys, left_out = cached(hop)
    assert keys == []
    assert any(word in text for text in left_out)
