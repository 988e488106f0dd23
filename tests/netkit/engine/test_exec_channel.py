"""Commands on real servers, and on one that says whatever it wants."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

import psutil
import pytest

from netkit.engine.exec_channel import Command, Executed, run_command
from netkit.engine.memory_channel import MemoryChannel
from netkit.wire.messages import string, u32
from support import tunnels
from support.links import LinkPair
from support.tunnels import tunnel


@pytest.fixture(params=["sshd", "dropbear"], scope="module")
def gateway(request, tmp_path_factory):
    words = {"LogLevel": "INFO"} if request.param == "sshd" else {}
    with tunnels.start(request.param, tmp_path_factory.mktemp(request.param), **words) as gateway:
        yield gateway


@pytest.fixture
def link(gateway):
    with tunnel(gateway) as run:
        yield run.link


def test_both_streams_and_the_status(link):
    done = run_command(link, "echo out; echo err >&2; exit 3", 20)
    assert (done.outcome, done.status, done.stdout, done.stderr) == ("ran", 3, b"out\n", b"err\n")
    assert 0 < done.seconds < 20
    assert not done.cut


def test_what_it_reads(link):
    done = run_command(link, "cat; echo end", 20, stdin=b"words\n" * 1000)
    assert done.stdout == b"words\n" * 1000 + b"end\n"


def test_standard_input_is_empty(link):
    assert run_command(link, "cat; echo end", 20).stdout == b"end\n"


def test_ended_by_a_signal(link):
    done = run_command(link, "kill -KILL $$", 20)
    assert (done.outcome, done.status, done.signal) == ("ran", None, "KILL")


def test_large_output(link):
    done = run_command(link, "head -c 3000000 /dev/zero; echo end >&2; exit 5", 30)
    assert (done.outcome, done.status, done.cut) == ("ran", 5, True)
    assert done.stdout == bytes(1 << 20)
    assert done.stderr == b""


def test_output_without_end(link):
    began = time.monotonic()
    done = run_command(link, "yes", 30)
    assert (done.outcome, done.status, done.cut) == ("ran", None, True)
    assert len(done.stdout) == 1 << 20
    assert time.monotonic() - began < 20


def test_it_takes_too_long(link):
    began = time.monotonic()
    done = run_command(link, "echo first; exec sleep 60", 1.0)
    assert (done.outcome, done.status, done.stdout) == ("timed-out", None, b"first\n")
    assert time.monotonic() - began < 5


def test_a_child_that_keeps_the_output_open(link):
    """The status is known, so the command ran."""
    done = run_command(link, "sleep 3 & echo here; exit 4", 1.5)
    assert (done.outcome, done.status, done.stdout) == ("ran", 4, b"here\n")


# dropbear cannot (mkj/dropbear issue 321)
@pytest.mark.parametrize("gateway", ["sshd"], indirect=True)
def test_many_at_once(link):
    commands = [Command(link, f"sleep 0.2; echo {number}") for number in range(8)]
    done = [command.wait(20) for command in commands]
    assert [each.stdout for each in done] == [b"%d\n" % number for number in range(8)]


# dropbear cannot (mkj/dropbear issue 321)
@pytest.mark.parametrize("gateway", ["sshd"], indirect=True)
def test_from_many_threads(link):
    results: dict[int, Executed] = {}

    def run(number: int) -> None:
        results[number] = run_command(link, f"echo {number}", 20)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {n: r.stdout for n, r in results.items()} == {n: b"%d\n" % n for n in range(8)}


def test_the_server_is_killed(gateway):
    with tunnel(gateway) as run:
        command = Command(run.link, "echo started; sleep 60")
        assert command.channel.wait(lambda c: c.data, time.monotonic() + 20)
        began = time.monotonic()
        gateway.kill()
        done = command.wait(30)
        assert done.outcome == "link-lost"
        assert done.stdout == b"started\n"
        assert done.text
        assert time.monotonic() - began < 10


def test_the_server_freezes(gateway):
    with tunnel(gateway) as run:
        stopped = _freeze(gateway.serving)
        try:
            began = time.monotonic()
            assert run_command(run.link, "echo hello", 1.0).outcome == "timed-out"
            assert time.monotonic() - began < 5
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)


def _freeze(processes: list[psutil.Process]) -> list[int]:
    for process in processes:
        process.suspend()
    return [process.pid for process in processes]


def test_no_shell(tmp_path):
    with tunnels.start("netkit", tmp_path) as gateway, tunnel(gateway) as run:
        done = run_command(run.link, "echo hello", 20)
        assert (done.outcome, done.reason) == ("no-session", 1)
        assert "no shell" in done.text


class Server:
    """The far side of a pair: answers a session in its own way."""

    def __init__(self, pair: LinkPair, behave: Callable[[MemoryChannel], None]) -> None:
        pair.far.on_open = lambda request: behave(MemoryChannel.accept(pair.far, request))


class Agreeable:
    """Says yes to every channel request."""

    def __init__(self, pair: LinkPair) -> None:
        self._mux = pair.far.mux

    def __call__(self, event) -> bool:
        self._mux.answer(event.channel, ok=True)
        return True


def _saying(*told: tuple[str, bytes]) -> Callable[[MemoryChannel], None]:
    def behave(channel: MemoryChannel) -> None:
        for kind, data in told:
            channel.ask(kind, data, want_reply=False)
        channel.say(b"", end=True)

    return behave


@pytest.mark.parametrize(
    ("told", "status", "name"),
    [
        ((("exit-status", u32(7)),), 7, ""),
        ((("exit-status", b"\0"),), None, ""),
        ((("exit-signal", string("TE\x1bRM") + b"\0" + string("") + string("")),), None, "TE?RM"),
        ((("exit-signal", b""),), None, ""),
    ],
)
def test_what_a_server_tells(told, status, name):
    with LinkPair(answer=False) as pair:
        pair.far.on_request = Agreeable(pair)
        Server(pair, _saying(*told))
        done = run_command(pair.near, "x", 10)
        assert (done.outcome, done.status, done.signal) == ("ran", status, name)
        assert pair.is_idle()


def test_exec_is_refused():
    with LinkPair(answer=False) as pair:
        Server(pair, lambda channel: None)
        done = run_command(pair.near, "x", 10)
        assert done.outcome == "refused"
        assert pair.near.run(lambda: True)


def test_closed_without_a_word():
    """It did not run: dropbear does that to a session whose turn it is not."""
    with LinkPair(answer=False) as pair:
        Server(pair, lambda channel: channel.leave())
        assert run_command(pair.near, "x", 10).outcome == "no-session"
