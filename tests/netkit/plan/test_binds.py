"""Which binds need --expose, and which clash."""

from __future__ import annotations

import pytest

from netkit.errors import UsageError
from netkit.model import ForwardKind, ForwardSpec
from netkit.plan.binds import check_exposure, find_clash, is_loopback
from netkit.text.forwards import parse_forward

_KINDS = {"-L": ForwardKind.LOCAL, "-R": ForwardKind.REMOTE, "-D": ForwardKind.DYNAMIC}


def forward(text: str) -> ForwardSpec:
    option, _, rest = text.partition(" ")
    return parse_forward(_KINDS[option], rest)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost",
        "LOCALHOST",
        "127.0.0.1",
        "127.0.0.2",
        "127.255.0.1",
        "::1",
        "::ffff:127.0.0.1",
    ],
)
def test_loopback(host: str):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["*", "0.0.0.0", "::", "10.0.0.1", "box.lan", "0", "127.1", "fe80::1%lo", "::ffff:10.0.0.1"],
)
def test_not_loopback(host: str):
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "text",
    [
        "-L 8080:db:80",
        "-L 127.0.0.2:8080:db:80",
        "-L [::1]:8080:db:80",
        "-L localhost:8080:db:80",
        "-L /tmp/l:db:80",
        "-D 1080",
        "-R *:8080:db:80",
        "-R 0.0.0.0:8080:db:80",
    ],
)
def test_private_forwards_need_nothing(text: str):
    assert check_exposure(forward(text), "gw", expose=False) is None
    assert check_exposure(forward(text), "gw", expose=True) is None


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("-L *:8080:db:80", "every machine"),
        ("-L :8080:db:80", "every machine"),
        ("-L 0.0.0.0:8080:db:80", "every machine"),
        ("-L [::]:8080:db:80", "every machine"),
        ("-L 10.0.0.1:8080:db:80", "who reaches 10.0.0.1:8080"),
        ("-L box.lan:8080:/run/x", "who reaches box.lan:8080"),
    ],
)
def test_exposed_forwards_need_a_yes(text: str, who: str):
    with pytest.raises(UsageError) as caught:
        check_exposure(forward(text), "me@gw", expose=False)
    error = caught.value
    assert error.code == "bind-needs-expose"
    assert who in error.cause
    assert error.fixes[0].argv == ("netkit", "forward", "...", "--expose")
    assert error.fixes[1].argv[4].startswith("127.0.0.1:8080:")
    warning = check_exposure(forward(text), "me@gw", expose=True)
    assert warning is not None
    assert who in warning
    assert "through me@gw" in warning


def test_exposed_dynamic_forward_says_how_far_it_goes():
    warning = check_exposure(forward("-D *:1080"), "gw", expose=True)
    assert warning == (
        "*:1080 is exposed: every machine that reaches this one gets to whatever gw reaches"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("-L 1:a:1", "-L 1:b:2"),
        ("-L 1:a:1", "-D 1"),
        ("-L 1:a:1", "-L 127.0.0.1:1:b:2"),
        ("-L localhost:1:a:1", "-L [::1]:1:b:2"),
        ("-L *:1:a:1", "-L 10.0.0.1:1:b:2"),
        ("-L 0.0.0.0:1:a:1", "-D 1"),
        ("-L [::]:1:a:1", "-L [::1]:1:a:1"),
        ("-L [0::1]:1:a:1", "-L [::1]:1:a:1"),
        ("-L /tmp/a:a:1", "-L /tmp/a:b:2"),
        ("-R 1:a:1", "-R 1:b:2"),
        ("-R Host:1:a:1", "-R host:1"),
        ("-R /tmp/a:a:1", "-R /tmp/a:b:2"),
    ],
)
def test_clashes(one: str, other: str):
    assert find_clash(forward(one), [forward(other)]) == forward(other)
    assert find_clash(forward(other), [forward(one)]) == forward(one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("-L 1:a:1", "-L 2:a:1"),
        ("-L 0:a:1", "-L 0:a:1"),
        ("-L 1:a:1", "-R 1:a:1"),
        ("-L 127.0.0.1:1:a:1", "-L 127.0.0.2:1:a:1"),
        ("-L 127.0.0.1:1:a:1", "-L [::1]:1:a:1"),
        ("-L 0.0.0.0:1:a:1", "-L [::]:1:a:1"),
        ("-L /tmp/a:a:1", "-L /tmp/b:a:1"),
        ("-L /tmp/a:a:1", "-L 1:a:1"),
        ("-R 1:a:1", "-R *:1:a:1"),
        ("-R 0:a:1", "-R 0:a:1"),
    ],
)
def test_no_clash(one: str, other: str):
    assert find_clash(forward(one), [forward(other)]) is None
    assert find_clash(forward(other), [forward(one)]) is None
