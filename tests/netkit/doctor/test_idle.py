"""Idle connections against real servers, short times in the place of long ones."""

from __future__ import annotations

import contextlib
import errno
import threading
import time
from dataclasses import replace
from typing import Any

import psutil
import pytest

from netkit.doctor import idle as module
from netkit.doctor.idle import failure_mode, idle
from netkit.doctor.session import Access
from netkit.errors import GatewayUnreachableError, LinkLostError
from netkit.model import Plan
from support import tunnels
from support.faults import Direction, FaultProxy
from support.sshd import make_key
from support.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.alone]


def access(*hops):
    return Access(plan=Plan(hops=hops))


def measure(way, times, modes=("push", "echo"), cancelled=None, told=None):
    progress = [] if told is None else told
    return idle(way, times, modes, progress.append, cancelled or threading.Event())


def outcomes(run):
    return {(probe.idle, probe.mode): probe.outcome for probe in run.probes}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with tunnels.start("sshd", tmp_path_factory.mktemp("sshd"), LogLevel="INFO") as gateway:
        yield gateway


class TestAlive:
    def test_a_command_makes_the_gateway_speak(self, gateway):
        told: list[str] = []
        began = time.monotonic()
        run = measure(access(gateway.hop()), (0.5, 2.0), told=told)
        assert set(outcomes(run).values()) == {"alive"}
        assert len(run.probes) == 4
        assert (run.method, run.text) == ("exec", "")
        assert 2.0 <= run.seconds <= time.monotonic() - began
        assert told[0] == "leaving 4 connections to the gateway silent, for up to 2 s"
        for probe in run.probes:
            if probe.mode == "push":
                assert probe.source == probe.local
            assert probe.local.startswith("127.0.0.1:")
        # one connection each
        assert len({probe.local for probe in run.probes}) == 4

    @pytest.mark.parametrize("name", ["netkit", "dropbear"])
    def test_without_commands_a_port_of_the_gateway_does(self, name, tmp_path):
        options = ("-c", "/bin/false") if name == "dropbear" else ()
        with tunnels.start(name, tmp_path, *options) as gateway:
            run = measure(access(gateway.hop()), (0.5, 1.0), ("push",))
        assert set(outcomes(run).values()) == {"alive"}, run
        assert run.method == "forward"

    def test_a_windows_gateway_sleeps_with_ping(self, tmp_path):
        # what cmd.exe would make of our two command lines
        shell = tmp_path / "cmd"
        shell.write_text(
            "#!/bin/sh\n"
            'case "$SSH_ORIGINAL_COMMAND" in\n'
            "*%OS%*) echo '\"Windows_NT\"' ;;\n"
            '*"ping -n 2 "*) set -- $SSH_ORIGINAL_COMMAND\n'
            '  printf "%s %s\\r\\n" "$2" "$SSH_CONNECTION"; sleep 1\n'
            '  printf "end-%s\\r\\n" "${2#begin-}" ;;\n'
            "esac\n"
        )
        shell.chmod(0o755)
        with tunnels.start("sshd", tmp_path, ForceCommand=str(shell)) as gateway:
            run = measure(access(gateway.hop()), (1.0,), ("push",))
        (probe,) = run.probes
        assert (probe.outcome, run.method) == ("alive", "exec")
        assert probe.source == probe.local

    def test_the_knocking_connection_is_kept_alive(self, tmp_path, monkeypatch):
        monkeypatch.setattr("netkit.doctor.idle_triggers.STAY_ALIVE", 0.2)
        with tunnels.start("sshd", tmp_path, ForceCommand="/bin/false") as gateway:
            run = measure(access(gateway.hop()), (1.0,), ("push",))
        assert outcomes(run) == {(1.0, "push"): "alive"}

    def test_through_a_jump_host(self, gateway):
        first = gateway.hop()
        run = measure(access(first, gateway.hop(alias="second")), (0.5,))
        assert set(outcomes(run).values()) == {"alive"}
        assert {probe.local for probe in run.probes} == {""}

    def test_progress_tells_what_is_known(self, gateway, monkeypatch):
        monkeypatch.setattr(module, "_TOLD_EVERY", (0.4, 0.4))
        told: list[str] = []
        measure(access(gateway.hop()), (0.5, 2.5), ("push",), told=told)
        assert any(text.endswith("to go; alive after 0.5 s") for text in told)
        assert any("1 connections are still silent" in text for text in told)

    def test_times_of_all_kinds(self, gateway):
        assert measure(access(gateway.hop()), ()).text == "there is nothing to measure"
        assert measure(access(gateway.hop()), (-1.0, 0.0)).probes == ()


