"""Tunnels of boring (https://github.com/alebeck/boring): ``[[tunnels]]`` of one TOML file.

A tunnel has ``local`` and ``remote``, or a list ``forwards`` of such pairs.  An address is a port,
HOST:PORT or the path of a unix socket; in place of a port there may be a list of ports and ranges
(``8000-8010,8443``), which belong together pairwise.  ``mode`` is local, remote, socks or
socks-remote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from netkit.model import (
    Address,
    ForwardKind,
    ForwardSpec,
    Gateway,
    Imported,
    Keepalive,
    Profile,
    TunnelSpec,
)
from netkit.text.endpoints import parse_bind, parse_endpoint, parse_gateway, parse_unix_path
from netkit.text.foreign.fields import Fields
from netkit.text.forwards import format_forward
from netkit.text.profiles.names import name_from
from netkit.text.profiles.source import Source, to_text
from netkit.text.profiles.tables import MAX_FORWARDS

_VARIABLE: Final = re.compile(r"\$(?:\{([^{}]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_PORTS: Final = re.compile(r"(?:(.*):)?(\d{1,5}(?:-\d{1,5})?(?:,\d{1,5}(?:-\d{1,5})?)*)", re.DOTALL)
_MODES: Final = {
    "": "local",
    **dict.fromkeys(("local", "l", "-l"), "local"),
    **dict.fromkeys(("remote", "r", "-r"), "remote"),
    "socks": "socks",
    "socks-remote": "socks-remote",
}


def read_tunnels(data: bytes, file: str, variables: Mapping[str, str]) -> list[Imported]:
    """Return a profile for each tunnel.

    Args:
        data: the content of the file.
        file: its name, for messages.
        variables: the environment, which values may refer to (``${NAME:-default}``).

    Raises:
        ConfigError: it is no such file; names the line.
    """
    source = Source(to_text(data, file), file)
    top = Fields(source, (), source.parse())
    common = top.number("keep_alive", -1)
    made = [_tunnel(fields, common, variables) for fields in top.tables("tunnels")]
    rest = [f"{key}: netkit does not know it" for key in top.rest()]
    if made and rest:
        made[0] = replace(made[0], left_out=(*made[0].left_out, *rest))
    return made


def _tunnel(fields: Fields, common: int, variables: Mapping[str, str]) -> Imported:
    def text(key: str) -> str:
        return _expand(fields.text(key), variables)

    name = text("name")
    if not name:
        raise fields.wrong("name", "the tunnel has no name")
    keepalive = fields.number("keep_alive", common)
    identity = text("identity") or text("identity_file")
    port = text("port")
    gateway = fields.parsed("host", parse_gateway, text("host"))
    tunnel = TunnelSpec(
        gateway=_with_port(fields, gateway, port),
        user=text("user") or None,
        identities=(Path(identity),) if identity else (),
        keepalive=None if keepalive < 0 else Keepalive(float(min(keepalive, 86400))),
    )
    parts = fields.tables("forwards") or [fields]
    forwards = [each for part in parts for each in _forwards(part, variables)]
    fields.taken.update(("local", "remote", "mode"))
    left_out = []
    if group := text("group"):
        left_out.append(f"group {group}: netkit up takes several names")
    for part in parts:
        part.taken.add("name")
        left_out += [f"{key}: netkit does not know it" for key in part.rest()]
    if parts != [fields]:
        left_out += [f"{key}: netkit does not know it" for key in fields.rest()]
    tunnel = replace(tunnel, forwards=tuple(forwards))
    return Imported(Profile(name=name_from(name), tunnel=tunnel), tuple(left_out))


def _with_port(fields: Fields, gateway: Gateway, port: str) -> Gateway:
    if not port or port == "0":
        return gateway
    return replace(gateway, port=fields.parsed("port", parse_endpoint, f"port:{port}").port)


def _forwards(fields: Fields, variables: Mapping[str, str]) -> list[ForwardSpec]:
    said = fields.text("mode").lower()
    mode = _MODES.get(said)
    if mode is None:
        raise fields.wrong("mode", f"{said!r} is no mode", f"it is {', '.join(_MODES)[2:]}")
    local = _expand(fields.text("local"), variables)
    remote = _expand(fields.text("remote"), variables)
    if mode.startswith("socks"):
        kind = ForwardKind.DYNAMIC if mode == "socks" else ForwardKind.REMOTE
        key = "local" if mode == "socks" else "remote"
        binds = _many(fields, key, local if mode == "socks" else remote)
        return [_forward(fields, kind, (key, bind), None) for bind in binds]
    kind = ForwardKind(mode)
    binds, targets = _many(fields, "local", local), _many(fields, "remote", remote)
    keys = ("local", "remote")
    if mode == "remote":
        binds, targets, keys = targets, binds, ("remote", "local")
    if len(binds) != len(targets):
        raise fields.wrong(keys[1], f"{len(binds)} ports cannot lead to {len(targets)}")
    return [
        _forward(fields, kind, (keys[0], bind), (keys[1], target))
        for bind, target in zip(binds, targets, strict=True)
    ]


def _forward(
    fields: Fields, kind: ForwardKind, bind: tuple[str, str], to: tuple[str, str] | None
) -> ForwardSpec:
    listens = fields.parsed(bind[0], _bind, bind[1])
    leads = None if to is None else fields.parsed(to[0], _target, to[1])
    made = ForwardSpec(kind, listens, leads)
    return replace(made, text=format_forward(made))


def _bind(text: str) -> Address:
    return parse_bind(text) if text.isdigit() or ":" in text else _path(text)


def _target(text: str) -> Address:
    if text.isdigit():
        return parse_endpoint(f"localhost:{text}")
    if text.startswith(":"):
        return parse_endpoint(f"localhost{text}")
    return parse_endpoint(text) if ":" in text else _path(text)


def _path(text: str) -> Address:
    return parse_unix_path(text if "/" in text else f"./{text}")


def _many(fields: Fields, key: str, text: str) -> list[str]:
    """Return the addresses that an address with several ports stands for."""
    if not text:
        raise fields.wrong(key, "an address is missing")
    found = _PORTS.fullmatch(text)
    if found is None:
        return [text]
    ports: list[int] = []
    for part in found[2].split(","):
        first, _, last = part.partition("-")
        low, high = int(first), int(last or first)
        if high < low or len(ports) + high - low >= MAX_FORWARDS:
            raise fields.wrong(key, f"{part} is no range, or there are more than {MAX_FORWARDS}")
        ports += range(low, high + 1)
    host = "" if found[1] is None else f"{found[1]}:"
    return [f"{host}{port}" for port in ports]


def _expand(text: str, variables: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        name, _, default = (found[1] or found[2] or "").partition(":-")
        return variables.get(name) or default

    return _VARIABLE.sub(value, text)
