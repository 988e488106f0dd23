"""Running tunnels, asked and changed by the commands, as their user types them."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from netkit.control.places import runtime_folder
from support import targets, tunnels
from support.cli import ROOT, process
from support.commands import User, gone
from support.keyboard import Keyboard
from support.tunnels import TestGateway, exchange, outcome
from support.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with tunnels.start("sshd", tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture
def user(tmp_path: Path, gateway: TestGateway):
    with User(tmp_path, gateway).cleaned() as made:
        yield made


@pytest.fixture(scope="module")
def echo():
    with targets.echo() as target:
        yield target


def forward(user: User, *words: str) -> tuple[int, str]:
    done = user.run("forward", "gw", "-F", str(user.config), *words, "--detach")
    return done.code, done.out


def port_of(line: str) -> int:
    return int(line.split(maxsplit=1)[0].rpartition(":")[2])


def test_a_tunnel_from_its_start_to_its_end(user: User, echo):
    code, out = forward(user, "-L", f"127.0.0.1:0:{echo.address}")
    assert code == 0
    first = port_of(out)
    pid = user.pid("gw")
    assert os.getsid(pid) == pid
    assert psutil.Process(pid).terminal() is None
    with socket.create_connection(("127.0.0.1", first), 10) as sock:
        assert exchange(sock, b"in the background") == b"in the background"

        added = user.run("add", "-L", f"127.0.0.1:0:{echo.address}", "-D", "127.0.0.1:0")
        assert added.code == 0, added.err
        lines = added.out.splitlines()
        with socket.create_connection(("127.0.0.1", port_of(lines[0])), 10) as other:
            assert exchange(other, b"added") == b"added"
            removed = user.run("remove", "gw", "-L", f"127.0.0.1:{port_of(lines[0])}")
            assert removed.code == 0, removed.err
            assert outcome(other) == "reset"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port_of(lines[0])), 10)

        (document,) = user.status()
        assert document["view"]["state"] == "up"
        assert [each["forward"]["kind"] for each in document["view"]["forwards"]] == [
            "local",
            "dynamic",
        ]
        flows = user.run("status", "--flows").out
        assert f"-> {echo.address}" in flows

        down = user.run("down", "--now")
        assert (down.code, down.err) == (0, "netkit: gw has ended\n")
        assert outcome(sock) == "reset"
    gone(pid)
    assert user.run("status").code == 3


def test_open_flows_may_finish(user: User, echo):
    _, out = forward(user, "-L", f"127.0.0.1:0:{echo.address}")
    with socket.create_connection(("127.0.0.1", port_of(out)), 10) as sock:
        exchange(sock, b"begin")
        ended: list[int] = []
        down = threading.Thread(target=lambda: ended.append(user.run("down").code))
        down.start()
        wait_until(lambda: user.status()[0]["view"]["state"] == "stopping")
        assert exchange(sock, b"still") == b"still"
    down.join(30)
    assert ended == [0]


def test_a_second_one_says_that_it_runs(user: User, echo):
    words = ("-L", f"127.0.0.1:45991:{echo.address}")
    assert forward(user, *words)[0] == 0
    again = user.run("forward", "gw", "-F", str(user.config), *words)
    assert again.code == 7
    assert f"gw runs already (process {user.pid('gw')})" in again.err
    assert "netkit down gw" in again.err
    other = user.run("forward", "gw", "-F", str(user.config), "-D", "0", "--detach")
    assert other.code == 0
    assert "netkit status gw-2" in other.err
    assert [each["name"] for each in user.status()] == ["gw", "gw-2"]


def test_one_that_cannot_begin_fails_where_it_was_typed(user: User, echo):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, out = forward(user, "-L", f"127.0.0.1:{taken.getsockname()[1]}:{echo.address}")
    assert (code, out) == (7, "")
    assert user.status() == []


def test_killed_one_is_no_obstacle(user: User, echo):
    words = ("-L", f"127.0.0.1:0:{echo.address}")
    assert forward(user, *words)[0] == 0
    pid = user.pid("gw")
    os.kill(pid, signal.SIGKILL)
    gone(pid)
    assert user.status() == []
    assert forward(user, *words)[0] == 0
    assert user.status()[0]["name"] == "gw"


def test_while_the_gateway_is_away(tmp_path: Path, echo):
    with tunnels.start("sshd", tmp_path) as gateway, User(tmp_path, gateway).cleaned() as user:
        assert forward(user, "-L", f"127.0.0.1:0:{echo.address}")[0] == 0
        gateway.server.stop()
        wait_until(lambda: user.status()[0]["view"]["state"] == "waiting", timeout=20)
        done = user.run("status")
        assert done.code == 1
        assert "waiting, attempt" in done.out
        assert "down" in done.out
        gateway.server.listen_again()
        assert user.run("status", "--kick").code in (0, 1)
        wait_until(lambda: user.status()[0]["view"]["state"] == "up", timeout=20)
        log = next((tmp_path / ".local/state/netkit/logs").iterdir()).read_text()
        assert "link lost" in log
        assert "connected again after" in log


@contextlib.contextmanager
def on_terminal(user: User, *words: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start ``netkit WORDS`` on a terminal of its own; gives the master side, closed at the end."""
    master, slave = pty.openpty()
    ends = {"stdin": slave, "stdout": slave, "stderr": slave}
    try:
        argv = ["-P", "-m", "netkit", *words]
        with process(argv, home=user.home, tty=slave, cwd=ROOT, **ends) as child:
            os.close(slave)
            yield child, master
    finally:
        with contextlib.suppress(OSError):
            os.close(master)