def half_close(proxy):
    proxy.half_close(Direction.TO_CLIENT)


class TestDead:
    def frozen(self, gateway, tmp_path, modes, what, monkeypatch):
        """Measure 1.5 s through a proxy that does ``what`` once all are idle."""
        monkeypatch.setattr(module, "MAX_PATIENCE", 1.0)
        with FaultProxy(gateway.port) as proxy:
            result: list[Any] = []

            def work():
                way = access(gateway.behind(proxy.port))
                result.append(measure(way, (1.5,), modes))

            logins = gateway.server.log().count("Accepted publickey")
            thread = threading.Thread(target=work)
            thread.start()
            wait_until(
                lambda: gateway.server.log().count("Accepted publickey") >= logins + len(modes)
            )
            if "push" in modes:
                wait_until(lambda: gateway.serving and started(gateway))
            threading.Event().wait(0.4)
            what(proxy)
            thread.join(30)
        (run,) = result
        return run

    def test_silence(self, gateway, tmp_path, monkeypatch):
        run = self.frozen(
            gateway,
            tmp_path,
            ("push", "echo"),
            lambda proxy: proxy.freeze(Direction.TO_CLIENT),
            monkeypatch,
        )
        assert set(outcomes(run).values()) == {"silence"}

    @pytest.mark.parametrize(
        ("what", "outcome"),
        [(FaultProxy.cut, "rst"), (half_close, "fin")],
    )
    def test_an_end_before_its_time(self, gateway, tmp_path, monkeypatch, what, outcome):
        run = self.frozen(gateway, tmp_path, ("echo",), what, monkeypatch)
        (probe,) = run.probes
        assert probe.outcome == outcome
        assert 0 < probe.ended < 1.5
        assert "the gateway" in probe.text

    def test_a_gateway_that_speaks_by_itself(self, tmp_path):
        with tunnels.start("sshd", tmp_path, ClientAliveInterval="1") as gateway:
            run = measure(access(gateway.hop()), (3.0,), ("push",))
        (probe,) = run.probes
        assert probe.outcome == "refreshed"
        assert 0.5 < probe.refresh < 2.7


def started(gateway):
    for process in gateway.serving:
        with contextlib.suppress(psutil.NoSuchProcess):
            if "sleep" in process.name():
                return True
    return False


class TestNotStarted:
    @pytest.mark.parametrize(
        ("words", "why"),
        [
            ({"AllowTcpForwarding": "no"}, "refused to listen"),
            ({"AllowTcpForwarding": "remote"}, "does not connect to its own port"),
        ],
    )
    def test_neither_commands_nor_forwards(self, tmp_path, words, why):
        with tunnels.start("sshd", tmp_path, ForceCommand="/bin/false", **words) as gateway:
            run = measure(access(gateway.hop()), (0.3,))
        assert outcomes(run) == {(0.3, "push"): "not-started", (0.3, "echo"): "alive"}
        assert run.method == ""
        assert "runs no commands" in run.text
        assert why in run.text

    def test_refused_credentials_are_not_tried_again(self, gateway, tmp_path):
        before = gateway.server.log().count("Connection closed by authenticating user")
        stranger = gateway.hop(identities=(make_key(tmp_path / "stranger"),))
        run = measure(access(stranger), (0.2, 0.4, 0.6))
        assert set(outcomes(run).values()) == {"not-started"}
        assert "no more logins are tried" in run.text
        after = gateway.server.log().count("Connection closed by authenticating user")
        assert after - before <= 1

    def test_nor_is_a_gateway_that_is_gone(self, gateway):
        with FaultProxy(1) as gone:
            hop = gateway.behind(gone.port)
        tries: list[Any] = []

        def dial(way, witnesses=None):
            tries.append(way)
            raise GatewayUnreachableError("nobody is there")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "open_session", dial)
            run = measure(access(hop), tuple(range(1, 21)), ("echo",))
        assert len(tries) == module.MAX_FAILURES + 1
        assert len(run.probes) == 20
        assert set(outcomes(run).values()) == {"not-started"}

    def test_a_login_that_would_end_too_late_is_left_out(self, gateway, monkeypatch):
        slow = threading.Event()

        def dial(way, witnesses=None):
            slow.wait(0.6)
            return open_session(way, witnesses)

        open_session = module.open_session
        monkeypatch.setattr(module, "open_session", dial)
        run = measure(access(gateway.hop()), (1.0, 0.9, 0.8), ("echo",))
        assert outcomes(run)[1.0, "echo"] == "alive"
        late = [probe for probe in run.probes if probe.outcome == "not-started"]
        assert late
        assert {probe.text for probe in late} == {"the logins before it took too long"}

    def test_a_link_that_ends_while_the_way_is_sought(self, gateway, monkeypatch):
        with FaultProxy(gateway.port) as proxy:
            way = access(gateway.behind(proxy.port))
            sought = module._Measurement._find_way

            def cut_first(self, access, session):
                proxy.cut()
                session.link.wait(10)
                monkeypatch.setattr(module._Measurement, "_find_way", sought)
                return sought(self, access, session)

            monkeypatch.setattr(module._Measurement, "_find_way", cut_first)
            run = measure(way, (0.3,))
        assert outcomes(run)[0.3, "push"] == "not-started"


