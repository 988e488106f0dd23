"""Typed looks at the resolved options of a host (the form of ``ssh -G``)."""

from __future__ import annotations

from netkit.errors import ConfigError
from netkit.text.ssh_config import Options


def first(options: Options, name: str, default: str = "") -> str:
    """Return the first value of an option, or ``default`` when it is not set."""
    values = options.get(name)
    return values[0] if values else default


def is_set(options: Options, name: str) -> bool:
    """Tell whether an option has a value other than ``none``."""
    return first(options, name, "none").lower() != "none"


def is_on(options: Options, name: str) -> bool:
    """Tell whether a flag is on; an unset one is off."""
    return first(options, name).lower() in ("yes", "true")


def is_off(options: Options, name: str) -> bool:
    """Tell whether a flag is off; an unset one is not."""
    return first(options, name).lower() in ("no", "false")


def number(options: Options, name: str, default: int) -> int:
    """Return a number; ``none`` and an unset option give ``default``.

    Raises:
        ConfigError: the value is no number.
    """
    text = first(options, name, "none")
    if text.lower() == "none":
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 12:
        raise ConfigError(
            f"option {name} is {text!r}", cause="ssh_config(5) expects a number there"
        )
    return int(text)


def names(options: Options, name: str) -> tuple[str, ...]:
    """Return a comma-separated list."""
    return tuple(item for item in first(options, name).split(",") if item)
