"""``netkit protocols``: what goes through a tunnel and how, what does not, and what to use then."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from netkit.cli import options
from netkit.cli.main import META_OUTPUT, PROGRAM, debug_option
from netkit.cli.output import Output, is_terminal
from netkit.errors import UsageError
from netkit.model import Fix

if TYPE_CHECKING:
    from diagnostics.knowledge.protocol_types import Protocol, Way

SCHEMA_VERSION = 1
_GATEWAY = "GATEWAY"
_NARROWEST = 72

_EPILOG = """\b
Examples:
  netkit protocols            all of them, one a line
  netkit protocols ftp        the whole story of one, with the commands
  netkit protocols 995        which one has that port

"yes" is one forward; "with -D" wants a SOCKS proxy, since the protocol goes on to other ports or
addresses; "with care" says how; "no" says what to use instead.
"""


@click.command(
    "protocols",
    cls=options.RememberingCommand,
    short_help="What goes through a tunnel and how, and what to use for the rest.",
    epilog=_EPILOG,
)
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@debug_option
@click.pass_context
def command(ctx: click.Context, name: str | None, *, as_json: bool) -> int:
    """Say what becomes of protocols in a tunnel; NAME is one of them, or a port number."""
    from diagnostics.knowledge.protocol_details import look_up
    from diagnostics.knowledge.protocols import TABLE

    output = Output(as_json=as_json)
    ctx.meta[META_OUTPUT] = output
    found = in_order(TABLE) if name is None else look_up(name)
    if name is not None and not found:
        raise _unknown(name)
    if as_json:
        documents = [_document(each) for each in found]
        output.document({"schema_version": SCHEMA_VERSION, "protocols": documents})
        return 0
    lines = table(found, _width()) if name is None else _stories(found)
    output.data("\n".join(lines))
    return 0


def _width() -> int | None:
    """Return the columns of the terminal; None where nobody looks and lines stay whole."""
    if not is_terminal(sys.stdout):
        return None
    return max(_NARROWEST, shutil.get_terminal_size().columns)


def _unknown(name: str) -> UsageError:
    from difflib import get_close_matches

    from diagnostics.knowledge.protocols import NAMES

    if name.isascii() and name.isdigit():
        cause = "no protocol that is known here has that port; if it is TCP, one forward does"
        return UsageError(f"port {name} says nothing", code="unknown-protocol", cause=cause)
    close = get_close_matches(name.lower()[:100], NAMES, 3)
    fixes = tuple(Fix((PROGRAM, "protocols", each)) for each in close)
    cause = f"did you mean {' or '.join(close)}?" if close else "it is not in the table"
    return UsageError(
        f"no protocol is called {name!r}",
        code="unknown-protocol",
        cause=cause,
        fixes=fixes or (Fix((PROGRAM, "protocols"), note="lists them"),),
    )


# ---------------------------------------------------------------- the table


def in_order(protocols: Sequence[Protocol]) -> tuple[Protocol, ...]:
    """Return ``protocols`` with what passes first, and alphabetical within that."""
    from diagnostics.knowledge.protocol_details import Carried, carried

    order = list(Carried)
    key = {each: (order.index(carried(each)), each.names[0]) for each in protocols}
    return tuple(sorted(protocols, key=key.__getitem__))


def table(protocols: Sequence[Protocol], width: int | None) -> list[str]:
    """Return a table of ``protocols``; its last column is wrapped to ``width`` columns."""
    rows = [("NAME", "PORTS", "PASSES", "HOW"), *map(_row, protocols)]
    first, second, third = (max(len(row[column]) for row in rows) for column in range(3))
    lines = []
    for name, ports, passes, how in rows:
        start = f"{name:{first}}  {ports:{second}}  {passes:{third}}  "
        room = None if width is None else max(20, width - len(start))
        pieces = [how] if room is None else textwrap.wrap(how, room, break_on_hyphens=False)
        lines += [(start + pieces[0]).rstrip(), *(" " * len(start) + each for each in pieces[1:])]
    return [*lines, "", f"The whole story of one: {PROGRAM} protocols NAME"]


def _row(protocol: Protocol) -> tuple[str, str, str, str]:
    from diagnostics.knowledge.protocol_details import Carried, carried, detail

    more = detail(protocol)
    ports = [str(port).partition(" ")[0].removesuffix("/tcp") for port in more.ports]
    passes = carried(protocol)
    if passes is Carried.NO:
        how = protocol.why
    elif passes is Carried.SOCKS:
        how = f"{PROGRAM} forward -D 1080 {_GATEWAY}"
    else:
        how = _words(protocol.ways[0]) or protocol.ways[0].note
    return protocol.names[0], " ".join(ports[:3]) or "-", passes.value, how


# ---------------------------------------------------------------- one of them


def _stories(protocols: Sequence[Protocol]) -> list[str]:
    lines: list[str] = []
    for protocol in protocols:
        lines += [*([""] if lines else []), *story(protocol)]
    return lines


def story(protocol: Protocol) -> list[str]:
    """Return all that is known of a protocol, as lines."""
    from diagnostics.knowledge.protocol_details import Carried, carried, detail
    from diagnostics.knowledge.protocol_types import VPN

    more, passes = detail(protocol), carried(protocol)
    head = {
        Carried.YES: "goes through a tunnel as it is",
        Carried.SOCKS: "goes through a SOCKS proxy (-D); one forward is not enough",
        Carried.CARE: "goes through a tunnel when it is told how",
        Carried.NO: "does not go through a tunnel",
    }[passes]
    names = ", ".join(protocol.names)
    lines = [f"{protocol.title} ({names}) {head}"]
    if more.ports:
        lines += _field("ports", ", ".join(map(str, more.ports)))
    lines += _field("why", protocol.why)
    label = "instead" if passes is Carried.NO else "do"
    for way in (*protocol.ways, *more.ways):
        if way is not VPN:  # which one, and whether one helps, is said below
            lines += _way(label, way)
    for way in protocol.elsewhere:
        lines += _way("do", way, f"on others than {' and '.join(protocol.systems)}")
    if more.need:
        lines += _field("instead", f"{PROGRAM} advise --need {more.need}   (which VPN fits)")
    if more.lacks:
        lines += _field("not", more.lacks)
    return [*lines, *_field("source", protocol.source)]


def _field(label: str, text: str) -> Iterator[str]:
    start = f"  {label + ':':9}"
    pieces = textwrap.wrap(text, 100 - len(start), break_on_hyphens=False) or [""]
    yield start + pieces[0]
    yield from (" " * len(start) + piece for piece in pieces[1:])


def _way(label: str, way: Way, more: str = "") -> Iterator[str]:
    """Yield a command on one line, however long it is: it is there to be copied."""
    notes = "; ".join(note for note in (more, way.note if way.words else "") if note)
    text = _words(way) or way.note
    if not way.words:
        yield from _field(label, text)
        return
    yield f"  {label + ':':9}{text}" + (f"   ({notes})" if notes else "")


def _words(way: Way) -> str:
    return way.words.replace("{gateway}", _GATEWAY)


def _document(protocol: Protocol) -> dict[str, Any]:
    from diagnostics.knowledge.protocol_details import carried, detail

    more = detail(protocol)
    return {
        "name": protocol.names[0],
        "names": list(protocol.names),
        "title": protocol.title,
        "ports": [
            {"first": port.first, "last": port.last, "transport": port.transport, "form": port.note}
            for port in more.ports
        ],
        "passes": carried(protocol).value,
        "why": protocol.why,
        "ways": [
            {"command": _words(way), "note": way.note} for way in (*protocol.ways, *more.ways)
        ],
        "elsewhere": [{"command": _words(way), "note": way.note} for way in protocol.elsewhere],
        "only_on": list(protocol.systems),
        "not_carried": more.lacks,
        "advise_need": more.need,
        "source": protocol.source,
    }
