"""Connecting: addresses side by side, deadlines, options, ProxyCommand."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace

import pytest

from netkit.engine.transport import dial as module
from netkit.engine.transport.dial import Connection, dial
from netkit.errors import GatewayUnreachableError
from netkit.model import Hop
from support import targets

HOP = Hop(alias="g", host="127.0.0.1", connect_timeout=5)


def error_of(hop: Hop, **options) -> GatewayUnreachableError:
    with pytest.raises(GatewayUnreachableError) as caught:
        dial(hop, **options).close()
    return caught.value


def resolves(monkeypatch, *addresses: tuple[str, int]) -> None:
    """Make every name resolve to these addresses."""

    def answer(host, port, *rest):
        return [
            (
                socket.AF_INET6 if ":" in ip else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (ip, at or port, 0, 0) if ":" in ip else (ip, at or port),
            )
            for ip, at in addresses
        ]

    monkeypatch.setattr(module.socket, "getaddrinfo", answer)


@pytest.fixture
def full_port():
    """A port whose backlog is full: connecting to it gets no answer, as behind a firewall."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        yield listener.getsockname()[1]
        for filler in fillers:
            filler.close()


class TestSuccess:
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    def test_connects_with_our_options(self, host):
        with targets.echo() as target:
            connection = dial(replace(HOP, host=host, port=target.port))
            sock = connection.sock
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert sock.gettimeout() is None
            assert connection.address == f"127.0.0.1:{target.port}"
            connection.close()
            connection.close()

    def test_ipv6(self):
        with targets.echo(host="::1") as target:
            connection = dial(replace(HOP, host="::1", port=target.port))
            assert connection.address == f"[::1]:{target.port}"
            connection.close()

    def test_address_family_is_kept_to(self):
        with targets.echo() as target:
            hop = replace(HOP, host="localhost", port=target.port, address_family="inet")
            dial(hop).close()
            hop = replace(hop, host="127.0.0.1", address_family="inet6")
            assert error_of(hop).code == "name-not-resolved"

    def test_bind_address(self):
        with targets.echo() as target:
            connection = dial(replace(HOP, port=target.port, bind_address="127.0.0.7"))
            assert connection.sock.getsockname()[0] == "127.0.0.7"
            connection.close()

    def test_next_address_after_a_refusal(self, monkeypatch):
        with targets.echo() as target, targets.refuse() as refused:
            resolves(monkeypatch, ("127.0.0.1", refused.port), ("127.0.0.1", target.port))
            connection = dial(replace(HOP, host="two.example"))
            assert connection.address.endswith(f":{target.port}")
            connection.close()

    def test_silent_address_does_not_hold_up_the_next(self, monkeypatch, full_port):
        with targets.echo() as target:
            resolves(monkeypatch, ("127.0.0.1", full_port), ("127.0.0.1", target.port))
            start = time.monotonic()
            dial(replace(HOP, host="two.example")).close()
            assert module.STAGGER * 0.9 < time.monotonic() - start < 3


def test_families_alternate():
    four, six = socket.AF_INET, socket.AF_INET6
    given: list[module._Address] = [
        (six, ("a", 1)),
        (six, ("b", 1)),
        (six, ("c", 1)),
        (four, ("d", 1)),
        (four, ("e", 1)),
    ]
    mixed = [address[0] for _, address in module._interleaved(given)]
    assert mixed == ["a", "d", "b", "e", "c"]


class TestFailure:
    def test_refused(self):
        with targets.refuse() as refused:
            error = error_of(replace(HOP, port=refused.port))
            assert error.code == "connection-refused"
            assert f"127.0.0.1:{refused.port}" in error.summary
            assert error.exit_code == 4
            assert error.fixes[0].argv == ("ssh", "-v", "-p", str(refused.port), "127.0.0.1")

    def test_timed_out(self, full_port):
        start = time.monotonic()
        error = error_of(replace(HOP, port=full_port, connect_timeout=0.3))
        assert error.code == "timed-out"
        assert error.retryable
        assert time.monotonic() - start < 3

    def test_unknown_name(self):
        error = error_of(replace(HOP, host="no-such-host.invalid"))
        assert error.code in {"name-not-resolved", "dns-failed"}
        assert "no-such-host.invalid" in error.summary

    @pytest.mark.parametrize("host", ["x" * 300, "a..b", "", "bad host", "\0", "é" * 70])
    def test_names_that_are_none(self, host):
        assert error_of(replace(HOP, host=host, port=1)).exit_code == 4

    def test_bind_address_of_another_machine(self):
        with targets.echo() as target:
            error = error_of(replace(HOP, port=target.port, bind_address="192.0.2.77"))
            assert error.code == "bind-address-unavailable"

    def test_resolver_that_does_not_answer(self, monkeypatch):
        release = threading.Event()
        monkeypatch.setattr(module.socket, "getaddrinfo", lambda *_: release.wait(20) and [])
        error = error_of(replace(HOP, host="slow.example", connect_timeout=0.2))
        assert error.code == "dns-failed"
        release.set()

    @pytest.mark.parametrize("stage", ["resolve", "connect"])
    def test_cancelling(self, monkeypatch, full_port, stage):
        release = threading.Event()
        if stage == "resolve":
            monkeypatch.setattr(module.socket, "getaddrinfo", lambda *_: release.wait(20) and [])
        cancelled = threading.Event()
        timer = threading.Timer(0.05, cancelled.set)
        timer.start()
        host = "slow.example" if stage == "resolve" else "127.0.0.1"
        hop = replace(HOP, host=host, port=full_port, connect_timeout=60)
        assert error_of(hop, cancelled=cancelled).code == "cancelled"
        release.set()
        timer.join()

    def test_name_without_addresses(self, monkeypatch):
        resolves(monkeypatch)
        assert error_of(replace(HOP, host="none.example")).exit_code == 4


def test_proxy_command_is_the_connection():
    connection = dial(replace(HOP, host="nowhere.invalid", proxy_command="cat"))
    assert isinstance(connection, Connection)
    connection.sock.sendall(b"hello")
    assert connection.sock.recv(100) == b"hello"
    assert connection.address == "cat"
    connection.close()
    connection.close()
