"""Gateways that do not forward as they should, each for another reason: made for real, and found.

    pytest tests/integration/faults/test_forwarding.py

The gateway is this machine: sshd, dropbear and asyncssh on its loopback.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from support.asyncssh_server import AsyncsshServer
from support.doctor import Diagnosis, expect, run_doctor, sshd_arguments
from support.dropbear import Dropbear, can_mount
from support.peers import require, unavailable
from support.sshd import Sshd

FORWARD = ("--for", "forward")
REMOTE_SIDE = {"gateway-ports", "half-close"}


@pytest.fixture(name="fault")
def _fault(record_property):
    """Assert what is found, as a row of the fault table."""
    return partial(expect, record_property)


def diagnose(sshd: Any, home: Path, *words: str, plain: bool = False) -> Diagnosis:
    """Run the doctor on ``sshd``, about a forward unless ``plain``."""
    purpose = () if plain else FORWARD
    return run_doctor(*purpose, *words, *arguments(sshd, home), home=home)


def arguments(server: Any, home: Path) -> list[str]:
    """Return the words that lead to a server of any kind."""
    if isinstance(server, Sshd):
        return sshd_arguments(server, home)
    config = home / "ssh_config"
    config.write_text(
        f"Host *\n  UserKnownHostsFile {server.known_hosts()}\n  GlobalKnownHostsFile none\n"
        f"  IdentitiesOnly yes\n  IdentityFile {server.client_key}\n  IdentityAgent none\n"
    )
    return [f"{server.user}@127.0.0.1:{server.port}", "-F", str(config)]


def low_port() -> int:
    """Return a port that is free on both loopback addresses, and below the ephemeral ones."""
    for _ in range(200):
        port = random.randint(20_000, 30_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            with socket.create_server(("::1", port), family=socket.AF_INET6):
                return port
    raise AssertionError("no port is free")


def local(to: object) -> tuple[str, str]:
    """Return a local forward to a target."""
    return "-L", f"127.0.0.1:{low_port()}:{to}"


def remote(sshd: Any, bind: str = "", port: int = 0) -> tuple[str, str]:
    """Return a remote forward that leads to the gateway's own sshd, which is there."""
    where = f"{bind}:{port or low_port()}" if bind else str(port or low_port())
    return "-R", f"{where}:127.0.0.1:{sshd.port}"


