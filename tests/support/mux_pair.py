"""Two connection layers wired back to back, and a referee who reads every message between them.

The referee knows RFC 4254 and nothing of `Mux`: windows, packet sizes, EOF, CLOSE and the numbers
of channels are followed from the bytes alone.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from netkit.wire import messages as n
from netkit.wire import mux as m
from netkit.wire.channel import Channel, ChannelState
from netkit.wire.window import WindowBudget

_AFTER_OPEN = range(n.CHANNEL_WINDOW_ADJUST, n.CHANNEL_FAILURE + 1)


@dataclass(eq=False, slots=True)
class Track:
    """What the referee knows of one channel; a pair of values is one for each side."""

    opener: int
    granted: list[int] = field(default_factory=lambda: [0, 0])
    packet: list[int] = field(default_factory=lambda: [0, 0])
    sent: tuple[bytearray, bytearray] = field(default_factory=lambda: (bytearray(), bytearray()))
    got: tuple[bytearray, bytearray] = field(default_factory=lambda: (bytearray(), bytearray()))
    eof: list[bool] = field(default_factory=lambda: [False, False])
    close: list[bool] = field(default_factory=lambda: [False, False])
    told: list[bool] = field(default_factory=lambda: [False, False])
    closed_first: list[bool] = field(default_factory=lambda: [False, False])
    answers: tuple[deque[bool], deque[bool]] = field(default_factory=lambda: (deque(), deque()))


class Referee:
    """Follows the messages of two sides, 0 and 1."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self.by_number: tuple[dict[int, Track], dict[int, Track]] = ({}, {})

    def sent(self, side: int, payload: bytes) -> None:
        """Check a message that ``side`` puts on the wire."""
        kind, peer = payload[0], 1 - side
        fields = n.Fields(payload)
        if kind == n.CHANNEL_OPEN:
            fields.string()
            track = Track(side)
            self.tracks.append(track)
            self.by_number[side][fields.u32()] = track
        elif kind == n.CHANNEL_OPEN_CONFIRMATION:
            track = self.by_number[peer][fields.u32()]
            assert track.opener == peer
            self.by_number[side][fields.u32()] = track
        elif kind in _AFTER_OPEN:
            self._sent_on(self.by_number[peer][fields.u32()], side, kind, fields)

    def _sent_on(self, track: Track, side: int, kind: int, fields: n.Fields) -> None:
        assert not track.close[side], f"message {kind} after CLOSE"
        if kind == n.CHANNEL_DATA:
            data = fields.string()
            assert not track.eof[side], "data after EOF"
            assert len(data) <= track.packet[side], "data beyond the packet size"
            track.sent[side].extend(data)
            assert len(track.sent[side]) <= track.granted[side], "data beyond the window"
        elif kind == n.CHANNEL_EOF:
            assert not track.eof[side], "EOF twice"
            track.eof[side] = True
        elif kind == n.CHANNEL_CLOSE:
            track.close[side] = True
            track.closed_first[side] = not track.told[side]

    def delivered(self, side: int, payload: bytes) -> None:
        """Note a message of ``side`` that its peer reads now."""
        kind, peer = payload[0], 1 - side
        fields = n.Fields(payload)
        if kind == n.CHANNEL_OPEN:
            fields.string()
            track = self.by_number[side][fields.u32()]
            track.granted[peer], track.packet[peer] = fields.u32(), fields.u32()
        elif kind == n.CHANNEL_OPEN_CONFIRMATION:
            track = self.by_number[peer][fields.u32()]
            fields.u32()
            track.granted[peer], track.packet[peer] = fields.u32(), fields.u32()
        elif kind == n.CHANNEL_WINDOW_ADJUST:
            self.by_number[peer][fields.u32()].granted[peer] += fields.u32()
        elif kind == n.CHANNEL_CLOSE:
            # From here on a CLOSE of the peer is an answer, behind everything it was told.
            self.by_number[peer][fields.u32()].told[peer] = True


