"""Several links and several gateways for one tunnel, with real ones."""

from __future__ import annotations

import contextlib
import signal
import threading
import time

import psutil
import pytest

from netkit.engine.tunnel import Tunnel
from netkit.errors import GatewayUnreachableError
from netkit.events import (
    FlowFailed,
    Health,
    HealthChanged,
    LinkDown,
    LinkUp,
    Notice,
    State,
)
from netkit.model import Endurance, Keepalive, Plan
from support import targets, tunnels
from support.tunnels import Events, Run, dynamic, exchange, local, outcome, remote, tunnel
from support.waiting import wait_until

THREE = Endurance(links=3)
AUTO = Endurance(links=0)


@pytest.fixture
def gateway(tmp_path):
    with tunnels.start("sshd", tmp_path) as running:
        yield running


def links_up(run: Run, count: int) -> None:
    wait_until(lambda: sum(each.up for each in run.tunnel.view().links) == count)


def link_of_each_flow(run: Run) -> list[int]:
    return [each.link for each in run.tunnel.flows()]


def open_all(stack: contextlib.ExitStack, run: Run, count: int, forward: int = 0):
    socks = [stack.enter_context(run.connect(forward)) for _ in range(count)]
    for sock in socks:
        exchange(sock, b"hello")
    return socks


class TestSharing:
    def test_evenly(self, gateway):
        with targets.echo() as target, contextlib.ExitStack() as stack:
            with tunnel(gateway, forwards=[local(target.address)], endurance=THREE) as run:
                links_up(run, 3)
                open_all(stack, run, 9)
                assert sorted(link_of_each_flow(run)) == [1, 1, 1, 2, 2, 2, 3, 3, 3]
                assert len(gateway.serving) >= 3
                assert len(run.events.of(LinkUp)) == 1, "one tunnel, one link as far as events go"
                number = run.tunnel.flows()[-1].number
                assert run.tunnel.kill(number)
                wait_until(lambda: len(run.tunnel.flows()) == 8)

    def test_keystrokes_are_apart_from_bulk(self, gateway):
        with targets.echo() as echo, targets.source(1 << 40) as source:
            forwards = [local(source.address), local(echo.address)]
            with tunnel(gateway, forwards=forwards, endurance=AUTO) as run:
                links_up(run, 2)
                with contextlib.ExitStack() as stack:
                    stop = threading.Event()

                    def read(sock) -> None:
                        sock.settimeout(5)
                        with contextlib.suppress(OSError):
                            while not stop.is_set():
                                sock.recv(1 << 18)

                    for _ in range(4):
                        sock = stack.enter_context(run.connect())
                        stack.callback(stop.set)
                        threading.Thread(target=read, args=(sock,)).start()
                        wait_until(lambda: run.tunnel.view().bytes_from_gateway > 1 << 21)
                    # as long as a link can be had: with auto there is always one to come
                    wait_until(lambda: any(not each.flows for each in run.tunnel.view().links))
                    bulk = set(link_of_each_flow(run))
                    with run.connect(1) as keys:
                        exchange(keys, b"k")
                        (mine,) = (
                            each.link
                            for each in run.tunnel.flows()
                            if each.target == str(echo.address)
                        )
                        assert mine not in bulk
                    stop.set()

    def test_a_dynamic_forward_has_its_own(self, gateway):
        with targets.echo() as target, contextlib.ExitStack() as stack:
            forwards = [local(target.address), dynamic()]
            with tunnel(gateway, forwards=forwards, endurance=AUTO) as run:
                links_up(run, 2)
                open_all(stack, run, 1)
                for _ in range(2):
                    sock = stack.enter_context(run.connect(1))
                    port = target.address.port
                    sock.sendall(b"\4\1" + port.to_bytes(2, "big") + b"\x7f\0\0\1\0")
                    assert sock.recv(8)[1] == 90
                by_forward = {each.forward: each.link for each in run.tunnel.flows()}
                assert by_forward[forwards[0]] != by_forward[forwards[1]]

    def test_auto_opens_what_it_takes_and_the_first_has_what_listens_there(self, gateway):
        with targets.echo() as target, contextlib.ExitStack() as stack:
            forwards = [local(target.address), remote(target.address), dynamic()]
            with tunnel(gateway, forwards=forwards, endurance=AUTO) as run:
                links_up(run, 2)
                open_all(stack, run, 2)
                assert link_of_each_flow(run) == [1, 1]
                stack.enter_context(run.connect(2)).sendall(
                    b"\4\1" + target.address.port.to_bytes(2, "big") + b"\x7f\0\0\1\0"
                )
                links_up(run, 3)
                (sock,) = open_all(stack, run, 1, forward=1)
                assert exchange(sock, b"from there") == b"from there"
                remote_one = next(f for f in run.tunnel.flows() if f.forward is forwards[1])
                assert remote_one.link == 1


