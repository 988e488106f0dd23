"""Receive windows: credits, the budget of all of them, and growth on simulated paths."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import LocalProtocolError
from netkit.wire import mux as m
from netkit.wire import window as w
from netkit.wire.window import ReceiveWindow, WindowBudget

MB = 1_000_000
MIB = 1 << 20


@dataclass
class Path:
    """A sender that always has data, a link of ``rate`` bytes/s and ``delay`` seconds one way.

    The receiver takes ``reader`` bytes/s, in batches of what came within ``batch`` seconds.
    """

    delay: float
    rate: float
    reader: float = 1e12
    batch: float = 0.0
    round_trip: float | None = None
    budget: WindowBudget = field(default_factory=WindowBudget)

    def __post_init__(self) -> None:
        self.now = 1.0
        self.taken = 0
        self.paused_until = 0.0
        self._there, self._here = m.Mux(), m.Mux(self.budget)
        self._sender = self._there.open("x")
        event = self._here.feed(memoryview(self._there.out.popleft()))
        assert isinstance(event, m.OpenRequest)
        self.channel = event.channel
        self._here.confirm(self.channel)
        self._there.feed(memoryview(self._here.out.popleft()))
        self._queue: list[tuple[float, int, str, bytes]] = []
        self._order = itertools.count()
        self._free_at = self._reader_free_at = self.now
        self._send()

    @property
    def window(self) -> int:
        return self.channel.window.size

    def run(self, seconds: float) -> float:
        """Let time pass; return the bytes per second that the reader took meanwhile."""
        end, before = self.now + seconds, self.taken
        while self._queue and self._queue[0][0] <= end:
            self.now, _, what, payload = heapq.heappop(self._queue)
            if what == "data":
                event = self._here.feed(memoryview(payload))
                assert isinstance(event, m.Data)
                self._read(len(event.view))
            elif what == "taken":
                self._credit(int.from_bytes(payload))
            else:
                self._there.feed(memoryview(payload))
                self._send()
        self.now = end
        return (self.taken - before) / seconds

    def pause(self, seconds: float) -> None:
        """The sender has nothing to say for a while."""
        self.paused_until = self.now + seconds
        self.run(seconds)
        self._send()

    def _push(self, when: float, what: str, payload: bytes) -> None:
        heapq.heappush(self._queue, (when, next(self._order), what, payload))

    def _send(self) -> None:
        while self.now >= self.paused_until and self._sender.sendable:
            size = self._there.send(self._sender, bytes(min(65_536, self._sender.sendable)))
            self._free_at = max(self._free_at, self.now) + size / self.rate
            self._push(self._free_at + self.delay, "data", self._there.out.popleft())

    def _read(self, size: int) -> None:
        self._reader_free_at = max(self._reader_free_at, self.now) + size / self.reader
        when = self._reader_free_at
        if self.batch:
            when = (when // self.batch + 1) * self.batch
        self._push(when, "taken", size.to_bytes(4))

    def _credit(self, size: int) -> None:
        self.taken += size
        round_trip = 2 * self.delay if self.round_trip is None else self.round_trip
        self._here.taken(self.channel, size, self.now, round_trip)
        while self._here.out:
            self._push(self.now + self.delay, "adjust", self._here.out.popleft())


class TestGrowth:
    @pytest.mark.parametrize("batch", [0.0, 0.002, 0.02])
    def test_a_long_fat_path_gets_the_largest_window(self, batch: float) -> None:
        path = Path(0.050, 2_000 * MB, batch=batch)
        assert path.run(1.0) > 0
        path.run(2.0)
        assert path.window == w.MAXIMUM_WINDOW
        assert path.run(1.0) > 500 * MB

    def test_what_a_fixed_window_costs(self) -> None:
        """The measure for the test above: OpenSSH's 2 MiB per round trip."""
        path = Path(0.050, 2_000 * MB, round_trip=1e-9)
        path.run(1.0)
        assert path.window == w.INITIAL_WINDOW
        assert path.run(1.0) < 22 * MB

    @pytest.mark.parametrize("rate", [50 * MB, 125 * MB, 200 * MB])
    def test_growth_ends_where_it_stops_to_help(self, rate: float) -> None:
        path = Path(0.050, rate)
        path.run(5.0)
        product = rate * 0.1
        assert 2 * product <= path.window <= 4 * product
        assert path.run(1.0) == pytest.approx(rate, rel=0.05)

    @pytest.mark.parametrize("rate", [100 * MB, 1_000 * MB, 5_000 * MB])
    @pytest.mark.parametrize("batch", [0.0, 0.001])
    def test_a_short_path_keeps_its_window(self, rate: float, batch: float) -> None:
        path = Path(0.00005, rate, batch=batch)
        path.run(0.3)
        assert path.window == w.INITIAL_WINDOW
        if not batch:
            assert path.run(0.1) == pytest.approx(rate, rel=0.05)

    def test_a_slow_line_keeps_its_window(self) -> None:
        path = Path(0.050, 10 * MB)
        path.run(5.0)
        assert path.window == w.INITIAL_WINDOW
        assert path.run(1.0) == pytest.approx(10 * MB, rel=0.1)

    def test_a_slow_reader_gets_no_larger_window(self) -> None:
        """It would only queue in our memory."""
        path = Path(0.050, 1_000 * MB, reader=5 * MB)
        path.run(5.0)
        assert path.window == w.INITIAL_WINDOW

    def test_a_pause_is_not_taken_for_a_slow_path(self) -> None:
        path = Path(0.050, 2_000 * MB)
        path.run(0.45)
        before = path.window
        assert w.INITIAL_WINDOW < before < w.MAXIMUM_WINDOW
        for _ in range(3):
            path.pause(30.0)
            assert path.window == before
        path.run(2.0)
        assert path.window == w.MAXIMUM_WINDOW

    @pytest.mark.parametrize("delay", [0.00005, 0.050, 0.2])
    def test_an_unknown_path_gets_a_middling_window(self, delay: float) -> None:
        path = Path(delay, 500 * MB, round_trip=0.0)
        path.run(5.0)
        assert path.window == w.UNKNOWN_PATH_WINDOW

    def test_a_trickle_on_an_unknown_path_gets_none(self) -> None:
        path = Path(0.050, MB, round_trip=0.0)
        path.run(30.0)
        assert path.window == w.INITIAL_WINDOW

    def test_a_reader_behind_on_an_unknown_path_gets_none(self) -> None:
        window = ReceiveWindow(WindowBudget(), 1_000)
        for now in range(1, 100):
            window.left -= 1_000
            credit = window.take(1_000)
            window.exhausted = False
            assert credit + window.grow(now / 100, 0.0) == 1_000

    def test_the_budget_ends_growth(self) -> None:
        path = Path(0.050, 2_000 * MB, budget=WindowBudget(12 * MIB))
        path.run(5.0)
        assert path.window == 8 * MIB
        assert path.budget.granted == 8 * MIB
        path.channel.window.close()
        assert path.budget.granted == 0

    def test_without_a_clock_nothing_grows(self) -> None:
        window = ReceiveWindow(WindowBudget(), 1_000)
        for _ in range(50):
            window.left -= 1_000
            assert window.take(1_000) == 1_000
            assert window.grow(0.0, 0.1) == window.grow(0.0, 0.0) == 0

    @given(
        st.lists(
            st.tuples(
                st.floats(-5, 5),
                st.sampled_from([0.0, 1e-9, 0.0001, 0.1, 10.0]),
                st.integers(0, 1 << 23),
            ),
            max_size=60,
        )
    )
    def test_no_clock_breaks_it(self, steps: list[tuple[float, float, int]]) -> None:
        budget = WindowBudget(48 * MIB)
        window, now = ReceiveWindow(budget), 0.0
        for step, round_trip, wanted in steps:
            now += step
            count = min(wanted, window.left)
            window.left -= count
            if window.take(count):
                assert window.grow(now, round_trip) >= 0
            assert window.left + window.taken == window.size
            assert w.INITIAL_WINDOW <= window.size <= w.MAXIMUM_WINDOW
            assert budget.granted == window.size <= budget.total


