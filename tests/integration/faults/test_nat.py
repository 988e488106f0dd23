"""Real NATs that forget: Linux netfilter with a short memory, in three manners.

All nine rigs run side by side, each with a doctor that measures and two tunnels with a remote
forward: one whose keepalive is the recommended one, one whose keepalive is longer than the timeout.
After the measurement somebody at the gateway knocks at both.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.doctor import Diagnosis, expect, run_doctor, sshd_arguments
from support.netns import NatRig, NatVariant, nat_rig
from support.waiting import holds_within

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(400)]

BUDGET = 45
LOAD = 5
TOO_LONG = 100
"""Seconds between keepalives that no NAT here survives, and no test waits for."""

BRACKETS = {5: ("4", "10"), 12: ("10", "15"), 30: ("28", "45")}
"""Timeout of the NAT: the longest silence that is survived, the shortest that is not."""

KEEPALIVES = {5: "2", 12: "5", 30: "14"}
"""What follows from the brackets (`diagnostics.keepalives.interval_for`)."""

_ECHO = """
import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    peer, _ = server.accept()
    peer.sendall(b"echo:" + peer.recv(64))
    peer.close()
"""
_KNOCK = """
import socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=8)
sock.sendall(b"knock")
data = b""
while piece := sock.recv(64):
    data += piece
print(data.decode())
"""
_ROOT = Path(__file__).resolve().parents[3]


def environment(home: Path) -> dict[str, str]:
    """Return an environment with nothing of this user's."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / ".local/state"),
        "PYTHONPATH": str(_ROOT),
    }


def first_line(process: subprocess.Popen[bytes]) -> str:
    """Return what a program says first; it has to within half a minute."""
    assert process.stdout is not None
    timer = threading.Timer(30, process.kill)
    timer.start()
    try:
        return process.stdout.readline().decode()
    finally:
        timer.cancel()


def start_tunnel(rig: NatRig, home: Path, *options: str) -> str:
    """Start an echo here and ``netkit forward -R`` to it; return its port at the gateway."""
    echo = rig.client.popen(sys.executable, "-c", _ECHO, stdout=subprocess.PIPE)
    port = first_line(echo).strip()
    argv = (sys.executable, "-m", "netkit", "forward", *sshd_arguments(rig.sshd, home))
    tunnel = rig.client.popen(
        *argv,
        *("-R", f"0:127.0.0.1:{port}", *options),
        stdout=subprocess.PIPE,
        env=environment(home),
        cwd=home,
    )
    # the first word is the address at the gateway
    word = first_line(tunnel).split(maxsplit=1)[0]
    return word.rpartition(":")[2]


def knock(rig: NatRig, port: str) -> str:
    """Return what somebody at the gateway gets from a port there; nothing if it is not reached."""
    done = rig.server.run(sys.executable, "-c", _KNOCK, port, check=False)
    return done.stdout.strip()


@dataclass(frozen=True)
class Outcome:
    """What one rig showed."""

    diagnosis: Diagnosis
    early: tuple[str, str]
    late: tuple[str, str]


def measure(directory: Path, variant: NatVariant, timeout: int) -> Outcome:
    """Run the doctor in a rig, with both tunnels idle meanwhile."""
    directory.mkdir()
    with nat_rig(directory, variant, timeout) as rig, ThreadPoolExecutor(1) as pool:
        with GATE:
            held = start_tunnel(rig, directory, "--keepalive", KEEPALIVES[timeout])
            lost = start_tunnel(rig, directory, "--keepalive", str(TOO_LONG))
            early = knock(rig, held), knock(rig, lost)
            doctor = pool.submit(
                run_doctor,
                *sshd_arguments(rig.sshd, directory),
                *("--nat", "--budget", str(BUDGET)),
                home=directory,
                prefix=rig.client.prefix,
                timeout=200,
            )
            holds_within(lambda: logins(rig) >= 2 + 1 + 12, timeout=30)
        diagnosis = doctor.result()
        return Outcome(diagnosis, early, (knock(rig, held), knock(rig, lost)))


