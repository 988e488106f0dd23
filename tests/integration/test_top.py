"""netkit's tunnels in a real terminal, as a new user types it."""

from __future__ import annotations

import re
import socket
import sys
import tempfile
from pathlib import Path

import pytest

from support import targets, tunnels
from support.commands import User
from support.tmux import Terminal, terminal
from support.tunnels import TestGateway, exchange, outcome

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with tunnels.start("sshd", tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture
def user(tmp_path: Path, gateway: TestGateway):
    with User(tmp_path, gateway).cleaned() as made:
        yield made


@pytest.fixture
def screen(user: User):
    with tempfile.TemporaryDirectory(prefix="nk") as short:
        with terminal(Path(short), user.variables) as made:
            made.enter(f'netkit() {{ {sys.executable} -P -m netkit "$@"; }}; clear')
            yield made


def start(screen: Terminal, user: User, to: str) -> int:
    """Type the first command of all; return the port."""
    screen.enter(f"netkit forward gw -F {user.config} -L 127.0.0.1:0:{to} --detach")
    screen.sees("end it: netkit down gw")
    found = re.search(r"127\.0\.0\.1:(\d+) ->", screen.screen)
    assert found is not None
    return int(found[1])


def test_the_life_of_a_tunnel(screen: Terminal, user: User):
    with targets.echo() as target:
        port = start(screen, user, str(target.address))
        screen.enter("clear; netkit status")
        screen.sees("gw (process")
        screen.sees("link 1 to gw: up")

        with socket.create_connection(("127.0.0.1", port), 10) as sock:
            exchange(sock, bytes(300_000))
            screen.enter("netkit top")
            screen.sees("300.0 kB")
            assert screen.is_alternate
            assert f"-> {target.address}" in screen.screen
            assert "python" in screen.screen, "the program that it comes from"

            screen.keys("?")
            screen.sees("hold the picture")
            screen.keys("Escape")
            screen.sees_not("hold the picture")

            screen.keys("a")
            screen.type(f"127.0.0.1:0:{target.address}")
            screen.keys("Enter")
            screen.sees(f"{target.address} is at 127.0.0.1:")
            more = re.search(r" is at 127\.0\.0\.1:(\d+)", screen.screen)
            assert more is not None
            with socket.create_connection(("127.0.0.1", int(more[1])), 10) as other:
                assert exchange(other, b"added") == b"added"
            screen.keys("d")
            screen.type(f"127.0.0.1:{more[1]}")
            screen.keys("Enter")
            screen.sees("is removed")

            screen.keys("Down")
            screen.keys("k")
            screen.sees("reset flow")
            screen.keys("y")
            assert outcome(sock) == "reset"
            screen.sees("was reset")
        screen.keys("q")
        screen.leaves()

        screen.enter("clear; netkit add gw -D 127.0.0.1:0")
        screen.sees("curl --proxy socks5h://127.0.0.1:")
        screen.enter("clear; netkit down gw; echo ended with $?")
        screen.sees("gw has ended")
        screen.sees("ended with 0")


def test_the_terminal_is_given_back(screen: Terminal, user: User):
    with targets.echo() as target:
        start(screen, user, str(target.address))
        screen.enter("clear; netkit top")
        screen.sees("q quit")
        screen.resize(60, 8)
        screen.sees("gw (process")
        screen.keys("C-z")
        screen.sees("topped")
        screen.leaves()
        screen.enter("fg")
        screen.sees("q quit")
        assert screen.is_alternate
        screen.keys("C-c")
        screen.leaves()
        screen.enter("clear; stty -a | grep -o ' echo '")
        screen.sees(" echo ")


def test_a_tunnel_that_ends_is_gone(screen: Terminal, user: User):
    with targets.echo() as target:
        start(screen, user, str(target.address))
        screen.enter("clear; netkit top gw")
        screen.sees("q quit")
        assert user.run("down", "gw", "--now").code == 0
        screen.sees("no tunnel runs")
        screen.keys("q")
        screen.leaves()
