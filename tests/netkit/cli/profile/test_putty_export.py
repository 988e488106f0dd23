"""Exporting profiles: folders, .reg files, keys in the wrong format, host keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from netkit import profiles
from netkit.model import Endpoint, ForwardKind, ForwardSpec, Gateway, Hop, Plan, Profile, TunnelSpec
from netkit.putty.reading import read_store
from support.cli import Outcome, run_cli
from support.peers import require
from support.sshd import make_key, public_line

FORWARD = ForwardSpec(ForwardKind.LOCAL, Endpoint("127.0.0.2", 3389), Endpoint("desk", 3389))


class Desk:
    """A user's profiles, known_hosts and private key."""

    def __init__(self, tmp_path: Path) -> None:
        self.profiles = tmp_path / "profiles.toml"
        self.known_hosts = tmp_path / "known_hosts"
        self.folder = tmp_path / "putty"

    def save(self, name: str, **values: Any) -> None:
        tunnel = TunnelSpec(gateway=Gateway("gw", "me", 2222), forwards=(FORWARD,), **values)
        profiles.save(Profile(name=name, tunnel=tunnel), replace=True, path=self.profiles)

    def plan(self, spec: TunnelSpec) -> Plan:
        hop = Hop(
            alias="gw", host="gw", port=2222, user="me", known_hosts=(self.known_hosts,),
            compression=bool(spec.compression),
        )  # fmt: skip
        return Plan(hops=(hop,))

    def run(self, *words: str, to: Path | None = None) -> Outcome:
        where = ("--to", str(to or self.folder))
        return run_cli("profile", "export", "putty", *words, *where, plan=self.plan)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(tmp_path)
    monkeypatch.setenv("NETKIT_PROFILES", str(made.profiles))
    monkeypatch.setenv("PUTTYDIR", str(tmp_path / "own"))
    return made


def test_a_folder(desk: Desk, tmp_path: Path):
    desk.save("office")
    key = make_key(tmp_path / "host")
    desk.known_hosts.write_text(f"[gw]:2222 {public_line(key)}\n")
    done = desk.run("office")
    assert done.code == 0
    assert "office: added" in done.out
    assert "host key ssh-ed25519@2222:gw: added" in done.out
    store = read_store(desk.folder)
    assert store.by_name["office"].text("PortForwardings") == "L127.0.0.2:3389=desk:3389"
    assert len(store.host_keys) == 1
    again = desk.run("office")
    assert "office: unchanged" in again.out
    assert "host key ssh-ed25519@2222:gw: unchanged" in again.out


def test_putty_s_own_folder_is_the_default(desk: Desk, tmp_path: Path):
    desk.save("office")
    assert run_cli("profile", "export", "putty", "office", plan=desk.plan).code == 0
    assert (tmp_path / "own" / "sessions" / "office").is_file()


def test_another_session_stays_without_replace(desk: Desk):
    desk.save("office")
    desk.run("office")
    path = desk.folder / "sessions" / "office"
    before = path.read_bytes()
    desk.save("office", compression=True)
    desk.save("second")
    done = desk.run("office", "second")
    assert done.code == 2
    assert "office: exists, says something else" in done.out
    assert "second: added" in done.out
    assert "session-exists" in done.err
    assert path.read_bytes() == before
    assert desk.run("office", "--replace").code == 0
    assert read_store(desk.folder).by_name["office"].number("Compression") == 1


def test_dry_run_writes_nothing(desk: Desk, tmp_path: Path):
    desk.save("office")
    assert "would be written" in desk.run("office", "--dry-run").out
    file = tmp_path / "x.reg"
    assert "would be written" in desk.run("office", "--dry-run", to=file).out
    assert not desk.folder.exists()
    assert not file.exists()


def test_a_registry_file(desk: Desk, tmp_path: Path):
    desk.save("one")
    desk.save("two", compression=True)
    file = tmp_path / "x.reg"
    assert "2 sessions" in desk.run("one", "two", to=file).out
    assert sorted(read_store(file).by_name) == ["one", "two"]
    assert "unchanged" in desk.run("one", "two", to=file).out
    refused = desk.run("one", to=file)
    assert refused.code == 2
    assert "file-exists" in refused.err
    assert desk.run("one", "--replace", to=file).code == 0
    assert sorted(read_store(file).by_name) == ["one"]


def test_comforts(desk: Desk):
    desk.save("office")
    desk.run("office", "--comforts", "--no-host-keys")
    session = read_store(desk.folder).by_name["office"]
    assert (session.number("BlinkCur"), session.number("PingInterval")) == (1, 8)


def test_what_is_left_out_is_told(desk: Desk):
    desk.save("office", macs=("hmac-sha2-256",))
    done = desk.run("office")
    assert "office: left out: macs hmac-sha2-256" in done.out
    assert "office: left out: host key of [gw]:2222: none is known" in done.out


def test_a_key_in_another_format(desk: Desk, tmp_path: Path):
    require("puttygen")
    key = make_key(tmp_path / "my key")
    desk.save("office", identities=(key,))
    done = desk.run("office")
    command = re.search(r"before it is used: (netkit key convert .*)", done.out)
    assert command is not None
    assert command[1].endswith("--to ppk -o '" + str(key) + ".ppk'")
    session = read_store(desk.folder).by_name["office"]
    assert session.text("PublicKeyFile") == f"{key}.ppk"
    done = desk.run("office", "--convert-keys")
    assert done.code == 0
    assert key.with_name("my key.ppk").read_bytes().startswith(b"PuTTY-User-Key-File-3")
    assert "is used for" in desk.run("office").out
    desk.save("office", identities=(key.with_name("my key.ppk"),))
    assert "key" not in desk.run("office", "--no-host-keys").out


def test_keys_that_cannot_be_used(desk: Desk, tmp_path: Path):
    desk.save("office", identities=(tmp_path / "none",))
    assert "is not there" in desk.run("office").out
    (tmp_path / "folder").mkdir()
    desk.save("office", identities=(tmp_path / "folder",))
    assert "not a regular file" in desk.run("office", "--replace").out


def test_a_destination_that_is_none(desk: Desk, tmp_path: Path):
    desk.save("office")
    (tmp_path / "file").touch()
    done = desk.run("office", to=tmp_path / "file")
    assert done.code == 2
    assert "no-destination" in done.err


def test_an_unknown_profile_writes_nothing(desk: Desk):
    desk.save("office")
    assert desk.run("office", "nothing").code == 2
    assert not desk.folder.exists()
