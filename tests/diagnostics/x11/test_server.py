from __future__ import annotations

from dataclasses import replace

import pytest

from diagnostics.parsers.x_display import parse
from diagnostics.parsers.xauthority import Entry, Key, key_for
from diagnostics.parsers.xauthority import parse as cookies_of
from diagnostics.system import Connected, Resolution, Talk
from diagnostics.x11 import server
from diagnostics.x11.server import Place
from netkit.model import Endpoint, UnixPath
from support.machine import FakeSystem
from support.xservers import Fake, entry, talk

COOKIE = b"c" * 16
X0 = "/tmp/.X11-unix/X0"
UNIX = Place("unix", UnixPath(X0))
TCP = Place("tcp", Endpoint("127.0.0.1", 6000), "127.0.0.1")
GOOD = cookies_of(entry(COOKIE, 0)).entries


def shown(places) -> list[str]:
    return [str(place) for place in places]


def test_places():
    system = FakeSystem(names={"gw": ("192.0.2.1", "192.0.2.2", "192.0.2.3", "::5", "::6")})
    places, error = server.places_of(system, parse(":0"))
    assert shown(places) == [X0, f"@{X0}", "[::1]:6000", "127.0.0.1:6000"]
    assert error == ""
    assert shown(server.places_of(system, parse("unix:0"))[0]) == [X0, f"@{X0}"]
    assert shown(server.places_of(FakeSystem("darwin"), parse("unix:0"))[0]) == [X0]
    assert shown(server.places_of(system, parse("/run/x"))[0]) == ["/run/x"]
    assert len(server.places_of(system, parse("gw:1"))[0]) == server.MAX_PLACES
    assert server.places_of(system, parse("nowhere:1")) == ((), "EAI_NONAME")


def test_places_of_forwards():
    system = FakeSystem(names={"gw": Resolution("gw", ("192.0.2.1",))})
    assert shown(server.places_to(system, UnixPath(X0))) == [X0]
    assert shown(server.places_to(system, Endpoint("gw", 6001))) == ["192.0.2.1:6001"]


@pytest.mark.parametrize(
    ("fake", "outcome"),
    [
        (Fake(), server.ACCEPTED),
        (Fake(cookie=COOKIE), server.REJECTED),
        (Fake(words=b""), server.CLOSED),
        (Fake(words=b"", outcome="reset"), server.CLOSED),
        (Fake(words=b"\1\0"), server.CLOSED),
        (Fake(words=b"", outcome="timed-out"), server.SILENT),
        (Fake(words=b"\1\0", outcome="timed-out"), server.SILENT),
        (Fake(words=b"SSH-2.0-OpenSSH"), server.STRANGE),
        (Fake(words=b"\2\0\x0b\0\0\0\0\0"), server.MORE),
        (Fake(words=b"", outcome="unreachable"), server.ABSENT),
    ],
)
def test_outcomes(fake: Fake, outcome: str):
    answer = server.ask(FakeSystem(talk=talk({X0: fake})), UNIX)
    assert answer.outcome == outcome
    assert answer.connected is (outcome != server.ABSENT)


def test_nobody():
    answer = server.ask(FakeSystem(talk=talk({})), TCP)
    assert (answer.outcome, answer.error) == (server.ABSENT, "ECONNREFUSED")


@pytest.mark.parametrize(("outcome", "expected"), [("ok", "silent"), ("timed-out", "absent")])
def test_silence_over_tcp(outcome: str, expected: str):
    """It may not take connections at all."""
    system = FakeSystem(
        talk=talk({"127.0.0.1:6000": Fake(words=b"", outcome="timed-out")}),
        connect=lambda address: Connected(address, outcome),
    )
    assert server.ask(system, TCP).outcome == expected


def test_one_that_bears_no_half_close():
    """It hangs up on an end of data, and is asked again without one."""

    class Picky(FakeSystem):
        def talk(self, address, send=b"", *, receive=4096, timeout=3.0, shut=False):
            return Talk(address, "ok", b"" if shut else Fake().reply(send))

    assert server.ask(Picky(), UNIX).outcome == server.ACCEPTED


def test_cookies_are_sent():
    system = FakeSystem(talk=talk({X0: Fake(cookie=COOKIE)}))
    (answer,) = server.visit(system, (UNIX,), GOOD, 0)
    assert (answer.outcome, answer.key, answer.protocol) == (
        server.ACCEPTED,
        "host/unix:0",
        "MIT-MAGIC-COOKIE-1",
    )
    (without,) = server.visit(system, (UNIX,), GOOD, 1)
    assert (without.outcome, without.key, without.protocol) == (
        server.REJECTED,
        "host/unix:1",
        "",
    )


def test_other_protocols_are_not_sent():
    xdm = Entry(key_for("", "host", 0), b"XDM-AUTHORIZATION-1", COOKIE)
    system = FakeSystem(talk=talk({X0: Fake(cookie=COOKIE)}))
    (answer,) = server.visit(system, (UNIX,), (xdm,), 0)
    assert (answer.outcome, answer.protocol) == (server.REJECTED, "XDM-AUTHORIZATION-1")


def test_visit_ends_where_somebody_is():
    system = FakeSystem(talk=talk({f"@{X0}": Fake(), "127.0.0.1:6000": Fake()}))
    places, _ = server.places_of(system, parse(":0"))
    answers = server.visit(system, places, (), 0)
    assert [answer.place.how for answer in answers] == ["unix", "abstract"]
    assert server.visit(system, (), (), 0) == ()


def test_other_cookies():
    kept = Entry(Key(0, bytes([127, 0, 0, 2]), b"0"), GOOD[0].protocol, COOKIE)
    xdm = replace(kept, protocol=b"XDM-AUTHORIZATION-1")
    empty = replace(kept, data=b"")
    wrong = [replace(GOOD[0], data=bytes([n]) * 16) for n in range(20)]
    system = FakeSystem(talk=talk({X0: Fake(cookie=COOKIE)}))
    assert server.others(system, UNIX, (xdm, empty, wrong[0], kept), wrong[0], 0) == "127.0.0.2:0"
    assert server.others(system, UNIX, (*wrong, kept), None, 0) == ""
    assert server.others(system, UNIX, (kept,), kept, 0) == ""
    far = replace(kept, key=replace(kept.key, number=b"7"))
    other_numbers = [replace(each, key=replace(each.key, number=b"7")) for each in wrong]
    assert server.others(system, UNIX, (*other_numbers, kept), None, 0) == "127.0.0.2:0"
    assert server.others(system, UNIX, (far,), None, 0) == "127.0.0.2:7"
    assert server.others(system, UNIX, (), None, 0) == ""
