"""Faults of key files: real files of ssh-keygen and puttygen, netkit's own verdict, our words."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics import key_faults as k
from diagnostics.key_faults import KeyView, fault_of, words_for
from diagnostics.parsers import key_forms, public_keys
from diagnostics.ssh import KeyFileFacts
from diagnostics.system import FileStat
from netkit.cli.main import run as netkit
from netkit.doctor.credentials import look_at_key
from support.any_values import any_of
from support.peers import require
from support.sshd import make_key

NOBODY: frozenset[str] = frozenset()
CODES = {name for key, name in vars(k).items() if key.isupper() and isinstance(name, str)}


def view(path: Path, *, named: bool = True) -> KeyView:
    """Return a real file as the check sees it."""
    there = path.exists()
    public = Path(f"{path}.pub")
    return KeyView(
        hop="gw",
        named=named,
        facts=look_at_key(str(path)),
        stat=FileStat(str(path), "file" if there else "", path.stat().st_mode if there else 0),
        form=key_forms.look(path.read_bytes() if path.is_file() else b""),
        public=public_keys.parse_line(public.read_bytes()) if public.is_file() else None,
    )


def run(argv: tuple[str, ...]) -> None:
    subprocess.run(argv, check=True, capture_output=True, stdin=subprocess.DEVNULL)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key(tmp_path / "id")


def test_a_good_key(key: Path):
    assert fault_of(view(key), NOBODY) == ""
    encrypted = make_key(key.with_name("locked"), "rsa", "-b", "2048", passphrase="secret")
    assert fault_of(view(encrypted), NOBODY) == ""


def test_permissions_and_their_cure(key: Path):
    key.chmod(0o644)
    found = view(key)
    assert fault_of(found, NOBODY) == k.PERMISSIONS
    (fix,) = words_for(k.PERMISSIONS, found, "linux").fixes
    run(fix.argv)
    assert key.stat().st_mode & 0o777 == 0o600
    run(fix.undo)
    assert key.stat().st_mode & 0o777 == 0o644


def test_a_putty_key_and_its_cure(tmp_path: Path):
    puttygen = str(require("puttygen"))
    path = tmp_path / "id.ppk"
    (tmp_path / "empty").write_text("")
    made = ("-q", "-t", "ed25519", "-o", str(path), "--new-passphrase", str(tmp_path / "empty"))
    run((puttygen, *made))
    found = view(path)
    assert fault_of(found, NOBODY) == k.PUTTY
    words = words_for(k.PUTTY, found, "linux")
    assert "PuTTY key (version 3)" in words.title
    (fix,) = words.fixes
    assert netkit(fix.argv[1:]) == 0
    assert fault_of(view(tmp_path / "id"), NOBODY) == ""
    run(fix.undo)
    assert not (tmp_path / "id").exists()
    assert words_for(k.PUTTY, found, "windows").fixes[0].undo[:3] == ("cmd", "/c", "del")
    other = replace(found, facts=replace(found.facts, path="/k"), form=key_forms.KeyForm("ppk"))
    assert words_for(k.PUTTY, other, "linux").fixes[0].argv[-1] == "/k_openssh"


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda data: data.decode().encode("utf-16"), "UTF-16"),
        (lambda data: b"\xef\xbb\xbf" + data, "byte order mark"),
        (lambda data: b"\n".join(b"  " + line for line in data.splitlines()), "indented"),
        (lambda data: data[:100], "closing line"),
        (lambda data: b"", "empty"),
        (lambda data: b"<html>", "web page"),
        (lambda data: b"junk\0\x1b", "formats"),
    ],
)
def test_damage_and_its_cure(key: Path, damage, what: str):
    before = key.read_bytes()
    key.write_bytes(damage(before))
    found = view(key)
    code = fault_of(found, NOBODY)
    words = words_for(code or k.DAMAGED, found, "linux")
    assert what in words.title
    assert code in ("", k.DAMAGED)
    if words.fixes[0].argv[0] == "sh":
        run(words.fixes[0].argv)
        assert fault_of(view(key), NOBODY) == ""
        assert key.stat().st_mode & 0o777 == 0o600
        run(words.fixes[0].undo)
        assert key.read_bytes() == damage(before)
    assert len(words_for(k.DAMAGED, found, "windows").fixes) == 1


def test_keys_that_are_not_there(tmp_path: Path, key: Path):
    missing = view(tmp_path / "gone")
    assert fault_of(missing, NOBODY) == k.MISSING
    assert fault_of(replace(missing, named=False), NOBODY) == ""
    Path(f"{tmp_path}/gone.pub").write_text(Path(f"{key}.pub").read_text())
    with_public = view(tmp_path / "gone")
    assert fault_of(with_public, NOBODY) == k.MISSING
    assert with_public.public is not None
    assert fault_of(with_public, frozenset({with_public.public.fingerprint})) == ""
    assert words_for(k.MISSING, missing, "linux").fixes[0].argv == ("ls", "-l", str(tmp_path))
    windows = replace(missing, facts=replace(missing.facts, path="C:\\a b\\id"))
    assert words_for(k.MISSING, windows, "windows").fixes[0].argv[-1] == "C:/a b"
    bare = replace(missing, facts=replace(missing.facts, path="id"))
    assert words_for(k.MISSING, bare, "linux").fixes[0].argv[-1] == "."


def test_a_public_key_in_place_of_a_private_one(key: Path):
    public = Path(f"{key}.pub")
    found = view(public)
    assert fault_of(found, NOBODY) == k.PUBLIC
    assert fault_of(found, frozenset({found.facts.fingerprint})) == ""
    words = words_for(k.PUBLIC, found, "linux")
    assert words.fixes[0].argv == ("ssh-add", str(key))
    other = replace(found, facts=replace(found.facts, path="/k"))
    assert words_for(k.PUBLIC, other, "linux").fixes[0].argv == ("ssh-add", "-L")


def test_retired_and_short_keys(tmp_path: Path):
    assert fault_of(view(make_key(tmp_path / "dsa", "dsa")), NOBODY) == k.DSA
    short = view(make_key(tmp_path / "rsa", "rsa", "-b", "1024"))
    assert fault_of(short, NOBODY) == k.SHORT
    assert "only 1024 bits" in words_for(k.SHORT, short, "linux").title


def test_the_wrong_public_half_and_its_cure(key: Path):
    other = make_key(key.with_name("other"))
    Path(f"{key}.pub").write_text(Path(f"{other}.pub").read_text())
    found = view(key)
    assert fault_of(found, NOBODY) == k.MISMATCH
    words = words_for(k.MISMATCH, found, "linux")
    assert "It is ED25519 SHA256:" in words.explain
    run(words.fixes[0].argv)
    assert fault_of(view(key), NOBODY) == ""
    assert words_for(k.MISMATCH, found, "windows").fixes[0].argv[0] == "cmd"
    assert "another key" in words_for(k.MISMATCH, replace(found, public=None), "linux").explain


def test_unreadable_keys(key: Path):
    facts = KeyFileFacts(path=str(key), error_code=k.UNREADABLE, cause="Permission denied")
    roots = FileStat(str(key), "file", 0o600, 0)
    found = replace(view(key), facts=facts, stat=roots)
    words = words_for(k.UNREADABLE, found, "linux")
    assert words.explain == "Permission denied"
    assert words.fixes[0].undo == ("sudo", "chown", "root", str(key))
    environment = {"SUDO_USER": str(os.getuid()), "PATH": "/usr/bin:/bin"}
    subprocess.run(words.fixes[0].argv[1:], check=True, env=environment)
    directory = replace(found, stat=FileStat(str(key), "directory", 0o700, 1000))
    assert "it is a directory" in words_for(k.UNREADABLE, directory, "linux").title
    assert words_for(k.UNREADABLE, found, "windows").fixes == ()


def test_other_kinds(tmp_path: Path):
    facts = KeyFileFacts(path="/k", error_code=k.UNSUPPORTED, error="/k is encrypted oddly")
    base = KeyView(facts=facts, stat=FileStat("/k"), form=key_forms.KeyForm("openssh"))
    assert words_for(k.UNSUPPORTED, base, "linux").fixes[0].argv[1] == "-p"
    curve = replace(base, facts=replace(facts, error=""))
    assert len(words_for(k.UNSUPPORTED, curve, "linux").fixes) == 1
    assert fault_of(replace(base, facts=replace(facts, error_code="key-new")), NOBODY) == k.DAMAGED
    assert "ssh-keygen -i -f /k" in words_for(k.SSH2, base, "linux").fixes[0].argv[-1]
    assert words_for(k.NEEDS_AGENT, base, "linux").fixes[0].argv == ("ssh-add", "/k")
    nothing = replace(base, facts=KeyFileFacts(path="/k"))
    assert words_for(k.DAMAGED, nothing, "linux").title == "/k is no private key"


@given(
    any_of(KeyView), st.sampled_from([*sorted(CODES), "odd"]), st.sampled_from(["linux", "windows"])
)
def test_is_total(found: KeyView, code: str, system: str):
    assert fault_of(found, NOBODY) in {"", *CODES}
    words = words_for(code, found, system)
    assert words.title.isprintable()
    assert words.explain.isprintable()
