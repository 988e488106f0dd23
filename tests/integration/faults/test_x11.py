"""X11 that does not work, for real: X servers, cookies, sshd, and our display on a gateway."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.doctor import Diagnosis, expect, run_doctor, sshd_arguments
from support.netns import namespace
from support.peers import require, unavailable
from support.sshd import Sshd
from support.xvfb import INTERNET, Xvfb, entry

HERE = "x-display,x-authority,x-server,x-access"
FORWARDS = f"{HERE},x-target,x-mapping"
SSH = f"{HERE},x-ssh,x-forwarding"


def examine(home: Path, *arguments: str, only: str = HERE, **env: str) -> Diagnosis:
    return run_doctor("--only", only, *arguments, home=home, env=env)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    return made


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Xvfb]:
    """An X server that wants its cookie."""
    with Xvfb(tmp_path) as running:
        yield running


@pytest.fixture
def tcp_server(tmp_path: Path) -> Iterator[Xvfb]:
    """An X server that wants its cookie and takes TCP connections."""
    with Xvfb(tmp_path, tcp=True) as running:
        yield running


def free_display(among: range = range(30, 60)) -> int:
    """Return a display of the range without a server, a socket or a lock.

    Any of them, so that test runs side by side seldom choose the same.
    """
    for number in random.sample(among, len(among)):
        if Path(f"/tmp/.X11-unix/X{number}").exists() or Path(f"/tmp/.X{number}-lock").exists():
            continue
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", 6000 + number)):
                return number
    raise AssertionError("no display is free")


class TestHealthy:
    def test_no_display(self, home: Path):
        diagnosis = examine(home)
        assert diagnosis.codes("ok") == set()
        assert diagnosis.code == 0

    def test_with_its_cookie(self, home: Path, server: Xvfb):
        server.give(home / ".Xauthority")
        diagnosis = examine(home, DISPLAY=f"{server.display}.0")
        assert diagnosis.codes("ok") == set()

    def test_over_tcp(self, home: Path, tcp_server: Xvfb):
        tcp_server.give(home / ".Xauthority")
        for host in ("localhost", "127.0.0.1"):
            diagnosis = examine(home, DISPLAY=f"{host}:{tcp_server.number}")
            assert diagnosis.codes("ok") == set()

    def test_x_programs_agree(self, home: Path, server: Xvfb):
        """What the doctor says of a cookie is what xdpyinfo sees."""
        server.give(home / ".Xauthority")
        environment = {**os.environ, "HOME": str(home), "DISPLAY": server.display}
        environment.pop("XAUTHORITY", None)
        argv = [str(require("xdpyinfo"))]
        assert (
            subprocess.run(argv, env=environment, capture_output=True, check=False).returncode == 0
        )


class TestDisplay:
    @pytest.mark.parametrize(
        "text", ["nonsense", ":", "gateway:", "host:one", ":0.x", ":99999", "node::0", "tcp/:0"]
    )
    def test_malformed(self, record_property, home: Path, text: str):
        diagnosis = examine(home, DISPLAY=text)
        expect(record_property, diagnosis, f"DISPLAY={text}", {"x-display-malformed"})

    def test_huge_and_binary(self, home: Path):
        for text in ("x" * 100_000, "\x1b[2J\udcff:0", "/" * 5000):
            diagnosis = examine(home, DISPLAY=text)
            assert diagnosis.codes() == {"x-display-malformed"}
            assert len(diagnosis.finding("x-display-malformed")["title"]) < 300

    def test_dead(self, record_property, home: Path):
        diagnosis = examine(home, DISPLAY=f":{free_display()}")
        expect(record_property, diagnosis, "no X server at :n", {"x-server-dead"})

    def test_dead_over_tcp(self, record_property, home: Path, server: Xvfb):
        server.give(home / ".Xauthority")
        if server.number >= 10:
            pytest.skip(f"display {server.number} looks like one of sshd's")
        diagnosis = examine(home, DISPLAY=f"localhost:{server.number}")
        expect(record_property, diagnosis, "X server without -listen tcp", {"x-server-dead"})
        assert "unix socket" in diagnosis.finding("x-server-dead")["fixes"][0]["note"]

    def test_left_over(self, record_property, home: Path):
        diagnosis = examine(home, DISPLAY=f"localhost:{free_display()}.0", SSH_CONNECTION="x")
        expect(record_property, diagnosis, "DISPLAY of an ended ssh session", {"x-display-stale"})

    def test_unknown_host(self, record_property, home: Path):
        diagnosis = examine(home, DISPLAY="no-such-host.invalid:0")
        expect(record_property, diagnosis, "unknown host in DISPLAY", {"x-display-host"})

    def test_read_differently(self, record_property, home: Path, server: Xvfb):
        server.give(home / ".Xauthority")
        diagnosis = examine(home, DISPLAY=f"unix:{server.number}")
        expect(record_property, diagnosis, "DISPLAY=unix:n", {"x-display-ambiguous"})

    def test_brackets_for_ssh(self, record_property, home: Path, tmp_path: Path, tcp_server: Xvfb):
        """OpenSSH itself confirms it."""
        tcp_server.give(home / ".Xauthority")
        display = f"[::1]:{tcp_server.number}"
        with Sshd(tmp_path, X11Forwarding="yes") as sshd:
            diagnosis = examine(home, *sshd_arguments(sshd, home), DISPLAY=display)
            said = ssh(sshd, home, "-X", "true", DISPLAY=display).stderr
        expect(record_property, diagnosis, "DISPLAY=[::1]:n and ssh -X", {"x-display-ambiguous"})
        assert "invalid; disabling X11 forwarding" in said

    def test_no_such_screen(self, record_property, home: Path, server: Xvfb):
        server.give(home / ".Xauthority")
        diagnosis = examine(home, DISPLAY=f"{server.display}.4")
        expect(record_property, diagnosis, "a screen that is not there", {"x-no-such-screen"})


class TestServer:
    def test_crashed(self, record_property, home: Path, server: Xvfb):
        server.crash()
        diagnosis = examine(home, DISPLAY=server.display)
        expect(record_property, diagnosis, "X server crashed", {"x-server-dead"})

    def test_left_its_lock(self, record_property, home: Path, tmp_path: Path):
        with Xvfb(tmp_path, number=free_display()) as server:
            server.crash()
            diagnosis = examine(home, DISPLAY=server.display)
        hidden = {"x-server-dead"}
        expect(
            record_property, diagnosis, "X server left its lock", {"x-stale-lock"}, hidden=hidden
        )

    def test_abstract_only(self, record_property, home: Path, server: Xvfb):
        server.give(home / ".Xauthority")
        server.socket_path.unlink()
        diagnosis = examine(home, DISPLAY=server.display)
        expect(record_property, diagnosis, "abstract socket only", {"x-socket-missing"})

    def test_tcp_only(self, record_property, home: Path, tmp_path: Path):
        with Xvfb(tmp_path, "-nolisten", "unix", "-nolisten", "local", tcp=True) as server:
            server.give(home / ".Xauthority")
            diagnosis = examine(home, DISPLAY=server.display)
        expect(record_property, diagnosis, "DISPLAY=:n, TCP only", {"x-socket-missing"})

    def test_hangs(self, record_property, home: Path, server: Xvfb):
        server.signal(signal.SIGSTOP)
        diagnosis = examine(home, DISPLAY=server.display)
        expect(record_property, diagnosis, "X server stopped", {"x-server-silent"})

    def test_full(self, record_property, home: Path, tmp_path: Path):
        with (
            Xvfb(tmp_path, "-maxclients", "64", control=False) as server,
            contextlib.ExitStack() as stack,
        ):
            for _ in range(64):
                client = stack.enter_context(socket.socket(socket.AF_UNIX))
                client.settimeout(5)
                client.connect(str(server.socket_path))
                client.sendall(b"l\0\x0b\0\0\0\0\0\0\0\0\0")
                client.recv(8)
            diagnosis = examine(home, DISPLAY=server.display)
        expect(record_property, diagnosis, "X server full", {"x-server-full"})

    def test_something_else(self, record_property, home: Path):
        number = free_display()
        with greeter(6000 + number):
            diagnosis = examine(home, DISPLAY=f"127.0.0.1:{number}")
        expect(record_property, diagnosis, "no X server on 6000+n", {"x-not-a-server"})

    def test_open_to_the_network(self, record_property, home: Path, tmp_path: Path):
        with Xvfb(tmp_path, tcp=True, control=False) as server:
            diagnosis = examine(home, DISPLAY=server.display)
        expect(record_property, diagnosis, "Xvfb -ac -listen tcp", {"x-server-open"})
        assert diagnosis.finding("x-server-open")["severity"] == "error"
        assert diagnosis.code == 1

    def test_open_to_accounts(self, home: Path, tmp_path: Path):
        with Xvfb(tmp_path, control=False) as server:
            diagnosis = examine(home, DISPLAY=server.display)
        assert diagnosis.codes("info") == {"x-access-control-off"}
        assert diagnosis.code == 0


@contextlib.contextmanager
def greeter(port: int) -> Iterator[None]:
    """Have something that is no X server answer at ``port``."""
    with socket.create_server(("127.0.0.1", port)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = listener.accept()
                    with peer:
                        peer.sendall(b"220 mail.example ESMTP\r\n")
                        peer.recv(1000)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


class TestCookies:
    def test_none(self, record_property, home: Path, server: Xvfb):
        diagnosis = examine(home, DISPLAY=server.display)
        expect(record_property, diagnosis, "no cookie", {"x-no-cookie"})

    def test_wrong(self, record_property, home: Path, server: Xvfb):
        server.give(home / ".Xauthority", entry(b"w" * 16, server.number))
        diagnosis = examine(home, DISPLAY=server.display)
        expect(record_property, diagnosis, "wrong cookie", {"x-wrong-cookie"})
        assert server.cookie.hex() not in str(diagnosis.document)

    def test_other_loopback_address(self, record_property, home: Path, tcp_server: Xvfb):
        """127.0.0.2 is looked up under its address.  The fix mends it, and so says xdpyinfo."""
        tcp_server.give(home / ".Xauthority")
        display = f"127.0.0.2:{tcp_server.number}"
        diagnosis = examine(home, DISPLAY=display)
        expect(record_property, diagnosis, "cookie for 127.0.0.2", {"x-cookie-key"})
        assert not opens(home, display)
        require("xauth")
        run_fix(diagnosis, "x-cookie-key", home)
        assert opens(home, display)
        assert examine(home, DISPLAY=display).codes() == set()

    def test_own_address_kept(self, home: Path, tcp_server: Xvfb):
        address = bytes([127, 0, 0, 2])
        kept = entry(tcp_server.cookie, tcp_server.number, family=INTERNET, address=address)
        tcp_server.give(home / ".Xauthority", kept)
        assert examine(home, DISPLAY=f"127.0.0.2:{tcp_server.number}").codes("ok") == set()

    def test_host_renamed(self, record_property, home: Path, server: Xvfb):
        old = entry(server.cookie, server.number, address=b"old-name")
        server.give(home / ".Xauthority", old)
        diagnosis = examine(home, DISPLAY=server.display)
        expect(record_property, diagnosis, "cookie of the old host name", {"x-cookie-key"})
        require("xauth")
        run_fix(diagnosis, "x-cookie-key", home)
        assert opens(home, server.display)

    def test_in_another_file(self, record_property, home: Path, server: Xvfb):
        server.give(home / ".Xauthority")
        other = home / "other"
        server.give(other, entry(b"w" * 16, 99))
        diagnosis = examine(home, DISPLAY=server.display, XAUTHORITY=str(other))
        expect(record_property, diagnosis, "cookie in another file", {"x-cookie-elsewhere"})


def opens(home: Path, display: str) -> bool:
    """Whether an X program can use the display."""
    environment = {**os.environ, "HOME": str(home), "DISPLAY": display}
    environment.pop("XAUTHORITY", None)
    argv = [str(require("xdpyinfo"))]
    done = subprocess.run(argv, env=environment, capture_output=True, check=False, timeout=30)
    return done.returncode == 0


def run_fix(diagnosis: Diagnosis, code: str, home: Path) -> None:
    """Run the first fix of a finding as it stands."""
    argv = diagnosis.finding(code)["fixes"][0]["argv"]
    environment = {**os.environ, "HOME": str(home)}
    environment.pop("XAUTHORITY", None)
    subprocess.run(argv, env=environment, check=True, timeout=30, capture_output=True)


class TestAuthority:
    def test_exposed(self, record_property, home: Path, server: Xvfb):
        server.give(home / ".Xauthority")
        (home / ".Xauthority").chmod(0o644)
        diagnosis = examine(home, DISPLAY=server.display)
        expect(record_property, diagnosis, ".Xauthority 0644", {"x-authority-exposed"})
        run_fix(diagnosis, "x-authority-exposed", home)
        assert examine(home, DISPLAY=server.display).codes() == set()

    @pytest.mark.parametrize(
        "junk",
        [b"\xff" * 100, b"\0\1garbage\n" * 3, os.urandom(3 << 20)],
        ids=["ff", "text", "3MB"],
    )
    def test_garbage(self, record_property, home: Path, server: Xvfb, junk: bytes):
        (home / ".Xauthority").write_bytes(b"\1\0" + b"\xff\xff" + junk)
        (home / ".Xauthority").chmod(0o600)
        diagnosis = examine(home, DISPLAY=server.display)
        fault = f"{len(junk)} bytes of garbage in .Xauthority"
        hidden = {"x-no-cookie"}
        if len(junk) > 70_000:  # then it begins with what may be an entry
            assert diagnosis.codes() <= {"x-authority-damaged", "x-no-cookie"}
        else:
            expect(record_property, diagnosis, fault, {"x-authority-damaged"}, hidden=hidden)

    def test_garbage_behind_the_cookie(self, record_property, home: Path, server: Xvfb):
        server.give(home / ".Xauthority", entry(server.cookie, server.number), b"\0\0\0\0junk")
        diagnosis = examine(home, DISPLAY=server.display)
        expect(record_property, diagnosis, "garbage at its end", {"x-authority-damaged"})

    def test_a_directory(self, record_property, home: Path, server: Xvfb):
        (home / ".Xauthority").mkdir()
        diagnosis = examine(home, DISPLAY=server.display)
        hidden = {"x-no-cookie"}
        codes = {"x-authority-unreadable"}
        expect(record_property, diagnosis, ".Xauthority is a directory", codes, hidden=hidden)

    def test_named_and_missing(self, record_property, home: Path, server: Xvfb):
        missing = str(home / "gone")
        diagnosis = examine(home, DISPLAY=server.display, XAUTHORITY=missing)
        hidden = {"x-no-cookie"}
        codes = {"x-authority-missing"}
        expect(record_property, diagnosis, "XAUTHORITY leads nowhere", codes, hidden=hidden)

    def test_of_another_user(self, record_property, server: Xvfb):
        if os.geteuid() != 0:
            unavailable("root", "run the tests as root: they change users")
        with as_nobody() as (home, prefix):
            server.give(home / ".Xauthority")
            diagnosis = run_doctor(
                *("--only", HERE),
                home=home,
                prefix=prefix,
                env={"DISPLAY": server.display},
            )
        codes = {"x-authority-owner"}
        hidden = {"x-no-cookie"}
        expect(record_property, diagnosis, ".Xauthority of another user", codes, hidden=hidden)

    def test_stale_lock(self, record_property, home: Path, server: Xvfb):
        server.give(home / ".Xauthority")
        lock = home / ".Xauthority-c"
        lock.touch()
        os.utime(lock, (time.time() - 3600,) * 2)
        diagnosis = examine(home, DISPLAY=server.display)
        expect(record_property, diagnosis, "left-over xauth lock", {"x-authority-locked"})
        require("xauth")
        run_fix(diagnosis, "x-authority-locked", home)
        assert not lock.exists()


@contextlib.contextmanager
def as_nobody() -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Yield a home that others can get at, and the words that run a command as one of them."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        unavailable("setpriv", "apt-get install util-linux")
    with tempfile.TemporaryDirectory(prefix="netkit-nobody-") as name:
        home = Path(name)
        home.chmod(0o755)
        yield home, (str(setpriv), "--reuid=65534", "--regid=65534", "--clear-groups")


def ssh(sshd: Sshd, home: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run OpenSSH's client with the configuration of `sshd_arguments`."""
    return subprocess.run(
        ssh_argv(sshd, home, *words),
        env={**os.environ, "HOME": str(home), **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        stdin=subprocess.DEVNULL,
    )


def ssh_argv(sshd: Sshd, home: Path, *words: str) -> list[str]:
    config = str(home / "ssh_config")
    head = [str(require("ssh")), "-F", config, "-p", str(sshd.port)]
    return [*head, *words[:-1], f"{sshd.user}@{sshd.host}", words[-1]]


class TestForwardedByOpenSsh:
    """With a real ssh -Y: the doctor runs where the X programs run, on the gateway."""

    def test_cookie_and_end(self, record_property, home: Path, tmp_path: Path, server: Xvfb):
        require("xauth")
        server.give(home / ".Xauthority")
        there = tmp_path / "there"
        there.mkdir()
        environment = {**os.environ, "DISPLAY": server.display}
        environment["XAUTHORITY"] = str(home / ".Xauthority")
        with Sshd(tmp_path, X11Forwarding="yes", SetEnv=f"XAUTHORITY={there}/cookies") as sshd:
            sshd_arguments(sshd, home)
            argv = ssh_argv(sshd, home, "-Y", "echo DISPLAY $DISPLAY; read x")
            with subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
            ) as session:
                assert session.stdout is not None
                line = session.stdout.readline()
                assert line.startswith("DISPLAY localhost:"), line
                display = line.split()[1]
                cookies = str(there / "cookies")
                fine = examine(there, DISPLAY=display, XAUTHORITY=cookies)
                without = examine(there, DISPLAY=display)
                session.communicate("\n", timeout=20)
            over = examine(there, DISPLAY=display, XAUTHORITY=cookies)
        assert fine.codes() == set()
        expect(record_property, without, "forwarded display, no cookie", {"x-forwarding-hangs-up"})
        expect(record_property, over, "ssh -Y has ended", {"x-display-stale"})


