"""The command line of the doctor, on machines made of answers and on this one."""

from __future__ import annotations

import json

import pytest

from netkit.cli.main import run
from netkit.cli.services import Services
from netkit.model import Hop, Keepalive, Plan
from support.doctor import run_doctor
from support.machine import FakeSystem
from support.profiles import OFFICE


def doctor(capsys, *arguments: str, system: FakeSystem | None = None) -> tuple[int, str, str]:
    services = Services(
        plan=lambda spec: Plan(hops=(), forwards=spec.forwards),
        machine=lambda spec, **_more: system or FakeSystem(),
    )
    code = run(["doctor", *arguments], services)
    out = capsys.readouterr()
    return code, out.out, out.err


def test_a_healthy_machine_is_one_line(capsys):
    code, out, err = doctor(capsys)
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == 1
    assert "nothing wrong" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--explain", "port-takn"], "did you mean port-taken"),
        (["--only", "nonsense"], "no check or finding 'nonsense'"),
        (["--nat"], "--nat needs a gateway"),
        (["gw", "--budget", "9"], "--budget belongs to --nat"),
        (["--for", "nonsense"], "no such thing to examine"),
        (["--for", "forward"], "names no forward"),
        (["--json", "--markdown"], "exclude each other"),
        (["--fix", "--json"], "--fix asks"),
        (["gw", "--replay", "x"], "--replay goes with none"),
        (["--replay", "/nonexistent"], "cannot be read"),
        (["-L", "nonsense"], "nonsense"),
        (["--only", ","], "a code is expected"),
    ],
)
def test_wrong_input_is_explained(capsys, arguments, words):
    code, out, err = doctor(capsys, *arguments)
    assert code == 2
    assert words in err
    assert out == "" or json.loads(out)["exit_code"] == 2


def test_explain_and_list(capsys):
    assert doctor(capsys, "--explain", "port-taken")[1].startswith("## port-taken\n")
    assert "port-taken: a program listens there" in doctor(capsys, "--list-checks")[1]
    listed = json.loads(doctor(capsys, "--list-checks", "--json")[1])
    assert any("port-taken" in check["finds"] for check in listed["checks"])
    assert json.loads(doctor(capsys, "--explain", "port-taken", "--json")[1])["text"]


def test_dry_run_says_what_would_be_done(capsys):
    _, out, _ = doctor(capsys, "--dry-run", "--skip", "loopback")
    assert "loopback               not run: left out on request" in out
    assert "port-in-use            not run: no forward listens on this machine" in out


def test_markdown_and_redact(capsys):
    assert doctor(capsys, "--markdown")[1].startswith("# netkit doctor\n")


def test_the_real_command_finds_a_taken_port_and_the_next(tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        told = run_doctor(
            "--for", "forward", "--bind", f"127.0.0.1:{port}", "--to", "ts:3389", home=tmp_path
        )
    assert told.code == 1
    assert told.codes() == {"port-taken"}
    assert "process" in told.finding("port-taken")["title"]
    assert told.finding("port-taken")["fixes"][0]["argv"][:2] == ["netkit", "forward"]


def test_a_recording_gives_the_same_report(tmp_path):
    file = tmp_path / "machine.json"
    first = run_doctor("--record", str(file), home=tmp_path)
    assert file.stat().st_mode & 0o777 == 0o600
    second = run_doctor("--replay", str(file), home=tmp_path)
    assert first.code == second.code == 0
    assert first.document["findings"] == second.document["findings"]


def test_redact_runs_for_real(tmp_path):
    assert run_doctor("--redact", home=tmp_path).code == 0


class TestProfile:
    @pytest.fixture
    def specs(self, monkeypatch, tmp_path):
        """Yields the tunnels that were examined."""
        path = tmp_path / "profiles.toml"
        path.write_text(OFFICE)
        monkeypatch.setenv("NETKIT_PROFILES", str(path))
        monkeypatch.setattr("netkit.secrets.recall", {"office": "hush"}.get)
        return []

    @staticmethod
    def run(specs, *arguments):
        def machine(spec, *, password, **_more):
            specs.extend((spec, password))
            return FakeSystem()

        def plan(spec):
            return Plan(hops=(Hop(alias="gw", host="gw"),), forwards=spec.forwards)

        services = Services(plan=plan, machine=machine, recall=lambda _plan: None)
        return run(["doctor", *arguments], services)

    def test_its_gateway_and_forwards_are_examined(self, specs):
        self.run(specs, "office", "--only", "loopback")
        assert specs[0].gateway.host == "gw.example"
        assert len(specs[0].forwards) == 2
        assert specs[1] == "hush"
        assert specs[0].keepalive == Keepalive(30.0, 3)  # as auto decides here

    def test_forwards_that_are_said_take_their_place(self, specs):
        self.run(specs, "office", "-D", "9", "--only", "loopback", "--keepalive", "7")
        assert [str(each) for each in specs[0].forwards] == ["9"]
        assert specs[0].keepalive == Keepalive(7.0, 3)

    def test_without_a_gateway_the_default_is_not_meant(self, specs):
        self.run(specs, "--only", "loopback")
        assert specs == [None, None]
