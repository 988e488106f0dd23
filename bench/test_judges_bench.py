"""What the doctor's judges cost, on the facts of two machines, and a whole run of its checks.

The facts are probed once from machines made of answers (``tests/support/machine.py``), so neither
this machine nor a network is part of the figures.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from diagnostics import ssh, system
from diagnostics.model import Check, Finding, Judgement, Report, Severity, Status, Target
from diagnostics.registry import CHECKS
from diagnostics.runner import Run, examine
from netkit.api import local, remote
from support.machine import LOGIN, OFFER, FakeSsh, FakeSystem

TARGET = Target(
    gateway="gw",
    forwards=(local("127.0.0.1:5432:db.internal:5432"), remote("8080:127.0.0.1:80")),
    wanted=True,
    protocol="ftp",
)


def healthy() -> FakeSystem:
    """Everything answers as it should."""
    return FakeSystem(names={"gw.example": ("198.51.100.1",)})


def in_trouble() -> FakeSystem:
    """Ports are taken, names do not resolve, the gateway is old and allows nothing."""
    old = replace(OFFER, kex=("diffie-hellman-group1-sha1",), ciphers=("3des-cbc", "aes128-ctr"))
    login = replace(LOGIN, theirs=old, strict_kex=False, server="SSH-2.0-OpenSSH_5.3")
    return FakeSystem(
        ssh=FakeSsh(
            login=login,
            sessions=0,
            opened=lambda to: ssh.Opened(
                target=to, outcome="refused-by-gateway", reason=1, kind="prohibited"
            ),
            listen=lambda bind, _knocks: ssh.Listened(bind=bind, outcome="refused"),
            half_close=ssh.HalfClose(outcome="lost"),
            x11=ssh.X11Answer(outcome="refused"),
        ),
        variables={"DISPLAY": "gateway:1", "http_proxy": "http://proxy.example:3128"},
        names=lambda name, _family: system.Resolution(name, error="EAI_AGAIN", text="no answer"),
        bind=lambda to: system.BindResult(to, error="EADDRINUSE"),
        back=lambda to, _size: system.ConnectBack(to, "connect-failed", error="ECONNREFUSED"),
        connect=lambda to: system.Connected(to, "refused", error="ECONNREFUSED"),
    )


MACHINES = {"healthy": healthy, "in trouble": in_trouble}


def facts_of(machine: FakeSystem) -> list[tuple[Check, Any, tuple[Judgement, ...]]]:
    """Every check that concerns the target, with what its probe finds and its judge says."""
    results = [examine(check, TARGET, machine) for check in CHECKS if not check.applies(TARGET)]
    crashed = [result.check.code for result in results if result.status is Status.CRASHED]
    assert not crashed, crashed
    return [
        (result.check, result.facts, result.check.judge(result.facts))
        for result in results
        if result.facts is not None
    ]


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.benchmark(group="judges")
def test_judges(benchmark: BenchmarkFixture, name: str) -> None:
    judged = facts_of(MACHINES[name]())
    assert len(judged) > 30
    errors = [
        each.code
        for _, _, said in judged
        for each in said
        if isinstance(each, Finding) and each.severity is Severity.ERROR
    ]
    assert bool(errors) == (name == "in trouble"), errors
    benchmark.extra_info.update(label=name, packets=len(judged))

    def judge() -> list[tuple[Judgement, ...]]:
        return [check.judge(facts) for check, facts, _ in judged]

    assert benchmark(judge) == [said for _, _, said in judged]


@pytest.mark.benchmark(group="doctor")
def test_run(benchmark: BenchmarkFixture) -> None:
    """Every check on its thread, in the order their dependencies allow, with instant answers."""

    def run() -> Report:
        return Run(checks=CHECKS, target=TARGET, system=healthy()).run()

    report = benchmark(run)
    assert len(report.results) == len(CHECKS)
    benchmark.extra_info.update(label="a run of every check", packets=len(CHECKS))
