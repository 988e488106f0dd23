"""Resolved options to a Hop."""

from __future__ import annotations

from pathlib import Path

import pytest

from netkit.errors import ConfigError, UsageError
from netkit.model import Gateway, Hop, HostKeyPolicy, Proxy, TunnelSpec
from netkit.plan.chain import Environment, Step
from netkit.plan.hops import Planner
from netkit.text.ssh_config import Options
from netkit.text.ssh_keywords import DEFAULTS
from netkit.text.ssh_tokens import LocalFacts

GW = Gateway("gw")
LOCAL = LocalFacts(
    home="/home/me",
    user="me",
    uid=1000,
    hostname="box",
    variables={"SSH_AUTH_SOCK": "/agent", "OTHER": "/other", "KEYS": "/keys"},
)


def hop(
    options: Options | None = None,
    spec: TunnelSpec | None = None,
    *,
    last: bool = True,
    direct: bool = True,
    windows: bool = False,
    local: LocalFacts = LOCAL,
    existing: frozenset[Path] = frozenset(),
) -> Hop:
    resolved = {**DEFAULTS, "hostname": ("gw.lan",), "user": ("you",), **(options or {})}
    environment = Environment(
        local=local,
        hosts={GW: resolved},
        defaults=DEFAULTS,
        existing=existing,
        windows=windows,
    )
    step = Step(GW, resolved, direct)
    return Planner(spec or TunnelSpec(gateway=GW), environment, step, last).hop()


def test_defaults():
    made = hop()
    assert (made.alias, made.host, made.name, made.port, made.user) == (
        "gw",
        "gw.lan",
        "gw.lan",
        22,
        "you",
    )
    assert made.known_hosts[0] == Path("/home/me/.ssh/known_hosts")
    assert made.global_known_hosts[0] == Path("/etc/ssh/ssh_known_hosts")
    assert made.host_key is HostKeyPolicy.ASK
    assert made.identities == ()
    assert not made.identities_explicit
    assert made.identity_agent == "/agent"
    assert made.auth_methods == ("publickey", "keyboard-interactive", "password")
    assert (made.ciphers, made.macs, made.kex, made.host_key_algorithms) == ((), (), (), ())
    assert made.proxy_command is None
    assert made.connect_timeout == 30.0
    assert made.password_prompts == 3
    assert not made.compression


def test_what_the_options_say():
    made = hop(
        {
            "port": ("2222",),
            "hostkeyalias": ("alias",),
            "userknownhostsfile": ("/k/%h", "~/k"),
            "globalknownhostsfile": ("none",),
            "hashknownhosts": ("yes",),
            "identitiesonly": ("yes",),
            "certificatefile": ("~/c-%r",),
            "ciphers": ("aes128-ctr,aes256-ctr",),
            "macs": ("m",),
            "kexalgorithms": ("k",),
            "hostkeyalgorithms": ("ssh-ed25519",),
            "compression": ("yes",),
            "connecttimeout": ("7",),
            "addressfamily": ("inet6",),
            "bindaddress": ("127.0.0.1",),
            "numberofpasswordprompts": ("1",),
        }
    )
    assert made == Hop(
        alias="gw",
        host="gw.lan",
        port=2222,
        user="you",
        name="alias",
        known_hosts=(Path("/k/gw.lan"), Path("/home/me/k")),
        hash_known_hosts=True,
        identities_only=True,
        certificates=(Path("/home/me/c-you"),),
        identity_agent="/agent",
        ciphers=("aes128-ctr", "aes256-ctr"),
        macs=("m",),
        kex=("k",),
        host_key_algorithms=("ssh-ed25519",),
        compression=True,
        connect_timeout=7.0,
        address_family="inet6",
        bind_address="127.0.0.1",
        password_prompts=1,
    )


def test_default_identities_are_those_that_exist():
    made = hop(existing=frozenset({Path("/home/me/.ssh/id_ed25519")}))
    assert made.identities == (Path("/home/me/.ssh/id_ed25519"),)
    assert not made.identities_explicit


def test_configured_identities():
    made = hop({"identityfile": ("~/a-%h", "${KEYS}/b", "none")})
    assert made.identities == (Path("/home/me/a-gw.lan"), Path("/keys/b"))
    assert made.identities_explicit


def test_no_identities():
    made = hop({"identityfile": ("none",)}, existing=frozenset({Path("/home/me/.ssh/id_rsa")}))
    assert made.identities == ()


def test_identities_of_the_command_line_are_for_the_destination():
    spec = TunnelSpec(gateway=GW, identities=(Path("/i"), Path("/i")))
    existing = frozenset({Path("/home/me/.ssh/id_rsa")})
    assert hop(spec=spec, existing=existing).identities == (Path("/i"),)
    assert hop(spec=spec, existing=existing).identities_explicit
    both = hop({"identityfile": ("/c",)}, spec)
    assert both.identities == (Path("/i"), Path("/c"))
    jump = hop(spec=spec, last=False, existing=existing)
    assert jump.identities == (Path("/home/me/.ssh/id_rsa"),)
    assert not jump.identities_explicit


@pytest.mark.parametrize(
    ("value", "agent"),
    [
        ("none", ""),
        ("SSH_AUTH_SOCK", "/agent"),
        ("$OTHER", "/other"),
        ("$UNSET", ""),
        ("~/agent-%r", "/home/me/agent-you"),
        ("${OTHER}/x", "/other/x"),
        ("/path", "/path"),
    ],
)
def test_agents(value: str, agent: str):
    assert hop({"identityagent": (value,)}).identity_agent == agent


