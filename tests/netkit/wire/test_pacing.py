"""`Pacer`: what may lie unread at a peer that credits in small steps, and nobody else's limit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from netkit.wire.pacing import NO_LIMIT, STEPS, UNREAD, Pacer, unread_limit

WINDOW = 2 << 20
LIMIT = 512 << 10


def test_the_limit_grows_with_the_round_trip() -> None:
    assert unread_limit(0.0) == NO_LIMIT
    assert unread_limit(0.0001) == UNREAD
    assert unread_limit(0.1) > 100 << 20


def test_no_limit_before_the_peer_has_shown_its_steps() -> None:
    assert Pacer(WINDOW).room(WINDOW - LIMIT * 2, LIMIT) == WINDOW - LIMIT * 2


def test_small_steps_bring_the_limit() -> None:
    pacer = Pacer(WINDOW)
    pacer.credited(96 << 10)
    assert pacer.room(WINDOW, LIMIT) == LIMIT
    assert pacer.room(WINDOW - LIMIT + 100, LIMIT) == 100
    assert not pacer.held
    assert pacer.room(WINDOW - LIMIT, LIMIT) == 0
    assert pacer.held


def test_a_peer_that_credits_late_has_no_limit() -> None:
    pacer = Pacer(WINDOW)
    pacer.credited(WINDOW // 2)
    assert pacer.room(10, LIMIT) == 10
    assert not pacer.held


def test_lifted_is_lifted() -> None:
    pacer = Pacer(WINDOW)
    pacer.credited(1000)
    assert pacer.room(WINDOW - LIMIT, LIMIT) == 0
    pacer.lift()
    assert not pacer.held
    assert pacer.room(WINDOW - LIMIT, LIMIT) == WINDOW - LIMIT


def test_a_window_that_grows_moves_the_limit_along() -> None:
    pacer = Pacer(WINDOW)
    pacer.credited(1000)
    assert pacer.room(WINDOW * 2, LIMIT) == LIMIT
    assert pacer.room(WINDOW * 2 - LIMIT, LIMIT) == 0


@given(
    st.lists(st.integers(1, 1 << 21), max_size=50),
    st.lists(st.integers(0, 1 << 22), min_size=1, max_size=50),
    st.integers(1, 1 << 30),
)
def test_the_room_is_never_more_than_the_window(
    credits: list[int], windows: list[int], limit: int
) -> None:
    pacer = Pacer(windows[0])
    for credit in credits:
        pacer.credited(credit)
    for window in windows:
        room = pacer.room(window, limit)
        assert 0 <= room <= window
        if credits and max(credits) * STEPS <= limit:
            assert room <= limit
        assert pacer.held == (room == 0 and window > 0 and bool(credits)) or window == 0
