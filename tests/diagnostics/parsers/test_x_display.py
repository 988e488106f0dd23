from __future__ import annotations

import ctypes
import ctypes.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers import x_display
from diagnostics.parsers.x_display import Display, differences, openssh, parse, paths_in
from support.peers import unavailable

LAUNCHD = "/private/tmp/com.apple.launchd.0xYz/org.xquartz:0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":0", Display("unix", number=0, fallback=True)),
        (":1.2", Display("unix", number=1, screen=2, fallback=True)),
        ("unix:0", Display("unix")),
        ("unix/:3", Display("unix", number=3)),
        ("unix/anything:3", Display("unix", number=3)),
        ("gateway:1", Display("tcp", "gateway", 1)),
        ("gateway.example.com:1.0", Display("tcp", "gateway.example.com", 1)),
        ("localhost:10.0", Display("tcp", "localhost", 10)),
        ("127.0.0.2:1", Display("tcp", "127.0.0.2", 1)),
        ("tcp/gateway:1", Display("tcp", "gateway", 1)),
        ("inet6/gateway:1", Display("tcp", "gateway", 1)),
        ("[::1]:10", Display("tcp", "::1", 10)),
        ("::1:10", Display("tcp", "::1", 10)),
        ("fe80::1%eth0:0", Display("tcp", "fe80::1%eth0", 0)),
        ("h:59535", Display("tcp", "h", 59535)),
        (LAUNCHD, Display("path", path=LAUNCHD)),
        ("unix:/run/x", Display("path", path="/run/x")),
    ],
)
def test_forms(text: str, expected: Display):
    assert parse(text) == expected


def test_places():
    assert parse(":1").socket == "/tmp/.X11-unix/X1"
    assert parse("gateway:1").port == 6001
    assert parse("gateway:1").socket == ""
    assert str(parse("[::1]:1")) == "TCP to [::1]:6001"
    assert str(parse("gw:1")) == "TCP to gw:6001"
    assert str(parse(":1")) == "the unix socket /tmp/.X11-unix/X1"
    assert str(parse(LAUNCHD)) == f"the unix socket {LAUNCHD}"
    assert parse("GW:1").place == parse("gw:1.0").place
    assert parse(":1").place == parse("unix:1").place
    assert parse(":").place == parse("h").place


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no colon"),
        ("gateway", "no colon"),
        (":", "no display number"),
        ("h:", "no display number"),
        ("h:x", "'x' is no display number"),
        ("h: 1", "is no display number"),
        ("h:-1", "'-1' is no display number"),
        ("h:0x1", "is no display number"),
        ("h:٣", "is no display number"),
        ("h:1.", "no screen number"),
        ("h:1.x", "no screen number"),
        ("h:1.-1", "no screen number"),
        ("h:1.99999999999", "no screen number"),
        ("h:59536", "end at 59535"),
        ("h:99999999999", "end at 59535"),
        ("h:" + "9" * 100, "end at 59535"),
        ("h:99999.x", "end at 59535"),
        ("node::0", "DECnet"),
        ("::0", "DECnet"),
        ("dnet/node:0", "protocol 'dnet'"),
        ("tcp/:0", "no host"),
        ("[]:0", "no name of a host"),
        ("my host:0", "no name of a host"),
        ("a:b:0", "no name of a host"),
        ("h:0\n", "control characters"),
        ("\0", "control characters"),
        ("/tmp/\0x", "no path"),
        ("x" * 600 + ":0", "longer than"),
        ("/" + "x" * 600, "no path"),
    ],
)
def test_no_display(text: str, why: str):
    found = parse(text)
    assert found.kind == "error"
    assert why in found.error
    assert str(found) == found.error
    assert found.hint
    assert found.socket == ""


def test_path_with_a_screen():
    """The screen belongs to the path only where there is such a file (libxcb)."""
    text = f"{LAUNCHD}.1"
    assert paths_in(text) == (text, LAUNCHD)
    assert parse(text, {LAUNCHD}) == Display("path", path=LAUNCHD, screen=1)
    assert parse(text, {text, LAUNCHD}) == Display("path", path=text)
    assert parse(text) == Display("path", path=text)
    assert paths_in("unix:/run/x") == ("/run/x",)
    assert paths_in("/a.b") == ("/a.b",)
    assert paths_in(":0") == ()
    assert paths_in("/a\0") == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":0", Display("unix", number=0)),
        ("::1:10", Display("unix", number=10)),
        ("unix:0.1", Display("unix", number=0)),
        ("gateway:1.0", Display("tcp", "gateway", 1)),
        ("h:1x", Display("tcp", "h", 1)),
    ],
)
def test_openssh(text: str, expected: Display):
    assert openssh(text, "linux", ()) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[::1]:10", "character"),
        ("h@x:0", "character"),
        ("h:-1", "no display number"),
        ("fe80::1:0", "no display number"),
        ("unix:/run/x", "no display number"),
        ("h", "no display number"),
        ("h:60000", "no such port"),
        ("tcp/h:0", "name of a host"),
        (LAUNCHD, "name of a host"),
    ],
)
def test_openssh_goes_nowhere(text: str, why: str):
    found = openssh(text, "linux", {LAUNCHD})
    assert found.kind == "error"
    assert why in found.error


