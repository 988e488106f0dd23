"""Why an address could not be bound: code, cause, remedy."""

from __future__ import annotations

import errno
import os
import socket

import psutil
import pytest

from netkit.engine.bind_errors import explain
from netkit.model import Endpoint, Fix, ForwardKind, ForwardSpec, UnixPath

HERE = Endpoint("127.0.0.1", 4000)


def failed(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def proposed_port(fix: Fix) -> int:
    """Return the port that the proposed command would listen on."""
    where = fix.argv[fix.argv.index("--bind") + 1]
    return int(where.rpartition(":")[2])


def test_taken_port_names_its_holder_and_a_free_one():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = explain(Endpoint("127.0.0.1", port), failed(errno.EADDRINUSE))
        assert error.code == "bind-address-in-use"
        assert error.exit_code == 7
        assert f"127.0.0.1:{port}" in error.summary
        assert f"process {os.getpid()}" in error.cause
        (fix,) = error.fixes
        assert fix.argv[:4] == ("netkit", "forward", "...", "--bind")
        other = int(fix.argv[4].rpartition(":")[2])
        assert other not in {0, port}
        assert str(other) in fix.note
        with socket.create_server(("127.0.0.1", other)):
            pass


@pytest.mark.parametrize("wildcard", ["0.0.0.0", "::"])
def test_holder_of_a_wildcard_counts(wildcard: str, monkeypatch):
    family = socket.AF_INET6 if ":" in wildcard else socket.AF_INET
    with socket.create_server((wildcard, 0), family=family) as taken:
        port = taken.getsockname()[1]
        error = explain(Endpoint("127.0.0.1", port), failed(errno.EADDRINUSE))
    assert f"process {os.getpid()}" in error.cause


def test_holder_that_may_not_be_known(monkeypatch):
    def denied(**_more):
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "net_connections", denied)
    assert explain(HERE, failed(errno.EADDRINUSE)).cause == "another process listens there"


def test_holder_of_another_user(monkeypatch):
    class Listening:
        status = psutil.CONN_LISTEN
        laddr = type("Address", (), {"ip": "127.0.0.1", "port": 4000})
        pid = None

    monkeypatch.setattr(psutil, "net_connections", lambda **_more: [Listening])
    assert "another user" in explain(HERE, failed(errno.EADDRINUSE)).cause


def test_holder_that_is_gone_by_now(monkeypatch):
    class Listening:
        status = psutil.CONN_LISTEN
        laddr = type("Address", (), {"ip": "127.0.0.1", "port": 4000})
        pid = 999_999_999

    monkeypatch.setattr(psutil, "net_connections", lambda **_more: [Listening])
    assert "999999999" in explain(HERE, failed(errno.EADDRINUSE)).cause


def test_privileged_port_proposes_one_above():
    error = explain(Endpoint("127.0.0.1", 80), failed(errno.EACCES))
    assert error.code == "bind-privileged-port"
    assert int(error.fixes[0].argv[4].rpartition(":")[2]) >= 1024


def test_the_forward_itself_is_proposed_at_a_port_that_is_free_on_both_loopbacks(monkeypatch):
    forward = ForwardSpec(
        ForwardKind.LOCAL, Endpoint("", 4000), Endpoint("db", 5432), "4000:db:5432"
    )
    taken = {("127.0.0.1", 4000), ("::1", 4001)}

    def bound(host: str, port: int) -> socket.socket:
        if (host, port) in taken:
            raise failed(errno.EADDRINUSE)
        return socket.socket()

    monkeypatch.setattr("netkit.engine.bind_errors._bound", bound)
    (fix,) = explain(HERE, failed(errno.EADDRINUSE), forward=forward).fixes
    assert fix.argv == ("netkit", "forward", "...", "-L", "4002:db:5432")


def test_no_free_port_leaves_the_choice_to_the_system(monkeypatch):
    def bound(_host: str, _port: int) -> socket.socket:
        raise failed(errno.EADDRINUSE)

    monkeypatch.setattr("netkit.engine.bind_errors._bound", bound)
    (fix,) = explain(HERE, failed(errno.EADDRINUSE)).fixes
    assert fix.argv[-1] == "127.0.0.1:0"
    assert "system" in fix.note


def test_forbidden_port_above(monkeypatch):
    assert explain(HERE, failed(errno.EACCES)).code == "bind-denied"
    monkeypatch.setattr("netkit.engine.bind_errors.sys.platform", "win32")
    assert explain(Endpoint("127.0.0.1", 80), failed(errno.EACCES)).code == "bind-denied"


def test_address_of_no_interface():
    error = explain(Endpoint("192.0.2.1", 80), failed(errno.EADDRNOTAVAIL))
    assert error.code == "bind-address-unavailable"
    assert "no interface" in error.cause


def test_macos_needs_an_alias(monkeypatch):
    monkeypatch.setattr("netkit.engine.bind_errors.sys.platform", "darwin")
    error = explain(Endpoint("127.0.0.2", 3389), failed(errno.EADDRNOTAVAIL))
    (fix,) = error.fixes
    assert fix.argv == ("sudo", "ifconfig", "lo0", "alias", "127.0.0.2", "up")
    assert fix.needs_admin
    other = explain(Endpoint("192.0.2.1", 1), failed(errno.EADDRNOTAVAIL))
    assert not [each for each in other.fixes if "alias" in each.argv]


@pytest.mark.parametrize(("host", "family"), [("::1", "IPv6"), ("127.0.0.1", "IPv4")])
def test_half_a_bind_names_the_family(host: str, family: str):
    other = "127.0.0.1" if host == "::1" else "::1"
    error = explain(Endpoint(host, 4000), failed(errno.EADDRINUSE), [other])
    assert f"{family} failed; {other} was free" in error.summary


def test_anything_else():
    error = explain(HERE, OSError(errno.ENOBUFS, "No buffer space"))
    assert (error.code, "No buffer space" in error.summary) == ("bind-failed", True)
    assert "strange" in explain(HERE, OSError("strange")).summary


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [
        (errno.EADDRINUSE, "bind-address-in-use", "exists"),
        (errno.ENOENT, "bind-failed", "/no/such"),
        (errno.EACCES, "bind-failed", ""),
    ],
)
def test_unix_socket(number: int, code: str, word: str):
    error = explain(UnixPath("/no/such/s"), failed(number))
    assert error.code == code
    assert word in error.cause
    assert "/no/such/s" in error.summary
