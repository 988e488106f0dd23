"""Gateways that cannot be reached or trusted, each for another reason: made for real, and found.

    pytest tests/integration/faults/test_gateway.py

Firewalls, routes and name servers need root and a namespace; the rest needs sockets and sshd.
"""

from __future__ import annotations

import contextlib
import http.server
import os
import shlex
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncssh
import pytest

from support.asyncssh_server import AsyncsshServer
from support.doctor import Diagnosis, expect, run_doctor, sshd_arguments
from support.netns import Namespace, namespaces, veth
from support.peers import require, unavailable
from support.sshd import Sshd, make_key, public_line

STAGES = (
    "gateway-config",
    "gateway-name",
    "gateway-tcp",
    "gateway-banner",
    "gateway-algorithms",
    "gateway-host-key",
    "gateway-login",
)
SERVER = "10.77.1.1"


@pytest.fixture
def found(record_property) -> Callable[..., None]:
    """Return a function that expects codes, and every gateway check after ``stage`` hidden."""

    def expected(diagnosis: Diagnosis, fault: str, code: str, stage: str) -> None:
        after = set(STAGES[STAGES.index(stage) + 1 :])
        expect(record_property, diagnosis, fault, {code}, hidden=after)
        assert diagnosis.hidden & set(STAGES) == after
        assert diagnosis.status(stage) == "ran"
        assert diagnosis.code == 1

    return expected


@pytest.fixture
def cable() -> Iterator[tuple[Namespace, Namespace]]:
    """Two namespaces, a client and its router, which is the server as well."""
    with namespaces("client", "server") as (client, server):
        veth(client, server, "10.77.1.2/24", f"{SERVER}/24")
        client.route("default", SERVER)
        yield client, server


def toward(port: int, home: Path, *lines: str, host: str = "127.0.0.1") -> list[str]:
    """Return the words that lead to a port with a fresh key, for what has no known host key."""
    key = home / "some_key"
    if not key.exists():
        make_key(key)
    config = home / "some_config"
    own = (f"IdentityFile {key}", "IdentityAgent none", "IdentitiesOnly yes")
    files = ("UserKnownHostsFile none", "GlobalKnownHostsFile none")
    config.write_text("\n".join((*lines, "Host *", *own, *files)) + "\n")
    return [f"me@{host}:{port}", "-F", str(config)]


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextlib.contextmanager
def serving(handle: Callable[[socket.socket], None]) -> Iterator[int]:
    """Handle connections one after the other, then close each; returns the port."""

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection, contextlib.suppress(OSError):
                    handle(connection)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)  # this wakes accept() up
            thread.join(10)


