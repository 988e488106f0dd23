"""ProxyCommand: a pipe that is a socket, chatter that is drained, children that are reaped."""

from __future__ import annotations

import os
import signal
import threading

import psutil
import pytest

from netkit.engine.transport import proxy_command
from netkit.engine.transport.proxy_command import ProxyCommand
from netkit.engine.transport.session import establish
from netkit.errors import GatewayUnreachableError
from support.login import sshd_hop
from support.sshd import Sshd
from support.waiting import wait_until

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX shell")


_OTHERS: set[psutil.Process] = set()


@pytest.fixture(autouse=True)
def _know_the_others():
    """Servers of wider fixtures are children of this process too."""
    _OTHERS.clear()
    _OTHERS.update(psutil.Process().children())


def children() -> list[psutil.Process]:
    """The processes that the test has started."""
    return [child for child in psutil.Process().children() if child not in _OTHERS]


def test_login_through_a_command(tmp_path):
    with Sshd(tmp_path, tcp=False) as sshd:
        command = ProxyCommand(f"{sshd.binary} -i -f {sshd.config} -E {tmp_path}/log")
        transport = establish(sshd_hop(sshd), command.sock)
        assert transport.is_authenticated()
        transport.shut()
        command.close()
        assert not children()


def test_stderr_is_drained_and_told():
    told: list[str] = []
    end = threading.Event()

    def notice(code: str, text: str) -> None:
        assert code == "proxy-command"
        told.append(text)
        if "last" in text:
            end.set()

    script = "i=0; while [ $i -lt 3000 ]; do echo line $i of much text >&2; i=$((i+1)); done"
    command = ProxyCommand(f"sh -c '{script}; printf \"last\\033[2J\\n\" >&2; cat'", notice)
    assert end.wait(20)
    command.sock.sendall(b"still there")
    assert command.sock.recv(100) == b"still there"
    assert len(told) == 3001
    assert told[-1] == "last?[2J"
    command.close()


def test_end_of_the_command_is_end_of_file():
    command = ProxyCommand("true")
    assert command.sock.recv(100) == b""
    command.close()
    assert not children()


def test_command_that_does_not_exist():
    told: list[str] = []
    command = ProxyCommand("no-such-command-anywhere", lambda code, text: told.append(text))
    assert command.sock.recv(100) == b""
    command.close()
    assert "not found" in told[0]


def test_nul_in_the_command():
    with pytest.raises(GatewayUnreachableError) as caught:
        ProxyCommand("ca\0t")
    assert caught.value.code == "proxy-command-failed"


@pytest.mark.parametrize("ignored", ["", "trap '' TERM;"])
def test_command_that_stays_is_ended(monkeypatch, ignored):
    monkeypatch.setattr(proxy_command, "EXIT_GRACE", 0.1)
    command = ProxyCommand(f'sh -c "{ignored} echo up; while :; do read x < /dev/zero; done"')
    assert command.sock.recv(3) == b"up\n"
    command.close()
    assert not children()


def test_ctrl_c_does_not_end_the_command():
    command = ProxyCommand("cat")
    (child,) = children()
    wait_until(lambda: child.name() == "cat", what="exec")
    child.send_signal(signal.SIGINT)
    command.sock.sendall(b"alive")
    assert command.sock.recv(100) == b"alive"
    command.close()


def test_exec_in_the_command_is_fine():
    command = ProxyCommand("exec cat")
    command.sock.sendall(b"x")
    assert command.sock.recv(1) == b"x"
    command.close()


class TestPumped:
    """The way without descriptors, which Windows needs and which works here too."""

    @pytest.fixture(autouse=True)
    def _pumped(self, monkeypatch):
        monkeypatch.setattr(proxy_command, "PUMPED", True)

    def test_login(self, tmp_path):
        with Sshd(tmp_path, tcp=False) as sshd:
            command = ProxyCommand(f"{sshd.binary} -i -f {sshd.config} -E {tmp_path}/log")
            transport = establish(sshd_hop(sshd), command.sock)
            assert transport.is_authenticated()
            transport.shut()
            command.close()
            assert not children()

    def test_end_of_the_command_is_end_of_file(self):
        command = ProxyCommand("echo bye")
        assert command.sock.recv(100) == b"bye\n"
        assert command.sock.recv(100) == b""
        command.close()
        assert not children()

    def test_closing_ends_the_command(self):
        command = ProxyCommand("cat")
        command.sock.sendall(b"x")
        assert command.sock.recv(1) == b"x"
        command.close()
        assert not children()
