"""Hypothesis strategies for any value of the doctor's own types, made from their hints."""

from __future__ import annotations

import dataclasses
import enum
import functools
import inspect
import types
import typing
from typing import Any

from hypothesis import strategies as st

from diagnostics.ssh import Ssh
from diagnostics.system import System

PORTS = (("system", System), ("ssh", Ssh))
NOT_ASKED = {"progress", "cancel", "close"}
QUESTIONS = [
    (of, name)
    for of, port in PORTS
    for name, method in vars(port).items()
    if inspect.isfunction(method) and not name.startswith("_") and name not in NOT_ASKED
]
"""(``system`` or ``ssh``, the method) of everything a probe may ask."""

NAMES = [f"{of}.{method}" for of, method in QUESTIONS]

_SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=12),
    bytes: st.binary(max_size=12) | st.sampled_from([b"\\", b"\\xff", b"\xff\\\xc3\xa4", b"\0"]),
    int: st.integers(-(2**63) + 1, 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    type(None): st.none(),
}


@functools.cache
def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Return any value of ``kind``: plain types, tuples, unions, enumerations, dataclasses."""
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)
        if inner[1:] == (...,):
            return st.lists(any_of(inner[0]), max_size=3).map(tuple)
        return st.tuples(*map(any_of, inner))
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return st.one_of(*map(any_of, typing.get_args(kind)))
    if issubclass(kind, enum.Enum):
        return st.sampled_from(kind)
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{f.name: any_of(hints[f.name]) for f in dataclasses.fields(kind)})


@functools.cache
def hints_of(of: str, method: str) -> dict[str, Any]:
    """Return the types of a question's parameters, and of its answer as ``return``."""
    return typing.get_type_hints(getattr(dict(PORTS)[of], method))


def arguments_of(of: str, method: str) -> st.SearchStrategy[dict[str, Any]]:
    """Return any arguments of a question."""
    hints = {name: kind for name, kind in hints_of(of, method).items() if name != "return"}
    return st.fixed_dictionaries(
        {
            name: st.just(print) if name == "progress" else any_of(kind)
            for name, kind in hints.items()
        }
    )
