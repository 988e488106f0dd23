"""Whole benchmarks: what is measured, what is left out and why, and how they end."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from netkit.bench.measuring.record import Progress
from netkit.bench.measuring.run import Benchmark
from netkit.bench.model import Direction, Setting, Way
from netkit.doctor.session import Access
from netkit.engine.transport.algorithms import CIPHERS
from netkit.errors import AuthenticationError, GatewayUnreachableError
from netkit.model import Plan
from support import bench, tunnels
from support.faults import FaultProxy

pytestmark = pytest.mark.slow


def run(hop, seconds, cancelled=None, told=None, **more):
    access = Access(plan=Plan(hops=(hop,)), cancelled=cancelled or threading.Event())
    return Benchmark(
        access,
        Setting(gateway="gate"),
        ciphers=CIPHERS,
        corpora=bench.CORPORA,
        seconds=seconds,
        progress=told.append if told is not None else lambda _progress: None,
        **more,
    ).run()


def kinds(measured):
    return {
        (each.direction, each.compression, each.corpus)
        for each in measured.transfers
        if each.cipher == measured.setting.cipher
    }


def test_a_gateway_with_a_shell(tmp_path):
    told: list[Progress] = []
    with tunnels.start("sshd", tmp_path) as gateway:
        began = time.monotonic()
        measured = run(gateway.hop(), 12, told=told)
        took = time.monotonic() - began
    setting = measured.setting
    assert (setting.way, setting.compression, measured.interrupted) == (Way.POSIX, True, False)
    assert setting.cipher == "aes128-gcm@openssh.com"
    assert set(setting.ciphers) == set(CIPHERS)
    assert 0 < setting.round_trip < 1
    assert setting.took == pytest.approx(took, abs=1)
    both = (Direction.DOWN, Direction.UP)
    assert {(way, False, "random") for way in both} <= kinds(measured)
    assert {(way, True, "text") for way in both} <= kinds(measured)
    assert all(each.size > 0 and each.seconds > 0 for each in measured.transfers)
    assert all(each.gateway_cpu is not None for each in measured.transfers)
    assert all(each.starved is None for each in measured.transfers if each.direction == both[0])
    assert measured.echoes[0].beside is None
    assert measured.echoes[0].samples
    assert measured.first_bytes[0].samples
    assert measured.connections
    assert len(measured.logins) >= 2
    assert all(0 <= each.done <= 1 for each in told)
    assert [each.left for each in told] == sorted((each.left for each in told), reverse=True)


def test_an_account_without_a_shell(tmp_path):
    with tunnels.start("sshd", tmp_path, ForceCommand="/bin/false") as gateway:
        measured = run(gateway.hop(), 6)
    assert measured.setting.way is Way.LOOP
    assert any("loop" in note for note in measured.notes)
    assert {each.direction for each in measured.transfers} == {Direction.LOOP}
    assert (Direction.LOOP, True, "text") in kinds(measured)


def test_neither_shell_nor_forwards(tmp_path):
    words = {"ForceCommand": "/bin/false", "AllowTcpForwarding": "no"}
    with tunnels.start("sshd", tmp_path, **words) as gateway:
        measured = run(gateway.hop(), 8)
    assert measured.setting.way is Way.NONE
    assert measured.logins
    assert measured.setting.round_trip > 0
    assert measured.transfers == ()
    (skipped,) = measured.skipped
    assert "throughput" in skipped.what
    assert "runs no commands" in skipped.what
    assert "refused to listen" in skipped.why


def test_a_gateway_that_does_not_compress(tmp_path):
    with tunnels.start("sshd", tmp_path, Compression="no") as gateway:
        measured = run(gateway.hop(), 4)
    assert not measured.setting.compression
    assert not any(each.compression for each in measured.transfers)
    assert any(each.what == "compression" for each in measured.skipped)


def test_too_little_time_for_everything_is_said(tmp_path):
    with tunnels.start("sshd", tmp_path) as gateway, FaultProxy(gateway.port) as proxy:
        proxy.set_delay(0.04)
        measured = run(gateway.behind(proxy.port), 5)
    assert measured.logins
    assert any("--time" in each.why for each in measured.skipped)


def test_interrupted(tmp_path):
    stop = threading.Event()

    class Told(list[Progress]):
        def append(self, progress):
            super().append(progress)
            if "compressed" in progress.text:
                stop.set()

    told = Told()
    with tunnels.start("sshd", tmp_path) as gateway:
        measured = run(gateway.hop(), 60, stop, told)
    assert measured.interrupted
    assert measured.echoes
    assert measured.setting.took < 50


def test_a_gateway_that_goes_away_in_the_middle(tmp_path):
    class Told(list[Progress]):
        def append(self, progress):
            super().append(progress)
            if "(2/" in progress.text:  # the second round
                proxy.cut()

    with tunnels.start("sshd", tmp_path) as gateway, FaultProxy(gateway.port) as proxy:
        measured = run(gateway.behind(proxy.port), 20, told=Told())
    assert not measured.interrupted
    assert measured.transfers
    assert measured.skipped[-1].what == "the rest"


def test_a_gateway_that_freezes_in_the_middle(tmp_path):
    class Told(list[Progress]):
        def append(self, progress):
            super().append(progress)
            if "(2/" in progress.text:  # the second round
                gateway.signal(signal.SIGSTOP)

    with tunnels.start("sshd", tmp_path) as gateway:
        try:
            measured = run(gateway.hop(), 20, told=Told())
        finally:
            gateway.signal(signal.SIGCONT)
    assert measured.transfers
    rest = measured.skipped[-1]
    assert (rest.what, rest.why) == ("the rest", "the gateway gives no sign of life")


def test_a_gateway_that_kills_long_transfers(tmp_path):
    """Each program is ended soon after its start; what is known is kept, and the rest is said."""
    command = 'exec timeout 0.3 sh -c "$SSH_ORIGINAL_COMMAND"'
    with tunnels.start("sshd", tmp_path, ForceCommand=command) as gateway:
        measured = run(gateway.hop(), 15)
    assert measured.setting.way is Way.POSIX
    assert measured.logins
    assert not measured.interrupted
    assert any("a flow of the benchmark broke" in each.why for each in measured.skipped)


@pytest.mark.parametrize("cpu", [lambda: 0.0, lambda: None])
def test_cpu_that_is_known_here(tmp_path, cpu):
    with tunnels.start("sshd", tmp_path) as gateway:
        measured = run(gateway.hop(), 4, gateway_cpu=cpu)
    assert measured.transfers
    assert {each.gateway_cpu for each in measured.transfers} == {cpu()}


def test_a_first_login_that_fails(tmp_path):
    with tunnels.start("sshd", tmp_path) as gateway:
        with pytest.raises(AuthenticationError):
            run(gateway.hop(identities=(), auth_methods=("password",)), 4)
    with pytest.raises(GatewayUnreachableError):
        run(gateway.hop(), 4)
