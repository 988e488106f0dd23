"""The server side of a connection: version, algorithms, rekeying, what comes before the login."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paramiko
import pytest
from paramiko.message import Message

from netkit._version import __version__
from netkit.engine.transport.algorithms import CIPHERS, MACS
from netkit.engine.transport.client import SshTransport
from netkit.engine.transport.server import KEX
from netkit.wire.messages import CHANNEL_OPEN, GLOBAL_REQUEST, string, u32
from support import targets
from support.gateways import OpenSsh, TestGateway, connect_unix, gateway
from support.peers import require

MB = 1_000_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TestGateway]:
    with gateway(tmp_path, password="pass") as running:
        yield running


def echo_through(path: Path, size: int) -> bool:
    """Send ``size`` bytes of the pattern to the echo behind ``path`` and compare what returns."""
    with connect_unix(path, 60.0) as sock:

        def send() -> None:
            for piece in targets.pattern(size):
                sock.sendall(piece)
            sock.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        digest = hashlib.sha256()
        while data := sock.recv(1 << 20):
            digest.update(data)
        sender.join()
    return digest.hexdigest() == targets.pattern_digest(size)


def relays(server: TestGateway, size: int, *options: str, rekeys: int = 0) -> bool:
    """Whether ``size`` bytes come back intact through ``ssh`` with ``options``."""
    with targets.echo() as echo, targets.short_directory() as directory:
        path = Path(directory, "s")
        with OpenSsh(server, "-v", "-L", f"{path}:127.0.0.1:{echo.port}", *options) as ssh:
            same = echo_through(path, size)
        assert ssh.log.count("SSH2_MSG_NEWKEYS received") > rekeys
        return same


# --- algorithms, against OpenSSH ---


def supported_by_ssh(kind: str) -> set[str]:
    argv = [str(require("ssh")), "-Q", kind]
    return set(subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize("cipher", CIPHERS)
def test_cipher(server: TestGateway, cipher: str):
    assert relays(server, 300_000, "-c", cipher)


@pytest.mark.parametrize("mac", MACS)
def test_mac(server: TestGateway, mac: str):
    assert relays(server, 300_000, "-c", "aes128-ctr", "-m", mac)


@pytest.mark.parametrize("kex", KEX)
def test_kex(server: TestGateway, kex: str):
    if kex not in supported_by_ssh("kex"):
        pytest.skip(f"this ssh has no {kex}")
    assert relays(server, 1000, "-o", f"KexAlgorithms={kex}")


def test_compression(server: TestGateway):
    assert relays(server, 3 * MB, "-C")


def test_strict_key_exchange(server: TestGateway):
    with OpenSsh(server, "-v", "-v", "-v") as ssh:
        ssh.wait_log("will use strict KEX ordering")


def test_signature_algorithms_are_told(server: TestGateway):
    with OpenSsh(server, "-v") as ssh:
        ssh.wait_log(r"server-sig-algs=<ssh-ed25519,.*rsa-sha2-512")


def test_version(server: TestGateway):
    with OpenSsh(server, "-v") as ssh:
        ssh.wait_log(f"remote software version netkit_{__version__}")


@pytest.mark.slow
def test_client_asks_for_new_keys_under_load(server: TestGateway):
    assert relays(server, 50 * MB, "-o", "RekeyLimit=1M", rekeys=40)


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["-c", "aes256-ctr"], ["-C"]])
def test_server_asks_for_new_keys_under_load(tmp_path: Path, options: list[str]):
    size = 10 * MB if options == ["-C"] else 50 * MB
    with gateway(tmp_path, rekey_bytes=MB) as server:
        assert relays(server, size, *options, rekeys=size // MB * 4 // 5)


def test_both_ask_for_new_keys_under_load(tmp_path: Path):
    with gateway(tmp_path, rekey_bytes=MB) as server:
        assert relays(server, 20 * MB, "-o", "RekeyLimit=1M", rekeys=16)


@pytest.mark.parametrize(
    ("option", "what"),
    [
        ("Ciphers=chacha20-poly1305@openssh.com", "cipher"),
        ("KexAlgorithms=diffie-hellman-group-exchange-sha256", "key exchange"),
        ("HostKeyAlgorithms=rsa-sha2-256", "host key"),
    ],
)
def test_no_common_algorithm_is_said(server: TestGateway, option: str, what: str):
    with OpenSsh(server, "-o", option, login=False) as ssh:
        assert ssh.wait_ended() == 255
        text = server.wait_for_notice("gateway-left")
    assert f"no common {what} algorithm; this gateway has " in text
    # ssh finds out by itself, or is told
    assert "no matching" in ssh.log or what in ssh.log


def test_own_list_of_ciphers(tmp_path: Path):
    with (
        gateway(tmp_path, ciphers=("aes192-ctr",)) as server,
        OpenSsh(server, "-v", "-c", "aes128-ctr,aes192-ctr") as ssh,
    ):
        ssh.wait_log("client->server cipher: aes192-ctr")


# --- with paramiko, which takes orders ---


@contextmanager
def paramiko_client(
    server: TestGateway, kind: type[paramiko.Transport] = paramiko.Transport
) -> Iterator[Any]:
    sock = socket.create_connection((server.address.host, server.address.port), 10)
    client = kind(sock)
    try:
        yield client
    finally:
        client.close()
        client.join(10)
        sock.close()


@pytest.mark.parametrize("kex", KEX)
def test_kex_with_paramiko(server: TestGateway, kex: str):
    """The kinds that the installed ssh is too old for, mlkem768x25519-sha256 among them."""

    class Client(paramiko.Transport):
        _kex_info = SshTransport._kex_info
        _preferred_kex = (kex,)

    with paramiko_client(server, Client) as client:
        client.start_client(timeout=10)
        client.auth_password("x", "pass")
        assert client.is_authenticated()


class Guesser(paramiko.Transport):
    """Sends the first packet of its favourite key exchange at once, as dropbear does."""

    guess = b""

    def _send_message(self, message: Message) -> None:
        payload = message.asbytes()
        if payload[0] != 20 or self.initial_kex_done:
            self.packetizer.send_message(message)
            return
        payload = payload[:-5] + b"\1" + payload[-4:]
        self.local_kex_init = self._latest_kex_init = payload
        self.packetizer.send_message(Message(payload))
        self.packetizer.send_message(Message(b"\x1e" + string(self.guess)))


def test_packet_behind_a_wrong_guess_is_ignored(server: TestGateway):
    class Client(Guesser):
        _preferred_kex = ("ecdh-sha2-nistp256",)
        guess = b"a point that is on no curve"

    with paramiko_client(server, Client) as client:
        client.start_client(timeout=10)
        client.auth_password("x", "pass")
        assert client.is_authenticated()


def test_packet_behind_a_right_guess_counts(server: TestGateway):
    class Client(Guesser):
        _preferred_kex = KEX[:1]
        _kex_info = SshTransport._kex_info
        _preferred_keys = ("ssh-ed25519",)
        guess = b"nothing that could be a key"

    with paramiko_client(server, Client) as client:
        # What the gateway did not read makes its end a reset.
        with pytest.raises((EOFError, ConnectionResetError, paramiko.SSHException)):
            client.start_client(timeout=10)
        server.wait_for_connections(0)


@pytest.mark.parametrize(
    "payload",
    [
        bytes([CHANNEL_OPEN])
        + string("direct-tcpip")
        + u32(0) * 3
        + string("127.0.0.1")
        + u32(22)
        + string("127.0.0.1")
        + u32(1),
        bytes([CHANNEL_OPEN]) + string("session") + u32(0) + u32(1 << 20) + u32(1 << 15),
        bytes([GLOBAL_REQUEST]) + string("tcpip-forward") + b"\1" + string("127.0.0.1") + u32(0),
        bytes([GLOBAL_REQUEST]) + string("keepalive@openssh.com") + b"\1",
        bytes([94]) + u32(0) + string("data"),
        bytes([127]),
    ],
)
def test_nothing_before_the_login(server: TestGateway, payload: bytes):
    with paramiko_client(server) as client:
        client.start_client(timeout=10)
        client._send_message(Message(payload))
        text = server.wait_for_notice("gateway-left")
        assert "before authentication was complete" in text


def test_client_cannot_declare_itself_logged_in(server: TestGateway):
    """USERAUTH_SUCCESS is for the server to send; from a client it must open nothing."""
    with targets.echo() as target, paramiko_client(server) as client:
        client.start_client(timeout=10)
        link = next(iter(server._connections)).link
        client._send_message(Message(bytes([52])))
        channel = string("direct-tcpip") + u32(0) + u32(1 << 20) + u32(1 << 15)
        channel += string(target.host) + u32(target.port) + string("") + u32(0)
        with contextlib.suppress(EOFError, OSError):
            client._send_message(Message(bytes([CHANNEL_OPEN]) + channel))
        assert "only servers send" in server.wait_for_notice("gateway-left")
        assert not link.authenticated
        assert target.connections == []


def test_client_that_never_logs_in_is_left(tmp_path: Path):
    with gateway(tmp_path, login_grace=0.5) as server, paramiko_client(server) as client:
        client.start_client(timeout=10)
        assert "did not log in in time" in server.wait_for_notice("gateway-left")


def test_login_in_time_is_not_ended_later(tmp_path: Path):
    with (
        gateway(tmp_path, login_grace=1.0, password="pass") as server,
        paramiko_client(server) as client,
    ):
        client.start_client(timeout=10)
        client.auth_password("x", "pass")
        client.join(1.5)
        assert client.is_active()
        assert server.connections == 1


# --- what is no SSH client ---


GARBAGE = [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    b"SSH-1.5-old\r\n",
    b"SSH-2.0-x\r\n" + bytes(range(256)) * 8,
    b"SSH-2.0-" + b"x" * 300 + b"\r\n",
    b"x" * 100_000,
    b"\n",
    b"SSH-2.0-x\r\n\xff\xff\xff\xff",
    b"SSH-2.0-x\r\n" + u32(12) + b"\x0a\x14" + bytes(10),
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_left(server: TestGateway, garbage: bytes):
    with socket.create_connection((server.address.host, server.address.port), 10) as sock:
        assert sock.recv(100).startswith(f"SSH-2.0-netkit_{__version__}\r\n".encode())
        # The gateway may be gone before all of it is sent, and unread bytes make that a reset.
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            sock.sendall(garbage)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
        server.wait_for_notice("gateway-left")
    server.wait_for_connections(0)
    with OpenSsh(server):
        assert server.connections == 1


def test_http_client_gets_an_answer(server: TestGateway):
    with socket.create_connection((server.address.host, server.address.port), 10) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with sock.makefile("rb") as stream:
            assert b"Invalid SSH identification string.\r\n" in stream.read()


@pytest.mark.parametrize("sent", [b"", b"SSH-2.0-half"])
def test_silent_client_is_left(tmp_path: Path, sent: bytes):
    with (
        gateway(tmp_path, login_grace=0.3) as server,
        socket.create_connection((server.address.host, server.address.port), 10) as sock,
    ):
        sock.sendall(sent)
        server.wait_for_notice("gateway-left")
        assert server.connections == 0
