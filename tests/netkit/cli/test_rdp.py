from __future__ import annotations

import pytest

from netkit.cli import rdp
from netkit.cli.clients.order import Order
from netkit.desktop.clients import Kind
from support.cli import run_cli


@pytest.fixture
def orders(monkeypatch) -> list[Order]:
    """What the command asks for."""
    found: list[Order] = []

    def run_view(_ctx, order, _gateway, values):
        found.append(order)
        assert "account" not in values
        return 0

    monkeypatch.setattr(rdp.viewing, "run_view", run_view)
    return found


def test_the_view_that_is_asked_for(orders: list[Order]):
    words = ("--user", "CORP\\alice", "--fullscreen", "--size", "1280X800", "-l", "me")
    assert run_cli("rdp", "gw", *words).code == 0
    view = orders[0].view
    assert (view.kind, view.user, view.fullscreen) == (Kind.RDP, "CORP\\alice", True)
    assert view.size == (1280, 800)


def test_nothing_is_asked_for(orders: list[Order]):
    assert run_cli("rdp", "gw").code == 0
    view = orders[0].view
    assert (view.user, view.fullscreen, view.size) == ("", False, None)


def test_no_option_takes_a_password():
    done = run_cli("rdp", "--help")
    options = [word for word in done.out.split() if word.startswith("--")]
    assert [word for word in options if "pass" in word] == ["--password-stdin"]  # the gateway's
