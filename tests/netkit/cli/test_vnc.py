from __future__ import annotations

from netkit.cli import vnc
from netkit.desktop.clients import Kind
from support.cli import run_cli


def test_the_view_that_is_asked_for(monkeypatch):
    orders = []

    def run_view(_ctx, order, _gateway, _values) -> int:
        orders.append(order)
        return 0

    monkeypatch.setattr(vnc.viewing, "run_view", run_view)
    assert run_cli("vnc", "gw", "--fullscreen").code == 0
    assert run_cli("vnc", "gw").code == 0
    assert [(order.view.kind, order.view.fullscreen) for order in orders] == [
        (Kind.VNC, True),
        (Kind.VNC, False),
    ]
