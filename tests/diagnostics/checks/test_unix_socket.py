"""Unix sockets to listen on: what is at the path, and in its directory."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from diagnostics.checks.unix_socket import CHECK, Facts, judge, probe
from diagnostics.model import Finding, Target
from diagnostics.system import FileStat, Talk
from netkit.model import Endpoint, ForwardKind, ForwardSpec, UnixPath
from support.any_values import any_of
from support.machine import ACCOUNT, FakeSystem

CODES = {kind.code for kind in CHECK.finds}
PATH = "/run/me/x"
HERE = FileStat("/run/me", "directory", 0o700, 1000)


def examine(
    here: FileStat | None = None,
    directory: FileStat | None = HERE,
    answer: str = "refused",
    path: str = PATH,
    **more,
):
    stats = dict(more.pop("stats", {}))
    if here is not None:
        stats[path] = here
    if directory is not None:
        stats[directory.path] = directory
    forward = ForwardSpec(ForwardKind.LOCAL, UnixPath(path), Endpoint("web", 80))
    system = FakeSystem(
        more.pop("os", "linux"),
        stats=stats,
        talk=lambda address, _send: Talk(address, answer),
        **more,
    )
    return judge(probe(Target(forwards=(forward,)), system))


def one(*arguments, **more) -> Finding:
    (finding,) = examine(*arguments, **more)
    assert isinstance(finding, Finding)
    assert finding.code in CODES
    return finding


def commands(finding: Finding) -> list[str]:
    return [fix.command for fix in finding.fixes]


def test_applies():
    assert CHECK.applies(Target()) == "no forward listens on a unix socket"
    forward = ForwardSpec(ForwardKind.DYNAMIC, UnixPath("/x"))
    assert CHECK.applies(Target(forwards=(forward,))) == ""


def test_nothing_in_the_way():
    assert examine() == ()


def socket(uid: int = 1000) -> FileStat:
    return FileStat(PATH, "socket", 0o600, uid)


@pytest.mark.parametrize("answer", ["ok", "timed-out", "reset", "denied"])
def test_taken(answer):
    finding = one(socket(), answer=answer)
    assert finding.code == "unix-socket-taken"
    assert commands(finding) == [
        "netkit forward ... -L /run/me/x.2:web:80",
        "sudo ss -xlp src unix:/run/me/x",
    ]
    assert commands(one(socket(), answer=answer, os="darwin"))[1] == "sudo lsof -- /run/me/x"


def test_a_dead_socket_gives_way_if_it_is_ones_own():
    assert examine(socket()) == ()
    finding = one(socket(uid=0))
    assert finding.code == "unix-socket-left-over"
    assert commands(finding)[1] == "sudo rm /run/me/x"


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("file", "a file"),
        ("directory", "a directory"),
        ("link", "a dangling link"),
        ("fifo", "a named pipe"),
        ("other", "a file"),
    ],
)
def test_something_else_is_there(kind, word):
    finding = one(FileStat(PATH, kind))
    assert finding.code == "unix-socket-path-exists"
    assert word in finding.title
    assert commands(finding)[1] == "ls -ld /run/me/x"


def test_where_every_other_name_is_taken_none_is_proposed():
    taken = {f"{PATH}.{name}": FileStat(PATH, "file") for name in ("2", "3", "4", "new")}
    assert len(one(FileStat(PATH, "file"), stats=taken).fixes) == 1
    third = {f"{PATH}.2": FileStat(PATH, "file")}
    assert "x.3" in commands(one(FileStat(PATH, "file"), stats=third))[0]


def test_no_directory():
    finding = one(directory=None)
    assert finding.code == "unix-socket-directory-missing"
    assert commands(finding) == ["mkdir -p /run/me"]
    assert finding.fixes[0].undo == ("rmdir", "/run/me")
    finding = one(directory=FileStat("/run/me", "file"))
    assert finding.code == "unix-socket-directory-missing"
    assert "is no directory" in finding.title


@pytest.mark.parametrize(
    ("mode", "uid", "allowed"),
    [
        (0o700, 1000, True),
        (0o500, 1000, False),
        (0o600, 1000, False),
        (0o755, 0, False),
        (0o775, 0, True),  # perhaps: groups are not known
        (0o777, 0, True),
        (0o077, 1000, False),
        (0o700, None, True),
    ],
)
def test_directory_rights(mode, uid, allowed):
    found = examine(directory=replace(HERE, mode=mode, uid=uid))
    assert [each.code for each in found] == ([] if allowed else ["unix-socket-directory-denied"])


def test_the_administrator_may():
    root = replace(ACCOUNT, uid=0)
    assert examine(directory=replace(HERE, mode=0, uid=5), account=root) == ()


def test_a_directory_that_may_not_be_searched():
    hidden = FileStat(PATH, error="EACCES")
    finding = one(hidden)
    assert finding.code == "unix-socket-directory-denied"
    assert finding.evidence[0].value == "stat: EACCES"
    above = one(FileStat(PATH, error="ENOENT"), FileStat("/run/me", error="EACCES"))
    assert above.code == "unix-socket-directory-denied"


def test_too_long():
    assert examine(path="/run/me/" + "x" * 99) == ()
    finding = one(path="/run/me/" + "x" * 100)
    assert finding.code == "unix-socket-path-too-long"
    assert "108 bytes; the system takes 107" in finding.explain
    assert one(path="/run/me/" + "x" * 96, os="darwin").code == "unix-socket-path-too-long"
    assert one(path="/run/me/" + "ä" * 50).code == "unix-socket-path-too-long"


def test_a_path_is_no_option():
    finding = one(path="-r/x", directory=FileStat("-r", error="ENOENT"))
    assert commands(finding) == ["mkdir -p ./-r"]


def test_windows():
    assert one(os="windows").code == "unix-socket-unsupported"


@given(any_of(Facts))
def test_judge_is_total(facts):
    for each in judge(facts):
        assert isinstance(each, Finding)
        assert each.code in CODES