def until_closed(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def commands(diagnosis: Diagnosis, code: str) -> list[str]:
    return [shlex.join(fix["argv"]) for fix in diagnosis.finding(code)["fixes"]]


# --- nothing wrong ---


def test_a_healthy_gateway(tmp_path):
    with Sshd(tmp_path) as sshd:
        words = sshd_arguments(sshd, tmp_path)
        begun = time.monotonic()
        diagnosis = run_doctor(*words, home=tmp_path)
        took = time.monotonic() - begun
    assert diagnosis.codes("warning") == set()
    assert diagnosis.hidden == set()
    assert {diagnosis.status(stage) for stage in STAGES} == {"ran"}
    assert diagnosis.status("keys") == diagnosis.status("agent") == "ran"
    assert diagnosis.code == 0
    assert took < 4


# --- name ---


def in_place(path: str, text: str, home: Path) -> tuple[str, ...]:
    """Return the words that run a command where the file ``path`` holds ``text``."""
    if os.geteuid() != 0:
        unavailable("root", "run the tests as root: they mount files")
    private = home / Path(path).name
    private.write_text(text)
    script = f'mount --bind "$0" {path} && exec "$@"'
    return (str(require("unshare")), "-m", "sh", "-c", script, str(private))


def test_unknown_name(tmp_path, found):
    words = toward(22, tmp_path, host="gatway")
    (tmp_path / ".ssh").mkdir(mode=0o700)
    (tmp_path / ".ssh/config").write_text("Host gateway\n")
    prefix = in_place("/etc/nsswitch.conf", "hosts: files\n", tmp_path)
    diagnosis = run_doctor(*words, home=tmp_path, prefix=prefix)
    found(diagnosis, "name unknown", "gateway-name-unknown", "gateway-name")
    assert "gateway" in diagnosis.finding("gateway-name-unknown")["explain"]
    assert commands(diagnosis, "gateway-name-unknown")[0] == "netkit doctor me@gateway"


def test_name_server_that_does_not_answer(tmp_path, found, cable):
    client, _ = cable
    mounted = in_place("/etc/resolv.conf", f"nameserver {SERVER}\n", tmp_path)
    words = toward(22, tmp_path, host="gw.example.org")
    diagnosis = run_doctor(*words, home=tmp_path, prefix=(*client.prefix, *mounted))
    found(diagnosis, "name server refuses", "gateway-dns-failed", "gateway-name")


def test_address_family(tmp_path, found):
    words = toward(22, tmp_path, "AddressFamily inet6")
    diagnosis = run_doctor(*words, home=tmp_path)
    fault = "AddressFamily inet6 for an IPv4 address"
    found(diagnosis, fault, "gateway-address-family", "gateway-name")


# --- TCP ---


def test_closed_port(tmp_path, found):
    port = closed_port()
    diagnosis = run_doctor(*toward(port, tmp_path), home=tmp_path)
    found(diagnosis, "port closed", "gateway-refused", "gateway-tcp")
    assert diagnosis.finding("gateway-refused")["subject"] == f"127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("drop", "gateway-timed-out"),
        ("reject with icmp type admin-prohibited", "gateway-unreachable"),
        ("reject with tcp reset", "gateway-refused"),
    ],
)
def test_firewall(tmp_path, found, cable, rule, code):
    client, server = cable
    server.nft(
        "table ip t {\n chain in {\n  type filter hook input priority 0\n"
        f"  tcp dport 22 {rule}\n }}\n}}\n"
    )
    words = [*toward(22, tmp_path, host=SERVER), "--connect-timeout", "2"]
    diagnosis = run_doctor(*words, home=tmp_path, prefix=client.prefix)
    found(diagnosis, f"firewall: {rule}", code, "gateway-tcp")


@pytest.mark.parametrize(
    ("kind", "code"),
    [("unreachable", "gateway-unreachable"), ("prohibit", "gateway-blocked-locally")],
)
def test_route(tmp_path, record_property, cable, kind, code):
    client, _ = cable
    client.ip("route", "add", kind, "10.99.0.0/16")
    words = toward(22, tmp_path, host="10.99.0.1")
    diagnosis = run_doctor(*words, home=tmp_path, prefix=client.prefix)
    hidden = {code, "gateway-banner", "gateway-login"}
    fault = f"route of type {kind}"
    expect(record_property, diagnosis, fault, {"gateway-unroutable"}, hidden=hidden)


def test_bind_address(tmp_path, found):
    words = toward(closed_port(), tmp_path, "BindAddress 192.0.2.7")
    diagnosis = run_doctor(*words, home=tmp_path)
    fault = "BindAddress of another machine"
    found(diagnosis, fault, "bind-address-unavailable", "gateway-tcp")


# --- what answers ---


class _Web(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_web_server(tmp_path, found):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Web) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        try:
            diagnosis = run_doctor(*toward(web.server_port, tmp_path), home=tmp_path)
        finally:
            web.shutdown()
            thread.join(10)
    found(diagnosis, "a web server at the port", "gateway-not-ssh", "gateway-banner")
    assert "a web server answers" in diagnosis.finding("gateway-not-ssh")["title"]


def test_captive_portal(tmp_path, found):
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\n\r\n"
    with serving(lambda connection: connection.sendall(answer)) as port:
        diagnosis = run_doctor(*toward(port, tmp_path), home=tmp_path)
    fault = "a captive portal at the port"
    found(diagnosis, fault, "gateway-captive-portal", "gateway-banner")


def test_silent_port(tmp_path, found):
    with serving(until_closed) as port:
        words = [*toward(port, tmp_path), "--connect-timeout", "2"]
        diagnosis = run_doctor(*words, home=tmp_path)
    found(diagnosis, "port that says nothing", "gateway-silent-port", "gateway-banner")


def test_closes_at_once(tmp_path, found):
    with serving(lambda _: None) as port:
        diagnosis = run_doctor(*toward(port, tmp_path), home=tmp_path)
    fault = "port that closes at once"
    found(diagnosis, fault, "gateway-closes-at-once", "gateway-banner")


def test_protocol_1(tmp_path, found):
    with serving(lambda connection: connection.sendall(b"SSH-1.5-OpenSSH_1.2\n")) as port:
        diagnosis = run_doctor(*toward(port, tmp_path), home=tmp_path)
    found(diagnosis, "server of protocol 1", "gateway-protocol-1", "gateway-banner")


