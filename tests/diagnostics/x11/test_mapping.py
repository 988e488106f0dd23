"""What is said of our display on a gateway."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from diagnostics.model import Finding, Severity, Unknown
from diagnostics.parsers.x_gateway import GatewayX
from diagnostics.parsers.x_setup import Reply
from diagnostics.ssh import Knock, Listened
from diagnostics.x11.mapping import KINDS, Facts, Mapping, judge
from diagnostics.x11.server import ACCEPTED, REJECTED, SILENT, Answer, Place
from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec, UnixPath
from support.any_values import any_of

CODES = {kind.code for kind in KINDS}
X0 = UnixPath("/tmp/.X11-unix/X0")
HERE = Place("unix", X0)
THERE = GatewayX(answered=True, host="gw", addresses=("198.51.100.1",))
COOKIE = "host/unix:0"
RECIPE = "x-mapping-recipe"


def bare(outcome: str = REJECTED, *, control: bool | None = True, hosts=()) -> Answer:
    reply = Reply(outcome, control=control, hosts=hosts)
    return Answer(HERE, outcome, reply=reply)


OPEN = bare(ACCEPTED, control=False)


def knocks(outcome: str = "refused", host: str = "198.51.100.1") -> tuple[Knock, ...]:
    local = Knock(origin="gateway", address=Endpoint("127.0.0.1", 6001), outcome="arrived")
    return (local, Knock(origin="here", address=Endpoint(host, 6001), outcome=outcome))


def mapping_of(bind: Address = Endpoint("", 6001), *, outcome: str = "refused", **more) -> Mapping:
    forward = ForwardSpec(ForwardKind.REMOTE, bind, X0)
    listened = Listened(bind=bind, outcome="ok", port=6001, knocks=knocks(outcome))
    return Mapping(forward, **{"bare": bare(), "listened": listened, **more})


def facts_of(mapping: Mapping, **more) -> Facts:
    given = {"os": "linux", "there": THERE, **more}
    return Facts(
        gateway="me@gw", host="gw.example", ssh="me@gw", user="me", mappings=(mapping,), **given
    )


def examine(bind: Address = Endpoint("", 6001), *, facts=None, **more):
    return judge(facts_of(mapping_of(bind, **more), **(facts or {})))


def codes(*given, **more) -> list[str]:
    return [
        each.code if isinstance(each, Finding) else "unknown" for each in examine(*given, **more)
    ]


def first(*given, **more) -> Finding:
    found = examine(*given, **more)[0]
    assert isinstance(found, Finding)
    return found


def test_healthy():
    assert codes() == [RECIPE]
    assert first().severity is Severity.INFO


def test_no_forward_at_all():
    nothing = Facts("linux", "gw", "gw", "gw", "me", GatewayX())
    assert judge(nothing) == ()


def test_no_shell_there():
    found = examine(facts={"there": GatewayX()})
    assert isinstance(found[-1], Unknown)


@pytest.mark.parametrize("answer", [None, bare(SILENT)])
def test_no_server_here(answer: Answer | None):
    """Which another check tells."""
    assert codes(bare=answer) == []


def test_recipe_for_the_gateway():
    found = first(cookie=COOKIE)
    assert "DISPLAY=localhost:1" in found.title
    (fix,) = found.fixes
    assert f"xauth -i list {COOKIE}" in fix.argv[2]
    assert "add unix:1" in fix.argv[2]
    assert "ssh me@gw xauth" in fix.argv[2]


def test_recipe_for_everybody():
    found = first(outcome="arrived", cookie=COOKIE)
    assert "DISPLAY=gw.example:1 or localhost:1" in found.title
    assert "elsewhere" in found.explain
    assert [("ssh HOST" in fix.argv[2]) for fix in found.fixes] == [False, True]


def test_recipe_for_another_loopback_address():
    """For 127.0.0.2 a program looks under the address."""
    found = first(Endpoint("127.0.0.2", 6001), cookie=COOKIE)
    assert "DISPLAY=127.0.0.2:1" in found.title
    assert "add 127.0.0.2:1" in found.fixes[0].argv[2]


def test_recipe_for_a_socket():
    found = first(UnixPath("/tmp/.X11-unix/X3"), listened=None, cookie=COOKIE)
    assert "DISPLAY=:3" in found.title
    assert "add unix:3" in found.fixes[0].argv[2]


def test_recipe_without_a_cookie():
    assert first().fixes == ()
    assert first(cookie=COOKIE, facts={"os": "windows"}).fixes == ()
    found = examine(bare=bare(ACCEPTED, control=True))[-1]
    assert isinstance(found, Finding)
    assert (found.code, found.fixes) == (RECIPE, ())


@pytest.mark.parametrize(
    ("addresses", "warned"),
    [(("127.0.1.1",), True), (("127.0.0.1",), False), (("198.51.100.1",), False)],
)
def test_the_gateways_own_name(addresses: tuple[str, ...], warned: bool):
    there = replace(THERE, addresses=addresses)
    assert ("gw:1 is 127.0.1.1" in first(facts={"there": there}).explain) is warned
    nameless = replace(there, host="")
    assert "127.0.1.1" not in first(facts={"there": nameless}).explain


def test_open_to_anyone():
    found = first(outcome="arrived", bare=OPEN)
    assert (found.code, found.severity) == ("x-open-to-anyone", Severity.ERROR)
    assert "198.51.100.1" in found.title
    assert found.fixes[0].argv[-1] == f"127.0.0.1:6001:{X0.path}"
    assert found.fixes[1].argv == ("xhost", "-")
    assert first(outcome="arrived", bare=OPEN).evidence[-2].value == "off"


def test_open_on_the_gateway():
    hosts = ("si:localuser:me", "inet:192.0.2.5", "si:localuser:a b", "inet:127.0.0.1")
    found = first(bare=bare(ACCEPTED, hosts=hosts))
    assert (found.code, found.severity) == ("x-open-on-gateway", Severity.WARNING)
    assert [fix.argv[1] for fix in found.fixes] == ["-si:localuser:me", "-inet:127.0.0.1"]
    assert found.fixes[0].undo == ("xhost", "+si:localuser:me")


@pytest.mark.parametrize(
    ("host", "outcome", "unproved"),
    [
        ("", "timed-out", True),
        ("", "refused", False),
        ("*", "prohibited", True),
        ("*", "arrived", False),
        ("127.0.0.1", "timed-out", False),
    ],
)
def test_nobody_could_knock(host: str, outcome: str, unproved: bool):
    assert ("unknown" in codes(Endpoint(host, 6001), outcome=outcome, bare=OPEN)) is unproved


@pytest.mark.parametrize(
    "listened", [None, Listened(bind=Endpoint("", 6001), outcome="refused"), "socket"]
)
def test_nothing_to_knock_at(listened):
    if listened == "socket":
        bind: Address = UnixPath("/tmp/.X11-unix/X3")
        assert codes(bind, listened=None, bare=OPEN) == ["x-open-on-gateway", RECIPE]
    else:
        assert codes(listened=listened, bare=OPEN) == ["x-open-on-gateway", RECIPE]


RUNS = Listened(bind=Endpoint("", 6001), outcome="refused")


def test_served():
    found = first(listened=RUNS, served=Reply(REJECTED, reason="no cookie"))
    assert (found.code, found.severity) == ("x-mapping-served", Severity.INFO)
    assert found.evidence[0].value == "rejected no cookie"


@pytest.mark.parametrize(
    ("listeners", "served", "code"),
    [
        ((("0.0.0.0", 6001),), ACCEPTED, "x-open-to-anyone"),
        ((("0.0.0.0", 6002), ("127.0.0.1", 6001)), ACCEPTED, "x-open-on-gateway"),
        ((("0.0.0.0", 6001),), REJECTED, "x-open-on-gateway"),
    ],
)
def test_it_runs_already(listeners, served: str, code: str):
    """Then the gateway's table tells who reaches it."""
    there = replace(THERE, listeners=listeners)
    assert code in codes(listened=RUNS, served=Reply(served), bare=OPEN, facts={"there": there})


