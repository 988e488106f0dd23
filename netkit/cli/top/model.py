"""What ``netkit top`` knows and what keys do with it; pure.

`State` is what is shown; `press` gives the next one, and what is to be done for it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from netkit.control.client import Running
from netkit.events import FlowView

MAX_TYPED: Final = 200
"""Characters of what is typed into the line at the bottom."""


@dataclass(frozen=True, slots=True)
class Look:
    """A tunnel at a moment ``at``, monotonic seconds; ``trouble`` is why it is unknown."""

    at: float
    name: str
    running: Running | None = None
    flows: tuple[FlowView, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A flow as it is shown: with its rates in bytes per second and the program it comes from."""

    view: FlowView
    up: float = 0.0
    down: float = 0.0
    peer: str = ""
    round_trip: float = 0.0


class Mode(enum.Enum):
    """What keys are for."""

    WATCH = "watch"
    HELP = "help"
    KILL = "kill"
    ADD = "add"
    REMOVE = "remove"


COLUMNS: Final = (
    *("flow", "peer", "source", "target", "up", "down", "up/s", "down/s"),
    *("age", "idle", "window", "rtt", "waits"),
)
"""Columns of the table of flows, in order; the table can be sorted by each."""

_TEXTS: Final = {"peer", "source", "target", "waits", "flow"}
"""Columns that begin with the smallest; the others begin with the largest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is shown.

    Attributes:
        tunnel: name of the tunnel that is shown; empty: the first.
        flow: number of the selected flow; 0: none.
        typed: what was typed so far, while adding or removing a forward.
    """

    tunnel: str = ""
    flow: int = 0
    sort: str = "down/s"
    backwards: bool = False
    paused: bool = False
    mode: Mode = Mode.WATCH
    typed: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Quit:
    """Leave."""


@dataclass(frozen=True, slots=True)
class Kick:
    """Have the tunnel connect now, or prove its link."""


@dataclass(frozen=True, slots=True)
class Kill:
    """Reset a flow."""

    flow: int


@dataclass(frozen=True, slots=True)
class Change:
    """Add or remove the forward that was typed."""

    mode: Mode
    text: str


Action = Quit | Kick | Kill | Change


def rows(before: Look | None, now: Look, peers: Mapping[str, str], state: State) -> tuple[Row, ...]:
    """Return the flows of ``now``, with their rates since ``before``, in the order asked for.

    ``peers`` are programs by source.
    """
    had = {view.number: view for view in before.flows} if before is not None else {}
    passed = now.at - before.at if before is not None else 0.0
    trips = {}
    if now.running is not None:
        trips = {link.number: link.round_trip for link in now.running.view.links}
    made = [
        Row(
            view,
            *_rates(had.get(view.number), view, passed),
            peer=peers.get(view.source, ""),
            round_trip=trips.get(view.link, 0.0),
        )
        for view in now.flows
    ]
    # what is equal stays in the order of its numbers, so that lines do not jump
    made.sort(key=lambda row: row.view.number)
    return tuple(
        sorted(
            made,
            key=lambda row: _value(row, state.sort),
            reverse=(state.sort not in _TEXTS) != state.backwards,
        )
    )


def _rates(before: FlowView | None, now: FlowView, passed: float) -> tuple[float, float]:
    if passed <= 0:
        return 0.0, 0.0
    up = now.bytes_to_gateway - (before.bytes_to_gateway if before else 0)
    down = now.bytes_from_gateway - (before.bytes_from_gateway if before else 0)
    if before is None:
        passed = max(now.seconds, passed)
    return max(up, 0) / passed, max(down, 0) / passed


def _value(row: Row, column: str) -> Any:
    view = row.view
    values: dict[str, Any] = {
        "flow": view.number,
        "peer": row.peer,
        "source": view.source,
        "target": view.target,
        "up": view.bytes_to_gateway,
        "down": view.bytes_from_gateway,
        "up/s": row.up,
        "down/s": row.down,
        "age": view.seconds,
        "idle": view.idle,
        "window": view.window,
        "rtt": row.round_trip,
        "waits": view.waits,
    }
    return values[column]


def shown(state: State, looks: Sequence[Look]) -> Look | None:
    """Return the tunnel that is shown."""
    for look in looks:
        if look.name == state.tunnel:
            return look
    return looks[0] if looks else None


@dataclass(frozen=True, slots=True)
class Scene:
    """What is on the screen while a key is pressed."""

    tunnels: tuple[str, ...] = ()
    flows: tuple[int, ...] = field(default=())


def press(state: State, key: str, scene: Scene) -> tuple[State, Action | None]:
    """Return the state after ``key``, a character or a word as ``up``, and what is to be done."""
    state = replace(state, message="")
    match state.mode:
        case Mode.WATCH:
            return _watch(state, key, scene)
        case Mode.KILL:
            yes = key in ("y", "Y")
            return replace(state, mode=Mode.WATCH), Kill(state.flow) if yes else None
        case Mode.HELP:
            return replace(state, mode=Mode.WATCH), None
    return _type(state, key)


def _watch(state: State, key: str, scene: Scene) -> tuple[State, Action | None]:
    match key:
        case "q" | "Q":
            return state, Quit()
        case "c":
            return replace(state, message="told to connect, or to prove its link"), Kick()
        case "k" if state.flow in scene.flows:
            return replace(state, mode=Mode.KILL), None
        case "k":
            return replace(state, message="select a flow first, with the arrows"), None
    return _look(state, key, scene), None


def _look(state: State, key: str, scene: Scene) -> State:
    match key:
        case "up" | "down":
            return replace(state, flow=_beside(state.flow, scene.flows, key == "down"))
        case "tab":
            tunnels = scene.tunnels
            at = tunnels.index(state.tunnel) if state.tunnel in tunnels else 0
            return (
                replace(state, tunnel=tunnels[(at + 1) % len(tunnels)], flow=0)
                if tunnels
                else state
            )
        case "<" | "left":
            return replace(state, sort=_column(state.sort, -1))
        case ">" | "right" | "s":
            return replace(state, sort=_column(state.sort, 1))
        case "r":
            return replace(state, backwards=not state.backwards)
        case " ":
            return replace(state, paused=not state.paused)
        case "?" | "h":
            return replace(state, mode=Mode.HELP)
        case "a":
            return replace(state, mode=Mode.ADD, typed="-L ")
        case "d":
            return replace(state, mode=Mode.REMOVE, typed="-L ")
    return state


def _column(name: str, step: int) -> str:
    return COLUMNS[(COLUMNS.index(name) + step) % len(COLUMNS)]


def _beside(flow: int, flows: Sequence[int], further: bool) -> int:
    if not flows:
        return 0
    if flow not in flows:
        return flows[0] if further else flows[-1]
    at = flows.index(flow) + (1 if further else -1)
    return flows[min(max(at, 0), len(flows) - 1)]


def _type(state: State, key: str) -> tuple[State, Action | None]:
    match key:
        case "enter":
            done = Change(state.mode, state.typed.strip())
            return replace(state, mode=Mode.WATCH, typed=""), done if done.text else None
        case "escape":
            return replace(state, mode=Mode.WATCH, typed=""), None
        case "backspace":
            return replace(state, typed=state.typed[:-1]), None
    if len(key) == 1 and key.isprintable() and len(state.typed) < MAX_TYPED:
        return replace(state, typed=state.typed + key), None
    return state, None
