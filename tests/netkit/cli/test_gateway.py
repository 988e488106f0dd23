from __future__ import annotations

import os
import signal

import pytest

from netkit import events
from netkit.cli.gateway import read_authorized_keys
from netkit.errors import BindError, UsageError
from netkit.model import Endpoint
from support.cli import run_cli

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx me@home"


class FakeGateway:
    """Records what it was made with; once started it sends ``number`` to the process."""

    def __init__(self, number=signal.SIGINT, error=None):
        self.number, self.error, self.stops = number, error, 0

    def __call__(self, **options):
        self.options = options
        return self

    address = Endpoint("127.0.0.1", 2222)
    host_key_line = "[127.0.0.1]:2222 ssh-ed25519 AAAA"

    def start(self):
        if self.error is not None:
            raise self.error
        self.options["observer"](events.Notice(code="x", text="someone came"))
        os.kill(os.getpid(), self.number)

    def stop(self):
        self.stops += 1


@pytest.fixture(autouse=True)
def _interruptible():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def keys(tmp_path):
    path = tmp_path / "keys"
    path.write_text(f"# mine\n\n{KEY}\n")
    return path


def test_it_says_how_to_connect(keys):
    gateway = FakeGateway()
    done = run_cli("gateway", "--port", "2222", "--authorized-keys", str(keys), gateway=gateway)
    assert done.code == 130
    assert done.out == (
        "listening on 127.0.0.1:2222\n"
        "known_hosts: [127.0.0.1]:2222 ssh-ed25519 AAAA\n"
        "connect: netkit forward 127.0.0.1:2222 -D 1080\n"
    )
    assert done.err == "netkit: someone came\n"
    assert gateway.stops == 1


def test_options_reach_the_server(keys):
    gateway = FakeGateway(signal.SIGTERM)
    argv = ("--authorized-keys", str(keys), "--allow", "db:5432", "--allow", "[::1]:80")
    assert run_cli("gateway", *argv, gateway=gateway).code == 0
    options = {name: value for name, value in gateway.options.items() if name != "observer"}
    assert options == {
        "host": "127.0.0.1",
        "port": 0,
        "authorized_keys": (KEY,),
        "password": None,
        "allow": (Endpoint("db", 5432), Endpoint("::1", 80)),
    }


def test_without_allow_everything_is_allowed(keys):
    gateway = FakeGateway()
    run_cli("gateway", "--authorized-keys", str(keys), gateway=gateway)
    assert gateway.options["allow"] is None


def test_password_on_stdin(monkeypatch, tmp_path):
    (tmp_path / "in").write_text("s3cret\n")
    gateway = FakeGateway()
    with (tmp_path / "in").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        done = run_cli("gateway", "--password-stdin", gateway=gateway)
    assert gateway.options["password"] == "s3cret"
    assert "s3cret" not in done.out + done.err


def test_nobody_may_log_in():
    done = run_cli("gateway", gateway=FakeGateway())
    assert done.code == 2
    assert done.err.splitlines() == [
        "netkit: nobody could log in to this gateway [no-credentials]",
        "  cause: neither --authorized-keys FILE nor --password-stdin says who may",
        "  next:  netkit gateway --authorized-keys '~/.ssh/id_ed25519.pub'",
    ]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "gw.example", ""])
def test_other_machines_need_expose(host, keys):
    argv = ("gateway", "--host", host, "--port", "22", "--authorized-keys", str(keys))
    done = run_cli(*argv, gateway=FakeGateway())
    assert done.code == 2
    assert "[needs-expose]" in done.err
    gateway = FakeGateway()
    assert run_cli(*argv, "--expose", gateway=gateway).code == 130
    assert gateway.options["host"] == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_needs_no_expose(host, keys):
    argv = ("--host", host, "--authorized-keys", str(keys))
    assert run_cli("gateway", *argv, gateway=FakeGateway()).code == 130


def test_a_taken_port(keys):
    gateway = FakeGateway(error=BindError("cannot listen on 127.0.0.1:22", cause="sshd is there"))
    done = run_cli("gateway", "--authorized-keys", str(keys), gateway=gateway)
    assert (done.code, done.out) == (7, "")
    assert done.err.startswith("netkit: cannot listen on 127.0.0.1:22 [bind-failed]\n")


@pytest.mark.parametrize("allow", ["db", "db:0", "db:99999", ":80", ""])
def test_bad_allow(allow, keys):
    argv = ("--authorized-keys", str(keys), "--allow", allow)
    assert run_cli("gateway", *argv, gateway=FakeGateway()).code == 2


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "no key"),
        (b"# only a comment\n", "no key"),
        (b"\xff\xfe\x00s", "not text"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\n", "private key; the public one is in"),
        (b"#" * ((1 << 20) + 1), "longer than 1048576 bytes"),
    ],
)
def test_useless_key_files(tmp_path, data, cause):
    (tmp_path / "k").write_bytes(data)
    with pytest.raises(UsageError) as caught:
        read_authorized_keys(tmp_path / "k")
    assert cause in caught.value.cause
    assert caught.value.code == "bad-authorized-keys"


def test_unreadable_key_files(tmp_path):
    with pytest.raises(UsageError) as caught:
        read_authorized_keys(tmp_path / "none")
    assert "No such file" in caught.value.cause
    with pytest.raises(UsageError):
        read_authorized_keys(tmp_path)
