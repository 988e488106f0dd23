"""The loop that keeps a command running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import keep
import psutil
import pytest
from keep import Keeper

from support.waiting import wait_until

COUNT = "import sys; open(sys.argv[1], 'a').write('x')"


def count(path: Path) -> int:
    return len(path.read_text()) if path.exists() else 0


def test_starts_again_whatever_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(keep, "PAUSE", 0.01)
    path = tmp_path / "runs"
    keeper = Keeper([sys.executable, "-c", f"{COUNT}; sys.exit(7)", str(path)])
    thread = threading.Thread(target=keeper.run)
    thread.start()
    wait_until(lambda: count(path) > keep.FAST_TRIES, timeout=20)
    keeper.stop()
    thread.join(20)
    assert not thread.is_alive()


def test_pauses_after_short_runs(monkeypatch):
    """It waits where it would else turn in a circle, and a stop ends that wait."""
    monkeypatch.setattr(keep, "SHORT_RUN", 60.0)
    keeper = Keeper([sys.executable, "-c", "pass"])
    waits = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        keeper.stop()
        return True

    monkeypatch.setattr(keeper._stopped, "wait", wait)
    assert keeper.run() == keep.FAST_TRIES
    assert waits == [keep.PAUSE]


def test_long_runs_are_started_again_at_once(monkeypatch):
    monkeypatch.setattr(keep, "SHORT_RUN", 0.0)
    keeper = Keeper([sys.executable, "-c", "pass"])
    runs = []
    popen = subprocess.Popen

    def start(*arguments, **options):
        runs.append(arguments)
        if len(runs) > keep.FAST_TRIES + 1:
            keeper.stop()
        return popen(*arguments, **options)

    monkeypatch.setattr(keep.subprocess, "Popen", start)
    monkeypatch.setattr(keeper._stopped, "wait", lambda _seconds: pytest.fail("it paused"))
    keeper.run()
    assert len(runs) == keep.FAST_TRIES + 2


@pytest.mark.skipif(os.name == "nt", reason="SIGTERM ends the loop's process alone there")
def test_sigterm_ends_both():
    script = Path(keep.__file__)
    sleeper = [sys.executable, "-c", "import signal; signal.pause()"]
    with subprocess.Popen([sys.executable, str(script), *sleeper]) as loop:
        wait_until(lambda: bool(psutil.Process(loop.pid).children()), timeout=20)
        (child,) = psutil.Process(loop.pid).children()
        loop.send_signal(signal.SIGTERM)
        assert loop.wait(20) == 0
        assert not child.is_running()
