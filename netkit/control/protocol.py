"""How a running tunnel is talked to: one line of JSON each way; pure.

    {"netkit": 1, "do": "add", "forwards": [["local", "5432:db:5432"]]}
    {"netkit": 1, "ok": {"added": [...]}}
    {"netkit": 1, "error": {"code": "bind-address-in-use", "summary": "...", ...}}

Members that a side does not know it ignores, so that both may grow; ``netkit`` becomes 2 when an
old meaning changes.  Whatever a line holds, reading it gives a value or a `ControlError`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from netkit.errors import (
    AuthenticationError,
    BindError,
    GatewayUnreachableError,
    HostKeyError,
    NetkitError,
    RemoteForwardError,
    UsageError,
)
from netkit.events import plain
from netkit.model import Endpoint, Fix, ForwardKind, ForwardSpec
from netkit.text.forwards import format_forward, parse_forward

VERSION: Final = 1
MAX_REQUEST: Final = 64 * 1024
MAX_ANSWER: Final = 4 * 1024 * 1024
MAX_FORWARDS: Final = 100
"""Forwards of one request."""

MAX_DRAIN: Final = 3600.0
_LONGEST: Final = 4096
_NOWHERE: Final = Endpoint("localhost", 1)
"""Stands for the target of a forward to remove, which the grammar wants."""


class ControlError(NetkitError):
    """A running tunnel cannot be talked to, or says what is no answer."""

    exit_code = 3
    default_code = "control-failed"


_BY_EXIT: tuple[type[NetkitError], ...] = (
    UsageError,
    GatewayUnreachableError,
    HostKeyError,
    AuthenticationError,
    BindError,
    RemoteForwardError,
)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a tunnel.

    Attributes:
        do: ``status``, ``flows``, ``events``, ``kick``, ``add``, ``remove``, ``kill`` or ``stop``.
        forwards: those to add or remove; one to remove may have no target.
        flow: the number of the one to kill.
        drain: seconds that flows get to finish; None: as the tunnel was started.
        token: what proves that this user asks, where the system does not.
    """

    do: str
    forwards: tuple[ForwardSpec, ...] = ()
    flow: int = 0
    drain: float | None = None
    token: str = ""


WORDS: Final = ("status", "flows", "events", "kick", "add", "remove", "kill", "stop")


def format_request(request: Request) -> bytes:
    """Return a request as a line.

    Raises:
        ControlError: it is longer than a tunnel reads.
    """
    said: dict[str, Any] = {"netkit": VERSION, "do": request.do}
    if request.forwards:
        said["forwards"] = [_forward_words(each) for each in request.forwards]
    if request.flow:
        said["flow"] = request.flow
    if request.drain is not None:
        said["drain"] = request.drain
    if request.token:
        said["token"] = request.token
    line = _line(said)
    if len(line) > MAX_REQUEST:
        raise ControlError(f"a request has at most {MAX_REQUEST} bytes", code="control-too-long")
    return line


def parse_request(line: bytes) -> Request:
    """Return the request of a line.

    Raises:
        ControlError: it is no request.
        UsageError: a forward in it is malformed.
    """
    said = _document(line, MAX_REQUEST)
    do = said.get("do")
    if do not in WORDS:
        raise _bad(f"there is no request {str(do)[:40]!r}")
    flow = said.get("flow", 0)
    if type(flow) is not int or not 0 <= flow < 1 << 63:
        raise _bad("flow is no number")
    drain = said.get("drain")
    if drain is not None and (
        not isinstance(drain, int | float) or isinstance(drain, bool) or not 0 <= drain <= MAX_DRAIN
    ):
        raise _bad(f"drain is no number of seconds up to {MAX_DRAIN:g}")
    token = said.get("token", "")
    if not isinstance(token, str):
        raise _bad("token is no text")
    return Request(
        do,
        _forwards(said.get("forwards", []), do),
        flow,
        None if drain is None else float(drain),
        token,
    )


def format_answer(result: Mapping[str, object]) -> bytes:
    """Return the answer to a request that was carried out.

    Raises:
        ControlError: it is longer than a client reads.
    """
    line = _line({"netkit": VERSION, "ok": plain_map(result)})
    if len(line) > MAX_ANSWER:
        raise ControlError(f"an answer has at most {MAX_ANSWER} bytes", code="control-too-long")
    return line


