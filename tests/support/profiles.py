"""Profiles for tests: any of them, a file of them, and a keyring in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from netkit.model import (
    Endpoint,
    Endurance,
    ForwardKind,
    ForwardSpec,
    Gateway,
    HostKeyPolicy,
    Keepalive,
    Limits,
    Profile,
    TunnelSpec,
    UnixPath,
    X11Trust,
)
from netkit.text.forwards import format_forward
from netkit.text.profiles.names import could_be_name

OFFICE = """\
# my tunnels
default = "office"   # the usual one

[profiles.office]  # the desk
gateway = "me@gw.example:2222"
# about keys
identities = ["~/.ssh/id_ed25519"]
keepalive = "auto"

# the desktop
[[profiles.office.forwards]]
kind = "local"
bind = "127.0.0.2:3389"  # as in the recipe
to = "desktop:3389"

[[profiles.office.forwards]]
kind = "dynamic"
bind = "1080"

[profiles.home]
gateway = "home"
"""

_LETTERS = "abcxyzABC0129._-"
_TEXT = st.characters(exclude_categories=["Cc", "Cs"])
ports = st.integers(1, 65535)
names = st.text(_LETTERS, min_size=1, max_size=12).filter(could_be_name)
hosts = st.one_of(
    st.from_regex(r"[a-z0-9_][a-z0-9._-]{0,10}[a-z0-9]", fullmatch=True),
    st.sampled_from(["::1", "fe80::1%eth0", "10.0.0.5"]),
)
users = st.one_of(st.none(), st.sampled_from(["me", "DOM\\me", "a@b", "ü"]))
gateways = st.builds(Gateway, host=hosts, user=users, port=st.one_of(st.none(), ports))
sockets = st.builds(UnixPath, st.text(_TEXT, min_size=1, max_size=20).map(lambda text: f"/{text}"))
targets = st.one_of(st.builds(Endpoint, hosts, ports), sockets)
listening_ports = st.builds(
    Endpoint, st.one_of(st.just(""), st.just("*"), hosts), st.integers(0, 65535)
)
binds = st.one_of(listening_ports, sockets)


def _text(forward: ForwardSpec) -> ForwardSpec:
    return ForwardSpec(forward.kind, forward.bind, forward.to, format_forward(forward))


forwards = st.one_of(
    st.builds(ForwardSpec, st.just(ForwardKind.LOCAL), binds, targets),
    st.builds(ForwardSpec, st.just(ForwardKind.REMOTE), binds, targets),
    st.builds(
        ForwardSpec, st.sampled_from([ForwardKind.REMOTE, ForwardKind.DYNAMIC]), listening_ports
    ),
).map(_text)

_paths = st.text(_TEXT, min_size=1, max_size=20).map(Path)
_algorithms = st.lists(st.sampled_from(["aes128-ctr", "a@b", "+x"]), max_size=3).map(tuple)
_keepalives = st.builds(Keepalive, st.floats(0, 86400, allow_nan=False), st.integers(1, 1000))
tunnels = st.builds(
    TunnelSpec,
    gateway=gateways,
    forwards=st.lists(forwards, max_size=3).map(tuple),
    jumps=st.one_of(st.none(), st.lists(gateways, max_size=2).map(tuple)),
    user=users,
    port=st.one_of(st.none(), ports),
    identities=st.lists(_paths, max_size=2).map(tuple),
    config_file=st.one_of(st.none(), _paths),
    compression=st.sampled_from([None, True, False]),
    ciphers=_algorithms,
    macs=_algorithms,
    keepalive=st.one_of(st.none(), _keepalives),
    host_key=st.sampled_from([None, *HostKeyPolicy]),
    connect_timeout=st.one_of(st.none(), st.floats(0.1, 3600)),
    expose=st.booleans(),
    proxy=st.sampled_from([None, "socks5://h:1080", "http://me@[::1]:3128"]),
    x11=st.sampled_from([None, *X11Trust]),
    endurance=st.builds(
        Endurance,
        reconnect=st.booleans(),
        retries=st.one_of(st.none(), st.integers(0, 2**31 - 1)),
        hold=st.floats(0, 3600),
        probe=st.floats(0, 86400),
        links=st.integers(0, 16),
        spread=st.booleans(),
        takeover=st.booleans(),
    ),
    via=st.lists(gateways, max_size=2).map(tuple),
    limits=st.builds(
        Limits,
        flows=st.integers(0, 1_000_000),
        rate=st.one_of(st.just(0), st.integers(1024, 1 << 50)),
        idle=st.one_of(st.just(0.0), st.floats(1, 30 * 86400)),
        window=st.one_of(st.just(0), st.integers(1 << 20, 1 << 50)),
        targets=st.sampled_from([(), ("*.internal:443",), ("10.0.0.0/8:*", "[::1]:80-90")]),
        sources=st.sampled_from([(), ("192.0.2.0/24", "2001:db8::1")]),
    ),
)


def _profile(name: str, tunnel: TunnelSpec, **others: Any) -> Profile:
    """Make one as a file can say it: with ``auto`` the interval is open."""
    made = Profile(name=name, tunnel=tunnel, **others)
    if made.keepalive_auto and tunnel.keepalive is not None:
        from dataclasses import replace

        keepalive = Keepalive(count=tunnel.keepalive.count)
        return replace(made, tunnel=replace(tunnel, keepalive=keepalive))
    return made


profiles = st.builds(
    _profile,
    name=names,
    tunnel=tunnels,
    keepalive_auto=st.booleans(),
    launch=st.sampled_from(["", "rdp", "vnc", "http"]),
    note=st.text(_TEXT, max_size=20),
)


class MemoryKeyring:
    """Stands for the package keyring; what it holds is gone with it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.held: dict[tuple[str, str], str] = {}
        self.error = error

    def set_password(self, service: str, name: str, password: str) -> None:
        self._check()
        self.held[service, name] = password

    def get_password(self, service: str, name: str) -> str | None:
        self._check()
        return self.held.get((service, name))

    def delete_password(self, service: str, name: str) -> None:
        self._check()
        del self.held[service, name]

    def _check(self) -> None:
        if self.error is not None:
            raise self.error
