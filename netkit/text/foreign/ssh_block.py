"""A profile to a ``Host`` block of ssh_config(5)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Final

from netkit.model import Address, Endpoint, ForwardKind, HostKeyPolicy, Profile, X11Trust

_KEYWORDS: Final = {
    ForwardKind.LOCAL: "LocalForward",
    ForwardKind.REMOTE: "RemoteForward",
    ForwardKind.DYNAMIC: "DynamicForward",
}
_POLICIES: Final = {
    HostKeyPolicy.ASK: "ask",
    HostKeyPolicy.ACCEPT_NEW: "accept-new",
    HostKeyPolicy.STRICT: "yes",
}
# Quotes, backslashes, tokens and variables mean other things in other versions of ssh.
_SAFE_PATH: Final = re.compile(r"[^\x00-\x1f\x7f\"'\\%$#]+")
_SAFE_SOCKET: Final = re.compile(r"[A-Za-z0-9_./@+-]+")
_LONGEST: Final = 1 << 30


def to_block(profile: Profile) -> tuple[list[str], list[str]]:
    """Return the lines of the block, and what has no counterpart."""
    left_out: list[str] = []
    lines = [f"# {profile.note}"] if profile.note else []
    lines.append(f"Host {profile.name}")
    options = [*_login(profile, left_out), *_link(profile, left_out)]
    options += _forwards(profile, left_out)
    if profile.launch:
        left_out.append(f"launch {profile.launch}: ssh starts no program with a tunnel")
    return [*lines, *(f"    {key} {value}" for key, value in options)], left_out


def _login(profile: Profile, left_out: list[str]) -> Iterable[tuple[str, str]]:
    tunnel = profile.tunnel
    gateway = tunnel.gateway
    if gateway.host != profile.name:
        yield "HostName", gateway.host.replace("%", "%%")
    user, port = tunnel.user or gateway.user, tunnel.port or gateway.port
    if user is not None:
        if _SAFE_PATH.fullmatch(user.replace("\\", "")):
            yield "User", _quoted(user)
        else:
            left_out.append(f"user {user}: ssh_config would read it otherwise")
    if port is not None:
        yield "Port", str(port)
    for path in tunnel.identities:
        if _SAFE_PATH.fullmatch(str(path)):
            yield "IdentityFile", _quoted(str(path))
        else:
            left_out.append(f"identity {path}: ssh_config would read its name otherwise")
    if tunnel.jumps is not None:
        yield "ProxyJump", ",".join(map(str, tunnel.jumps)) or "none"
    if tunnel.proxy is not None:
        left_out.append(f"proxy {tunnel.proxy}: ssh needs a ProxyCommand for it")
    if tunnel.config_file is not None:
        left_out.append(f"config_file {tunnel.config_file}: ssh -F names it")
    if tunnel.host_key is not None:
        yield "StrictHostKeyChecking", _POLICIES[tunnel.host_key]


def _link(profile: Profile, left_out: list[str]) -> Iterable[tuple[str, str]]:
    tunnel = profile.tunnel
    if tunnel.compression is not None:
        yield "Compression", "yes" if tunnel.compression else "no"
    if tunnel.ciphers:
        yield "Ciphers", ",".join(tunnel.ciphers)
    if tunnel.macs:
        yield "MACs", ",".join(tunnel.macs)
    if profile.keepalive_auto:
        left_out.append("keepalive auto: ssh has one interval for all networks")
    elif tunnel.keepalive is not None:
        yield "ServerAliveInterval", str(_whole(tunnel.keepalive.interval))
        yield "ServerAliveCountMax", str(tunnel.keepalive.count)
    if tunnel.connect_timeout is not None:
        yield "ConnectTimeout", str(_whole(tunnel.connect_timeout))
    if tunnel.x11 is not None:
        yield "ForwardX11", "yes"
        yield "ForwardX11Trusted", "yes" if tunnel.x11 is X11Trust.TRUSTED else "no"


def _forwards(profile: Profile, left_out: list[str]) -> Iterable[tuple[str, str]]:
    for forward in profile.tunnel.forwards:
        bind = _address(forward.bind, is_bind=True)
        to = "" if forward.to is None else _address(forward.to)
        if bind is None or to is None:
            left_out.append(f"{forward}: ssh_config would read the path of its socket otherwise")
        else:
            yield _KEYWORDS[forward.kind], f"{bind} {to}".rstrip()


def _address(address: Address, *, is_bind: bool = False) -> str | None:
    """Return an address as one word, None where it cannot be one."""
    if isinstance(address, Endpoint):
        return str(address.port) if is_bind and not address.host else str(address)
    path = address.path if "/" in address.path else f"./{address.path}"
    return path if _SAFE_SOCKET.fullmatch(path) else None


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text


def _whole(seconds: float) -> int:
    """Return seconds as ssh takes them: whole, and not 0 where they are more."""
    return 0 if seconds <= 0 else min(math.ceil(seconds), _LONGEST)
