"""Reading sessions from folders, files, the registry; what is broken hides nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from netkit.errors import ConfigError, UsageError
from netkit.putty.reading import read_cache, read_session, read_store

RECORDED = Path(__file__).parents[2] / "recorded" / "putty"


class OneSession:
    """A registry with a single session."""

    def subkeys(self, key: str, limit: int) -> list[str]:
        return ["gw"][:limit] if key.endswith("Sessions") else []

    def values(self, key: str, limit: int) -> list[tuple[str, object]]:
        found: list[tuple[str, object]] = [("HostName", "gw")]
        return found[:limit] if key.endswith(r"\gw") else []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "putty"
    (made / "sessions").mkdir(parents=True)
    return made


def test_a_folder_of_putty():
    store = read_store(RECORDED)
    assert sorted(store.by_name) == ["My Office (100%)", "Office"]
    assert len(store.host_keys) == 5
    assert store.left_out == ()


def test_one_file_brings_the_host_keys_beside_it():
    store = read_store(RECORDED / "sessions" / "Office")
    assert [session.name for session in store.sessions] == ["Office"]
    assert len(store.host_keys) == 5


@pytest.mark.parametrize("name", ["office.reg", "renamed.txt"])
def test_a_registry_file(tmp_path: Path, name: str):
    path = tmp_path / name
    path.write_bytes((RECORDED / "office.reg").read_bytes())
    store = read_store(path)
    assert sorted(store.by_name) == ["Büro (100%)", "Default Settings"]
    assert len(store.host_keys) == 5


def test_the_registry():
    store = read_store(registry=OneSession())
    assert [session.name for session in store.sessions] == ["gw"]
    assert store.place.startswith("HKEY_CURRENT_USER")


def test_the_users_own_folder(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PUTTYDIR", str(RECORDED))
    assert len(read_store().sessions) == 2


def test_a_portable_folder_with_a_file_for_each_key(tmp_path: Path):
    sessions, keys = tmp_path / "Sessions", tmp_path / "SshHostKeys"
    sessions.mkdir()
    keys.mkdir()
    (sessions / "My%20gw").write_bytes(b"HostName\\gw.example\\\r\nPortNumber\\2222\\\r\n")
    for line in (RECORDED / "sshhostkeys").read_text().splitlines():
        name, value = line.split(" ")
        (keys / name.replace(":", "%3A")).write_text(value)
    (keys / "bad%00name").write_text("x")
    (keys / "folder").mkdir()
    store = read_store(tmp_path)
    assert store.by_name["My gw"].number("PortNumber") == 2222
    assert len(store.host_keys) == 5
    assert len(store.left_out) == 1


def test_what_is_broken_is_told_and_hides_nothing(folder: Path):
    sessions = folder / "sessions"
    (sessions / "good").write_bytes(b"HostName=gw\n")
    (sessions / "huge").write_bytes(b"HostName=x\n" * 1_000_000)
    (sessions / "binary").write_bytes(bytes(100))
    (sessions / "bad%zz").write_bytes(b"HostName=gw\n")
    (sessions / ".swp").write_bytes(b"\0")
    (sessions / "folder").mkdir()
    os.mkfifo(sessions / "pipe")
    (folder / "sshhostkeys").write_bytes(b"nonsense\n")
    store = read_store(folder)
    assert [session.name for session in store.sessions] == ["good"]
    told = "\n".join(store.left_out)
    assert len(store.left_out) == 4
    assert all(word in told for word in ("huge", "binary", "bad%zz", "sshhostkeys:1"))


def test_a_broken_file_that_is_named_is_an_error(folder: Path):
    (folder / "huge").write_bytes(b"x" * 10_000_000)
    with pytest.raises(UsageError, match="larger"):
        read_store(folder / "huge")
    (folder / "huge.reg").write_bytes(b"x" * 10_000_000)
    with pytest.raises(UsageError, match="larger"):
        read_store(folder / "huge.reg")
    (folder / "x.reg").write_bytes(b"nonsense")
    with pytest.raises(ConfigError):
        read_store(folder / "x.reg")


@pytest.mark.parametrize("name", ["empty", "missing"])
def test_nothing_there(tmp_path: Path, name: str):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError) as caught:
        read_store(tmp_path / name)
    assert caught.value.code == "no-putty-sessions"


def test_what_is_not_there_is_empty(tmp_path: Path):
    assert read_cache(tmp_path / "none") == b""
    assert read_session(tmp_path / "none") is None
