"""The command as users run it: another process, a real sshd, real signals, a real terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import pytest

from support.cli import ROOT, environment, process
from support.sshd import Sshd, make_key, public_line

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)]
PROMPT_SECONDS = 10.0


@pytest.fixture
def sshd(tmp_path):
    with Sshd(tmp_path) as server:
        yield server


def config(sshd: Sshd, *lines: str, known: bool = True, key: Path | None = None) -> str:
    hosts = sshd.known_hosts() if known else sshd.dir / "unknown"
    path = sshd.dir / "config"
    path.write_text(
        "\n  ".join(
            [
                "Host gw",
                "HostName 127.0.0.1",
                f"Port {sshd.port}",
                f"User {sshd.user}",
                f"IdentityFile {key or sshd.client_key}",
                "IdentitiesOnly yes",
                "IdentityAgent none",
                f"UserKnownHostsFile {hosts}",
                *lines,
            ]
        )
        + "\n"
    )
    return str(path)


def forward(sshd: Sshd, *more: str, known: bool = True, key: Path | None = None) -> list[str]:
    """Return the words of a forward to sshd itself, whose greeting proves that it works."""
    target = f"127.0.0.1:0:127.0.0.1:{sshd.port}"
    configuration = config(sshd, known=known, key=key)
    return ["-m", "netkit", "forward", "gw", "-F", configuration, "-L", target, *more]


def address_in(line: str) -> tuple[str, int]:
    host, _, port = line.split(maxsplit=1)[0].rpartition(":")
    return host, int(port)


def first_line(child: subprocess.Popen[Any]) -> str:
    assert child.stdout is not None
    line: str = child.stdout.readline()
    if not line:
        _, err = child.communicate(timeout=20)
        raise AssertionError(f"it ended with {child.returncode}:\n{err}")
    return line


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_it_forwards_until_it_is_stopped(sshd, tmp_path, number, code):
    with process(forward(sshd), home=tmp_path) as child:
        with socket.create_connection(address_in(first_line(child)), 10) as sock:
            assert sock.recv(4) == b"SSH-"
        child.send_signal(number)
        out, err = child.communicate(timeout=20)
    assert (child.returncode, out, err) == (code, "", "")


def test_drain_is_announced_and_cut_short(sshd, tmp_path):
    with process(forward(sshd, "--drain", "3600"), home=tmp_path) as child:
        with socket.create_connection(address_in(first_line(child)), 10) as sock:
            assert sock.recv(4) == b"SSH-"
            child.send_signal(signal.SIGINT)
            assert child.stderr is not None
            announced = child.stderr.readline()
            assert announced == (
                "netkit: stopping: up to 3600 s for 1 open flow to finish"
                " (Ctrl-C again ends at once)\n"
            )
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=20)
            sock.settimeout(10)
            with pytest.raises(ConnectionResetError):
                while sock.recv(4096):
                    pass
    assert (child.returncode, out, err) == (130, "", "")


def test_drain_ends_with_the_last_flow(sshd, tmp_path):
    with process(forward(sshd, "--drain", "3600"), home=tmp_path) as child:
        with socket.create_connection(address_in(first_line(child)), 10) as sock:
            assert sock.recv(4) == b"SSH-"
            child.send_signal(signal.SIGTERM)
            assert child.stderr is not None
            assert "1 open flow" in child.stderr.readline()
        child.communicate(timeout=20)
    assert child.returncode == 0


def was_interrupted(child: subprocess.Popen[Any], err: str) -> bool:
    """Whether it ended by Ctrl-C, quietly; before netkit's first line the interpreter answers.

    The package itself is imported before that line.
    """
    ours = err.replace(f"{ROOT}/netkit/__init__.py", "")
    if child.returncode in (-signal.SIGINT, 1) and f"{ROOT}/netkit" not in ours:
        return "KeyboardInterrupt" in err or not err
    return (child.returncode, err) == (130, "")


@pytest.mark.parametrize("milliseconds", range(0, 900, 60))
def test_ctrl_c_at_any_moment(sshd, tmp_path, milliseconds):
    """From the first byte code of the interpreter to the established tunnel."""
    with process(forward(sshd), home=tmp_path) as child:
        try:
            child.wait(milliseconds / 1000)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, err = child.communicate(timeout=20)
        assert time.monotonic() - began < 5
    assert was_interrupted(child, err)


@pytest.mark.parametrize(("number", "code"), SIGNALS)
@pytest.mark.parametrize("greets", [False, True])
def test_a_signal_while_connecting(tmp_path, number, code, greets):
    """To a port that says nothing, and to one that stalls in the key exchange."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gateway = f"127.0.0.1:{listener.getsockname()[1]}"
        argv = ["-m", "netkit", "forward", gateway, "-F", "none", "-D", "127.0.0.1:0"]
        with process(argv, home=tmp_path) as child:
            listener.settimeout(20)
            sock, _ = listener.accept()
            with sock:
                if greets:
                    sock.sendall(b"SSH-2.0-slow\r\n")
                    sock.recv(4)
                began = time.monotonic()
                child.send_signal(number)
                out, err = child.communicate(timeout=20)
                assert time.monotonic() - began < 4
    assert (child.returncode, out, err) == (code, "", "")