class TestCredit:
    @pytest.mark.parametrize(
        ("size", "first"), [(1, 1), (2, 1), (3, 1), (4, 1), (5, 2), (7, 2), (8, 2), (100, 25)]
    )
    def test_a_quarter_at_a_time(self, size: int, first: int) -> None:
        window = ReceiveWindow(WindowBudget(), size)
        window.left = 0
        credited = [window.take(1) for _ in range(size)]
        assert credited.index(first) == first - 1
        assert set(credited) <= {0, first}
        assert window.left + window.taken == size

    def test_all_at_once(self) -> None:
        window = ReceiveWindow(WindowBudget(), 1_000)
        window.left = 0
        assert window.take(1_000) == 1_000
        assert window.take(0) == 0
        assert (window.left, window.taken) == (1_000, 0)

    def test_an_empty_window_credits_nothing(self) -> None:
        window = ReceiveWindow(WindowBudget(), 0)
        assert window.take(0) == 0
        with pytest.raises(LocalProtocolError, match="took 1 bytes that were never sent"):
            window.take(1)

    @given(st.integers(1, 5_000), st.lists(st.integers(0, 3_000), max_size=50))
    def test_a_reader_that_takes_all_leaves_no_peer_waiting(
        self, size: int, counts: list[int]
    ) -> None:
        window = ReceiveWindow(WindowBudget(), size)
        untaken = 0
        for wanted in counts:
            count = min(wanted, window.left)
            window.left -= count
            untaken += count
            take = untaken if count % 2 else untaken // 2
            untaken -= take
            window.take(take)
            assert window.left + window.taken + untaken == size
            assert untaken or window.left > 0


class TestBudget:
    def test_first_windows_shrink_while_many_share(self) -> None:
        budget = WindowBudget(64 * MIB)
        sizes = [budget.initial() for _ in range(3_000)]
        assert sizes[:16] == [w.INITIAL_WINDOW] * 16
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[-1] == w.MINIMUM_WINDOW
        assert sum(sizes) == budget.granted
        # Over the budget only by the smallest windows, which no flow can do without.
        assert sum(size for size in sizes if size > w.MINIMUM_WINDOW) <= budget.total
        for size in sizes:
            budget.release(size)
        assert budget.granted == 0
        assert budget.initial() == w.INITIAL_WINDOW

    def test_a_limit_holds_credit_back_and_gives_it_later(self) -> None:
        window = ReceiveWindow(WindowBudget(), 2 * MIB)
        limit = MIB // 2
        window.left -= MIB
        assert window.take(MIB, limit) == 0
        window.left -= MIB - 1000
        assert window.take(MIB - 1000, limit) == limit - 1000
        assert window.left == limit
        assert window.take(0) == 2 * MIB - limit
        assert window.left == 2 * MIB

    def test_growth_is_refused_beyond_it(self) -> None:
        budget = WindowBudget(100)
        assert budget.grow(60)
        assert not budget.grow(41)
        assert budget.grow(40)
        assert budget.granted == 100

    def test_close_gives_back_once(self) -> None:
        budget = WindowBudget()
        window, other = ReceiveWindow(budget), ReceiveWindow(budget, 5)
        assert budget.granted == w.INITIAL_WINDOW + 5
        window.close()
        window.close()
        assert budget.granted == 5
        other.close()
        assert budget.granted == 0
