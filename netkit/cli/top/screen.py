"""The screen of ``netkit top`` as lines of text with a style; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from netkit.cli.render import clean, size
from netkit.cli.status.lines import duration, forward_line, link_line, tunnel
from netkit.cli.top.model import COLUMNS, Look, Mode, Row, State

KEYS: Final = "q quit  ? help  ←→ sort  ↑↓ select  k kill  a add  d remove  c connect"

HELP: Final = (
    "q            leave",
    "tab          the next tunnel",
    "< >, ← →, s  sort by the column before or behind; r: the other way round",
    "↑ ↓          select a flow; k: reset it",
    "a            add a forward:    -L 5432:db.internal:5432",
    "d            remove a forward: -L 5432",
    "c            connect now, or have the link prove that it lives",
    "space        hold the picture, and let it go on",
    "",
    "up is towards the gateway. window: bytes that the gateway would still take.",
    "waits: opening (for the target), window (for the gateway to take more),",
    "reader (for the program here to take more), link (for its turn).",
)

# The less a column matters, the later it comes; what does not fit is left out.
_WIDTHS: Final = {
    "flow": 6,
    "target": 24,
    "down/s": 10,
    "up/s": 10,
    "peer": 18,
    "waits": 8,
    "idle": 9,
    "down": 9,
    "up": 9,
    "age": 11,
    "source": 21,
    "window": 9,
    "rtt": 9,
}
_RIGHT: Final = {"flow", "up", "down", "up/s", "down/s", "age", "idle", "window", "rtt"}
_HEAD: Final = 8
"""Lines that the forwards and links of a tunnel take at most, each."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line, and how it is shown: a style of rich, or nothing."""

    text: str
    style: str = ""


def screen(
    look: Look | None, rows: Sequence[Row], state: State, width: int, height: int, others: int = 0
) -> list[Line]:
    """Return the lines of a screen of that size; ``others`` is how many tunnels more there are."""
    bottom = _bottom(state)
    if state.mode is Mode.HELP:
        body = [Line(text) for text in HELP]
    elif look is None:
        body = [Line("no tunnel runs; netkit forward and netkit up start one")]
    else:
        body = [*_head(look, state, others), *_table(rows, state, width)]
    room = max(height - 1, 1)
    body = _scrolled(body, room)
    body += [Line("")] * (room - len(body))
    return [Line(each.text[:width], each.style) for each in (*body, bottom)][:height]


def _bottom(state: State) -> Line:
    match state.mode:
        case Mode.KILL:
            return Line(f"reset flow {state.flow}? y or n", "bold")
        case Mode.ADD:
            return Line(f"add a forward: {state.typed}_", "bold")
        case Mode.REMOVE:
            return Line(f"remove a forward: {state.typed}_", "bold")
    if state.message:
        return Line(clean(state.message), "bold")
    return Line(KEYS, "dim")


def _head(look: Look, state: State, others: int) -> Iterator[Line]:
    if look.running is None:
        yield Line(clean(f"{look.name}: {look.trouble}"), "bold red")
        return
    view = look.running.view
    lines = list(tunnel(look.running))
    more = f"   [tab: {others} more]" if others else ""
    paused = "   [held: space]" if state.paused else ""
    style = "bold green" if view.state.value == "up" else "bold yellow"
    yield Line(f"{lines[0]}{more}{paused}", style)
    yield from _some([forward_line(each) for each in view.forwards])
    yield from _some([link_line(each) for each in view.links])
    yield from (Line(each) for each in lines[1 + len(view.forwards) + len(view.links) :])


def _some(texts: Sequence[str]) -> Iterator[Line]:
    for text in texts[:_HEAD]:
        yield Line(f"  {text}")
    if len(texts) > _HEAD:
        yield Line(f"  and {len(texts) - _HEAD} more")


def _table(rows: Sequence[Row], state: State, width: int) -> Iterator[Line]:
    columns = fitting(width)
    marks = {state.sort: "^" if state.backwards else "v"}
    yield Line(" ".join(_cell(f"{each}{marks.get(each, '')}", each) for each in columns), "reverse")
    for row in rows:
        texts = cells(row)
        text = " ".join(_cell(texts[each], each) for each in columns)
        yield Line(text, "bold reverse" if row.view.number == state.flow else "")


def fitting(width: int) -> tuple[str, ...]:
    """Return the columns that fit, in their order; there is always one."""
    left, kept = width, set[str]()
    for name, needed in _WIDTHS.items():
        if left >= needed or not kept:
            kept.add(name)
            left -= needed + 1
        else:
            break
    return tuple(each for each in COLUMNS if each in kept)


def cells(row: Row) -> dict[str, str]:
    """Return the text of every column."""
    view = row.view
    return {
        "flow": str(view.number),
        "peer": row.peer or "-",
        "source": view.source,
        "target": view.target,
        "up": size(view.bytes_to_gateway),
        "down": size(view.bytes_from_gateway),
        "up/s": _rate(row.up),
        "down/s": _rate(row.down),
        "age": duration(view.seconds),
        "idle": duration(view.idle),
        "window": size(view.window),
        "rtt": f"{row.round_trip * 1000:.1f} ms" if row.round_trip else "-",
        "waits": view.waits or "-",
    }


def _rate(value: float) -> str:
    return f"{size(int(value))}/s" if value >= 1 else "-"


def _cell(text: str, column: str) -> str:
    width = _WIDTHS[column]
    text = clean(text)
    if len(text) > width:
        text = f"{text[: width - 1]}~"
    return text.rjust(width) if column in _RIGHT else text.ljust(width)


def _scrolled(body: list[Line], room: int) -> list[Line]:
    """Return what fits, the selected line among it."""
    if len(body) <= room:
        return body
    at = next((n for n, line in enumerate(body) if line.style == "bold reverse"), 0)
    if at < room:
        return body[:room]
    table = next(n for n, line in enumerate(body) if line.style == "reverse")
    head = body[: min(table + 1, room - 1)]
    return [*head, *body[at + 1 - (room - len(head)) : at + 1]]
