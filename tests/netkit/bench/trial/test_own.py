"""netkit's own gateway as a throw-away one."""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from netkit.bench.trial import own
from netkit.bench.trial.gateway import TrialError, make_keys
from netkit.doctor.session import Access, open_session
from netkit.errors import AuthenticationError, GatewayUnreachableError
from netkit.model import Plan
from support import targets

NEVER = threading.Event()


def test_it_carries_flows_and_ends(tmp_path: Path):
    trial = own.start(make_keys(tmp_path), NEVER, why="no reason")
    try:
        assert (trial.kind, trial.why) == ("netkit", "no reason")
        with targets.echo() as target:
            session = open_session(Access(plan=Plan(hops=(trial.hop(),))))
            try:
                channel = session.open(target.address, b"hello")
                assert channel.wait(lambda c: c.data == b"hello", time.monotonic() + 10)
            finally:
                session.close()
        cpu = trial.cpu_seconds()
        assert cpu is not None
        assert cpu > 0
    finally:
        trial.stop()
    assert trial.server.has_ended
    assert not tmp_path.exists()


def test_only_the_trials_key_may_log_in(tmp_path: Path):
    (tmp_path / "trial").mkdir()
    (tmp_path / "other").mkdir()
    trial = own.start(make_keys(tmp_path / "trial"), NEVER)
    try:
        other = make_keys(tmp_path / "other")
        strange = replace(trial.hop(), identities=(other.identity,))
        with pytest.raises(AuthenticationError):
            open_session(Access(plan=Plan(hops=(strange,)))).close()
    finally:
        trial.stop()


def test_the_netkit_that_runs_is_the_one_that_is_started(tmp_path: Path, monkeypatch):
    (tmp_path / "netkit.py").write_text("raise SystemExit('the wrong netkit')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    assert own.environment()["PYTHONPATH"].split(os.pathsep)[1:] == ["/somewhere"]
    (tmp_path / "trial").mkdir()
    trial = own.start(make_keys(tmp_path / "trial"), NEVER)
    trial.stop()


def test_frozen_program_starts_itself(monkeypatch: pytest.MonkeyPatch):
    assert own.program()[1:] == ("-P", "-m", "netkit")
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert own.program() == (sys.executable,)


def test_python_without_an_executable_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(TrialError) as caught:
        own.start(make_keys(tmp_path), NEVER)
    assert "another program" in caught.value.cause
    assert caught.value.exit_code == 3


def test_interpreter_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(TrialError) as caught:
        own.start(make_keys(tmp_path), NEVER)
    assert "no-python" in caught.value.cause


def test_what_the_gateway_says_is_the_cause(tmp_path: Path):
    keys = make_keys(tmp_path)
    keys.authorized.write_text("# nobody\n")
    with pytest.raises(TrialError) as caught:
        own.start(keys, NEVER)
    assert "there is no key in it" in caught.value.cause


def test_cancelled_start_leaves_no_process(tmp_path: Path):
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(GatewayUnreachableError) as caught:
        own.start(make_keys(tmp_path), cancelled)
    assert caught.value.code == "cancelled"
