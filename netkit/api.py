"""The library's front door: a tunnel in one call.

with netkit.open_tunnel("me@gateway", ["127.0.0.1:0:db.internal:5432"]) as tunnel:
    tunnel.forwards[0].address      # where to connect
    tunnel.local_bind_port          # the same, for people coming from sshtunnel

with netkit.open_tunnel("gateway") as tunnel:
    sock = tunnel.open("db.internal", 5432)     # no local port at all
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from netkit.errors import UsageError
from netkit.files import at_home
from netkit.model import (
    Endurance,
    ForwardKind,
    ForwardSpec,
    Gateway,
    HostKeyPolicy,
    Keepalive,
    Limits,
    TunnelSpec,
)
from netkit.text.endpoints import parse_gateway
from netkit.text.forwards import parse_forward

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from netkit.engine.tunnel import Tunnel
    from netkit.events import Event
    from netkit.prompt import Prompter


def local(text: str) -> ForwardSpec:
    """Return a local forward from ssh's ``-L`` grammar: ``[bind:]port:host:hostport``.

    Port 0 lets the system choose; the tunnel says which.  Unix sockets and ``[v6]`` as for ssh.

    Raises:
        UsageError: ``text`` does not follow the grammar.
    """
    return parse_forward(ForwardKind.LOCAL, text)


def remote(text: str) -> ForwardSpec:
    """Return a remote forward from ssh's ``-R`` grammar: the gateway listens, we connect.

    Raises:
        UsageError: ``text`` does not follow the grammar.
    """
    return parse_forward(ForwardKind.REMOTE, text)


def dynamic(text: str) -> ForwardSpec:
    """Return a dynamic forward (SOCKS and HTTP proxy) from ssh's ``-D`` grammar: ``[bind:]port``.

    Raises:
        UsageError: ``text`` does not follow the grammar.
    """
    return parse_forward(ForwardKind.DYNAMIC, text)


def open_tunnel(
    gateway: str | Gateway | None = None,
    forwards: Iterable[str | ForwardSpec] = (),
    *,
    profile: str | None = None,
    user: str | None = None,
    port: int | None = None,
    identities: Iterable[str | Path] = (),
    password: str | None = None,
    jumps: Iterable[str | Gateway] | None = None,
    config_file: str | Path | None = None,
    compression: bool | None = None,
    ciphers: Iterable[str] = (),
    macs: Iterable[str] = (),
    keepalive: Keepalive | None = None,
    host_key: HostKeyPolicy | str | None = None,
    connect_timeout: float | None = None,
    expose: bool = False,
    proxy: str | None = None,
    reconnect: bool = True,
    retries: int | None = None,
    hold: float = 10.0,
    takeover: bool = False,
    links: int | Literal["auto"] = 1,
    via: Sequence[str] = (),
    spread: bool = False,
    limits: Limits | None = None,
    prompter: Prompter | None = None,
    observer: Callable[[Event], None] | None = None,
) -> Tunnel:
    """Open a tunnel and return it started; use it as a context manager or call ``stop()``.

    It listens, is connected and logged in when this returns; what goes wrong is raised here,
    with everything undone.  ~/.ssh/config, known_hosts, keys and the agent are used as by ssh.
    Nothing is ever asked unless a ``prompter`` is given, so an unknown host key is refused
    unless ``host_key`` (or ssh_config) says ``"accept-new"``.

    Args:
        gateway: ``[user@]host[:port]`` or an alias of ssh_config; optional with a ``profile``.
        forwards: strings are ssh's ``-L`` grammar; ``local``, ``remote`` and ``dynamic`` make
            the other kinds.
        profile: the name of a saved tunnel.  The other arguments go before what it says,
            ``forwards`` take the place of all of its own, and a password that the system's keyring
            holds for it is used.  A keepalive of ``auto`` is the default one here.
        user: login name; by default from ``gateway``, ssh_config, then the local name.
        port: the gateway's port; by default from ``gateway``, ssh_config, then 22.
        identities: private key files, tried first.
        password: for password and keyboard-interactive login.
        jumps: gateways to pass on the way (ProxyJump); an empty iterable means none at all.
        config_file: read instead of ~/.ssh/config.
        compression: ``None`` leaves it to ssh_config.
        ciphers: allowed ciphers, preferred first; empty leaves it to ssh_config, then netkit.
        macs: the same for message authentication codes.
        keepalive: how to notice a dead gateway; by default 3 times 30 s.
        host_key: ``"strict"``, ``"accept-new"``, or ``"ask"`` (asks the ``prompter``); ``None``
            leaves it to ssh_config.
        connect_timeout: seconds for TCP, banner and key exchange of one hop.
        expose: allow forwards that other machines can reach.
        proxy: URL of a proxy on the way to the first gateway, as ``socks5://host:1080``.
        reconnect: make a link that is lost again; else the tunnel ends with it, and ``wait()``
            returns why.
        retries: attempts in a row that may fail before the tunnel ends; ``None``: no limit.
        hold: seconds that new connections wait for the link before they are reset; 0: at once.
        takeover: end our own dead session on the gateway that still holds a remote port.
        links: SSH connections that share the flows; ``"auto"``: as many as it takes.
        via: further gateways that lead to the same place, for when the first fails.
        spread: spread the links over all gateways.
        limits: connections, rates, silence, targets and clients that are allowed.
        prompter: answers questions for passwords, passphrases and host keys.
        observer: called with every event, from the tunnel's threads; must not block.

    Raises:
        UsageError: an argument or a configuration file is wrong.
        GatewayUnreachableError: no SSH server answered, or the link was lost.
        HostKeyError: the host key is unknown, changed or revoked.
        AuthenticationError: the gateway accepted none of the credentials.
        BindError: a local listening point could not be opened.
        RemoteForwardError: the gateway refused to listen.
    """
    spec = TunnelSpec(
        gateway=_gateway(gateway, profile),
        forwards=_forwards(forwards),
        jumps=_jumps(jumps),
        user=user,
        port=port,
        identities=tuple(at_home(Path(each)) for each in identities),
        config_file=None if config_file is None else at_home(Path(config_file)),
        compression=compression,
        ciphers=tuple(ciphers),
        macs=tuple(macs),
        keepalive=_keepalive(keepalive),
        host_key=_policy(host_key),
        connect_timeout=connect_timeout,
        expose=expose,
        proxy=proxy,
        endurance=Endurance(
            reconnect=reconnect,
            retries=retries,
            hold=hold,
            takeover=takeover,
            links=0 if links == "auto" else links,
            spread=spread,
        ),
        via=tuple(map(parse_gateway, via)),
        limits=limits or Limits(),
    )
    if profile is not None:
        spec, password = _with_profile(profile, spec, gateway, password)
    return _start(spec, prompter=prompter, password=password, observer=observer)


def _start(
    spec: TunnelSpec,
    *,
    prompter: Prompter | None,
    password: str | None,
    observer: Callable[[Event], None] | None,
) -> Tunnel:
    from netkit.engine.tunnel import Tunnel
    from netkit.environment import plan_of

    plan = plan_of(spec)
    tunnel = Tunnel(plan, prompter=prompter, password=password, observer=observer)
    tunnel.start()
    return tunnel


def _with_profile(
    name: str, said: TunnelSpec, gateway: str | Gateway | None, password: str | None
) -> tuple[TunnelSpec, str | None]:
    """Return the tunnel of a profile with what was said beyond it, and the password for it."""
    from netkit import profiles, secrets
    from netkit.text.profiles.overrides import override

    profile = profiles.get(name)
    spec = override(profile, said)
    if gateway is not None:
        return replace(spec, gateway=said.gateway), password
    # who else, or where else, is not to get the password
    elsewhere = said.user, said.port, said.config_file
    if password is None and elsewhere == (None, None, None):
        password = secrets.recall(name)
    return spec, password


def _gateway(value: str | Gateway | None, profile: str | None = None) -> Gateway:
    if value is None and profile is not None:
        return Gateway("")  # the profile's comes in its place
    if isinstance(value, str):
        return parse_gateway(value)
    if isinstance(value, Gateway):
        return value
    raise _not_a("gateway", value, "a string such as 'me@gateway:22'")


def _jumps(values: Iterable[str | Gateway] | None) -> tuple[Gateway, ...] | None:
    if values is None:
        return None
    if isinstance(values, str):  # its characters would be taken for gateways
        raise _not_a("jumps", values, f"a list, jumps={values.split(',')!r}")
    return tuple(_gateway(each) for each in values)


def _keepalive(value: Keepalive | None) -> Keepalive | None:
    if value is None or isinstance(value, Keepalive):
        return value
    raise _not_a("keepalive", value, "a netkit.Keepalive(interval=..., count=...)")


def _not_a(name: str, value: object, expected: str) -> UsageError:
    return UsageError(
        f"{name} cannot be {value!r}", code="bad-argument", cause=f"it has to be {expected}"
    )


def _forwards(values: Iterable[str | ForwardSpec]) -> tuple[ForwardSpec, ...]:
    if isinstance(values, str):  # its characters would be taken for forwards
        raise UsageError(
            f"forwards is the string {values!r}, not a list",
            code="bad-forward",
            cause=f"write forwards=[{values!r}]",
        )
    return tuple(map(_forward, values))


def _forward(value: str | ForwardSpec) -> ForwardSpec:
    if isinstance(value, str):
        return local(value)
    if isinstance(value, ForwardSpec):
        return value
    raise _not_a("a forward", value, "a string, or of netkit.local, remote or dynamic")


def _policy(value: HostKeyPolicy | str | None) -> HostKeyPolicy | None:
    if value is None:
        return None
    try:
        return HostKeyPolicy(value)
    except ValueError:
        choices = ", ".join(policy.value for policy in HostKeyPolicy)
        raise UsageError(
            f"host_key {value!r} is unknown", code="bad-host-key-policy", cause=f"it is {choices}"
        ) from None