class TestProfiles:
    def save(self, user: User, *words: str, name: str = "office") -> None:
        argv = ("profile", "save", name, "gw", "-F", str(user.config), *words, "--replace")
        done = user.run(*argv)
        assert done.code == 0, done.err

    def test_runs_once(self, user: User, echo):
        self.save(user, "-L", f"127.0.0.1:0:{echo.address}")
        assert user.run("up", "office", "--detach").code == 0
        again = user.run("up", "office")
        assert again.code == 7
        assert "office runs already" in again.err
        once = user.run("up", "office", "--once")
        assert (once.code, "office is running already" in once.err) == (0, True)
        assert user.run("down", "office").code == 0

    def test_several_at_the_same_moment(self, user: User, echo):
        self.save(user, "-L", f"127.0.0.1:0:{echo.address}")
        codes: list[int] = []
        threads = [
            threading.Thread(target=lambda: codes.append(user.run("up", "office", "--detach").code))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(codes) == [0, 7, 7]
        assert len(user.status()) == 1

    def test_two_in_one_process(self, user: User, echo):
        self.save(user, "-L", f"127.0.0.1:0:{echo.address}", name="one")
        self.save(user, "-D", "127.0.0.1:0", name="two")
        done = user.run("up", "one", "two", "--detach")
        assert done.code == 0, done.err
        one, two = user.status()
        assert (one["name"], two["name"]) == ("one", "two")
        assert one["pid"] == two["pid"]
        assert user.run("down", "one").code == 0
        assert [each["name"] for each in user.status()] == ["two"]
        assert user.run("down", "two").code == 0
        gone(one["pid"])

    def test_one_of_two_that_fails_is_told(self, user: User, echo):
        self.save(user, "-L", f"127.0.0.1:0:{echo.address}", name="one")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.save(user, "-D", f"127.0.0.1:{taken.getsockname()[1]}", name="two")
            done = user.run("up", "one", "two", "--detach")
        assert done.code == 7
        assert [each["name"] for each in user.status()] == ["one"]

    def test_a_hangup_reads_it_again(self, user: User, echo):
        self.save(user, "-L", f"127.0.0.1:0:{echo.address}")
        up = user.run("up", "office", "--detach")
        assert up.code == 0
        with socket.create_connection(("127.0.0.1", port_of(up.out)), 10) as sock:
            exchange(sock, b"before")
            self.save(user, "-L", f"127.0.0.1:0:{echo.address}", "-D", "127.0.0.1:0")
            os.kill(user.pid("office"), signal.SIGHUP)
            wait_until(lambda: len(user.status()[0]["view"]["forwards"]) == 2)
            assert exchange(sock, b"untouched") == b"untouched"
        self.save(user, "-D", "127.0.0.1:0", "--keepalive", "7")
        os.kill(user.pid("office"), signal.SIGHUP)
        wait_until(lambda: len(user.status()[0]["view"]["forwards"]) == 1)
        log = next((user.home / ".local/state/netkit/logs").iterdir())
        wait_until(lambda: "the rest takes effect at the next start" in log.read_text())

    def test_a_hangup_after_it_left_a_terminal(self, user: User, echo):
        """That the terminal closes is nothing to it, and SIGHUP is no sign of it."""
        self.save(user, "-L", f"127.0.0.1:0:{echo.address}")
        with on_terminal(user, "up", "office", "--detach") as (child, master):
            Keyboard(master).wait_for("its log is")
            assert child.wait(20) == 0
        self.save(user, "-L", f"127.0.0.1:0:{echo.address}", "-D", "127.0.0.1:0")
        os.kill(user.pid("office"), signal.SIGHUP)
        wait_until(lambda: len(user.status("office")[0]["view"]["forwards"]) == 2)

    @pytest.mark.parametrize("kind", ["up", "forward"])
    def test_a_terminal_that_closes_ends_it(self, user: User, echo, kind):
        self.save(user, "-L", f"127.0.0.1:0:{echo.address}")
        with on_terminal(user, kind, "office") as (child, master):
            Keyboard(master).wait_for("-> ")
            wait_until(lambda: user.run("status").code == 0)
            os.close(master)
            assert child.wait(20) == 0
        assert user.status() == []


class TestSocket:
    @pytest.fixture
    def path(self, user: User, echo) -> Path:
        assert forward(user, "-L", f"127.0.0.1:0:{echo.address}")[0] == 0
        lock = next((user.home / ".local/state/netkit/running").iterdir())
        return Path(json.loads(lock.read_text())["control"]["path"])

    def test_it_is_the_users_alone(self, path: Path):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o077 == 0
        assert path.parent == runtime_folder() or path.parent.is_dir()

    @pytest.mark.parametrize(
        "data",
        [b"\n", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100_000, b'{"netkit": 1}\n', b"[" * 60000],
    )
    def test_garbage(self, path: Path, user: User, data: bytes):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(10)
            sock.connect(str(path))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
                assert b'"ok"' not in sock.recv(65536)
        assert user.run("status").code == 0

    @pytest.mark.parametrize("what", ["a file", "another user's"])
    def test_its_place_is_taken(self, path: Path, user: User, echo, what: str):
        """Then the tunnel goes on without, says so, and ends by a signal."""
        assert user.run("down").code == 0
        if what == "a file":
            path.write_text("garbage")
        else:
            if os.geteuid() != 0:
                pytest.skip("gives a socket to another user")
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.bind(str(path))
            os.chown(path, 12345, -1)
        try:
            words = ("-F", str(user.config), "-L", f"127.0.0.1:0:{echo.address}", "--detach")
            begun = user.run("forward", "gw", *words)
            assert begun.code == 0
            assert "status and down will not find this tunnel" in begun.err
            with socket.create_connection(("127.0.0.1", port_of(begun.out)), 10) as sock:
                assert exchange(sock, b"goes on") == b"goes on"
            asked = user.run("status", "gw")
            assert asked.code == 3
            assert asked.out.startswith("gw (process ")
            (said,) = map(json.loads, user.run("status", "--json").out.splitlines())
            os.kill(said["pid"], signal.SIGTERM)
            gone(said["pid"])
        finally:
            path.unlink()

    def test_somebody_else_answers(self, path: Path, user: User):
        path.unlink()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(path))
            listener.listen()
            asked: list[int] = []
            status = threading.Thread(target=lambda: asked.append(user.run("status").code))
            status.start()
            connection, _ = listener.accept()
            with connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(b"\xff" * 100_000 + b"\n")
            status.join(30)
        assert asked == [3]

    def test_a_flood(self, path: Path, user: User):
        """Those who say nothing hold their places for a moment, and the tunnel goes on."""
        with contextlib.ExitStack() as stack:
            for _ in range(200):
                sock = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                sock.setblocking(False)
                with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                    sock.connect(str(path))
            busy = user.run("status")
            assert busy.code in (0, 3)
        wait_until(lambda: user.run("status").code == 0, timeout=20)


