from __future__ import annotations

import pytest

from diagnostics.model import Severity, Target
from diagnostics.x11 import wanted
from netkit.model import Endpoint, ForwardKind, ForwardSpec, UnixPath

X = Endpoint("localhost", 6000)
LAUNCHD = UnixPath("/private/tmp/com.apple.launchd.0xYz/org.xquartz:0")
R = ForwardKind.REMOTE


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (X, True),
        (Endpoint("localhost", 6063), True),
        (Endpoint("localhost", 6064), False),
        (Endpoint("localhost", 5999), False),
        (UnixPath("/tmp/.X11-unix/X0"), True),
        (UnixPath("/tmp/.X11-unix/X0.old"), False),
        (LAUNCHD, True),
        (UnixPath("/run/postgresql/.s.PGSQL.5432"), False),
    ],
)
def test_servers(address, expected):
    assert wanted.is_server(address) is expected


def test_forwards():
    ours = ForwardSpec(R, Endpoint("", 6001), X)
    others = (
        ForwardSpec(ForwardKind.LOCAL, Endpoint("", 6001), X),
        ForwardSpec(R, Endpoint("", 6001), Endpoint("localhost", 80)),
        ForwardSpec(R, Endpoint("", 6001)),
    )
    assert wanted.remote(Target(forwards=(*others, ours))) == (ours,)
    assert wanted.wanted(Target(forwards=(ours,)))
    assert wanted.wanted(Target(forwards=others[:1]))
    assert not wanted.wanted(Target(forwards=others[1:]))
    assert not wanted.wanted(Target())


def test_asked():
    assert wanted.asked(Target(protocol="X11"))
    assert wanted.wanted(Target(protocol="x"))
    assert not wanted.asked(Target(protocol="ftp"))


def test_severity():
    assert wanted.severity(matters=True) is Severity.ERROR
    assert wanted.severity(matters=False) is Severity.WARNING


@pytest.mark.parametrize(
    ("address", "number"),
    [
        (Endpoint("", 6001), 1),
        (Endpoint("", 65535), 59535),
        (Endpoint("", 5999), None),
        (Endpoint("", 0), None),
        (UnixPath("/tmp/.X11-unix/X12"), 12),
        (LAUNCHD, None),
    ],
)
def test_numbers(address, number):
    assert wanted.number_of(address) == number
