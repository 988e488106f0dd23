"""`netkit doctor` as a whole: a healthy machine, its documents, its codes, Ctrl-C, other packages.

    pytest tests/integration/test_doctor_command.py

What it finds is shown in tests/integration/faults.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from netkit.cli.main import run
from support.doctor import Diagnosis, run_doctor, sshd_arguments
from support.sshd import Sshd

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs/doctor.schema.json").read_text())


def conforms(document: dict[str, Any]) -> None:
    """Assert that a document is what docs/doctor.schema.json promises."""
    jsonschema.Draft202012Validator(SCHEMA).validate(document)


def cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_a_healthy_machine(tmp_path, record_property):
    before, began = cpu_of_children(), time.monotonic()
    diagnosis = run_doctor(home=tmp_path)
    wall, cpu = time.monotonic() - began, cpu_of_children() - before
    record_property("healthy-machine", f"{wall:.2f} s, {cpu:.2f} s of CPU time")
    assert diagnosis.codes() == set()
    assert diagnosis.document["unknowns"] == []
    assert diagnosis.document["hidden"] == []
    assert diagnosis.code == 0
    conforms(diagnosis.document)


def test_documents_conform_to_the_published_schema(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken, Sshd(tmp_path) as sshd:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        arguments = sshd_arguments(sshd, tmp_path)
        faulty = run_doctor("--bind", bind, "--to", "web:80", *arguments, home=tmp_path)
        unknown = run_doctor(*sshd_arguments(sshd, tmp_path, known=False), home=tmp_path)
    lost = run_doctor("me@127.0.0.1:1", "-F", "none", "--redact", home=tmp_path)
    for diagnosis in (faulty, unknown, lost):
        conforms(diagnosis.document)
        assert diagnosis.document["exit_code"] == diagnosis.code
    assert "port-taken" in faulty.codes()
    assert lost.codes() == {"gateway-refused"}


def test_every_code_is_explained(capsys):
    assert run(["doctor", "--list-checks", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["checks"]
    codes = [code for check in listed for code in check["finds"]]
    assert len(codes) > 100
    assert len(set(codes)) == len(codes)
    for code in codes:
        assert run(["doctor", "--explain", code]) == 0, code
        text = capsys.readouterr().out
        assert text.startswith(f"## {code}\n")
        assert "**Fix.**" in text or "**Source.**" in text


# --- Ctrl-C ---


def doctor_argv(*arguments: str) -> list[str]:
    """Return a command that SIGINT ends, also where these tests have it ignored."""
    command = [sys.executable, "-m", "netkit", "doctor", "--json", *arguments]
    return ["env", "--default-signal=INT", *command]


def environment(home: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / ".local/state"),
        "PYTHONPATH": str(ROOT),
    }


def test_an_interrupt_shows_what_is_known(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        gateway = f"me@127.0.0.1:{silent.getsockname()[1]}"
        argv = doctor_argv(gateway, "-F", "none", "--connect-timeout", "60")
        with subprocess.Popen(
            argv,
            env=environment(tmp_path),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
        ) as process:
            try:
                accepted, _ = silent.accept()
                with accepted:
                    accepted.recv(4096)  # its greeting, which is never answered
                    process.send_signal(signal.SIGINT)
                    began = time.monotonic()
                    out, err = process.communicate(timeout=20)
            finally:
                process.kill()
    assert time.monotonic() - began < 6
    document = json.loads(out)
    conforms(document)
    assert process.returncode == document["exit_code"] == 130
    assert document["interrupted"] is True
    assert b"Traceback" not in err
    checks = {each["code"]: each["status"] for each in document["checks"]}
    assert checks["loopback"] == "ran"
    assert checks["gateway-login"] != "ran"


# --- checks of other packages ---

_CHECK = """
from dataclasses import dataclass
from diagnostics.model import Check, Finding, Kind, Severity

@dataclass(frozen=True, slots=True)
class Facts:
    os: str

def probe(target, system):
    return Facts(system.os)

def judge(facts):
    return (
        Finding(
            code="tea-cold",
            severity=Severity.WARNING,
            title=f"The tea on this {facts.os} machine is cold",
        ),
    )

CHECK = Check(
    code="tea",
    title="the tea",
    probe=probe,
    judge=judge,
    finds=(Kind("tea-cold", "the tea is cold", docs="## tea-cold\\n\\nIt was left too long.\\n"),),
)
"""


@pytest.fixture
def installed(tmp_path):
    """Install a package that offers a check; returns the variables that make it known."""

    def install(module: str) -> dict[str, str]:
        site = tmp_path / "site"
        info = site / "netkit_tea-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: netkit-tea\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[netkit.checks]\ntea = netkit_tea:CHECK\n")
        (site / "netkit_tea.py").write_text(module)
        return {"PYTHONPATH": f"{site}:{ROOT}"}

    return install


def test_a_check_of_another_package_runs(tmp_path, installed):
    env = installed(_CHECK)
    diagnosis = run_doctor(home=tmp_path, env=env)
    assert diagnosis.codes() == {"tea-cold"}
    assert diagnosis.status("tea") == "ran"
    conforms(diagnosis.document)
    alone: Diagnosis = run_doctor("--only", "tea-cold", home=tmp_path, env=env)
    assert {each["code"] for each in alone.document["checks"] if each["status"] == "ran"} == {"tea"}
    explained = run_doctor("--explain", "tea-cold", home=tmp_path, env=env)
    assert "left too long" in explained.document["text"]


@pytest.mark.parametrize(
    "module", ["raise SystemError('no tea')", "CHECK = 1", "import nothing_of_that_name"]
)
def test_a_broken_package_harms_no_other_check(tmp_path, installed, module):
    diagnosis = run_doctor(home=tmp_path, env=installed(module))
    assert diagnosis.codes() == {"plugin-broken"}
    assert "netkit-tea" in diagnosis.finding("plugin-broken")["title"]
    assert diagnosis.status("loopback") == "ran"


def test_what_is_not_mended_is_shown_with_a_command_that_can_be_typed(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        forward = f"127.0.0.1:{taken.getsockname()[1]}:web:80"
        words = ["--for", "forward", "nobody@127.0.0.1:1", "-L", forward]
        assert run(["doctor", "--verify", "port-taken", *words]) == 1
    out = capsys.readouterr().out
    assert "fix:  netkit forward nobody@127.0.0.1:1 -L 127.0.0.1:" in out
    assert "..." not in out
