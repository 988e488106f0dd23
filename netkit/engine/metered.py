"""Flows that are limited: in bytes per second, and in how long they may be silent.

A flow that may not send more is not read from; data for a local side that may not get more waits
uncredited, so the window bounds it.  Flows without a limit are of `netkit.engine.relay` and pay
nothing for any of this.
"""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Final

from netkit.engine.outbox import Outbox
from netkit.engine.relay import Flow
from netkit.wire.channel import ChannelState
from netkit.wire.pacing import Pacer
from netkit.wire.rate import TURN, Bucket

if TYPE_CHECKING:
    from collections.abc import Callable

    from netkit.engine.link import Link
    from netkit.engine.loop import Loop, Timer
    from netkit.model import ForwardSpec
    from netkit.wire.channel import Channel

SWEEP: Final = 0.05
"""Seconds between two looks for silent flows, at least."""


class Meter:
    """A `Bucket` that links in several threads draw from."""

    def __init__(self, rate: int) -> None:
        """Let ``rate`` bytes per second pass."""
        self._bucket = Bucket(rate)
        self._lock = threading.Lock()

    def draw(self, who: object, waiting: int, now: float) -> int:
        """Do as `Bucket.draw`."""
        with self._lock:
            return self._bucket.draw(who, waiting, now)

    def give_back(self, unused: int) -> None:
        """Do as `Bucket.give_back`."""
        with self._lock:
            self._bucket.give_back(unused)


class Gate:
    """Where one link's flows of a forward pass in one direction; those that wait take turns.

    `grant` is followed by `settle` before anybody else gets a grant.
    """

    def __init__(self, loop: Loop, meter: Meter, resume: Callable[[LimitedFlow], None]) -> None:
        """``resume`` is called with each flow that has its turn."""
        self._loop = loop
        self._meter = meter
        self._resume = resume
        self._waiting: dict[LimitedFlow, None] = {}
        self._shares: dict[LimitedFlow, int] = {}
        self._granted = 0
        self._timer: Timer | None = None

    def grant(self, flow: LimitedFlow) -> int:
        """Return how many bytes ``flow`` may move now; with 0 it waits for its turn."""
        share = self._shares.pop(flow, 0)
        if not share and not self._waiting:
            share = self._meter.draw(self, 1, self._loop.now)
        self._granted = share
        if not share:
            self.wait(flow)
        return share

    def settle(self, used: int) -> None:
        """Say how many of the granted bytes were moved."""
        if used < self._granted:
            self._meter.give_back(self._granted - used)
        self._granted = 0

    def wait(self, flow: LimitedFlow) -> None:
        """Let ``flow`` have the next turn with the others that wait."""
        self._waiting[flow] = None
        if self._timer is None:
            self._timer = self._loop.call_later(TURN, self._turn)

    def forget(self, flow: LimitedFlow) -> None:
        """Expect nothing of ``flow`` any more; it has ended."""
        self._waiting.pop(flow, None)
        unused = self._shares.pop(flow, 0)
        if unused:
            self._meter.give_back(unused)

    def _turn(self) -> None:
        self._timer = None
        flows = list(self._waiting)
        if not flows:
            return
        share, more = divmod(self._meter.draw(self, len(flows), self._loop.now), len(flows))
        # With less than a byte for each the first get one, and are the last to wait again.
        served = flows if share else flows[:more]
        for flow in served:
            del self._waiting[flow]
            self._shares[flow] = share or 1
        if share and more:
            self._meter.give_back(more)
        for flow in served:
            if flow in self._shares:
                self._resume(flow)
        if self._waiting and self._timer is None:
            self._timer = self._loop.call_later(TURN, self._turn)


