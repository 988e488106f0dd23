"""The document of a recording: JSON in, questions and answers out, and back.  Pure.

Its form follows from the signatures of the two ports, so that a question added there needs nothing
here.  A recording may come from a stranger: its size is bounded, every value is checked against
its type (msgspec), and nothing in it is a path that is opened or a word that is run.

Bytes are written as text, so that whoever sends a recording can read what is in it: UTF-8 as it is,
a backslash as ``\\\\`` and any other byte as ``\\xff``.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import inspect
import math
import re
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from diagnostics.model import SCHEMA_VERSION, Target
from diagnostics.ssh import Ssh
from diagnostics.system import System
from netkit.errors import UsageError
from netkit.model import Address

MAX_SIZE = 16 << 20
"""Bytes of a recording."""

ASIDE = frozenset({"timeout", "progress"})
"""Parameters that are no part of the question."""

_NOT_ASKED = {"progress", "cancel", "close"}
_MAX_ANSWERS = 500_000
_BIGGEST = 2**63 - 1
_IN_UNIONS = typing.get_args(Address)
"""Types that are told apart by a tag, because each may stand for the other."""

_ESCAPE = re.compile(rb"\\(\\|x[0-9a-f]{2})")


class RecordingError(UsageError):
    """A recording cannot be read; the cause names the place in it."""

    default_code = "bad-recording"


@dataclass(frozen=True, slots=True)
class Question:
    """A question and what it was answered with.

    ``of`` is ``system`` or ``ssh``; ``arguments`` has no `ASIDE`.
    """

    of: str
    method: str
    arguments: dict[str, Any]
    answer: Any = None

    @property
    def key(self) -> bytes:
        """Equal for equal questions."""
        return key(self.of, self.method, self.arguments)

    def __str__(self) -> str:
        """Return it as it would be written in a probe, cut where it is long."""
        shown = ", ".join(repr(value) for value in self.arguments.values())
        return f"{'ssh.' if self.of == 'ssh' else ''}{self.method}({shown[:200]})"


@dataclass(frozen=True, slots=True)
class Tape:
    """A whole recording.  ``left_out`` names questions whose answers were too large."""

    os: str
    target: Target
    questions: tuple[Question, ...] = ()
    left_out: tuple[str, ...] = ()


def key(of: str, method: str, arguments: dict[str, Any]) -> bytes:
    """Return what equal questions have in common."""
    asked = {name: value for name, value in arguments.items() if name not in ASIDE}
    return msgspec.json.encode([of, method, _plain(asked)], order="deterministic")


# --- writing ---


def encode(tape: Tape) -> bytes:
    """Return the document; answers that would make it too large are left out, the largest first."""
    lines = [
        msgspec.json.encode(
            {
                "ask": f"{question.of}.{question.method}",
                **_plain(question.arguments),
                "answer": _plain(question.answer),
            }
        )
        for question in tape.questions
    ]
    kept, dropped = _that_fit(lines, MAX_SIZE - (1 << 18))
    left_out = [*tape.left_out, *(str(tape.questions[index])[:200] for index in dropped)]
    head = msgspec.json.encode(
        {
            "schema_version": SCHEMA_VERSION,
            "os": _plain(tape.os),
            "target": _plain(tape.target),
            "left_out": _plain(tuple(left_out[:500])),
        }
    )
    answers = b",\n".join(lines[index] for index in kept)
    return head[:-1] + b',\n"answers":[\n' + answers + b"\n]}\n"


def _that_fit(lines: list[bytes], room: int) -> tuple[list[int], list[int]]:
    """Return the indexes of what is kept and of what is not, both in their order."""
    order = sorted(range(len(lines)), key=lambda index: len(lines[index]))
    kept = set()
    for index in order:
        room -= len(lines[index]) + 2
        if room < 0:
            break
        kept.add(index)
    return sorted(kept), [index for index in range(len(lines)) if index not in kept]


def _plain(value: Any) -> Any:
    """Return ``value`` in the types of JSON; fields that have their default are left out."""
    if isinstance(value, enum.Enum):
        return value.value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()  # a file name may hold half characters
    if isinstance(value, bytes):
        return value.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")
    if isinstance(value, int):
        return max(-_BIGGEST, min(value, _BIGGEST))
    if isinstance(value, float):
        if not math.isfinite(value):
            return 0
        # 2 and 2.0 are the same time limit
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return _plain_fields(value)


def _plain_fields(value: Any) -> dict[str, Any]:
    kind = type(value)
    fields = {"is": _tag(kind)} if kind in _IN_UNIONS else {}
    for each in dataclasses.fields(value):
        held = getattr(value, each.name)
        if each.default is dataclasses.MISSING or held != each.default:
            fields[each.name] = _plain(held)
    return fields


def _tag(kind: type) -> str:
    return kind.__name__.lower()


# --- reading ---


def decode(data: bytes) -> Tape:
    """Return what is in a recording.

    Raises:
        RecordingError: it is none, or not one that this netkit reads.
    """
    if len(data) > MAX_SIZE:
        raise RecordingError(f"the recording is larger than {MAX_SIZE >> 20} MiB")
    try:
        version = msgspec.json.decode(data, type=_Head).schema_version
        if version != SCHEMA_VERSION:
            raise RecordingError(
                f"the recording has schema version {version}; this netkit reads {SCHEMA_VERSION}",
                cause="it was made by another version of netkit",
            )
        document = msgspec.json.decode(data, type=_document_type(), dec_hook=_unescaped)
        return Tape(
            document.os,
            _restore(document.target),
            tuple(map(_question, document.answers)),
            document.left_out,
        )
    except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError) as error:
        raise RecordingError(
            "the recording cannot be read", cause=str(error)[:500] or type(error).__name__
        ) from None


class _Head(msgspec.Struct):
    schema_version: Annotated[int, msgspec.Meta(ge=0, le=_BIGGEST)]


class _Escaped(bytes):
    """Bytes that are text in the document."""

    __slots__ = ()


def _unescaped(kind: type, text: object) -> object:
    """Undo what `_plain` did to bytes; msgspec adds the place to what is wrong."""
    assert kind is _Escaped
    if not isinstance(text, str):
        raise ValueError(f"Expected `str`, got `{type(text).__name__}`")  # noqa: TRY004
    data = text.encode("utf-8", "replace")
    if b"\\" not in data:
        return _Escaped(data)
    if b"\\" in _ESCAPE.sub(b"", data):
        raise ValueError("A backslash is written as two, another byte as \\xff")
    return _Escaped(_ESCAPE.sub(_unescape, data))


def _unescape(match: re.Match[bytes]) -> bytes:
    word = match[1]
    return word if word == b"\\" else bytes([int(word[1:], 16)])


def _question(struct: msgspec.Struct) -> Question:
    of, _, method = str(struct.__struct_config__.tag).partition(".")
    fields = {name: _restore(getattr(struct, name)) for name in struct.__struct_fields__}
    answer = fields.pop("answer")
    return Question(of, method, fields, answer)


def _restore(value: Any) -> Any:
    """Return the value of our own types that a checked one stands for."""
    if isinstance(value, tuple):
        return tuple(_restore(each) for each in value)
    if isinstance(value, _Escaped):
        return bytes(value)
    if isinstance(value, msgspec.Struct):
        given = ((name, getattr(value, name)) for name in value.__struct_fields__)
        fields = {name: _restore(each) for name, each in given if each is not msgspec.UNSET}
        return _ORIGINALS[type(value)](**fields)
    return value


# --- the form ---

_ORIGINALS: dict[type, Callable[..., Any]] = {}
"""Which of our dataclasses a checked struct stands for."""


@functools.cache
def _document_type() -> Any:
    asked = [_question_type(of, port, name) for of, port in _PORTS for name in _methods(port)]
    every = _tuple_of(functools.reduce(_either, asked), ...)
    answers = _limited(every, msgspec.Meta(max_length=_MAX_ANSWERS))
    return msgspec.defstruct(
        "Recording",
        [
            ("schema_version", int),
            ("os", _limited(str, msgspec.Meta(max_length=64))),
            ("target", _checked(Target)),
            ("left_out", tuple[str, ...]),
            ("answers", answers),
        ],
        forbid_unknown_fields=True,
        kw_only=True,
    )


_PORTS = (("system", System), ("ssh", Ssh))


def _methods(port: type) -> list[str]:
    """Return the questions that a port has."""
    return [
        name
        for name, each in vars(port).items()
        if inspect.isfunction(each) and not name.startswith("_") and name not in _NOT_ASKED
    ]


def _question_type(of: str, port: type, method: str) -> type:
    hints = typing.get_type_hints(getattr(port, method))
    answer = hints.pop("return")
    fields = [(name, _checked(kind)) for name, kind in hints.items() if name not in ASIDE]
    return msgspec.defstruct(
        f"{of.title()}{method.title()}",
        [*fields, ("answer", _checked(answer))],
        tag_field="ask",
        tag=f"{of}.{method}",
        forbid_unknown_fields=True,
        kw_only=True,
    )


@functools.cache
def _checked(kind: Any) -> Any:
    """Return the type that msgspec shall check a value of ``kind`` against."""
    if kind is bytes:
        return _Escaped
    if kind is int:
        return _limited(int, msgspec.Meta(ge=-_BIGGEST, le=_BIGGEST))
    if typing.get_origin(kind) is tuple:
        return _tuple_of(*map(_checked, typing.get_args(kind)))
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return functools.reduce(_either, map(_checked, typing.get_args(kind)))
    return _struct(kind) if dataclasses.is_dataclass(kind) else kind


def _limited(kind: Any, limits: msgspec.Meta) -> Any:
    return Annotated[kind, limits]


def _tuple_of(*kinds: Any) -> Any:
    return tuple.__class_getitem__(kinds)


def _either(one: Any, other: Any) -> Any:
    return typing.Union[one, other]  # noqa: UP007 (struct types made at run time)


def _struct(kind: Any) -> type:
    hints = typing.get_type_hints(kind)
    fields: list[Any] = []
    for each in dataclasses.fields(kind):
        checked = _checked(hints[each.name])
        optional = (
            each.default is not dataclasses.MISSING
            or each.default_factory is not dataclasses.MISSING
        )
        if optional:
            fields.append((each.name, _either(checked, msgspec.UnsetType), msgspec.UNSET))
        else:
            fields.append((each.name, checked))
    struct = msgspec.defstruct(
        kind.__name__,
        fields,
        tag_field="is" if kind in _IN_UNIONS else None,
        tag=_tag(kind) if kind in _IN_UNIONS else None,
        forbid_unknown_fields=True,
        kw_only=True,
    )
    _ORIGINALS[struct] = kind
    return struct
