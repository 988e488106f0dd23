"""Passwords of profiles in the keyring of the operating system.

The package ``keyring`` is an extra and is loaded when it is needed: it knows the Keychain of macOS,
the Credential Locker of Windows, and the Secret Service and KWallet of others.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
from typing import Any, Final

from netkit.errors import NetkitError
from netkit.model import Fix

SERVICE: Final = "netkit"
"""Under which name the keyring shows them; the user name is the profile's."""

log = logging.getLogger("netkit.secrets")


class KeyringError(NetkitError):
    """There is no keyring, or it refuses."""

    exit_code = 3
    default_code = "no-keyring"


def store(profile: str, password: str) -> None:
    """Keep the password of a profile, in the place of an older one.

    Raises:
        KeyringError: there is no keyring, or it refuses.
    """
    keyring = _keyring()
    try:
        keyring.set_password(SERVICE, profile, password)
    except Exception as error:
        raise _refused("keep the password", error) from error


def recall(profile: str) -> str | None:
    """Return the password of a profile; None where none is kept, or there is no keyring."""
    if importlib.util.find_spec("keyring") is None:
        return None
    try:
        found = _keyring().get_password(SERVICE, profile)
    except Exception as error:  # noqa: BLE001 - backends raise what they like
        log.info("the keyring does not answer: %s", _said(error))
        return None
    return found if isinstance(found, str) else None


def forget(profile: str) -> bool:
    """Forget the password of a profile, if one is kept and there is a keyring; return whether."""
    if recall(profile) is None:
        return False
    try:
        _keyring().delete_password(SERVICE, profile)
    except Exception as error:
        raise _refused(f"forget the password of {profile}", error) from error
    return True


def move(old: str, new: str) -> bool:
    """Keep the password of one profile for another one, if one is kept; return whether.

    Raises:
        KeyringError: the keyring refuses; the password is still there.
    """
    password = recall(old)
    if password is None:
        return False
    store(new, password)
    return forget(old)


def _keyring() -> Any:
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:
        raise KeyringError(
            "there is nothing to keep a password in",
            cause="the package keyring is not installed",
            fixes=(Fix(("pip", "install", "netkit-tunnel[keyring]")),),
        ) from None
    return keyring


def _refused(what: str, error: Exception) -> KeyringError:
    kind = type(error).__name__
    if kind == "NoKeyringError":
        return KeyringError(
            f"the keyring cannot {what}",
            cause="this machine has no keyring that netkit can use (keyring --list-backends)",
            fixes=(
                Fix(("keyring", "diagnose")),
                Fix(("netkit", "up", "NAME", "--password-stdin"), note="needs none"),
            ),
        )
    return KeyringError(
        f"the keyring cannot {what}", code="keyring-refused", cause=_said(error), retryable=True
    )


def _said(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
