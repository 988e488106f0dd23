"""The two ways to leave a local side."""

from __future__ import annotations

import socket
import time

import pytest

from netkit.engine import goodbye as engine
from netkit.engine.goodbye import Farewell, reset
from support.links import LinkPair, tcp_pair
from support.tunnels import outcome, read_all
from support.waiting import wait_until


def test_reset_is_an_rst_without_unread_input():
    one, two = tcp_pair()
    with two:
        reset(one)
        assert outcome(two) == "reset"


def test_reset_of_a_unix_socket_is_a_close():
    one, two = socket.socketpair()
    with two:
        reset(one)
        assert two.recv(1) == b""


class TestFarewell:
    @pytest.fixture
    def pair(self):
        with LinkPair() as pair:
            yield pair

    def say(self, pair, message: bytes = b"goodbye"):
        one, two = tcp_pair()
        two.setblocking(False)
        pair.on_near(lambda: Farewell(pair.near, two, message))
        return one

    def test_message_survives_unread_input(self, pair):
        one, two = tcp_pair()
        two.setblocking(False)
        one.sendall(bytes(100_000))
        pair.on_near(lambda: Farewell(pair.near, two, b"goodbye"))
        with one:
            one.sendall(bytes(100_000))
            assert read_all(one) == b"goodbye"

    def test_others_have_their_turn_while_a_client_sends(self, pair, monkeypatch):
        monkeypatch.setattr(engine, "DROP_TURN", 2)
        one, two = tcp_pair()
        two.setblocking(False)
        with one:
            one.sendall(bytes(1_000_000))

            def say() -> str:
                farewell = Farewell(pair.near, two, b"goodbye")
                farewell._ready(0)
                # the rest of what came is left for the next turn
                return "left" if two.recv(1, socket.MSG_PEEK) else "ended"

            assert pair.on_near(say) == "left"
            assert read_all(one) == b"goodbye"
        assert pair.is_idle()

    def test_ends_with_the_clients_end(self, pair):
        with self.say(pair) as sock:
            assert read_all(sock) == b"goodbye"
            assert len(pair.near.handshakes) == 1
        assert pair.is_idle()

    def test_ends_with_the_clients_reset(self, pair):
        reset(self.say(pair))
        assert pair.is_idle()

    def test_client_that_stays_is_left(self, pair, monkeypatch):
        monkeypatch.setattr(engine, "LINGER_LIMIT", 0.05)
        with self.say(pair) as sock:
            assert read_all(sock) == b"goodbye"
            assert pair.is_idle()

    def test_client_that_has_gone(self, pair):
        one, two = tcp_pair()
        two.setblocking(False)
        reset(one)
        pair.on_near(lambda: Farewell(pair.near, two, b"goodbye"))
        assert pair.is_idle()

    def test_end_of_the_link_is_the_end_of_it(self, pair):
        with self.say(pair) as sock:
            wait_until(lambda: pair.near.handshakes)
            began = time.monotonic()
            pair.near.stop()
            assert outcome(sock) in {"eof", "reset"}
            assert time.monotonic() - began < 4
