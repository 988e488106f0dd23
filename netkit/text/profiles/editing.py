"""Edits of the text of ``profiles.toml``: comments, order and everything else stay.

Each edit is read back before it is believed: if it does not say what it should, it is done in a
rougher way, and else refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

import tomlkit
import tomlkit.exceptions
from tomlkit.items import AoT

from netkit.errors import ConfigError, UsageError
from netkit.model import Profile
from netkit.text.forwards import format_forward
from netkit.text.profiles.lines import header_keys, statements
from netkit.text.profiles.names import check_name
from netkit.text.profiles.reading import Profiles, decode
from netkit.text.profiles.source import MAX_SIZE
from netkit.text.profiles.values import to_table

_HEADER: Final = re.compile(r"(\s*)(\[\[?)(.*?)(\]\]?)(\s*(?:#.*)?)", re.DOTALL)
# What tomlkit raises for texts and edits it has no answer to.
_TROUBLE: Final = (
    tomlkit.exceptions.TOMLKitError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)
_NEW: Final = "the new file"


def canonical(profile: Profile) -> Profile:
    """Return ``profile`` as it is once it was saved: what it says is checked, its texts are ours.

    Raises:
        UsageError: a value in it is impossible; names it.
    """
    check_name(profile.name)
    try:
        made = decode(_bytes(block(profile)), "it").find(profile.name)
    except ConfigError as error:
        said = re.sub(r"^it line \d+: ", "", error.summary)
        raise UsageError(
            f"{profile.name} cannot be saved: {said}", code="bad-profile", cause=error.cause
        ) from None
    forwards = tuple(replace(each, text=format_forward(each)) for each in profile.tunnel.forwards)
    same = replace(profile, tunnel=replace(profile.tunnel, forwards=forwards))
    if made is None or replace(made, tunnel=replace(made.tunnel, keepalive=None)) != replace(
        same, tunnel=replace(same.tunnel, keepalive=None)
    ):
        raise UsageError(
            f"{profile.name} cannot be saved",
            code="bad-profile",
            cause="a value in it has no text that says the same",
        )
    return made


def block(profile: Profile) -> str:
    """Return the TOML of one profile, beginning with its header."""
    table = to_table(profile)
    forwards = table.pop("forwards", [])
    text = f"[profiles.{_key(profile.name)}]\n{tomlkit.dumps(table)}"
    for forward in forwards:
        text += f"\n[[profiles.{_key(profile.name)}.forwards]]\n{tomlkit.dumps(forward)}"
    return text


def put(text: str, profile: Profile, before: Profiles | None = None) -> str:
    """Return ``text`` with ``profile`` in it, in the place of one of that name.

    Args:
        text: the file.
        profile: what is saved.
        before: what ``text`` says, if that is known.

    Raises:
        UsageError: a value of ``profile`` is impossible, or the file becomes too long.
        ConfigError: ``text`` is wrong.
    """
    before = before or _decoded(text)
    new = canonical(profile)
    if before.find(new.name) is None:
        wanted = Profiles((*before.profiles, new), before.default)
        return _first_right(wanted, [lambda: _appended(text, new)])
    swapped = tuple(new if each.name == new.name else each for each in before.profiles)
    wanted = Profiles(swapped, before.default)
    return _first_right(
        wanted,
        [lambda: _changed(text, new), lambda: _appended(_without(text, new.name), new)],
    )


def drop(text: str, name: str) -> str:
    """Return ``text`` without the profile, which is there; it is no default any more.

    Raises:
        ConfigError: ``text`` is wrong.
    """
    before = _decoded(text)
    left = tuple(each for each in before.profiles if each.name != name)
    is_default = before.default == name
    wanted = Profiles(left, "" if is_default else before.default)
    return _first_right(
        wanted, [lambda: _without(_default(text, "") if is_default else text, name)]
    )


def rename(text: str, old: str, new: str) -> str:
    """Return ``text`` with a profile, which is there, called ``new``.

    Raises:
        UsageError: ``new`` is no name.
        ConfigError: ``text`` is wrong.
    """
    check_name(new)
    before = _decoded(text)
    profile = before.find(old)
    assert profile is not None
    renamed = replace(profile, name=new)
    was_default = before.default == old
    wanted = Profiles(
        tuple(renamed if each.name == old else each for each in before.profiles),
        new if was_default else before.default,
    )

    def finish(changed: str) -> str:
        return _default(changed, new) if was_default else changed

    return _first_right(
        wanted,
        [
            lambda: finish(_reheaded(text, old, new)),
            lambda: finish(_appended(_without(text, old), renamed)),
        ],
    )


def set_default(text: str, name: str) -> str:
    """Return ``text`` with ``name`` as the default; an empty one: with none.

    Raises:
        ConfigError: ``text`` is wrong.
    """
    wanted = replace(_decoded(text), default=name)
    return _first_right(wanted, [lambda: _default(text, name)])


def _decoded(text: str) -> Profiles:
    return decode(_bytes(text), "the file")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"'


def _first_right(wanted: Profiles, ways: Iterable[Callable[[], str]]) -> str:
    """Return the first text that says ``wanted``; the order of profiles may differ."""
    for way in ways:
        try:
            made = way()
            if len(_bytes(made)) > MAX_SIZE:
                raise UsageError(
                    f"the profiles would be longer than {MAX_SIZE >> 20} MiB", code="bad-profile"
                )
            found = decode(_bytes(made), _NEW)
        except (ConfigError, *_TROUBLE):
            continue
        if found.default == wanted.default and set(found.profiles) == set(wanted.profiles):
            return made
    raise ConfigError(
        "this file cannot be changed without losing something",
        code="cannot-edit",
        cause="it holds too much, or writes a profile in a way that only an editor can change",
    )


def _appended(text: str, profile: Profile) -> str:
    gap = "" if not text.strip() else "\n" if text.endswith("\n") else "\n\n"
    return f"{text}{gap}{block(profile)}"


def _changed(text: str, profile: Profile) -> str:
    """Change what differs in the table of a profile, and leave the rest of it."""
    wanted = to_table(profile)
    table = _table(tomlkit.parse(text), profile.name)
    missing = {
        key: value for key, value in wanted.items() if key not in table and key != "forwards"
    }
    document = tomlkit.parse(_with_keys(text, profile.name, missing))
    table = _table(document, profile.name)
    for key in [key for key in table if key not in wanted]:
        del table[key]
    for key, value in wanted.items():
        if key == "forwards":
            _change_forwards(table, value)
        elif not _same(table[key].unwrap(), value):
            table[key] = value
    return tomlkit.dumps(document)


def _table(document: Any, name: str) -> Any:
    return document["profiles"][name]


def _with_keys(text: str, name: str, missing: dict[str, Any]) -> str:
    """Return ``text`` with keys behind the last one of the profile's table.

    tomlkit would put them behind the comments that belong to what follows.
    """
    if not missing:
        return text
    at, inside = len(text), False
    for statement in statements(text):
        keys = header_keys(statement)
        inside = inside if keys is None else keys == ("profiles", name)
        if inside:
            at = statement.end
    return f"{text[:at]}\n{tomlkit.dumps(missing).rstrip()}{text[at:]}"


def _change_forwards(table: Any, forwards: list[dict[str, Any]]) -> None:
    present = table.get("forwards")
    if present is not None and present.unwrap() == forwards:
        return
    if not isinstance(present, AoT):
        if present is not None:
            del table["forwards"]
        table.append("forwards", tomlkit.aot())
        present = table["forwards"]
    while len(present) > len(forwards):
        del present[-1]
    for item, wanted in zip(present.body, forwards, strict=False):
        for key in [key for key in item if key not in wanted]:
            del item[key]
        for key, value in wanted.items():
            if item.get(key) != value:
                item[key] = value
    for forward in forwards[len(present) :]:
        item = tomlkit.table()
        item.update(forward)
        present.append(item)


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _without(text: str, name: str) -> str:
    document = tomlkit.parse(text)
    profiles: Any = document["profiles"]
    del profiles[name]
    if not profiles:
        del document["profiles"]
    made = tomlkit.dumps(document)
    return made if made.strip() else ""


def _reheaded(text: str, old: str, new: str) -> str:
    """Change the name in headers of tables."""
    made, done = "", 0
    for statement in statements(text):
        keys = header_keys(statement)
        if keys is None or keys[:2] != ("profiles", old):
            continue
        parts = _HEADER.fullmatch(statement.text)
        if parts is None:
            continue
        inner = ".".join(_key(each) for each in ("profiles", new, *keys[2:]))
        header = f"{parts[1]}{parts[2]}{inner}{parts[4]}{parts[5]}"
        made += text[done : statement.start] + header
        done = statement.end
    return made + text[done:]


def _default(text: str, name: str) -> str:
    document = tomlkit.parse(text)
    if not name:
        if "default" in document:
            del document["default"]
        return tomlkit.dumps(document).lstrip("\n")
    if "default" in document:
        document["default"] = name
        return tomlkit.dumps(document)
    gap = "\n" if text.lstrip().startswith("[") else ""
    return f'default = "{name}"\n{gap}{text}'
