"""Bad input and faults, as users see them: useful lines, the right exit code, no traceback."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from support import targets, tunnels
from support.faults import Direction, FaultProxy
from support.forwarding import Forwarding, gateway_options, netkit_forward, run_netkit
from support.peers import require
from support.sshd import make_key
from support.tunnels import TestGateway, exchange, outcome
from support.waiting import wait_until


def run(home: Path, *arguments: str, timeout: float = 30.0) -> Forwarding:
    """Run ``netkit forward`` with ``arguments`` until it ends by itself."""
    with run_netkit(["-m", "netkit", "forward", *arguments], home=home) as running:
        running.wait(timeout)
    return running


def assert_explained(running: Forwarding, code: int, *words: str) -> None:
    """It failed with ``code``, said each of ``words``, and how to go on."""
    text = running.stderr
    assert running.process.returncode == code, text
    for word in words:
        assert word in text, text
    assert "Traceback" not in text
    assert "Error(" not in text
    assert running.lines == []
    assert 1 <= len(text.splitlines()) <= 8, text
    assert re.search(r"\[[a-z0-9-]+\]", text), f"no code to look up:\n{text}"


L = ("-L", "127.0.0.1:0:127.0.0.1:1")


@contextlib.contextmanager
def speaker(say: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that is no SSH server."""

    def script(connection: targets.Connection) -> None:
        with contextlib.suppress(OSError):
            say(connection.sock)

    with targets.Target(script) as target:
        yield target.port


