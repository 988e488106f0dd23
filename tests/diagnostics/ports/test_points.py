"""Where forwards listen, which addresses meet, and the words that move a forward."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.model import Target
from diagnostics.ports.points import (
    Wanted,
    WantedPath,
    again,
    again_at,
    applies,
    bare,
    elsewhere,
    listening,
    overlaps,
    sockets,
    where,
)
from netkit.model import Endpoint, ForwardKind, ForwardSpec, UnixPath
from netkit.text.forwards import parse_forward
from support.any_values import any_of

WEB = Endpoint("web", 80)
LOCAL, REMOTE, DYNAMIC = ForwardKind.LOCAL, ForwardKind.REMOTE, ForwardKind.DYNAMIC


def target(*forwards: ForwardSpec) -> Target:
    return Target(forwards=forwards)


def test_what_listens_here():
    asked = target(
        ForwardSpec(LOCAL, Endpoint("", 8080), WEB, text="8080:web:80"),
        ForwardSpec(DYNAMIC, Endpoint("127.0.0.2", 1080)),
        ForwardSpec(REMOTE, Endpoint("", 9), WEB),
        ForwardSpec(LOCAL, Endpoint("", 0), WEB),
        ForwardSpec(LOCAL, UnixPath("/run/x"), WEB),
        ForwardSpec(LOCAL, Endpoint("", 5432), UnixPath("/run/pg:1")),
    )
    assert listening(asked) == (
        Wanted("-L", "", 8080, "web:80", 80, "8080:web:80"),
        Wanted("-D", "127.0.0.2", 1080, "", 0, "dynamic 127.0.0.2:1080 -> any"),
        Wanted("-L", "", 5432, "/run/pg\\:1", 0, "local :5432 -> /run/pg:1"),
    )
    assert sockets(asked) == (WantedPath("-L", "/run/x", "web:80"),)


def test_applies():
    assert applies(target()) == "no forward listens on this machine"
    assert applies(target(ForwardSpec(REMOTE, Endpoint("", 9), WEB)))
    assert applies(target(ForwardSpec(LOCAL, UnixPath("/x"), WEB)))
    assert applies(target(ForwardSpec(LOCAL, Endpoint("", 0), WEB))) == (
        "the system chooses the port"
    )
    assert applies(target(ForwardSpec(LOCAL, Endpoint("", 1), WEB))) == ""


@pytest.mark.parametrize(
    ("held", "wanted", "meets"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("0.0.0.0", "127.0.0.2", True),
        ("127.0.0.2", "0.0.0.0", True),
        ("::", "127.0.0.1", True),
        ("::", "::1", True),
        ("::1", "127.0.0.1", False),
        ("127.0.0.1", "::", False),
        ("0.0.0.0", "::1", False),
        ("::ffff:127.0.0.1", "127.0.0.1", True),
        ("fe80::1%eth0", "fe80::1", True),
        ("::", "junk", False),
    ],
)
def test_overlaps(held, wanted, meets):
    assert overlaps(held, wanted) is meets


def test_where():
    assert where("::1", 80) == "[::1]:80"
    assert where("127.0.0.1", 80) == "127.0.0.1:80"


@given(st.text(max_size=20), st.text(max_size=20))
def test_overlaps_is_total(held, wanted):
    overlaps(held, wanted)
    bare(held)


@pytest.mark.parametrize(
    "forward",
    [
        ForwardSpec(LOCAL, Endpoint("", 8080), WEB),
        ForwardSpec(LOCAL, Endpoint("*", 8080), Endpoint("2001:db8::1", 80)),
        ForwardSpec(LOCAL, Endpoint("::1", 8080), UnixPath("x")),
        ForwardSpec(LOCAL, Endpoint("127.0.0.2", 8080), UnixPath("[a/b\\c:d")),
        ForwardSpec(LOCAL, Endpoint("localhost", 8080), UnixPath(" /x")),
        ForwardSpec(DYNAMIC, Endpoint("", 8080)),
        ForwardSpec(DYNAMIC, Endpoint("127.0.0.2", 8080)),
    ],
)
def test_again_is_what_netkit_reads(forward):
    """The words are ssh's grammar, written without netkit's own writer."""
    (wanted,) = listening(target(forward))
    command = again(wanted, port=8081)
    assert command[:3] == ("netkit", "forward", "...")
    assert command[3] == {LOCAL: "-L", DYNAMIC: "-D"}[forward.kind]
    read = parse_forward(forward.kind, command[4])
    assert read.bind == Endpoint(forward.bind.host, 8081)
    expected = UnixPath("./x") if forward.to == UnixPath("x") else forward.to
    assert read.to == expected
    other = parse_forward(forward.kind, again(wanted, host="127.0.0.9")[4])
    assert other.bind == Endpoint("127.0.0.9", 8080)


@given(st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=30))
def test_paths_survive(path):
    path = f"/{path}"
    (wanted,) = sockets(target(ForwardSpec(LOCAL, UnixPath(path), WEB)))
    read = parse_forward(LOCAL, again_at(wanted, path)[4])
    assert (read.bind, read.to) == (UnixPath(path), WEB)


def test_again_at_of_a_proxy():
    wanted = WantedPath("-D", "/x")
    assert again_at(wanted, "/y") == ("netkit", "forward", "...", "-D", "/y")


def test_elsewhere():
    wanted = Wanted("-L", "", 8080, "web:80", 80)
    (fix,) = elsewhere(wanted, 8081)
    assert fix.argv[3:] == ("-L", "8081:web:80")
    assert fix.note == "port 8081 is free"
    (fix,) = elsewhere(wanted, 0)
    assert fix.argv[4] == "0:web:80"
    assert "system choose" in fix.note


@given(any_of(Target))
def test_total(asked):
    assert isinstance(applies(asked), str)
    for wanted in listening(asked):
        assert again(wanted)
    for path in sockets(asked):
        assert again_at(path, path.path)
