from __future__ import annotations

import json
import socket
import urllib.request
from pathlib import Path

import pytest

from netkit import events
from support.cli import LINK_UP, FakeTunnel, run_cli
from support.watched import closed, opened

WORDS = ("gw", "-D", "127.0.0.1:0")


class Tunnel(FakeTunnel):
    """Up, with a flow that came and went."""

    def wait(self, timeout=None):
        for event in (LINK_UP, opened(), closed()):
            self.observer(event)
        return super().wait(timeout)


def test_an_access_log(tmp_path: Path):
    file = tmp_path / "flows"
    done = run_cli("forward", *WORDS, "--access-log", str(file), tunnel=Tunnel())
    assert done.code == 0
    (line,) = file.read_text().splitlines()
    assert json.loads(line)["tunnel"] == "gw"


def test_an_access_log_that_cannot_be_written_is_said_and_no_failure(tmp_path: Path):
    file = tmp_path / "missing" / "flows"
    done = run_cli("forward", *WORDS, "--access-log", str(file), tunnel=Tunnel())
    assert done.code == 0
    assert done.err.count("the tunnel goes on without it") == 1


def test_metrics_from_before_the_start_to_the_end():
    pages = []

    with socket.create_server(("127.0.0.1", 0)) as found:
        where = f"127.0.0.1:{found.getsockname()[1]}"

    def ask(tunnel: FakeTunnel) -> None:
        tunnel.observer(LINK_UP)
        with urllib.request.urlopen(f"http://{where}/healthz", timeout=10) as page:
            pages.append(page.read())

    done = run_cli("forward", *WORDS, "--metrics", where, tunnel=FakeTunnel(on_start=ask))
    assert done.code == 0, done.err
    assert pages == [b"ok\n"]
    assert f"netkit: metrics are at http://{where}/metrics" in done.err


def test_a_port_that_is_taken_ends_it_before_the_start():
    tunnel = FakeTunnel()
    with socket.create_server(("127.0.0.1", 0)) as other:
        where = f"127.0.0.1:{other.getsockname()[1]}"
        done = run_cli("forward", *WORDS, "--metrics", where, tunnel=tunnel)
    assert done.code == 7
    assert "[metrics-address-in-use]" in done.err
    assert f"next:  netkit forward {' '.join(WORDS)} --metrics 127.0.0.1:0" in done.err
    assert not tunnel.started.is_set()


def test_an_exposed_address_needs_the_word():
    done = run_cli("forward", *WORDS, "--metrics", "0.0.0.0:9273")
    assert done.code == 2
    assert "--metrics 0.0.0.0:9273 --expose" in done.err


def test_nothing_is_begun_by_a_dry_run(tmp_path: Path):
    file = tmp_path / "flows"
    done = run_cli(
        "forward", *WORDS, "--dry-run", "--access-log", str(file), "--metrics", "127.0.0.1:0"
    )
    assert done.code == 0
    assert not file.exists()


def test_the_service_manager_is_told(tmp_path: Path, monkeypatch):
    name = str(tmp_path / "n")
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        manager.settimeout(10)
        assert run_cli("forward", *WORDS, tunnel=Tunnel()).code == 0
        said: list[str] = []
        while not said or said[-1] != "STOPPING=1":
            said.append(manager.recv(4096).decode())
    assert "READY=1" in said


def test_talk_in_json():
    class Noticing(FakeTunnel):
        def start(self):
            super().start()
            self.observer(events.Notice(code="weak", text="a weak cipher"))

    done = run_cli("forward", *WORDS, "--log-format", "json", tunnel=Noticing())
    (line,) = [json.loads(line) for line in done.err.splitlines()]
    assert (line["level"], line["message"], line["code"]) == ("warning", "a weak cipher", "weak")
    assert line["time"].endswith("Z")
    assert done.out.startswith("127.0.0.1:")


def test_an_error_in_json():
    done = run_cli("forward", "gw", "-L", "nonsense", "--log-format=json")
    (line,) = [json.loads(line) for line in done.err.splitlines()]
    assert done.code == 2
    assert (line["level"], line["exit_code"]) == ("error", 2)


@pytest.mark.parametrize(
    "order", [("--log-format", "json", "--debug"), ("--debug", "--log-format", "json")]
)
def test_the_log_in_json(order):
    import logging

    class Logging(FakeTunnel):
        def start(self):
            super().start()
            logging.getLogger("netkit.link").debug("key\n\x1b[2J %s", "exchange")

    done = run_cli("forward", *WORDS, *order, tunnel=Logging())
    lines = [json.loads(line) for line in done.err.splitlines()]
    (line,) = [line for line in lines if line["logger"] == "netkit.link"]
    assert (line["level"], line["message"]) == ("debug", "key\n\x1b[2J exchange")
