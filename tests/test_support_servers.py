"""The real peers in tests/support: each is reached by OpenSSH's client, not by netkit."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from support import targets
from support.agent import Agent
from support.asyncssh_server import AsyncsshServer
from support.dropbear import Dropbear
from support.peers import require


def through(
    server: Dropbear | AsyncsshServer, to: str, *options: str
) -> subprocess.CompletedProcess[bytes]:
    """Send ``ping`` through ``ssh -W to`` and return what ssh did."""
    argv = [
        *(str(require("ssh")), "-F", "none", "-T", "-p", str(server.port), "-l", server.user),
        *("-i", str(server.client_key), "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"),
        *("-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={server.known_hosts()}"),
        *("-o", "StrictHostKeyChecking=yes", *options, "-W", to, "127.0.0.1"),
    ]
    return subprocess.run(argv, input=b"ping", capture_output=True, timeout=30, check=False)


class TestDropbear:
    @pytest.mark.parametrize("host_key", ["ed25519", "ecdsa", "rsa"])
    def test_ssh_reaches_a_target(self, tmp_path: Path, host_key: str):
        with Dropbear(tmp_path, host_key=host_key) as server, targets.echo() as target:
            done = through(server, str(target.address))
        assert done.stdout == b"ping", done.stderr
        assert f"auth succeeded for '{server.user}'" in server.log

    def test_option_reaches_it(self, tmp_path: Path):
        with Dropbear(tmp_path, "-j") as server, targets.echo() as target:
            done = through(server, str(target.address))
        assert done.returncode != 0
        assert done.stdout == b""


class TestAsyncsshServer:
    def test_ssh_reaches_a_target(self, tmp_path: Path):
        with AsyncsshServer(tmp_path) as server, targets.echo() as target:
            done = through(server, str(target.address))
        assert done.stdout == b"ping", done.stderr

    def test_restricted_algorithms(self, tmp_path: Path):
        with AsyncsshServer(tmp_path, encryption_algs=["aes256-ctr"]) as server:
            with targets.echo() as target:
                done = through(server, str(target.address), "-v")
                assert b"cipher: aes256-ctr" in done.stderr
                done = through(server, str(target.address), "-c", "aes128-ctr")
                assert b"no matching cipher" in done.stderr

    def test_refusal(self, tmp_path: Path):
        with AsyncsshServer(tmp_path, may_connect=lambda host, port: False) as server:
            assert b"open failed" in through(server, "127.0.0.1:9").stderr

    def test_stop_cuts_a_connection_and_frees_the_port(self, tmp_path: Path):
        server = AsyncsshServer(tmp_path)
        with socket.create_connection(("127.0.0.1", server.port), 10) as sock:
            assert sock.recv(8) == b"SSH-2.0-"
            server.stop()
            server.stop()
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", server.port)) != 0


class TestAgent:
    def test_holds_a_key_and_forgets_it(self, tmp_path: Path):
        key = tmp_path / "key"
        keygen = str(require("ssh-keygen"))
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        with Agent() as agent:
            assert agent.keys() == []
            agent.add(key)
            assert agent.keys() == [Path(f"{key}.pub").read_text().strip()]
            agent.remove_all()
            assert agent.keys() == []
        agent.stop()
        assert not agent.socket.exists()