class TestSsh:
    def start(self, tmp_path: Path, home: Path, sshd: Sshd, *lines: str) -> list[str]:
        words = sshd_arguments(sshd, home)
        config = home / "ssh_config"
        config.write_text(
            "ForwardX11 yes\n" + "".join(f"{each}\n" for each in lines) + config.read_text()
        )
        return words

    @pytest.mark.parametrize(
        ("options", "code"),
        [
            ({"X11Forwarding": "no"}, "x-forwarding-refused"),
            ({"X11Forwarding": "yes", "DisableForwarding": "yes"}, "x-forwarding-refused"),
            (
                {"X11Forwarding": "yes", "XAuthLocation": "/nowhere/xauth"},
                "x-forwarding-no-xauth",
            ),
        ],
    )
    def test_gateway_refuses(
        self, record_property, home: Path, tmp_path: Path, server: Xvfb, options, code
    ):
        server.give(home / ".Xauthority")
        with Sshd(tmp_path, **options) as sshd:
            words = self.start(tmp_path, home, sshd)
            diagnosis = examine(home, *words, only=SSH, DISPLAY=server.display)
            said = ssh(sshd, home, "true", DISPLAY=server.display).stderr
        fault = ", ".join(f"{word} {value}" for word, value in options.items())
        expect(record_property, diagnosis, fault, {code})
        assert "X11 forwarding request failed" in said
        assert diagnosis.finding(code)["fixes"][0]["where"] == "gateway"

    def test_forbidden_to_the_key(self, record_property, home: Path, tmp_path: Path, server: Xvfb):
        server.give(home / ".Xauthority")
        with Sshd(tmp_path, X11Forwarding="yes") as sshd:
            line = sshd.authorized_keys.read_text()
            sshd.authorized_keys.write_text(f"no-X11-forwarding {line}")
            words = self.start(tmp_path, home, sshd)
            diagnosis = examine(home, *words, only=SSH, DISPLAY=server.display)
        codes = {"x-forwarding-forbidden-to-key"}
        expect(record_property, diagnosis, "no-X11-forwarding", codes)

    def test_no_loopback6(self, record_property, home: Path, tmp_path: Path, server: Xvfb):
        server.give(home / ".Xauthority")
        with namespace("x11") as there:
            there.ip("address", "del", "::1/128", "dev", "lo")
            with Sshd(tmp_path, prefix=there.prefix, X11Forwarding="yes") as sshd:
                words = self.start(tmp_path, home, sshd)
                diagnosis = run_doctor(
                    *("--only", SSH, *words),
                    home=home,
                    prefix=there.prefix,
                    env={"DISPLAY": server.display},
                )
        expect(record_property, diagnosis, "gateway without ::1", {"x-forwarding-no-ipv6"})

    def test_open_displays(self, home: Path, tmp_path: Path, server: Xvfb):
        server.give(home / ".Xauthority")
        with Sshd(tmp_path, X11Forwarding="yes", X11UseLocalhost="no") as sshd:
            words = self.start(tmp_path, home, sshd)
            diagnosis = examine(home, *words, only=SSH, DISPLAY=server.display)
        assert diagnosis.codes("info") == {"x-forwarding-exposed"}

    def test_works(self, home: Path, tmp_path: Path, server: Xvfb):
        server.give(home / ".Xauthority")
        with Sshd(tmp_path, X11Forwarding="yes") as sshd:
            words = self.start(tmp_path, home, sshd, "ForwardX11Trusted yes")
            diagnosis = examine(home, *words, only=SSH, DISPLAY=server.display)
        assert diagnosis.codes("ok") == set()

    def test_no_xauth_here(self, record_property, home: Path, tmp_path: Path, server: Xvfb):
        server.give(home / ".Xauthority")
        with Sshd(tmp_path, X11Forwarding="yes") as sshd:
            words = self.start(tmp_path, home, sshd, "XAuthLocation /nowhere/xauth")
            diagnosis = examine(home, *words, only=SSH, DISPLAY=server.display)
        expect(record_property, diagnosis, "ssh without xauth", {"x-ssh-no-xauth"})

    def test_untrusted_ends(self, record_property, home: Path, tmp_path: Path, server: Xvfb):
        server.give(home / ".Xauthority")
        with Sshd(tmp_path, X11Forwarding="yes") as sshd:
            words = self.start(tmp_path, home, sshd, "ForwardX11Trusted no")
            diagnosis = examine(home, *words, only=SSH, DISPLAY=server.display)
        expect(record_property, diagnosis, "untrusted X11 forwarding", {"x-ssh-timeout"})

    def test_untrusted_impossible(self, record_property, home: Path, tmp_path: Path):
        require("xauth")
        with (
            Xvfb(tmp_path, "-extension", "SECURITY") as server,
            Sshd(tmp_path, X11Forwarding="yes") as sshd,
        ):
            server.give(home / ".Xauthority")
            words = self.start(tmp_path, home, sshd, "ForwardX11Trusted no")
            diagnosis = examine(home, *words, only=SSH, DISPLAY=server.display)
            said = ssh(
                sshd,
                *(home, "true"),
                DISPLAY=server.display,
                XAUTHORITY=str(home / ".Xauthority"),
            ).stderr
        expect(record_property, diagnosis, "no SECURITY extension", {"x-ssh-untrusted"})
        assert "untrusted X11 forwarding setup failed" in said


