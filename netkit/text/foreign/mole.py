"""Aliases of mole (https://github.com/davrodpin/mole): one TOML file for each.

``source`` and ``destination`` are lists that belong together pairwise: mole listens at a source
(``type = "remote"``: the server does) and leads to a destination.  A source that is missing is a
port of the system's choice; an address without a host is 127.0.0.1.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from netkit.model import (
    Endpoint,
    ForwardKind,
    ForwardSpec,
    Imported,
    Keepalive,
    Profile,
    TunnelSpec,
)
from netkit.text.endpoints import parse_endpoint, parse_gateway
from netkit.text.foreign.fields import Fields
from netkit.text.forwards import format_forward
from netkit.text.profiles.names import name_from
from netkit.text.profiles.source import Source, to_text

_LOOPBACK: Final = "127.0.0.1"
_DURATION: Final = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?(?:h|ms|m|s|us|ns|µs))+|0")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|ns|µs)")
_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DEFAULT_CONFIG: Final = ("", "$HOME/.ssh/config", "~/.ssh/config")


def read_alias(data: bytes, file: str, name: str) -> Imported:
    """Return the profile for an alias.

    Args:
        data: the content of its file.
        file: the name of that, for messages.
        name: what the alias is called.

    Raises:
        ConfigError: it is no such file; names the line.
    """
    source = Source(to_text(data, file), file)
    fields = Fields(source, (), source.parse())
    left_out: list[str] = []
    key, config = fields.text("key"), fields.text("config")
    tunnel = TunnelSpec(
        gateway=fields.parsed("server", parse_gateway, fields.text("server")),
        forwards=_forwards(fields, left_out),
        identities=(Path(key),) if key else (),
        config_file=None if config in _DEFAULT_CONFIG else Path(config),
        keepalive=_keepalive(fields),
        connect_timeout=_timeout(fields),
    )
    _leave_out(fields, left_out)
    return Imported(Profile(name=name_from(name), tunnel=tunnel), tuple(left_out))


def seconds(text: str) -> float | None:
    """Return a duration as Go writes it (``1m30s``) in seconds, None where it is none."""
    if len(text) > 100 or not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def _forwards(fields: Fields, left_out: list[str]) -> tuple[ForwardSpec, ...]:
    kinds = {"": ForwardKind.LOCAL, "local": ForwardKind.LOCAL, "remote": ForwardKind.REMOTE}
    kind = kinds.get(fields.text("type"))
    if kind is None:
        raise fields.wrong("type", "it is neither local nor remote")
    sources, destinations = fields.texts("source"), fields.texts("destination")
    if len(sources) > len(destinations):
        left_out.append(f"source {', '.join(sources[len(destinations) :])}: no destination for it")
    made = []
    for at, destination in enumerate(destinations):
        bind = (
            _address(fields, "source", sources[at]) if at < len(sources) else Endpoint(_LOOPBACK, 0)
        )
        forward = ForwardSpec(kind, bind, _address(fields, "destination", destination))
        made.append(ForwardSpec(kind, bind, forward.to, format_forward(forward)))
    return tuple(made)


def _address(fields: Fields, key: str, text: str) -> Endpoint:
    full = f"{_LOOPBACK}{text}" if text.startswith(":") else text
    return fields.parsed(key, lambda word: parse_endpoint(word, zero=key == "source"), full)


def _keepalive(fields: Fields) -> Keepalive | None:
    interval = _duration(fields, "keep-alive-interval")
    return None if interval is None else Keepalive(min(interval, 86400.0))


def _timeout(fields: Fields) -> float | None:
    timeout = _duration(fields, "timeout")
    return None if not timeout else min(max(timeout, 0.1), 3600.0)


def _duration(fields: Fields, key: str) -> float | None:
    text = fields.text(key)
    if not text:
        return None
    found = seconds(text)
    if found is None:
        raise fields.wrong(key, f"{text!r} is no duration")
    return found


def _leave_out(fields: Fields, left_out: list[str]) -> None:
    if fields.flag("insecure"):
        left_out.append("insecure: host keys are always checked")
    if fields.flag("detach"):
        left_out.append("detach: netkit up stays in the foreground")
    fields.flag("verbose")  # a matter of the moment
    if agent := fields.text("ssh-agent"):
        left_out.append(f"ssh-agent {agent}: SSH_AUTH_SOCK or IdentityAgent of ssh_config names it")
    retries, pause = fields.number("connection-retries"), fields.text("wait-and-retry")
    if retries or pause not in ("", "0s"):
        left_out.append(f"connection-retries {retries}, wait-and-retry {pause or '0s'}")
    left_out += [f"{key}: netkit does not know it" for key in fields.rest()]
