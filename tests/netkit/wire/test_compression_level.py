"""How hard to compress, on links and processors made of arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netkit.wire.compression_level import (
    KERNEL_TAKES,
    MOST_PATIENCE,
    PROBE_BYTES,
    PROBE_SHARE,
    SPAN_BYTES,
    SPAN_SECONDS,
    LevelPolicy,
    Span,
)

COSTS = (0.3, 0.55, 2.5)
USUAL = 1
PACKET = 32 << 10


@dataclass
class World:
    """A bulk transfer: a source, a processor, a link with a queue in front of it.

    Attributes:
        link, source: bytes per second; ``speed`` is what a method of cost 1 compresses.
        shares: bytes out per byte in, of each level.
    """

    policy: LevelPolicy
    link: float = 1e12
    source: float = 1e12
    speed: float = 20e6
    shares: tuple[float, ...] = (0.31, 0.297, 0.29)
    queue: float = 200_000
    now: float = 0.0
    blocked: float = 0.0
    waiting: float = 0.0
    plain: int = 0
    packed: float = 0.0
    busy: float = 0.0
    levels: list[int] = field(default_factory=list)
    _began: float = 0.0
    _blocked: float = 0.0
    _span: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])

    def packet(self) -> None:
        """Compress and send one packet, as `Compressor` and the stream do."""
        policy = self.policy
        seconds = self.now - self._began
        busy, plain, packed = self._span
        if policy.is_due(seconds, int(plain), int(packed)):
            blocked = self.blocked - self._blocked
            policy.review(Span(seconds, busy, blocked, int(plain), int(packed)))
            self._began, self._blocked, self._span = self.now, self.blocked, [0.0, 0.0, 0.0]
        took = 0.0 if policy.stored else COSTS[policy.level] * PACKET / self.speed
        size = PACKET * (1.0 if policy.stored else self.shares[policy.level])
        self._pass(max(took, PACKET / self.source) + 20e-6)
        self._span = [x + y for x, y in zip(self._span, (took, PACKET, size), strict=True)]
        self.waiting += size
        if self.waiting > self.queue:
            excess = (self.waiting - self.queue / 2) / self.link
            self._pass(excess)
            self.blocked += excess
        self.plain += PACKET
        self.packed += size
        self.busy += took
        self.levels.append(-1 if policy.stored else policy.level)

    def _pass(self, seconds: float) -> None:
        self.now += seconds
        self.waiting = max(0.0, self.waiting - seconds * self.link)

    def run(self, seconds: float) -> World:
        end = self.now + seconds
        while self.now < end:
            self.packet()
        return self

    @property
    def lately(self) -> set[int]:
        """The levels of the last quarter."""
        return set(self.levels[-len(self.levels) // 4 :])


def policy() -> LevelPolicy:
    return LevelPolicy(COSTS, USUAL)


class TestChoice:
    def test_begins_with_the_usual(self):
        assert (policy().level, policy().stored) == (USUAL, False)

    def test_thin_link_gets_the_best(self):
        assert World(policy(), link=250e3).run(20).lately == {2}

    def test_no_link_limit_gets_the_fastest(self):
        assert World(policy()).run(2).lately == {0}

    def test_slow_source_gets_the_usual(self):
        assert World(policy(), source=2e6).run(20).lately == {USUAL}

    def test_link_that_the_usual_fills_is_left_there(self):
        """The best would make the processor the limit."""
        assert World(policy(), link=5e6).run(10).lately == {USUAL}

    def test_slow_processor(self):
        assert World(policy(), link=250e3, speed=0.2e6).run(60).lately == {0}

    def test_kernel_that_takes_the_first_bytes_of_a_thin_link_does_not_deceive(self):
        world = World(policy(), link=250e3, queue=0.9 * KERNEL_TAKES).run(10)
        assert 0 not in world.levels


class TestChange:
    def test_link_that_becomes_thin_and_wide_again(self):
        world = World(policy()).run(2)
        world.link = 250e3
        assert world.run(20).levels[-1] == 2
        world.link = 1e12
        assert world.run(5).levels[-1] == 0

    def test_end_of_bulk_goes_back_to_the_usual(self):
        world = World(policy()).run(2)
        assert world.levels[-1] == 0
        world.source = 1e6
        assert world.run(5).levels[-1] == USUAL

    @settings(max_examples=50, deadline=None)
    @given(st.floats(1e5, 1e8), st.floats(1e6, 1e8), st.floats(1e5, 1e9))
    def test_settles(self, link, speed, source):
        world = World(policy(), link=link, speed=speed, source=source)
        while len(world.levels) < 4000:
            world.packet()
        late = world.levels[2000:]
        changes = sum(one != other for one, other in pairwise(late))
        assert changes <= 2 * (len(late) * PACKET / SPAN_BYTES / MOST_PATIENCE + 1)

    @settings(max_examples=50, deadline=None)
    @given(st.floats(1e5, 1e9), st.floats(1e6, 1e8))
    def test_carries_about_as_much_as_the_best_choice_would(self, link, speed):
        world = World(policy(), link=link, speed=speed)
        while len(world.levels) < 3000:
            world.packet()
        begun, before = world.now, world.plain
        while len(world.levels) < 6000:
            world.packet()
        rate = (world.plain - before) / (world.now - begun)
        possible = max(
            min(1 / (cost / speed + 20e-6 / PACKET), link / share)
            for cost, share in zip(COSTS, world.shares, strict=True)
        )
        assert rate > 0.9 * possible


class TestIncompressible:
    def test_is_stored_and_tried_again_for_a_small_share_of_the_time(self):
        world = World(policy(), link=2e8, shares=(1.001, 1.001, 1.001)).run(1)
        begun, before = world.now, world.busy
        world.run(4)
        assert -1 in world.lately
        assert (world.busy - before) / (world.now - begun) < 1.5 * PROBE_SHARE
        assert len(set(world.levels[-5000:])) == 2

    def test_text_behind_it_is_noticed_soon(self):
        world = World(policy(), shares=(1.001, 1.001, 1.001)).run(1)
        world.shares = (0.31, 0.297, 0.29)
        packets = len(world.levels)
        world.run(1)
        late = world.levels[packets:]
        assert late[-1] >= 0
        assert -1 not in late[len(late) // 2 :]

    def test_little_is_no_evidence(self):
        assert not policy().is_due(10 * SPAN_SECONDS, PROBE_BYTES - 1, PROBE_BYTES + 100)
        assert policy().is_due(0.0, PROBE_BYTES, PROBE_BYTES)
        assert not policy().is_due(0.0, PROBE_BYTES, PROBE_BYTES // 2)
        assert not policy().is_due(0.0, SPAN_BYTES, SPAN_BYTES // 2)
        assert policy().is_due(SPAN_SECONDS, SPAN_BYTES, SPAN_BYTES // 2)


@given(
    costs=st.lists(st.floats(0.01, 100), min_size=1, max_size=6).map(sorted),
    spans=st.lists(
        st.builds(
            Span,
            st.floats(0, 1e6),
            st.floats(0, 1e6),
            st.floats(0, 1e6),
            st.integers(0, 1 << 40),
            st.integers(0, 1 << 40),
        ),
        max_size=50,
    ),
    data=st.data(),
)
def test_total(costs, spans, data):
    chosen = LevelPolicy(costs, data.draw(st.integers(0, len(costs) - 1)))
    for span in spans:
        before = chosen.level
        chosen.is_due(span.seconds, span.plain, span.packed)
        chosen.review(span)
        assert 0 <= chosen.level < len(costs)
        assert abs(chosen.level - before) <= 1
        assert chosen.pause >= 0


@pytest.mark.parametrize("level", range(len(COSTS)))
def test_one_method_needs_no_choice(level):
    alone = LevelPolicy([COSTS[level]], 0)
    World(alone, shares=(0.3,)).run(0.5)
    assert alone.level == 0
