"""The model of a link, in virtual time: exact."""

from __future__ import annotations

import math
from collections import deque
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.bench.link_model import (
    INITIAL_WINDOW,
    MIN_QUEUE,
    MOST_HELD,
    SEGMENT,
    Line,
    Sender,
)
from netkit.text.link_shapes import LinkShape, parse_link


class Script(Random):
    """Loses every segment for which the script says so: numbers in the order they are asked for."""

    def __init__(self, *numbers: float) -> None:
        super().__init__()
        self.numbers = list(numbers)

    def random(self) -> float:
        return self.numbers.pop(0)


LOST = 0.0
"""Drawn as the distance to the next loss: the next segment.  For a retransmission: lost again."""

FAR = 1 - 1e-12
"""The next loss is far away; a retransmission gets through."""


def line(text: str, *numbers: float) -> Line:
    return Line(parse_link(text), Script(*numbers) if numbers else Random(1))


def rounded(arrivals: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """To the microsecond."""
    return [(round(due, 6), size) for due, size in arrivals]


def test_byte_on_an_idle_line_is_late_by_its_own_time_and_half_a_round_trip():
    sender = Sender(line("1mbit/50ms"))
    assert rounded(sender.put(125, now=10.0)) == [(10.026, 125)]


def test_bytes_of_a_full_line_come_one_after_the_other():
    sender = Sender(line("1mbit/50ms"))
    arrivals = sender.put(3 * SEGMENT + 100, now=0.0)
    assert [size for _due, size in arrivals] == [SEGMENT, SEGMENT, SEGMENT, 100]
    sent = 0
    for due, size in arrivals:
        sent += size
        assert due == pytest.approx(sent / 125_000 + 0.025)


def test_fast_line_gives_bytes_in_larger_pieces():
    arrivals = Sender(line("200mbit/10ms")).put(1 << 20, now=0.0)
    assert rounded(arrivals[:2]) == [(0.006, 25_000), (0.007, 25_000)]


def test_two_senders_share_a_line_first_come_first_served():
    shared = line("1mbit/0ms")
    one, other = Sender(shared), Sender(shared)
    one.put(1250, now=0.0)
    assert rounded(other.put(1250, now=0.001)) == [(0.02, 1250)]
    assert rounded(one.put(125, now=0.5)) == [(0.501, 125)]


@pytest.mark.parametrize(
    ("text", "capacity"),
    [
        ("8kbit/0ms", MIN_QUEUE),
        ("1mbit/50ms", MIN_QUEUE),
        ("10mbit/50ms", 125_000),
        ("10mbit/200ms", 250_000),
        ("100gbit/10s", MOST_HELD // 4),
    ],
)
def test_queue_is_like_a_routers(text: str, capacity: int):
    assert line(text).capacity == capacity


def test_queue_takes_what_it_holds_and_drains_at_the_rate():
    shared = line("1mbit/50ms")
    sender = Sender(shared)
    assert sender.allowance(0.0) == MIN_QUEUE
    sender.put(MIN_QUEUE, now=0.0)
    assert sender.allowance(0.0) == 0
    assert shared.room(0.1) == 12_500
    assert shared.room(shared.room_at()) == pytest.approx(shared.step, abs=1)
    assert shared.room(1000.0) == MIN_QUEUE
    assert sender.next_news() is None  # nothing but the queue holds it back


def test_receiver_that_takes_nothing_holds_its_own_sender_only():
    shared = line("1gbit/10ms")
    stuck, other = Sender(shared), Sender(shared)
    now = 0.0
    while (allowed := stuck.allowance(now)) > 0:
        stuck.put(allowed, now)
        now += 1.0
    assert stuck.held == shared.held == shared.window
    assert stuck.is_full
    assert not other.is_full
    assert other.allowance(now) == shared.capacity
    stuck.taken(SEGMENT)
    assert not stuck.is_full
    assert stuck.allowance(now) == SEGMENT


def test_line_holds_a_bounded_number_of_bytes_whatever_its_shape():
    shared = line("100gbit/10s")
    now = 0.0
    for sender in [Sender(shared) for _ in range(10)]:
        while (allowed := sender.allowance(now)) > 0:
            sender.put(allowed, now)
            now += 1.0
    assert shared.held == MOST_HELD


def test_end_comes_behind_everything_that_was_sent():
    sender = Sender(line("1mbit/50ms"))
    (_, (due, _size)) = sender.put(2 * SEGMENT, now=0.0)
    assert sender.end(0.0) == due
    assert sender.end(5.0) == pytest.approx(5.025)


# ---------------------------------------------------------------- losses


def test_lost_segment_comes_a_round_trip_later_and_holds_up_what_is_behind_it():
    # the second segment is lost once; then nothing for long
    shared = line("1.1584mbit/100ms/50%", 0.5, FAR, FAR)  # 10 ms a segment
    sender, other = Sender(shared), Sender(shared)
    arrivals = sender.put(4 * SEGMENT, now=0.0)
    assert [size for _due, size in arrivals] == [SEGMENT] * 4
    # sent at 10, 30 (twice), 40 and 50 ms; half a round trip is 50 ms
    dues = [round(due * 1000) for due, _size in arrivals]
    assert dues == [60, 180, 180, 180]
    # another connection waits for the line only
    assert rounded(other.put(SEGMENT, now=0.0)) == [(0.11, SEGMENT)]


def test_retransmission_that_is_lost_costs_another_round_trip():
    shared = line("1.1584mbit/100ms/50%", LOST, LOST, LOST, FAR, FAR)
    ((due, _size),) = Sender(shared).put(SEGMENT, now=0.0)
    assert due == pytest.approx(4 * 0.010 + 0.050 + 3 * 0.100)


def test_window_begins_at_ten_segments_and_doubles_per_round_trip():
    sender = Sender(line("10gbit/100ms/0.1%", FAR))
    assert sender.allowance(0.0) == INITIAL_WINDOW
    sender.put(INITIAL_WINDOW, now=0.0)
    assert sender.allowance(0.0) == 0
    news = sender.next_news()
    assert news == pytest.approx(0.1, abs=0.001)
    assert sender.allowance(0.09) == 0
    assert sender.allowance(0.11) == 2 * INITIAL_WINDOW
    sender.put(2 * INITIAL_WINDOW, now=0.11)
    assert sender.allowance(0.22) == 4 * INITIAL_WINDOW


def test_window_that_is_not_used_does_not_grow():
    sender = Sender(line("10gbit/100ms/0.1%", FAR))
    for second in range(5):
        sender.put(SEGMENT, now=float(second))
        assert sender.allowance(second + 0.5) == INITIAL_WINDOW


def test_losses_of_one_round_trip_halve_the_window_once():
    sender = Sender(line("10gbit/100ms/0.1%", LOST, FAR, LOST, FAR, FAR))
    sender.put(8 * SEGMENT, now=0.0)  # the first two are lost
    assert sender.allowance(0.09) == 2 * SEGMENT
    assert sender.window == 10 * SEGMENT
    sender.allowance(0.12)
    assert sender.window == pytest.approx(5 * SEGMENT, rel=0.3)  # and the first growth after it
    assert sender.window < 7 * SEGMENT


def test_window_grows_by_a_segment_per_round_trip_after_a_loss():
    sender = Sender(line("10gbit/100ms/0.1%", LOST, FAR, FAR))
    sender.put(10 * SEGMENT, now=0.0)
    sender.allowance(1.0)
    before = sender.window
    sender.put(int(before), now=1.0)
    sender.allowance(1.11)
    assert sender.window == pytest.approx(before + SEGMENT, rel=0.05)


def test_window_never_falls_below_two_segments():
    sender = Sender(line("10gbit/100ms/0.1%", *[LOST, FAR] * 20, FAR))
    for second in range(20):
        sender.put(SEGMENT, now=float(second))
        sender.allowance(second + 0.9)
    assert 2 * SEGMENT <= sender.window < 3 * SEGMENT


def test_lossless_line_needs_no_window():
    sender = Sender(line("10mbit/100ms"))
    assert sender.window == math.inf


def transfer(shape: LinkShape, seconds: float, seed: int = 1) -> float:
    """Return bytes per second of a sender that always has more, in virtual time."""
    shared = Line(shape, Random(seed))
    sender = Sender(shared)
    arriving: deque[tuple[float, int]] = deque()
    now, total = 0.0, 0
    while now < seconds:
        while arriving and arriving[0][0] <= now:
            _due, size = arriving.popleft()
            sender.taken(size)
            total += size
        allowed = sender.allowance(now)
        if allowed >= SEGMENT:
            arriving.extend(sender.put(allowed - allowed % SEGMENT, now))
        times = [shared.room_at()] if shared.room(now) < SEGMENT else []
        times += [arriving[0][0]] if arriving else []
        times += [news] if (news := sender.next_news()) is not None else []
        now = max(min(times), now + 1e-6)
    return total / seconds


@pytest.mark.parametrize("text", ["8kbit/1s", "1mbit/50ms", "100mbit/0ms", "50mbit/100ms"])
def test_lossless_transfer_fills_the_line(text: str):
    shape = parse_link(text)
    seconds = 20 * max(shape.round_trip, 0.1) + 40_000 / shape.rate
    assert transfer(shape, seconds) == pytest.approx(
        shape.rate, rel=(shape.round_trip / 2 + 2 * SEGMENT / shape.rate) / seconds + 0.001
    )


@pytest.mark.parametrize("text", ["1gbit/50ms/0.1%", "1gbit/50ms/1%", "1gbit/200ms/0.5%"])
def test_lossy_transfer_is_as_fast_as_theory_says(text: str):
    """Mathis et al., "The macroscopic behavior of the TCP congestion avoidance algorithm", 1997."""
    shape = parse_link(text)
    predicted = SEGMENT / shape.round_trip * math.sqrt(1.5 / shape.loss)
    assert 0.7 < transfer(shape, 400 * shape.round_trip * 5) / predicted < 1.4


def test_lossy_line_that_is_slow_is_filled_nevertheless():
    shape = parse_link("1mbit/50ms/1%")
    assert 0.9 * shape.rate < transfer(shape, 60.0) < shape.rate


@pytest.mark.parametrize("loss", [0.001, 0.02, 0.5])
def test_share_of_lost_transmissions_is_as_asked(loss: float):
    shared = Line(LinkShape(1e6, 0.01, loss), Random(7))
    pieces = [piece for _ in range(200) for piece in shared.transmit(100 * SEGMENT, 0.0)]
    lost = sum(times for _at, _size, times in pieces)
    sent = 200 * 100 + lost
    assert lost / sent == pytest.approx(loss, rel=0.3)


@given(
    st.floats(1_000, 1e9),
    st.floats(0, 2),
    st.just(0.0) | st.floats(1e-6, 0.5),
    st.lists(st.tuples(st.floats(0, 1), st.integers(1, 100_000)), max_size=30),
    st.integers(0, 1000),
)
def test_bytes_come_in_order_complete_and_never_early(
    rate: float, round_trip: float, loss: float, puts: list[tuple[float, int]], seed: int
):
    shared = Line(LinkShape(rate, round_trip, loss), Random(seed))
    sender = Sender(shared)
    now, sent, last = 0.0, 0, 0.0
    for pause, size in puts:
        now += pause
        allowed = min(sender.allowance(now), size)
        if allowed <= 0:
            continue
        arrivals = sender.put(allowed, now)
        assert sum(size for _due, size in arrivals) == allowed
        assert all(size > 0 for _due, size in arrivals)
        for due, piece in arrivals:
            sent += piece
            assert due >= last
            assert due >= now + round_trip / 2
            assert due >= sent / rate + round_trip / 2 - 1e-6  # no faster than the line
            last = due
        assert loss or shared.room(now) >= 0  # retransmissions take room that nobody asked for
    assert sender.held == shared.held == sent
    assert sender.end(now) >= last
    # once everything is acknowledged the window is open again
    assert not sent or sender.allowance(now + 1e6) > 0 or sender.is_full
