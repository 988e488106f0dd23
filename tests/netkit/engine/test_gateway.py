"""netkit's own gateway: its life, who gets in, and what it survives."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from netkit.engine import gateway as gateway_module
from netkit.engine.gateway import STOP_LIMIT, GatewayServer
from netkit.engine.transport.signatures import public_blob
from netkit.errors import BindError, KeyFileError, UsageError
from netkit.events import FlowClosed
from netkit.model import Endpoint, Keepalive
from netkit.text.fingerprints import sha256_fingerprint
from support import targets
from support.gateways import OpenSsh, TestGateway, connect_unix, gateway
from support.sshd import make_key, public_line
from support.waiting import wait_until

MB = 1_000_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TestGateway]:
    with gateway(tmp_path, password="pass") as running:
        yield running


@contextlib.contextmanager
def paramiko_client(server: GatewayServer) -> Iterator[paramiko.Transport]:
    sock = socket.create_connection((server.address.host, server.address.port), 10)
    transport = paramiko.Transport(sock)
    try:
        transport.start_client(timeout=10)
        yield transport
    finally:
        transport.close()
        transport.join(10)
        sock.close()


# --- what it is made of ---


def test_line_for_known_hosts_and_fingerprint(server: TestGateway):
    host, port = server.address.host, server.address.port
    label, kind, key = server.host_key_line.split()
    assert (label, kind) == (f"[{host}]:{port}", "ssh-ed25519")
    with paramiko_client(server) as client:
        seen = client.get_remote_server_key()
        assert seen.get_base64() == key
        assert sha256_fingerprint(seen.asbytes()) == server.fingerprint


@pytest.mark.parametrize(
    "key",
    [
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
    ],
)
def test_given_host_key(tmp_path: Path, key: object):
    with gateway(tmp_path, host_key=key) as server:
        assert server.fingerprint == sha256_fingerprint(public_blob(key))  # type: ignore[arg-type]
        with OpenSsh(server):
            assert server.connections == 1


@pytest.mark.parametrize(("kind", "options"), [("ed25519", ()), ("rsa", ("-m", "PEM"))])
def test_host_key_from_a_file(tmp_path: Path, kind: str, options: tuple[str, ...]):
    path = make_key(tmp_path / "host", kind, *options)
    with gateway(tmp_path, host_key=path) as server, OpenSsh(server):
        assert " ".join(server.host_key_line.split()[1:]) == public_line(path)


@pytest.mark.parametrize("content", [None, b"", b"nonsense", b"--BEGIN OPENSSH PRIVATE KEY--"])
def test_unusable_host_key_file(tmp_path: Path, content: bytes | None):
    path = tmp_path / "host"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(KeyFileError) as caught:
        GatewayServer(host_key=path, password="x")
    assert str(path) in caught.value.summary


def test_encrypted_host_key_file(tmp_path: Path):
    path = make_key(tmp_path / "host", passphrase="secret")
    with pytest.raises(KeyFileError):
        GatewayServer(host_key=path, password="x")


def test_nobody_could_log_in():
    with pytest.raises(UsageError) as caught:
        GatewayServer()
    assert caught.value.code == "gateway-without-logins"
    with pytest.raises(UsageError) as caught:
        GatewayServer(authorized_keys=['from="10.0.0.0/8" ssh-ed25519 AAAA'])
    assert "line 1" in caught.value.cause


def test_taken_port_is_an_error():
    with targets.echo() as target:
        server = GatewayServer(port=target.port, password="x")
        with pytest.raises(BindError) as caught:
            server.start()
        assert caught.value.fixes[0].argv == ("netkit", "gateway", "...", "--port", "0")
        server.stop()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1"])
def test_listens_where_it_is_told(tmp_path: Path, host: str):
    with gateway(tmp_path, host=host) as server, OpenSsh(server):
        assert server.address.host == host
        assert server.addresses == (server.address,)


def test_both_loopbacks(tmp_path: Path):
    with gateway(tmp_path, host="") as server:
        assert [a.host for a in server.addresses] == ["127.0.0.1", "::1"]
        for address in server.addresses:
            with socket.create_connection((address.host, address.port), 10) as sock:
                assert sock.recv(4) == b"SSH-"


def test_starts_once(server: TestGateway):
    with pytest.raises(UsageError):
        server.start()


def test_stop_without_start_and_twice(tmp_path: Path):
    GatewayServer(password="x").stop()
    with gateway(tmp_path) as server:
        server.stop()
        server.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((server.address.host, server.address.port), 10)


# --- who gets in ---


def test_authorized_key(server: TestGateway):
    with OpenSsh(server):
        text = server.wait_for_notice("gateway-login")
    assert text.startswith("anyone from 127.0.0.1:")
    assert "publickey ED25519 SHA256:" in text


def test_wrong_key(server: TestGateway, tmp_path: Path):
    other = make_key(tmp_path / "other")
    server.client_key = other
    with OpenSsh(server, login=False) as ssh:
        assert ssh.wait_ended() == 255
    assert "Permission denied (publickey,password)." in ssh.log
    assert server.notices("gateway-login") == []


def test_key_types_that_are_not_known_do_not_end_the_login(tmp_path: Path):
    """ssh offers all its keys in turn; paramiko's own server gives up at the first odd one."""
    odd, certified = make_key(tmp_path / "odd"), make_key(tmp_path / "certified")
    argv = ["ssh-keygen", "-q", "-s", str(odd), "-I", "x", "-n", "anyone", f"{certified}.pub"]
    subprocess.run(argv, check=True)
    with (
        gateway(tmp_path) as server,
        OpenSsh(server, "-i", str(odd), "-i", str(certified)),
    ):
        assert server.connections == 1


