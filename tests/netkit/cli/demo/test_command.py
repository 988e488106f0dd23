from __future__ import annotations

import errno
import os
import signal
import socket
import stat
import subprocess
import tempfile
import threading

import pytest

from netkit.cli.demo import command as demo
from netkit.cli.demo.target import Transfer
from netkit.errors import AuthenticationError
from netkit.model import Endpoint, Gateway, HostKeyPolicy
from support.cli import FakeForward, run_cli
from support.peers import require
from support.ports import free_port


class FakeGateway:
    def __call__(self, **options):
        self.options, self.started, self.stops = options, False, 0
        return self

    address = Endpoint("127.0.0.1", 2222)
    host_key_line = "[127.0.0.1]:2222 ssh-ed25519 AAAA"

    def start(self):
        self.started = True

    def stop(self):
        self.stops += 1


class DirectTunnel:
    """Pretends that the forward listens at the target itself; ``break_`` spoils a transfer."""

    def __init__(self, on_start=lambda: None):
        self.on_start, self.stops = on_start, 0

    def __call__(self, plan, **_options):
        self.plan = plan
        return self

    @property
    def forwards(self):
        return [FakeForward(spec, (spec.to,)) for spec in self.plan.forwards]

    def start(self):
        self.on_start()

    def stop(self, drain=5.0):
        self.stops += 1


@pytest.fixture(autouse=True)
def _private_temp(tmp_path, monkeypatch):
    """The demo's directory is made in the test's own, so that leftovers show."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_it_shows_what_happened_and_cleans_up(tmp_path):
    gateway, tunnel = FakeGateway(), DirectTunnel()
    done = run_cli("demo", "--size", "2", gateway=gateway, tunnel=tunnel)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "A gateway, a target behind it and a forward, all on this machine:"
    assert lines[1].split()[:2] == ["gateway", "127.0.0.1:2222"]
    target = str(gateway.options["allow"][0])
    assert lines[2].split()[:2] == ["target", target]
    assert f"-> {target} through the gateway" in lines[3]
    assert lines[4].startswith("  download  2.0 MB in ")
    assert lines[5].startswith("  upload    2.0 MB in ")
    assert all("MB/s   SHA-256 agrees" in line for line in lines[4:6])
    assert "netkit forward me@gateway --bind 127.0.0.2:3389" in lines[-1]
    assert list(tmp_path.iterdir()) == []
    assert gateway.stops
    assert tunnel.stops


def test_nothing_of_the_user_is_used(tmp_path):
    specs = []

    def plan(spec):
        from support.cli import plan_of

        specs.append((spec, spec.config_file.read_text()))
        mode = spec.config_file.parent.stat().st_mode
        key = (spec.config_file.parent / "id_ed25519").stat().st_mode
        assert (stat.S_IMODE(mode), stat.S_IMODE(key)) == (0o700, 0o600)
        return plan_of(spec)

    gateway = FakeGateway()
    done = run_cli("demo", "--size", "1", gateway=gateway, tunnel=DirectTunnel(), plan=plan)
    assert done.code == 0, done.err
    spec, config = specs[0]
    assert spec.gateway == Gateway("127.0.0.1", "demo", 2222)
    assert spec.host_key is HostKeyPolicy.STRICT
    assert "IdentitiesOnly yes" in config
    assert "IdentityAgent none" in config
    assert gateway.options["authorized_keys"][0].startswith("ssh-ed25519 AAAA")
    assert gateway.options["password"] is None


def test_a_failure_cleans_up_too(tmp_path):
    def fail():
        raise AuthenticationError("refused")

    done = run_cli("demo", gateway=FakeGateway(), tunnel=DirectTunnel(fail))
    assert done.code == 6
    assert list(tmp_path.iterdir()) == []


def test_damage_is_noticed(monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "download", lambda _address, size: Transfer(size, 1.0, "a", "b"))
    done = run_cli("demo", gateway=FakeGateway(), tunnel=DirectTunnel())
    assert done.code == 3
    assert "SHA-256 DIFFERS" in done.out
    assert done.err.startswith("netkit: the download arrived damaged [checksum-mismatch]\n")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_connecting_cleans_up(tmp_path):
    tunnel = DirectTunnel()
    stopped = threading.Event()

    def connect():
        os.kill(os.getpid(), signal.SIGINT)
        stopped.wait(20)
        raise AuthenticationError("stopped")

    tunnel.on_start = connect
    tunnel.stop = lambda drain=5.0: stopped.set()
    done = run_cli("demo", gateway=FakeGateway(), tunnel=tunnel)
    assert (done.code, done.err) == (130, "")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_moving_cleans_up(monkeypatch, tmp_path):
    moved = demo.download

    def interrupted(address, size):
        os.kill(os.getpid(), signal.SIGINT)
        return moved(address, size)

    monkeypatch.setattr(demo, "download", interrupted)
    done = run_cli("demo", "--size", "1000", gateway=FakeGateway(), tunnel=DirectTunnel())
    assert (done.code, done.err) == (130, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", ["0", "1001", "x"])
def test_sizes_are_bounded(size):
    assert run_cli("demo", "--size", size).code == 2


def test_ssh_reads_the_configuration(tmp_path):
    ssh = require("ssh")
    directory = tmp_path / "50% of it"
    directory.mkdir()
    (directory / "config").write_text(demo.config_text(directory))
    done = subprocess.run(
        [ssh, "-G", "-F", str(directory / "config"), "127.0.0.1"],
        capture_output=True,
        text=True,
        check=True,
    )
    options = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert options["identityagent"] == "none"
    assert options["identitiesonly"] == "yes"
    assert options["stricthostkeychecking"] == "true"


def test_the_wanted_address_if_it_can_be_had():
    free = Endpoint("127.0.0.1", free_port())
    assert demo.choose_bind(free) == demo.Choice(free)


def test_a_taken_port_is_said_and_another_one_used():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = Endpoint(*listener.getsockname())
        choice = demo.choose_bind(taken)
    assert choice.bind == Endpoint("127.0.0.1", 0)
    assert choice.why == (
        f"another program listens on {taken}; the demo listens on another port instead"
    )


def test_an_address_that_is_not_ours():
    wanted = Endpoint("192.0.2.1", 3389)  # reserved for documentation (RFC 5737)
    choice = demo.choose_bind(wanted, platform="darwin")
    assert choice.bind == Endpoint("127.0.0.1", 0)
    assert "`sudo ifconfig lo0 alias 192.0.2.1`" in choice.why
    assert "ifconfig" not in demo.choose_bind(wanted, platform="linux").why


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.EADDRNOTAVAIL, "is no address of this machine"),
        (errno.EADDRINUSE, "another program listens on"),
        (errno.EACCES, "does not let you listen on"),
        (errno.ENOBUFS, "No buffer space"),
    ],
)
def test_faults_in_words(number, text):
    fault = OSError(number, os.strerror(number))
    assert text in demo.explain_fault(Endpoint("127.0.0.2", 3389), fault, "linux")
