"""What this machine is, and how busy."""

from __future__ import annotations

import os
import time

import pytest

from netkit.bench.measuring import machine


def test_processors(monkeypatch):
    assert 1 <= machine.cores() <= (os.cpu_count() or 1)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert machine.cores() == os.cpu_count()


def test_its_name(monkeypatch):
    assert machine.processor()

    def refuse(*_args):
        raise FileNotFoundError

    monkeypatch.setattr(machine.Path, "read_text", refuse)
    assert machine.processor() == (machine.platform.processor() or machine.platform.machine())


def test_work_is_seen():
    busy, total = machine.work()
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    after, now = machine.work()
    assert after - busy == pytest.approx(now - total, abs=now - total)
    assert after > busy
    assert now > total
