"""A profile to a PuTTY session, with what PuTTY has no setting for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from netkit.model import Gateway, Hop, Keepalive, Profile, TunnelSpec, X11Trust
from netkit.text.putty import ciphers, proxies
from netkit.text.putty.defaults import CIPHERS
from netkit.text.putty.forwardings import format_forwardings
from netkit.text.putty.names import check_name
from netkit.text.putty.session import Session, Value

COMFORTS: Final[Mapping[str, Value]] = {
    "BlinkCur": 1,
    "Compression": 1,
    "CurType": 0,
    # line drawing from the font itself, whatever the code page: VT-100 programs look right
    "FontVTMode": 4,
    "UTF8linedraw": 1,
    "LineCodePage": "UTF-8",
    "SshNoShell": 0,
    "SshProt": 3,
}
"""What makes a terminal of the session as well: blinking block cursor, VT-100 line drawing, SSH-2
only, compression."""

COMFORTABLE_KEEPALIVE: Final = 480
"""Seconds, where the profile names none."""

_NOTHING: Final[Mapping[str, Value]] = {
    "Present": 1,
    "Protocol": "ssh",
    "SshProt": 3,
    "AddressFamily": 0,
    "ProxyMethod": 0,
    "LogHost": "",
    "RemoteCommand": "",
    "PingInterval": 0,
    "PingIntervalSecs": 0,
    "Cipher": CIPHERS[0],
    "X11Forward": 0,
}
"""What is written in any case, for a session that is there and says something else."""

_IPV4, _IPV6 = 1, 2
_FAMILIES: Final = {"inet": _IPV4, "inet6": _IPV6}


@dataclass(frozen=True, slots=True)
class ToPutty:
    """A session, and what of the profile it does not do.

    ``jump`` is another session, of the gateway in front, which the first one names as its proxy.
    """

    session: Session
    jump: Session | None = None
    left_out: tuple[str, ...] = ()


def to_session(profile: Profile, *, hops: Sequence[Hop] = (), comforts: bool = False) -> ToPutty:
    """Return the session that does what a profile does.

    Args:
        profile: what to do.
        hops: its plan's, as ssh_config has them; PuTTY reads no ssh_config, so they go into the
            session.
        comforts: add `COMFORTS`.

    Raises:
        UsageError: PuTTY can have no session of that name, or the proxy's URL is none.
    """
    check_name(profile.name)
    tunnel = profile.tunnel
    hop = hops[-1] if hops else None
    left_out: list[str] = []
    jump = _jump(profile, hops, left_out)
    values: dict[str, Value] = {**_NOTHING, "SshNoShell": 1}
    values |= _place(hop) if hop else _gateway(tunnel)
    values |= proxies.jump_to_putty(jump) if jump else _proxy(tunnel, hop, left_out)
    values |= _transport(profile, hop, left_out)
    values["PublicKeyFile"] = _key(tunnel.identities, hop, left_out)
    written = format_forwardings(tunnel.forwards)
    values["LocalPortAcceptAll"] = int(written.local_accept_all)
    values["RemotePortAcceptAll"] = int(written.remote_accept_all)
    values["PortForwardings"] = written.text
    left_out += (*written.left_out, *_untold(profile))
    if tunnel.config_file is not None and not hops:
        left_out.append(f"config_file {tunnel.config_file}: PuTTY reads no ssh_config")
    session = Session(profile.name, tuple(values.items()))
    before = _jump_session(f"{profile.name} (jump)", hops[0], left_out) if len(hops) == 2 else None
    if before is not None:
        session = session.changed({"ProxyHost": before.name})
    if comforts:
        session = session.changed(COMFORTS)
        if tunnel.keepalive is None and not profile.keepalive_auto:
            session = session.changed(_ping(COMFORTABLE_KEEPALIVE))
    return ToPutty(session, before, tuple(left_out))


def _jump(profile: Profile, hops: Sequence[Hop], left_out: list[str]) -> Gateway | None:
    """Return the gateway in front, if there is exactly one."""
    jumps = tuple(Gateway(hop.host, hop.user, hop.port) for hop in hops[:-1])
    jumps = jumps or profile.tunnel.jumps or ()
    if len(jumps) > 1:
        shown = ",".join(map(str, jumps))
        left_out.append(f"jumps {shown}: PuTTY goes through one gateway at most")
    return jumps[0] if len(jumps) == 1 else None


def _jump_session(name: str, hop: Hop, left_out: list[str]) -> Session:
    values: dict[str, Value] = {**_NOTHING, **_place(hop)}
    values["PublicKeyFile"] = _key((), hop, left_out)
    return Session(name, tuple(values.items()))


def _place(hop: Hop) -> dict[str, Value]:
    values: dict[str, Value] = {
        "HostName": hop.host,
        "PortNumber": hop.port,
        "UserName": hop.user,
        "UserNameFromEnvironment": int(not hop.user),
    }
    if hop.name and hop.name != hop.host:
        values["LogHost"] = hop.name
    if hop.address_family in _FAMILIES:
        values["AddressFamily"] = _FAMILIES[hop.address_family]
    return values


def _gateway(tunnel: TunnelSpec) -> dict[str, Value]:
    gateway = tunnel.gateway
    user = tunnel.user or gateway.user or ""
    return {
        "HostName": gateway.host,
        "PortNumber": tunnel.port or gateway.port or 22,
        "UserName": user,
        "UserNameFromEnvironment": int(not user),
    }


def _proxy(tunnel: TunnelSpec, hop: Hop | None, left_out: list[str]) -> dict[str, Value]:
    if tunnel.proxy:
        return proxies.proxy_to_putty(tunnel.proxy)
    if hop is not None and hop.proxy_command:
        left_out.append("ProxyCommand of ssh_config: as a local proxy command PuTTY can do it")
    return {}


def _transport(profile: Profile, hop: Hop | None, left_out: list[str]) -> dict[str, Value]:
    tunnel = profile.tunnel
    compress = bool(tunnel.compression) if hop is None else hop.compression
    values: dict[str, Value] = {"Compression": int(compress)}
    keepalive = tunnel.keepalive
    if keepalive is not None and not profile.keepalive_auto:
        values |= _ping(keepalive.interval)
        if keepalive.interval and keepalive.count != Keepalive().count:
            left_out.append(
                f"keepalive count {keepalive.count}: PuTTY sends and waits for no answer"
            )
    chosen = ciphers.to_putty(tunnel.ciphers)
    if chosen.names:
        values["Cipher"] = chosen.text
    left_out += chosen.left_out
    if tunnel.x11 is X11Trust.TRUSTED:
        values["X11Forward"] = 1
    elif tunnel.x11 is not None:
        left_out.append("x11 untrusted: PuTTY's X programs are always trusted, so it is left off")
    return values


def _ping(interval: float) -> dict[str, Value]:
    seconds = min(math.ceil(interval), 86400) if math.isfinite(interval) else 0
    return {"PingInterval": seconds // 60, "PingIntervalSecs": seconds % 60}


def _key(identities: tuple[Path, ...], hop: Hop | None, left_out: list[str]) -> str:
    if not identities and hop is not None and hop.identities_explicit:
        identities = hop.identities
    left_out += [
        f"key {more}: PuTTY tries one key file per session; an agent holds more"
        for more in identities[1:]
    ]
    return str(identities[0]) if identities else ""


def _untold(profile: Profile) -> list[str]:
    tunnel = profile.tunnel
    left_out = []
    if profile.keepalive_auto:
        left_out.append("keepalive auto: PuTTY does not measure the network")
    if tunnel.macs:
        left_out.append(f"macs {','.join(tunnel.macs)}: PuTTY chooses by itself")
    if tunnel.host_key is not None:
        left_out.append(f"host_key {tunnel.host_key.value}: PuTTY always asks about unknown keys")
    if tunnel.connect_timeout is not None:
        left_out.append(f"connect_timeout {tunnel.connect_timeout:g}: PuTTY has none")
    if profile.launch:
        left_out.append(f"launch {profile.launch}: PuTTY starts no programs")
    return left_out