def test_a_gateway_that_is_killed(sshd, tmp_path):
    with process(forward(sshd, "--no-reconnect"), home=tmp_path) as child:
        first_line(child)
        sshd.stop()
        _, err = child.communicate(timeout=20)
    assert child.returncode == 4
    lines = err.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["netkit:", "cause:", "next:"]
    assert re.search(r"\[link-[a-z]+\]$", lines[0])


def test_a_gateway_that_is_frozen(sshd, tmp_path):
    argv = forward(sshd, "--no-reconnect", "--keepalive", "0.2", "--keepalive-count", "2")
    with process(argv, home=tmp_path) as child:
        first_line(child)
        os.killpg(sshd.process.pid, signal.SIGSTOP)
        _freeze_children(sshd.process.pid)
        _, err = child.communicate(timeout=20)
    assert child.returncode == 4
    assert err.startswith("netkit: ")


def test_a_gateway_that_comes_back(sshd, tmp_path):
    with process(forward(sshd), home=tmp_path) as child:
        first_line(child)
        sshd.stop()
        assert "link lost (" in child.stderr.readline()
        assert "refused the connection); trying again in" in child.stderr.readline()
        sshd.listen_again()
        assert child.stderr.readline().startswith("netkit: connected again after ")
        child.send_signal(signal.SIGINT)
        assert child.communicate(timeout=20)[1] == ""
    assert child.returncode == 130


def test_a_gateway_that_does_not_come_back(sshd, tmp_path):
    with process(forward(sshd, "--retries", "2"), home=tmp_path) as child:
        first_line(child)
        sshd.stop()
        _, err = child.communicate(timeout=20)
    assert child.returncode == 4
    assert err.splitlines()[2].endswith("[connection-refused]")


def _freeze_children(pid: int) -> None:
    import psutil

    for each in psutil.Process(pid).children(recursive=True):
        each.suspend()


