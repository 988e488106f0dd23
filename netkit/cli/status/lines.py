"""What ``netkit status`` prints for people; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from netkit.cli.render import clean, count, size
from netkit.events import FlowView, ForwardView, Health, LinkView, State
from netkit.model import ForwardKind

if TYPE_CHECKING:
    from netkit.control.client import Running

_STEPS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def tunnel(said: Running) -> Iterator[str]:
    """Yield the lines about a tunnel, all of it but its flows."""
    view = said.view
    through = f" through {said.gateway}" if said.gateway != said.name else ""
    yield clean(f"{said.name}{through} (process {said.pid}): {_state(said)}")
    for forward in view.forwards:
        yield f"  {forward_line(forward)}"
    for link in view.links:
        yield f"  {link_line(link)}"
    carried = f"{size(view.bytes_to_gateway)} to the gateway, {size(view.bytes_from_gateway)} back"
    failed = f", {view.flows_failed} failed" if view.flows_failed else ""
    yield f"  {count(view.flows_open, 'flow')} of {view.flows_total}{failed}; {carried}"
    if view.reconnects:
        yield f"  reconnected {count(view.reconnects, 'time')}"


def failure(name: str, summary: str, cause: str) -> str:
    """Return the line of a tunnel that could not be asked."""
    text = summary if summary.startswith(f"{name} ") else f"{name}: {summary}"
    return clean(f"{text} ({cause})" if cause else text)


def _state(said: Running) -> str:
    view = said.view
    if view.state is State.UP:
        return f"up for {duration(view.seconds)}"
    why = f": {view.reason}" if view.reason else ""
    if view.state is not State.WAITING:
        return f"{view.state.value}{why}"
    when = "trying now" if view.retry_in is None else f"next try in {duration(view.retry_in)}"
    others = [link.number for link in view.links if link.up]
    if others:  # what the gateway accepts comes over the first one alone
        only = "connections from here alone are carried, by " + count(len(others), "link")
        return f"{only}; for the first one attempt {view.attempt}, {when}{why}"
    return f"waiting, attempt {view.attempt}, {when}{why}"


def forward_line(view: ForwardView) -> str:
    """Return the line of a forward: where it listens, where it leads, how it is."""
    spec = view.forward
    where = ", ".join(map(str, view.addresses)) or str(spec.bind)
    on = " on the gateway" if spec.kind is ForwardKind.REMOTE else ""
    health = "not yet proved" if view.health is Health.UNVERIFIED else view.health.value
    reason = f" ({view.reason})" if view.reason else ""
    held = f", {count(view.held, 'connection')} held" if view.held else ""
    return clean(f"{where}{on} -> {spec.to or 'any host'}  {health}{reason}{held}")


def link_line(view: LinkView) -> str:
    """Return the line of a link."""
    if not view.up:
        return clean(f"link {view.number} to {view.gateway}: down")
    parts = [f"link {view.number} to {view.gateway}: up for {duration(view.since)}"]
    if view.round_trip:
        parts.append(f"round trip {view.round_trip * 1000:.1f} ms")
    parts.append(f"silent {duration(view.silent)}")
    flows = count(view.flows, "flow")
    parts.append(f"{flows} ({view.bulk} bulk)" if view.bulk else flows)
    server = view.server.removeprefix("SSH-2.0-")
    parts += [each for each in (server, view.cipher) if each]
    return clean(", ".join(parts))


def flows(views: Sequence[FlowView]) -> Iterator[str]:
    """Yield a line for each flow."""
    for view in views:
        waits = f", waits for the {view.waits}" if view.waits else ""
        yield clean(
            f"  flow {view.number}: {view.source} -> {view.target}, {duration(view.seconds)}, "
            f"{size(view.bytes_to_gateway)} to the gateway, {size(view.bytes_from_gateway)} back"
            f", idle {duration(view.idle)}{waits}"
        )


def duration(seconds: float) -> str:
    """Return a duration in its two largest units: ``3 h 12 min``, ``4 s``; ``0.3 s`` below one."""
    if seconds < 1:
        return f"{max(seconds, 0.0):.1f} s"
    left = int(seconds)
    for at, (length, unit) in enumerate(_STEPS):
        if left >= length:
            text = f"{left // length} {unit}"
            rest = left % length
            if rest and at + 1 < len(_STEPS) and rest >= _STEPS[at + 1][0]:
                text += f" {rest // _STEPS[at + 1][0]} {_STEPS[at + 1][1]}"
            return text
    return "0 s"
