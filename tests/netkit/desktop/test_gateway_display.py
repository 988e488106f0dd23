from __future__ import annotations

import socket
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers.x_gateway import GatewayX
from netkit.desktop.gateway_display import (
    ASK,
    INSTALL,
    Way,
    add_command,
    add_words,
    check_free,
    is_exposed,
    next_free,
    own_name_trap,
    read,
    ways,
)
from netkit.errors import RemoteForwardError
from support.peers import require

COOKIE = bytes(range(16))
THERE = GatewayX(
    answered=True,
    host="gw",
    addresses=("127.0.1.1", "192.0.2.7"),
    sockets=(1,),
    locks=(2,),
    listeners=(("127.0.0.1", 6003), ("::", 6004), ("0.0.0.0", 6005), ("127.0.0.1", 6005)),
)


@pytest.mark.parametrize(("number", "seen"), [(1, "X1 "), (2, "X2-lock"), (3, "6003"), (4, "6004")])
def test_a_display_that_is_taken(number, seen):
    with pytest.raises(RemoteForwardError) as caught:
        check_free(number, THERE, "gw")
    error = caught.value
    assert (error.code, error.exit_code) == ("x-display-collides", 8)
    assert seen in error.cause
    assert error.fixes[0].argv == ("netkit", "x11", "...", "--display", "6")


def test_a_display_that_is_free():
    check_free(6, THERE, "gw")
    check_free(1, GatewayX(), "gw")  # nobody tells: the gateway itself will


@pytest.mark.parametrize(("number", "following"), [(1, 6), (9, 100), (42, 100), (199, 6)])
def test_the_next_that_is_free(number, following):
    assert next_free(number, THERE) == following


@pytest.mark.parametrize(
    ("number", "exposed"), [(3, False), (4, True), (5, True), (7, None), (1, None)]
)
def test_who_reaches_it(number, exposed):
    assert is_exposed(number, THERE) is exposed


LOCAL = Way("localhost:1", "unix:1")


@pytest.mark.parametrize(
    ("bind", "exposed", "expected"),
    [
        ("", None, (LOCAL,)),
        ("localhost", True, (LOCAL,)),
        ("127.0.0.1", None, (LOCAL,)),
        ("::1", None, (LOCAL,)),
        # only 127.0.0.1 and ::1 count as the host itself
        ("127.0.0.2", None, (Way("127.0.0.2:1", "127.0.0.2:1"),)),
        ("*", True, (LOCAL, Way("gw.example:1", "gw.example:1", True))),
        ("0.0.0.0", None, (LOCAL, Way("gw.example:1", "gw.example:1", True))),
        ("*", False, (LOCAL,)),
        ("192.0.2.7", True, (Way("192.0.2.7:1", "192.0.2.7:1", True),)),
        ("192.0.2.7", False, (LOCAL,)),
        ("2001:db8::1", True, (Way("[2001:db8::1]:1", "[2001:db8::1]:1", True),)),
    ],
)
def test_how_programs_use_it(bind, exposed, expected):
    assert ways(bind, "gw.example", 1, exposed=exposed) == expected


def test_own_name():
    assert "127.0.1.1" in own_name_trap(THERE, 1)
    assert own_name_trap(GatewayX(answered=True, host="gw", addresses=("127.0.0.1",)), 1) == ""


def test_words_for_xauth():
    elsewhere = Way("gw:1", "gw:1", True)
    assert add_command(LOCAL, COOKIE) == f"xauth add unix:1 . {COOKIE.hex()}"
    words = add_words((LOCAL, elsewhere), COOKIE)
    assert words == f"add unix:1 MIT-MAGIC-COOKIE-1 {COOKIE.hex()}\n".encode()


@pytest.mark.parametrize(
    ("way", "listed"),
    [(LOCAL, "{host}/unix:1"), (Way("127.0.0.2:1", "127.0.0.2:1"), "127.0.0.2:1")],
)
def test_a_real_xauth_takes_them(tmp_path, way, listed):
    file = tmp_path / "authority"
    known = {"XAUTHORITY": str(file), "PATH": "/usr/bin:/bin"}
    xauth = str(require("xauth"))

    def listed_now() -> str:
        argv = [xauth, "-n", "list"]
        done = subprocess.run(argv, env=known, capture_output=True, text=True, check=True)
        return done.stdout

    words = add_words((way,), COOKIE)
    subprocess.run(INSTALL, shell=True, input=words, env=known, check=True)
    said = listed_now()
    host = socket.gethostname()
    assert said.split() == [listed.format(host=host), "MIT-MAGIC-COOKIE-1", COOKIE.hex()]
    file.unlink()
    command = add_command(way, COOKIE).split()
    subprocess.run(command, env=known, capture_output=True, check=True)
    assert listed_now() == said


def test_a_real_shell_answers():
    done = subprocess.run(ASK, shell=True, capture_output=True, check=False)
    there = read(done.stdout)
    assert there.answered
    assert there.host == socket.gethostname()


@given(st.binary(max_size=300))
def test_any_answer_is_read(data):
    assert read(data).answered in (True, False)