class ConnectionPair:
    """Two `Mux` machines, the wires between them, and the two callers who use them."""

    def __init__(self, *, windows: tuple[int | None, int | None] = (None, None)) -> None:
        self.windows = windows
        self.sides = tuple(m.Mux(WindowBudget(), max_incoming=64) for _ in range(2))
        self.wires: tuple[deque[bytes], deque[bytes]] = (deque(), deque())
        self.referee = Referee()
        self.offers: tuple[list[Channel], list[Channel]] = ([], [])
        self.untaken: tuple[dict[Channel, int], dict[Channel, int]] = ({}, {})
        self.owed: tuple[deque[Channel], deque[Channel]] = (deque(), deque())
        self.owed_global = [0, 0]
        self.asked_global: tuple[deque[int], deque[int]] = (deque(), deque())
        self.answered_global: tuple[deque[bool], deque[bool]] = (deque(), deque())
        self.gone: tuple[set[Channel], set[Channel]] = (set(), set())
        self.events: tuple[list[m.Event], list[m.Event]] = ([], [])
        self._token = 0

    # --- the wires ---

    def flush(self, side: int) -> None:
        """Put what ``side`` wants to say on its wire."""
        out = self.sides[side].out
        while out:
            self._put(side, out.popleft())

    def _put(self, side: int, payload: bytes) -> None:
        self.referee.sent(side, payload)
        self.wires[side].append(payload)

    def deliver(self, side: int, count: int = 1) -> None:
        """Let the peer of ``side`` read up to ``count`` messages, and note what they mean."""
        self.flush(side)
        while self.wires[side] and count:
            count -= 1
            payload = self.wires[side].popleft()
            self.referee.delivered(side, payload)
            peer = 1 - side
            event = self.sides[peer].feed(memoryview(payload))
            if event is not None:
                self.events[peer].append(event)
                self._note(peer, event)
            self.flush(peer)

    def settle(self) -> None:
        """Deliver everything."""
        while self.wires[0] or self.wires[1] or self.sides[0].out or self.sides[1].out:
            self.deliver(0, 1_000)
            self.deliver(1, 1_000)

    def _note(self, side: int, event: m.Event) -> None:
        mux = self.sides[side]
        channel: Channel | None = getattr(event, "channel", None)
        if channel is not None:
            assert channel not in self.gone[side], f"{event!r} after close"
        match event:
            case m.OpenRequest(channel=channel):
                self.offers[side].append(channel)
            case m.Data(channel=channel, view=view):
                assert mux.channels[channel.number] is channel
                self.referee.by_number[side][channel.number].got[side].extend(view)
                self.untaken[side][channel] = self.untaken[side].get(channel, 0) + len(view)
            case m.ChannelRequest(channel=channel, want_reply=True):
                self.owed[side].append(channel)
            case m.ChannelReply(channel=channel, ok=ok):
                track = self.referee.by_number[side][channel.number]
                assert track.answers[side].popleft() == ok
            case m.GlobalRequest(want_reply=True):
                self.owed_global[side] += 1
            case m.GlobalReply(token=token, ok=ok):
                assert self.asked_global[side].popleft() == token
                assert self.answered_global[side].popleft() == ok
            case m.Closed() | m.OpenFailed():
                assert channel is not None
                assert channel.state is ChannelState.CLOSED
                assert mux.channels.get(channel.number) is not channel

    # --- the callers ---

    def act(self, op: int, side: int, pick: int, amount: int) -> None:
        """Do step ``op`` of `STEPS` as ``side``, where it makes sense just now."""
        STEPS[op % len(STEPS)](self, side, pick, amount)

    def _channel(self, side: int, pick: int, *states: ChannelState) -> Channel | None:
        channels = [c for c in self.sides[side].channels.values() if c.state in states]
        return channels[pick % len(channels)] if channels else None

    def open(self, side: int, pick: int, amount: int) -> None:
        if len(self.sides[side].channels) < 20:
            self.sides[side].open("direct-tcpip", bytes(amount % 5), self.windows[side])

    def confirm(self, side: int, pick: int, amount: int) -> None:
        if self.offers[side]:
            channel = self.offers[side].pop(pick % len(self.offers[side]))
            self.sides[side].confirm(channel, b"", self.windows[side])

    def refuse(self, side: int, pick: int, amount: int) -> None:
        if self.offers[side]:
            channel = self.offers[side].pop(pick % len(self.offers[side]))
            self.sides[side].refuse(channel, 1 + amount % 4, "no")

    def send(self, side: int, pick: int, amount: int) -> None:
        """Send as much as goes, by either way."""
        mux, channel = self.sides[side], self._channel(side, pick, ChannelState.OPEN)
        if channel is None:
            return
        data = bytes(i & 255 for i in range(amount % 50_000 + 1))
        if amount % 2:
            sendable = channel.sendable
            assert mux.send(channel, data) == min(len(data), sendable, channel.send_packet)
            return
        size = min(len(data), channel.sendable, channel.send_packet)
        if size:
            self.flush(side)
            packet = bytearray(m.DATA_HEADER + size)
            mux.data_header(channel, packet, 0, size)
            packet[m.DATA_HEADER :] = data[:size]
            self._put(side, bytes(packet))

    def eof(self, side: int, pick: int, amount: int) -> None:
        if channel := self._channel(side, pick, *ChannelState):
            self.sides[side].eof(channel)

    def close(self, side: int, pick: int, amount: int) -> None:
        """Close in any state, which cancels an open and refuses an offer."""
        if channel := self._channel(side, pick, *ChannelState):
            if channel in self.offers[side]:
                self.offers[side].remove(channel)
            self.sides[side].close(channel)
            self.gone[side].add(channel)

    def take(self, side: int, pick: int, amount: int) -> None:
        """Take some or all of what arrived, also of a channel that has ended."""
        waiting = self.untaken[side]
        if waiting:
            channel = list(waiting)[pick % len(waiting)]
            count = min(waiting[channel], amount if amount % 3 else 1 << 30)
            waiting[channel] -= count
            if not waiting[channel]:
                del waiting[channel]
            self.sides[side].taken(channel, count)

    def request(self, side: int, pick: int, amount: int) -> None:
        channel = self._channel(side, pick, ChannelState.OPEN)
        if channel is not None and not channel.close_sent:
            self.sides[side].request(channel, "signal", want_reply=bool(amount % 3))

    def answer(self, side: int, pick: int, amount: int) -> None:
        if self.owed[side]:
            channel, ok = self.owed[side].popleft(), bool(amount % 2)
            if not channel.close_sent:
                track = self.referee.by_number[side][channel.number]
                track.answers[1 - side].append(ok)
            self.sides[side].answer(channel, ok=ok)

    def ask(self, side: int, pick: int, amount: int) -> None:
        self._token += 1
        self.asked_global[side].append(self._token)
        self.sides[side].global_request("keepalive@openssh.com", token=self._token)

    def answer_global(self, side: int, pick: int, amount: int) -> None:
        if self.owed_global[side]:
            self.owed_global[side] -= 1
            self.answered_global[1 - side].append(bool(amount % 2))
            self.sides[side].answer_global(ok=bool(amount % 2))

    def read(self, side: int, pick: int, amount: int) -> None:
        self.deliver(side, 1 + amount % 8)

    # --- the end ---

    def finish(self) -> None:
        """Answer and close everything; check that nothing was lost and everything is given back."""
        self.settle()
        for side in (0, 1):
            while self.offers[side]:
                self.confirm(side, 0, 0)
            while self.owed[side]:
                self.answer(side, 0, 0)
            while self.owed_global[side]:
                self.answer_global(side, 0, 0)
        self.settle()
        for side in (0, 1):
            for channel in list(self.sides[side].channels.values()):
                self.sides[side].close(channel)
        self.settle()
        for side, mux in enumerate(self.sides):
            assert not mux.channels
            assert mux.budget.granted == 0
            assert sorted(mux._free) == list(range(mux._next)), "a channel number was lost"
            assert mux._incoming == 0
            assert not self.asked_global[side]
        for track in self.referee.tracks:
            self._check_data(track)

    def _check_data(self, track: Track) -> None:
        for sender, receiver in ((0, 1), (1, 0)):
            sent, got = track.sent[sender], track.got[receiver]
            # Who closes first drops what is still on the way; all others have every byte.
            whole = not track.closed_first[receiver]
            assert got == (sent if whole else sent[: len(got)])


Step = Any
STEPS: tuple[Step, ...] = (
    *(ConnectionPair.read, ConnectionPair.read, ConnectionPair.read),
    *(ConnectionPair.open, ConnectionPair.confirm, ConnectionPair.confirm, ConnectionPair.refuse),
    *(ConnectionPair.send, ConnectionPair.send, ConnectionPair.send),
    *(ConnectionPair.take, ConnectionPair.take),
    *(ConnectionPair.eof, ConnectionPair.close),
    *(ConnectionPair.request, ConnectionPair.answer),
    *(ConnectionPair.ask, ConnectionPair.answer_global),
)