def test_status_is_quick(user: User, echo):
    assert forward(user, "-L", f"127.0.0.1:0:{echo.address}")[0] == 0
    used = psutil.Process().cpu_times()
    before = used.children_user + used.children_system
    for _ in range(3):
        user.run("status")
    used = psutil.Process().cpu_times()
    assert (used.children_user + used.children_system - before) / 3 < 0.6


def test_a_session_that_outlived_us_is_ended_by_the_next(user: User, gateway: TestGateway, echo):
    """The machine lost its power: the gateway still holds the port for a link that is no more."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    words = ("-R", f"127.0.0.1:{port}:{echo.address}", "--takeover")
    assert forward(user, *words)[0] == 0
    note = user.home / ".local/state/netkit/sessions/gw.json"
    wait_until(note.exists, what="the note of the session")
    frozen = gateway.serving
    try:
        for process in frozen:
            process.suspend()
        pid = user.pid("gw")
        os.kill(pid, signal.SIGKILL)
        gone(pid)
        without = forward(user, *words[:2])
        assert without[0] == 8
        again = user.run("forward", "gw", "-F", str(user.config), *words, "--detach")
        assert again.code == 0, again.err
        assert "ended our own session on the gateway that held the port" in again.err
    finally:
        for process in frozen:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        assert exchange(sock, b"ours again") == b"ours again"
