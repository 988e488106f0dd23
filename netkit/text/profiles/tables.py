"""What ``profiles.toml`` may hold, as types that msgspec checks."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from netkit.text.profiles.names import MAX_NAME, PATTERN

MAX_PROFILES: Final = 1000
"""Profiles in a file."""

MAX_FORWARDS: Final = 1000
"""Forwards of a profile."""

MAX_NOTE: Final = 500
"""Characters of a note."""

_Text = Annotated[str, Meta(max_length=1024)]
_Path = Annotated[str, Meta(min_length=1, max_length=4096)]
_Texts = Annotated[list[_Text], Meta(max_length=100)]
_Port = Annotated[int, Meta(ge=1, le=65535)]
_Count = Annotated[int, Meta(ge=1, le=1000)]
_Interval = Annotated[float, Meta(ge=0, le=86400)]
_Seconds = Annotated[float, Meta(ge=0.1, le=3600)]
_Retries = Annotated[int, Meta(ge=0, le=2**31 - 1)]
_Hold = Annotated[float, Meta(ge=0, le=3600)]
_Links = Annotated[int, Meta(ge=1, le=16)]
_Flows = Annotated[int, Meta(ge=0, le=1_000_000)]
_Size = Annotated[int, Meta(ge=0, le=2**50)] | Annotated[str, Meta(max_length=40)]
_Idle = Annotated[float, Meta(ge=0, le=30 * 86400)]
_Patterns = Annotated[list[_Text], Meta(max_length=1000)]
_Name = Annotated[str, Meta(max_length=MAX_NAME, pattern=f"^{PATTERN}$")]


class ForwardTable(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One listening point and where it leads."""

    kind: Annotated[
        Literal["local", "remote", "dynamic"],
        Meta(description="Which side listens, and whether the target is fixed (ssh -L, -R, -D)."),
    ]
    bind: Annotated[_Text, Meta(description="ADDRESS:PORT, PORT or the path of a unix socket.")]
    to: Annotated[
        _Text | None,
        Meta(
            description="HOST:PORT or the path of a unix socket. Left out, a local forward leads"
            " to its own port on the gateway, and the clients of another name their targets."
        ),
    ] = None


class ProfileTable(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A saved tunnel.  What is left out, ssh_config decides, then netkit's defaults."""

    gateway: Annotated[_Text, Meta(description="[user@]host[:port] or an ssh_config alias.")]
    note: Annotated[str, Meta(max_length=MAX_NOTE, description="A line for people.")] = ""
    launch: Annotated[
        Literal["", "rdp", "vnc", "http"],
        Meta(description="The program to start once the tunnel is up."),
    ] = ""
    user: Annotated[_Text | None, Meta(description="Login name.")] = None
    port: Annotated[_Port | None, Meta(description="The gateway's port.")] = None
    identities: Annotated[
        list[_Path], Meta(max_length=100, description="Private key files, tried first.")
    ] = []
    jumps: Annotated[
        _Texts | None,
        Meta(description="Gateways to go through first; an empty list: none."),
    ] = None
    proxy: Annotated[
        _Text | None, Meta(description="URL of a proxy on the way to the first gateway.")
    ] = None
    config_file: Annotated[_Path | None, Meta(description="ssh_config to read.")] = None
    compression: bool | None = None
    ciphers: _Texts = []
    macs: _Texts = []
    keepalive: Annotated[
        _Interval | Literal["auto"] | None,
        Meta(description="Seconds of silence after which the gateway is asked; 0: never."),
    ] = None
    keepalive_count: Annotated[
        _Count | None, Meta(description="Unanswered questions that end the link.")
    ] = None
    host_key: Annotated[
        Literal["ask", "accept-new", "strict"] | None,
        Meta(description="What to do with an unknown host key."),
    ] = None
    connect_timeout: Annotated[_Seconds | None, Meta(description="To connect, for each hop.")] = (
        None
    )
    expose: Annotated[
        bool, Meta(description="Allow listening where other machines can connect.")
    ] = False
    x11: Annotated[
        Literal["untrusted", "trusted"] | None,
        Meta(description="Let remote X programs use the local display (ssh -X, ssh -Y)."),
    ] = None
    reconnect: Annotated[
        bool, Meta(description="Make a link that is lost again, or end with it.")
    ] = True
    retries: Annotated[
        _Retries | None, Meta(description="Attempts in a row that may fail; left out: no limit.")
    ] = None
    hold: Annotated[
        _Hold | None, Meta(description="Seconds that new connections wait for the link; 0: none.")
    ] = None
    takeover: Annotated[
        bool, Meta(description="End our own dead session that still holds a remote port.")
    ] = False
    probe: Annotated[
        _Interval | None,
        Meta(description="Seconds between two connections that prove a forward; 0: never."),
    ] = None
    links: Annotated[
        _Links | Literal["auto"] | None,
        Meta(description="SSH connections that share the flows."),
    ] = None
    via: Annotated[_Texts, Meta(description="Further gateways that lead to the same place.")] = []
    spread: Annotated[bool, Meta(description="Spread the links over all gateways.")] = False
    max_flows: Annotated[
        _Flows | None, Meta(description="Connections at once per forward; 0: no limit.")
    ] = None
    limit_rate: Annotated[
        _Size | None,
        Meta(description="Bytes per second, per forward and direction: 512k, 10M; 0: no limit."),
    ] = None
    idle_timeout: Annotated[
        _Idle | None,
        Meta(description="Seconds without a byte that end a connection; 0: no limit."),
    ] = None
    window_budget: Annotated[
        _Size | None,
        Meta(description="Bytes of receive window for all connections together; 0: no limit."),
    ] = None
    allow_targets: Annotated[
        _Patterns, Meta(description="HOST:PORT that clients of dynamic forwards may reach.")
    ] = []
    allow_sources: Annotated[
        _Patterns, Meta(description="Networks that may connect where other machines can.")
    ] = []
    forwards: Annotated[list[ForwardTable], Meta(max_length=MAX_FORWARDS)] = []


class FileTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of a ``profiles.toml``."""

    default: Annotated[_Name | None, Meta(description="The profile meant when none is named.")] = (
        None
    )
    profiles: dict[_Name, ProfileTable] = {}


CHOICES: Final = {
    "default": "the name of a profile; without the key there is none",
    "kind": "local, remote or dynamic",
    "launch": "rdp, vnc or http",
    "host_key": "ask, accept-new or strict",
    "x11": "untrusted or trusted",
    "keepalive": 'a number of seconds or "auto"',
    "links": 'a number from 1 to 16 or "auto"',
}
"""What may be said for keys with few values."""


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a ``profiles.toml``."""
    made = msgspec.json.schema(FileTable)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Profiles of netkit (profiles.toml)",
        **made,
    }
