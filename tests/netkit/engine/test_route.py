"""The way into the network, as addresses."""

from __future__ import annotations

import socket

from netkit.engine import route


def test_same_network_same_answer():
    assert route.sources() == route.sources()
    assert len(route.sources()) == 2


def test_addresses_are_of_this_machine():
    for source in filter(None, route.sources()):
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.bind((source, 0))


def test_without_a_route_there_is_none(monkeypatch):
    class NoRoute(socket.socket):
        def connect(self, _address) -> None:
            raise OSError(101, "Network is unreachable")

    monkeypatch.setattr("netkit.engine.route.socket.socket", NoRoute)
    assert route.sources() == ("", "")
