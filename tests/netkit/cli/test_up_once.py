from __future__ import annotations

import os
from pathlib import Path

import pytest

from netkit import profiles
from netkit.desktop import instance
from netkit.desktop.instance import Claim
from netkit.errors import LinkLostError
from netkit.model import Endpoint, ForwardKind, Gateway, Profile, TunnelSpec
from netkit.text.forwards import parse_forward
from support.cli import FakeTunnel, run_cli


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("NETKIT_PROFILES", str(tmp_path / "profiles.toml"))
    for number, name in enumerate(("office", "home")):
        forward = parse_forward(ForwardKind.LOCAL, f"127.0.0.2:{5000 + number}:{name}:5432")
        spec = TunnelSpec(gateway=Gateway("gw"), forwards=(forward,))
        profiles.save(Profile(name=name, tunnel=spec))
    return tmp_path


def held(name: str) -> Claim:
    """Be the process that runs ``name`` already."""
    claim = instance.claim(name)
    assert isinstance(claim, Claim)
    claim.tell([Endpoint("127.0.0.2", 5000)])
    return claim


def test_one_that_runs_is_not_started_again():
    claim = held("office")
    tunnel = FakeTunnel()
    done = run_cli("up", "office", "--once", tunnel=tunnel)
    claim.close()
    assert (done.code, done.out) == (0, "")
    assert done.err == (
        f"netkit: office is running already (process {os.getpid()}), at 127.0.0.2:5000\n"
    )
    assert not tunnel.started.is_set()


def test_one_that_does_not_run_is_started_and_found_meanwhile():
    seconds: list[object] = []
    tunnel = FakeTunnel(on_start=lambda _tunnel: seconds.append(instance.claim("office")))
    done = run_cli("up", "office", "--once", tunnel=tunnel)
    assert done.code == 0
    assert done.out.startswith("127.0.0.2:5000 -> office:5432 through gw")
    assert seconds == [instance.Holder(os.getpid(), name="office")]
    # and given back
    held("office").close()


def test_of_two_the_other_is_started():
    claim = held("office")
    done = run_cli("up", "office", "home", "--once")
    claim.close()
    assert done.code == 0
    assert "127.0.0.2:5001 -> home:5432" in done.out
    assert "office:5432" not in done.out
    assert "office is running already" in done.err


def test_two_that_do_not_run():
    done = run_cli("up", "office", "home", "--once")
    assert done.code == 0
    assert len(done.out.splitlines()) == 2
    for name in ("office", "home"):
        held(name).close()


def test_it_is_given_back_after_a_failure():
    tunnel = FakeTunnel(start_error=LinkLostError("gone"))
    assert run_cli("up", "office", "--once", tunnel=tunnel).code == 4
    held("office").close()


def test_a_plan_needs_no_claim():
    claim = held("office")
    done = run_cli("up", "office", "--once", "--dry-run")
    claim.close()
    assert done.code == 0
    assert "127.0.0.2:5000" in done.out


def test_without_the_word_nobody_is_asked():
    claim = held("office")
    tunnel = FakeTunnel()
    assert run_cli("up", "office", tunnel=tunnel).code == 0
    claim.close()
    assert tunnel.started.is_set()