def test_openssh_on_macos_takes_a_path():
    assert openssh(LAUNCHD, "darwin", {LAUNCHD}) == Display("path", path=LAUNCHD)
    assert openssh(f"{LAUNCHD}.0", "darwin", {LAUNCHD}).path == LAUNCHD
    assert openssh(LAUNCHD, "darwin", ()).kind == "error"


@pytest.mark.parametrize(
    "text", [":0", ":1.0", "gateway:1", "localhost:10.0", "127.0.0.2:1", "h:1.", ":", "node::0"]
)
def test_all_agree(text: str):
    assert differences(text, "linux", ()) == ()


@pytest.mark.parametrize(
    ("text", "ssh_means"),
    [
        ("[::1]:10", "nothing"),
        ("::1:10", "the unix socket /tmp/.X11-unix/X10"),
        ("unix/:0", "nothing"),
        ("tcp/h:0", "nothing"),
        ("unix:/run/x", "nothing"),
        (LAUNCHD, "nothing"),
    ],
)
def test_ssh_differs(text: str, ssh_means: str):
    found = [each for each in differences(text, "linux", ()) if each.ssh]
    (difference,) = found
    assert difference.other == "ssh -X"
    assert difference.other_means.startswith(ssh_means)


def test_libxcb_differs_from_itself():
    (found,) = differences("unix:0", "linux", ())
    assert not found.ssh
    assert (found.one_means, found.other_means) == (
        "the unix socket /tmp/.X11-unix/X0",
        "nothing, for there is no file '0'",
    )
    by_path = differences(LAUNCHD, "linux", {LAUNCHD})
    assert [each.ssh for each in by_path] == [False, True]
    assert "protocol" in by_path[0].one_means
    assert differences("unix:/run/x", "linux", {"/run/x"})[0].other_means.endswith("/run/x")


def test_macos_agrees_about_paths():
    assert differences(LAUNCHD, "darwin", {LAUNCHD}) == ()


@given(st.text(max_size=40) | st.text(alphabet=":/.-_[]0123456789unixtcph", max_size=30))
def test_total(text: str):
    for present in ((), paths_in(text)):
        found = parse(text, present)
        assert found.kind in ("unix", "tcp", "path", "error")
        assert 6000 <= found.port <= 65535
        assert bool(found.error) == (found.kind == "error")
        for os in ("linux", "darwin", "windows"):
            for each in differences(text, os, present):
                assert each.one_means != each.other_means


def test_bounded():
    assert parse(":" * (1 << 20)).kind == "error"
    assert parse("/" * (1 << 20)).kind == "error"
    assert len(str(differences("unix:" + "x" * (1 << 20), "linux", ()))) < 1000
    assert paths_in("/" + "x" * (1 << 20)) == ("/" + "x" * (x_display.MAX_TEXT - 1),)


@given(st.text(alphabet=":/.-_[]0123456789unixtcph", min_size=1, max_size=20))
def test_as_libxcb_itself(text: str):
    """What is taken for a display means the same to libxcb; its newer form may refuse it."""
    name = ctypes.util.find_library("xcb")
    if name is None:
        unavailable("libxcb", "apt-get install libxcb1")
    library = ctypes.CDLL(name)
    host, number, screen = ctypes.c_char_p(), ctypes.c_int(), ctypes.c_int()
    known = library.xcb_parse_display(
        text.encode(), ctypes.byref(host), ctypes.byref(number), ctypes.byref(screen)
    )
    found = parse(text)
    if found.kind in ("unix", "tcp") and not text.startswith("unix:"):
        assert known == 1
        assert (number.value, screen.value) == (found.number, found.screen)
        if found.kind == "tcp":
            assert (host.value or b"").decode().strip("[]") == found.host
