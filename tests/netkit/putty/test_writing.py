"""Writing sessions and host keys: nothing is lost, nothing is changed unasked."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from netkit.errors import UsageError
from netkit.putty.places import Place, place_in
from netkit.putty.reading import read_session, read_store
from netkit.putty.writing import Done, add_host_keys, write_registry_file, write_sessions
from netkit.text.putty.host_keys import CachedKey, parse_cache_file
from netkit.text.putty.session import Session

RECORDED = Path(__file__).parents[2] / "recorded" / "putty"
KEYS = parse_cache_file((RECORDED / "sshhostkeys").read_bytes(), "f").keys
SESSION = Session("My gw", (("HostName", "gw"), ("PortNumber", 22)))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return place_in(tmp_path / "putty")


def test_sessions_are_private_and_written_once(place: Place):
    assert write_sessions(place, [SESSION], replace=False) == [Done("My gw", "added")]
    path = place.sessions / "My%20gw"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.sessions.stat().st_mode) == 0o700
    assert read_session(path) == SESSION
    assert write_sessions(place, [SESSION], replace=False) == [Done("My gw", "unchanged")]


def test_another_session_is_changed_only_when_asked_and_keeps_its_fonts(place: Place):
    place.sessions.mkdir(parents=True)
    path = place.sessions / "My%20gw"
    path.write_bytes(b"HostName=other\nFontName=client:Mono 12\n")
    before = path.read_bytes()
    assert write_sessions(place, [SESSION], replace=False) == [Done("My gw", "exists")]
    assert path.read_bytes() == before
    assert write_sessions(place, [SESSION], replace=True) == [Done("My gw", "changed")]
    assert path.read_bytes() == b"HostName=gw\nFontName=client:Mono 12\nPortNumber=22\n"
    assert write_sessions(place, [SESSION], replace=False) == [Done("My gw", "unchanged")]


def test_what_putty_saved_again_in_its_own_order_is_the_same(place: Place):
    place.sessions.mkdir(parents=True)
    path = place.sessions / "gw"
    path.write_bytes(b"PortForwardings=D1080=,L80=a:1\nPortNumber=22\nBeep=1\n")
    mine = Session("gw", (("PortNumber", 22), ("PortForwardings", "L80=a:1,D1080=")))
    assert write_sessions(place, [mine], replace=False) == [Done("gw", "unchanged")]


def test_a_name_that_leads_out(place: Place):
    with pytest.raises(UsageError):
        write_sessions(place, [Session("..", SESSION.values)], replace=True)
    write_sessions(place, [Session("../../x", SESSION.values)], replace=True)
    assert [path.name for path in place.sessions.iterdir()] == ["..%2F..%2Fx"]


def test_host_keys_are_added_and_lines_stay(place: Place):
    place.host_keys.parent.mkdir(parents=True)
    place.host_keys.write_bytes(b"a line that is none\nssh-ed448@22:x 0x1,0x2")
    first, second = KEYS[:2]
    assert [done.what for done in add_host_keys(place, [first, first])] == ["added"]
    assert [done.what for done in add_host_keys(place, [first, second])] == ["unchanged", "added"]
    lines = place.host_keys.read_text().splitlines()
    assert lines[:2] == ["a line that is none", "ssh-ed448@22:x 0x1,0x2"]
    assert len(lines) == 4
    assert stat.S_IMODE(place.host_keys.stat().st_mode) == 0o600


def test_another_key_for_a_name_is_not_replaced(place: Place):
    one = next(key for key in KEYS if b"ssh-ed25519" in key.blob)
    other = CachedKey(one.host, one.port, bytes.fromhex("0000000b7373682d65643235353139") +
                      bytes.fromhex("00000020" + "58" + "66" * 31))  # fmt: skip
    add_host_keys(place, [one])
    before = place.host_keys.read_bytes()
    assert [done.what for done in add_host_keys(place, [other])] == ["exists"]
    assert place.host_keys.read_bytes() == before


def test_a_folder_of_host_keys(place: Place):
    place.host_keys.mkdir(parents=True)
    assert [done.what for done in add_host_keys(place, KEYS)] == ["added"] * 5
    assert [done.what for done in add_host_keys(place, KEYS)] == ["unchanged"] * 5
    write_sessions(place, [SESSION], replace=False)
    assert set(read_store(place.sessions.parent).host_keys) == set(KEYS)


def test_registry_files(tmp_path: Path):
    path = tmp_path / "out.reg"
    assert write_registry_file(path, [SESSION], KEYS, replace=False) == "added"
    store = read_store(path)
    assert store.sessions == (SESSION,)
    assert store.host_keys == KEYS
    assert write_registry_file(path, [SESSION], KEYS, replace=False) == "unchanged"
    with pytest.raises(UsageError) as caught:
        write_registry_file(path, [], KEYS, replace=False)
    assert caught.value.code == "file-exists"
    assert read_store(path).sessions == (SESSION,)
    assert write_registry_file(path, [], KEYS, replace=True) == "changed"


def test_a_folder_that_cannot_be_made(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as caught:
        write_sessions(place_in(tmp_path / "file" / "x"), [SESSION], replace=False)
    assert caught.value.code == "cannot-write"
