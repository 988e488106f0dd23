from __future__ import annotations

import contextlib
import http.client
import importlib.util
import socket

import pytest

from netkit.errors import BindError, UsageError
from netkit.events import State
from netkit.model import Endpoint
from netkit.observe.fleet import Fleet
from netkit.observe.metrics import Exporter, parse_address
from support.watched import SaysOfItself, view

ANY_PORT = Endpoint("127.0.0.1", 0)


def ask(where: Endpoint, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(where.host, where.port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()


def test_health_is_that_of_all_tunnels():
    fleet = Fleet()
    office, home = SaysOfItself(), SaysOfItself(view(State.WAITING, reason="no route to host"))
    fleet.add("office").attach(office)
    fleet.add("home").attach(home)
    exporter = Exporter(fleet, ANY_PORT)
    exporter.begin()
    try:
        (where,) = exporter.addresses
        assert ask(where, "/healthz") == (503, "home: waiting: no route to host\n")
        home.shown = view()
        assert ask(where, "/healthz") == (200, "ok\n")
        status, page = ask(where, "/metrics")
        assert status == 200
        assert 'netkit_tunnel_up{tunnel="home"} 1.0' in page
    finally:
        exporter.end()


def test_nothing_is_not_healthy():
    exporter = Exporter(Fleet(), ANY_PORT)
    exporter.begin()
    try:
        assert ask(exporter.addresses[0], "/healthz") == (503, "no tunnel\n")
    finally:
        exporter.end()


def test_the_last_tunnel_ends_it():
    exporter = Exporter(Fleet(), ANY_PORT)
    exporter.begin()
    exporter.begin()
    (where,) = exporter.addresses
    exporter.end()
    assert ask(where, "/healthz")[0] == 503
    exporter.end()
    with pytest.raises(ConnectionRefusedError):
        ask(where, "/healthz")


def test_both_loopback_addresses_share_a_port():
    exporter = Exporter(Fleet(), Endpoint("", 0))
    exporter.begin()
    try:
        assert {each.port for each in exporter.addresses} == {exporter.addresses[0].port}
        assert exporter.addresses[0].host == "127.0.0.1"
    finally:
        exporter.end()


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = Endpoint("127.0.0.1", other.getsockname()[1])
        with pytest.raises(BindError) as caught:
            Exporter(Fleet(), taken, "up").begin()
    assert caught.value.exit_code == 7
    assert caught.value.code == "metrics-address-in-use"
    assert str(taken) in caught.value.summary
    assert caught.value.fixes[0].argv == ("netkit", "up", "...", "--metrics", "127.0.0.1:0")


def test_an_address_that_is_not_ours():
    with pytest.raises(BindError) as caught:
        Exporter(Fleet(), Endpoint("192.0.2.1", 0)).begin()
    assert caught.value.code == "metrics-bind-failed"


def test_without_the_library(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(UsageError) as caught:
        Exporter(Fleet(), ANY_PORT).begin()
    assert caught.value.fixes[0].argv == ("pip", "install", "netkit-tunnel[metrics]")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("127.0.0.1:9273", Endpoint("127.0.0.1", 9273)),
        ("[::1]:9273", Endpoint("::1", 9273)),
        ("localhost:0", Endpoint("localhost", 0)),
        ("9273", Endpoint("", 9273)),
        ("127.9.9.9:1", Endpoint("127.9.9.9", 1)),
    ],
)
def test_addresses(text: str, where: Endpoint):
    assert parse_address(text, expose=False) == where


@pytest.mark.parametrize("text", ["0.0.0.0:9273", "*:9273", ":9273", "192.0.2.1:1", "gw:1"])
def test_what_other_machines_reach_is_asked_for(text: str):
    with pytest.raises(UsageError) as caught:
        parse_address(text, expose=False, command="up")
    assert caught.value.code == "metrics-needs-expose"
    assert caught.value.fixes[0].argv == ("netkit", "up", "...", "--expose")
    assert parse_address(text, expose=True).port in {1, 9273}


@pytest.mark.parametrize(
    "text", ["", "127.0.0.1", "/run/x", "127.0.0.1:99999", "a\nb:1", "x" * 999]
)
def test_what_is_no_address(text: str):
    with pytest.raises(UsageError) as caught:
        parse_address(text, expose=True)
    assert caught.value.code == "bad-address"
    assert caught.value.summary.startswith("--metrics")
