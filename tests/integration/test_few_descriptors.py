"""More clients than this process may have descriptors, while there is no link."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from support import targets, tunnels
from support.cli import ROOT
from support.commands import User
from support.ports import free_port
from support.waiting import wait_until

LIMIT = 128


@pytest.mark.skipif(sys.platform == "win32", reason="ulimit")
def test_the_link_is_made_again_and_whoever_comes_then_is_served(tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    with contextlib.ExitStack() as stack:
        gateway = stack.enter_context(tunnels.start("sshd", tmp_path / "sshd"))
        target = stack.enter_context(targets.echo())
        user, port = User(home, gateway), free_port()
        netkit = f"{sys.executable} -P -m netkit forward gw -F {user.config}"
        forward = f"-L 127.0.0.1:{port}:127.0.0.1:{target.port} --hold 60"
        process = subprocess.Popen(
            ["sh", "-c", f"ulimit -n {LIMIT} && exec {netkit} {forward}"],
            env=user.variables,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        stack.enter_context(process)
        stack.callback(process.kill)
        assert process.stdout is not None
        assert str(port) in process.stdout.readline()
        gateway.server.stop()
        wait_until(lambda: user.status()[0]["view"]["state"] == "waiting", timeout=20)
        for _ in range(2 * LIMIT):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
        wait_until(lambda: user.status()[0]["view"]["flows_failed"] > 0, timeout=20)
        gateway.server.listen_again()
        wait_until(lambda: user.status()[0]["view"]["state"] == "up", timeout=40)
        assert process.poll() is None
        process.terminate()
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert "ulimit -n" in process.stderr.read()
