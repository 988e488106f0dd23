"""What clients may do with netkit's gateway: forwards of all kinds, with the real ssh."""

from __future__ import annotations

import contextlib
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest
from paramiko.message import Message

from netkit.events import FlowClosed, FlowFailed, FlowOpened
from netkit.model import Endpoint
from netkit.wire.messages import string, u32
from support import targets
from support.gateways import OpenSsh, TestGateway, connect_unix, gateway
from support.peers import require
from support.ports import free_port
from support.sshd import public_line
from support.waiting import wait_until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TestGateway]:
    with gateway(tmp_path, password="pass") as running:
        yield running


@pytest.fixture
def short() -> Iterator[Path]:
    with targets.short_directory() as directory:
        yield Path(directory)


@contextlib.contextmanager
def client(server: TestGateway) -> Iterator[Any]:
    """A logged-in paramiko client, for what ssh(1) cannot be made to do."""
    sock = socket.create_connection((server.address.host, server.address.port), 10)
    transport = paramiko.Transport(sock)
    try:
        transport.start_client(timeout=10)
        transport.auth_password("x", "pass")
        yield transport
    finally:
        transport.close()
        transport.join(10)
        sock.close()


def answer(sock: socket.socket, question: bytes) -> bytes:
    """Send, half-close, and return all that comes back."""
    with sock:
        sock.sendall(question)
        sock.shutdown(socket.SHUT_WR)
        found = b""
        while data := sock.recv(65536):
            found += data
    return found


def through(ssh: OpenSsh, path: Path, question: bytes = b"hello") -> bytes:
    """What comes back through a local forward; empty where it is reset."""
    try:
        return answer(connect_unix(path), question)
    except (ConnectionResetError, BrokenPipeError):
        return b""


# --- towards targets ---


def test_local_forward(server: TestGateway, short: Path):
    with (
        targets.half_close() as target,
        OpenSsh(server, "-L", f"{short}/s:127.0.0.1:{target.port}") as ssh,
    ):
        assert len(through(ssh, short / "s")) == 64
        wait_until(lambda: any(isinstance(e, FlowClosed) for e in server.events))
    (opened,) = [e for e in server.events if isinstance(e, FlowOpened)]
    assert opened.target == f"127.0.0.1:{target.port}"
    (closed,) = [e for e in server.events if isinstance(e, FlowClosed)]
    assert (closed.bytes_to_gateway, closed.bytes_from_gateway, closed.error) == (64, 5, "")


@pytest.mark.parametrize("name", ["localhost", "ip6-localhost", "::1"])
def test_names_and_ipv6(server: TestGateway, short: Path, name: str):
    host = "127.0.0.1" if name == "localhost" else "::1"
    try:
        socket.getaddrinfo(name, 1)
    except OSError:
        pytest.skip(f"no {name} here")
    bracketed = f"[{name}]" if ":" in name else name
    with (
        targets.echo(host=host) as target,
        OpenSsh(server, "-L", f"{short}/s:{bracketed}:{target.port}") as ssh,
    ):
        assert through(ssh, short / "s") == b"hello"


def test_unix_socket_target(server: TestGateway, short: Path):
    with (
        targets.echo(path=short / "target"),
        OpenSsh(server, "-L", f"{short}/s:{short}/target") as ssh,
    ):
        assert through(ssh, short / "s") == b"hello"


def test_dynamic_forward_with_curl(server: TestGateway):
    curl = str(require("curl"))

    def respond(connection: targets.Connection) -> None:
        connection.read()
        connection.sock.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nyes")

    port = free_port()
    with targets.Target(respond) as web:
        with OpenSsh(server, "-D", f"127.0.0.1:{port}", "-o", "ExitOnForwardFailure=yes"):
            argv = [curl, "-sS", "--retry", "5", "--retry-connrefused", "--max-time", "20"]
            argv += ["-x", f"socks5h://127.0.0.1:{port}", f"http://localhost:{web.port}/"]
            done = subprocess.run(argv, capture_output=True, text=True, check=False, env={})
    assert (done.stdout, done.stderr) == ("yes", "")


def test_refused_target(server: TestGateway, short: Path):
    with (
        targets.refuse() as target,
        OpenSsh(server, "-L", f"{short}/s:127.0.0.1:{target.port}") as ssh,
    ):
        through(ssh, short / "s")
        ssh.wait_log("open failed: connect failed: Connection refused")
        (failed,) = [e for e in server.events if isinstance(e, FlowFailed)]
    assert (failed.code, failed.target) == ("target-refused", str(target.address))


def test_unknown_name(server: TestGateway, short: Path):
    with OpenSsh(server, "-L", f"{short}/s:no-such-host.invalid:1") as ssh:
        through(ssh, short / "s")
        ssh.wait_log("open failed: connect failed: .*(Name|name)")
        (failed,) = [e for e in server.events if isinstance(e, FlowFailed)]
    assert failed.code == "target-name-unknown"