def apply(finding: dict[str, Any], number: int = 0) -> None:
    """Run a fix on this machine, which is the gateway as well."""
    argv = finding["fixes"][number]["argv"]
    done = subprocess.run(
        argv[1:] if argv[0] == "sudo" else argv, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"


def undo(finding: dict[str, Any], number: int = 0) -> None:
    argv = finding["fixes"][number]["undo"]
    subprocess.run(argv[1:] if argv[0] == "sudo" else argv, check=True, capture_output=True)


@contextlib.contextmanager
def listening(*hosts: str, port: int) -> Iterator[None]:
    """Have this process listen on ``port`` of each host."""
    with contextlib.ExitStack() as stack:
        for host in hosts:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            stack.enter_context(socket.create_server((host, port), family=family))
        yield


@contextlib.contextmanager
def old_session(sshd: Sshd, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Have an ssh hold ``port`` of the gateway."""
    # ssh asks whom a key belongs to that others can read
    key = shutil.copy(sshd.client_key, sshd.dir / "own")
    os.chown(key, os.getuid(), os.getgid())
    argv = [str(require("ssh")), "-F", "none", "-N", "-i", str(key), "-o", "IdentitiesOnly=yes"]
    argv += ["-o", f"UserKnownHostsFile={sshd.known_hosts()}", "-p", str(sshd.port)]
    argv += ["-R", f"{port}:localhost:1", f"{sshd.user}@127.0.0.1"]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
        try:
            sshd.wait_log(rf"Local forwarding listening on 127.0.0.1 port {port}\.")
            yield client
        finally:
            client.kill()


@contextlib.contextmanager
def as_nobody(shell: str = "/bin/sh", **options: Any) -> Iterator[Sshd]:
    """An sshd that lets nobody in, by an account database of its own.

    Its files are where nobody may read them, which is not so of pytest's directories.
    """
    if not can_mount():
        unavailable("mount namespaces", "run as root, with CAP_SYS_ADMIN")
    with tempfile.TemporaryDirectory(prefix="netkit-nobody-") as name:
        home = Path(name)
        home.chmod(0o755)
        passwd, shadow = home / "passwd", home / "shadow"
        accounts = ("root:x:0:0::/root:/bin/sh", f"nobody:x:65534:65534::{home}:{shell}")
        own = f"sshd:x:{pwd.getpwnam('sshd').pw_uid}:65534::/run/sshd:/bin/false"
        passwd.write_text("\n".join([*accounts, own, ""]))
        users = ("root", "nobody", "sshd")
        shadow.write_text("".join(f"{who}:NP:1:0:99999:7:::\n" for who in users))
        mount = 'mount --bind "$1" /etc/passwd && mount --bind "$2" /etc/shadow'
        run = f'{mount} && shift 2 && exec "$@"'
        prefix = ("unshare", "--mount", "sh", "-c", run, "sh", str(passwd), str(shadow))
        sshd = Sshd(home, prefix=prefix, **options)
        sshd.user = "nobody"
        sshd.dir.chmod(0o755)
        os.chown(sshd.authorized_keys, 65534, 65534)
        with sshd:
            yield sshd


# --- forwarding prohibited ---


def test_healthy_gateway(tmp_path, fault):
    """Nothing above info, and within the time."""
    with Sshd(tmp_path) as sshd:
        found = diagnose(sshd, tmp_path, plain=True)
        fault(found, "healthy gateway", set())
        found = diagnose(sshd, tmp_path, *local(f"127.0.0.1:{sshd.port}"), *remote(sshd))
        fault(found, "healthy gateway with a forward each way", set())
    assert found.code == 0
    assert {c["status"] for c in found.document["checks"]} <= {"ran", "skipped"}
    assert found.document["seconds"] < 4


def test_no_tcp_forwarding(tmp_path, fault):
    with Sshd(tmp_path, AllowTcpForwarding="no") as sshd:
        words = ("--bind", f"127.0.0.2:{low_port()}", "--to", f"127.0.0.1:{sshd.port}")
        found = diagnose(sshd, tmp_path, *words)
        hidden = {"forwarding-target", "half-close"}
        fault(found, "AllowTcpForwarding no", {"local-forwarding-prohibited"}, hidden=hidden)
        finding = found.finding("local-forwarding-prohibited")
        assert "AllowTcpForwarding no" in finding["explain"]
        assert found.code == 1
        apply(finding)
        fault(diagnose(sshd, tmp_path, *words), "AllowTcpForwarding no, mended", set())
        undo(finding)
        assert "AllowTcpForwarding no" in sshd.config.read_text()


def test_no_tcp_forwarding_without_a_forward(tmp_path, fault):
    with Sshd(tmp_path, AllowTcpForwarding="no") as sshd:
        found = diagnose(sshd, tmp_path, plain=True)
    hidden = {"remote-forwarding-prohibited", "half-close"}
    fault(
        found,
        "AllowTcpForwarding no, no forward named",
        {"local-forwarding-prohibited"},
        hidden=hidden,
    )


def test_local_forwarding_only(tmp_path, fault):
    with Sshd(tmp_path, AllowTcpForwarding="local") as sshd:
        found = diagnose(sshd, tmp_path, *remote(sshd))
        fault(
            found,
            "AllowTcpForwarding local, with -R",
            {"remote-forwarding-prohibited"},
            hidden=REMOTE_SIDE,
        )
        fault(
            diagnose(sshd, tmp_path, *local(f"127.0.0.1:{sshd.port}")),
            "AllowTcpForwarding local, with -L",
            set(),
        )


def test_remote_forwarding_only(tmp_path, fault):
    with Sshd(tmp_path, AllowTcpForwarding="remote") as sshd:
        found = diagnose(sshd, tmp_path, "-D", f"127.0.0.1:{low_port()}")
        fault(
            found,
            "AllowTcpForwarding remote, with -D",
            {"local-forwarding-prohibited"},
            hidden={"half-close"},
        )
        found = diagnose(sshd, tmp_path, *remote(sshd))
        fault(found, "AllowTcpForwarding remote, with -R", set())
        assert found.status("forwarding-remote") == "ran", "the listeners there show who listens"


def test_forwarding_disabled(tmp_path, fault):
    with Sshd(tmp_path, DisableForwarding="yes") as sshd:
        words = local(f"127.0.0.1:{sshd.port}")
        found = diagnose(sshd, tmp_path, *words)
        fault(found, "DisableForwarding yes", {"local-forwarding-prohibited"})
        finding = found.finding("local-forwarding-prohibited")
        assert "DisableForwarding yes" in finding["explain"]
        apply(finding)
        fault(diagnose(sshd, tmp_path, *words), "DisableForwarding yes, mended", set())


def test_a_match_block_forbids(tmp_path, fault):
    rule = ("Match User root", "AllowTcpForwarding no")
    with Sshd(tmp_path, extra=rule) as sshd:
        words = local(f"127.0.0.1:{sshd.port}")
        found = diagnose(sshd, tmp_path, *words)
        fault(found, "AllowTcpForwarding no in a Match block", {"local-forwarding-prohibited"})
        apply(found.finding("local-forwarding-prohibited"))
        fault(diagnose(sshd, tmp_path, *words), "the Match block, mended", set())


def test_another_target_is_allowed(tmp_path, fault):
    with Sshd(tmp_path, PermitOpen="db.invalid:5432") as sshd:
        words = local(f"127.0.0.1:{sshd.port}")
        found = diagnose(sshd, tmp_path, *words)
        fault(found, "PermitOpen allows another target", {"target-prohibited"})
        finding = found.finding("target-prohibited")
        assert "db.invalid:5432" in finding["title"]
        plain = diagnose(sshd, tmp_path, plain=True)
        fault(plain, "PermitOpen, no forward named", set())
        assert plain.finding("local-forwarding-restricted")["severity"] == "info"
        apply(finding)
        fault(diagnose(sshd, tmp_path, *words), "PermitOpen, mended", set())


def test_one_of_two_targets_is_allowed(tmp_path, fault):
    port = low_port()
    with listening("127.0.0.1", port=port), Sshd(tmp_path, PermitOpen=f"127.0.0.1:{port}") as sshd:
        found = diagnose(sshd, tmp_path, *local(f"127.0.0.1:{port}"), *local("127.0.0.1:1"))
    fault(found, "PermitOpen allows one of two targets", {"target-prohibited"})
    assert found.finding("target-prohibited")["subject"] == "127.0.0.1:1"


def test_another_port_is_allowed(tmp_path, fault):
    with Sshd(tmp_path, PermitListen="1234") as sshd:
        words = remote(sshd)
        found = diagnose(sshd, tmp_path, *words)
        fault(
            found,
            "PermitListen allows another port",
            {"remote-listen-prohibited"},
            hidden=REMOTE_SIDE,
        )
        apply(found.finding("remote-listen-prohibited"))
        fault(diagnose(sshd, tmp_path, *words), "PermitListen, mended", set())
        plain = diagnose(sshd, tmp_path, plain=True)
        fault(plain, "PermitListen, no forward named", set())
    assert "1234" in plain.finding("remote-forwarding-restricted")["title"]


def test_no_port_is_allowed(tmp_path, fault):
    with Sshd(tmp_path, PermitListen="none") as sshd:
        found = diagnose(sshd, tmp_path, plain=True)
    fault(found, "PermitListen none", {"remote-forwarding-prohibited"})


def test_no_unix_sockets(tmp_path, fault):
    path = tmp_path / "target.sock"
    with (
        socket.socket(socket.AF_UNIX) as server,
        Sshd(tmp_path, AllowStreamLocalForwarding="no") as sshd,
    ):
        server.bind(str(path))
        server.listen()
        words = local(path)
        found = diagnose(sshd, tmp_path, *words)
        fault(
            found,
            "AllowStreamLocalForwarding no, with -L",
            {"streamlocal-forwarding-prohibited"},
            hidden={"forwarding-target"},
        )
        apply(found.finding("streamlocal-forwarding-prohibited"))
        fault(diagnose(sshd, tmp_path, *words), "AllowStreamLocalForwarding no, mended", set())


def test_no_remote_unix_sockets(tmp_path, fault):
    with Sshd(tmp_path, AllowStreamLocalForwarding="local") as sshd:
        path = tmp_path / "listen.sock"
        found = diagnose(sshd, tmp_path, "-R", f"{path}:127.0.0.1:{sshd.port}")
        fault(found, "AllowStreamLocalForwarding local, with -R", {"streamlocal-listen-prohibited"})
    assert not path.exists()


@pytest.mark.parametrize("option", ["restrict", "no-pty,no-port-forwarding", "no-port-forwarding"])
def test_a_restricted_key(tmp_path, fault, option):
    with Sshd(tmp_path) as sshd:
        sshd.authorized_keys.write_text(f"{option} {sshd.authorized_keys.read_text()}")
        words = local(f"127.0.0.1:{sshd.port}")
        found = diagnose(sshd, tmp_path, *words)
        fault(found, f"{option} in authorized_keys", {"local-forwarding-prohibited"})
        finding = found.finding("local-forwarding-prohibited")
        assert f"{sshd.authorized_keys}:1" in finding["explain"]
        apply(finding)
        fault(diagnose(sshd, tmp_path, *words), f"{option} in authorized_keys, mended", set())


def test_a_key_for_another_target(tmp_path, fault):
    with Sshd(tmp_path) as sshd:
        line = sshd.authorized_keys.read_text()
        sshd.authorized_keys.write_text(f'# keys\npermitopen="db:1",permitlisten="2" {line}')
        words = (*local(f"127.0.0.1:{sshd.port}"), *remote(sshd))
        found = diagnose(sshd, tmp_path, *words)
        fault(
            found,
            "permitopen and permitlisten in authorized_keys",
            {"target-prohibited", "remote-listen-prohibited"},
        )
        apply(found.finding("remote-listen-prohibited"))
        found = diagnose(sshd, tmp_path, *words)
        fault(found, "permitopen in authorized_keys", {"target-prohibited"})
        apply(found.finding("target-prohibited"))
        fault(diagnose(sshd, tmp_path, *words), "permitopen in authorized_keys, mended", set())


# --- targets ---


def test_target_on_the_gateway_refuses(tmp_path, fault):
    with Sshd(tmp_path) as sshd:
        found = diagnose(sshd, tmp_path, *local(f"localhost:{low_port()}"))
    fault(found, "nothing listens at the target on the gateway", {"target-refused"})
    finding = found.finding("target-refused")
    assert "itself, not this machine" in finding["explain"]
    assert finding["fixes"][0]["where"] == "gateway"


def test_target_listens_on_another_address(tmp_path, fault):
    port = low_port()
    with Sshd(tmp_path) as sshd, listening("127.0.0.3", port=port):
        found = diagnose(sshd, tmp_path, *local(f"localhost:{port}"))
    fault(found, "the target listens on another address of the gateway", {"target-refused"})
    fix = found.finding("target-refused")["fixes"][0]
    assert fix["argv"][-1].endswith(f":127.0.0.3:{port}")


def test_target_closes_at_once(tmp_path, fault):
    from support.targets import Target

    def close(connection) -> None:
        """Say nothing."""

    with Sshd(tmp_path) as sshd, Target(close) as target:
        found = diagnose(sshd, tmp_path, *local(target.address))
    fault(found, "the target closes at once", {"target-closes-at-once"})


def test_target_that_should_speak_first(tmp_path, fault):
    with Sshd(tmp_path) as sshd, listening("127.0.0.4", port=5900):
        found = diagnose(sshd, tmp_path, *local("127.0.0.4:5900"))
    fault(found, "a VNC server that does not greet", {"target-silent"})
    assert found.finding("target-silent")["confidence"] == "likely"


def naming(directory: Path, sources: str, resolver: str = "") -> tuple[str, ...]:
    """Return words that start a program whose names come from elsewhere."""
    if not can_mount():
        unavailable("mount namespaces", "run as root, with CAP_SYS_ADMIN")
    switch, servers = directory / "nsswitch.conf", directory / "resolv.conf"
    switch.write_text(f"passwd: files\ngroup: files\nshadow: files\nhosts: {sources}\n")
    servers.write_text(resolver)
    mount = 'mount --bind "$1" /etc/nsswitch.conf && mount --bind "$2" /etc/resolv.conf'
    run = f'{mount} && shift 2 && exec "$@"'
    return ("unshare", "--mount", "sh", "-c", run, "sh", str(switch), str(servers))


def test_the_gateway_does_not_know_the_name(tmp_path, fault):
    with Sshd(tmp_path, prefix=naming(tmp_path, "files")) as sshd:
        found = diagnose(sshd, tmp_path, *local("ts.invalid:3389"))
        fault(found, "the gateway does not know the target's name", {"target-name-unknown"})
        found = diagnose(sshd, tmp_path, *local("localhost:1"))
        fault(found, "the target's name is known, its port is closed", {"target-refused"})


@pytest.mark.parametrize(
    ("options", "confidence"), [("options timeout:1 attempts:1\n", "certain"), ("", "likely")]
)
def test_the_name_server_of_the_gateway_is_silent(tmp_path, fault, options, confidence):
    """At first the gateway says so; with the usual patience it stands still instead."""
    resolver = f"nameserver 127.0.0.9\n{options}"
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent,
        Sshd(tmp_path, prefix=naming(tmp_path, "dns", resolver), UseDNS="no") as sshd,
    ):
        silent.bind(("127.0.0.9", 53))
        found = diagnose(sshd, tmp_path, *local("ts.invalid:3389"))
    told = "at once" if options else "after long"
    fault(found, f"the gateway's name server is silent, given up {told}", {"target-lookup-failed"})
    assert found.finding("target-lookup-failed")["confidence"] == confidence


def test_missing_unix_socket(tmp_path, fault):
    with Sshd(tmp_path) as sshd:
        path = tmp_path / "absent.sock"
        found = diagnose(sshd, tmp_path, *local(path))
        fault(found, "no unix socket at the target", {"target-socket-unusable"})
        assert found.finding("target-socket-unusable")["title"].startswith("There is no")
        path.write_text("")
        found = diagnose(sshd, tmp_path, *local(path))
    fault(found, "a file in place of a unix socket", {"target-socket-unusable"})


def test_remote_target_refuses_here(tmp_path, fault):
    with Sshd(tmp_path) as sshd:
        found = diagnose(sshd, tmp_path, "-R", f"{low_port()}:127.0.0.1:{low_port()}")
    fault(found, "nothing listens here at the target of -R", {"remote-target-refused"})


# --- listening on the gateway ---


def test_port_taken_on_the_gateway(tmp_path, fault):
    port = low_port()
    with Sshd(tmp_path) as sshd, listening("127.0.0.1", "::1", port=port):
        found = diagnose(sshd, tmp_path, *remote(sshd, port=port))
    fault(found, "port taken on the gateway", {"remote-port-taken"}, hidden=REMOTE_SIDE)
    finding = found.finding("remote-port-taken")
    assert f"process {os.getpid()} there" in finding["title"]
    assert finding["fixes"][0]["argv"][:2] == ["netkit", "forward"]


def test_one_family_taken_on_the_gateway(tmp_path, fault):
    port = low_port()
    with Sshd(tmp_path) as sshd, listening("127.0.0.1", port=port):
        found = diagnose(sshd, tmp_path, *remote(sshd, port=port))
    fault(found, "port half taken: sshd agrees, and binds ::1 alone", {"remote-port-taken"})
    assert found.finding("remote-port-taken")["title"].startswith(f"127.0.0.1:{port}")


def test_taken_port_with_local_forwards_forbidden(tmp_path, fault):
    """No knock is possible: the table of the gateway tells."""
    port = low_port()
    with (
        Sshd(tmp_path, AllowTcpForwarding="remote") as sshd,
        listening("127.0.0.1", port=port),
    ):
        found = diagnose(sshd, tmp_path, *remote(sshd, port=port))
    fault(found, "port half taken, no knock allowed", {"remote-port-taken"})


def test_stale_listener_of_a_frozen_client(tmp_path, fault):
    port = low_port()
    with Sshd(tmp_path) as sshd, old_session(sshd, port) as client:
        client.send_signal(signal.SIGSTOP)
        words = remote(sshd, port=port)
        found = diagnose(sshd, tmp_path, *words)
        fault(
            found,
            "stale listener of an old session whose client is frozen",
            {"remote-listener-stale"},
            hidden=REMOTE_SIDE,
        )
        finding = found.finding("remote-listener-stale")
        assert f"process {client.pid} of this machine" in finding["explain"]
        assert finding["fixes"][0]["argv"] == ["kill", str(client.pid)]
        apply(finding, 1)
        sshd.wait_log(r"(?i)received signal|killed by|Killed|exiting|Exiting")
        fault(diagnose(sshd, tmp_path, *words), "stale listener, mended", set())


def test_stale_listener_of_an_unprivileged_account(tmp_path, fault):
    port = low_port()
    with as_nobody() as sshd, old_session(sshd, port) as client:
        found = diagnose(sshd, tmp_path, *remote(sshd, port=port))
    fault(
        found,
        "stale listener, seen by an account that may see no process",
        {"remote-listener-stale"},
    )
    finding = found.finding("remote-listener-stale")
    assert finding["confidence"] == "likely"
    assert finding["fixes"][0]["argv"] == ["kill", str(client.pid)]


def test_stale_listener_without_a_shell(tmp_path, fault):
    port = low_port()
    with (
        as_nobody(shell="/usr/sbin/nologin") as sshd,
        old_session(sshd, port),
    ):
        found = diagnose(sshd, tmp_path, *remote(sshd, port=port))
    fault(found, "stale listener, no shell on the gateway", {"remote-listener-stale"})


def test_privileged_port(tmp_path, fault):
    with as_nobody() as sshd:
        found = diagnose(sshd, tmp_path, *remote(sshd, port=443))
    fault(found, "-R to a port below 1024, not as root", {"remote-port-privileged"})
    assert (
        f"8443:127.0.0.1:{sshd.port}" in found.finding("remote-port-privileged")["fixes"][0]["argv"]
    )


def test_unix_socket_is_there_already(tmp_path, fault):
    path = tmp_path / "listen.sock"
    with socket.socket(socket.AF_UNIX) as old, Sshd(tmp_path) as sshd:
        old.bind(str(path))
        words = ("-R", f"{path}:127.0.0.1:{sshd.port}")
        found = diagnose(sshd, tmp_path, *words)
        fault(found, "a stale unix socket where -R listens", {"remote-socket-unusable"})
        apply(found.finding("remote-socket-unusable"))
        fault(diagnose(sshd, tmp_path, *words), "the stale unix socket, removed", set())
        assert not path.exists(), "the doctor leaves nothing behind"


# --- GatewayPorts ---


def own_address() -> str:
    """Return an address of this machine that is no loopback, or skip."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            unavailable("an address that is no loopback", "connect the machine to a network")
        return str(probe.getsockname()[0])


def test_gateway_ports_off(tmp_path, fault):
    own_address()
    with Sshd(tmp_path) as sshd:
        words = remote(sshd, "*")
        found = diagnose(sshd, tmp_path, *words)
        fault(found, "GatewayPorts no, with -R *", {"gateway-ports-loopback-only"})
        apply(found.finding("gateway-ports-loopback-only"))
        fault(diagnose(sshd, tmp_path, *words), "GatewayPorts no, mended", set())


def test_gateway_ports_off_with_an_address(tmp_path, fault):
    with Sshd(tmp_path, GatewayPorts="no") as sshd:
        found = diagnose(sshd, tmp_path, *remote(sshd, own_address()))
    fault(found, "GatewayPorts no, with -R ADDRESS", {"gateway-ports-loopback-only"})


@pytest.mark.parametrize("bind", ["", "localhost", "127.0.0.1"])
def test_gateway_ports_on(tmp_path, fault, bind):
    own_address()
    with Sshd(tmp_path, GatewayPorts="yes") as sshd:
        words = remote(sshd, bind)
        found = diagnose(sshd, tmp_path, *words)
        fault(found, f"GatewayPorts yes, with -R {bind or 'PORT'}", {"gateway-ports-wider"})
        apply(found.finding("gateway-ports-wider"))
        fault(diagnose(sshd, tmp_path, *words), "GatewayPorts yes, mended", set())


def test_gateway_ports_on_with_an_address(tmp_path, fault):
    with Sshd(tmp_path, GatewayPorts="yes") as sshd:
        found = diagnose(sshd, tmp_path, *remote(sshd, own_address()))
    fault(found, "GatewayPorts yes, with -R ADDRESS", {"gateway-ports-wider"})


def test_gateway_ports_as_asked(tmp_path, fault):
    own = own_address()
    with Sshd(tmp_path, GatewayPorts="clientspecified") as sshd:
        for bind in ("*", own, "127.0.0.1"):
            found = diagnose(sshd, tmp_path, *remote(sshd, bind))
            fault(
                found,
                f"GatewayPorts clientspecified, with -R {bind if bind != own else 'own'}",
                set(),
            )


def test_no_such_address_on_the_gateway(tmp_path, fault):
    with Sshd(tmp_path, GatewayPorts="clientspecified") as sshd:
        found = diagnose(sshd, tmp_path, *remote(sshd, "192.0.2.177"))
    fault(found, "-R to an address that the gateway does not have", {"remote-address-unavailable"})


# --- what the gateway ends, and does not do ---


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"ChannelTimeout": "direct-tcpip=5m"}, "channel-timeout"),
        ({"UnusedConnectionTimeout": "90"}, "unused-connection-timeout"),
        ({"ClientAliveInterval": "5", "ClientAliveCountMax": "1"}, "client-alive-impatient"),
        ({"LoginGraceTime": "10"}, "login-grace-short"),
        ({"MaxStartups": "1"}, "max-startups-low"),
    ],
)
def test_settings_of_the_server(tmp_path, fault, options, code):
    with Sshd(tmp_path, **options) as sshd:
        found = diagnose(sshd, tmp_path, plain=True)
        told = ", ".join(f"{name} {value}" for name, value in options.items())
        fault(found, told, {code})
        apply(found.finding(code))
        fault(diagnose(sshd, tmp_path, plain=True), f"{told}, mended", set())


