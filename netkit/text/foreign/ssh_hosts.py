"""Hosts of ssh_config(5) to profiles.

A profile's gateway is the alias, so that everything else that ssh_config says of it stays in force.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from netkit.errors import ConfigError, UsageError
from netkit.model import ForwardSpec, Gateway, Imported, Profile, TunnelSpec
from netkit.text.forwards import format_forward, parse_config_forward
from netkit.text.profiles.names import name_from
from netkit.text.ssh_config import Options
from netkit.text.ssh_lines import Where, parse_line
from netkit.text.ssh_options import is_on, is_set
from netkit.text.ssh_values import FORWARD_KINDS

_PATTERN: Final = frozenset("*?!")
# What changes what happens, and no profile can say.
_SET: Final = {
    "localcommand": "LocalCommand is not run",
    "remotecommand": "RemoteCommand is not run",
}
_ON: Final = {
    "gatewayports": "GatewayPorts: --expose opens forwards to other machines",
    "forwardx11": "ForwardX11: -X or -Y asks for it",
    "forwardagent": "ForwardAgent: an agent is never forwarded",
}


@dataclass(frozen=True, slots=True)
class Named:
    """What a file names: ``hosts`` that are no patterns, and files to ``include``, in order."""

    hosts: tuple[str, ...]
    include: tuple[str, ...]


def names_of(text: str, file: str) -> Named:
    """Return the aliases and the included files of one file.

    Lines that cannot be read are passed over: whoever resolves the file says what is wrong.
    """
    hosts: dict[str, None] = {}
    include: dict[str, None] = {}
    for number, each in enumerate(text.splitlines(), 1):
        try:
            line = parse_line(each, Where(file, number))
        except ConfigError:
            continue
        if line is None:
            continue
        if line.keyword == "host":
            hosts.update(dict.fromkeys(name for name in line.arguments if is_plain(name)))
        elif line.keyword == "include":
            include.update(dict.fromkeys(line.arguments))
    return Named(tuple(hosts), tuple(include))


def is_plain(name: str) -> bool:
    """Tell whether the argument of ``Host`` is a name and no pattern."""
    return bool(name) and not _PATTERN & set(name)


def read_host(alias: str, options: Options, config: Path | None = None) -> Imported | None:
    """Return the profile for a host; None where it has no forwards.

    Args:
        alias: what it is called.
        options: what ssh_config says of it, resolved.
        config: the file that says so, if it is not the usual one.

    Raises:
        UsageError: the alias cannot be a gateway.
    """
    left_out: list[str] = []
    forwards = tuple(_forwards(options, left_out))
    if not forwards and not left_out:
        return None
    left_out += [text for key, text in _SET.items() if is_set(options, key)]
    left_out += [text for key, text in _ON.items() if is_on(options, key)]
    tunnel = TunnelSpec(gateway=Gateway(alias), forwards=forwards, config_file=config)
    return Imported(Profile(name=name_from(alias), tunnel=tunnel), tuple(left_out))


def _forwards(options: Options, left_out: list[str]) -> Iterable[ForwardSpec]:
    for name, kind in FORWARD_KINDS.items():
        for value in options.get(name, ()):
            try:
                made = parse_config_forward(kind, value)
            except UsageError as error:
                left_out.append(f"{name} {value}: {error.cause or error.summary}")
                continue
            yield replace(made, text=format_forward(made))
