"""Expansion of ``~``, ``%`` tokens and ``${VARIABLES}`` in values of ssh_config(5)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from netkit.errors import ConfigError

_TOKEN = re.compile(r"%(.?)|\$\{([^}]*)(\}?)", re.DOTALL)
_MAX_EXPANDED = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFacts:
    """What expansion needs to know of this machine; ``variables`` are environment variables."""

    home: str
    user: str
    uid: int | None = None
    hostname: str = "localhost"
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)


def connection_tokens(
    local: LocalFacts,
    *,
    host: str,
    alias: str,
    port: int,
    user: str,
    key_alias: str = "",
    jump: str = "",
) -> dict[str, str]:
    """Return the tokens that ssh knows for a connection, by letter.

    Args:
        local: this machine.
        host: the host name after ``HostName``.
        alias: what the user typed.
        port: the port to connect to.
        user: the login name.
        key_alias: ``HostKeyAlias``, if set.
        jump: ``ProxyJump``, if set.
    """
    joined = f"{local.hostname}{host}{port}{user}{jump}"
    return {
        "%": "%",
        "C": hashlib.sha1(joined.encode("utf-8", "replace"), usedforsecurity=False).hexdigest(),
        "L": local.hostname.partition(".")[0],
        "d": local.home,
        "h": host,
        "i": "" if local.uid is None else str(local.uid),
        "j": jump,
        "k": key_alias or alias,
        "l": local.hostname,
        "n": alias,
        "p": str(port),
        "r": user,
        "u": local.user,
    }


def expand_tokens(
    text: str, tokens: Mapping[str, str], variables: Mapping[str, str] | None = None
) -> str:
    """Expand ``%x`` from ``tokens`` and, if ``variables`` is given, ``${NAME}`` from it.

    What is put in is not expanded again.

    Raises:
        ConfigError: an unknown token, an unset variable, or an endless result.
    """

    def replace(found: re.Match[str]) -> str:
        if found[0].startswith("%"):
            if found[1] not in tokens:
                raise ConfigError(
                    f"unknown token {found[0]!r} in {text!r}",
                    cause="ssh_config(5), section TOKENS, lists what this option knows",
                )
            return tokens[found[1]]
        if variables is None:
            return found[0]
        if not found[3] or found[2] not in variables:
            raise ConfigError(
                f"environment variable {found[0]!r} in {text!r} is not set",
                cause="ssh_config(5) makes that an error",
            )
        return variables[found[2]]

    expanded = _TOKEN.sub(replace, text)
    if len(expanded) > _MAX_EXPANDED:
        raise ConfigError(f"{text[:80]!r} expands to {len(expanded)} characters")
    return expanded


def expand_home(path: str, home: str) -> str:
    """Expand a leading ``~`` or ``~/``.

    Raises:
        ConfigError: the path begins with ``~user``, which needs the user database.
    """
    if path == "~":
        return home
    if path.startswith("~/"):
        return f"{home.rstrip('/')}/{path[2:].lstrip('/')}"
    if path.startswith("~"):
        raise ConfigError(
            f"{path!r}: another user's home is not looked up", cause="write the path in full"
        )
    return path


def variables_in(text: str) -> frozenset[str]:
    """Return the names of the environment variables that ``text`` refers to."""
    names = {found[2] for found in _TOKEN.finditer(text) if found[3]}
    if text.startswith("$") and not text.startswith("${"):
        # IdentityAgent's older form: the whole value is a variable.
        names.add(text[1:])
    return frozenset(names)


# Written so that there is one way to read a text: digits without a unit are the last.
_TIME = re.compile(r"(?:\d+[smhdwSMHDW])*(?:\d+[smhdwSMHDW]?)", re.ASCII)


def parse_seconds(text: str) -> int | None:
    """Parse a time of sshd_config(5), section TIME FORMATS, to seconds; None when it is none."""
    if len(text) > 40 or not _TIME.fullmatch(text):
        return None
    factors = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    parts = re.findall(r"(\d+)([a-zA-Z]?)", text)
    total = sum(int(number) * factors[unit.lower()] for number, unit in parts)
    return total if total < 2**31 else None