@pytest.mark.parametrize(
    ("password", "user", "welcome"),
    [
        ("pass", "x", True),
        ("pass", "", True),
        ("Pass", "x", False),
        ("", "x", False),
        ("pass" * 5000, "x", False),
    ],
)
def test_password(server: TestGateway, password: str, user: str, welcome: bool):
    with paramiko_client(server) as client:
        if welcome:
            client.auth_password(user, password)
            server.wait_for_notice("gateway-login")
        else:
            with pytest.raises(paramiko.AuthenticationException):
                client.auth_password(user, password)
        assert client.is_authenticated() is welcome
        assert len(server.notices("gateway-login")) == welcome


def test_too_many_tries_end_the_connection(tmp_path: Path):
    with gateway(tmp_path, max_auth_tries=2, password="pass") as server:
        with paramiko_client(server) as client:
            with pytest.raises(paramiko.AuthenticationException):
                client.auth_password("x", "1")
            with pytest.raises((paramiko.SSHException, EOFError, ConnectionResetError)):
                client.auth_password("x", "2")
            assert "too many" in server.wait_for_notice("gateway-left")


def test_one_user_only(tmp_path: Path):
    with gateway(tmp_path, user="me") as server:
        with OpenSsh(server, "-l", "me"):
            assert server.wait_for_notice("gateway-login").startswith("me from")
        with OpenSsh(server, login=False) as ssh:
            assert ssh.wait_ended() == 255


def test_asyncssh_client(server: TestGateway):
    """A client of another make: login by password, a channel, a listening point."""

    async def use(target: targets.Target) -> tuple[bytes, bytes]:
        host, port = server.address.host, server.address.port
        async with asyncssh.connect(
            host,
            port,
            username="x",
            password="pass",
            known_hosts=None,
            config=None,
            client_keys=None,
            agent_path=None,
        ) as connection:
            reader, writer = await connection.open_connection(target.host, target.port)
            writer.write(b"towards")
            writer.write_eof()
            towards = await reader.read()
            listener = await connection.forward_remote_port("", 0, target.host, target.port)
            return towards, str(listener.get_port()).encode()

    with targets.echo() as target:
        with pytest.raises(asyncssh.ChannelListenError):
            asyncio.run(use(target))
    assert server.notices("gateway-not-listening")