def test_missing_unix_socket(server: TestGateway, short: Path):
    with OpenSsh(server, "-L", f"{short}/s:{short}/nothing") as ssh:
        through(ssh, short / "s")
        ssh.wait_log("open failed: connect failed: No such file or directory")


def test_shell_is_refused_in_words(server: TestGateway):
    with client(server) as transport:
        with pytest.raises(paramiko.ChannelException) as caught:
            transport.open_session(timeout=10)
        assert caught.value.code == 1
        assert transport.is_active()
    (failed,) = [e for e in server.events if isinstance(e, FlowFailed)]
    assert "use ssh -N" in failed.reason


HOSTILE_TARGETS = [
    (string(b"") + u32(22), 2),
    (string(b"a\0b") + u32(22), 2),
    (string(b"127.0.0.1 ") + u32(22), 2),
    (string("h\N{SNOWMAN}st") + u32(22), 2),
    (string(b"\xff\xfe") + u32(22), 2),
    (string(b"x" * 256) + u32(22), 2),
    (string(b"x" * 20_000) + u32(22), 2),
    (string(b"x" * 255) + u32(22), 2),
    (string(b"." * 200) + u32(22), 2),
    (string(b"127.0.0.1") + u32(65536), 2),
    (string(b"127.0.0.1") + u32(0xFFFFFFFF), 2),
    (string(b"no-such-host.invalid") + u32(80), 2),
]


@pytest.mark.parametrize(("target", "code"), HOSTILE_TARGETS, ids=range(len(HOSTILE_TARGETS)))
def test_impossible_target_is_refused_and_the_link_lives(
    server: TestGateway, target: bytes, code: int
):
    with client(server) as transport, targets.echo() as echo:
        data = target + string("origin\x1b[31m") + u32(1)
        assert open_raw(transport, "direct-tcpip", data) == code
        with transport.open_channel(
            "direct-tcpip", (echo.host, echo.port), ("127.0.0.1", 1), timeout=10
        ) as channel:
            channel.sendall(b"ok")
            assert channel.recv(2) == b"ok"


@pytest.mark.parametrize(
    ("kind", "data", "code"),
    [
        ("x11", string("127.0.0.1") + u32(1), 3),
        ("auth-agent@openssh.com", b"", 3),
        ("forwarded-tcpip", string("a") + u32(1) + string("b") + u32(2), 3),
        ("tun@openssh.com", u32(1) + u32(0), 3),
        ("", b"", 3),
        ("direct-streamlocal@openssh.com", string("") + string("") + u32(0), 2),
        ("direct-streamlocal@openssh.com", string("relative") + string("") + u32(0), 2),
        ("direct-streamlocal@openssh.com", string("\0abstract") + string("") + u32(0), 2),
        ("direct-streamlocal@openssh.com", string("/" + "x" * 200) + string("") + u32(0), 2),
        ("direct-streamlocal@openssh.com", string("/etc/passwd") + string("") + u32(0), 2),
    ],
)
def test_other_channels_are_refused(server: TestGateway, kind: str, data: bytes, code: int):
    with client(server) as transport:
        assert open_raw(transport, kind, data) == code
        assert open_raw(transport, "session", b"") == 1


def open_raw(transport: Any, kind: str, data: bytes) -> int:
    """Ask for a channel with any type-specific data; return the reason of the refusal."""
    answers: list[int] = []

    def failed(m: Message) -> None:
        m.get_int()
        answers.append(m.get_int())

    transport._handler_table[92] = failed
    head = b"\x5a" + string(kind) + u32(77) + u32(1 << 20) + u32(1 << 15)
    transport._send_user_message(Message(head + data))
    wait_until(lambda: answers or not transport.is_active(), what="an answer to the open")
    transport._handler_table[92] = transport._parse_channel_open_failure
    return answers[0]


def test_malformed_open_ends_the_link(server: TestGateway):
    with client(server) as transport:
        head = b"\x5a" + string("direct-tcpip") + u32(77) + u32(1 << 20) + u32(1 << 15)
        transport._send_user_message(Message(head + u32(1000) + b"short"))
        assert "shorter than it says" in server.wait_for_notice("gateway-left")


