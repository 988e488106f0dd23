"""`Pacer` and `Attention`: bulk flows make room while another flow is interactive."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from netkit.wire.pacing import (
    ATTENTION,
    NO_LIMIT,
    SHORTEST_LIMIT,
    Attention,
    Pacer,
    path_limit,
)

WINDOW = 2 << 20
LIMIT = 512 << 10


OPENSSH = "SSH-2.0-OpenSSH_9.2p1 Debian-2"


def test_the_limit_grows_with_the_round_trip() -> None:
    assert path_limit(0.0) == NO_LIMIT
    assert path_limit(0.0001) == SHORTEST_LIMIT
    assert path_limit(0.1) > 100 << 20


class TestAttention:
    def measured(self, version: str = OPENSSH) -> Attention:
        attention = Attention()
        attention.measured(0.0001, version)
        return attention

    def test_nobody_is_interactive_at_first(self) -> None:
        attention = self.measured()
        assert not attention.is_due(5.0)
        assert attention.receiving("bulk", 5.0) == attention.sending("bulk", 5.0) == NO_LIMIT

    def test_the_others_are_limited_for_a_while(self) -> None:
        attention = self.measured()
        attention.heard("keys", 5.0)
        assert attention.is_due(5.1)
        assert attention.receiving("bulk", 5.1) == SHORTEST_LIMIT
        assert attention.sending("bulk", 5.1) == SHORTEST_LIMIT
        assert attention.receiving("bulk", 5.0 + ATTENTION) == NO_LIMIT

    def test_the_speaker_is_not(self) -> None:
        attention = self.measured()
        attention.heard("keys", 5.0)
        assert attention.receiving("keys", 5.1) == attention.sending("keys", 5.1) == NO_LIMIT

    def test_to_peers_that_credit_late_nobody_is(self) -> None:
        attention = self.measured("SSH-2.0-AsyncSSH_2.24.1")
        attention.heard("keys", 5.0)
        assert attention.sending("bulk", 5.1) == NO_LIMIT
        assert attention.receiving("bulk", 5.1) == SHORTEST_LIMIT

    def test_on_an_unmeasured_path_nobody_is(self) -> None:
        attention = Attention()
        attention.heard("keys", 5.0)
        assert attention.receiving("bulk", 5.1) == NO_LIMIT


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
