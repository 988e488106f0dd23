"""Tables of ``profiles.toml`` to profiles, and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec

from netkit.errors import UsageError
from netkit.model import (
    Address,
    Endpoint,
    Endurance,
    ForwardKind,
    ForwardSpec,
    HostKeyPolicy,
    Keepalive,
    Limits,
    Profile,
    TunnelSpec,
    UnixPath,
    X11Trust,
)
from netkit.text.endpoints import (
    check_user,
    parse_bind,
    parse_endpoint,
    parse_gateway,
    parse_unix_path,
)
from netkit.text.forwards import format_forward, parse_forward
from netkit.text.limits import format_size, parse_size, parse_source, parse_target
from netkit.text.profiles.lines import Path as KeyPath
from netkit.text.profiles.tables import ForwardTable, ProfileTable
from netkit.text.proxies import parse_proxy

T = TypeVar("T")

AUTO: Final = "auto"


class BadValueError(Exception):
    """A value cannot be what its key wants; ``path`` leads to it from the profile's table."""

    def __init__(self, path: KeyPath, summary: str, cause: str = "") -> None:
        super().__init__(summary)
        self.path = path
        self.summary = summary
        self.cause = cause


def to_profile(name: str, table: ProfileTable) -> Profile:
    """Return the profile that ``table`` describes.

    Raises:
        BadValueError: an address, a path or a number in it is none.
    """
    forwards = tuple(_forward(each, ("forwards", at)) for at, each in enumerate(table.forwards))
    jumps = None
    if table.jumps is not None:
        jumps = tuple(
            _parsed(("jumps", at), parse_gateway, text) for at, text in enumerate(table.jumps)
        )
    if table.proxy is not None:
        _parsed(("proxy",), parse_proxy, table.proxy)
    if table.user is not None:
        _parsed(("user",), lambda user: check_user(user, user), table.user)
    tunnel = TunnelSpec(
        gateway=_parsed(("gateway",), parse_gateway, table.gateway),
        forwards=forwards,
        jumps=jumps,
        user=table.user,
        port=table.port,
        identities=tuple(
            _path(("identities", at), each) for at, each in enumerate(table.identities)
        ),
        config_file=None
        if table.config_file is None
        else _path(("config_file",), table.config_file),
        compression=table.compression,
        ciphers=_names("ciphers", table.ciphers),
        macs=_names("macs", table.macs),
        keepalive=_keepalive(table),
        host_key=None if table.host_key is None else HostKeyPolicy(table.host_key),
        connect_timeout=table.connect_timeout,
        expose=table.expose,
        proxy=table.proxy,
        x11=None if table.x11 is None else X11Trust(table.x11),
        endurance=_endurance(table),
        limits=_limits(table),
        via=tuple(_parsed(("via", at), parse_gateway, text) for at, text in enumerate(table.via)),
    )
    return Profile(
        name=name,
        tunnel=tunnel,
        keepalive_auto=table.keepalive == AUTO,
        launch=table.launch,
        note=_line(("note",), table.note),
    )


def to_table(profile: Profile) -> dict[str, Any]:
    """Return what a file says of ``profile``: plain values, without what need not be said."""
    tunnel = profile.tunnel
    keepalive = tunnel.keepalive
    seconds = None if keepalive is None else _short(keepalive.interval)
    table = ProfileTable(
        gateway=str(tunnel.gateway),
        note=profile.note,
        launch=profile.launch,  # type: ignore[arg-type] # checked when it is read back
        user=tunnel.user,
        port=tunnel.port,
        identities=[str(path) for path in tunnel.identities],
        jumps=None if tunnel.jumps is None else [str(each) for each in tunnel.jumps],
        proxy=tunnel.proxy,
        config_file=None if tunnel.config_file is None else str(tunnel.config_file),
        compression=tunnel.compression,
        ciphers=list(tunnel.ciphers),
        macs=list(tunnel.macs),
        keepalive=AUTO if profile.keepalive_auto else seconds,
        keepalive_count=_count(profile),
        host_key=None if tunnel.host_key is None else tunnel.host_key.value,
        connect_timeout=None if tunnel.connect_timeout is None else _short(tunnel.connect_timeout),
        expose=tunnel.expose,
        x11=None if tunnel.x11 is None else tunnel.x11.value,
        reconnect=tunnel.endurance.reconnect,
        retries=tunnel.endurance.retries,
        hold=_said(tunnel.endurance.hold, Endurance().hold),
        takeover=tunnel.endurance.takeover,
        probe=_said(tunnel.endurance.probe, Endurance().probe),
        links=_links(tunnel.endurance.links),
        via=[str(each) for each in tunnel.via],
        spread=tunnel.endurance.spread,
        max_flows=tunnel.limits.flows or None,
        limit_rate=_size_text(tunnel.limits.rate),
        idle_timeout=_said(tunnel.limits.idle, 0.0),
        window_budget=_size_text(tunnel.limits.window),
        allow_targets=list(tunnel.limits.targets),
        allow_sources=list(tunnel.limits.sources),
        forwards=[_forward_table(each) for each in tunnel.forwards],
    )
    made: dict[str, Any] = msgspec.to_builtins(table)
    return made


