"""What a running tunnel answers: requests become calls of the port `Supervised`."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netkit import __version__
from netkit.control.protocol import ControlError, Request
from netkit.errors import NetkitError
from netkit.events import Event, plain, to_dict
from netkit.model import Address, Endpoint, Fix, ForwardKind, ForwardSpec

if TYPE_CHECKING:
    from netkit.supervision import Supervised

MAX_FLOWS: Final = 4000
"""Flows that are told, the newest; their number is in the status."""

MAX_EVENTS: Final = 200


class EventLog:
    """The last events, for whoever asks; single flows are not among them."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)

    def add(self, event: Event) -> None:
        """Keep an event; from any thread, does not block."""
        self._events.append(event)

    def last(self) -> tuple[Event, ...]:
        """Return them, the oldest first."""
        return tuple(self._events.copy())


@dataclass(frozen=True, slots=True)
class Added:
    """A forward that was begun, and where it listens."""

    forward: ForwardSpec
    addresses: tuple[Address, ...]


class Answers:
    """Carries out requests for one tunnel."""

    def __init__(
        self,
        tunnel: Supervised,
        log: EventLog,
        *,
        name: str,
        gateway: str,
        end: Callable[[float | None], None],
    ) -> None:
        """``end`` ends the tunnel with so many seconds for its flows; it may take as long."""
        self._tunnel = tunnel
        self._log = log
        self._name = name
        self._gateway = gateway
        self._end = end
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Mapping[str, object]:
        """Do it, and return what there is to tell.

        Raises:
            NetkitError: it cannot be done; the tunnel goes on.
        """
        do: Callable[[Request], Mapping[str, object]] = getattr(self, f"_{request.do}")
        return do(request)

    def _status(self, _request: Request) -> Mapping[str, object]:
        return {
            "name": self._name,
            "gateway": self._gateway,
            "pid": os.getpid(),
            "version": __version__,
            "view": self._tunnel.view(),
        }

    def _flows(self, _request: Request) -> Mapping[str, object]:
        return {"flows": self._tunnel.flows()[-MAX_FLOWS:]}

    def _events(self, _request: Request) -> Mapping[str, object]:
        return {"events": [plain(to_dict(each)) for each in self._log.last()]}

    def _kick(self, _request: Request) -> Mapping[str, object]:
        self._tunnel.kick()
        return {}

    def _add(self, request: Request) -> Mapping[str, object]:
        """Begin forwards; all of them or none."""
        added: list[tuple[ForwardSpec, tuple[Address, ...]]] = []
        with self._lock:
            try:
                for spec in request.forwards:
                    added.append((spec, self._tunnel.add(spec)))  # noqa: PERF401 - undone below
            except NetkitError:
                for spec, _ in added:
                    self._tunnel.remove(spec)
                raise
        return {"added": [Added(spec, at) for spec, at in added]}

    def _remove(self, request: Request) -> Mapping[str, object]:
        with self._lock:
            found = []
            for wanted in request.forwards:
                spec = find(self._tunnel, wanted)
                if spec is None:
                    raise ControlError(
                        f"{self._name} has no {wanted.kind.value} forward at {wanted.bind}",
                        code="no-such-forward",
                        cause=_present(self._tunnel),
                        fixes=(Fix(("netkit", "status", self._name)),),
                    )
                found.append(spec)
            return {"removed": [spec for spec in found if self._tunnel.remove(spec)]}

    def _kill(self, request: Request) -> Mapping[str, object]:
        if not self._tunnel.kill(request.flow):
            raise ControlError(f"there is no flow {request.flow}", code="no-such-flow")
        return {}

    def _stop(self, request: Request) -> Mapping[str, object]:
        # The answer first: the end of the tunnel ends its control too.
        threading.Thread(
            target=self._end, args=(request.drain,), name="netkit-control-stop", daemon=True
        ).start()
        return {"pid": os.getpid()}


def find(tunnel: Supervised, wanted: ForwardSpec) -> ForwardSpec | None:
    """Return the forward of that kind that listens there, by what was asked for or what came."""
    views = [each for each in tunnel.view().forwards if each.forward.kind is wanted.kind]
    for each in views:
        if each.forward.bind == wanted.bind:
            return each.forward
    for each in views:
        if any(_is_at(address, wanted) for address in each.addresses):
            return each.forward
    return None


def _is_at(address: Address, wanted: ForwardSpec) -> bool:
    bind = wanted.bind
    if address == bind:
        return True
    # a bare port means that port, at whatever addresses
    is_port = isinstance(bind, Endpoint) and isinstance(address, Endpoint) and not bind.host
    return is_port and address.port == bind.port  # type: ignore[union-attr]


def _present(tunnel: Supervised) -> str:
    texts = [
        f"{_OPTIONS[each.forward.kind]} {each.forward.bind}" for each in tunnel.view().forwards
    ]
    return f"it has {', '.join(texts[:20])}" if texts else "it has none"


_OPTIONS: Final = {
    ForwardKind.LOCAL: "-L",
    ForwardKind.REMOTE: "-R",
    ForwardKind.DYNAMIC: "-D",
}