class MeteredOutbox(Outbox):
    """An outbox that writes no faster than its gate lets it.

    Attributes:
        starved: the gate, and not the socket, is what the rest waits for.
    """

    __slots__ = ("_flow", "_gate", "starved")

    def __init__(self, sock: socket.socket, gate: Gate, flow: LimitedFlow) -> None:
        super().__init__(sock)
        self._gate = gate
        self._flow = flow
        self.starved = False

    def write(self) -> int:
        """Write as much as the gate and the kernel take; return how many bytes are gone."""
        total, self.size = self.size, 0
        self.starved = False
        if self.failed:
            self._batch.clear()
            return total
        waiting = self.pending if self.pending is not None else bytearray()
        for view in self._batch:
            waiting += view
        self._batch.clear()
        self.pending = waiting or None
        if self.pending is None:
            return 0
        granted = self._gate.grant(self._flow)
        if not granted:
            self.starved = True
            return 0
        count = self._send(waiting, granted)
        self._gate.settle(count)
        self.starved = count == granted and self.pending is not None
        return count

    def _send(self, waiting: bytearray, most: int) -> int:
        try:
            count = self._sock.send(waiting if len(waiting) <= most else bytes(waiting[:most]))
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self.failed = True
            self.pending = None
            return len(waiting)
        if count == len(waiting):
            self.pending = None
        else:
            del waiting[:count]
        return count


class MeteredPacer(Pacer):
    """A pacer that lets no more be sent than its gate does."""

    __slots__ = ("_flow", "_gate")

    def __init__(self, window: int, gate: Gate, flow: LimitedFlow) -> None:
        super().__init__(window)
        self._gate = gate
        self._flow = flow

    def room(self, window: int, limit: int) -> int:
        """Return how many bytes may be sent now; `Gate.settle` is to follow."""
        room = super().room(window, limit)
        return min(room, self._gate.grant(self._flow)) if room else 0


class LimitedFlow(Flow):
    """A flow with gates for its two directions, or with a watch on its silence.

    Attributes:
        moved: when the last byte of either direction passed; seconds of the loop's clock.
    """

    __slots__ = ("_gates", "_on_end", "moved")

    def __init__(
        self,
        link: Link,
        sock: socket.socket,
        channel: Channel,
        number: int,
        forward: ForwardSpec,
        *,
        gates: tuple[Gate, Gate] | None,
        on_end: Callable[[LimitedFlow], None],
    ) -> None:
        """``gates`` are those towards the gateway and back; ``on_end`` is called at the end."""
        super().__init__(link, sock, channel, number, forward)
        self.moved = link.loop.now
        self._gates = gates
        self._on_end = on_end
        if gates is not None:
            self.outbox = MeteredOutbox(sock, gates[1], self)
        self._pace()

    def _pace(self) -> None:
        if self._gates is not None:
            self.pacer = MeteredPacer(self.channel.send_window, self._gates[0], self)

    def opened(self) -> None:
        """The channel is confirmed: relay."""
        self.moved = self.link.loop.now
        super().opened()
        self._pace()

    @property
    def is_relaying(self) -> bool:
        """Whether its channel is open, so that silence is its own."""
        return self.channel.state is ChannelState.OPEN and not self.done

    def pump(self) -> bool:
        """Move one batch towards the channel; return whether there may be more to move now."""
        before = self.sent
        more = super().pump()
        if self.sent != before:
            self.moved = self.link.loop.now
        if self._gates is not None:
            self._gates[0].settle(self.sent - before)
        return more

    def _credit(self, taken: int) -> None:
        self.moved = self.link.loop.now
        super()._credit(taken)

    def _wait_to_write(self) -> None:
        outbox = self.outbox
        if self._gates is not None and isinstance(outbox, MeteredOutbox) and outbox.starved:
            self._gates[1].wait(self)
        else:
            super()._wait_to_write()

    def _detach(self) -> None:
        super()._detach()
        if self._gates is not None:
            for gate in self._gates:
                gate.forget(self)
        self._on_end(self)


def resume_sending(flow: LimitedFlow) -> None:
    """Let a flow read from its local side again."""
    if not flow.done:
        flow.link.ready[flow] = None


def resume_writing(flow: LimitedFlow) -> None:
    """Let a flow write to its local side again."""
    flow.flush()
