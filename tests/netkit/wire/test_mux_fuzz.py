"""The deep fuzz targets hold on their seeds and a little beyond; `make fuzz` looks longer."""

from __future__ import annotations

import pytest

from netkit.wire import packets
from netkit.wire.mux import Mux
from support.fuzz import Target, fuzz
from support.fuzz_wire import WIRE_TARGETS


@pytest.mark.parametrize("target", WIRE_TARGETS, ids=lambda target: target.name)
def test_target_survives(target: Target) -> None:
    outcome = fuzz(target, seconds=20, inputs=300)
    assert outcome.finding is None, str(outcome.finding)
    assert outcome.edges > 100


def test_a_credit_behind_close_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault that matters most, planted: the peer has forgotten the channel by then."""
    receive = Mux._receive

    def crediting(mux: Mux, channel, length: int) -> bool:
        wanted = receive(mux, channel, length)
        if channel.close_sent:
            mux._adjust(channel, channel.window.take(length))
        return wanted

    monkeypatch.setattr(Mux, "_receive", crediting)
    target = next(target for target in WIRE_TARGETS if target.name == "mux_pair")
    outcome = fuzz(target, seconds=60, inputs=3_000)
    assert outcome.finding is not None
    assert "message 93 after CLOSE" in outcome.finding.what


def test_an_unchecked_mac_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packets.PacketReader, "_verify", lambda *_: None)
    target = next(target for target in WIRE_TARGETS if target.name == "sealed_packets")
    assert fuzz(target, seconds=60, inputs=3_000).finding is not None
