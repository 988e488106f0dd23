from __future__ import annotations

import pytest

from netkit.wire.channel import Channel, ChannelState
from netkit.wire.window import ReceiveWindow, WindowBudget


def channel(state: ChannelState = ChannelState.OPENING) -> Channel:
    return Channel(3, "direct-tcpip", state, ReceiveWindow(WindowBudget(), 100), 50)


@pytest.mark.parametrize("state", ChannelState)
def test_a_new_channel_sends_nothing(state: ChannelState) -> None:
    fresh = channel(state)
    fresh.send_window = 1_000
    assert fresh.sendable == 0
    fresh.sending = True
    assert fresh.sendable == 1_000


def test_what_a_log_shows() -> None:
    shown = channel(ChannelState.OPEN)
    shown.remote, shown.send_window = 7, 9
    shown.window.left = 40
    assert repr(shown) == "<Channel 3/7 direct-tcpip open send 9 receive 40/100>"


def test_no_attribute_is_made_up() -> None:
    """A slip of the pen in the hot path must not become a new attribute."""
    with pytest.raises(AttributeError):
        channel().send_widnow = 1  # type: ignore[attr-defined]