class TestLoss:
    @pytest.mark.parametrize("which", [1, 2])
    def test_of_one_link_costs_its_flows_and_nothing_else(self, gateway, which):
        with targets.echo() as target, contextlib.ExitStack() as stack:
            endurance = Endurance(links=2, hold=0)
            with tunnel(gateway, forwards=[local(target.address)], endurance=endurance) as run:
                links_up(run, 2)
                socks = open_all(stack, run, 4)
                links = {each.source: each.link for each in run.tunnel.flows()}
                of = {sock: links["{}:{}".format(*sock.getsockname())] for sock in socks}
                # the gateway's side of one link: kept apart by when they began
                processes = sorted(
                    psutil.Process(gateway.main).children(), key=psutil.Process.create_time
                )
                for each in (*processes[which - 1].children(True), processes[which - 1]):
                    each.kill()
                for sock in socks:
                    if of[sock] == which:
                        assert outcome(sock) == "reset"
                # with hold=0 a connection that had to wait would be reset
                for _ in range(20):
                    with run.connect() as sock:
                        assert exchange(sock, b"new") == b"new"
                for sock in socks:
                    if of[sock] != which:
                        assert exchange(sock, b"untouched") == b"untouched"
                links_up(run, 2)
                assert run.tunnel.status.state is State.UP or which == 1
                assert not run.events.of(FlowFailed)

    def test_of_all_links_holds_what_comes(self, gateway):
        with targets.echo() as target:
            with tunnel(gateway, forwards=[local(target.address)], endurance=THREE) as run:
                links_up(run, 3)
                gateway.server.stop()
                run.events.wait(LinkDown)
                wait_until(lambda: not any(each.up for each in run.tunnel.view().links))
                with run.connect() as sock:
                    wait_until(lambda: run.tunnel.view().forwards[0].held == 1)
                    gateway.server.listen_again()
                    assert exchange(sock, b"held") == b"held"
                links_up(run, 3)

    def test_a_frozen_one_is_noticed(self, gateway):
        quick = Keepalive(interval=0.3, count=2)
        with targets.echo() as target:
            with tunnel(
                gateway, forwards=[local(target.address)], keepalive=quick, endurance=THREE
            ) as run:
                links_up(run, 3)
                gateway.signal(signal.SIGSTOP)
                run.events.wait(LinkDown)
                gateway.signal(signal.SIGCONT)
                links_up(run, 3)
                with run.connect() as sock:
                    assert exchange(sock, b"after") == b"after"

    def test_health_is_that_of_what_is_left(self, gateway):
        """One link that does not answer, or is gone, is nothing to a forward that others carry."""
        quick = Keepalive(interval=0.3, count=3)
        with targets.echo() as target:
            with tunnel(
                gateway, forwards=[local(target.address)], keepalive=quick, endurance=THREE
            ) as run:
                links_up(run, 3)
                number = psutil.Process(gateway.main).children()[-1]
                number.suspend()
                for process in number.children(True):
                    process.suspend()
                wait_until(lambda: sum(each.up for each in run.tunnel.view().links) == 2)
                assert not run.events.of(HealthChanged)
                gateway.server.stop()
                wait_until(lambda: run.tunnel.view().forwards[0].health is Health.DOWN)
                gateway.server.listen_again()
                wait_until(
                    lambda: run.tunnel.view().forwards[0].health is Health.UNVERIFIED, timeout=20
                )
                for process in psutil.Process().children(True):
                    if process.status() == psutil.STATUS_STOPPED:
                        process.kill()