def http(sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n<html>no</html>")
    sock.recv(1000)


def flood(sock: socket.socket) -> None:
    while True:
        sock.sendall(b"welcome to the jungle\r\n" * 1000)


def endless_line(sock: socket.socket) -> None:
    while True:
        sock.sendall(b"x" * 65536)


def old_version(sock: socket.socket) -> None:
    sock.sendall(b"SSH-1.5-OpenSSH_1.2\r\n")
    sock.recv(1000)


def garbage(sock: socket.socket) -> None:
    sock.sendall(b"SSH-2.0-Strange\r\n" + os.urandom(4000))
    sock.recv(100_000)


def leaves(sock: socket.socket) -> None:
    sock.recv(10)


def says_nothing(sock: socket.socket) -> None:
    sock.recv(100)
    sock.recv(100)


class TestGatewayThatIsNone:
    @pytest.mark.parametrize(
        ("say", "word"),
        [
            (http, "HTTP"),
            (flood, ""),
            (endless_line, ""),
            (old_version, ""),
            (garbage, ""),
            (leaves, "closed"),
            (says_nothing, "for 1 s"),
        ],
    )
    def test_port_that_speaks_something_else(self, tmp_path: Path, say, word: str):
        with speaker(say) as port:
            ended = run(tmp_path, f"x@127.0.0.1:{port}", *L, "--connect-timeout", "1")
        assert_explained(ended, 4, word)

    def test_unknown_name(self, tmp_path: Path):
        ended = run(tmp_path, "x@no-such-host.invalid", *L)
        assert_explained(ended, 4, "no-such-host.invalid")

    def test_nobody_answers(self, tmp_path: Path):
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
            while True:  # until its accept queue is full and SYNs are dropped
                sock = stack.enter_context(socket.socket())
                sock.settimeout(0.3)
                try:
                    sock.connect(listener.getsockname())
                except TimeoutError:
                    break
            port = listener.getsockname()[1]
            ended = run(tmp_path, f"x@127.0.0.1:{port}", *L, "--connect-timeout", "0.5")
        assert_explained(ended, 4, str(port))


class TestWrongInput:
    @pytest.mark.parametrize(
        "arguments",
        [
            ("x@gw:0", *L),
            ("x@gw:65536", *L),
            ("x@gw", "-p", "99999", *L),
            ("x@gw", "-L", "127.0.0.1:70000:a:1"),
            ("x@gw", "-L", "1:a:0"),
            ("x@gw", "-L", "1:a:70000"),
            ("x@gw", "-D", "-1"),
            ("x@gw", "-R", "0:a:b:c:d:e"),
            ("x@gw", "--bind", "127.0.0.2:3389", "--to", "host:"),
            ("-x@gw", *L),
            ("x@gw\nProxyCommand evil", *L),
            ("x@gw", *L, "-F", "/nonexistent/config"),
            ("x@gw", "-D", "0.0.0.0:1080"),
        ],
    )
    def test_is_refused_before_anything_is_done(self, tmp_path: Path, arguments: tuple[str, ...]):
        ended = run(tmp_path, *arguments)
        assert ended.process.returncode == 2, ended.stderr
        assert "Traceback" not in ended.stderr
        assert ended.stderr

    def test_unknown_match_word_in_ssh_config(self, tmp_path: Path):
        config = tmp_path / "config"
        config.write_text("Match moonphase full\n  User x\n")
        ended = run(tmp_path, "x@127.0.0.1:1", "-F", str(config), *L)
        assert_explained(ended, 2, "moonphase")


class TestCredentials:
    def test_wrong_key(self, tmp_path: Path, sshd: TestGateway):
        key = make_key(tmp_path / "other")
        arguments = gateway_options(sshd, tmp_path)
        config = tmp_path / "ssh_config"
        config.write_text(config.read_text().replace(str(sshd.client_key), str(key)))
        assert_explained(run(tmp_path, *arguments, *L), 6)

    @pytest.mark.parametrize(
        ("content", "mode", "word"),
        [
            (b"", 0o600, ""),
            (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH", 0o600, ""),
            (b"\x00\xff binary \x80", 0o600, ""),
            (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA me", 0o600, "private key"),
            (None, 0, "does not exist"),
        ],
    )
    def test_key_file_that_is_none(
        self, tmp_path: Path, sshd: TestGateway, content: bytes | None, mode: int, word: str
    ):
        key = tmp_path / "key"
        if content is not None:
            key.write_bytes(content)
            key.chmod(mode)
        arguments = gateway_options(sshd, tmp_path)
        config = tmp_path / "ssh_config"
        config.write_text(config.read_text().replace(str(sshd.client_key), str(key)))
        ended = run(tmp_path, *arguments, *L)
        assert_explained(ended, 6, str(key))
        assert word in ended.stderr

    def test_encrypted_key_without_anybody_to_ask(self, tmp_path: Path, sshd: TestGateway):
        key = tmp_path / "locked"
        key.write_bytes(sshd.client_key.read_bytes())
        key.chmod(0o600)
        lock = [str(require("ssh-keygen")), "-q", "-p", "-P", "", "-N", "secret", "-f", str(key)]
        subprocess.run(lock, check=True, capture_output=True)
        arguments = gateway_options(sshd, tmp_path)
        config = tmp_path / "ssh_config"
        config.write_text(config.read_text().replace(str(sshd.client_key), str(key)))
        assert_explained(run(tmp_path, *arguments, *L), 6, "passphrase")

    def test_changed_host_key(self, tmp_path: Path, sshd: TestGateway):
        arguments = gateway_options(sshd, tmp_path)
        other = make_key(tmp_path / "other_host")
        known = tmp_path / "known_hosts"
        public = Path(f"{other}.pub").read_text()
        known.write_text(f"[127.0.0.1]:{sshd.port} {public}")
        config = tmp_path / "ssh_config"
        config.write_text(config.read_text().replace(str(sshd.known_hosts), str(known)))
        before = known.read_bytes()
        for policy in ((), ("--host-key", "accept-new"), ("--host-key", "ask")):
            assert_explained(run(tmp_path, *arguments, *L, *policy), 5, "changed", "known_hosts")
        assert known.read_bytes() == before


class TestLocalAddress:
    def test_that_is_not_there(self, tmp_path: Path, sshd: TestGateway):
        arguments = gateway_options(sshd, tmp_path)
        forward = ("-L", "192.0.2.1:0:127.0.0.1:1", "--expose")
        assert_explained(run(tmp_path, *arguments, *forward), 7, "192.0.2.1")

    def test_taken_by_whom(self, tmp_path: Path, sshd: TestGateway):
        arguments = gateway_options(sshd, tmp_path)
        with targets.echo() as target:
            ended = run(tmp_path, *arguments, "-L", f"127.0.0.1:{target.port}:a:1")
        assert_explained(ended, 7, str(target.port), f"process {os.getpid()}", "is free")

    def test_one_family_taken(self, tmp_path: Path, sshd: TestGateway):
        arguments = gateway_options(sshd, tmp_path)
        with targets.echo(host="::1") as target:
            ended = run(tmp_path, *arguments, "-L", f"{target.port}:a:1")
        assert_explained(ended, 7, "IPv6 failed", "127.0.0.1 was free")

    def test_unix_path_too_long(self, tmp_path: Path, sshd: TestGateway):
        arguments = gateway_options(sshd, tmp_path)
        ended = run(tmp_path, *arguments, "-L", f"/tmp/{'x' * 120}:127.0.0.1:1")
        assert_explained(ended, 2, "too long")

    def test_unix_path_in_use(self, tmp_path: Path, sshd: TestGateway):
        arguments = gateway_options(sshd, tmp_path)
        with targets.short_directory() as directory:
            with targets.echo(path=Path(directory) / "s"):
                ended = run(tmp_path, *arguments, "-L", f"{directory}/s:127.0.0.1:1")
        assert_explained(ended, 7, f"{directory}/s")

    def test_stale_unix_socket_gives_way(self, tmp_path: Path, sshd: TestGateway):
        with targets.short_directory() as directory, targets.echo() as target:
            path = Path(directory) / "s"
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(str(path))
            forward = f"{path}:127.0.0.1:{target.port}"
            with netkit_forward(sshd, "-L", forward, home=tmp_path) as running:
                with tunnels.dial(tunnels.unix(path)) as sock:
                    assert exchange(sock, b"ping") == b"ping"
                assert running.stop() == 0
            assert not path.exists()


class TestTargets:
    """The tunnel stays up; every failure has a text of its own on stderr."""

    @pytest.mark.parametrize(
        ("to", "word"),
        [("refused", "[target-refused]"), ("unknown", "[target-name-unknown]")],
    )
    def test_failure_is_told(self, tmp_path: Path, sshd: TestGateway, to: str, word: str):
        with targets.refuse() as closed:
            to = {"refused": str(closed.address), "unknown": "no-such-host.invalid:80"}[to]
            words = ("--bind", "127.0.0.1:0", "--to", to, "-v")
            with netkit_forward(sshd, *words, home=tmp_path) as running:
                with contextlib.suppress(ConnectionResetError):
                    with socket.create_connection(("127.0.0.1", running.port), 10) as sock:
                        assert outcome(sock) == "reset"
                wait_until(lambda: word in running.stderr, what=f"{word!r} in {running.stderr}")
                assert running.stop() == 0

    @pytest.mark.parametrize("words", [{"AllowTcpForwarding": "no"}, {"PermitOpen": "127.0.0.1:1"}])
    def test_prohibited(self, tmp_path: Path, words: dict[str, str]):
        with tunnels.start("sshd", tmp_path, **words) as gateway, targets.echo() as target:
            forward = ("--bind", "127.0.0.1:0", "--to", str(target.address))
            with netkit_forward(gateway, *forward, home=tmp_path) as running:
                with contextlib.suppress(ConnectionResetError):
                    with socket.create_connection(("127.0.0.1", running.port), 10) as sock:
                        assert outcome(sock) == "reset"
                wait_until(lambda: "[forwarding-prohibited]" in running.stderr, what=running.stderr)
                assert running.stop() == 0


class TestLinkLost:
    def test_cut_in_the_middle(self, tmp_path: Path, sshd: TestGateway):
        with FaultProxy(sshd.port) as proxy, targets.source(1 << 40) as source:
            forward = ("--bind", "127.0.0.1:0", "--to", str(source.address), "--no-reconnect")
            with netkit_forward(sshd, *forward, home=tmp_path, port=proxy.port) as running:
                with socket.create_connection(("127.0.0.1", running.port), 20) as sock:
                    proxy.cut(after=1 << 20)
                    assert outcome(sock) == "reset"
                assert running.wait() == 4
            assert "Traceback" not in running.stderr
            assert "broke" in running.stderr

    def test_frozen(self, tmp_path: Path, sshd: TestGateway):
        with FaultProxy(sshd.port) as proxy:
            words = ["-D", "127.0.0.1:0", "--no-reconnect", "--keepalive", "0.2"]
            words += ["--keepalive-count", "2"]
            with netkit_forward(sshd, *words, home=tmp_path, port=proxy.port) as running:
                proxy.freeze()
                assert running.wait() == 4
            assert "gateway-silent" in running.stderr
            assert "has sent nothing" in running.stderr

    def test_garbled(self, tmp_path: Path, sshd: TestGateway):
        with FaultProxy(sshd.port) as proxy, targets.source(1 << 40) as source:
            forward = ("--bind", "127.0.0.1:0", "--to", str(source.address), "--no-reconnect")
            with netkit_forward(sshd, *forward, home=tmp_path, port=proxy.port) as running:
                with socket.create_connection(("127.0.0.1", running.port), 20) as sock:
                    proxy.garble(Direction.TO_CLIENT, after=100_000)
                    assert outcome(sock) == "reset"
                assert running.wait() == 4
            assert "protocol-error" in running.stderr
            assert "Traceback" not in running.stderr


def cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


@pytest.mark.slow
def test_descriptors_that_run_out_pause_the_listener(tmp_path: Path, sshd: TestGateway):
    """Neither a busy loop nor the end: the tunnel goes on as soon as descriptors are free."""
    code = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)); "
        "sys.argv[0] = 'netkit'; runpy.run_module('netkit', run_name='__main__')"
    )
    with targets.echo() as target, contextlib.ExitStack() as stack:
        forward = ["--bind", "127.0.0.1:0", "--to", str(target.address)]
        argv = ["-c", code, "forward", *gateway_options(sshd, tmp_path), *forward, "--drain", "0"]
        running = stack.enter_context(run_netkit(argv, home=tmp_path))
        running.wait_for_lines(1)
        socks = [
            stack.enter_context(socket.create_connection(("127.0.0.1", running.port), 20))
            for _ in range(60)
        ]
        wait_until(lambda: "until some end" in running.stderr, timeout=20, what="a notice")
        spent = cpu_seconds(running.process.pid)
        assert exchange(socks[0], b"early") == b"early"
        for sock in socks[:45]:
            sock.close()
        last = threading.Thread(target=lambda: exchange(socks[-1], b"late"))
        last.start()
        last.join(20)
        assert not last.is_alive()
        assert cpu_seconds(running.process.pid) - spent < 1.5
        assert running.stop() == 0
        assert "Traceback" not in running.stderr