def test_max_startups(tmp_path, found):
    with (
        Sshd(tmp_path, MaxStartups="1:100:1") as sshd,
        socket.create_connection((sshd.host, sshd.port), 10) as waiting,
    ):
        assert waiting.recv(4) == b"SSH-"
        diagnosis = run_doctor(*sshd_arguments(sshd, tmp_path), home=tmp_path)
    found(diagnosis, "MaxStartups exceeded", "gateway-max-startups", "gateway-banner")


@pytest.mark.parametrize(
    ("command", "code", "stage"),
    [
        ("echo no way out >&2; exit 1", "proxy-command-ended", "gateway-banner"),
        ("/nonexistent/program %h", "proxy-command-ended", "gateway-banner"),
    ],
)
def test_proxy_command(tmp_path, found, command, code, stage):
    words = toward(22, tmp_path, f"ProxyCommand {command}", host="gw")
    diagnosis = run_doctor(*words, home=tmp_path)
    found(diagnosis, f"ProxyCommand {command}", code, stage)


# --- algorithms ---


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"Ciphers": "aes256-cbc"}, "no-common-cipher"),
        ({"KexAlgorithms": "diffie-hellman-group14-sha1"}, "no-common-kex"),
        ({"Ciphers": "aes256-ctr", "MACs": "umac-64@openssh.com"}, "no-common-mac"),
    ],
)
def test_nothing_in_common(tmp_path, found, options, code):
    with Sshd(tmp_path, **options) as sshd:
        diagnosis = run_doctor(*sshd_arguments(sshd, tmp_path), home=tmp_path)
    fault = "server with " + ", ".join(f"{word} {value}" for word, value in options.items())
    found(diagnosis, fault, code, "gateway-algorithms")
    (offered,) = (
        each["value"]
        for each in diagnosis.finding(code)["evidence"]
        if each["what"] == "the server offers"
    )
    assert offered == list(options.values())[-1]


def test_no_host_key_in_common(tmp_path, found):
    with Sshd(tmp_path, host_keys=("rsa",), HostKeyAlgorithms="ssh-rsa") as sshd:
        diagnosis = run_doctor(*sshd_arguments(sshd, tmp_path), home=tmp_path)
    fault = "server with host keys of type ssh-rsa alone"
    found(diagnosis, fault, "no-common-host-key", "gateway-algorithms")


def test_ciphers_that_netkit_lacks(tmp_path, found):
    words = toward(closed_port(), tmp_path, "Ciphers 3des-cbc")
    with Sshd(tmp_path) as sshd:
        words[0] = f"{sshd.user}@{sshd.host}:{sshd.port}"
        diagnosis = run_doctor(*words, home=tmp_path)
    fault = "ssh_config allows only 3des-cbc"
    found(diagnosis, fault, "no-usable-algorithm", "gateway-algorithms")


def test_without_strict_key_exchange(tmp_path, record_property, monkeypatch):
    monkeypatch.setattr(
        asyncssh.connection.SSHServerConnection, "_get_extra_kex_algs", lambda _: []
    )
    with AsyncsshServer(tmp_path) as server:
        words = toward(
            server.port,
            tmp_path,
            f"UserKnownHostsFile {server.known_hosts()}",
            f"IdentityFile {server.client_key}",
        )
        diagnosis = run_doctor(*words, home=tmp_path)
    code = "strict-kex-missing"
    expect(record_property, diagnosis, "server without strict key exchange", {code})
    assert diagnosis.status("gateway-login") == "ran"
    assert diagnosis.code == 0


def test_ends_in_the_key_exchange(tmp_path, found):
    with serving(lambda connection: connection.sendall(b"SSH-2.0-Gone_1.0\r\n")) as port:
        diagnosis = run_doctor(*toward(port, tmp_path), home=tmp_path)
    fault = "server that ends in the key exchange"
    found(diagnosis, fault, "key-exchange-closed", "gateway-algorithms")


def test_large_packets_are_lost(tmp_path, found, cable):
    client, server = cable
    server.nft(
        "table ip t {\n chain in {\n  type filter hook input priority 0\n"
        "  meta length > 600 drop\n }\n chain out {\n  type filter hook output priority 0\n"
        "  meta length > 600 drop\n }\n}\n"
    )
    with Sshd(tmp_path, host=SERVER, prefix=server.prefix) as sshd:
        words = [*sshd_arguments(sshd, tmp_path), "--connect-timeout", "3"]
        diagnosis = run_doctor(*words, home=tmp_path, prefix=client.prefix)
    code = "key-exchange-stalled"
    found(diagnosis, "packets of more than 600 bytes are lost", code, "gateway-algorithms")