def test_asyncssh_remote_forward(server: TestGateway):
    async def use(target: targets.Target) -> bytes:
        host, port = server.address.host, server.address.port
        async with asyncssh.connect(
            host,
            port,
            username="x",
            password="pass",
            known_hosts=None,
            config=None,
            client_keys=None,
            agent_path=None,
            compression_algs=["zlib@openssh.com"],
        ) as connection:
            listener = await connection.forward_remote_port(
                "localhost", 0, target.host, target.port
            )
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.get_port())
            writer.write(b"question")
            writer.write_eof()
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return answer

    with targets.half_close() as target:
        assert len(asyncio.run(asyncio.wait_for(use(target), 20))) == 64


# --- what it survives ---


def open_forward(directory: str, port: int) -> tuple[str, Path]:
    path = Path(directory, "s")
    return f"{path}:127.0.0.1:{port}", path


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_client_killed_in_a_transfer(server: TestGateway, how: signal.Signals):
    with targets.source(1 << 40) as target, targets.short_directory() as directory:
        forward, path = open_forward(directory, target.port)
        with OpenSsh(server, "-L", forward) as ssh, connect_unix(path) as sock:
            assert sock.recv(MB)
            ssh.process.send_signal(how)
            server.wait_for_connections(0)
            target.wait_until_ended()
        # An end that is no end must not look like one: the target sees a reset.
        assert target.connections[0].ended == "reset"
        wait_until(lambda: any(isinstance(e, FlowClosed) for e in server.events))
        (closed,) = [e for e in server.events if isinstance(e, FlowClosed)]
        assert closed.error


def test_frozen_client_is_noticed(tmp_path: Path):
    keepalive = Keepalive(interval=0.3, count=2)
    with gateway(tmp_path, keepalive=keepalive) as server, OpenSsh(server) as ssh:
        ssh.process.send_signal(signal.SIGSTOP)
        try:
            assert "has sent nothing for" in server.wait_for_notice("gateway-left")
        finally:
            ssh.process.send_signal(signal.SIGCONT)


def test_stop_in_a_transfer(tmp_path: Path):
    with (
        targets.source(1 << 40) as target,
        targets.short_directory() as directory,
        gateway(tmp_path) as server,
    ):
        forward, path = open_forward(directory, target.port)
        with OpenSsh(server, "-L", forward) as ssh, connect_unix(path) as sock:
            assert sock.recv(MB)
            began = time.monotonic()
            server.stop()
            assert time.monotonic() - began < STOP_LIMIT
            assert server.connections == 0
            assert not [t for t in threading.enumerate() if "netkit" in t.name]
            with contextlib.suppress(ConnectionResetError):
                while sock.recv(MB):
                    pass
            assert ssh.wait_ended() == 255
            target.wait_until_ended()
        assert target.connections[0].ended == "reset"


def test_stop_says_goodbye(server: TestGateway):
    with OpenSsh(server) as ssh:
        server.stop()
        assert ssh.wait_ended() == 255
    assert "the gateway is shutting down" in ssh.log


def test_stop_with_a_client_that_reads_nothing(server: TestGateway):
    """The transport's thread cannot send, and must still see that it is to end."""
    with targets.source(1 << 40) as target, targets.short_directory() as directory:
        forward, path = open_forward(directory, target.port)
        with OpenSsh(server, "-L", forward) as ssh, connect_unix(path) as sock:
            ssh.process.send_signal(signal.SIGSTOP)
            link = next(iter(server._connections)).link
            # Smaller than the window, so that the socket is full before the window is used up.
            link.stream.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            ssh.process.send_signal(signal.SIGCONT)
            assert sock.recv(1)
            ssh.process.send_signal(signal.SIGSTOP)
            wait_until(lambda: link.stream.blocked, what="a full connection")
            server.stop()
        assert server.connections == 0


