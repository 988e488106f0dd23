"""What a link tells of its flows: events for whoever observes it, nothing where nobody does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from netkit.engine.teller import Teller
from netkit.events import Event, FlowClosed, FlowFailed, FlowOpened, Notice
from netkit.wire.open_failures import classify_open_failure, failure_code
from netkit.wire.untrusted import printable

if TYPE_CHECKING:
    from netkit.engine.relay import Flow
    from netkit.model import ForwardSpec


class Reporter:
    """Turns what happens to flows into events for ``observer``, in the link's thread."""

    __slots__ = ("_observer", "_teller")

    def __init__(self, observer: Callable[[Event], None] | None) -> None:
        self._observer = observer
        self._teller = Teller(self.notice)

    def opened(self, flow: Flow) -> None:
        """A flow relays from now on."""
        if self._observer is not None:
            self._observer(
                FlowOpened(
                    flow=flow.number, forward=flow.forward, source=flow.source, target=flow.target
                )
            )

    def failed(self, flow: Flow, code: str, reason: str) -> None:
        """A flow's channel was not opened."""
        self.denied(flow.number, flow.forward, flow.source, flow.target, code, reason)

    def denied(
        self,
        number: int,
        forward: ForwardSpec | None,
        source: str,
        target: str,
        code: str,
        reason: str,
    ) -> None:
        """A connection was not carried, and no channel was asked for."""
        if self._observer is not None:
            self._observer(
                FlowFailed(
                    flow=number,
                    forward=forward,
                    source=source,
                    target=target,
                    code=code,
                    reason=reason,
                )
            )

    def refused(self, flow: Flow, reason: int, text: str) -> None:
        """The peer refused a flow's channel; ``reason`` as in RFC 4254 section 5.1."""
        failure = classify_open_failure(reason, text)
        said = printable(text, 200)
        # sshd's own words for a refusal are "open failed", which adds nothing.
        why = f"{failure.value} ({said})" if said not in ("", "open failed") else failure.value
        self.failed(flow, failure_code(failure), why)

    def closed(self, flow: Flow, now: float, error: str) -> None:
        """A flow has ended."""
        if self._observer is not None:
            self._observer(
                FlowClosed(
                    flow=flow.number,
                    forward=flow.forward,
                    bytes_to_gateway=flow.sent,
                    bytes_from_gateway=flow.delivered,
                    seconds=now - flow.started,
                    error=error,
                )
            )

    def notice(self, code: str, text: str) -> None:
        """Something is worth knowing and no failure."""
        if self._observer is not None:
            self._observer(Notice(code=code, text=text))

    def caused(self, code: str, text: str, about: str = "") -> None:
        """The same for what whoever connects can cause: seldom, and how often it was."""
        self._teller.tell(code, text, about)
