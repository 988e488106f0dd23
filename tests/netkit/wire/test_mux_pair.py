"""Two connection layers talk to each other in any order, under the eyes of a referee."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netkit.wire import mux as m
from netkit.wire.channel import Channel, ChannelState
from support.mux_pair import STEPS, ConnectionPair

steps = st.lists(
    st.tuples(
        st.integers(0, len(STEPS) - 1),
        st.integers(0, 1),
        st.integers(0, 20),
        st.integers(0, 60_000),
    ),
    max_size=150,
)
windows = st.sampled_from([None, 0, 1, 2, 3, 5, 100, 40_000])


def established(window: int | None = None) -> tuple[ConnectionPair, Channel, Channel]:
    """Return a pair with one open channel, and the two ends of it."""
    pair = ConnectionPair(windows=(window, window))
    pair.open(0, 0, 0)
    pair.settle()
    pair.confirm(1, 0, 0)
    pair.settle()
    return pair, pair.sides[0].channels[0], pair.sides[1].channels[0]


@given(steps=steps, windows=st.tuples(windows, windows))
@settings(max_examples=150)
def test_any_schedule(
    steps: list[tuple[int, int, int, int]], windows: tuple[int | None, int | None]
) -> None:
    """Nothing is lost, reordered or sent beyond the window; everything is given back."""
    pair = ConnectionPair(windows=windows)
    for step in steps:
        pair.act(*step)
    pair.finish()


@given(steps=steps)
def test_a_lost_link_gives_everything_back(steps: list[tuple[int, int, int, int]]) -> None:
    pair = ConnectionPair()
    for step in steps:
        pair.act(*step)
    for side, mux in enumerate(pair.sides):
        channels = list(mux.channels.values())
        mux.abandon()
        assert mux.budget.granted == 0
        assert not mux.channels
        assert not mux.out
        for channel in channels:
            assert channel.state is ChannelState.CLOSED
            # What a caller still does to let go of its channels is harmless.
            mux.close(channel)
            mux.eof(channel)
            mux.taken(channel, pair.untaken[side].get(channel, 0))
            mux.answer(channel, ok=False)
            assert mux.send(channel, b"x") == 0
        assert not mux.out
        assert mux.budget.granted == 0


@pytest.mark.parametrize("window", [1, 2, 3, 4, 5, 7, 1_000, None])
def test_a_long_stream_passes_any_window(window: int | None) -> None:
    """No rounding of credits may stall a flow, however small its window is."""
    pair, sender, receiver = established(window)
    data = memoryview(bytes(i & 255 for i in range(2_000 if window else 5_000_000)))
    rest = data
    while rest:
        count = pair.sides[0].send(sender, rest)
        rest = rest[count:]
        pair.settle()
        pair.take(1, 0, 0)
        assert count or pair.sides[1].out, "stalled"
        pair.settle()
    assert bytes(pair.referee.tracks[0].got[1]) == data
    assert receiver.window.left + receiver.window.taken == receiver.window.size
    pair.finish()


def test_a_slow_reader_costs_its_window() -> None:
    pair, sender, receiver = established(100_000)
    while pair.sides[0].send(sender, bytes(30_000)):
        pair.settle()
    assert sender.sendable == receiver.window.left == 0
    assert pair.untaken[1][receiver] == 100_000
    pair.take(1, 0, 2)
    pair.settle()
    assert sender.sendable == 0
    pair.take(1, 0, 24_998)
    pair.settle()
    assert sender.sendable == 25_000
    assert pair.events[0][-1] == m.Writable(sender, 25_000)
    pair.finish()


class TestClose:
    def test_while_the_peer_sends(self) -> None:
        """No window is granted behind our CLOSE: the peer may have forgotten the channel."""
        pair, ours, theirs = established(8_000)
        for _ in range(4):
            assert pair.sides[1].send(theirs, bytes(2_000)) == 2_000
        pair.flush(1)
        pair.close(0, 0, 0)
        pair.settle()
        assert [type(event) for event in pair.events[0]] == [m.Opened]
        assert isinstance(pair.events[1][-1], m.Closed)
        assert ours.state is theirs.state is ChannelState.CLOSED
        pair.finish()

    def test_from_both_sides_at_once(self) -> None:
        pair, ours, theirs = established()
        pair.close(0, 0, 0)
        pair.close(1, 0, 0)
        pair.settle()
        assert ours.state is theirs.state is ChannelState.CLOSED
        assert len(pair.events[0]) == len(pair.events[1]) == 1
        pair.finish()

    def test_a_number_is_used_again_at_once(self) -> None:
        """Data that was on its way to the old channel must not reach the new one."""
        pair, _, theirs = established(1_000)
        pair.sides[1].send(theirs, b"for the old one")
        pair.flush(1)
        pair.close(0, 0, 0)
        pair.settle()
        again = pair.sides[0].open("direct-tcpip", window=1_000)
        assert again.number == 0
        pair.settle()
        pair.confirm(1, 0, 0)
        pair.settle()
        new = pair.sides[1].channels[0]
        assert new is not theirs
        assert new.sendable == 1_000
        pair.sides[1].send(new, b"for the new one")
        pair.settle()
        assert bytes(pair.referee.tracks[1].got[0]) == b"for the new one"
        pair.finish()

    @pytest.mark.parametrize("refused", [False, True])
    def test_a_cancelled_open(self, refused: bool) -> None:
        """Data of a peer that confirmed before it heard of the end is dropped (not refused)."""
        pair = ConnectionPair(windows=(100, 100))
        pair.open(0, 0, 0)
        pair.deliver(0)
        pair.close(0, 0, 0)
        assert not pair.sides[0].out
        if refused:
            pair.refuse(1, 0, 0)
        else:
            pair.confirm(1, 0, 0)
            (theirs,) = pair.sides[1].channels.values()
            pair.sides[1].send(theirs, bytes(100))
            pair.sides[1].request(theirs, "signal")
            pair.sides[1].eof(theirs)
        pair.settle()
        assert pair.events[0] == []
        assert pair.sides[0].channels == pair.sides[1].channels == {}
        pair.finish()

    @pytest.mark.parametrize("side", [0, 1])
    def test_with_half_a_conversation_left(self, side: int) -> None:
        pair, *channels = established()
        pair.sides[side].eof(channels[side])
        pair.settle()
        assert pair.events[1 - side][-1] == m.Eof(channels[1 - side])
        assert pair.sides[1 - side].send(channels[1 - side], b"the answer") == 10
        pair.sides[1 - side].close(channels[1 - side])
        pair.settle()
        assert bytes(pair.referee.tracks[0].got[side]) == b"the answer"
        assert pair.events[side][-1] == m.Closed(channels[side])
        pair.finish()


@example(confirmed=0)
@given(confirmed=st.integers(0, 40))
@settings(max_examples=10)
def test_refused_opens_cost_nothing(confirmed: int) -> None:
    pair = ConnectionPair()
    for _ in range(40):
        pair.sides[0].open("x")
    pair.settle()
    before = pair.sides[1].budget.granted
    assert before == 0, "an offer holds no window"
    for i in range(40):
        (pair.confirm if i < confirmed else pair.refuse)(1, 0, 0)
    pair.settle()
    for mux in pair.sides:
        assert mux.budget.granted == sum(c.window.size for c in mux.channels.values())
        assert len(mux.channels) == confirmed
    pair.finish()
