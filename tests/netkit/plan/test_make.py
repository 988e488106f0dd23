"""make_plan."""

from __future__ import annotations

import pytest

from netkit.errors import UsageError
from netkit.model import (
    Endpoint,
    Endurance,
    ForwardKind,
    ForwardSpec,
    Gateway,
    Keepalive,
    Plan,
    TunnelSpec,
    X11Trust,
)
from netkit.plan import Environment, make_plan
from netkit.text.forwards import parse_forward
from netkit.text.ssh_config import Options
from netkit.text.ssh_keywords import DEFAULTS
from netkit.text.ssh_tokens import LocalFacts

GW = Gateway("gw")
_KINDS = {"-L": ForwardKind.LOCAL, "-R": ForwardKind.REMOTE, "-D": ForwardKind.DYNAMIC}


def forward(text: str) -> ForwardSpec:
    option, _, rest = text.partition(" ")
    return parse_forward(_KINDS[option], rest)


def plan(
    *forwards: str,
    options: Options | None = None,
    expose: bool = False,
    keepalive: Keepalive | None = None,
    others: dict[str, Options] | None = None,
    ssh: str | None = "/usr/bin/ssh",
) -> Plan:
    hosts = {"gw": options or {}, **(others or {})}
    environment = Environment(
        local=LocalFacts(home="/home/me", user="me"),
        hosts={Gateway(name): {**DEFAULTS, **given} for name, given in hosts.items()},
        defaults=DEFAULTS,
        ssh=ssh,
    )
    spec = TunnelSpec(
        gateway=GW,
        forwards=tuple(forward(text) for text in forwards),
        expose=expose,
        keepalive=keepalive,
    )
    return make_plan(spec, environment)


def test_plain():
    made = plan("-L 8080:db:80")
    assert [hop.alias for hop in made.hops] == ["gw"]
    assert made.forwards == (forward("-L 8080:db:80"),)
    assert made.keepalive == Keepalive(30.0, 3)
    assert made.warnings == ()


@pytest.mark.parametrize("trust", [None, *X11Trust])
def test_x11_is_what_was_asked_for_and_not_what_ssh_config_says(trust):
    """-X means untrusted whatever a distribution has made of ForwardX11Trusted."""
    options = {"forwardx11": ("yes",), "forwardx11trusted": ("yes",)}
    environment = Environment(
        local=LocalFacts(home="/home/me", user="me"),
        hosts={GW: {**DEFAULTS, **options}},
        defaults=DEFAULTS,
    )
    made = make_plan(TunnelSpec(gateway=GW, x11=trust), environment)
    assert made.x11 is trust


def test_what_becomes_of_a_lost_link_is_what_was_asked_for():
    environment = Environment(
        local=LocalFacts(home="/home/me", user="me"), hosts={GW: DEFAULTS}, defaults=DEFAULTS
    )
    endurance = Endurance(retries=3, hold=0)
    assert make_plan(TunnelSpec(gateway=GW), environment).endurance == Endurance()
    spec = TunnelSpec(gateway=GW, endurance=endurance)
    assert make_plan(spec, environment).endurance == endurance


def test_hops_in_order_each_with_its_own_options():
    made = plan(
        options={"proxyjump": ("a,b",), "compression": ("yes",), "proxycommand": ("never",)},
        others={"a": {"proxycommand": ("nc %h",)}, "b": {"proxycommand": ("never",)}},
    )
    assert [hop.alias for hop in made.hops] == ["a", "b", "gw"]
    assert [hop.compression for hop in made.hops] == [False, False, True]
    assert [hop.proxy_command for hop in made.hops] == ["nc a", None, None]


def test_configured_forwards_come_last():
    made = plan(
        "-L 1:a:1",
        options={
            "localforward": ("2 [b]:2",),
            "remoteforward": ("3 [socks]:0",),
            "dynamicforward": ("4",),
        },
    )
    assert [(f.kind.value, f.bind, f.to) for f in made.forwards] == [
        ("local", Endpoint("", 1), Endpoint("a", 1)),
        ("local", Endpoint("", 2), Endpoint("b", 2)),
        ("remote", Endpoint("", 3), None),
        ("dynamic", Endpoint("", 4), None),
    ]


def test_forwards_of_jump_hosts_are_theirs():
    made = plan(
        options={"proxyjump": ("a",)},
        others={"a": {"localforward": ("2 [b]:2",)}},
    )
    assert made.forwards == ()


def test_clear_all_forwardings():
    options = {"localforward": ("2 [b]:2",), "clearallforwardings": ("yes",)}
    assert plan("-L 1:a:1", options=options).forwards == (forward("-L 1:a:1"),)


