"""Metrics, the access log and the notify protocol of a real tunnel, as their readers see them."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support import targets, tunnels
from support.cli import environment, process
from support.forwarding import Forwarding, gateway_options, netkit_forward
from support.tunnels import TestGateway
from support.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestGateway]:
    with tunnels.start("sshd", tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


def read(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def samples(page: str) -> dict[str, float]:
    """Return the sum of every metric's samples."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


def test_what_a_tunnel_says_of_itself(gateway: TestGateway, tmp_path: Path):
    log, manager = tmp_path / "access.log", tmp_path / "notify"
    with (
        targets.echo() as echo,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd,
        socket.create_server(("127.0.0.1", 0)) as closed,
    ):
        systemd.bind(str(manager))
        systemd.settimeout(20)
        nobody = closed.getsockname()[1]
        closed.close()
        forwards = ("-L", f"127.0.0.1:0:127.0.0.1:{echo.port}", "-L", f"0:127.0.0.1:{nobody}")
        watch = ("--metrics", "127.0.0.1:0", "--access-log", str(log))
        argv = ("forward", *gateway_options(gateway, tmp_path), *forwards, *watch)
        with process(
            ["-m", "netkit", *argv],
            home=tmp_path,
            env=environment(tmp_path, NOTIFY_SOCKET=str(manager)),
        ) as started:
            cli = Forwarding(started)
            cli.wait_for_lines(2)
            wait_until(lambda: "/metrics" in cli.stderr)
            url = re.search(r"http://127\.0\.0\.1:\d+", cli.stderr)
            assert url is not None, cli.stderr
            while systemd.recv(4096) != b"READY=1":
                pass
            assert read(f"{url[0]}/healthz") == (200, "ok\n")

            host, _, port = cli.addresses[0].rpartition(":")
            with socket.create_connection((host, int(port)), timeout=10) as flow:
                flow.sendall(b"x" * 1000)
                tunnels.read_exactly(flow, 1000)
                page = samples(read(f"{url[0]}/metrics")[1])
                assert page["netkit_flows_open"] == 1
                assert page["netkit_bytes_total"] == 2000  # of a flow that is still open
            dead = int(cli.addresses[1].rpartition(":")[2])
            with (
                contextlib.suppress(ConnectionResetError),  # it may be that quick
                socket.create_connection(("127.0.0.1", dead), timeout=10) as refused,
            ):
                assert tunnels.outcome(refused) == "reset"
            wait_until(lambda: log.exists() and log.read_text().count("\n") == 2)

            page = samples(read(f"{url[0]}/metrics")[1])
            assert page["netkit_tunnel_up"] == page["netkit_link_up"] == 1
            assert page["netkit_flows_open"] == 0
            assert page["netkit_flows_closed_total"] == page["netkit_flows_failed_total"] == 1
            assert page["netkit_bytes_total"] == 2000
            assert page["process_open_fds"] > 0
            assert cli.stop() == 0
        while systemd.recv(4096) != b"STOPPING=1":
            pass
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {line["ended"] for line in lines} > {"clean"}
    (clean,) = [line for line in lines if line["ended"] == "clean"]
    assert (clean["bytes_to_gateway"], clean["bytes_from_gateway"]) == (1000, 1000)
    assert log.stat().st_mode & 0o777 == 0o600


def test_health_while_the_gateway_is_away(tmp_path: Path):
    with (
        tunnels.start("sshd", tmp_path) as gateway,
        netkit_forward(
            gateway, "-D", "127.0.0.1:0", "--metrics", "127.0.0.1:0", home=tmp_path
        ) as cli,
    ):
        wait_until(lambda: "/metrics" in cli.stderr)
        url = re.search(r"http://127\.0\.0\.1:\d+", cli.stderr)
        assert url is not None
        assert read(f"{url[0]}/healthz")[0] == 200
        gateway.server.stop()
        wait_until(lambda: read(f"{url[0]}/healthz")[0] == 503)
        assert "waiting" in read(f"{url[0]}/healthz")[1]
        page = samples(read(f"{url[0]}/metrics")[1])
        assert page["netkit_tunnel_up"] == 0
        cli.stop()
