from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from netkit.cli import lifecycle
from netkit.cli.lifecycle import run_job
from netkit.cli.output import OutputError, ReaderGoneError
from netkit.errors import LinkLostError

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)]


class LeftError(Exception):
    """Stands for the end of the process."""


def leave(code: int):
    raise LeftError(code)


class FakeJob:
    """Works until stopped; ``during`` runs first, on the worker."""

    def __init__(self, during=lambda: None, *, ends=False, deaf=False, after=lambda: None):
        self.during, self.ends, self.deaf, self.after = during, ends, deaf, after
        self.drains = []
        self.stopped = threading.Event()
        self.second = threading.Event()

    def work(self) -> int:
        self.during()
        if not self.ends:
            self.stopped.wait(20)
            self.after()
        return 0

    def stop(self, drain: float) -> None:
        self.drains.append(drain)
        if len(self.drains) == 2:
            self.second.set()
        if not self.deaf or drain == 0:
            self.stopped.set()


def send(*numbers: int):
    def during() -> None:
        for number in numbers:
            os.kill(os.getpid(), number)

    return during


@pytest.fixture(autouse=True)
def _default_signals():
    """A background job has SIGINT ignored; the tests need it."""
    before = {number: signal.getsignal(number) for number, _ in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_job_that_ends_returns_its_code():
    job = FakeJob(ends=True)
    job.work = lambda: 3
    assert run_job(job) == 3
    assert job.drains == []


@pytest.mark.parametrize("error", [LinkLostError("gone"), ValueError("bug"), SystemExit(9)])
def test_what_a_job_raises_comes_out(error):
    def during():
        raise error

    with pytest.raises(type(error)) as caught:
        run_job(FakeJob(during))
    assert caught.value is error


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_drains(number, code):
    job = FakeJob(send(number))
    assert run_job(job, drain=4.0) == code
    assert job.drains == [4.0]


def test_the_second_signal_does_not_wait():
    job = FakeJob(deaf=True)

    def during():
        send(signal.SIGINT)()
        while not job.drains:
            job.stopped.wait(0.01)
        send(signal.SIGINT)()

    job.during = during
    assert run_job(job, drain=3600.0) == 130
    assert job.drains == [3600.0, 0.0]


def test_interrupting_a_drain_that_sigterm_began_is_an_interruption():
    job = FakeJob(deaf=True)

    def during():
        send(signal.SIGTERM)()
        while not job.drains:
            job.stopped.wait(0.01)
        send(signal.SIGINT)()

    job.during = during
    assert run_job(job, drain=3600.0) == 130


def test_an_error_while_stopping_is_not_the_users_concern():
    def after():
        raise LinkLostError("because we stopped")

    assert run_job(FakeJob(send(signal.SIGTERM), after=after)) == 0


def test_a_job_that_does_not_stop_is_left(monkeypatch):
    monkeypatch.setattr(lifecycle, "GRACE", 0.1)
    job = FakeJob(send(signal.SIGINT))
    job.stop = lambda drain: job.drains.append(drain)  # noqa: PLW0108 - the signature counts
    with pytest.raises(LeftError) as caught:
        run_job(job, drain=0.1, hard_exit=leave)
    assert caught.value.args == (130,)
    job.stopped.set()


def test_a_stop_that_hangs_is_left(monkeypatch):
    monkeypatch.setattr(lifecycle, "GRACE", 0.1)
    go = threading.Event()
    job = FakeJob(send(signal.SIGINT))

    def stop(_drain):
        job.stopped.set()
        go.wait(20)

    job.stop = stop
    with pytest.raises(LeftError):
        run_job(job, hard_exit=leave)
    go.set()


def test_a_third_signal_leaves_at_once():
    job = FakeJob()
    job.stop = lambda drain: job.drains.append(drain)  # noqa: PLW0108 - the signature counts

    def during():
        for count in (1, 2, 3):
            send(signal.SIGINT)()
            while count < 3 and len(job.drains) < count:
                job.stopped.wait(0.01)

    job.during = during
    with pytest.raises(LeftError):
        run_job(job, drain=3600.0, hard_exit=leave)
    job.stopped.set()


def test_keyboard_interrupt_on_the_worker_is_a_signal():
    """The Windows console hands Ctrl-C to the thread that reads it."""

    def during():
        raise KeyboardInterrupt

    job = FakeJob(during)
    assert run_job(job, drain=2.0) == 130
    assert job.drains == [2.0]


def in_thread(error: BaseException):
    def fail():
        raise error

    def during():
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()

    return during


def test_a_fault_in_any_thread_ends_the_job():
    job = FakeJob(in_thread(ValueError("bug")))
    with pytest.raises(ValueError, match="bug"):
        run_job(job, drain=5.0)
    assert job.drains == [0.0]


def test_unwritable_output_ends_the_job():
    with pytest.raises(OutputError, match="disk"):
        run_job(FakeJob(in_thread(OutputError("disk full"))))


def test_a_reader_that_left_drains():
    job = FakeJob(in_thread(ReaderGoneError("gone")))
    with pytest.raises(ReaderGoneError):
        run_job(job, drain=5.0)
    assert job.drains == [5.0]


def test_handlers_are_put_back():
    before = [signal.getsignal(number) for number, _ in SIGNALS]
    hook = threading.excepthook
    run_job(FakeJob(send(signal.SIGTERM)))
    assert [signal.getsignal(number) for number, _ in SIGNALS] == before
    assert threading.excepthook is hook


def test_an_ignored_signal_stays_ignored():
    """nohup, and a background job of a script."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    job = FakeJob(send(signal.SIGHUP, signal.SIGTERM))
    seen = []

    def during():
        seen.append(signal.getsignal(signal.SIGHUP))
        send(signal.SIGTERM)()

    job.during = during
    assert run_job(job) == 0
    assert seen == [signal.SIG_IGN]


def test_signals_ring_the_inbox_before_their_handlers_run():
    """Else one that comes between the last byte code and the wait would be slept through."""
    inbox = lifecycle.Inbox()
    with lifecycle._signals_to(inbox):
        signal.signal(signal.SIGHUP, lambda *_: None)  # a handler that puts nothing
        signal.raise_signal(signal.SIGHUP)
        assert inbox._bell.recv(10) == bytes([signal.SIGHUP])
    assert signal.set_wakeup_fd(-1) == -1
    inbox.close()


def test_the_inbox_waits_no_longer_than_its_deadline():
    inbox = lifecycle.Inbox()
    began = time.monotonic()
    assert inbox.get(began + 0.05) is None
    assert time.monotonic() - began >= 0.05
    inbox.close()
    inbox.put(lifecycle._Signalled(2))


def test_the_inbox_survives_a_flood():
    inbox = lifecycle.Inbox()
    flood = [lifecycle._Signalled(number) for number in range(100_000)]
    for message in flood:
        inbox.put(message)
    assert [inbox.get(None) for _ in flood] == flood
    inbox.close()


class TestHangup:
    """SIGHUP of a job that can reread."""

    @pytest.fixture
    def seat(self, monkeypatch):
        """Where the process sits: its session, and whether that has a terminal."""
        found = {"session": 1, "terminal": True}
        monkeypatch.setattr(lifecycle, "_session", lambda: found["session"])
        monkeypatch.setattr(
            lifecycle.TerminalPrompter, "has_terminal", staticmethod(lambda: found["terminal"])
        )
        return found

    def run(self, before=lambda: None) -> tuple[int, int]:
        """Return the exit code, and how often it was reread until SIGTERM."""
        reread: list[None] = []

        def during() -> None:
            before()
            send(signal.SIGHUP)()

        def on_reread() -> None:
            reread.append(None)
            send(signal.SIGTERM)()

        return run_job(FakeJob(during), reread=on_reread), len(reread)

    def test_on_a_terminal_it_rereads(self, seat):
        assert self.run() == (0, 1)

    def test_without_one_from_the_start_it_rereads(self, seat):
        seat["terminal"] = False
        assert self.run() == (0, 1)

    def test_the_terminal_went_away(self, seat):
        assert self.run(lambda: seat.update(terminal=False)) == (0, 0)

    def test_it_let_go_of_the_terminal_itself(self, seat):
        assert self.run(lambda: seat.update(terminal=False, session=2)) == (0, 1)
