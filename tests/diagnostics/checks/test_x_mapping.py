"""What is asked about our display on the gateway; `diagnostics.x11.mapping` judges it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from diagnostics.checks.x_mapping import CHECK, Facts, judge, probe
from diagnostics.model import Finding, Target
from diagnostics.parsers import x_gateway
from diagnostics.parsers.gateway_survey import MARKER
from diagnostics.ssh import Knock, Listened, Login, Opened, Route
from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec, UnixPath
from support.any_values import any_of
from support.machine import HOP, FakeSsh, FakeSystem
from support.xservers import Fake, accepted, answers, entry, rejected, talk

CODES = {kind.code for kind in CHECK.finds}
X0 = "/tmp/.X11-unix/X0"
COOKIE = b"secret-of-mine!!"
FILES = {"/home/me/.Xauthority": entry(COOKIE, 0)}
WANTS_COOKIE = {X0: Fake(cookie=COOKIE)}
THERE = f"""{MARKER}
netkit-part host
gw
netkit-part own
1: lo    inet 127.0.0.1/8
2: eth0    inet 198.51.100.1/24
2: eth0    inet 10.0.0.7/24
netkit-part end
"""


def target_of(*binds: Address, to: Address = UnixPath(X0), **more) -> Target:
    forwards = tuple(ForwardSpec(ForwardKind.REMOTE, bind, to) for bind in binds)
    return Target(gateway="me@gw", forwards=forwards, **more)


P6001 = target_of(Endpoint("", 6001))


def ask(target: Target = P6001, servers: dict[str, Fake] = WANTS_COOKIE, **ssh) -> Facts:
    gateway = FakeSsh(**{"run": {x_gateway.ASK: THERE}, **ssh})
    return probe(target, FakeSystem(ssh=gateway, files=FILES, talk=talk(servers)))


def test_applies():
    assert CHECK.applies(P6001) == ""
    assert CHECK.applies(Target(gateway="gw")) == "no remote forward leads to an X server"
    assert CHECK.applies(replace(P6001, gateway="")) == "no gateway is named"


def test_each_leg():
    facts = ask()
    (mapping,) = facts.mappings
    assert (facts.gateway, facts.host, facts.ssh) == ("me@gw", "gw.example", "me@gw")
    assert facts.there.host == "gw"
    assert mapping.bare is not None
    assert mapping.bare.outcome == "rejected"
    assert mapping.cookie == "host/unix:0"
    assert mapping.served is None
    assert mapping.listened is not None
    knocks = [(each.origin, each.address.host) for each in mapping.listened.knocks]
    assert knocks == [
        ("gateway", "127.0.0.1"),
        ("gateway", "198.51.100.1"),
        ("gateway", "10.0.0.7"),
        ("here", "198.51.100.1"),
    ]
    assert COOKIE not in repr(facts).encode()
    found = judge(facts)
    assert {each.code for each in found if isinstance(each, Finding)} == {"x-mapping-recipe"}


def test_before_a_login():
    facts = ask(login=Login(stage="tcp"))
    (mapping,) = facts.mappings
    assert mapping.listened is not None
    assert [each.origin for each in mapping.listened.knocks] == ["gateway"] * 3


def test_open_to_the_network():
    facts = ask(servers={X0: Fake(answers=answers(control=False))})
    codes = [each.code for each in judge(facts) if isinstance(each, Finding)]
    assert "x-open-to-anyone" in codes
    assert facts.mappings[0].cookie == ""


def test_open_and_only_the_loopback():
    def listen(bind: Address, knocks: tuple[Knock, ...]) -> Listened:
        made = tuple(
            replace(each, outcome="arrived" if each.address.host == "127.0.0.1" else "refused")
            for each in knocks
        )
        return Listened(bind=bind, outcome="ok", port=6001, knocks=made)

    facts = ask(servers={X0: Fake()}, listen=listen)
    assert "x-open-on-gateway" in [each.code for each in judge(facts) if isinstance(each, Finding)]


def test_no_server_here():
    (mapping,) = ask(servers={}).mappings
    assert mapping.bare is None


def test_unix_socket_there():
    """Nobody knocks there."""
    (mapping,) = ask(target_of(UnixPath("/tmp/.X11-unix/X5"))).mappings
    assert mapping.listened is None
    assert mapping.cookie == "host/unix:0"


@pytest.mark.parametrize(
    ("data", "status"),
    [(accepted(), "accepted"), (rejected(b"no"), "rejected"), (b"SSH-2.0", ""), (b"", "")],
)
@pytest.mark.parametrize(
    ("bind", "asked"), [("", "127.0.0.1"), ("127.0.0.2", "127.0.0.2"), ("gw", "127.0.0.1")]
)
def test_the_port_is_taken(bind: str, asked: str, data: bytes, status: str):
    def opened(to: Address) -> Opened:
        assert to == Endpoint(asked, 6001)
        return Opened(target=to, outcome="ok", data=data)

    def listen(bind: Address, _knocks) -> Listened:
        return Listened(bind=bind, outcome="refused")

    (mapping,) = ask(target_of(Endpoint(bind, 6001)), listen=listen, opened=opened).mappings
    assert (mapping.served.status if mapping.served else "") == status


@pytest.mark.parametrize(
    ("hop", "config", "line"),
    [
        (HOP, "", "me@gw"),
        (replace(HOP, port=2222), "/c", "-F /c -p 2222 me@gw"),
        (replace(HOP, user=""), "", "gw"),
        (replace(HOP, alias="$(reboot)"), "", ""),
        (replace(HOP, user="", alias="-oProxyCommand=x"), "", ""),
        (HOP, "/a b", ""),
    ],
)
def test_words_for_ssh(hop, config: str, line: str):
    target = replace(P6001, config_file=config)
    assert ask(target, route=Route(hops=(hop,))).ssh == line


def test_no_route():
    facts = ask(route=Route())
    assert (facts.host, facts.ssh) == ("me@gw", "")


def test_many():
    target = target_of(*(Endpoint("", 6001 + n) for n in range(20)))
    assert len(ask(target).mappings) == 4


def test_launchd():
    """A path without a number."""
    to = UnixPath("/private/tmp/com.apple.launchd.0xYz/org.xquartz:0")
    (mapping,) = ask(target_of(Endpoint("", 6001), to=to), {to.path: Fake()}).mappings
    assert mapping.bare is not None


@given(any_of(Facts))
def test_any_facts(facts: Facts):
    assert {each.code for each in judge(facts) if isinstance(each, Finding)} <= CODES