def test_client_that_leaves_during_a_dial(server: TestGateway, short: Path):
    """A target whose queue of connections is full answers no SYN; nothing is left of the dial."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        ssh = stack.enter_context(
            OpenSsh(server, "-L", f"{short}/s:127.0.0.1:{full.getsockname()[1]}")
        )
        stack.enter_context(connect_unix(short / "s"))
        session = next(iter(server._connections)).link
        wait_until(lambda: session.mux.channels, what="the offered channel")
        ssh.process.kill()
        server.wait_for_connections(0)


# --- policy ---


@pytest.mark.parametrize(
    ("host", "allowed"), [("127.0.0.1", True), ("localhost", False), ("127.0.0.2", False)]
)
def test_allowed_targets_only(tmp_path: Path, short: Path, host: str, allowed: bool):
    with targets.echo() as target:
        allow = (Endpoint("127.0.0.1", target.port), Endpoint("other", 0))
        with (
            gateway(tmp_path, allow=allow) as server,
            OpenSsh(server, "-L", f"{short}/s:{host}:{target.port}") as ssh,
        ):
            assert through(ssh, short / "s") == (b"hello" if allowed else b"")
            if not allowed:
                ssh.wait_log("open failed: administratively prohibited")


def test_allow_any_port_of_a_host(tmp_path: Path, short: Path):
    with (
        targets.echo() as target,
        gateway(tmp_path, allow=(Endpoint("LocalHost", 0),)) as server,
        OpenSsh(server, "-L", f"{short}/s:localhost:{target.port}") as ssh,
    ):
        assert through(ssh, short / "s") == b"hello"


def test_list_of_targets_excludes_unix_sockets(tmp_path: Path, short: Path):
    with (
        targets.echo(path=short / "target"),
        gateway(tmp_path, allow=(Endpoint("*", 0),)) as server,
        OpenSsh(server, "-L", f"{short}/s:{short}/target") as ssh,
    ):
        assert through(ssh, short / "s") == b""
        ssh.wait_log("administratively prohibited")


@pytest.mark.parametrize(
    ("options", "allowed"),
    [
        ("restrict", False),
        ("no-port-forwarding", False),
        ("restrict,port-forwarding", True),
        ('permitopen="127.0.0.1:1"', False),
        ('permitopen="127.0.0.1:1",permitopen="127.0.0.1:*"', True),
    ],
)
def test_options_of_the_key(tmp_path: Path, short: Path, options: str, allowed: bool):
    server = TestGateway(tmp_path)
    line = f"{options} {public_line(server.client_key)}"
    (tmp_path / "again").mkdir()
    with targets.echo() as target, gateway(tmp_path / "again", authorized_keys=[line]) as server:
        key = ["-i", str(tmp_path / "client")]
        forward = f"{short}/s:127.0.0.1:{target.port}"
        with OpenSsh(server, *key, "-L", forward, "-R", "0:127.0.0.1:1") as ssh:
            assert through(ssh, short / "s") == (b"hello" if allowed else b"")
            if options in {"restrict", "no-port-forwarding"}:
                ssh.wait_log("remote port forwarding failed")


def test_forwarding_off(tmp_path: Path, short: Path):
    with (
        gateway(tmp_path, forwarding=False) as server,
        OpenSsh(server, "-L", f"{short}/s:127.0.0.1:1", "-R", "0:127.0.0.1:1") as ssh,
    ):
        ssh.wait_log("remote port forwarding failed")
        assert through(ssh, short / "s") == b""
        ssh.wait_log("administratively prohibited")


# --- from listening points ---


def test_remote_forward_to_a_port_of_the_gateways_choice(server: TestGateway):
    with targets.half_close() as target, OpenSsh(server, "-R", f"0:127.0.0.1:{target.port}") as ssh:
        port = int(ssh.wait_log(r"Allocated port (\d+) for")[1])
        for host in ("127.0.0.1", "::1"):
            sock = socket.create_connection((host, port), 10)
            assert len(answer(sock, b"question")) == 64
    server.wait_for_connections(0)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 10)


def test_remote_forward_to_a_given_port(server: TestGateway):
    port = free_port()
    with targets.echo() as target:
        with OpenSsh(server, "-R", f"127.0.0.1:{port}:127.0.0.1:{target.port}"):
            assert f"127.0.0.1:{port}" in server.wait_for_notice("gateway-listening")
            sock = socket.create_connection(("127.0.0.1", port), 10)
            assert answer(sock, b"question") == b"question"


def test_taken_port(server: TestGateway):
    with (
        targets.echo() as target,
        OpenSsh(server, "-R", f"127.0.0.1:{target.port}:127.0.0.1:1") as ssh,
    ):
        ssh.wait_log("remote port forwarding failed for listen port")
        assert "in use" in server.wait_for_notice("gateway-not-listening")
        assert server.connections == 1


@pytest.mark.parametrize("bind", ["0.0.0.0", "*", "[::]", "192.0.2.1", "a-name.invalid"])
def test_only_loopback_is_listened_on(server: TestGateway, bind: str):
    with OpenSsh(server, "-R", f"{bind}:0:127.0.0.1:1") as ssh:
        ssh.wait_log("remote port forwarding failed")
        server.wait_for_notice("gateway-not-listening")


@pytest.mark.parametrize("bind", ["0.0.0.0", "*"])
def test_gateway_ports(tmp_path: Path, bind: str):
    with (
        gateway(tmp_path, gateway_ports=True) as server,
        targets.echo() as target,
        OpenSsh(server, "-R", f"{bind}:0:127.0.0.1:{target.port}") as ssh,
    ):
        port = int(ssh.wait_log(r"Allocated port (\d+) for")[1])
        assert "0.0.0.0" in server.wait_for_notice("gateway-listening")
        assert answer(socket.create_connection(("127.0.0.3", port), 10), b"hi") == b"hi"


def test_no_remote_forwards(tmp_path: Path):
    with (
        gateway(tmp_path, remote_forwarding=False) as server,
        OpenSsh(server, "-R", "0:127.0.0.1:1") as ssh,
    ):
        ssh.wait_log("remote port forwarding failed")


def test_permitlisten(tmp_path: Path):
    server = TestGateway(tmp_path)
    line = f'permitlisten="127.0.0.1:*" {public_line(server.client_key)}'
    (tmp_path / "again").mkdir()
    with gateway(tmp_path / "again", authorized_keys=[line]) as server:
        key = ["-i", str(tmp_path / "client")]
        with OpenSsh(server, *key, "-R", "127.0.0.1:0:127.0.0.1:1") as ssh:
            ssh.wait_log("Allocated port")
        with OpenSsh(server, *key, "-R", "[::1]:0:127.0.0.1:1") as ssh:
            ssh.wait_log("remote port forwarding failed")


def test_unix_socket_listening_point(server: TestGateway, short: Path):
    path = short / "listening"
    with targets.echo() as target, OpenSsh(server, "-R", f"{path}:127.0.0.1:{target.port}"):
        assert answer(connect_unix(path), b"question") == b"question"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    server.wait_for_connections(0)
    assert not path.exists()


def test_existing_file_is_not_replaced(server: TestGateway, short: Path):
    path = short / "precious"
    path.write_text("data")
    with OpenSsh(server, "-R", f"{path}:127.0.0.1:1") as ssh:
        ssh.wait_log("remote port forwarding failed")
    assert path.read_text() == "data"


def test_cancelled_listening_point_is_closed(server: TestGateway):
    with client(server) as transport:
        port = transport.request_port_forward("127.0.0.1", 0)
        socket.create_connection(("127.0.0.1", port), 10).close()
        transport.cancel_port_forward("127.0.0.1", port)
        # paramiko does not wait for the answer of a cancel
        assert transport.global_request("x", wait=True) is None
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 10)
        # and what is not there cannot be cancelled
        assert (
            transport.global_request("cancel-tcpip-forward", ("127.0.0.1", port), wait=True) is None
        )
        assert transport.is_active()


def test_requests_nobody_knows_are_refused(server: TestGateway):
    with client(server) as transport:
        for kind in ("keepalive@openssh.com", "hostkeys-prove-00@openssh.com", "\x1b[2J", ""):
            assert transport.global_request(kind, wait=True) is None
        transport.global_request("no-more-sessions@openssh.com", wait=False)
        assert transport.request_port_forward("localhost", 0) > 0


@pytest.mark.parametrize("port", [65536, 0xFFFFFFFF])
def test_impossible_listening_port(server: TestGateway, port: int):
    with client(server) as transport:
        assert transport.global_request("tcpip-forward", ("127.0.0.1", port), wait=True) is None
        assert transport.is_active()


@pytest.mark.parametrize("path", ["", "relative", "/no/such/directory/s", "/" + "x" * 200, "/a\0b"])
def test_impossible_listening_path(server: TestGateway, path: str):
    with client(server) as transport:
        kind = "streamlocal-forward@openssh.com"
        assert transport.global_request(kind, (path,), wait=True) is None
        assert transport.is_active()


def test_listening_points_have_an_end(server: TestGateway, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("netkit.engine.gateway_session.MAX_LISTENERS", 3)
    with client(server) as transport:
        for _ in range(3):
            transport.request_port_forward("127.0.0.1", 0)
        with pytest.raises(paramiko.SSHException):
            transport.request_port_forward("127.0.0.1", 0)
        assert "3 listening points already" in server.wait_for_notice("gateway-not-listening")


def test_unanswered_remote_connection_is_closed_with_the_client(server: TestGateway):
    with client(server) as transport:
        port = transport.request_port_forward("127.0.0.1", 0, handler=lambda *_: None)
        sock = socket.create_connection(("127.0.0.1", port), 10)
    with sock, contextlib.suppress(ConnectionResetError):
        assert sock.recv(1) == b""