# --- host key ---


def test_unknown_host_key(tmp_path, found):
    with Sshd(tmp_path) as sshd:
        diagnosis = run_doctor(*sshd_arguments(sshd, tmp_path, known=False), home=tmp_path)
        found(diagnosis, "host key unknown", "host-key-unknown", "gateway-host-key")
        listed = fingerprint(sshd.host_key_files[0])
        assert listed in diagnosis.finding("host-key-unknown")["title"]
        accept = diagnosis.finding("host-key-unknown")["fixes"][1]["argv"]
        assert accept[-2:] == ["--host-key", "accept-new"]


def test_changed_host_key(tmp_path, found):
    with Sshd(tmp_path) as sshd:
        words = sshd_arguments(sshd, tmp_path)
        other = make_key(tmp_path / "other")
        known = sshd.dir / "known_hosts"
        known.write_text(f"# ours\n[127.0.0.1]:{sshd.port} {public_line(other)}\n")
        diagnosis = run_doctor(*words, home=tmp_path)
    code = "host-key-changed"
    found(diagnosis, "host key changed", code, "gateway-host-key")
    title = diagnosis.finding(code)["title"]
    assert f"{known}:2 holds {fingerprint(other)}" in title
    assert fingerprint(sshd.host_key_files[0]) in title
    forget = f"ssh-keygen -R '[127.0.0.1]:{sshd.port}' -f {known}"
    assert forget in commands(diagnosis, code)


def fingerprint(key: Path) -> str:
    argv = ["ssh-keygen", "-l", "-f", f"{key}.pub"]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()[1]


def test_revoked_host_key(tmp_path, found):
    with Sshd(tmp_path) as sshd:
        words = sshd_arguments(sshd, tmp_path)
        known = sshd.dir / "known_hosts"
        known.write_text(f"@revoked * {sshd.host_key()}\n{known.read_text()}")
        diagnosis = run_doctor(*words, home=tmp_path)
    found(diagnosis, "host key revoked", "host-key-revoked", "gateway-host-key")


def test_expired_host_certificate(tmp_path, found):
    authority, certificate = make_key(tmp_path / "authority"), tmp_path / "host-cert.pub"
    sshd = Sshd(tmp_path, HostCertificate=str(certificate))
    key = sshd.host_key_files[0]
    sign = [
        "ssh-keygen",
        "-q",
        "-s",
        str(authority),
        "-I",
        "gw",
        "-h",
        "-V",
        "-2d:-1d",
        f"{key}.pub",
    ]
    subprocess.run(sign, check=True, capture_output=True)
    key.with_name(f"{key.name}-cert.pub").rename(certificate)
    with sshd:
        words = sshd_arguments(sshd, tmp_path)
        (sshd.dir / "known_hosts").write_text(f"@cert-authority * {public_line(authority)}\n")
        diagnosis = run_doctor(*words, home=tmp_path)
    fault = "host certificate expired"
    found(diagnosis, fault, "host-certificate-invalid", "gateway-host-key")


def test_damaged_line_about_the_gateway(tmp_path, record_property):
    with Sshd(tmp_path) as sshd:
        words = sshd_arguments(sshd, tmp_path)
        known = sshd.dir / "known_hosts"
        known.write_text(known.read_text()[:-20] + "\n")
        diagnosis = run_doctor(*words, home=tmp_path)
        code = "known-hosts-entry-damaged"
        hidden = {"host-key-unknown", "gateway-login"}
        fault = "known_hosts: the gateway's line is damaged"
        expect(record_property, diagnosis, fault, {code}, hidden=hidden)
        assert diagnosis.code == 1
        assert diagnosis.finding(code)["subject"] == f"{known}:1"
        subprocess.run(diagnosis.finding(code)["fixes"][0]["argv"], check=True)
        assert known.read_text() == ""
        assert run_doctor(*words, home=tmp_path).codes() == {"host-key-unknown"}


