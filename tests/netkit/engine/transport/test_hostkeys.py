"""The decision about a host key, and recording a new one."""

from __future__ import annotations

import base64
import os
import stat
import subprocess

import pytest

from netkit.engine.transport.hostkeys import HostKeyCheck, append_line, load
from netkit.errors import HostKeyError
from netkit.model import Hop, HostKeyPolicy
from support.prompts import Person
from support.sshd import make_key, public_line

HOST = "gate.example"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    directory = tmp_path_factory.mktemp("keys")
    return [public_line(make_key(directory / name)) for name in ("one", "two")]


def blob(line: str) -> bytes:
    return base64.b64decode(line.split()[1])


def check(path, key, *, person=None, notices=None, **changes):
    hop = Hop(**{"alias": "gate", "host": HOST, "known_hosts": (path,), **changes})
    log = notices if notices is not None else []
    HostKeyCheck(hop, prompter=person, log=lambda code, text: log.append(code)).check(
        blob(key), None, "192.0.2.1"
    )


def refusal(path, key, **options) -> HostKeyError:
    with pytest.raises(HostKeyError) as caught:
        check(path, key, **options)
    assert caught.value.exit_code == 5
    return caught.value


class TestDecision:
    def test_known(self, tmp_path, keys):
        path = tmp_path / "known"
        path.write_text(f"# comment\nnonsense\n{HOST} {keys[0]}\n")
        check(path, keys[0])

    def test_known_at_a_port(self, tmp_path, keys):
        path = tmp_path / "known"
        path.write_text(f"[{HOST}]:2222 {keys[0]}\n")
        check(path, keys[0], port=2222)
        assert refusal(path, keys[0]).code == "host-key-unknown"

    def test_known_by_alias(self, tmp_path, keys):
        path = tmp_path / "known"
        path.write_text(f"alias {keys[0]}\n")
        check(path, keys[0], name="alias", port=2222)

    def test_known_in_the_global_file(self, tmp_path, keys):
        path = tmp_path / "global"
        path.write_text(f"{HOST} {keys[0]}\n")
        check(tmp_path / "none", keys[0], global_known_hosts=(path,))

    def test_unknown_and_nobody_to_ask(self, tmp_path, keys):
        error = refusal(tmp_path / "none", keys[0])
        assert error.code == "host-key-unknown"
        assert "ED25519 SHA256:" in error.cause
        assert error.fixes[0].argv == ("netkit", "forward", "...", "--host-key", "accept-new")
        assert not (tmp_path / "none").exists()

    def test_strict_asks_nobody(self, tmp_path, keys):
        person = Person(trusts=True)
        error = refusal(tmp_path / "none", keys[0], person=person, host_key=HostKeyPolicy.STRICT)
        assert error.code == "host-key-unknown"
        assert person.host_keys == []

    def test_a_person_accepts(self, tmp_path, keys):
        path = tmp_path / "known"
        person = Person(trusts=True)
        check(path, keys[0], person=person)
        (question,) = person.host_keys
        assert (question.host, question.address) == (HOST, "192.0.2.1")
        assert question.key_type == "ED25519"
        assert "+--[ED25519 256]--+" in question.randomart
        check(path, keys[0])

    def test_a_person_declines(self, tmp_path, keys):
        path = tmp_path / "known"
        assert refusal(path, keys[0], person=Person()).code == "host-key-declined"
        assert not path.exists()

    def test_new_ones_accepted(self, tmp_path, keys):
        path = tmp_path / "known"
        notices: list[str] = []
        check(path, keys[0], host_key=HostKeyPolicy.ACCEPT_NEW, notices=notices)
        assert notices == ["host-key-recorded"]
        assert path.read_text() == f"{HOST} {keys[0]}\n"

    @pytest.mark.parametrize("policy", list(HostKeyPolicy))
    def test_changed(self, tmp_path, keys, policy):
        path = tmp_path / "known"
        path.write_text(f"\n{HOST} {keys[0]}\n")
        error = refusal(path, keys[1], person=Person(trusts=True), host_key=policy)
        assert error.code == "host-key-changed"
        assert f"{path}:2" in error.cause
        assert error.fixes[0].argv == ("ssh-keygen", "-R", HOST, "-f", str(path))

    def test_the_fix_for_a_changed_key_works(self, tmp_path, keys):
        path = tmp_path / "known"
        path.write_text(f"[{HOST}]:2222 {keys[0]}\n")
        error = refusal(path, keys[1], port=2222)
        subprocess.run(error.fixes[0].argv, check=True, capture_output=True)
        assert refusal(path, keys[1], port=2222).code == "host-key-unknown"

    @pytest.mark.parametrize("policy", list(HostKeyPolicy))
    def test_revoked(self, tmp_path, keys, policy):
        path = tmp_path / "known"
        path.write_text(f"{HOST} {keys[0]}\n@revoked * {keys[0]}\n")
        error = refusal(path, keys[0], person=Person(trusts=True), host_key=policy)
        assert error.code == "host-key-revoked"
        assert f"{path}:2" in error.cause

    def test_file_that_cannot_be_read_is_reported_and_trusts_nobody(self, tmp_path, keys):
        path = tmp_path / "directory"
        path.mkdir()
        notices: list[str] = []
        with pytest.raises(HostKeyError):
            check(path, keys[0], notices=notices)
        assert notices == ["known-hosts-unreadable"]

    def test_key_that_cannot_be_recorded_is_still_accepted(self, tmp_path, keys):
        (tmp_path / "file").write_text("")
        notices: list[str] = []
        check(
            tmp_path / "file" / "known",
            keys[0],
            host_key=HostKeyPolicy.ACCEPT_NEW,
            notices=notices,
        )
        assert "host-key-not-recorded" in notices


