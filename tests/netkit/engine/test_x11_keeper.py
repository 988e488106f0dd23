"""An untrusted cookie is held, proved, and not outlived; with real X servers."""

from __future__ import annotations

import getpass
import os
import socket

import pytest

from netkit.desktop.display import Machine, find
from netkit.engine import x11_keeper as engine
from netkit.engine.remote import RemoteForwards
from netkit.engine.x11 import X11Door, XServer
from netkit.engine.x11_keeper import keep
from netkit.errors import DisplayError
from netkit.events import Notice
from netkit.model import UnixPath, X11Trust
from netkit.wire.messages import string, u32
from netkit.wire.x11 import MAGIC_COOKIE, setup
from support import targets
from support.links import LinkPair, tcp_pair
from support.tunnels import outcome
from support.waiting import wait_until
from support.xvfb import Xvfb

FAKE = bytes(16)


@pytest.fixture
def pair():
    with LinkPair() as pair:
        yield pair


@pytest.fixture
def server(tmp_path):
    with Xvfb(tmp_path, "-noreset") as server:
        server.give(tmp_path / ".Xauthority")
        yield server


def untrusted(server: Xvfb, home) -> XServer:
    known = {"PATH": os.environ["PATH"], "DISPLAY": server.display, "HOME": str(home)}
    return find(X11Trust.UNTRUSTED, Machine(known, home, socket.gethostname(), "linux")).server


def door_of(pair: LinkPair, server: XServer) -> X11Door:
    remotes = RemoteForwards(pair.near)
    door = X11Door(pair.near, remotes.dialer, server, FAKE)
    remotes.on_x11 = door.open_request
    keep(pair.near, remotes.dialer, server, door.forgotten)
    return door


def client(pair: LinkPair) -> socket.socket:
    one, two = tcp_pair()
    two.setblocking(False)
    pair.far.run(lambda: pair.far.start_flow(two, "x11", string("c") + u32(1)))
    return one


def test_programs_are_let_in_while_it_is_held(pair, server, tmp_path):
    door_of(pair, untrusted(server, tmp_path))
    with client(pair) as sock:
        sock.sendall(setup("<", MAGIC_COOKIE, FAKE))
        assert sock.recv(1) == b"\1"


def test_nobody_is_once_the_server_is_gone(pair, server, tmp_path):
    door_of(pair, untrusted(server, tmp_path))
    server.crash()
    assert pair.report_of(Notice).code == "x11-cookie-forgotten"
    with client(pair) as sock:
        assert outcome(sock) == "reset"
    assert pair.is_idle()


@pytest.mark.parametrize("lets_in", [False, True])
def test_a_cookie_that_was_forgotten(pair, server, lets_in):
    """Where the account is let in by itself, a forgotten cookie would be a trusted one."""
    if lets_in:
        server.let_in(getpass.getuser())
    address = UnixPath(str(server.socket_path))
    with pytest.raises(DisplayError) as caught:
        door_of(pair, XServer(name=":0", address=address, cookie=b"F" * 16, untrusted=True))
    assert caught.value.code == "x-ssh-untrusted"
    assert pair.is_idle()


def test_server_that_is_not_there_or_says_nothing(pair, monkeypatch):
    monkeypatch.setattr(engine, "TIME", 0.2)
    with targets.refuse() as closed, pytest.raises(DisplayError):
        door_of(pair, XServer(name=":0", address=closed.address, cookie=FAKE))
    with targets.blackhole() as deaf, pytest.raises(DisplayError):
        door_of(pair, XServer(name=":0", address=deaf.address, cookie=FAKE))
    assert pair.is_idle()


def test_it_goes_with_the_link(pair, server, tmp_path):
    door = door_of(pair, untrusted(server, tmp_path))
    assert len(pair.near.handshakes) == 1
    pair.far.stop()
    assert pair.near.wait(10)
    wait_until(lambda: not pair.near.handshakes, what="the end of it")
    assert not [event for event in pair.reports if isinstance(event, Notice)]
    assert not door._closed