class TestCancelled:
    def test_what_is_known_is_kept(self, gateway):
        cancelled = threading.Event()
        result: list[Any] = []
        thread = threading.Thread(
            target=lambda: result.append(
                measure(access(gateway.hop()), (0.3, 60.0), cancelled=cancelled)
            )
        )
        thread.start()
        thread.join(4.0)
        began = time.monotonic()
        cancelled.set()
        thread.join(10)
        assert time.monotonic() - began < 2.0
        found = outcomes(result[0])
        assert found == {
            (0.3, "echo"): "alive",
            (0.3, "push"): "alive",
            (60.0, "echo"): "unfinished",
            (60.0, "push"): "unfinished",
        }

    def test_before_the_first_login(self, gateway):
        cancelled = threading.Event()
        cancelled.set()
        run = measure(access(gateway.hop()), (30.0, 31.0), cancelled=cancelled)
        assert set(outcomes(run).values()) == {"unfinished"}
        assert len(run.probes) == 4
        assert run.seconds < 3

    def test_during_a_login(self, gateway):
        with FaultProxy(gateway.port) as proxy:
            proxy.freeze()
            cancelled = threading.Event()
            timer = threading.Timer(0.3, cancelled.set)
            timer.start()
            run = measure(access(gateway.behind(proxy.port)), (30.0,), cancelled=cancelled)
            timer.join()
        assert set(outcomes(run).values()) == {"unfinished"}
        assert run.seconds < 3

    def test_a_login_that_cannot_be_interrupted_leaves_nothing(self, gateway, monkeypatch):
        cancelled = threading.Event()
        opened: list[Any] = []

        def dial(way, witnesses=None):
            cancelled.set()
            way.cancelled.wait(5)
            opened.append(open_session(replace(way, cancelled=threading.Event())))
            return opened[0]

        open_session = module.open_session
        monkeypatch.setattr(module, "open_session", dial)
        run = measure(access(gateway.hop()), (30.0,), ("push",), cancelled=cancelled)
        assert outcomes(run) == {(30.0, "push"): "unfinished"}
        wait_until(lambda: opened and opened[0].has_ended)


@pytest.mark.parametrize(
    ("number", "mode"),
    [
        (errno.ECONNRESET, "rst"),
        (errno.EPIPE, "rst"),
        (errno.ETIMEDOUT, "silence"),
        (errno.EHOSTUNREACH, "silence"),
    ],
)
def test_how_a_link_broke(number, mode):
    error = LinkLostError("broke", code="link-cut")
    error.__cause__ = OSError(number, "x")
    assert failure_mode(error) == mode


@pytest.mark.parametrize(
    ("code", "mode"), [("link-closed", "fin"), ("link-disconnected", "fin"), ("link-cut", "rst")]
)
def test_how_a_link_ended(code, mode):
    assert failure_mode(LinkLostError("x", code=code)) == mode


def test_how_a_link_of_ours_ended():
    assert failure_mode(None) == "fin"
