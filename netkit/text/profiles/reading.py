"""The text of ``profiles.toml`` to profiles, or to an error that names file, line and key."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

import msgspec

from netkit.errors import ConfigError
from netkit.model import Profile
from netkit.text.endpoints import quoted
from netkit.text.profiles.lines import Path as KeyPath
from netkit.text.profiles.names import why_not
from netkit.text.profiles.source import Source, to_text
from netkit.text.profiles.tables import (
    CHOICES,
    MAX_PROFILES,
    FileTable,
    ForwardTable,
    ProfileTable,
)
from netkit.text.profiles.values import BadValueError, to_profile

_SECRETS: Final = frozenset(
    ["pass", "passphrase", "passwd", "password", "private_key", "proxy_password", "pw", "secret"]
)
_PLACE: Final = re.compile(r" - at `\$([^`]*)`$")
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_FIELD: Final = re.compile(r"Object (contains unknown|missing required) field `(.*)`", re.DOTALL)
# msgspec's words for types
_WORDS: Final = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "object": "a table",
    "str": "a text",
}


@dataclass(frozen=True, slots=True)
class Profiles:
    """All profiles of a file, in its order; ``default`` is empty where none is."""

    profiles: tuple[Profile, ...] = ()
    default: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the file's order."""
        return tuple(profile.name for profile in self.profiles)

    def find(self, name: str) -> Profile | None:
        """Return the profile of that name."""
        return next((each for each in self.profiles if each.name == name), None)


def decode(data: bytes, file: str) -> Profiles:
    """Return what a file says.

    Args:
        data: its content; nothing at all is a file without profiles.
        file: its name, for messages.

    Raises:
        ConfigError: it is no such file; says where and why.
    """
    text = to_text(data, file)
    source = Source(text, file)
    table = _Checker(source).check(source.parse())
    if len(table.profiles) > MAX_PROFILES:
        raise ConfigError(f"{file} holds more than {MAX_PROFILES} profiles")
    made = []
    for name, each in table.profiles.items():
        try:
            made.append(to_profile(name, each))
        except BadValueError as error:
            path = ("profiles", name, *error.path)
            raise source.wrong(path, error.path, error.summary, error.cause) from None
    default = table.default or ""
    if default and default not in table.profiles:
        close = get_close_matches(default, table.profiles, 1)
        raise source.wrong(
            ("default",),
            ("default",),
            f"there is no profile {quoted(default)}",
            f"did you mean {close[0]}?" if close else "",
        )
    return Profiles(tuple(made), default)


@dataclass(frozen=True, slots=True)
class _Checker:
    source: Source

    def check(self, document: dict[str, Any]) -> FileTable:
        """Return the document as a `FileTable`."""
        profiles = document.get("profiles")
        tables = profiles if isinstance(profiles, dict) else {}
        for name, table in tables.items():
            if why := why_not(name):
                summary = f"{quoted(name)} cannot be the name of a profile"
                raise self.source.wrong(("profiles", name), (), summary, why)
            self._no_secrets(("profiles", name), table)
        self._no_secrets((), document)
        try:
            return msgspec.convert(document, FileTable)
        except msgspec.ValidationError as error:
            whole = error
        # the message about all of it does not name the profile
        for name, table in tables.items():
            try:
                msgspec.convert(table, ProfileTable)
            except msgspec.ValidationError as error:
                raise self._invalid(("profiles", name), error, ProfileTable) from None
        raise self._invalid((), whole, FileTable)

    def _no_secrets(self, path: KeyPath, table: Any) -> None:
        for key in table if isinstance(table, dict) else ():
            if key.lower().replace("-", "_") in _SECRETS:
                raise self.source.wrong(
                    (*path, key),
                    (key,),
                    "secrets do not belong in this file",
                    "a password is asked for, or kept in the system's keyring: netkit profile save"
                    " NAME --replace --ask-password",
                )

    def _invalid(
        self, base: KeyPath, error: msgspec.ValidationError, kind: type[msgspec.Struct]
    ) -> ConfigError:
        """Return what msgspec says, with the line and in our words."""
        said = str(error)
        found = _PLACE.search(said)
        path: KeyPath = ()
        if found:
            said = said[: found.start()]
            path = tuple(int(number) if number else key for key, number in _STEP.findall(found[1]))
        if "`key`" in said or (found and "[...]" in found[1]):
            path = ()
        field = _FIELD.fullmatch(said)
        if field is None:
            last = next((step for step in reversed(path) if isinstance(step, str)), "")
            cause = f"it is {CHOICES[last]}" if last in CHOICES else ""
            return self.source.wrong((*base, *path), path or base, _plain(said), cause)
        name = field[2]
        if field[1].startswith("missing"):
            return self.source.wrong((*base, *path), path or base, f"the key {name} is missing")
        if path[:1] == ("forwards",):
            kind = ForwardTable
        cause = _known(name, kind.__struct_fields__)
        summary = f"there is no key {quoted(name)}" if path else "there is no such key"
        shown = path or (name,)
        return self.source.wrong((*base, *path, name), shown, summary, cause)


def _known(name: str, fields: Iterable[str]) -> str:
    close = get_close_matches(name, list(fields), 1)
    return f"did you mean {close[0]}?" if close else f"the keys are {', '.join(fields)}"


def _plain(said: str) -> str:
    """Return a message of msgspec in words of people."""
    text = said[:1].lower() + said[1:200].replace("`", "").replace(" | null", "")
    text = re.sub(r" matching regex '.*", "", text)
    return re.sub(r"\b[a-z]+\b", lambda word: _WORDS.get(word[0], word[0]), text)
