"""The words of ``netkit forward`` that do what a profile says."""

from __future__ import annotations

from netkit.model import Endurance, Limits, Profile, X11Trust
from netkit.text.forwards import format_option
from netkit.text.limits import format_size


def words(profile: Profile) -> tuple[str, ...]:
    """Return the words behind ``netkit forward``.

    Its note and what it launches are no matter of that command; a compression that is switched off
    has no option.
    """
    tunnel = profile.tunnel
    keepalive = tunnel.keepalive
    interval = "auto" if profile.keepalive_auto else keepalive and _number(keepalive.interval)
    valued = [
        ("-l", tunnel.user),
        ("-p", tunnel.port),
        *(("-i", path) for path in tunnel.identities),
        ("-J", _jumps(profile)),
        ("--proxy", tunnel.proxy),
        ("-F", tunnel.config_file),
        ("-c", ",".join(tunnel.ciphers) or None),
        ("-m", ",".join(tunnel.macs) or None),
        ("--host-key", tunnel.host_key and tunnel.host_key.value),
        ("--connect-timeout", tunnel.connect_timeout and _number(tunnel.connect_timeout)),
        ("--keepalive", interval),
        ("--keepalive-count", keepalive and keepalive.count),
        ("--via", ",".join(map(str, tunnel.via)) or None),
        *_endurance(tunnel.endurance),
        *_limits(tunnel.limits),
    ]
    made = [str(tunnel.gateway)]
    for option, value in valued:
        if value is not None:
            made += [option, str(value)]
    flags = {
        "-C": tunnel.compression,
        "--expose": tunnel.expose,
        "--no-reconnect": not tunnel.endurance.reconnect,
        "--spread": tunnel.endurance.spread,
        "--takeover": tunnel.endurance.takeover,
    }
    made += [flag for flag, is_set in flags.items() if is_set]
    if tunnel.x11 is not None:
        made.append("-Y" if tunnel.x11 is X11Trust.TRUSTED else "-X")
    for forward in tunnel.forwards:
        made += format_option(forward)
    return tuple(made)


def _endurance(endurance: Endurance) -> list[tuple[str, str | int]]:
    default = Endurance()
    made: list[tuple[str, str | int]] = []
    if endurance.retries is not None:
        made.append(("--retries", endurance.retries))
    if endurance.hold != default.hold:
        made.append(("--hold", _number(endurance.hold)))
    if endurance.probe != default.probe:
        made.append(("--probe", _number(endurance.probe)))
    if endurance.links != default.links:
        made.append(("--links", endurance.links or "auto"))
    return made


def _limits(limits: Limits) -> list[tuple[str, str | int]]:
    made: list[tuple[str, str | int]] = []
    if limits.flows:
        made.append(("--max-flows", limits.flows))
    if limits.rate:
        made.append(("--limit-rate", format_size(limits.rate)))
    if limits.idle:
        made.append(("--idle-timeout", _number(limits.idle)))
    if limits.window:
        made.append(("--window-budget", format_size(limits.window)))
    made += [("--allow-target", each) for each in limits.targets]
    made += [("--allow-source", each) for each in limits.sources]
    return made


def _jumps(profile: Profile) -> str | None:
    jumps = profile.tunnel.jumps
    if jumps is None:
        return None
    return ",".join(map(str, jumps)) or "none"


def _number(value: float) -> str:
    return repr(value).removesuffix(".0")
