"""The file with the X cookies: whole, ours, nobody else's."""

from __future__ import annotations

import pytest
from hypothesis import given

from diagnostics.checks.x_authority import CHECK, Facts, judge, probe
from diagnostics.model import Finding, Severity, Target
from diagnostics.system import FileRead, FileStat
from support.any_values import any_of
from support.machine import FakeSystem
from support.xservers import entry

CODES = {kind.code for kind in CHECK.finds}
FILE = "/home/me/.Xauthority"
COOKIE = entry(b"secret-of-mine!!", 0)
NOW = 1_800_000_000.0


def examine(data: bytes | FileRead | None = COOKIE, os: str = "linux", **more):
    """Judge a file that holds ``data``; ``stat`` replaces what a healthy one has."""
    stats = {FILE: more.pop("stat")} if "stat" in more else {}
    stats |= more.pop("stats", {})
    variables = {"DISPLAY": ":0", **more.pop("variables", {})}
    files = {} if data is None else {FILE: data}
    target = more.pop("target", Target())
    system = FakeSystem(os, files=files, stats=stats, variables=variables, **more)
    return judge(probe(target, system))


def only(*given, **more) -> Finding:
    (found,) = examine(*given, **more)
    assert isinstance(found, Finding)
    assert "secret-of-mine" not in repr(found)
    return found


def test_healthy():
    assert examine() == ()
    assert examine(b"") == ()
    assert examine(None) == ()


def test_missing_only_where_it_is_named():
    named = {"XAUTHORITY": "/run/gone"}
    found = only(variables=named)
    assert (found.code, found.severity) == ("x-authority-missing", Severity.WARNING)
    assert found.fixes[0].argv == ("unset", "XAUTHORITY")
    assert only(variables=named, target=Target(protocol="x")).severity is Severity.ERROR
    assert examine(variables={**named, "DISPLAY": ""}) == ()


def denied(error: str = "EACCES") -> FileRead:
    return FileRead(FILE, error)


def test_unreadable():
    found = only(denied(), stat=FileStat(FILE, "file", 0, 1000))
    assert found.code == "x-authority-unreadable"
    assert found.fixes[0].argv == ("chmod", "600", FILE)
    assert only(denied("EISDIR"), stat=FileStat(FILE, "directory", 0o700, 1000)).fixes[0].argv == (
        "mv",
        FILE,
        f"{FILE}.aside",
    )
    assert only(denied(), stat=FileStat(FILE)).fixes == ()


def test_of_another_user():
    found = only(denied(), stat=FileStat(FILE, "file", 0o600, 0))
    assert found.code == "x-authority-owner"
    assert "root" in found.title
    assert found.fixes[0].argv == ("sudo", "chown", "1000", FILE)


def test_of_another_user_by_name():
    other = "/home/other/.Xauthority"
    system = FakeSystem(
        files={other: FileRead(other, "EACCES")},
        stats={other: FileStat(other, "file", 0o600, 0)},
        variables={"DISPLAY": ":0", "XAUTHORITY": other},
    )
    (found,) = judge(probe(Target(), system))
    assert isinstance(found, Finding)
    assert found.code == "x-authority-owner"
    assert found.fixes[0].argv == ("unset", "XAUTHORITY")


@pytest.mark.parametrize("data", [b"\0junk", b"\x7fELF\0\0\xff", COOKIE + COOKIE[:-3]])
def test_damaged(data: bytes):
    found = only(data)
    assert (found.code, found.severity) == ("x-authority-damaged", Severity.WARNING)
    assert found.fixes[0].undo == ("mv", f"{FILE}.damaged", FILE)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_exposed(mode: int):
    found = only(stat=FileStat(FILE, "file", mode, 1000))
    assert (found.code, found.severity) == ("x-authority-exposed", Severity.WARNING)
    assert found.fixes[0].argv == ("chmod", "600", FILE)
    assert found.fixes[0].undo == ("chmod", f"{mode:o}", FILE)


def test_nothing_to_expose():
    """A file without cookies, or modes that mean nothing."""
    assert examine(b"", stat=FileStat(FILE, "file", 0o644, 1000)) == ()
    path = "/home/me\\.Xauthority"
    system = FakeSystem(
        "windows", files={path: COOKIE}, stats={path: FileStat(path, "file", 0o666)}
    )
    assert judge(probe(Target(), system)) == ()
    locked = FakeSystem(
        "windows",
        files={path: FileRead(path, "EACCES")},
        stats={path: FileStat(path, "file", 0o666)},
    )
    (found,) = judge(probe(Target(), locked))
    assert found.code == "x-authority-unreadable"
    assert found.fixes[0].argv[0] == "mv"


@pytest.mark.parametrize("suffix", ["-c", "-l"])
def test_left_over_lock(suffix: str):
    lock = f"{FILE}{suffix}"
    found = only(stats={lock: FileStat(lock, "file", modified=NOW - 3600)})
    assert found.code == "x-authority-locked"
    assert found.evidence[0].value == "3600 s"


def test_lock_in_use():
    lock = f"{FILE}-c"
    assert examine(stats={lock: FileStat(lock, "file", modified=NOW - 5)}) == ()


@given(any_of(Facts))
def test_any_facts(facts: Facts):
    assert {each.code for each in judge(facts)} <= CODES
