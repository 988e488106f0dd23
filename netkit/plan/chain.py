"""The chain of gateways to a destination, and what was read about each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from netkit.errors import ConfigError, UsageError
from netkit.model import Gateway, TunnelSpec
from netkit.text.endpoints import check_host, check_user
from netkit.text.ssh_config import Options
from netkit.text.ssh_jumps import MAX_HOPS, parse_jumps
from netkit.text.ssh_options import first
from netkit.text.ssh_tokens import LocalFacts, expand_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What a plan needs to know of this machine and of the configuration in force.

    Attributes:
        local: user, home, host name, and the environment variables that options refer to.
        hosts: resolved options of every gateway of the chain, by what it was asked for as.
        defaults: what the options are when nothing is configured.
        existing: the default identity files that exist.
        ssh: the ssh that resolved the options, None when netkit's own reader did.
        windows: whether this machine runs Windows.
    """

    local: LocalFacts
    hosts: Mapping[Gateway, Options] = field(default_factory=dict)
    defaults: Options = field(default_factory=dict)
    existing: frozenset[Path] = frozenset()
    ssh: str | None = None
    windows: bool = False

    def options(self, gateway: Gateway) -> Options:
        """Return the options of a gateway of the chain.

        Raises:
            ConfigError: the environment was read for another tunnel.
        """
        try:
            return self.hosts[gateway]
        except KeyError:
            raise ConfigError(
                f"no configuration was read for {gateway}",
                cause="the environment was read for another tunnel; read it for this one",
            ) from None


@dataclass(frozen=True, slots=True)
class Step:
    """One gateway of the chain; ``direct`` when nothing of ours is passed to reach it."""

    gateway: Gateway
    options: Options
    direct: bool


def destination(spec: TunnelSpec) -> Gateway:
    """Return the gateway asked for; ``-l`` and ``-p`` go before what the gateway's text says.

    Raises:
        UsageError: user or port are not possible.
    """
    gateway = spec.gateway
    if spec.user is not None:
        gateway = replace(gateway, user=check_user(spec.user, spec.user))
    if spec.port is not None:
        if not 1 <= spec.port <= 65535:
            raise UsageError(f"port {spec.port} is out of range", cause="a port is 1 to 65535")
        gateway = replace(gateway, port=spec.port)
    # A Gateway may come from a program, unparsed.
    check_host(gateway.host, str(gateway))
    if gateway.user is not None:
        check_user(gateway.user, str(gateway))
    return gateway


def walk(spec: TunnelSpec, look_up: Callable[[Gateway], Options]) -> tuple[Step, ...]:
    """Return the chain, first to be reached first, as ssh would build it.

    The last jump host reaches the destination; the others lead to it.  The first of the chain
    follows its own ProxyJump, as ssh's own ``-J`` does.

    Args:
        spec: what the user asked for; ``jumps`` goes before the configuration.
        look_up: returns the resolved options of a gateway.

    Raises:
        UsageError: a jump is no gateway, or the chain is too long.
        ConfigError: the configuration makes a loop.
    """
    steps: list[Step] = []
    configured: list[Gateway] = []
    gateway: Gateway = destination(spec)
    jumps = spec.jumps
    while True:
        options = look_up(gateway)
        if jumps is None:
            jumps = _configured_jumps(gateway, options)
            if jumps and gateway in configured:
                loop = " -> ".join(str(each) for each in (*configured, gateway))
                raise ConfigError(
                    f"ProxyJump goes in circles: {loop}",
                    cause="give one of these hosts a block with 'ProxyJump none' before the others",
                )
            configured.append(gateway)
        steps.append(Step(gateway, options, direct=not jumps))
        if not jumps:
            return tuple(reversed(steps))
        if len(steps) == MAX_HOPS:
            raise UsageError(
                f"the chain to {spec.gateway} has more than {MAX_HOPS} gateways",
                code="too-many-hops",
                cause="a loop of ProxyJump options is more likely than a need",
            )
        gateway, jumps = jumps[-1], jumps[:-1] or None


def _configured_jumps(gateway: Gateway, options: Options) -> tuple[Gateway, ...]:
    tokens = {
        "%": "%",
        "h": first(options, "hostname", gateway.host),
        "n": gateway.host,
        "p": first(options, "port", "22"),
        "r": first(options, "user"),
    }
    return parse_jumps(expand_tokens(first(options, "proxyjump", "none"), tokens))
