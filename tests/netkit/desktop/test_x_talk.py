from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from netkit.desktop import x_talk
from netkit.desktop.x_talk import ABSENT, CLOSED, SILENT, STRANGE, Place, ask
from netkit.model import Endpoint, UnixPath
from netkit.wire.x11 import MAGIC_COOKIE
from support import targets
from support.xvfb import Xvfb


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Xvfb(tmp_path_factory.mktemp("x"), "-noreset", tcp=True) as server:
        yield server


def ways(server: Xvfb) -> list[Place]:
    path = str(server.socket_path)
    return [
        Place(UnixPath(path)),
        Place(UnixPath(f"\0{path}")),
        Place(Endpoint("127.0.0.1", server.port), "127.0.0.1"),
    ]


@pytest.mark.parametrize("way", [0, 1, 2], ids=["unix", "abstract", "tcp"])
def test_a_real_server(server, way):
    place = ways(server)[way]
    answer = ask(place, MAGIC_COOKIE, server.cookie)
    assert answer.outcome == "accepted"
    assert (answer.reply.security, answer.reply.control) == (True, True)
    assert ask(place).outcome == "rejected"
    wrong = ask(place, MAGIC_COOKIE, bytes(16))
    assert (wrong.outcome, wrong.reply.reason) == ("rejected", "Invalid MIT-MAGIC-COOKIE-1 key")


def test_server_that_asks_nobody(tmp_path):
    with Xvfb(tmp_path, control=False) as server:
        answer = ask(Place(UnixPath(str(server.socket_path))))
        assert (answer.outcome, answer.reply.control) == ("accepted", False)


def test_server_that_hangs(tmp_path, monkeypatch):
    monkeypatch.setattr(x_talk, "TIME", 0.3)
    with Xvfb(tmp_path) as server:
        server.signal(signal.SIGSTOP)
        assert ask(Place(UnixPath(str(server.socket_path)))).outcome == SILENT


def test_nobody_there(tmp_path):
    path = str(tmp_path / "X7")
    answer = ask(Place(UnixPath(path)))
    assert (answer.outcome, answer.error) == (ABSENT, os.strerror(2))
    with targets.refuse() as closed:
        assert ask(Place(closed.address)).outcome == ABSENT
    assert ask(Place(UnixPath("x" * 200))).outcome == ABSENT


def test_no_x_server():
    with targets.greeting(b"220 mail ready\r\n") as target:
        answer = ask(Place(target.address))
        assert (answer.outcome, answer.reply.reason) == (STRANGE, "220 mail ready??")
    with targets.reset() as target:
        assert ask(Place(target.address)).outcome == CLOSED
    with targets.greeting(b"") as target:
        assert ask(Place(target.address)).outcome == CLOSED


def test_a_flood_ends():
    with targets.source(50_000_000) as target:
        assert ask(Place(target.address)).outcome in (STRANGE, "accepted", "rejected", "more")


def test_how_it_is_written():
    assert str(Place(UnixPath("\0/tmp/.X11-unix/X0"))) == "@/tmp/.X11-unix/X0"
    assert str(Place(UnixPath(str(Path("/tmp/x"))))) == "/tmp/x"