def test_a_timeout_for_other_channels(tmp_path, fault):
    with Sshd(tmp_path, ChannelTimeout="session:*=5m forwarded-tcpip=9m") as sshd:
        found = diagnose(sshd, tmp_path, *local(f"127.0.0.1:{sshd.port}"))
        fault(found, "ChannelTimeout of other channels, with -L", set())
        found = diagnose(sshd, tmp_path, *remote(sshd))
        fault(found, "ChannelTimeout of forwarded-tcpip, with -R", {"channel-timeout"})
        assert "9 minutes" in found.finding("channel-timeout")["title"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"MaxSessions": "0"}, "gateway-no-sessions"),
        ({"ForceCommand": "echo no shell here"}, "gateway-no-shell"),
    ],
)
def test_no_shell_is_no_error_and_not_fine(tmp_path, fault, options, code):
    with Sshd(tmp_path, **options) as sshd:
        found = diagnose(sshd, tmp_path, plain=True)
    fault(found, " ".join(*options.items()), set())
    assert found.finding(code)["severity"] == "info"
    assert found.status("server-timeouts") == "inconclusive"


def test_forward_only_account(tmp_path, fault):
    with as_nobody(shell="/usr/sbin/nologin") as sshd:
        found = diagnose(sshd, tmp_path, *local(f"127.0.0.1:{sshd.port}"))
    fault(found, "an account whose shell is nologin", set())
    assert found.finding("gateway-no-shell")["severity"] == "info"
    assert found.status("server-timeouts") == "inconclusive"


