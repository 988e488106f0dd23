from __future__ import annotations

import pytest

from diagnostics.system import FileRead, FileStat
from diagnostics.x11 import authority
from support.machine import ACCOUNT, FakeSystem
from support.xservers import entry

HOME = "/home/me/.Xauthority"


def test_where():
    assert authority.path_of(FakeSystem()) == (HOME, False)
    assert authority.path_of(FakeSystem(variables={"XAUTHORITY": "/x"})) == ("/x", True)
    assert authority.path_of(FakeSystem(variables={"XAUTHORITY": ""})) == (HOME, False)
    account = type(ACCOUNT)("me", None, "C:\\Users\\me", is_admin=False, hostname="box")
    windows = FakeSystem("windows", account=account)
    assert authority.path_of(windows) == ("C:\\Users\\me\\.Xauthority", False)


def test_reading():
    system = FakeSystem(files={HOME: entry(b"c" * 16, 0) + b"\0junk"})
    found = authority.read(system)
    assert (found.path, found.named, found.error) == (HOME, False, "")
    assert [str(each.key) for each in found.entries] == ["host/unix:0"]
    assert found.damaged == len(entry(b"c" * 16, 0))
    assert found.stat.kind == "file"


def test_no_file():
    found = authority.read(FakeSystem())
    assert (found.error, found.entries, found.stat.kind) == ("ENOENT", (), "")


def test_cut_by_us():
    """What is longer than we read is not damaged for that."""
    data = entry(b"c" * 16, 0) * 3
    system = FakeSystem(files={HOME: FileRead(HOME, "", data[:-5], truncated=True)})
    found = authority.read(system)
    assert found.damaged == -1
    assert len(found.entries) == 2


def test_elsewhere():
    cookie = entry(b"c" * 16, 0)
    files = {
        HOME: cookie,
        "/run/user/1000/gdm/Xauthority": cookie,
        "/run/user/1000/.mutter-Xwaylandauth.ABC": cookie,
        "/run/user/1000/xauth_kde": cookie,
        "/home/me/.serverauth.17": cookie,
    }
    directories = {
        "/run/user/1000": (".mutter-Xwaylandauth.ABC", "bus", "xauth_gone", "xauth_kde"),
        "/home/me": (".Xauthority", ".serverauth.17", "notes"),
    }
    system = FakeSystem(files=files, directories=directories)
    assert authority.elsewhere(system, "/x") == tuple(files)
    assert authority.elsewhere(system, HOME) == tuple(files)[1:]
    nobody = FakeSystem(
        account=type(ACCOUNT)("me", None, "/home/me", is_admin=False, hostname="host"),
        stats={HOME: FileStat(HOME, "directory")},
    )
    assert authority.elsewhere(nobody, "/x") == ()


def test_copy():
    (fix,) = authority.copy("host/unix:0", "host.example/unix:1", note="why")
    assert fix.note == "why"
    pick = "xauth -i list host/unix:0 | sed '1!d;s/^[^ ]*/add host.example\\/unix:1/'"
    assert fix.argv == ("sh", "-c", f"{pick} | xauth -q source -")
    (through,) = authority.copy("host/unix:0", "unix:1", through="ssh me@gw")
    assert "| ssh me@gw xauth -q source -" in through.argv[2]


@pytest.mark.parametrize("name", ["", "-f", "a b:1", "a';rm:1", "*:0", "[::1]:0", "x" * 200])
def test_nothing_to_copy(name: str):
    assert authority.copy(name, "unix:1") == ()
    assert authority.copy("unix:1", name) == ()
