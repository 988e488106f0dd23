"""The command that failed, to be typed again with a change.

An error knows what to change and not what was typed: its fix says ``netkit forward ... --debug``,
where ``...`` stands for the words of the failed command.  Here they are put in their place, so
that the line can be pasted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from netkit.errors import UsageError
from netkit.model import Fix, ForwardKind, ForwardSpec
from netkit.text.endpoints import parse_bind
from netkit.text.forwards import format_forward, parse_forward

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

SAME = "..."
"""Stands for the words of the failed command in the argv of a `Fix`."""

_KINDS = {"-L": ForwardKind.LOCAL, "-R": ForwardKind.REMOTE, "-D": ForwardKind.DYNAMIC}

_LIKE_FORWARD = (("rdp",), ("vnc",), ("open",), ("x11",))
_LOGIN = ("--host-key", "--password-stdin", "-i")
"""What the errors of a login change, and the commands that log in with the same options."""


_ONCE = frozenset(
    {"--host-key", "--metrics", "--name", "--port", "--prefix", "--use", "--where", "--write"}
)
"""Options with a value of which the last counts: a new one takes the place of the old."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A command as typed: ``path`` is ``("netkit", "forward")``, ``words`` what followed.

    ``spelled`` are words that do the same and name every forward, where ``words`` do not.
    """

    path: tuple[str, ...]
    words: tuple[str, ...]
    forwards: tuple[ForwardSpec, ...] = ()
    spelled: tuple[str, ...] = ()


def expand(fix: Fix, typed: Typed | None) -> Fix:
    """Return ``fix`` with the typed words in the place of ``...``.

    A ``-L``, ``-R`` or ``-D`` in it takes the place of the forward with the same target.  What
    cannot be put in its place stays ``...``.
    """
    if typed is None or SAME not in fix.argv:
        return fix
    at = fix.argv.index(SAME)
    changes = list(fix.argv[at + 1 :])
    if fix.argv[:at] != typed.path and not _fits(fix.argv[:at], changes, typed.path):
        return fix
    words: list[str] | None = list(typed.words)
    added: list[str] = []
    while changes and words is not None:
        word = changes.pop(0)
        if word in _KINDS and changes:
            words = _moved(words, typed.forwards, parse_forward(_KINDS[word], changes.pop(0)))
        else:
            added.append(word)
    if words is None and typed.spelled:
        return expand(fix, replace(typed, words=typed.spelled, spelled=()))
    if words is None:
        return fix
    if _holds(words, added):
        added = []
    words = _without(words, _ONCE.intersection(added))
    # options end at "--"
    words = [*added, *words] if "--" in words else [*words, *added]
    return replace(fix, argv=(*typed.path, *words))


def _fits(path: tuple[str, ...], changes: Sequence[str], typed: tuple[str, ...]) -> bool:
    """Tell whether what is to be changed of ``netkit forward`` the typed command takes as well."""
    if path[1:] != ("forward",) or typed[:1] != path[:1] or typed[1:] not in _LIKE_FORWARD:
        return False
    return not changes or changes[0] in _LOGIN


def _without(words: list[str], options: Collection[str]) -> list[str]:
    """Return ``words`` without those options and their values, as far as options go."""
    left: list[str] = []
    at = 0
    while at < len(words) and words[at] != "--":
        name, joined, _ = words[at].partition("=")
        if name not in options:
            left.append(words[at])
        elif not joined:
            at += 1  # the next word is its value
        at += 1
    return [*left, *words[at:]]


def _holds(words: Sequence[str], part: Sequence[str]) -> bool:
    size = len(part)
    return any(list(words[at : at + size]) == list(part) for at in range(len(words)))


def _moved(words: list[str], forwards: Sequence[ForwardSpec], new: ForwardSpec) -> list[str] | None:
    """Return ``words`` with ``new`` where the one forward of its kind and target was typed."""
    same = [old for old in forwards if (old.kind, old.to) == (new.kind, new.to)]
    if len(same) != 1:
        return None
    for index, word in enumerate(words):
        option, value, joined = _option(words, index)
        if option == "--bind" and _binds(value, same[0]):
            text = format_forward(replace(new, kind=ForwardKind.DYNAMIC, to=None))
        elif _KINDS.get(option) is new.kind and value == same[0].text:
            text = format_forward(new)
        else:
            continue
        if joined:
            return [*words[:index], word[: len(word) - len(value)] + text, *words[index + 1 :]]
        return [*words[: index + 1], text, *words[index + 2 :]]
    return None  # it comes from ssh_config


def _option(words: list[str], index: int) -> tuple[str, str, bool]:
    """Return the option at ``index``, its value, and whether that is part of the same word."""
    word = words[index]
    if word == "--bind" or word in _KINDS:
        return word, words[index + 1] if index + 1 < len(words) else "", False
    if word.startswith("--bind="):
        return "--bind", word.removeprefix("--bind="), True
    return (word[:2], word[2:], True) if word[:2] in _KINDS else ("", "", False)


def _binds(value: str, forward: ForwardSpec) -> bool:
    try:
        return forward.text.startswith("--bind ") and parse_bind(value) == forward.bind
    except UsageError:
        return False
