"""Ports that cannot be had, or not really, each for another reason: made for real, and found.

    pytest tests/integration/faults/test_ports.py

Most need nothing but sockets.  Rules of a firewall and other users need root and a namespace.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from support.doctor import ROWS, Diagnosis, expect, run_doctor, sshd_arguments
from support.netns import Namespace, namespace
from support.peers import require, unavailable
from support.sshd import Sshd
from support.waiting import wait_until

NOBODY = 65534
_LISTENER = """
import socket, sys
kind = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
held = socket.socket(kind)
held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
held.bind((sys.argv[1], int(sys.argv[2])))
held.listen()
print("listening", flush=True)
sys.stdin.read()
"""


def doctor(home: Path, *forwards: str, prefix: Sequence[str] = (), **more) -> Diagnosis:
    return run_doctor("--for", "forward", *forwards, home=home, prefix=prefix, **more)


@contextlib.contextmanager
def listener(host: str, port: int, *, prefix: Sequence[str] = ()) -> Iterator[int]:
    """Let another process listen; returns its pid."""
    argv = [*prefix, sys.executable, "-c", _LISTENER, host, str(port)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"listening\n"
            yield process.pid
        finally:
            process.kill()


def low_port(*hosts: str) -> int:
    """Return a port that is free on ``hosts`` and below every range of ephemeral ports."""
    for port in range(20_000, 30_000):
        with contextlib.ExitStack() as stack:
            try:
                for host in hosts or ("127.0.0.1", "::1"):
                    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
                    sock = stack.enter_context(socket.socket(kind))
                    if kind == socket.AF_INET6:
                        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    sock.bind((host, port))
                    sock.listen()
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


def commands(diagnosis: Diagnosis, code: str) -> list[str]:
    return [shlex.join(fix["argv"]) for fix in diagnosis.finding(code)["fixes"]]


def proposed(diagnosis: Diagnosis, code: str) -> int:
    """Return the port that the finding proposes, and prove that it is free."""
    command = next(each for each in commands(diagnosis, code) if each.startswith("netkit forward"))
    word = shlex.split(command)[-1].removesuffix(":web:80")
    port = int(word.rpartition(":")[2])
    assert port == low_port_of(port)
    return port


def low_port_of(port: int) -> int:
    """Bind ``port`` on both loopback addresses, and return it."""
    with socket.create_server(("127.0.0.1", port)), socket.socket(socket.AF_INET6) as six:
        six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        six.bind(("::1", port))
        return port


@pytest.fixture
def nobody(tmp_path: Path) -> tuple[str, ...]:
    """Words that run a command as an ordinary user, who may read but not write what is root's."""
    if os.geteuid() != 0:
        unavailable("root", "run the tests as root: they become another user")
    setpriv = require("unshare").with_name("setpriv")
    os.chown(tmp_path, NOBODY, NOBODY)
    reading = "+dac_read_search"  # the interpreter may be in root's home
    ids = (f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    return (str(setpriv), *ids, f"--inh-caps={reading}", f"--ambient-caps={reading}")


# --- nothing wrong ---


def test_a_free_port_is_fine(tmp_path):
    port = low_port()
    diagnosis = doctor(tmp_path, "-L", f"{port}:web:80")
    assert diagnosis.codes("warning") == set()
    for check in ("port-in-use", "port-neighbours", "port-limits"):
        assert diagnosis.status(check) == "ran"
    assert diagnosis.code == 0


def test_a_listener_elsewhere_is_fine(tmp_path):
    port = low_port("0.0.0.0")
    with listener("127.0.0.1", port):
        diagnosis = doctor(tmp_path, "-L", f"127.0.0.2:{port}:web:80")
    assert diagnosis.codes() == set()


# --- somebody listens ---


def test_another_process(tmp_path, record_property):
    port = low_port()
    with listener("127.0.0.1", port) as pid:
        diagnosis = doctor(tmp_path, "-L", f"127.0.0.1:{port}:web:80")
        expect(record_property, diagnosis, "port taken by another process", {"port-taken"})
        assert proposed(diagnosis, "port-taken") > port
    finding = diagnosis.finding("port-taken")
    assert f"(process {pid})" in finding["title"]
    assert sys.executable in finding["evidence"][1]["value"]
    assert finding["subject"] == f"127.0.0.1:{port}"
    assert diagnosis.code == 1
    assert finding["fixes"][0]["argv"][:2] == ["netkit", "forward"]


def test_every_address(tmp_path, record_property):
    port = low_port("0.0.0.0")
    with listener("0.0.0.0", port):
        diagnosis = doctor(tmp_path, "--bind", f"127.0.0.2:{port}", "--to", "web:80")
    expect(record_property, diagnosis, "port taken on every address", {"port-taken"})
    assert f"0.0.0.0:{port}" in diagnosis.finding("port-taken")["explain"]
    assert f"--bind 127.0.0.2:{port + 1} --to web:80" in commands(diagnosis, "port-taken")[0]


def test_both_families_by_one_socket(tmp_path, record_property):
    port = low_port("0.0.0.0", "::")
    with listener("::", port) as pid:
        diagnosis = doctor(tmp_path, "-L", f"{port}:web:80")
    expect(record_property, diagnosis, "port taken by a dual-stack socket", {"port-taken"})
    assert f"process {pid}" in diagnosis.finding("port-taken")["title"]


def test_a_mapped_address(tmp_path, record_property):
    port = low_port()
    with listener("::ffff:127.0.0.1", port) as pid:
        diagnosis = doctor(tmp_path, "-D", f"127.0.0.1:{port}")
    expect(record_property, diagnosis, "port taken by an IPv4-mapped socket", {"port-taken"})
    assert f"process {pid}" in diagnosis.finding("port-taken")["title"]


@pytest.mark.parametrize(
    ("held", "free"), [("::1", "127.0.0.1"), ("127.0.0.1", "[::1]"), ("0.0.0.0", "[::1]")]
)
def test_one_family(tmp_path, record_property, held, free):
    port = low_port("0.0.0.0", "::1")
    with listener(held, port):
        diagnosis = doctor(tmp_path, "-L", f"{port}:web:80")
    expect(record_property, diagnosis, f"port taken on {held} alone", {"port-half-bound"})
    assert f"{free}:{port} alone" in diagnosis.finding("port-half-bound")["fixes"][1]["note"]


def test_every_address_asked_for_and_one_taken(tmp_path, record_property):
    port = low_port("0.0.0.0", "::")
    with listener("127.0.0.2", port):
        diagnosis = doctor(tmp_path, "--expose", "-D", f"*:{port}")
    fault = "wildcard asked for, 127.0.0.2 taken"
    expect(record_property, diagnosis, fault, {"port-half-bound"})


def test_two_forwards_on_one_port(tmp_path, record_property):
    port = low_port()
    diagnosis = doctor(tmp_path, "-L", f"{port}:web:80", "-D", f"127.0.0.1:{port}")
    expect(record_property, diagnosis, "two forwards on one port", {"port-asked-twice"})


# --- tunnels of one's own ---


@contextlib.contextmanager
def running(argv: Sequence[str], port: int, **more) -> Iterator[subprocess.Popen[bytes]]:
    """Run a tunnel until it listens on ``port`` of 127.0.0.1."""
    quiet: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    with subprocess.Popen(argv, stderr=subprocess.PIPE, **quiet, **more) as process:
        try:
            wait_until(lambda: is_held(port) or process.poll() is not None, timeout=15)
            assert is_held(port), process.communicate()[1]
            yield process
        finally:
            process.kill()


def is_held(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def mended(tmp_path: Path, port: int, code: str, diagnosis: Diagnosis) -> None:
    """Run the first fix for ``code``, and prove that it was the right one."""
    argv = diagnosis.finding(code)["fixes"][0]["argv"]
    done = subprocess.run(argv, check=False, capture_output=True, timeout=20)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: not is_held(port), timeout=10)
    assert doctor(tmp_path, "-D", f"127.0.0.1:{port}").codes() == set()


def ssh(sshd: Sshd, home: Path) -> list[str]:
    destination, *config = sshd_arguments(sshd, home)
    user_and_host, _, port = destination.rpartition(":")
    return [str(require("ssh")), *config, "-p", port, "-N", user_and_host]


def test_an_old_ssh(tmp_path, record_property):
    port = low_port()
    with Sshd(tmp_path) as sshd:
        argv = [*ssh(sshd, tmp_path), "-L", f"127.0.0.1:{port}:web:80"]
        with running(argv, port) as process:
            diagnosis = doctor(tmp_path, "-L", f"127.0.0.1:{port}:web:80")
            code = "port-taken-by-own-tunnel"
            expect(record_property, diagnosis, "port taken by an old ssh -L", {code})
            assert "It leads to web:80 already" in diagnosis.finding(code)["explain"]
            assert commands(diagnosis, code)[0] == f"kill {process.pid}"
            mended(tmp_path, port, code, diagnosis)


def test_a_master_in_the_background(tmp_path, record_property):
    port = low_port()
    control = tmp_path / "control"
    with Sshd(tmp_path) as sshd:
        options = ["-f", "-M", "-S", str(control), "-o", "ControlPersist=60", "-D", str(port)]
        argv = [*ssh(sshd, tmp_path), *options]
        quiet: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        subprocess.run(argv, check=True, timeout=20, **quiet)
        (master,) = [
            each for each in psutil.process_iter(["cmdline"]) if str(control) in str(each.info)
        ]
        try:
            diagnosis = doctor(tmp_path, "-D", f"127.0.0.1:{port}")
            code = "port-taken-by-own-tunnel"
            expect(record_property, diagnosis, "port taken by a ControlPersist master", {code})
            assert commands(diagnosis, code)[0].startswith(f"ssh -S {control} -O exit ")
            mended(tmp_path, port, code, diagnosis)
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                master.kill()


def test_an_old_netkit(tmp_path, record_property):
    port = low_port()
    with Sshd(tmp_path) as sshd:
        argv = [sys.executable, "-m", "netkit", "forward", "-D", f"127.0.0.1:{port}"]
        words = sshd_arguments(sshd, tmp_path)
        environment = {**os.environ, "HOME": str(tmp_path)}
        with running([*argv, *words], port, env=environment):
            diagnosis = doctor(tmp_path, "-D", f"127.0.0.1:{port}")
            code = "port-taken-by-own-tunnel"
            expect(record_property, diagnosis, "port taken by an old netkit forward", {code})
            mended(tmp_path, port, code, diagnosis)


def test_an_old_plink(tmp_path, record_property):
    port = low_port()
    puttygen, ppk = require("puttygen"), tmp_path / "key.ppk"
    with Sshd(tmp_path) as sshd:
        subprocess.run([puttygen, sshd.client_key, "-o", ppk], check=True, timeout=20)
        listed = subprocess.run(
            ["ssh-keygen", "-lf", f"{sshd.host_key_files[0]}.pub"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()[1]
        argv = [str(require("plink")), "-batch", "-hostkey", listed, "-i", str(ppk)]
        argv += ["-P", str(sshd.port), "-N", "-D", f"127.0.0.1:{port}", f"{sshd.user}@{sshd.host}"]
        with running(argv, port, env={**os.environ, "HOME": str(tmp_path)}):
            diagnosis = doctor(tmp_path, "-D", f"127.0.0.1:{port}")
            code = "port-taken-by-own-tunnel"
            expect(record_property, diagnosis, "port taken by an old plink", {code})
            mended(tmp_path, port, code, diagnosis)


# --- no listener ---


def test_source_port_of_a_connection(tmp_path, record_property):
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as client:
            port = client.getsockname()[1]
            diagnosis = doctor(tmp_path, "-L", f"127.0.0.1:{port}:web:80")
    fault = "port is the source port of a connection"
    expect(record_property, diagnosis, fault, {"port-ephemeral-source"})
    title = diagnosis.finding("port-ephemeral-source")["title"]
    assert f"127.0.0.1:{server_port(title)}" in title
    assert f"(process {os.getpid()}" in title


def server_port(title: str) -> int:
    return int(title.rpartition(":")[2])


def test_connections_of_a_listener_that_is_gone(tmp_path, record_property):
    port = low_port()
    with socket.socket() as server:  # without SO_REUSEADDR
        server.bind(("127.0.0.1", port))
        server.listen()
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
    with client, accepted:
        diagnosis = doctor(tmp_path, "-L", f"127.0.0.1:{port}:web:80")
    fault = "connections of a listener that is gone"
    expect(record_property, diagnosis, fault, {"port-left-connections"})


def test_time_wait(tmp_path, record_property):
    port = low_port()
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
        server.listen()
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = server.accept()
            accepted.shutdown(socket.SHUT_WR)  # the server's side ends first and waits
            client.recv(1)
        accepted.close()
    diagnosis = doctor(tmp_path, "-L", f"127.0.0.1:{port}:web:80")
    expect(record_property, diagnosis, "port in TIME_WAIT", {"port-time-wait"})
    assert "60 seconds" in diagnosis.finding("port-time-wait")["explain"]


def test_bound_without_listening(tmp_path, record_property):
    port = low_port()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", port))
        diagnosis = doctor(tmp_path, "-L", f"127.0.0.1:{port}:web:80")
    fault = "port bound by a socket that does not listen"
    expect(record_property, diagnosis, fault, {"port-taken-unseen"})


def test_in_the_ephemeral_range(tmp_path, record_property):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    diagnosis = doctor(tmp_path, "-L", f"127.0.0.1:{port}:web:80")
    assert diagnosis.codes("info") - {"loopback-alias-usable"} == {"port-in-ephemeral-range"}
    assert diagnosis.codes() == set()  # it may do for years
    record_property(ROWS, "port in the ephemeral range -> port-in-ephemeral-range (info) -> -")
    assert proposed(diagnosis, "port-in-ephemeral-range")


# --- in a namespace ---


def test_browsers_refuse_the_port(tmp_path, record_property):
    with namespace("ports") as inside:
        diagnosis = doctor(tmp_path, "-L", "127.0.0.1:6667:web:80", prefix=inside.prefix)
    fault = "port 6667 for a web server"
    expect(record_property, diagnosis, fault, {"port-browser-blocked"})
    assert commands(diagnosis, "port-browser-blocked")[0].endswith("127.0.0.1:7001:web:80")


def divert(inside: Namespace, rule: str) -> None:
    inside.nft(
        f"table ip t {{\n chain out {{\n  type nat hook output priority -100\n  {rule}\n }}\n}}\n"
    )


def test_nat_diverts_the_port(tmp_path, record_property):
    with namespace("ports") as inside:
        divert(inside, "tcp dport 8080 redirect to :9090")
        with listener("127.0.0.1", 9090, prefix=inside.prefix):
            diagnosis = doctor(tmp_path, "-L", "127.0.0.1:8080:web:80", prefix=inside.prefix)
    expect(record_property, diagnosis, "NAT diverts the port", {"port-redirected"})


def test_docker_diverts_the_port(tmp_path, record_property):
    """The rule is docker's own; the daemon is a stand-in that lists the container."""
    tools = tmp_path / "bin"
    tools.mkdir()
    docker = tools / "docker"
    docker.write_text("#!/bin/sh\nprintf '0123456789ab\\tweb\\t0.0.0.0:8080->80/tcp\\n'\n")
    docker.chmod(0o755)
    daemon = tmp_path / "docker.sock"
    hide = (
        "mount -t tmpfs tmpfs /run && touch /run/docker.sock"
        f' && mount --bind {shlex.quote(str(daemon))} /run/docker.sock && exec "$@"'
    )
    with namespace("ports") as inside, socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(daemon))
        divert(inside, "fib daddr type local tcp dport 8080 redirect to :9090")
        prefix = (*inside.prefix, str(require("unshare")), "--mount", "sh", "-c", hide, "sh")
        path = {"PATH": f"{tools}:{os.environ['PATH']}"}
        with listener("127.0.0.1", 9090, prefix=inside.prefix):
            diagnosis = doctor(tmp_path, "-L", "8080:web:80", prefix=prefix, env=path)
    code = "port-docker-without-proxy"
    expect(record_property, diagnosis, "docker diverts the port without a proxy", {code})
    assert "docker stop web" in commands(diagnosis, code)


@pytest.mark.parametrize("verdict", ["drop", "reject with tcp reset"])
def test_a_firewall_filters_the_port(tmp_path, record_property, verdict):
    with namespace("ports") as inside:
        inside.nft(
            "table ip t {\n chain in {\n  type filter hook input priority 0\n"
            f"  tcp dport 8080 {verdict}\n }}\n}}\n"
        )
        diagnosis = doctor(tmp_path, "-L", "127.0.0.1:8080:web:80", prefix=inside.prefix)
    expect(
        record_property, diagnosis, f"a firewall filters the port: {verdict}", {"port-unreachable"}
    )


def test_without_loopback_nothing_is_said_about_ports(tmp_path, record_property):
    with namespace("ports", lo=False) as inside:
        diagnosis = doctor(tmp_path, "-L", "127.0.0.1:8080:web:80", prefix=inside.prefix)
    fault = "loopback down, and a port that cannot be reached"
    hidden = {"port-unreachable"}
    expect(record_property, diagnosis, fault, {"loopback-down"}, hidden=hidden)


def test_privileged(tmp_path, record_property, nobody):
    with namespace("ports") as inside:
        prefix = (*inside.prefix, *nobody)
        diagnosis = doctor(tmp_path, "-L", "127.0.0.1:443:web:5432", prefix=prefix)
        expect(record_property, diagnosis, "privileged port, ordinary user", {"port-privileged"})
        assert commands(diagnosis, "port-privileged") == [
            "netkit forward -L 127.0.0.1:8443:web:5432",
            "sudo sysctl -w net.ipv4.ip_unprivileged_port_start=443",
        ]
        inside.sysctl("net.ipv4.ip_unprivileged_port_start", 443)
        again = doctor(tmp_path, "-L", "127.0.0.1:443:web:5432", prefix=prefix)
    assert again.codes() == set()


def test_privileged_and_taken(tmp_path, record_property, nobody):
    with namespace("ports") as inside, listener("127.0.0.1", 443, prefix=inside.prefix):
        prefix = (*inside.prefix, *nobody)
        diagnosis = doctor(tmp_path, "-L", "127.0.0.1:443:web:5432", prefix=prefix)
    expect(record_property, diagnosis, "privileged port that is taken as well", {"port-taken"})


def test_a_process_of_another_user(tmp_path, record_property, nobody):
    port = low_port()
    with listener("127.0.0.1", port):
        diagnosis = doctor(tmp_path, "-L", f"127.0.0.1:{port}:web:80", prefix=nobody)
    fault = "port taken by a process of another user"
    expect(record_property, diagnosis, fault, {"port-taken"})
    finding = diagnosis.finding("port-taken")
    assert finding["title"] == f"127.0.0.1:{port} is taken by a program of user root"
    assert commands(diagnosis, "port-taken")[1] == f"sudo ss -ltnp 'sport = :{port}'"


def test_a_process_in_another_pid_namespace(tmp_path, record_property):
    if os.geteuid() != 0:
        unavailable("root", "run the tests as root: they make a pid namespace")
    port = low_port()
    inside = (str(require("unshare")), "--pid", "--fork", "--kill-child", "--mount-proc")
    with listener("127.0.0.1", port):
        diagnosis = doctor(tmp_path, "-L", f"127.0.0.1:{port}:web:80", prefix=inside)
    fault = "port taken from outside of a container"
    expect(record_property, diagnosis, fault, {"port-taken"})
    assert commands(diagnosis, "port-taken")[1] == "lsns -t pid"


# --- unix sockets ---


def unix(home: Path, path: Path, **more) -> Diagnosis:
    return doctor(home, "-L", f"{path}:web:80", **more)


def test_unix_socket_in_use(tmp_path, record_property):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(str(path))
        held.listen()
        diagnosis = unix(tmp_path, path)
    expect(record_property, diagnosis, "unix socket in use", {"unix-socket-taken"})
    assert commands(diagnosis, "unix-socket-taken")[0] == f"netkit forward -L {path}.2:web:80"
    assert unix(tmp_path, path).codes() == set()  # dead now, and ours: netkit replaces it


def test_unix_socket_without_a_directory(tmp_path, record_property):
    path = tmp_path / "a/b/s"
    diagnosis = unix(tmp_path, path)
    code = "unix-socket-directory-missing"
    expect(record_property, diagnosis, "directory of a unix socket missing", {code})
    subprocess.run(diagnosis.finding(code)["fixes"][0]["argv"], check=True, timeout=10)
    assert unix(tmp_path, path).codes() == set()


def test_a_file_where_a_unix_socket_is_to_be(tmp_path, record_property):
    path = tmp_path / "s"
    path.write_text("mine")
    diagnosis = unix(tmp_path, path)
    fault = "a file where a unix socket is to be"
    expect(record_property, diagnosis, fault, {"unix-socket-path-exists"})


def test_unix_socket_in_a_directory_of_another_user(tmp_path, record_property, nobody):
    directory = tmp_path / "roots"
    directory.mkdir(mode=0o755)
    diagnosis = unix(tmp_path, directory / "s", prefix=nobody)
    code = "unix-socket-directory-denied"
    expect(record_property, diagnosis, "directory of a unix socket not writable", {code})


def test_dead_unix_socket_of_another_user(tmp_path, record_property, nobody):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    path.chmod(0o777)
    diagnosis = unix(tmp_path, path, prefix=nobody)
    fault = "dead unix socket of another user"
    expect(record_property, diagnosis, fault, {"unix-socket-left-over"})
