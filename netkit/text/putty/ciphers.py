"""PuTTY's list of ciphers to SSH's names, and back.

PuTTY orders families (``aes``, ``aesgcm``, …), and asks before it uses one that stands after
``WARN`` (settings.c); which key length it takes of a family is not to be chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from netkit.text.putty.defaults import CIPHERS

WARN: Final = "WARN"

_FAMILIES: Final[Mapping[str, tuple[str, ...]]] = {
    "aes": ("aes256-ctr", "aes192-ctr", "aes128-ctr"),
    "aesgcm": ("aes256-gcm@openssh.com", "aes128-gcm@openssh.com"),
    "chacha20": ("chacha20-poly1305@openssh.com",),
    "3des": ("3des-cbc",),
    "des": (),
    "blowfish": (),
    "arcfour": (),
}
_OWN: Final = ("aes", "aesgcm")
"""What netkit can do."""


@dataclass(frozen=True, slots=True)
class Ciphers:
    """Names of ciphers, or PuTTY's list of families; and what was lost."""

    names: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The names as one setting."""
        return ",".join(self.names)


def from_putty(text: str) -> Ciphers:
    """Return the ciphers that ``Cipher`` allows without a question, best first.

    One of PuTTY's own defaults is nobody's choice and gives none.
    """
    if not text or text in CIPHERS:
        return Ciphers()
    words = [word for word in text.split(",") if word]
    allowed = words[: words.index(WARN)] if WARN in words else words
    names = tuple(
        dict.fromkeys(name for word in allowed if word in _OWN for name in _FAMILIES[word])
    )
    lost = [word for word in allowed if word not in _OWN]
    if not names:
        return Ciphers((), (f"Cipher={text}: netkit has none of these ciphers",))
    if lost:
        return Ciphers(names, (f"Cipher: netkit does not have {', '.join(lost)}",))
    return Ciphers(names)


def to_putty(names: Sequence[str]) -> Ciphers:
    """Return the families in PuTTY's order: those asked for, ``WARN``, all others."""
    allowed: list[str] = []
    lost: list[str] = []
    for name in names:
        family = next((f for f, members in _FAMILIES.items() if name in members), "")
        if not family:
            lost.append(f"cipher {name}: PuTTY does not have it")
        elif family not in allowed:
            allowed.append(family)
    if not allowed:
        return Ciphers((), tuple(lost))
    for family in allowed:
        missing = [member for member in _FAMILIES[family] if member not in names]
        if missing:
            lost.append(f"ciphers: PuTTY's {family!r} also allows {', '.join(missing)}")
    rest = [family for family in _FAMILIES if family not in allowed]
    return Ciphers((*allowed, WARN, *rest), tuple(lost))
