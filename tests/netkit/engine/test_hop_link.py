"""One hop: reached directly or through the link before it, and what its failure says."""

from __future__ import annotations

import threading

import pytest

from netkit.engine.hop_link import Company, connect
from netkit.errors import AuthenticationError, GatewayUnreachableError, NetkitError
from netkit.events import Event
from support import targets
from support.hostile import HostileServer
from support.links import LinkPair


@pytest.fixture
def company():
    events: list[Event] = []
    return Company(
        prompter=None,
        password=None,
        emit=events.append,
        notice=lambda _code, _text: None,
        cancelled=threading.Event(),
    )


def test_directly(company):
    with HostileServer() as server:
        entry = connect(server.hop(), None, company, observe=True)
        up = entry.up(1, 2)
        assert (up.gateway, up.hop, up.hops) == ("hostile", 1, 2)
        assert up.cipher
        assert up.kex
        assert up.seconds > 0
        entry.close(5)
        assert entry.link.has_ended
        entry.close(5)


def test_through_a_link(company):
    """The near link's channel comes out at the server's port."""
    with HostileServer() as server, LinkPair(answer=False) as pair:
        import socket

        def accept(request) -> None:
            sock = socket.create_connection(("127.0.0.1", server.port))
            sock.setblocking(False)
            pair.far.accept_flow(sock, request.channel)

        pair.far.on_open = accept
        entry = connect(server.hop(), pair.near, company, observe=False)
        assert entry.connection.address == f"127.0.0.1:{server.port}"
        entry.close(5)


def test_nobody_there(company):
    with targets.refuse() as closed, HostileServer() as server:
        with pytest.raises(GatewayUnreachableError):
            connect(server.hop(port=closed.port), None, company, observe=True)


def test_cancelled(company):
    company.cancelled.set()
    with HostileServer() as server:
        with pytest.raises(GatewayUnreachableError):
            connect(server.hop(), None, company, observe=True)


def test_disconnect_during_the_login_keeps_its_words(company):
    """What the login says of it is more than "the connection closed"."""

    def bye() -> None:
        server.transport._send_message(disconnect("too many failures"))

    def disconnect(text: str):
        from paramiko.message import Message

        from netkit.wire.messages import DISCONNECT, string, u32

        return Message(bytes([DISCONNECT]) + u32(2) + string(text) + string(""))

    with HostileServer() as server:
        server.before_login = bye
        with pytest.raises(NetkitError) as caught:
            connect(server.hop(), None, company, observe=True)
    assert "too many failures" in f"{caught.value.summary} {caught.value.cause}"
    assert caught.value.__cause__ is not caught.value


def test_login_that_fails_leaves_nothing(company):
    """The leak guard of the suite looks at threads and descriptors."""
    from paramiko.common import AUTH_FAILED

    from support import hostile

    class Nobody(hostile._AnyoneMayEnter):
        def get_allowed_auths(self, username: str) -> str:
            return "publickey"

        def check_auth_none(self, username: str) -> int:
            return AUTH_FAILED

    with HostileServer() as server:
        server.rules = Nobody
        with pytest.raises(AuthenticationError):
            connect(server.hop(), None, company, observe=True)