def test_nobody_listens(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        gateway = f"127.0.0.1:{probe.getsockname()[1]}"
        argv = ["-m", "netkit", "forward", gateway, "-F", "none", "-D", "127.0.0.1:0"]
        with process(argv, home=tmp_path) as child:
            out, err = child.communicate(timeout=20)
    assert (child.returncode, out) == (4, "")
    assert len(err.splitlines()) >= 3


def test_an_unknown_host_key_without_a_terminal(sshd, tmp_path):
    with process(forward(sshd, known=False), home=tmp_path) as child:
        out, err = child.communicate(timeout=20)
    assert (child.returncode, out) == (5, "")
    assert "host-key" in err.splitlines()[0]
    assert not (sshd.dir / "unknown").exists()


def test_a_taken_port(sshd, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        argv = forward(sshd, "-L", f"127.0.0.1:{port}:db:1")
        with process(argv, home=tmp_path) as child:
            out, err = child.communicate(timeout=20)
    assert (child.returncode, out) == (7, "")
    assert f"127.0.0.1:{port}" in err.splitlines()[0]


def test_a_refused_remote_forward(sshd, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        argv = forward(sshd, "-R", f"127.0.0.1:{taken.getsockname()[1]}:localhost:1")
        with process(argv, home=tmp_path) as child:
            out, _ = child.communicate(timeout=20)
    assert (child.returncode, out) == (8, "")


def test_events_as_json(sshd, tmp_path):
    with process(forward(sshd, "--json"), home=tmp_path) as child:
        seen: list[dict[str, Any]] = []
        while not seen or seen[-1]["event"] != "forward-bound":
            seen.append(json.loads(first_line(child)))
        address = seen[-1]["addresses"][0]
        with socket.create_connection((address["host"], address["port"]), 10) as sock:
            assert sock.recv(4) == b"SSH-"
            opened = json.loads(first_line(child))
        child.send_signal(signal.SIGTERM)
        out, err = child.communicate(timeout=20)
    assert [each["event"] for each in seen] == ["connecting", "link-up", "forward-bound"]
    assert (opened["event"], opened["target"]) == ("flow-opened", f"127.0.0.1:{sshd.port}")
    rest = [json.loads(line)["event"] for line in out.splitlines()]
    assert rest[0] == "flow-closed"
    assert rest[-1] == "link-down"
    assert (child.returncode, err) == (0, "")


def test_a_reader_that_leaves_ends_it_quietly(sshd, tmp_path):
    with process(forward(sshd, "--json"), home=tmp_path) as child:
        while '"forward-bound"' not in (line := first_line(child)):
            pass
        address = json.loads(line)["addresses"][0]
        assert child.stdout is not None
        child.stdout.close()
        with socket.create_connection((address["host"], address["port"]), 10) as sock:
            sock.recv(4)
        child.stdout = None
        _, err = child.communicate(timeout=20)
    assert (child.returncode, err) == (0, "")


def test_a_reader_that_does_not_read_delays_no_signal(sshd, tmp_path):
    read, write = os.pipe()
    argv = forward(sshd, "--json")
    with process(argv, home=tmp_path, stdout=write) as child:
        os.close(write)
        text = ""
        while '"forward-bound"' not in text:
            text += os.read(read, 65536).decode()
        address = json.loads(text.splitlines()[-1])["addresses"][0]
        for _ in range(120):  # each is two lines; the pipe holds 64 KiB
            with socket.create_connection((address["host"], address["port"]), 10) as sock:
                sock.recv(4)
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=20)
    os.close(read)
    assert (child.returncode, err) == (0, "")


class Screen:
    """A terminal with a person in front of it."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        self.text = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.master)
        os.close(self.slave)

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + PROMPT_SECONDS
        while text not in self.text:
            left = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self.master], [], [], left)
            assert ready, f"{text!r} was never shown; this was:\n{self.text}"
            self.text += os.read(self.master, 65536).decode().replace("\r\n", "\n")

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())


@pytest.fixture
def screen():
    with Screen() as made:
        yield made


def on_screen(argv: list[str], screen: Screen, home: Path):
    streams = dict.fromkeys(("stdin", "stderr"), screen.slave)
    return process(argv, home=home, tty=screen.slave, **streams)


def test_an_unknown_host_key_is_asked_for_and_remembered(sshd, screen, tmp_path):
    with on_screen(forward(sshd, known=False), screen, tmp_path) as child:
        screen.wait_for("(yes/no/[fingerprint])? ")
        assert "key fingerprint is SHA256:" in screen.text
        assert "+----[SHA256]-----+" in screen.text
        screen.type("yes\n")
        assert address_in(first_line(child))
        screen.type("\x03")
        child.wait(20)
    assert child.returncode == 130
    assert sshd.host_key().split()[1] in (sshd.dir / "unknown").read_text()
    assert "Traceback" not in screen.text


def test_an_unknown_host_key_is_refused_by_no(sshd, screen, tmp_path):
    with on_screen(forward(sshd, known=False), screen, tmp_path) as child:
        screen.wait_for("(yes/no/[fingerprint])? ")
        screen.type("no\n")
        child.wait(20)
    assert child.returncode == 5
    assert not (sshd.dir / "unknown").exists()


def test_ctrl_c_at_a_question(sshd, screen, tmp_path):
    key = make_key(tmp_path / "locked", passphrase="open sesame")
    sshd.authorized_keys.write_text(public_line(key) + "\n")
    with on_screen(forward(sshd, key=key), screen, tmp_path) as child:
        screen.wait_for("assphrase")
        screen.type("\x03")
        child.wait(5)
    import termios

    assert child.returncode == 130
    assert "Traceback" not in screen.text
    assert termios.tcgetattr(screen.slave)[3] & termios.ECHO


def test_a_passphrase_is_asked_for(sshd, screen, tmp_path):
    key = make_key(tmp_path / "locked", passphrase="open sesame")
    sshd.authorized_keys.write_text(public_line(key) + "\n")
    with on_screen(forward(sshd, key=key), screen, tmp_path) as child:
        screen.wait_for("assphrase")
        screen.type("open sesame\n")
        assert address_in(first_line(child))
        child.send_signal(signal.SIGTERM)
        child.wait(20)
    assert child.returncode == 0
    assert "open sesame" not in screen.text


def test_gateway_and_forward_meet(tmp_path):
    key = make_key(tmp_path / "id")
    keys = ["--authorized-keys", f"{key}.pub"]
    with process(["-m", "netkit", "gateway", *keys], home=tmp_path) as gateway:
        lines = [first_line(gateway) for _ in range(3)]
        address = lines[0].split()[-1]
        (tmp_path / "known").write_text(lines[1].removeprefix("known_hosts: "))
        assert lines[2] == f"connect: netkit forward {address} -D 1080\n"
        (tmp_path / "config").write_text(
            f"Host *\n UserKnownHostsFile {tmp_path}/known\n IdentityFile {key}\n"
        )
        target = f"127.0.0.1:0:{address}"
        argv = ["-m", "netkit", "forward", address, "-F", f"{tmp_path}/config", "-L", target]
        with process(argv, home=tmp_path) as client:
            with socket.create_connection(address_in(first_line(client)), 10) as sock:
                assert sock.recv(4) == b"SSH-"
            client.send_signal(signal.SIGTERM)
            client.communicate(timeout=20)
            assert client.returncode == 0
        gateway.send_signal(signal.SIGINT)
        out, err = gateway.communicate(timeout=20)
    assert (gateway.returncode, out) == (130, "")
    assert all(line.startswith("netkit: ") for line in err.splitlines())
    assert "publickey ED25519 SHA256:" in err


def test_demo_without_terminal_and_with_a_home_nobody_can_write(tmp_path):
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    private = tmp_path / "tmp"
    private.mkdir()
    with process(["-m", "netkit", "demo", "--size", "20"], home=home, cwd="/") as child:
        out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    assert out.count("SHA-256 agrees") == 2
    assert not list(home.iterdir())


def test_demo_uses_another_port_when_rdp_is_taken(tmp_path):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.2", 3389))
        except OSError:
            pytest.skip("127.0.0.2:3389 is not to be had here")
        taken.listen()
        with process(["-m", "netkit", "demo", "--size", "1"], home=tmp_path) as child:
            out, err = child.communicate(timeout=60)
    assert child.returncode == 0
    assert err == (
        "netkit: another program listens on 127.0.0.2:3389;"
        " the demo listens on another port instead\n"
    )
    assert "forward   127.0.0.2:" in out


@pytest.mark.parametrize("milliseconds", [100, 250, 400, 700])
def test_ctrl_c_in_the_demo(tmp_path, milliseconds):
    private = tmp_path / "tmp"
    private.mkdir()
    env = environment(tmp_path, TMPDIR=str(private))
    with process(["-m", "netkit", "demo", "--size", "1000"], home=tmp_path, env=env) as child:
        try:
            child.wait(milliseconds / 1000)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=20)
    assert was_interrupted(child, err)
    assert list(private.iterdir()) == []


@pytest.mark.parametrize(("password", "code"), [("s3cret", 0), ("mistyped", 6)])
def test_passwords_on_standard_input(tmp_path, password, code):
    argv = ["-m", "netkit", "gateway", "--password-stdin"]
    with process(argv, home=tmp_path, stdin=subprocess.PIPE) as gateway:
        assert gateway.stdin is not None
        gateway.stdin.write("s3cret\n")
        gateway.stdin.flush()
        address = first_line(gateway).split()[-1]
        # ssh looks for known_hosts in the home directory of the account, not in $HOME
        (tmp_path / "config").write_text(f"Host *\n UserKnownHostsFile {tmp_path}/known\n")
        argv = ["-m", "netkit", "forward", address, "-F", f"{tmp_path}/config", "-v"]
        argv += ["--password-stdin", "--host-key", "accept-new", "-L", f"127.0.0.1:0:{address}"]
        with process(argv, home=tmp_path, stdin=subprocess.PIPE) as client:
            assert client.stdin is not None
            client.stdin.write(f"{password}\n")
            client.stdin.flush()
            if code == 0:
                with socket.create_connection(address_in(first_line(client)), 10) as sock:
                    assert sock.recv(4) == b"SSH-"
                client.send_signal(signal.SIGTERM)
            out, err = client.communicate(timeout=20)
    assert (client.returncode, out) == (code, "")
    assert password not in err