def test_command_line_takes_the_place_of_the_configuration():
    made = plan("-L 8080:other:80", options={"localforward": ("8080 [db]:80",)})
    assert [str(f.to) for f in made.forwards] == ["other:80"]
    assert made.warnings == (
        "LocalForward 8080 [db]:80 in ssh_config is left out: its place is taken",
    )


def test_the_same_forward_twice_is_one():
    made = plan("-L 8080:db:80", options={"localforward": ("8080 [db]:80",)})
    assert len(made.forwards) == 1
    assert made.warnings == ()


@pytest.mark.parametrize("forwards", [("-L 1:a:1", "-D 1"), ("-R 1:a:1", "-R 1:b:1")])
def test_duplicates(forwards: tuple[str, ...]):
    with pytest.raises(UsageError) as caught:
        plan(*forwards)
    assert caught.value.code == "duplicate-bind"


def test_duplicates_within_the_configuration():
    with pytest.raises(UsageError, match=r"LocalForward 1 .* LocalForward 1 "):
        plan(options={"localforward": ("1 [a]:1", "1 [b]:1")})


def test_expose():
    with pytest.raises(UsageError) as caught:
        plan("-L *:8080:db:80")
    assert caught.value.code == "bind-needs-expose"
    made = plan("-L *:8080:db:80", expose=True)
    assert "every machine that reaches this one gets to db:80 through gw" in made.warnings[0]
    with pytest.raises(UsageError):
        plan(options={"dynamicforward": ("[*]:1080",)})


def test_gateway_ports():
    options = {"gatewayports": ("yes",)}
    private = plan("-L 8080:db:80", "-R 9:a:1", "-L 127.0.0.1:81:db:80", options=options)
    assert private.forwards[0].bind == Endpoint("", 8080)
    assert len(private.warnings) == 1
    assert "--expose opens it" in private.warnings[0]
    public = plan(
        "-L 8080:db:80", "-R 9:a:1", "-L 127.0.0.1:81:db:80", options=options, expose=True
    )
    assert [f.bind for f in public.forwards] == [
        Endpoint("*", 8080),
        Endpoint("", 9),
        Endpoint("127.0.0.1", 81),
    ]
    assert "is exposed" in public.warnings[0]


@pytest.mark.parametrize(
    ("options", "asked", "expected"),
    [
        ({}, None, Keepalive(30.0, 3)),
        ({"serveraliveinterval": ("15",), "serveralivecountmax": ("4",)}, None, Keepalive(15.0, 4)),
        ({"serveralivecountmax": ("9",)}, None, Keepalive(30.0, 3)),
        ({"serveraliveinterval": ("15",)}, Keepalive(1.0, 2), Keepalive(1.0, 2)),
        ({"serveraliveinterval": ("15",)}, Keepalive(0.0, 3), Keepalive(0.0, 3)),
    ],
)
def test_keepalive(options: Options, asked: Keepalive | None, expected: Keepalive):
    assert plan(options=options, keepalive=asked).keepalive == expected


def test_count_of_zero_never_gives_up():
    options = {"serveraliveinterval": ("15",), "serveralivecountmax": ("0",)}
    assert plan(options=options).keepalive.count > 10**6


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"stricthostkeychecking": ("false",)}, "a changed host key is still refused"),
        ({"tunnel": ("point-to-point",)}, "Tunnel"),
        ({"proxyusefdpass": ("yes",)}, "ProxyUseFdpass"),
        ({"pkcs11provider": ("/x",)}, "PKCS11Provider"),
        ({"knownhostscommand": ("/x",)}, "KnownHostsCommand"),
        ({"revokedhostkeys": ("/x",)}, "RevokedHostKeys"),
        ({"bindinterface": ("eth0",)}, "BindInterface"),
        ({"verifyhostkeydns": ("ask",)}, "VerifyHostKeyDNS"),
        ({"localcommand": ("x",), "permitlocalcommand": ("yes",)}, "LocalCommand"),
        ({"nohostauthenticationforlocalhost": ("yes",)}, "localhost"),
    ],
)
def test_warnings_about_what_is_not_carried_out(options: Options, text: str):
    (warning,) = plan(options=options).warnings
    assert warning.startswith("gw: ")
    assert text in warning


@pytest.mark.parametrize(
    "options",
    [
        {"tunnel": ("false",)},
        {"pkcs11provider": ("none",)},
        {"localcommand": ("x",)},
        {"controlmaster": ("auto",), "controlpath": ("/x",)},
        {"verifyhostkeydns": ("false",)},
        {"canonicalizehostname": ("true",)},
    ],
)
def test_no_warning_without_need(options: Options):
    assert plan(options=options).warnings == ()


def test_own_reader_does_not_canonicalize():
    options = {"canonicalizehostname": ("true",)}
    assert "CanonicalizeHostname" in plan(options=options, ssh=None).warnings[0]