def test_no_agent():
    bare = LocalFacts(home="/home/me", user="me")
    assert hop(local=bare).identity_agent == ""
    assert hop(local=bare, windows=True).identity_agent == r"\\.\pipe\openssh-ssh-agent"
    assert hop({"identityagent": ("none",)}, local=bare, windows=True).identity_agent == ""


@pytest.mark.parametrize(
    ("options", "methods"),
    [
        ({"preferredauthentications": ("password,publickey",)}, ("password", "publickey")),
        ({"preferredauthentications": ("gssapi-with-mic,password",)}, ("password",)),
        ({"pubkeyauthentication": ("false",)}, ("keyboard-interactive", "password")),
        ({"pubkeyauthentication": ("unbound",)}, ("publickey", "keyboard-interactive", "password")),
        ({"passwordauthentication": ("no",)}, ("publickey", "keyboard-interactive")),
        ({"kbdinteractiveauthentication": ("no",)}, ("publickey", "password")),
    ],
)
def test_methods(options: Options, methods: tuple[str, ...]):
    assert hop(options).auth_methods == methods


def test_no_method_left():
    with pytest.raises(ConfigError) as caught:
        hop({"preferredauthentications": ("gssapi-with-mic",)})
    assert caught.value.code == "no-auth-method"
    assert "GSSAPI needs ssh itself" in caught.value.cause


@pytest.mark.parametrize(
    ("value", "policy"),
    [
        ("true", HostKeyPolicy.STRICT),
        ("yes", HostKeyPolicy.STRICT),
        ("accept-new", HostKeyPolicy.ACCEPT_NEW),
        ("ask", HostKeyPolicy.ASK),
        ("false", HostKeyPolicy.ACCEPT_NEW),
        ("off", HostKeyPolicy.ACCEPT_NEW),
    ],
)
def test_policies(value: str, policy: HostKeyPolicy):
    options = {"stricthostkeychecking": (value,)}
    assert hop(options).host_key is policy
    asked = TunnelSpec(gateway=GW, host_key=HostKeyPolicy.ASK)
    assert hop(options, asked).host_key is HostKeyPolicy.ASK
    assert hop(options, asked, last=False).host_key is HostKeyPolicy.ASK


def test_unknown_policy():
    with pytest.raises(ConfigError, match="StrictHostKeyChecking"):
        hop({"stricthostkeychecking": ("maybe",)})


def test_batch_mode_asks_nothing():
    made = hop({"batchmode": ("yes",)})
    assert made.password_prompts == 0
    assert made.host_key is HostKeyPolicy.STRICT
    both = hop({"batchmode": ("yes",), "stricthostkeychecking": ("accept-new",)})
    assert both.host_key is HostKeyPolicy.ACCEPT_NEW


def test_an_empty_proxy_is_not_the_direct_way():
    with pytest.raises(UsageError, match="no proxy"):
        hop({}, TunnelSpec(gateway=GW, proxy=""))


def test_proxy_command_is_expanded_and_only_for_a_direct_hop():
    options = {"proxycommand": ("nc %h %p # %r %n %%",), "port": ("2",)}
    assert hop(options).proxy_command == "nc gw.lan 2 # you gw %"
    assert hop(options, direct=False).proxy_command is None
    assert hop({"proxycommand": ("none",)}).proxy_command is None
    # -J none asks for no proxy at all.
    assert hop(options, TunnelSpec(gateway=GW, jumps=())).proxy_command is None
    asked = TunnelSpec(gateway=GW, jumps=(Gateway("j"),))
    assert hop(options, asked, last=False).proxy_command is not None
    with pytest.raises(ConfigError, match="%d"):
        hop({"proxycommand": ("x %d",)})


def test_a_proxy_takes_the_place_of_a_proxy_command_and_is_only_for_a_direct_hop():
    options: Options = {"proxycommand": ("nc %h %p",)}
    asked = TunnelSpec(gateway=GW, proxy="socks5://me@proxy")
    direct = hop(options, spec=asked)
    assert (direct.proxy, direct.proxy_command) == (Proxy("socks5", "proxy", 1080, "me"), None)
    assert hop(options, spec=asked, direct=False).proxy is None
    with pytest.raises(UsageError):
        hop(options, spec=TunnelSpec(gateway=GW, proxy="proxy:1080"))


def test_command_line_goes_first_for_the_destination():
    spec = TunnelSpec(
        gateway=GW, compression=False, ciphers=("c",), macs=("m",), connect_timeout=1.5
    )
    options = {"compression": ("yes",), "ciphers": ("x",), "macs": ("y",)}
    made = hop(options, spec)
    assert (made.compression, made.ciphers, made.macs) == (False, ("c",), ("m",))
    assert made.connect_timeout == 1.5
    jump = hop(options, spec, last=False)
    assert (jump.compression, jump.ciphers, jump.macs) == (True, ("x",), ("y",))
    assert jump.connect_timeout == 1.5


@pytest.mark.parametrize(
    "options",
    [
        {"port": ("0",)},
        {"port": ("70000",)},
        {"port": ("x",)},
        {"identityfile": ("~nobody/x",)},
        {"identityfile": ("%q",)},
        {"identityfile": ("${UNSET}",)},
        {"identityfile": ("a\0b",)},
    ],
)
def test_impossible_options(options: Options):
    with pytest.raises(ConfigError):
        hop(options)
