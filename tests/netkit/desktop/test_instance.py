from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.desktop.instance import Claim, Holder, claim, lock_path, parse_holder
from netkit.errors import UsageError
from netkit.model import Endpoint
from support.cli import environment

AT = Endpoint("127.0.0.2", 13389)

HOLD = """
import sys
from pathlib import Path
from netkit.desktop.instance import claim
from netkit.model import Endpoint
held = claim("office", Path(sys.argv[1]))
held.tell([Endpoint("127.0.0.2", 13389)])
print("held", flush=True)
sys.stdin.read()
"""


def taken(folder: Path, name: str = "office") -> Claim:
    found = claim(name, folder)
    assert isinstance(found, Claim)
    return found


def test_the_second_one_learns_who_was_first(tmp_path: Path):
    first = taken(tmp_path)
    assert claim("office", tmp_path) == Holder(os.getpid(), name="office")
    first.tell([AT])
    assert claim("office", tmp_path) == Holder(os.getpid(), (AT,), "office")
    assert str(claim("office", tmp_path)) == f"process {os.getpid()}"
    first.close()
    first.close()
    assert list(tmp_path.iterdir()) == []
    taken(tmp_path).close()


def test_names_do_not_disturb_each_other(tmp_path: Path):
    first, second = taken(tmp_path), taken(tmp_path, "home")
    first.close()
    assert isinstance(claim("home", tmp_path), Holder)
    second.close()


def test_another_process_holds_it_until_it_dies(tmp_path: Path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(tmp_path),
    ) as process:
        assert process.stdout.readline() == b"held\n"
        assert claim("office", tmp_path) == Holder(process.pid, (AT,), "office")
        process.kill()
        process.wait()
        # its file is still there, with its number
        assert json.loads(lock_path("office", tmp_path).read_bytes())["pid"] == process.pid
        taken(tmp_path).close()


def test_a_number_that_another_process_has_now_holds_nothing(tmp_path: Path):
    path = lock_path("office", tmp_path)
    path.write_text(json.dumps({"pid": os.getppid(), "addresses": [["127.0.0.2", 13389]]}))
    first = taken(tmp_path)
    assert claim("office", tmp_path) == Holder(os.getpid(), name="office")
    first.close()


def test_the_file_is_the_users_alone(tmp_path: Path):
    first = taken(tmp_path / "a" / "b")
    path = lock_path("office", tmp_path / "a" / "b")
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
    first.close()


def test_a_link_is_not_followed(tmp_path: Path):
    other = tmp_path / "precious"
    other.write_text("keep me")
    lock_path("office", tmp_path).symlink_to(other)
    with pytest.raises(UsageError) as caught:
        claim("office", tmp_path)
    assert caught.value.code == "cannot-write"
    assert other.read_text() == "keep me"


def test_no_place_for_a_lock(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as caught:
        claim("office", tmp_path / "file")
    assert caught.value.code == "cannot-write"


def test_the_usual_place(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert tmp_path in lock_path("office").parents


@given(st.text(max_size=300))
def test_any_name_is_one_file_in_the_folder(name: str):
    folder = Path("folder")
    path = lock_path(name, folder)
    assert path.parent == folder
    assert path.suffix == ".lock"
    assert len(path.name) <= 110
    assert path.name.isascii()


@given(st.lists(st.text(max_size=20), min_size=2, max_size=2, unique=True))
def test_two_names_are_two_files(names: list[str]):
    assert lock_path(names[0], Path()) != lock_path(names[1], Path())


@given(st.binary(max_size=200))
def test_any_content_says_something_or_nothing(data: bytes):
    holder = parse_holder(data)
    assert 0 <= holder.pid < 1 << 32


@pytest.mark.parametrize(
    ("text", "holder"),
    [
        ("", Holder()),
        ("[1]", Holder()),
        ("[" * 100_000, Holder()),
        ('{"pid": "7"}', Holder()),
        ('{"pid": true}', Holder()),
        ('{"pid": -1}', Holder()),
        ('{"pid": 7, "addresses": 3}', Holder(7)),
        (
            '{"pid": 7, "addresses": [["127.0.0.2", 13389], ["x", 0], ["", 1], [1, 2], 5]}',
            Holder(7, (AT,)),
        ),
        ('{"pid": 7, "addresses": [["a\\u001bb", 5]]}', Holder(7)),
    ],
)
def test_what_a_lock_says(text: str, holder: Holder):
    assert parse_holder(text.encode()) == holder


def test_nobody_has_a_number():
    assert str(Holder()) == "another process"