def format_failure(error: NetkitError) -> bytes:
    """Return the answer to a request that failed."""
    said = {
        "code": error.code[:_LONGEST],
        "summary": error.summary[:_LONGEST],
        "cause": error.cause[:_LONGEST],
        "fixes": [plain(each) for each in error.fixes[:10]],
        "exit_code": error.exit_code,
        "retryable": error.retryable,
    }
    line = _line({"netkit": VERSION, "error": said})
    if len(line) > MAX_ANSWER:
        return _line({"netkit": VERSION, "error": {**said, "fixes": []}})
    return line


def parse_answer(line: bytes) -> dict[str, Any]:
    """Return the result that an answer holds.

    Raises:
        ControlError: it is no answer.
        NetkitError: the failure that it tells, of the class with its exit code.
    """
    said = _document(line, MAX_ANSWER)
    match said:
        case {"ok": dict(result)}:
            return result
        case {"error": dict(error)}:
            raise _failure(error)
    raise _bad("an answer has neither a result nor an error")


def plain_map(values: Mapping[str, object]) -> dict[str, Any]:
    """Return values of netkit as what JSON knows."""
    return {name: plain(value) for name, value in values.items()}


def _line(value: dict[str, Any]) -> bytes:
    # ascii: a lone surrogate of a hostile name is escaped, and no text holds a line end
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode("ascii") + b"\n"


def _document(line: bytes, limit: int) -> dict[str, Any]:
    if len(line) > limit:
        raise ControlError(f"a line has more than {limit} bytes", code="control-too-long")
    try:
        said = json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise _bad("a line is no JSON") from None
    if not isinstance(said, dict):
        raise _bad("a line is no JSON object")
    if said.get("netkit") != VERSION:
        raise ControlError(
            f"the other side speaks version {str(said.get('netkit'))[:40]}, not {VERSION}",
            code="control-version",
            cause="the tunnel was started by another version of netkit",
        )
    return said


def _no_number(word: str) -> float:
    raise ValueError(word)


def _bad(text: str) -> ControlError:
    return ControlError(f"the control protocol is not kept: {text}", code="control-protocol")


def _forward_words(spec: ForwardSpec) -> list[str]:
    if spec.to is None and spec.kind is ForwardKind.LOCAL:  # to be removed
        return [spec.kind.value, format_forward(replace(spec, to=_NOWHERE)), "bind"]
    return [spec.kind.value, format_forward(spec)]


def _forwards(value: object, do: str) -> tuple[ForwardSpec, ...]:
    if not isinstance(value, list) or len(value) > MAX_FORWARDS:
        raise _bad(f"forwards is no list of at most {MAX_FORWARDS}")
    return tuple(_forward(each, do) for each in value)


def _forward(value: object, do: str) -> ForwardSpec:
    match value:
        case [str(kind), str(text), *rest] if kind in {each.value for each in ForwardKind}:
            if rest == ["bind"] and do == "remove":
                return replace(parse_forward(ForwardKind(kind), text), to=None, text="")
            if not rest:
                return parse_forward(ForwardKind(kind), text)
    raise _bad("a forward is no kind and text")


def _failure(said: dict[str, Any]) -> NetkitError:
    exit_code = said.get("exit_code")
    kinds = [kind for kind in _BY_EXIT if kind.exit_code == exit_code]
    kind = kinds[0] if kinds else ControlError
    fixes = said.get("fixes")
    return kind(
        _text(said.get("summary")) or "the tunnel refused it",
        code=_text(said.get("code")),
        cause=_text(said.get("cause")),
        fixes=tuple(filter(None, map(_fix, fixes[:10] if isinstance(fixes, list) else ()))),
        retryable=said.get("retryable") is True,
    )


def _fix(said: object) -> Fix | None:
    if not isinstance(said, dict) or not isinstance(words := said.get("argv"), list):
        return None
    if not words or not all(isinstance(each, str) for each in words):
        return None
    return Fix(tuple(map(_text, words)), note=_text(said.get("note")))


def _text(value: object) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""