class TestMapping:
    """-R 6000+n to the X server here."""

    def examine(self, home: Path, sshd: Sshd, forward: str, **env: str) -> Diagnosis:
        words = ("--for", "forward", "-R", forward, *sshd_arguments(sshd, home))
        return examine(home, *words, only=FORWARDS, **env)

    def test_recipe(self, home: Path, tmp_path: Path, server: Xvfb):
        server.give(home / ".Xauthority")
        number = self.number()
        with Sshd(tmp_path) as sshd:
            forward = f"{6000 + number}:{server.socket_path}"
            diagnosis = self.examine(home, sshd, forward, DISPLAY=server.display)
        assert diagnosis.codes() == set()
        found = diagnosis.finding("x-mapping-recipe")
        assert f"DISPLAY=localhost:{number}" in found["title"]
        assert "xauth -i list" in found["fixes"][0]["argv"][2]
        assert server.cookie.hex() not in str(diagnosis.document)

    def number(self) -> int:
        """Return a display that is none of sshd's, and that nobody has."""
        return free_display(range(100, 200))

    def test_open_to_anyone(self, record_property, home: Path, tmp_path: Path):
        number = self.number()
        with Xvfb(tmp_path, control=False) as server, Sshd(tmp_path, GatewayPorts="yes") as sshd:
            forward = f"*:{6000 + number}:{server.socket_path}"
            diagnosis = self.examine(home, sshd, forward, DISPLAY=server.display)
        codes = {"x-open-to-anyone"}
        expect(record_property, diagnosis, "-R *:600n to a server with -ac", codes)
        assert diagnosis.finding("x-open-to-anyone")["severity"] == "error"

    def test_open_to_the_user(self, record_property, home: Path, tmp_path: Path):
        """As desktops do it: access control is on, and whoever is this user needs no cookie."""
        number = self.number()
        with Xvfb(tmp_path, "-noreset") as server, Sshd(tmp_path) as sshd:
            server.let_in(sshd.user)
            forward = f"{6000 + number}:{server.socket_path}"
            diagnosis = self.examine(home, sshd, forward, DISPLAY=server.display)
        codes = {"x-open-on-gateway"}
        expect(record_property, diagnosis, "-R to a server with xhost +si:localuser", codes)
        argv = diagnosis.finding("x-open-on-gateway")["fixes"][0]["argv"]
        assert argv == ["xhost", f"-si:localuser:{sshd.user}"]

    def test_other_display_there(self, record_property, home: Path, tmp_path: Path, server: Xvfb):
        server.give(home / ".Xauthority")
        with Xvfb(tmp_path) as other, Sshd(tmp_path) as sshd:
            forward = f"{other.port}:{server.socket_path}"
            diagnosis = self.examine(home, sshd, forward, DISPLAY=server.display)
        codes = {"x-display-collides"}
        expect(record_property, diagnosis, "the gateway has its own :n", codes)

    def test_range_of_sshd(self, record_property, home: Path, tmp_path: Path, server: Xvfb):
        server.give(home / ".Xauthority")
        with Sshd(tmp_path) as sshd:
            forward = f"{6000 + free_display()}:{server.socket_path}"
            diagnosis = self.examine(home, sshd, forward, DISPLAY=server.display)
        expect(record_property, diagnosis, "-R 6030: is one of sshd's", {"x-display-of-sshd"})

    def test_no_display(self, record_property, home: Path, tmp_path: Path, server: Xvfb):
        server.give(home / ".Xauthority")
        with Sshd(tmp_path) as sshd:
            diagnosis = self.examine(
                home, sshd, f"5999:{server.socket_path}", DISPLAY=server.display
            )
        expect(record_property, diagnosis, "-R 5999: is no display", {"x-mapping-no-display"})

    def test_target_takes_no_tcp(self, record_property, home: Path, tmp_path: Path, server: Xvfb):
        server.give(home / ".Xauthority")
        forward = f"{6000 + self.number()}:localhost:{server.port}"
        with Sshd(tmp_path) as sshd:
            diagnosis = self.examine(home, sshd, forward, DISPLAY=server.display)
        expect(record_property, diagnosis, "-R to TCP, X on a socket", {"x-target-dead"})
        fix = diagnosis.finding("x-target-dead")["fixes"][0]
        assert str(server.socket_path) in fix["argv"][-1]

    def test_target_is_no_server(self, record_property, home: Path, tmp_path: Path):
        number = free_display()
        with greeter(6000 + number), Sshd(tmp_path) as sshd:
            forward = f"{6000 + self.number()}:127.0.0.1:{6000 + number}"
            diagnosis = self.examine(home, sshd, forward)
        expect(record_property, diagnosis, "-R to no X server", {"x-target-not-x"})

    def test_target_hangs(self, record_property, home: Path, tmp_path: Path, server: Xvfb):
        server.signal(signal.SIGSTOP)
        with Sshd(tmp_path) as sshd:
            forward = f"{6000 + self.number()}:{server.socket_path}"
            diagnosis = self.examine(home, sshd, forward)
        expect(record_property, diagnosis, "-R to a hung X server", {"x-target-silent"})