@pytest.mark.parametrize(
    ("bind", "fixes"),
    [
        (Endpoint("", 5999), 1),
        (Endpoint("127.0.0.1", 80), 1),
        (UnixPath("/tmp/sock"), 0),
    ],
)
def test_no_display(bind: Address, fixes: int):
    found = first(bind)
    assert found.code == "x-mapping-no-display"
    assert len(found.fixes) == fixes
    assert codes(bind) == ["x-mapping-no-display"]


def test_a_port_that_the_gateway_chooses():
    assert codes(Endpoint("", 0)) == []


def test_collides():
    there = replace(THERE, sockets=(1,), locks=(1, 2), listeners=(("::", 6003),))
    found = first(facts={"there": there})
    assert (found.code, found.severity) == ("x-display-collides", Severity.WARNING)
    assert found.evidence[0].value == "/tmp/.X11-unix/X1 /tmp/.X1-lock"
    assert found.fixes[0].argv[-1] == f"6004:{X0.path}"
    lock = replace(THERE, locks=(1,))
    assert first(facts={"there": lock}).evidence[0].value == "/tmp/.X1-lock"
    socket = UnixPath("/tmp/.X11-unix/X1")
    assert "x-display-collides" not in codes(socket, listened=None, facts={"there": there})


def test_no_display_is_free():
    there = replace(THERE, sockets=tuple(range(300)))
    assert first(facts={"there": there}).fixes == ()


@pytest.mark.parametrize(("number", "told"), [(9, False), (10, True), (99, True), (100, False)])
def test_range_of_sshd(number: int, told: bool):
    found = codes(Endpoint("", 6000 + number))
    assert ("x-display-of-sshd" in found) is told


@given(any_of(Facts))
def test_any_facts(facts: Facts):
    assert {each.code for each in judge(facts) if isinstance(each, Finding)} <= CODES


@given(any_of(GatewayX), any_of(Answer), any_of(Listened))
def test_any_answers(there: GatewayX, answer: Answer, listened: Listened):
    for outcome in (ACCEPTED, REJECTED):
        mapping = mapping_of(bare=replace(answer, outcome=outcome), listened=listened)
        judge(facts_of(mapping, there=there))