def test_damaged_line_about_another_host(tmp_path, record_property):
    with Sshd(tmp_path) as sshd:
        words = sshd_arguments(sshd, tmp_path)
        known = sshd.dir / "known_hosts"
        known.write_text(f"elsewhere ssh-ed25519 AAAA\n{known.read_text()}")
        diagnosis = run_doctor(*words, home=tmp_path)
    fault = "known_hosts: a line about another host is damaged"
    expect(record_property, diagnosis, fault, {"known-hosts-damaged"})
    assert diagnosis.status("gateway-login") == "ran"
    assert diagnosis.code == 0


# --- configuration and jump hosts ---


def test_error_in_ssh_config(tmp_path, found):
    words = toward(22, tmp_path, "Host gw", "  Prot 22")
    diagnosis = run_doctor(*words, home=tmp_path)
    found(diagnosis, "ssh_config: unknown option", "ssh-config-error", "gateway-config")
    assert diagnosis.finding("ssh-config-error")["subject"] == f"{words[-1]}:2"
    assert commands(diagnosis, "ssh-config-error") == [f"sed -n 2p {words[-1]}"]


@pytest.mark.parametrize(
    "junk",
    [os.urandom(3_000_000), b"a" * 3_000_000, "Host gw\n".encode("utf-16")],
    ids=["random", "one line", "utf-16"],
)
def test_junk_for_ssh_config(tmp_path, found, junk):
    config = tmp_path / "junk"
    config.write_bytes(junk)
    diagnosis = run_doctor("me@127.0.0.1", "-F", str(config), home=tmp_path)
    fault = f"ssh_config: {len(junk)} bytes of junk"
    found(diagnosis, fault, "ssh-config-error", "gateway-config")


def test_ssh_config_that_others_can_change(tmp_path, found):
    directory = tmp_path / ".ssh"
    directory.mkdir(mode=0o700)
    (directory / "config").write_text("Host gw\n")
    (directory / "config").chmod(0o666)
    # ssh looks in the home directory of the user's entry, whatever $HOME says
    prefix = in_place("/etc/passwd", f"root:x:0:0:root:{tmp_path}:/bin/sh\n", tmp_path)
    diagnosis = run_doctor("me@gw", home=tmp_path, prefix=prefix)
    fault = "ssh_config: others can change it"
    found(diagnosis, fault, "ssh-config-not-private", "gateway-config")


def test_jump_host_refuses(tmp_path, found):
    jump = closed_port()
    words = [*toward(22, tmp_path, host="inside"), "-J", f"me@127.0.0.1:{jump}"]
    diagnosis = run_doctor(*words, home=tmp_path)
    found(diagnosis, "jump host: port closed", "gateway-refused", "gateway-tcp")
    finding = diagnosis.finding("gateway-refused")
    assert finding["subject"] == f"127.0.0.1:{jump}"
    assert finding["title"].startswith(f"127.0.0.1:{jump} (jump host 127.0.0.1) refuses")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"AllowTcpForwarding": "no"}, "jump-forwarding-prohibited"),
        ({}, "jump-target-unreachable"),
    ],
)
def test_jump_host_does_not_connect_on(tmp_path, found, options, code):
    with Sshd(tmp_path, **options) as sshd:
        jump, *config = sshd_arguments(sshd, tmp_path)
        words = [f"me@127.0.0.1:{closed_port()}", *config, "-J", jump]
        diagnosis = run_doctor(*words, home=tmp_path)
    found(diagnosis, f"jump host {options or 'whose target refuses'}", code, "gateway-tcp")
    assert f"The jump host {sshd.host}" in diagnosis.finding(code)["title"]


def test_host_key_of_the_jump_host_unknown(tmp_path, found):
    with Sshd(tmp_path) as sshd:
        jump, *config = sshd_arguments(sshd, tmp_path, known=False)
        diagnosis = run_doctor("me@inside", *config, "-J", jump, home=tmp_path)
    code = "host-key-unknown"
    found(diagnosis, "jump host: host key unknown", code, "gateway-host-key")
    name = f"[{sshd.host}]:{sshd.port} (jump host {sshd.host})"
    assert name in diagnosis.finding(code)["title"]


def test_jump_host_does_not_know_us(tmp_path, found):
    with Sshd(tmp_path) as sshd:
        jump, *config = sshd_arguments(sshd, tmp_path)
        sshd.authorized_keys.write_text("")
        diagnosis = run_doctor("me@inside", *config, "-J", jump, home=tmp_path)
    code = "key-not-authorized"
    found(diagnosis, "jump host: key not authorised", code, "gateway-login")
    assert f"jump host {sshd.host}" in diagnosis.finding(code)["title"]
