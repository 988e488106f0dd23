"""What the word GATEWAY of a command line means: a profile, or a gateway as ssh knows it.

A profile of that name wins over an alias of ssh_config.  Options go before what it says, and
forwards take the place of all of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from netkit.cli import lasting, options
from netkit.model import ForwardSpec, Profile, TunnelSpec

if TYPE_CHECKING:
    from click import Context, Parameter
    from click.shell_completion import CompletionItem

_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Wish:
    """What a command line asks for.

    Attributes:
        spec: the tunnel.
        auto_keepalive: what is known of this network decides the keepalive.
        counted: how many may stay unanswered is said.
        profile: where it comes from, if from one.
        password_of: the profile whose stored password is meant for this login; empty for none.
    """

    spec: TunnelSpec
    auto_keepalive: bool = False
    counted: bool = False
    profile: Profile | None = None
    password_of: str = ""


def wish(
    gateway: str | None,
    forwards: Sequence[ForwardSpec],
    values: dict[str, Any],
    *,
    default: bool = False,
) -> Wish | None:
    """Return what is asked for; None where no gateway is named and none is meant.

    Args:
        gateway: what was typed.
        forwards: those of the command line.
        values: what `options.gateway_options` and `options.forward_options` collect.
        default: the default profile is meant where nothing is typed.

    Raises:
        UsageError: the gateway or a jump is malformed.
        ConfigError: the file of profiles is wrong.
    """
    profile = find(gateway) if gateway is not None else default_profile() if default else None
    if profile is not None:
        return of_profile(profile, forwards, values)
    if gateway is None:
        return None
    return Wish(
        options.tunnel_spec(gateway, forwards, values),
        auto_keepalive=values["keepalive"] == options.AUTO,
        counted=values["keepalive_count"] is not None,
    )


def of_profile(profile: Profile, forwards: Sequence[ForwardSpec], values: dict[str, Any]) -> Wish:
    """Return what a profile and a command line ask for together."""
    from netkit.text.profiles.overrides import keepalive, override

    said = options.tunnel_spec(str(profile.tunnel.gateway), forwards, values)
    interval, count = values["keepalive"], values["keepalive_count"]
    seconds = None if isinstance(interval, str) else interval
    spec = override(profile, replace(said, keepalive=keepalive(profile, seconds, count)))
    spec = replace(
        spec,
        endurance=lasting.endurance(values, profile.tunnel.endurance),
        limits=lasting.limits(values, profile.tunnel.limits),
    )
    auto = interval == options.AUTO or (interval is None and profile.keepalive_auto)
    saved_count = profile.keepalive_auto and profile.tunnel.keepalive is not None
    # who else is logged in as, or where else, is not to get the password
    same_login = said.user is None and said.port is None and said.config_file is None
    return Wish(
        spec,
        auto_keepalive=auto,
        counted=count is not None or saved_count,
        profile=profile,
        password_of=profile.name if same_login else "",
    )


def login_password(*, stdin: bool, profile: str) -> str | None:
    """Return the password on standard input, or else the one that is kept for a profile.

    Raises:
        UsageError: there is none on standard input.
    """
    from netkit import secrets
    from netkit.cli.terminal import read_password

    if stdin:
        return read_password()
    return secrets.recall(profile) if profile else None


def find(word: str) -> Profile | None:
    """Return the profile that ``word`` names, if one does.  Raises ConfigError."""
    from netkit import profiles
    from netkit.text.profiles.names import could_be_name

    if not could_be_name(word) or not profiles.is_there():
        return None
    return profiles.load().find(word)


def default_profile() -> Profile | None:
    """Return the default profile, if there is one.  Raises ConfigError."""
    from netkit import profiles

    if not profiles.is_there():
        return None
    known = profiles.load()
    return known.find(known.default) if known.default else None


def names() -> list[str]:
    """Return the names of profiles, for completion: quickly, and nothing where it is not known."""
    import tomllib

    from netkit.profiles import profiles_file
    from netkit.text.profiles.names import could_be_name

    try:
        path = profiles_file()
        if not path.is_file():  # a pipe would make the shell wait
            return []
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES).decode("utf-8-sig")
        tables = tomllib.loads(text).get("profiles")
    except (OSError, ValueError, RuntimeError, RecursionError):
        return []
    # the shell puts them into the user's command line as they are
    return [name for name in tables if could_be_name(name)] if isinstance(tables, dict) else []


def complete_name(_ctx: Context, _param: Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Return profiles that begin with ``incomplete``."""
    from click.shell_completion import CompletionItem

    return [
        CompletionItem(name, help="profile")
        for name in sorted(names())
        if name.startswith(incomplete)
    ]