class TestRecording:
    def test_hashed(self, tmp_path, keys):
        path = tmp_path / "known"
        check(path, keys[0], host_key=HostKeyPolicy.ACCEPT_NEW, hash_known_hosts=True, port=2222)
        assert path.read_text().startswith("|1|")
        found = subprocess.run(
            ["ssh-keygen", "-F", f"[{HOST}]:2222", "-f", str(path)], capture_output=True, check=True
        )
        assert keys[0].split()[1].encode() in found.stdout
        check(path, keys[0], port=2222)

    def test_directory_and_file_are_private(self, tmp_path):
        path = tmp_path / ".ssh" / "known_hosts"
        append_line(path, "line")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    def test_content_and_mode_are_kept(self, tmp_path):
        path = tmp_path / "known"
        path.write_bytes(b"# caf\xe9\r\nold without end")
        path.chmod(0o644)
        append_line(path, "new")
        assert path.read_bytes() == b"# caf\xe9\r\nold without end\nnew\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        assert list(tmp_path.iterdir()) == [path]

    def test_symbolic_link_stays_one(self, tmp_path):
        target, link = tmp_path / "target", tmp_path / "link"
        target.write_text("old\n")
        link.symlink_to(target)
        append_line(link, "new")
        assert link.is_symlink()
        assert target.read_text() == "old\nnew\n"

    def test_failure_leaves_the_file_alone(self, tmp_path, monkeypatch):
        path = tmp_path / "known"
        path.write_text("old\n")
        monkeypatch.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(OSError, match="full"):
            append_line(path, "new")
        assert path.read_text() == "old\n"
        assert list(tmp_path.iterdir()) == [path]


def test_load_reads_every_file(tmp_path, keys):
    for index, key in enumerate(keys):
        (tmp_path / f"known{index}").write_text(f"{HOST} {key}\n")
    hop = Hop(
        alias="g",
        host=HOST,
        known_hosts=(tmp_path / "known0", tmp_path / "missing"),
        global_known_hosts=(tmp_path / "known1",),
    )
    assert [entry.key for entry in load(hop).known] == [blob(key) for key in keys]
