"""Idle probes over real connections: alive where nothing on the way forgets them."""

from __future__ import annotations

import threading
import time

import pytest

from support import tunnels
from support.examiner import examiner


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with tunnels.start("sshd", tmp_path_factory.mktemp("sshd")) as gateway:
        yield gateway


def test_side_by_side(gateway, tmp_path):
    said: list[str] = []
    with examiner(gateway, tmp_path) as subject:
        assert subject.login().done
        began = time.monotonic()
        run = subject.idle((1.0, 2.0), ("push", "echo"), said.append)
        took = time.monotonic() - began
    outcomes = {(probe.mode, probe.idle): probe.outcome for probe in run.probes}
    assert outcomes == dict.fromkeys(
        [("push", 1.0), ("push", 2.0), ("echo", 1.0), ("echo", 2.0)], "alive"
    )
    assert run.method == "exec"
    assert 2.0 <= took < 20


def test_nothing_to_measure(gateway, tmp_path):
    with examiner(gateway, tmp_path) as subject:
        assert subject.idle((), ("push",), lambda _text: None).probes == ()


def test_an_interrupt_keeps_what_is_known(gateway, tmp_path):
    with examiner(gateway, tmp_path) as subject:
        assert subject.login().done
        timer = threading.Timer(4.0, subject.cancel)
        timer.start()
        run = subject.idle((0.5, 60.0), ("push",), lambda _text: None)
        timer.join()
    outcomes = {probe.idle: probe.outcome for probe in run.probes}
    assert outcomes[60.0] == "unfinished"
    assert outcomes[0.5] in {"alive", "unfinished"}