@pytest.mark.parametrize("progress", ["connected", "version", "kexinit", "keys", "login"])
def test_stop_at_any_stage_of_a_connection(server: TestGateway, progress: str):
    with contextlib.ExitStack() as stack:
        if progress in {"keys", "login"}:
            client = stack.enter_context(paramiko_client(server))
            if progress == "login":
                client.auth_password("x", "pass")
        else:
            address = (server.address.host, server.address.port)
            sock = stack.enter_context(socket.create_connection(address, 10))
            if progress != "connected":
                assert sock.recv(4) == b"SSH-"
            if progress == "kexinit":
                sock.sendall(b"SSH-2.0-x\r\n" + struct.pack(">IB", 1000, 4))
        server.wait_for_connections(1)
        server.stop()
        assert server.connections == 0


def test_many_strangers_do_not_lock_out_those_who_are_in(
    server: TestGateway, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(gateway_module, "MAX_UNAUTHENTICATED", 3)
    with contextlib.ExitStack() as stack:
        stack.enter_context(OpenSsh(server))
        address = (server.address.host, server.address.port)
        for count in range(3):
            sock = stack.enter_context(socket.create_connection(address, 10))
            assert sock.recv(4) == b"SSH-"
            assert server.connections == 2 + count
        with socket.create_connection(address, 10) as sock:
            assert sock.recv(4) == b""
        assert "turned away" in server.wait_for_notice("gateway-full")
        assert server.connections == 4
    server.wait_for_connections(0)
    with OpenSsh(server):
        assert server.connections == 1


def test_twenty_clients_at_once(server: TestGateway):
    with targets.echo() as target, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(paramiko_client(server)) for _ in range(20)]
        for client in clients:
            client.auth_password("x", "pass")
        channels = [
            client.open_channel(
                "direct-tcpip", (target.host, target.port), ("127.0.0.1", 1), timeout=20
            )
            for client in clients
        ]
        for number, channel in enumerate(channels):
            channel.sendall(b"%05d" % number)
        for number, channel in enumerate(channels):
            channel.settimeout(20)
            assert channel.recv(5) == b"%05d" % number
            channel.close()


def test_one_channel_after_another_leaves_nothing(server: TestGateway):
    with targets.echo() as target, paramiko_client(server) as client:
        client.auth_password("x", "pass")
        for _ in range(200):
            channel = client.open_channel(
                "direct-tcpip", (target.host, target.port), ("127.0.0.1", 1), timeout=20
            )
            channel.close()
        link = next(iter(server._connections)).link
        wait_until(lambda: not link.flows and not link.mux.channels, what="channels to be gone")


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("__init__", OSError(errno.EMFILE, "Too many open files")),
        ("start", RuntimeError("can't start new thread")),
    ],
)
def test_shortage_turns_one_connection_away(
    server: TestGateway, monkeypatch: pytest.MonkeyPatch, method: str, error: Exception
):
    def fail(*_args: object, **_options: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(gateway_module.ServerTransport, method, fail)
        address = (server.address.host, server.address.port)
        with socket.create_connection(address, 10) as sock:
            assert sock.recv(4) == b""
        assert str(error) in server.wait_for_notice("gateway-out-of-resources")
        assert server.connections == 0
    with OpenSsh(server):
        assert server.connections == 1


@pytest.mark.logs_errors
def test_observer_that_fails_harms_nobody(tmp_path: Path):
    def fail(_event: object) -> None:
        raise ValueError("an observer's own trouble")

    key = make_key(tmp_path / "client")
    with (
        GatewayServer(authorized_keys=[public_line(key)], observer=fail, password="p") as server,
        targets.echo() as target,
        paramiko_client(server) as client,
    ):
        client.auth_password("x", "p")
        channel = client.open_channel(
            "direct-tcpip", (target.host, target.port), ("127.0.0.1", 1), timeout=20
        )
        channel.sendall(b"x")
        assert channel.recv(1) == b"x"
        channel.close()


def test_refused_lines_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    key = public_line(make_key(tmp_path / "k"))
    GatewayServer(authorized_keys=[key, f'from="*" {key}'])
    assert "authorized_keys, line 2: " in caplog.text


def test_allow_is_compared_without_case():
    server = GatewayServer(password="x", allow=(Endpoint("DB.Example", 1),))
    assert server._rules.allow == (Endpoint("db.example", 1),)