def _forward(table: ForwardTable, place: KeyPath) -> ForwardSpec:
    kind = ForwardKind(table.kind)
    bind = _parsed((*place, "bind"), parse_bind, table.bind)
    to: Address | None = None
    if table.to is not None:
        if kind is ForwardKind.DYNAMIC:
            raise BadValueError(
                (*place, "to"),
                "a dynamic forward has no target",
                "its clients name the target of each connection",
            )
        to = _parsed((*place, "to"), _target, table.to)
    elif kind is ForwardKind.LOCAL:
        if isinstance(bind, UnixPath) or bind.port == 0:
            raise BadValueError(
                place,
                "the key to is missing",
                "without it a local forward leads to its own port, and there is none",
            )
        to = Endpoint("localhost", bind.port)
    text = format_forward(ForwardSpec(kind, bind, to))
    # there is none that netkit forward does not know
    return _parsed(place, lambda text: parse_forward(kind, text), text)


def _forward_table(forward: ForwardSpec) -> ForwardTable:
    to = None if forward.to is None else _address(forward.to)
    return ForwardTable(kind=forward.kind.value, bind=_bind(forward.bind), to=to)


def _bind(address: Address) -> str:
    if isinstance(address, Endpoint) and not address.host:
        return str(address.port)
    return _address(address)


def _address(address: Address) -> str:
    # a path is told by its slash
    if isinstance(address, UnixPath) and "/" not in address.path:
        return f"./{address.path}"
    return str(address)


def _target(text: str) -> Address:
    return parse_unix_path(text) if "/" in text else parse_endpoint(text)


def _parsed(place: KeyPath, parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(_line(place, text))
    except UsageError as error:
        raise BadValueError(place, error.summary, error.cause) from None


def _line(place: KeyPath, text: str) -> str:
    """Return ``text`` if it is one line of text."""
    if any(ord(each) < 32 or ord(each) == 127 or 0xD800 <= ord(each) < 0xE000 for each in text):
        raise BadValueError(place, "it holds a control character, a line break or no text")
    return text


def _path(place: KeyPath, text: str) -> Path:
    return Path(_line(place, text))


def _names(key: str, names: list[str]) -> tuple[str, ...]:
    for at, name in enumerate(names):
        _line((key, at), name)
        if not name or "," in name or " " in name:
            raise BadValueError((key, at), f"{name!r} is not the name of an algorithm")
    return tuple(names)


def _keepalive(table: ProfileTable) -> Keepalive | None:
    seconds = None if table.keepalive == AUTO else table.keepalive
    if seconds is None and table.keepalive_count is None:
        return None
    default = Keepalive()
    return Keepalive(
        default.interval if seconds is None else float(seconds),
        default.count if table.keepalive_count is None else table.keepalive_count,
    )


def _endurance(table: ProfileTable) -> Endurance:
    default = Endurance()
    return Endurance(
        reconnect=table.reconnect,
        retries=table.retries,
        hold=default.hold if table.hold is None else float(table.hold),
        probe=default.probe if table.probe is None else float(table.probe),
        links=default.links if table.links is None else 0 if table.links == AUTO else table.links,
        spread=table.spread,
        takeover=table.takeover,
    )


def _links(number: int) -> int | Literal["auto"] | None:
    if number == Endurance().links:
        return None
    return number or "auto"


def _limits(table: ProfileTable) -> Limits:
    return Limits(
        flows=table.max_flows or 0,
        rate=_size("limit_rate", table.limit_rate),
        idle=float(table.idle_timeout or 0),
        window=_size("window_budget", table.window_budget),
        targets=_patterns("allow_targets", parse_target, table.allow_targets),
        sources=_patterns("allow_sources", parse_source, table.allow_sources),
    )


def _size(key: str, value: int | str | None) -> int:
    if isinstance(value, str):
        return 0 if value == "0" else _parsed((key,), parse_size, value)
    return value or 0


def _size_text(value: int) -> str | None:
    return format_size(value) if value else None


def _patterns(key: str, parse: Callable[[str], object], texts: list[str]) -> tuple[str, ...]:
    for at, text in enumerate(texts):
        _parsed((key, at), parse, text)
    return tuple(texts)


def _said(value: float, default: float) -> float | None:
    return None if value == default else _short(value)


def _count(profile: Profile) -> int | None:
    """Return how many are said to stay unanswered; with a number of seconds, 3 need not be said."""
    keepalive = profile.tunnel.keepalive
    if keepalive is None or (not profile.keepalive_auto and keepalive.count == Keepalive().count):
        return None
    return keepalive.count


def _short(value: float) -> float:
    return int(value) if math.isfinite(value) and value == int(value) else value
