"""`Pacer`: what may lie unread at a peer that credits in small steps, and nobody else's limit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from netkit.wire.pacing import NO_LIMIT, UNREAD, Pacer, unread_limit

WINDOW = 2 << 20
LIMIT = 512 << 10


def test_the_limit_grows_with_the_round_trip() -> None:
    openssh = "SSH-2.0-OpenSSH_9.2p1 Debian-2"
    assert unread_limit(0.0, openssh) == NO_LIMIT
    assert unread_limit(0.0001, openssh) == UNREAD
    assert unread_limit(0.1, openssh) > 100 << 20


def test_no_limit_for_peers_that_credit_late() -> None:
    assert unread_limit(0.0001, "SSH-2.0-AsyncSSH_2.24.1") == NO_LIMIT
    assert Pacer(WINDOW).room(10, NO_LIMIT) == 10


def test_what_is_unread_is_limited() -> None:
    pacer = Pacer(WINDOW)
    assert pacer.room(WINDOW, LIMIT) == LIMIT
    assert pacer.room(WINDOW - LIMIT + 100, LIMIT) == 100
    assert not pacer.held
    assert pacer.room(WINDOW - LIMIT, LIMIT) == 0
    assert pacer.held


def test_lifted_is_lifted() -> None:
    pacer = Pacer(WINDOW)
    assert pacer.room(WINDOW - LIMIT, LIMIT) == 0
    pacer.lift()
    assert not pacer.held
    assert pacer.room(WINDOW - LIMIT, LIMIT) == WINDOW - LIMIT


def test_a_window_that_grows_moves_the_limit_along() -> None:
    pacer = Pacer(WINDOW)
    assert pacer.room(WINDOW * 2, LIMIT) == LIMIT
    assert pacer.room(WINDOW * 2 - LIMIT, LIMIT) == 0


@given(st.lists(st.integers(0, 1 << 22), min_size=1, max_size=50), st.integers(1, 1 << 30))
def test_the_room_is_never_more_than_window_or_limit(windows: list[int], limit: int) -> None:
    pacer = Pacer(windows[0])
    for window in windows:
        room = pacer.room(window, limit)
        assert 0 <= room <= min(window, limit)
        assert pacer.held == (room == 0 and window > 0)
