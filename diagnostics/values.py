"""Going over the values of the doctor: frozen dataclasses, tuples, texts, bytes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

T = TypeVar("T")


def changed(value: T, change: Callable[[Any], Any]) -> T:
    """Return ``value`` with ``change`` applied to every text and bytes in it.

    What has nothing to change is returned as it is, not as a copy.  Keys of mappings stay.
    """
    result: Any = value
    if isinstance(value, str | bytes):
        result = change(value)
    elif isinstance(value, tuple | list):
        items = [changed(each, change) for each in value]
        if any(new is not old for new, old in zip(items, value, strict=True)):
            result = type(value)(items)
    elif isinstance(value, dict):
        result = {name: changed(each, change) for name, each in value.items()}
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        result = with_fields(value, lambda _name, each: changed(each, change))
    return cast("T", result)


def with_fields(value: T, change: Callable[[str, Any], Any]) -> T:
    """Return a dataclass with ``change`` applied to each (name, value) of its fields."""
    given: Any = value
    new: dict[str, Any] = {}
    for each in dataclasses.fields(given):
        old = getattr(given, each.name)
        result = change(each.name, old)
        if result is not old:
            new[each.name] = result
    return cast("T", dataclasses.replace(given, **new)) if new else value


def parts(value: Any) -> Iterator[Any]:
    """Yield ``value`` and everything in it, the outer before the inner."""
    yield value
    if isinstance(value, tuple | list):
        for each in value:
            yield from parts(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from parts(each)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from parts(getattr(value, field.name))
