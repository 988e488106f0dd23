"""Which key ``netkit key install`` brings, and what it says; servers are in the recipe's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from netkit.cli.key.install import Subject, _offering, _ours, find_subject
from netkit.errors import KeyFileError, UsageError
from netkit.model import Fix, Hop, Plan
from netkit.text.ppk_blobs import string
from support.key_commands import Keys
from support.prompts import Person
from support.security_keys import BLOB, write_pair
from support.sshd import make_key, public_line


def plan(*identities: Path) -> Plan:
    return Plan(hops=(Hop(alias="gw", host="gw", identities=identities),))


def find(key: Path | None, prompter: Person | None = None, *identities: Path) -> Subject:
    return find_subject(key, plan(*identities), prompter)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key(tmp_path / "key")


def test_the_first_key_that_ssh_would_offer(tmp_path, key, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    found = find(None, None, tmp_path / "missing", key, tmp_path / "other")
    assert (found.path, found.comment, found.agent) == (key, "key", False)
    with pytest.raises(UsageError) as caught:
        find(None, None, tmp_path / "missing")
    assert caught.value.code == "no-key"
    assert caught.value.fixes[0].argv == ("netkit", "key", "new")
    (tmp_path / ".ssh").mkdir()
    usual = key.rename(tmp_path / ".ssh" / "id_ed25519")
    assert find(None).path == usual


def test_a_public_half_stands_for_its_private_one(tmp_path, key):
    found = find(Path(f"{key}.pub"))
    assert (found.path, found.agent) == (key, False)
    key.unlink()
    found = find(Path(f"{key}.pub"))
    assert (found.path, found.agent) == (Path(f"{key}.pub"), True)


def test_an_encrypted_key_without_anybody_to_ask_is_for_the_agent(tmp_path):
    key = make_key(tmp_path / "key", passphrase="secret")
    assert find(key).agent
    assert not find(key, Person()).agent


def test_a_locked_pem(tmp_path):
    key = make_key(tmp_path / "key", "ecdsa", "-m", "PEM", passphrase="secret")
    line = public_line(key)
    Path(f"{key}.pub").unlink()
    with pytest.raises(KeyFileError) as caught:
        find(key)
    assert caught.value.code == "key-encrypted"
    assert string(b"ecdsa-sha2-nistp256") in find(key, Person(["secret"])).blob
    assert line.startswith("ecdsa-sha2-nistp256")


@pytest.mark.parametrize("suffix", ["", ".pub"])
def test_a_security_key_is_for_the_agent(tmp_path, suffix):
    path = write_pair(tmp_path / "id_sk")
    found = find(Path(f"{path}{suffix}"))
    assert (found.path, found.blob, found.comment) == (Path(f"{path}.pub"), BLOB, "token")
    assert found.agent
    Path(f"{path}.pub").unlink()
    with pytest.raises(KeyFileError) as caught:
        find(path)
    assert caught.value.code == "key-needs-agent"


def test_a_pair_that_was_mixed_up(tmp_path, key):
    other = make_key(tmp_path / "other")
    Path(f"{key}.pub").write_text(Path(f"{other}.pub").read_text())
    with pytest.raises(KeyFileError) as caught:
        find(Path(f"{key}.pub"))
    assert caught.value.code == "key-pair-mismatch"


def test_open_keys_and_certificates(tmp_path, key):
    key.chmod(0o644)
    with pytest.raises(KeyFileError) as caught:
        find(key)
    assert caught.value.code == "key-permissions"
    path = tmp_path / "x-cert.pub"
    import base64

    kind = b"ssh-ed25519-cert-v01@openssh.com"
    path.write_text(f"{kind.decode()} {base64.b64encode(string(kind)).decode()}\n")
    with pytest.raises(UsageError) as refused:
        find(path)
    assert refused.value.code == "key-is-certificate"


def test_the_key_is_offered_too():
    subject = Subject(Path("/k"), b"", "", agent=False)
    assert _offering(plan(Path("/a")), subject).hops[-1].identities == (Path("/k"), Path("/a"))
    assert _offering(plan(Path("/k")), subject) == plan(Path("/k"))


def test_fixes_of_the_engine_are_said_for_this_command():
    assert _ours(Fix(("netkit", "forward", "...", "--host-key", "x"))).argv == (
        "netkit", "key", "install", "...", "--host-key", "x",
    )  # fmt: skip
    assert _ours(Fix(("ls",))) == Fix(("ls",))


@pytest.fixture
def keys(monkeypatch, tmp_path) -> Keys:
    return Keys(monkeypatch, tmp_path)


def test_dry_run(keys, key):
    done = keys.run("install", "me@gw", "-i", key, "--dry-run")
    assert done.code == 0, done.err
    assert f"line     {public_line(key)} key" in done.out
    words = ("--restrict", "--permit-open", "db:5432", "--dry-run", "--authorized-keys", "x")
    done = keys.run("install", "gw", "-i", key, *words)
    assert 'line     restrict,port-forwarding,permitopen="db:5432"' in done.out
    assert "file     x" in done.out


def test_bad_rules_are_told_before_anybody_logs_in(keys, key):
    done = keys.run("install", "gw", "-i", key, "--restrict", "--permit-open", "nowhere")
    assert done.code == 2
    assert "nowhere" in done.err


def test_a_missing_key(keys):
    assert keys.run("install", "gw", "-i", "nothing").code == 6
