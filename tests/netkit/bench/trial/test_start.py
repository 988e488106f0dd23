"""Choosing a throw-away gateway, and what is left when there is none: nothing."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import pytest

from netkit.bench.trial import own, sshd, start_trial
from netkit.bench.trial.gateway import TrialError
from netkit.errors import GatewayUnreachableError
from support.peers import require


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go; must be empty afterwards."""
    directory = tmp_path / "tmp"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    return directory


def no_sshd(_keys, _cancelled):
    raise TrialError("no sshd", cause="there is no sshd on this machine")


def test_the_systems_sshd_comes_first(place: Path):
    require("sshd")
    trial = start_trial()
    assert (trial.kind, trial.why) == ("sshd", "")
    assert [path.stat().st_mode & 0o777 for path in place.iterdir()] == [0o700]
    trial.stop()
    assert list(place.iterdir()) == []


def test_without_sshd_it_is_netkits_own_and_says_why(place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sshd, "PLACES", ())
    trial = start_trial()
    assert (trial.kind, trial.why) == ("netkit", "there is no sshd on this machine")
    trial.stop()
    assert list(place.iterdir()) == []


def test_netkits_own_can_be_asked_for(place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sshd, "start", no_sshd)
    trial = start_trial("netkit")
    assert (trial.kind, trial.why) == ("netkit", "")
    trial.stop()
    assert list(place.iterdir()) == []


def test_sshd_that_was_asked_for_is_not_replaced(place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sshd, "start", no_sshd)
    with pytest.raises(TrialError) as caught:
        start_trial("sshd")
    assert caught.value.cause == "there is no sshd on this machine"
    assert caught.value.fixes[0].argv == ("netkit", "bench", "--server", "netkit")
    assert list(place.iterdir()) == []


def test_no_gateway_at_all_is_an_error(place: Path, monkeypatch: pytest.MonkeyPatch):
    def no_own(_keys, _cancelled, *, why):
        raise TrialError("netkit's own gateway cannot be started", cause=f"{why}, nor Python")

    monkeypatch.setattr(sshd, "start", no_sshd)
    monkeypatch.setattr(own, "start", no_own)
    with pytest.raises(TrialError) as caught:
        start_trial()
    assert caught.value.exit_code == 3
    assert caught.value.cause == "there is no sshd on this machine, nor Python"
    assert list(place.iterdir()) == []


def test_disk_that_is_full_is_said(place: Path, monkeypatch: pytest.MonkeyPatch):
    def full(_directory: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("netkit.bench.trial.start.make_keys", full)
    with pytest.raises(TrialError) as caught:
        start_trial()
    assert "No space left" in caught.value.summary
    assert list(place.iterdir()) == []


def test_place_for_temporary_files_that_is_missing_is_said(place: Path):
    place.rmdir()
    with pytest.raises(TrialError) as caught:
        start_trial()
    assert "temporary files" in caught.value.cause


def test_cancelled_before_it_began(place: Path):
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(GatewayUnreachableError) as caught:
        start_trial(cancelled=cancelled)
    assert caught.value.code == "cancelled"
    assert list(place.iterdir()) == []
