"""make_plan: what the user asked for and what was read, to what will be done."""

from __future__ import annotations

from dataclasses import replace

from netkit.errors import UsageError
from netkit.model import (
    Endpoint,
    ForwardKind,
    ForwardSpec,
    Keepalive,
    Plan,
    TunnelSpec,
)
from netkit.plan.binds import check_exposure, find_clash
from netkit.plan.chain import Environment, Step, walk
from netkit.plan.hops import Planner
from netkit.plan.limits import plan_limits
from netkit.text.forwards import parse_config_forward
from netkit.text.ssh_config import Options
from netkit.text.ssh_options import first, is_off, is_on, is_set, number
from netkit.text.ssh_values import FORWARD_KINDS

_DEFAULT_KEEPALIVE = Keepalive()
# ssh never gives up with ServerAliveCountMax 0.
_NEVER = 2**31 - 1

# Options that netkit does not carry out although they change what happens: what to say of each.
_IGNORED_WHEN_SET = {
    "bindinterface": "BindInterface is not supported; BindAddress is",
    "knownhostscommand": "KnownHostsCommand is not run; known_hosts files are read",
    "pkcs11provider": "PKCS11Provider is not loaded; keys on tokens work through an agent",
    "revokedhostkeys": "RevokedHostKeys is not read; @revoked lines in known_hosts are",
}
_IGNORED_WHEN_ON = {
    "proxyusefdpass": "ProxyUseFdpass is not supported; the proxy's output is read instead",
    "nohostauthenticationforlocalhost": "host keys are checked for localhost too",
}


def make_plan(spec: TunnelSpec, environment: Environment) -> Plan:
    """Decide what a tunnel will do.

    Args:
        spec: what the user asked for; goes before the configuration.
        environment: what was read for the same ``spec``.

    Raises:
        UsageError: the request is impossible, clashes with itself, or needs ``expose``.
        ConfigError: the configuration in force is wrong.
    """
    steps = walk(spec, environment.options)
    hops = tuple(Planner(spec, environment, step, last=step is steps[-1]).hop() for step in steps)
    warnings: list[str] = []
    for step in steps:
        warnings += _unsupported(spec, environment, step)
    forwards = _forwards(spec, steps[-1], warnings)
    warnings += plan_limits(spec.limits, forwards)
    keepalive = _keepalive(spec, steps[-1].options)
    return Plan(
        hops=hops,
        forwards=forwards,
        x11=spec.x11,
        keepalive=keepalive,
        endurance=spec.endurance,
        limits=spec.limits,
        warnings=tuple(warnings),
    )


def _forwards(spec: TunnelSpec, step: Step, warnings: list[str]) -> tuple[ForwardSpec, ...]:
    """Return the forwards to make, the configured ones last; add to ``warnings``."""
    chosen: list[ForwardSpec] = []
    for forward in spec.forwards:
        clash = find_clash(forward, chosen)
        if clash:
            raise _duplicate(forward, clash)
        chosen.append(forward)
    asked = tuple(chosen)
    for forward in _configured_forwards(step):
        if find_clash(forward, asked):
            if not _same(forward, asked):
                warnings.append(f"{forward} in ssh_config is left out: its place is taken")
            continue
        clash = find_clash(forward, chosen)
        if clash:
            raise _duplicate(forward, clash)
        chosen.append(forward)
    if is_on(step.options, "gatewayports"):
        chosen = _open_to_all(chosen, warnings, expose=spec.expose)
    for forward in chosen:
        warning = check_exposure(forward, str(spec.gateway), expose=spec.expose)
        if warning:
            warnings.append(warning)
    return tuple(chosen)


def _configured_forwards(step: Step) -> list[ForwardSpec]:
    if is_on(step.options, "clearallforwardings"):
        return []
    return [
        parse_config_forward(kind, value)
        for name, kind in FORWARD_KINDS.items()
        for value in step.options.get(name, ())
    ]


def _same(forward: ForwardSpec, others: tuple[ForwardSpec, ...]) -> bool:
    return any(
        (forward.kind, forward.bind, forward.to) == (other.kind, other.bind, other.to)
        for other in others
    )


def _duplicate(forward: ForwardSpec, other: ForwardSpec) -> UsageError:
    where = "the gateway" if forward.kind is ForwardKind.REMOTE else "this machine"
    bind = forward.bind
    spot = f"port {bind.port}" if isinstance(bind, Endpoint) and not bind.host else str(bind)
    return UsageError(
        f"{forward} and {other} would both listen on {spot} of {where}",
        code="duplicate-bind",
        cause="one address and port can lead to one target; give one of them another port",
    )


def _open_to_all(
    forwards: list[ForwardSpec], warnings: list[str], *, expose: bool
) -> list[ForwardSpec]:
    """Apply ``GatewayPorts yes`` to forwards without a bind address, if that is allowed."""
    opened: list[ForwardSpec] = []
    for forward in forwards:
        bind = forward.bind
        default = isinstance(bind, Endpoint) and not bind.host
        if not default or forward.kind is ForwardKind.REMOTE:
            opened.append(forward)
        elif expose and isinstance(bind, Endpoint):
            opened.append(replace(forward, bind=Endpoint("*", bind.port)))
        else:
            warnings.append(
                f"{forward} stays on the loopback addresses although ssh_config says "
                "GatewayPorts yes; --expose opens it"
            )
            opened.append(forward)
    return opened


def _keepalive(spec: TunnelSpec, options: Options) -> Keepalive:
    if spec.keepalive is not None:
        return spec.keepalive
    interval = number(options, "serveraliveinterval", 0)
    if not interval:
        return _DEFAULT_KEEPALIVE
    count = number(options, "serveralivecountmax", _DEFAULT_KEEPALIVE.count)
    return Keepalive(float(interval), count or _NEVER)


def _unsupported(spec: TunnelSpec, environment: Environment, step: Step) -> list[str]:
    options, name = step.options, step.gateway.host
    found = [text for option, text in _IGNORED_WHEN_SET.items() if is_set(options, option)]
    found += [text for option, text in _IGNORED_WHEN_ON.items() if is_on(options, option)]
    policy = first(options, "stricthostkeychecking").lower()
    if spec.host_key is None and policy in ("no", "false", "off"):
        found.append(
            "StrictHostKeyChecking no is taken as accept-new: a changed host key is still refused"
        )
    if first(options, "tunnel", "false").lower() not in ("false", "no"):
        found.append("Tunnel (layer 2 and 3 tunnels) is not supported")
    if not is_off(options, "verifyhostkeydns") and is_set(options, "verifyhostkeydns"):
        found.append("VerifyHostKeyDNS is not supported; host keys are looked up in known_hosts")
    if is_on(options, "permitlocalcommand") and is_set(options, "localcommand"):
        found.append("LocalCommand is not run")
    canonicalize = first(options, "canonicalizehostname", "false").lower()
    if environment.ssh is None and canonicalize not in ("no", "false"):
        found.append("CanonicalizeHostname needs an installed ssh")
    return [f"{name}: {text}" for text in found]
