"""The script itself, in every POSIX shell that is here: a home of its own, no server.

What sshd makes of the result is in tests/integration/recipe/test_keys.py.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netkit.keys.authorize import Answer, Wanted, read_answer, script
from netkit.keys.authorize_script import SCRIPT

SHELLS = [
    pytest.param(tuple(words), id=words[0])
    for words in (
        ["sh"],
        ["dash"],
        ["bash", "--posix"],
        ["ksh"],
        ["mksh"],
        ["busybox", "sh"],
        ["zsh"],
    )
    if shutil.which(words[0])
]
BASE64 = "AAAAC3NzaC1lZDI1NTE5AAAAIJ0Hm1hrPHSkwKFhTQlmzlzIgSFYgvcFiWmT2tPq5OQm"
BLOB = base64.b64decode(BASE64)
KEY = f"ssh-ed25519 {BASE64}"
OTHER = KEY.replace("OQm", "OQn")
SERVER = "SSH-2.0-dropbear"  # asks no sshd of this machine where keys are


def run(home: Path, shell: tuple[str, ...] = ("sh",), server: str = SERVER, **more) -> Answer:
    wanted = Wanted(**{"blob": BLOB, "comment": "it's me", **more})
    done = subprocess.run(
        shell,
        input=script(wanted, server),
        capture_output=True,
        timeout=20,
        check=False,
        env={"HOME": str(home), "PATH": os.environ["PATH"]},
    )
    assert done.stderr == b""
    return read_answer(done.stdout)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    (tmp_path / ".ssh").mkdir(mode=0o700)
    return tmp_path / ".ssh" / "authorized_keys"


@pytest.mark.parametrize("shell", SHELLS)
class TestEveryShell:
    def test_new(self, tmp_path, shell):
        tmp_path.chmod(0o777)
        found = run(tmp_path, shell)
        assert (found.outcome, found.file) == ("added", f"{tmp_path}/.ssh/authorized_keys")
        assert found.repaired == (f"{tmp_path} drwxrwxrwx",)
        assert Path(found.file).read_text() == f"{KEY} it's me\n"
        assert run(tmp_path, shell).outcome == "present"
        assert Path(found.file).read_text() == f"{KEY} it's me\n"

    def test_options(self, keys, shell):
        keys.write_text(f'{OTHER}\nno-pty,command="a  b"\t{KEY}\tx\r\n# {KEY}\n{KEY} again\n\\n*')
        wanted = {"options": 'restrict,command="exit 1"'}
        before = keys.read_text()
        found = run(keys.parent.parent, shell, **wanted)
        assert (found.outcome, found.reason) == ("failed", "differs")
        assert keys.read_text() == before
        assert run(keys.parent.parent, shell, **wanted, replace=True).outcome == "updated"
        line = f'restrict,command="exit 1" {KEY} it\'s me'
        assert keys.read_text() == f"{OTHER}\n{line}\n# {KEY}\n\\n*\n"
        assert run(keys.parent.parent, shell, **wanted).outcome == "present"


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (KEY, "present"),
        (f"  {KEY}  x", "present"),
        (f'from="1.2.3.4"\t{KEY}', "present"),
        (f"# {KEY}", "added"),
        (f"#{KEY}", "added"),
        (OTHER, "added"),
        (f"ssh-rsa {BASE64}", "added"),
        (f"ssh-ed25519 {BASE64}x", "added"),
        (f"x{KEY}", "added"),
        ("*\n? [a] $(touch no) `touch no`", "added"),
        ("", "added"),
    ],
)
def test_what_counts_as_the_key(keys, text, outcome):
    keys.write_text(text)
    assert run(keys.parent.parent).outcome == outcome
    end = "" if not text or text.endswith("\n") else "\n"
    added = f"{end}{KEY} it's me\n" if outcome == "added" else ""
    assert keys.read_text() == text + added
    assert sorted(path.name for path in keys.parent.iterdir()) == ["authorized_keys"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200), comment=st.text(max_size=20))
def test_whatever_is_in_the_file_stays(keys, content, comment):
    keys.write_bytes(content)
    found = run(keys.parent.parent, comment=comment)
    assert found.outcome in ("added", "present")
    assert keys.read_bytes().startswith(content)
    assert keys.read_bytes().count(BASE64.encode()) == 1
    assert run(keys.parent.parent, comment="another").outcome == "present"


def what_it_is(path: Path) -> tuple[int, ...]:
    """Return what changes with a file; that it was read, which changes a time too, is no harm."""
    found = path.lstat()
    return (found.st_mode, found.st_ino, found.st_uid, found.st_size, found.st_mtime_ns)


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda keys: keys.mkdir(), "not-a-file"),
        (os.mkfifo, "not-a-file"),
        (lambda keys: keys.symlink_to(keys.name), "symlink"),
        (lambda keys: keys.symlink_to("/nowhere/keys"), "no-directory"),
        (lambda keys: (keys.write_text("x\n"), keys.chmod(0o400)), "read-only"),
    ],
    ids=["directory", "fifo", "loop", "nowhere", "read-only"],
)
def test_what_is_left_alone(keys, prepare, reason):
    prepare(keys)
    before = what_it_is(keys)
    found = run(keys.parent.parent)
    assert (found.outcome, found.reason) == ("failed", reason)
    assert what_it_is(keys) == before
    assert [path.name for path in keys.parent.iterdir()] == ["authorized_keys"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("what", ["file", "directory"])
def test_what_belongs_to_others(keys, what):
    keys.write_text("x\n")
    os.chown(keys if what == "file" else keys.parent, 12345, -1)
    found = run(keys.parent.parent)
    assert found.reason == ("not-ours" if what == "file" else "directory-not-ours")
    assert keys.read_text() == "x\n"


def test_a_dangling_link_into_the_home_is_filled(keys):
    (keys.parent.parent / "dot").mkdir()
    keys.symlink_to("../dot/keys")
    assert run(keys.parent.parent).outcome == "added"
    assert (keys.parent.parent / "dot" / "keys").read_text() == f"{KEY} it's me\n"


def test_another_file(tmp_path):
    (tmp_path / "with space").mkdir()
    found = run(tmp_path, file="~/with space/%u%%keys")
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    path = tmp_path / "with space" / f"{user}%keys"
    assert (found.outcome, found.file) == ("added", str(path))
    assert path.read_text() == f"{KEY} it's me\n"


def test_no_home():
    found = run(Path("/nowhere"))
    assert (found.outcome, found.reason) == ("failed", "no-home")


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 0.999])
def test_a_part_of_it_does_nothing(tmp_path, part):
    whole = script(Wanted(blob=BLOB), SERVER)
    subprocess.run(
        ["sh"],
        input=whole[: int(len(whole) * part)].rstrip(b"main\n"),
        capture_output=True,
        timeout=20,
        check=False,
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
    )
    assert list(tmp_path.iterdir()) == []


def test_a_change_meanwhile_is_not_lost(keys, tmp_path):
    """Another program adds a key between our copy and our move: here `tail` does."""
    keys.write_text("x\n")
    tools = tmp_path / "tools"
    tools.mkdir()
    tail = tools / "tail"
    tail.write_text(f'#!/bin/sh\necho y >>{keys}\nexec {shutil.which("tail")} "$@"\n')
    tail.chmod(0o755)
    done = subprocess.run(
        ["sh"],
        input=script(Wanted(blob=BLOB), SERVER),
        capture_output=True,
        timeout=20,
        check=False,
        env={"HOME": str(tmp_path), "PATH": f"{tools}:{os.environ['PATH']}"},
    )
    assert read_answer(done.stdout).reason == "changed"
    assert keys.read_text() == "x\ny\n"
    assert [path.name for path in keys.parent.iterdir()] == ["authorized_keys"]


def test_many_keys_take_no_time(keys):
    keys.write_text(f"{OTHER} x\n" * 5000)
    assert run(keys.parent.parent).outcome == "added"
    assert keys.read_text().count("\n") == 5001


def test_form():
    assert SCRIPT.endswith("\nmain\n")
    assert all(len(line) <= 100 for line in SCRIPT.splitlines())