def logins(rig: NatRig) -> int:
    """Return how many have logged in to the gateway so far."""
    return rig.sshd.log().count("Accepted publickey")


GATE = threading.BoundedSemaphore(3)
"""Only so many rigs log in at once: what is measured is time."""

CASES = [(variant, timeout) for variant in NatVariant for timeout in BRACKETS]


@pytest.fixture(scope="module")
def outcomes(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[tuple[NatVariant, int], Outcome]:
    """Everything, measured side by side."""
    base = tmp_path_factory.mktemp("nat")
    with ThreadPoolExecutor(len(CASES)) as pool:
        running = {
            case: pool.submit(measure, base / f"{case[0].name}-{case[1]}", *case) for case in CASES
        }
    return {case: future.result() for case, future in running.items()}


def values(finding: dict[str, Any]) -> dict[str, str]:
    """Return the evidence of a finding by what it is about."""
    return {each["what"]: each["value"] for each in finding["evidence"]}


ids = [f"{variant.name.lower()}-{timeout}" for variant, timeout in CASES]


@pytest.mark.parametrize(("variant", "timeout"), CASES, ids=ids)
class TestRigs:
    def test_the_timeout_is_bracketed(
        self,
        outcomes: dict[tuple[NatVariant, int], Outcome],
        variant: NatVariant,
        timeout: int,
        record_property: Callable[[str, object], None],
    ):
        diagnosis = outcomes[variant, timeout].diagnosis
        fault = f"NAT that forgets after {timeout} s, {variant.name.lower()}"
        expect(record_property, diagnosis, fault, {"keepalive-above-timeout"})
        seen = values(diagnosis.finding("nat-timeout-measured"))
        assert (seen["idle seconds survived"], seen["idle seconds not survived"]) == BRACKETS[
            timeout
        ]
        assert seen["failure mode"] == "silence"
        assert seen["keepalive to use, seconds"] == KEEPALIVES[timeout]

    def test_how_it_treats_a_forgotten_flow_is_told(
        self, outcomes: dict[tuple[NatVariant, int], Outcome], variant: NatVariant, timeout: int
    ):
        diagnosis = outcomes[variant, timeout].diagnosis
        keeps = variant is NatVariant.PRESERVING
        assert ("nat-push-lost" in diagnosis.codes("info")) is keeps
        seen = values(diagnosis.finding("nat-timeout-measured"))
        echo = seen["we speak first, after seconds"]
        assert ("rst" in echo) is (variant is NatVariant.RANDOM)
        assert ("silence" in echo) is (variant is NatVariant.STRICT)
        ports = seen["source ports"].partition(",")[0]
        assert ports == ("changed" if variant is NatVariant.RANDOM else "kept")

    def test_it_takes_little_longer_than_the_longest_silence(
        self, outcomes: dict[tuple[NatVariant, int], Outcome], variant: NatVariant, timeout: int
    ):
        diagnosis = outcomes[variant, timeout].diagnosis
        checks = {each["code"]: each for each in diagnosis.document["checks"]}
        # Nine of them, and their gateways, share this machine.
        allowed = 1.15 * BUDGET + LOAD
        assert BUDGET < checks["nat-timeout"]["seconds"] <= allowed

    def test_the_recommended_keepalive_holds_a_remote_forward(
        self, outcomes: dict[tuple[NatVariant, int], Outcome], variant: NatVariant, timeout: int
    ):
        outcome = outcomes[variant, timeout]
        assert (outcome.early[0], outcome.late[0]) == ("echo:knock", "echo:knock")

    def test_a_keepalive_above_the_timeout_does_not(
        self, outcomes: dict[tuple[NatVariant, int], Outcome], variant: NatVariant, timeout: int
    ):
        outcome = outcomes[variant, timeout]
        assert (outcome.early[1], outcome.late[1]) == ("echo:knock", "")


class TestMemory:
    @pytest.mark.parametrize("shell", [True, False], ids=["shell", "no-shell"])
    def test_it_is_measured_once_and_then_known(
        self, tmp_path: Path, shell: bool, record_property: Callable[[str, object], None]
    ):
        options = {} if shell else {"ForceCommand": "/bin/false"}
        with nat_rig(tmp_path, NatVariant.PRESERVING, 5, **options) as rig:
            arguments = sshd_arguments(rig.sshd, tmp_path)
            more: dict[str, Any] = {"home": tmp_path, "prefix": rig.client.prefix}
            only = ("--only", "nat-timeout,keepalive-setting")
            first = run_doctor(*arguments, *only, "--nat", "--budget", "10", **more)
            method = values(first.finding("nat-timeout-measured"))["method"]
            assert method == ("exec" if shell else "forward")

            second = run_doctor(*arguments, *only, **more)
            fault = f"keepalive above a remembered timeout, measured by {method}"
            expect(record_property, second, fault, {"keepalive-too-long"})

            port = start_tunnel(rig, tmp_path, "--keepalive", "auto")
            with contextlib.closing(Pause(12)) as pause:
                pause.wait()
            assert knock(rig, port) == "echo:knock"
        file = tmp_path / ".local/state/netkit/networks.json"
        assert file.stat().st_mode & 0o777 == 0o600
        text = file.read_text()
        assert "10.77" not in text
        assert rig.sshd.user not in text


class Pause:
    """A wait that is the point: nothing may happen meanwhile."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._over = threading.Event()

    def wait(self) -> None:
        self._over.wait(self._seconds)

    def close(self) -> None:
        self._over.set()


def test_keepalives_of_the_gateway_hide_it(
    tmp_path: Path, record_property: Callable[[str, object], None]
):
    with nat_rig(tmp_path, NatVariant.PRESERVING, 60, ClientAliveInterval="3") as rig:
        diagnosis = run_doctor(
            *sshd_arguments(rig.sshd, tmp_path),
            *("--only", "nat-timeout", "--nat", "--budget", "10"),
            home=tmp_path,
            prefix=rig.client.prefix,
        )
    expect(record_property, diagnosis, "ClientAliveInterval below the timeout", set())
    assert "nat-timeout-hidden" in diagnosis.codes("info")


def test_without_shell_and_forwards_it_is_not_known(
    tmp_path: Path, record_property: Callable[[str, object], None]
):
    options = {"ForceCommand": "/bin/false", "AllowTcpForwarding": "no"}
    with nat_rig(tmp_path, NatVariant.PRESERVING, 5, **options) as rig:
        diagnosis = run_doctor(
            *sshd_arguments(rig.sshd, tmp_path),
            *("--only", "nat-timeout", "--nat", "--budget", "4"),
            home=tmp_path,
            prefix=rig.client.prefix,
        )
    expect(record_property, diagnosis, "NAT measured by a restricted account", set())
    assert diagnosis.status("nat-timeout") == "inconclusive"


def test_an_interrupt_keeps_what_is_known(tmp_path: Path):
    with nat_rig(tmp_path, NatVariant.PRESERVING, 8) as rig:
        argv = (sys.executable, "-m", "netkit", "doctor", "--json", "--only", "nat-timeout")
        doctor = rig.client.popen(
            *argv,
            *(*sshd_arguments(rig.sshd, tmp_path), "--nat", "--budget", "45"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(tmp_path),
            cwd=tmp_path,
        )
        assert doctor.stderr is not None
        for line in doctor.stderr:
            if b"alive after 4 s" in line:
                break
        doctor.send_signal(signal.SIGINT)
        began = time.monotonic()
        out, _ = doctor.communicate(timeout=30)
        assert time.monotonic() - began < 5
    document = json.loads(out)
    assert doctor.returncode == 130
    assert document["interrupted"] is True
    found = {each["code"] for each in document["findings"]}
    assert "nat-timeout-none" in found  # so far
    assert "interrupted" in json.dumps(document)
    # half a measurement does not take the place of a whole one
    assert not (tmp_path / ".local/state/netkit/networks.json").exists()
