"""Saved tunnels as a user has them: save once, then up, forward and doctor by name."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from netkit import api, profiles
from support import cli, homes
from support.forwarding import Forwarding, endpoint
from support.sshd import Sshd
from support.targets import echo
from support.tunnels import exchange
from support.waiting import wait_until


class User:
    """A user with a home of their own, an ssh_config that knows the gateway, and a keyring."""

    def __init__(self, home: Path, sshd: Sshd) -> None:
        self.home = home
        self.sshd = sshd
        self.config = homes.config(home, sshd.known_hosts(), "IdentitiesOnly yes")
        self.file = home / ".config/netkit/profiles.toml"
        self.env = {
            "PYTHON_KEYRING_BACKEND": "support.keyring_file.FileKeyring",
            "KEYRING_FILE": str(home / "keyring.json"),
        }

    @property
    def gateway(self) -> tuple[str, ...]:
        """The words that reach the gateway."""
        name = f"{self.sshd.user}@127.0.0.1:{self.sshd.port}"
        return (name, "-F", str(self.config), "-i", str(self.sshd.client_key))

    def netkit(self, *words: str, code: int = 0, stdin: str = "") -> cli.Outcome:
        done = homes.netkit(*words, cwd=self.home, stdin=stdin, timeout=60, **self.env)
        assert done.code == code, done.out + done.err
        return done

    @contextlib.contextmanager
    def running(self, *words: str, lines: int = 1) -> Iterator[Forwarding]:
        env = cli.environment(self.home, **self.env)
        with cli.process(["-m", "netkit", *words], home=self.home, env=env) as process:
            forwarding = Forwarding(process)
            try:
                forwarding.wait_for_lines(lines)
                yield forwarding
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                forwarding.wait()


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    with Sshd(tmp_path) as sshd:
        yield User(tmp_path, sshd)


def answers(where: str) -> bool:
    """Tell whether the echo behind the forward that listens at ``where`` answers."""
    address = endpoint(where)
    with socket.create_connection((address.host, address.port), 10) as sock:
        return exchange(sock, b"through the gateway") == b"through the gateway"


def test_save_up_default_forward_and_the_library(user, monkeypatch):
    with echo() as target:
        to = str(target.address)
        user.netkit("profile", "save", "office", *user.gateway, "--bind", "127.0.0.1:0", "--to", to)
        assert "~/ssh_config" in user.file.read_text()
        with user.running("up", "office") as up:
            assert answers(up.addresses[0])
        with user.running("forward", "office") as forward:
            assert answers(forward.addresses[0])
        assert user.netkit("up", code=2).err.startswith("netkit: no profile is named")
        user.netkit("profile", "default", "office")
        with user.running("up") as up:
            assert answers(up.addresses[0])
        # how to reach the gateway is the default's, the forward is the one that is said
        with user.running("forward", "--bind", "127.0.0.2:0", "--to", to) as forward:
            assert forward.addresses[0].startswith("127.0.0.2:")
            assert answers(forward.addresses[0])
        monkeypatch.setenv("HOME", str(user.home))
        monkeypatch.setenv(profiles.VARIABLE, str(user.file))
        with api.open_tunnel(profile="office") as tunnel:
            assert answers(str(tunnel.forwards[0].address))


def test_several_at_once_and_one_of_them_fails(user):
    with echo() as target, socket.create_server(("127.0.0.1", 0)) as taken:
        to = str(target.address)
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        user.netkit("profile", "save", "good", *user.gateway, "--bind", "127.0.0.1:0", "--to", to)
        user.netkit("profile", "save", "bad", *user.gateway, "--bind", bind, "--to", to)
        with user.running("up", "bad", "good") as up:
            line = up.lines[0]
            assert line.startswith("good: 127.0.0.1:")
            wait_until(lambda: "netkit: bad: " in up.stderr)
            assert answers(line.split()[1])
            up.process.send_signal(signal.SIGINT)
        assert up.process.returncode == 130


def test_the_doctor_examines_a_profile(user):
    with echo() as target, socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        user.netkit(
            *("profile", "save", "office", *user.gateway, "--bind", bind),
            *("--to", str(target.address)),
        )
        done = user.netkit("doctor", "office", "--json", "--only", "port-in-use", code=1)
    found = json.dumps(json.loads(done.out))
    assert "port-taken" in found
    assert bind in found


def test_a_password_of_the_keyring(tmp_path):
    with homes.home() as there, echo() as target:
        user = User(tmp_path, there.sshd)
        words = (f"{homes.USER}@127.0.0.1:{there.sshd.port}", "-F", str(user.config))
        user.netkit(
            *("profile", "save", "office", *words, "--password-stdin"),
            *("--bind", "127.0.0.1:0", "--to", str(target.address)),
            stdin=f"{homes.PASSWORD}\n",
        )
        assert homes.PASSWORD not in user.file.read_text()
        with user.running("up", "office") as up:
            assert answers(up.addresses[0])
        user.netkit("profile", "rename", "office", "desk")
        with user.running("forward", "desk") as forward:
            assert answers(forward.addresses[0])
        user.netkit("profile", "remove", "desk")
        assert json.loads((user.home / "keyring.json").read_text()) == {}
