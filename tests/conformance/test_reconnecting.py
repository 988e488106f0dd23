"""Links die, listeners do not: what a tunnel does from one link to the next."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
import threading
import time

import psutil
import pytest

from netkit.engine.forwards import Forwards
from netkit.engine.link import Link
from netkit.engine.predecessors import Session
from netkit.engine.remote import RemoteForwards
from netkit.errors import AuthenticationError, HostKeyError, LinkLostError, RemoteForwardError
from netkit.events import Health, HealthChanged, LinkDown, LinkUp, Notice, Retrying, State
from netkit.model import Endpoint, Endurance, Keepalive
from support import targets, tunnels
from support.faults import FaultProxy
from support.ports import free_port
from support.sshd import make_key
from support.tunnels import (
    Run,
    TestGateway,
    dynamic,
    exchange,
    local,
    outcome,
    read_all,
    read_exactly,
    remote,
    tunnel,
)
from support.waiting import wait_until

LASTING = Endurance()
HERE = Endpoint("127.0.0.1", 0)
QUICK = Keepalive(interval=0.3, count=2)


@pytest.fixture
def gateway(tmp_path):
    with tunnels.start("sshd", tmp_path) as running:
        yield running


@contextlib.contextmanager
def gone(gateway: TestGateway):
    """Have the gateway refuse everybody, also those who are connected, until it is left."""
    server = gateway.server
    port = server.port
    server.stop()
    try:
        yield
    finally:
        server.listen_again()
        assert server.port == port


def again(run: Run, count: int = 1) -> None:
    run.events.wait(Notice, code="reconnected", count=count, timeout=20)


class TestLinkThatIsLost:
    def test_is_remade_and_listeners_stay(self, gateway: TestGateway):
        with targets.echo() as target:
            with tunnel(gateway, forwards=[local(target.address)], endurance=LASTING) as run:
                port = run.port()
                with run.connect() as sock:
                    exchange(sock, b"before")
                    gateway.kill()
                    assert outcome(sock) == "reset"
                again(run)
                assert run.port() == port
                with run.connect() as sock:
                    assert exchange(sock, b"after") == b"after"
                assert run.tunnel.status.state is State.UP
                assert run.tunnel.view().reconnects == 1
                assert len(run.events.of(LinkUp)) == 2
                assert run.events.of(Retrying)[0].attempt == 1
            assert run.tunnel.wait(0) is None

    @pytest.mark.parametrize("fault", ["cut", "freeze"])
    def test_by_the_network(self, gateway: TestGateway, fault: str):
        with FaultProxy(gateway.port) as proxy, targets.echo() as target:
            hop = gateway.behind(proxy.port)
            forwards = [local(target.address)]
            with tunnel(hop, forwards=forwards, keepalive=QUICK, endurance=LASTING) as run:
                if fault == "cut":
                    proxy.cut()
                else:
                    proxy.freeze()
                    lost = run.events.wait(LinkDown)
                    assert lost.code == "gateway-silent"
                    assert run.events.of(HealthChanged)[0].health is Health.STALE
                    proxy.thaw()
                again(run)
                with run.connect() as sock:
                    assert exchange(sock, b"after") == b"after"

    def test_frozen_gateway(self, gateway: TestGateway):
        with targets.echo() as target:
            forwards = [local(target.address)]
            with tunnel(gateway, forwards=forwards, keepalive=QUICK, endurance=LASTING) as run:
                began = time.monotonic()
                gateway.signal(signal.SIGSTOP)
                run.events.wait(LinkDown)
                assert time.monotonic() - began < QUICK.interval * QUICK.count + 1
                gateway.signal(signal.SIGCONT)
                again(run)
                with run.connect() as sock:
                    assert exchange(sock, b"after") == b"after"


class TestHeldConnections:
    def test_go_through_on_the_next_link(self, gateway: TestGateway):
        with targets.echo() as target:
            forwards = [local(target.address), dynamic()]
            with tunnel(gateway, forwards=forwards, endurance=LASTING) as run:
                with gone(gateway):
                    run.events.wait(Retrying, count=2)
                    held = [run.connect() for _ in range(3)]
                    proxied = run.connect(1)
                    for number, sock in enumerate(held):
                        sock.sendall(b"%d" % number)
                    proxied.sendall(b"\x05\x01\x00")
                    wait_until(
                        lambda: [each.held for each in run.tunnel.view().forwards] == [3, 1],
                        what="four to be held",
                    )
                    assert run.tunnel.view().state is State.WAITING
                for number, sock in enumerate(held):
                    with sock:
                        assert read_exactly(sock, 1) == b"%d" % number
                with proxied:
                    assert read_exactly(proxied, 2) == b"\x05\x00"

    def test_wait_for_so_long_and_are_reset(self, gateway: TestGateway):
        endurance = Endurance(hold=0.3)
        with tunnel(
            gateway, forwards=[local(Endpoint("127.0.0.1", 9))], endurance=endurance
        ) as run:
            with gone(gateway):
                run.events.wait(Retrying)
                began = time.monotonic()
                assert run.how_it_ends() == "reset"
                assert 0.2 < time.monotonic() - began < 3

    def test_with_no_time_to_wait_are_reset_at_once(self, gateway: TestGateway):
        endurance = Endurance(hold=0)
        with tunnel(
            gateway, forwards=[local(Endpoint("127.0.0.1", 9))], endurance=endurance
        ) as run:
            with gone(gateway):
                run.events.wait(Retrying)
                assert run.how_it_ends() == "reset"

    def test_end_with_the_tunnel(self, gateway: TestGateway):
        with tunnel(gateway, forwards=[local(Endpoint("127.0.0.1", 9))], endurance=LASTING) as run:
            with gone(gateway):
                run.events.wait(Retrying)
                with run.connect() as sock:
                    began = time.monotonic()
                    run.tunnel.stop()
                    assert time.monotonic() - began < 3
                    assert outcome(sock) == "reset"
            assert run.events.of(LinkDown)[-1].code == "stopped"
            assert run.tunnel.wait(0) is None

    def test_channel_that_was_not_open_yet_is_not_lost(self, gateway: TestGateway):
        """Nobody has read from it, so it may as well go over the next link."""
        with targets.echo() as target:
            forwards = [local(target.address)]
            with tunnel(gateway, forwards=forwards, keepalive=QUICK, endurance=LASTING) as run:
                gateway.signal(signal.SIGSTOP)
                with run.connect() as sock:
                    sock.sendall(b"hello")
                    run.events.wait(LinkDown)
                    gateway.signal(signal.SIGCONT)
                    assert read_exactly(sock, 5) == b"hello"

    def test_open_waits_as_well(self, gateway: TestGateway):
        with targets.echo() as target, tunnel(gateway, endurance=LASTING) as run:
            gateway.kill()
            run.events.wait(LinkDown)
            with run.tunnel.open("127.0.0.1", target.port) as sock:
                assert exchange(sock, b"hello") == b"hello"


class TestDownloadsAreCut:
    def test_and_new_connections_every_50_ms_all_served(self, gateway: TestGateway):
        """Nobody is refused, who waits is served, and who was cut learns it."""
        size = 1 << 20
        with targets.source(1 << 40) as endless, targets.source(size) as short:
            forwards = [local(endless.address), local(short.address)]
            with tunnel(gateway, forwards=forwards, endurance=LASTING) as run:
                downloads = [run.connect() for _ in range(20)]
                for sock in downloads:
                    assert sock.recv(1000)
                want = digest_of(run.connect(1))
                with newcomers(run, every=0.05) as results:
                    wait_until(lambda: len(results) >= 5, what="some that come before")
                    with gone(gateway):
                        run.events.wait(Retrying, count=2)
                        came = len(results)
                    again(run)
                    wait_until(lambda: len(results) >= came + 20, what="some that come after")
                assert [outcome(sock) for sock in downloads] == ["reset"] * 20
                for sock in downloads:
                    sock.close()
                assert {ended for ended in results if ended != want} <= {"reset"}
                assert "refused" not in results
                # whoever was in the middle of a transfer at the cut, at 20 a second
                assert results.count("reset") <= 3
                assert run.tunnel.view().reconnects == 1


def digest_of(sock: socket.socket) -> str:
    with sock:
        return hashlib.sha256(read_all(sock)).hexdigest()


@contextlib.contextmanager
def newcomers(run: Run, *, every: float):
    """Connect to the second forward again and again; yields the list of how that ended."""
    results: list[str] = []
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def come() -> None:
        try:
            results.append(digest_of(run.connect(1)))
        except ConnectionRefusedError:
            results.append("refused")
        except ConnectionResetError:
            results.append("reset")
        except OSError as error:
            results.append(str(error))

    def keep_coming() -> None:
        while not stop.wait(every):
            threads.append(threading.Thread(target=come))
            threads[-1].start()

    source = threading.Thread(target=keep_coming)
    source.start()
    try:
        yield results
    finally:
        stop.set()
        source.join()
        for thread in threads:
            thread.join(20)


class TestWhatIsNotTriedAgain:
    def test_host_key_that_changed(self, gateway: TestGateway):
        with tunnel(gateway, endurance=LASTING) as run:
            server = gateway.server
            for key in server.host_key_files:
                key.unlink()
                key.with_name(f"{key.name}.pub").unlink()
                make_key(key)
            with gone(gateway):
                run.events.wait(Retrying)
            error = run.tunnel.wait(20)
            assert isinstance(error, HostKeyError)
            assert error.exit_code == 5
            assert run.events.of(LinkDown)[-1].code == error.code

    def test_key_that_is_refused(self, gateway: TestGateway):
        with tunnel(gateway, endurance=LASTING) as run:
            gateway.server.authorized_keys.write_text("")
            gateway.kill()
            error = run.tunnel.wait(20)
            assert isinstance(error, AuthenticationError)
            assert error.exit_code == 6
            assert len(run.events.of(Retrying)) == 1

    def test_more_often_than_asked_for(self, gateway: TestGateway):
        with tunnel(gateway, endurance=Endurance(retries=2)) as run:
            with gone(gateway):
                error = run.tunnel.wait(20)
            assert error is not None
            assert error.exit_code == 4
            assert [event.attempt for event in run.events.of(Retrying)] == [1, 2]

    def test_nor_at_all(self, gateway: TestGateway):
        with tunnel(gateway, endurance=Endurance(retries=0)) as run:
            gateway.kill()
            assert isinstance(run.tunnel.wait(20), LinkLostError)
            assert not run.events.of(Retrying)


class TestRemoteForwards:
    def test_ask_for_the_port_they_had(self, gateway: TestGateway):
        with targets.echo() as target:
            with tunnel(gateway, forwards=[remote(target.address)], endurance=LASTING) as run:
                port = run.port()
                gateway.kill()
                again(run)
                assert run.port() == port
                with run.connect() as sock:
                    assert exchange(sock, b"after") == b"after"

    def test_a_gateway_that_is_slow_to_listen_holds_up_nobody_here(
        self, gateway: TestGateway, monkeypatch: pytest.MonkeyPatch
    ):
        listens, arm_again = threading.Event(), Forwards.arm_again

        def slow(forwards: Forwards, link: Link) -> RemoteForwards:
            listens.wait(20)
            return arm_again(forwards, link)

        monkeypatch.setattr(Forwards, "arm_again", slow)
        with targets.echo() as target:
            forwards = [remote(target.address), local(target.address)]
            with tunnel(gateway, forwards=forwards, endurance=LASTING) as run:
                gateway.kill()
                run.events.wait(LinkDown)
                with run.connect(1) as sock:
                    assert exchange(sock, b"meanwhile") == b"meanwhile"
                assert run.tunnel.view().forwards[0].health is Health.DOWN
                assert run.tunnel.view().forwards[1].health is Health.UNVERIFIED
                listens.set()
                again(run)
                with run.connect() as sock:
                    assert exchange(sock, b"after") == b"after"

    def test_a_link_that_ends_before_the_gateway_listens_is_made_again(
        self, gateway: TestGateway, monkeypatch: pytest.MonkeyPatch
    ):
        ending, arm_again = iter([True]), Forwards.arm_again

        def cut(forwards: Forwards, link: Link) -> RemoteForwards:
            if next(ending, False):
                gateway.kill()
                assert link.wait(10)
            return arm_again(forwards, link)

        monkeypatch.setattr(Forwards, "arm_again", cut)
        with targets.echo() as target:
            forwards = [remote(target.address), local(target.address)]
            with tunnel(gateway, forwards=forwards, endurance=LASTING) as run:
                gateway.kill()
                run.events.wait(LinkDown, count=2)
                again(run, 2)
                for index in (0, 1):
                    with run.connect(index) as sock:
                        assert exchange(sock, b"after") == b"after"

    def test_port_that_the_dead_session_holds(self, gateway: TestGateway):
        """A link that broke is not known to be broken at the other end."""
        with FaultProxy(gateway.port) as proxy, targets.echo() as target:
            hop = gateway.behind(proxy.port)
            forwards = [remote(target.address), local(target.address)]
            with tunnel(hop, forwards=forwards, keepalive=QUICK, endurance=LASTING) as run:
                before = gateway.serving
                for process in before:
                    process.suspend()
                run.events.wait(LinkDown)
                again(run)
                notice = run.events.wait(Notice, code="remote-port-held")
                assert "ClientAliveInterval" in notice.text
                assert f"listen on port {run.port()}:" in notice.text
                assert run.tunnel.view().forwards[0].health is Health.REFUSED
                assert run.tunnel.view().forwards[1].health is Health.UNVERIFIED
                with run.connect(1) as sock:
                    assert exchange(sock, b"meanwhile") == b"meanwhile"
                for process in before:
                    process.kill()
                run.events.wait(
                    HealthChanged, health=Health.UNVERIFIED, forward=forwards[0], timeout=20
                )
                with run.connect() as sock:
                    assert exchange(sock, b"after") == b"after"

    def test_dead_session_of_ours_is_ended(self, gateway: TestGateway):
        endurance = Endurance(takeover=True)
        with FaultProxy(gateway.port) as proxy, targets.echo() as target:
            hop = gateway.behind(proxy.port)
            forwards = [remote(target.address)]
            with tunnel(hop, forwards=forwards, keepalive=QUICK, endurance=endurance) as run:
                port, noted = run.port(), Session(0, "")
                for number in (1, 2):
                    # the session's process is asked for a moment after the link is up
                    wait_until(lambda: {*run.tunnel.earlier.sessions} - {noted})  # noqa: B023
                    noted = run.tunnel.earlier.sessions[-1]
                    before = [each for each in gateway.serving if each.is_running()]
                    for process in before:
                        process.suspend()
                    run.events.wait(LinkDown, count=number)
                    again(run, number)
                    ended = run.events.wait(Notice, code="took-over", count=number)
                    assert any(str(each.pid) in ended.text for each in before)
                    for process in before:
                        with contextlib.suppress(psutil.NoSuchProcess):
                            process.resume()
                    with run.connect() as sock:
                        assert exchange(sock, b"at once") == b"at once"
                    assert run.port() == port
                assert not run.events.of(Notice, code="remote-port-held")

    def test_dead_session_of_a_dropbear_is_ended(self, tmp_path):
        endurance = Endurance(takeover=True)
        with (
            tunnels.start("dropbear", tmp_path) as gateway,
            FaultProxy(gateway.port) as proxy,
            targets.echo() as target,
        ):
            forwards = [remote(target.address, Endpoint("127.0.0.1", free_port()))]
            hop = gateway.behind(proxy.port)
            with tunnel(hop, forwards=forwards, keepalive=QUICK, endurance=endurance) as run:
                wait_until(lambda: run.tunnel.earlier.sessions)
                before = gateway.serving
                for process in before:
                    process.suspend()
                run.events.wait(LinkDown)
                again(run)
                ended = run.events.wait(Notice, code="took-over")
                assert any(f"process {each.pid})" in ended.text for each in before)
                with run.connect() as sock:
                    assert exchange(sock, b"at once") == b"at once"

    def test_somebody_elses_session_is_left_alone(self, gateway: TestGateway):
        """The port is taken by another program: with the word or without, it lives on."""
        endurance = Endurance(takeover=True)
        with targets.echo() as target, contextlib.ExitStack() as stack:
            run = stack.enter_context(
                tunnel(gateway, forwards=[remote(target.address, HERE)], endurance=endurance)
            )
            wait_until(lambda: len(run.tunnel.earlier.sessions) == 1)
            port = run.port()
            with gone(gateway):
                run.events.wait(LinkDown)
                other = stack.enter_context(socket.create_server(("127.0.0.1", port)))
            again(run)
            held = run.events.wait(Notice, code="remote-port-holder", timeout=20)
            assert f"process {os.getpid()})" in held.text
            assert "our own" not in held.text
            assert run.tunnel.view().forwards[0].health is Health.REFUSED
            other.close()
            run.events.wait(HealthChanged, health=Health.UNVERIFIED, count=1, timeout=20)

    def test_the_holder_is_named_at_the_first_start_too(self, gateway: TestGateway):
        with targets.echo() as target, socket.create_server(("127.0.0.1", 0)) as other:
            spec = remote(target.address, Endpoint("127.0.0.1", other.getsockname()[1]))
            with pytest.raises(RemoteForwardError) as refused, tunnel(gateway, forwards=[spec]):
                pass
            assert f"(process {os.getpid()}) listens on it" in refused.value.cause
            assert refused.value.fixes[0].argv == ("ps", "-fp", str(os.getpid()))
            with tunnel(gateway, forwards=[remote(target.address, HERE)]) as first:
                spec = remote(target.address, Endpoint("127.0.0.1", first.port()))
                with tunnel(gateway, forwards=[local(target.address)]) as second:
                    with pytest.raises(RemoteForwardError) as refused:
                        second.tunnel.add(spec)
                    serving = {str(each.pid) for each in gateway.serving}
            assert "taken there: sshd" in refused.value.cause
            kill, number = refused.value.fixes[0].argv
            assert kill == "kill"
            assert number in serving

    def test_a_port_of_somebody_elses_makes_us_forget_nothing(self, gateway: TestGateway):
        """A takeover that was in vain leaves our session to be found by the next link."""
        with targets.echo() as target, contextlib.ExitStack() as stack:
            forwards = [remote(target.address, HERE), remote(target.address, HERE)]
            endurance = Endurance(takeover=True)
            run = stack.enter_context(
                tunnel(gateway, forwards=forwards, keepalive=QUICK, endurance=endurance)
            )
            wait_until(lambda: run.tunnel.earlier.sessions)
            with gone(gateway):
                run.events.wait(LinkDown)
                taken = ("127.0.0.1", run.port(1))
                stack.enter_context(socket.create_server(taken))
            again(run)
            run.events.wait(Notice, code="remote-port-holder", timeout=20)
            before = gateway.serving
            numbers = {each.pid for each in before}
            assert numbers & {each.pid for each in run.tunnel.earlier.sessions}
            for process in before:
                process.suspend()
            again(run, 2)
            wait_until(
                lambda: any(
                    str(number) in notice.text
                    for number in numbers
                    for notice in run.events.of(Notice, code="took-over")
                )
            )
            with run.connect() as sock:
                assert exchange(sock, b"after") == b"after"


class TestChains:
    @pytest.mark.parametrize("which", [0, 1])
    def test_any_hop_may_go(self, tmp_path, which: int):
        with (
            tunnels.start("sshd", tmp_path / "one") as first,
            tunnels.start("sshd", tmp_path / "two") as second,
            targets.echo() as target,
        ):
            forwards = [local(target.address)]
            with tunnel(first, second, forwards=forwards, endurance=LASTING) as run:
                (first, second)[which].kill()
                again(run)
                with run.connect() as sock:
                    assert exchange(sock, b"after") == b"after"
