"""Views of a tunnel out of what JSON knows; the other way is `netkit.events.plain`.  Pure.

What a newer netkit says besides is ignored; what is missing or of another kind is a `ControlError`.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeVar

from netkit.control.protocol import ControlError
from netkit.events import FlowView, TunnelView
from netkit.model import Address, Endpoint, ForwardKind, ForwardSpec, UnixPath

T = TypeVar("T")

MAX_ITEMS: Final = 100_000
MAX_TEXT: Final = 4096
_LARGEST: Final = 1e18


def tunnel_view(value: object) -> TunnelView:
    """Return the view of a tunnel.

    Raises:
        ControlError: it is none.
    """
    return _read(TunnelView, value)


def flow_views(value: object) -> tuple[FlowView, ...]:
    """Return the views of flows.

    Raises:
        ControlError: one is none.
    """
    return _tuple(lambda each: _read(FlowView, each), value)


def addresses(value: object) -> tuple[Address, ...]:
    """Return addresses.

    Raises:
        ControlError: one is none.
    """
    return _tuple(_address, value)


def _read(kind: type[T], value: object) -> T:
    if not isinstance(value, dict):
        raise _bad(kind.__name__)
    made: dict[str, Any] = {}
    for name, (reader, is_needed) in _readers(typing.cast("Any", kind)).items():
        if name in value:
            made[name] = reader(value[name])
        elif is_needed:
            raise _bad(f"{kind.__name__}.{name}")
    return kind(**made)


@cache
def _readers(kind: type[Any]) -> dict[str, tuple[Callable[[object], Any], bool]]:
    """Return how to read each field, and whether it must be there."""
    hints = typing.get_type_hints(kind)
    return {
        each.name: (_reader(hints[each.name]), each.default is dataclasses.MISSING)
        for each in dataclasses.fields(kind)
    }


def _reader(hint: Any) -> Callable[[object], Any]:
    if hint in _PLAIN:
        return _PLAIN[hint]
    if hint == Address:
        return _address
    if hint is ForwardSpec:
        return _forward
    if typing.get_origin(hint) is tuple:
        item = _reader(typing.get_args(hint)[0])
        return lambda value: _tuple(item, value)
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        inner = _reader(next(each for each in typing.get_args(hint) if each is not type(None)))
        return lambda value: None if value is None else inner(value)
    if issubclass(hint, enum.Enum):
        return lambda value: _member(hint, value)
    return lambda value: _read(hint, value)


def _tuple(item: Callable[[object], T], value: object) -> tuple[T, ...]:
    if not isinstance(value, list) or len(value) > MAX_ITEMS:
        raise _bad("list")
    return tuple(map(item, value))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _bad("text")
    return value[:MAX_TEXT]


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise _bad("truth value")
    return value


def _whole(value: object) -> int:
    if type(value) is not int or abs(value) > _LARGEST:
        raise _bad("whole number")
    return value


def _number(value: object) -> float:
    if type(value) not in (int, float) or not abs(value) <= _LARGEST:  # type: ignore[arg-type]
        raise _bad("number")
    return float(value)  # type: ignore[arg-type]


_PLAIN: Final[dict[Any, Callable[[object], Any]]] = {
    str: _text,
    bool: _truth,
    int: _whole,
    float: _number,
}


def _member(kind: type[enum.Enum], value: object) -> enum.Enum:
    try:
        return kind(value)
    except ValueError:
        raise _bad(kind.__name__) from None


def _address(value: object) -> Address:
    match value:
        case {"host": str(host), "port": port} if type(port) is int and 0 <= port < 65536:
            return Endpoint(host[:MAX_TEXT], port)
        case {"path": str(path)}:
            return UnixPath(path[:MAX_TEXT])
    raise _bad("address")


def _forward(value: object) -> ForwardSpec:
    if not isinstance(value, dict):
        raise _bad("forward")
    to = value.get("to")
    return ForwardSpec(
        typing.cast("ForwardKind", _member(ForwardKind, value.get("kind"))),
        _address(value.get("bind")),
        None if to is None else _address(to),
        _text(value.get("text", "")),
    )


def _bad(what: str) -> ControlError:
    return ControlError(f"the tunnel's answer has no good {what}", code="control-protocol")