def test_one_session(tmp_path, fault):
    with Sshd(tmp_path, MaxSessions="1") as sshd:
        found = diagnose(sshd, tmp_path, plain=True)
    fault(found, "MaxSessions 1", set())
    assert found.finding("gateway-one-session")["severity"] == "info"
    assert found.status("server-timeouts") == "ran"


def test_settings_that_may_not_be_read(tmp_path, fault):
    with as_nobody() as sshd:
        sshd.config.chmod(0o600)
        found = diagnose(sshd, tmp_path, plain=True)
    fault(found, "an account that may not read sshd_config", set())
    assert found.status("server-timeouts") == "inconclusive"
    assert str(sshd.config) in json.dumps(found.document["unknowns"])


def test_dropbear(tmp_path, fault):
    with Dropbear(tmp_path, "-j") as server:
        found = diagnose(server, tmp_path, *local(f"127.0.0.1:{server.port}"))
        fault(found, "dropbear -j", {"local-forwarding-prohibited"})
    assert "-j" in found.finding("local-forwarding-prohibited")["fixes"][0]["note"]


def test_dropbear_idle_timeout(tmp_path, fault):
    with Dropbear(tmp_path, "-I", "60") as server:
        fault(
            diagnose(server, tmp_path, plain=True), "dropbear -I 60", {"unused-connection-timeout"}
        )


def test_keepalives_without_an_answer(tmp_path, fault, monkeypatch):
    def drop(self, _packet) -> None:
        self._global_request_queue.pop(0)
        if self._global_request_queue:
            self._service_next_global_request()

    name = "_process_keepalive_at_openssh_dot_com_global_request"
    monkeypatch.setattr(f"asyncssh.connection.SSHConnection.{name}", drop)
    with AsyncsshServer(tmp_path) as server:
        found = diagnose(server, tmp_path, *local(f"127.0.0.1:{server.port}"))
    fault(found, "a server that answers to no keepalive", {"keepalive-unanswered"})


def test_half_close_lost(tmp_path, fault, monkeypatch):
    def close(self) -> bool:
        self.close()
        return False

    monkeypatch.setattr("asyncssh.forward.SSHForwarder.eof_received", close)
    with AsyncsshServer(tmp_path) as server:
        found = diagnose(server, tmp_path, plain=True)
    fault(found, "a server that closes a channel on an end of data", {"half-close-lost"})
