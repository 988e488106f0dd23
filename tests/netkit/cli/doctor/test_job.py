"""One run: verify, interrupt, and the words of the command in fixes."""

from __future__ import annotations

from dataclasses import replace

from netkit.cli.doctor.job import forward_typed
from netkit.cli.main import run
from netkit.cli.services import Services
from support.machine import LOOPBACK, FakeSystem
from support.reports import FORWARD

DOWN = FakeSystem(
    interfaces=(replace(LOOPBACK, is_up=False),),
    back=lambda address, _size: __import__("diagnostics.system").system.ConnectBack(
        address, "bind-failed", "EADDRNOTAVAIL"
    ),
)


def verify(capsys, code: str, system: FakeSystem) -> tuple[int, str]:
    status = run(["doctor", "--verify", code], Services(machine=lambda spec, **_more: system))
    return status, capsys.readouterr().out


def test_verify_what_is_mended(capsys):
    status, out = verify(capsys, "loopback-down", FakeSystem())
    assert status == 0
    assert out == "+  loopback-down is not found any more\n"


def test_verify_what_is_still_there(capsys):
    status, out = verify(capsys, "loopback-down", DOWN)
    assert status == 1
    assert "is down  [loopback-down]" in out


def test_verify_what_cannot_be_known(capsys):
    status, out = verify(capsys, "port-taken", FakeSystem())
    assert status == 3
    assert "is not known: no forward listens" in out


def test_the_words_of_a_forward():
    words = ("--for", "forward", "--json", "--bind", "a:1", "--only=x", "gw", "--skip", "y", "-v")
    typed = forward_typed(words, (FORWARD,))
    assert typed.path == ("netkit", "forward")
    assert typed.words == ("--bind", "a:1", "gw")
