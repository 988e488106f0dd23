"""Telnet through a tunnel: the real client, the real server, and a person at the keyboard."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from support import cli
from support.forwarding import netkit_forward
from support.keyboard import Keyboard
from support.peers import require
from support.services import PASSWORD, USER, Telnetd
from support.tunnels import TestGateway


def test_login_and_a_conversation(tmp_path: Path, sshd: TestGateway):
    client = require("telnet")
    with Telnetd() as telnet:
        words = ("--bind", "127.0.0.1:0", "--to", f"127.0.0.1:{telnet.port}")
        with netkit_forward(sshd, *words, home=tmp_path) as tunnel:
            master, slave = os.openpty()
            process = subprocess.Popen(
                [str(client), "127.0.0.1", str(tunnel.port)],
                stdin=slave,
                stdout=slave,
                stderr=slave,
                start_new_session=True,
                env=cli.environment(tmp_path, TERM="vt100"),
            )
            os.close(slave)
            try:
                keyboard = Keyboard(master)
                keyboard.wait_for("login: ")
                keyboard.type(USER)
                keyboard.wait_for("Password: ")
                keyboard.type(PASSWORD)
                keyboard.wait_for(f"Welcome, {USER}.")
                keyboard.type("down the rabbit hole")
                keyboard.wait_for("you said: down the rabbit hole")
                assert PASSWORD.encode() not in keyboard.screen, "the server turned echo off"
                keyboard.type("exit")
                process.wait(20)
            finally:
                process.kill()
                process.wait()
                os.close(master)
            assert tunnel.stop() == 0