def test_forwards_come_and_go(gateway):
    with targets.echo() as target:
        with tunnel(gateway, forwards=[local(target.address)], endurance=THREE) as run:
            links_up(run, 3)
            more = local(target.address)
            run.tunnel.add(more)
            with run.connect(1) as sock:
                exchange(sock, b"added")
                assert run.tunnel.remove(more)
                assert outcome(sock) == "reset"
            with run.connect() as sock:
                assert exchange(sock, b"still") == b"still"


def test_an_end_lets_flows_finish(gateway):
    with targets.echo() as target:
        with tunnel(gateway, forwards=[local(target.address)], endurance=THREE) as run:
            links_up(run, 3)
            socks = [run.connect() for _ in range(3)]
            for sock in socks:
                exchange(sock, b"begin")
            ending = threading.Thread(target=run.tunnel.stop, args=(10.0,))
            ending.start()
            wait_until(lambda: run.tunnel.status.state is State.STOPPING)
            for sock in socks:
                assert exchange(sock, b"last words") == b"last words"
                sock.close()
            ending.join(8)
            assert not ending.is_alive()


def test_a_gateway_that_takes_few_logins(tmp_path):
    with (
        tunnels.start("sshd", tmp_path, MaxStartups="1:100:1") as gateway,
        targets.echo() as target,
        tunnel(gateway, forwards=[local(target.address)], endurance=Endurance(links=6)) as run,
    ):
        with run.connect() as sock:
            assert exchange(sock, b"at once") == b"at once"
        links_up(run, 6)


class TestWays:
    @pytest.fixture
    def two(self, tmp_path):
        with contextlib.ExitStack() as stack:
            made = []
            for name in ("one", "two"):
                (tmp_path / name).mkdir()
                made.append(stack.enter_context(tunnels.start("sshd", tmp_path / name)))
            yield made

    @contextlib.contextmanager
    def running(self, two, target, **more):
        one, other = two
        plan = Plan(
            hops=(one.hop(alias="one"),),
            ways=((other.hop(alias="two"),),),
            forwards=(local(target.address),),
            endurance=Endurance(**more),
        )
        events = Events()
        run = Run(Tunnel(plan, observer=events), events)
        run.tunnel.start()
        try:
            yield run
        finally:
            run.tunnel.stop(0.0)

    def test_the_second_stands_in_for_the_first(self, two):
        with targets.echo() as target, self.running(two, target) as run:
            assert run.tunnel.view().links[0].gateway == "one"
            two[0].server.stop()
            began = time.monotonic()
            with run.connect() as sock:
                assert exchange(sock, b"by the other") == b"by the other"
            assert time.monotonic() - began < 5
            wait_until(lambda: run.tunnel.view().links[0].gateway == "two")

    def test_at_the_start_each_is_tried(self, two):
        two[0].server.stop()
        with targets.echo() as target, self.running(two, target) as run:
            assert run.events.wait(Notice, code="another-gateway").text.startswith("one: ")
            with run.connect() as sock:
                assert exchange(sock, b"by the other") == b"by the other"
        two[1].server.stop()
        with targets.echo() as target, pytest.raises(GatewayUnreachableError):
            with self.running(two, target):
                pass

    def test_links_are_spread_over_both(self, two):
        with targets.echo() as target, self.running(two, target, links=2, spread=True) as run:
            links_up(run, 2)
            assert [each.gateway for each in run.tunnel.view().links] == ["one", "two"]
            with contextlib.ExitStack() as stack:
                open_all(stack, run, 4)
                assert sorted(link_of_each_flow(run)) == [1, 1, 2, 2]
