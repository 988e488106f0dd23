"""Windows, memory and turns: pitfalls 5, 6 and 7, rule 4."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading

import pytest

from netkit.engine.link import BUDGET
from netkit.engine.stream import SLOT, SLOTS
from netkit.events import FlowClosed, FlowOpened
from netkit.model import Endpoint
from netkit.wire import messages as wire
from netkit.wire.messages import Fields
from netkit.wire.window import MAXIMUM_WINDOW
from support import targets, tunnels
from support.faults import Direction, FaultProxy
from support.hostile import HostileServer, about, confirmation, data
from support.tunnels import Run, TestGateway, exchange, local, read_all, read_exactly, tunnel
from support.waiting import wait_until

ANYWHERE = Endpoint("target.test", 1)


def small_reader(run: Run, index: int = 0) -> socket.socket:
    """Connect with a small receive buffer, so that not reading is felt soon."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    sock.settimeout(20)
    sock.connect(("127.0.0.1", run.port(index)))
    return sock


def kept(run: Run) -> list[int]:
    """Bytes that each flow holds for its local side."""
    return [len(flow.outbox.pending or b"") for flow in run.link.flows]


def wait_stalled(run: Run, count: int = 1) -> None:
    """Wait until ``count`` flows hold bytes and the gateway may send no full packet to them."""

    def is_stalled() -> bool:
        flows = [flow for flow in list(run.link.flows) if flow.outbox.pending]
        return len([f for f in flows if f.channel.window.left < 1 << 15]) >= count

    wait_until(is_stalled, timeout=20, what=f"{count} stalled flows")


class TestStalledReader:
    def test_costs_its_window_while_others_go_on(self, gateway: TestGateway):
        size = 32 << 20
        with targets.source(size) as big, targets.echo() as target:
            forwards = [local(big.address), local(target.address)]
            with tunnel(gateway, forwards=forwards) as run, small_reader(run) as stalled:
                read_exactly(stalled, 1)
                wait_stalled(run)
                (window,) = [channel.window for channel in run.link.mux.channels.values()]
                assert max(kept(run)) <= window.size <= MAXIMUM_WINDOW
                with run.connect(1) as sock:
                    for _ in range(50):
                        exchange(sock, b"beside a stalled flow")
                with run.connect() as other:
                    assert len(read_exactly(other, 4 << 20)) == 4 << 20
                digest = hashlib.sha256(next(iter(targets.pattern(1))) + read_all(stalled))
                assert digest.hexdigest() == targets.pattern_digest(size)

    @pytest.mark.slow
    def test_a_hundred_stay_within_the_budget(self, sshd: TestGateway):
        before = BUDGET.granted
        with targets.source(8 << 20) as big, targets.echo() as target:
            forwards = [local(big.address), local(target.address)]
            with tunnel(sshd, forwards=forwards) as run, contextlib.ExitStack() as stack:
                for _ in range(100):
                    stack.enter_context(small_reader(run))
                run.events.wait(FlowOpened, count=100)
                wait_stalled(run, 100)
                assert sum(kept(run)) <= BUDGET.granted <= BUDGET.total
                with run.connect(1) as sock:
                    exchange(sock, b"still here")
        assert BUDGET.granted == before

    def test_target_that_reads_nothing_stops_the_client(self, gateway: TestGateway):
        """Towards the gateway: no more is read from the client than its window has room for."""
        with targets.blackhole() as hole, targets.echo() as target:
            forwards = [local(hole.address), local(target.address)]
            with tunnel(gateway, forwards=forwards) as run, run.connect() as sock:
                run.events.wait(FlowOpened)
                sock.setblocking(False)
                wait_until(lambda: not sends_more(sock), timeout=20, what="a stopped sender")
                assert run.link.stream.queued <= SLOT * SLOTS
                with run.connect(1) as other:
                    for _ in range(50):
                        exchange(other, b"beside a stalled target")

    def test_slow_target_gets_everything_later(self, gateway: TestGateway):
        go = threading.Event()
        with targets.slow_reader(go) as target:
            with tunnel(gateway, forwards=[local(target.address)]) as run, run.connect() as sock:

                def send() -> None:
                    for piece in targets.pattern(16 << 20):
                        sock.sendall(piece)
                    sock.shutdown(socket.SHUT_WR)

                sender = threading.Thread(target=send)
                sender.start()
                target.wait_for_connections(1)
                go.set()
                assert read_all(sock).decode() == targets.pattern_digest(16 << 20)
                sender.join()


def sends_more(sock: socket.socket) -> bool:
    """Send until the kernel takes no more; return whether it took anything."""
    took = False
    with contextlib.suppress(BlockingIOError):
        while sock.send(bytes(1 << 16)):
            took = True
    return took


class TestOddWindows:
    """Windows and packets as small as the RFC allows."""

    @pytest.mark.parametrize(("window", "packet"), [(0, 1), (1, 1), (3, 2), (0, 1 << 15)])
    def test_data_comes_in_the_peers_portions(self, window: int, packet: int):
        got = bytearray()
        text = bytes(range(100)) * 3

        def script(server: HostileServer, kind: int, fields: Fields) -> None:
            if kind == wire.CHANNEL_OPEN:
                server.send(confirmation(server.opened[-1], window=window, packet=packet))
                server.send(about(wire.CHANNEL_WINDOW_ADJUST, server.opened[-1], 5))
            elif kind == wire.CHANNEL_DATA:
                fields.u32()
                piece = bytes(fields.string())
                assert 0 < len(piece) <= packet
                got.extend(piece)
                adjust = about(wire.CHANNEL_WINDOW_ADJUST, server.opened[-1], len(piece))
                server.send(adjust)

        with HostileServer(script) as server:
            with tunnel(server.hop(), forwards=[local(ANYWHERE)]) as run:
                with run.connect() as sock:
                    sock.sendall(text)
                    sock.shutdown(socket.SHUT_WR)
                    server.wait_for(wire.CHANNEL_EOF)
                    assert got == text

    def test_eof_needs_no_window(self):
        def script(server: HostileServer, kind: int, _fields: Fields) -> None:
            if kind == wire.CHANNEL_OPEN:
                server.send(confirmation(server.opened[-1], window=0))

        with HostileServer(script) as server:
            with tunnel(server.hop(), forwards=[local(ANYWHERE)]) as run:
                with run.connect() as sock:
                    sock.shutdown(socket.SHUT_WR)
                    server.wait_for(wire.CHANNEL_EOF)
                    assert server.count(wire.CHANNEL_DATA) == 0

    def test_eof_waits_behind_data_that_waits_for_window(self):
        def script(server: HostileServer, kind: int, _fields: Fields) -> None:
            if kind == wire.CHANNEL_OPEN:
                server.send(confirmation(server.opened[-1], window=0))

        with HostileServer(script) as server:
            with tunnel(server.hop(), forwards=[local(ANYWHERE)]) as run:
                with run.connect() as sock:
                    channel = server.channel()
                    sock.sendall(b"last words")
                    sock.shutdown(socket.SHUT_WR)
                    server.send(about(wire.CHANNEL_WINDOW_ADJUST, channel, 4))
                    server.wait_for(wire.CHANNEL_DATA)
                    assert server.count(wire.CHANNEL_EOF) == 0
                    server.send(about(wire.CHANNEL_WINDOW_ADJUST, channel, 100))
                    server.wait_for(wire.CHANNEL_EOF)
                    kinds = [kind for kind, _ in server.messages]
                    assert kinds.index(wire.CHANNEL_EOF) > kinds.index(wire.CHANNEL_DATA)

    def test_small_window_of_dropbear(self, tmp_path):
        with tunnels.start("dropbear", tmp_path, "-W", "24576") as gateway:
            with targets.half_close() as target:
                with (
                    tunnel(gateway, forwards=[local(target.address)]) as run,
                    run.connect() as sock,
                ):
                    for piece in targets.pattern(2 << 20):
                        sock.sendall(piece)
                    sock.shutdown(socket.SHUT_WR)
                    assert read_all(sock).decode() == targets.pattern_digest(2 << 20)

    def test_extended_data_is_dropped_and_credited(self):
        """More of it than the window: a peer that is not credited would hang (golang/go#80333)."""
        with HostileServer() as server:

            def script(_server: HostileServer, kind: int, fields: Fields) -> None:
                if kind == wire.CHANNEL_OPEN:
                    server.send(confirmation(server.opened[-1]))
                    send_error_text(300)
                elif kind == wire.CHANNEL_WINDOW_ADJUST and server.count(kind) == 1:
                    send_error_text(30)
                    server.send(data(server.opened[0], b"and data"))

            def send_error_text(packets: int) -> None:
                head = about(wire.CHANNEL_EXTENDED_DATA, server.opened[0], 1)
                for _ in range(packets):
                    server.send(head + wire.string(bytes(4096)))

            server.script = script
            with tunnel(server.hop(), forwards=[local(ANYWHERE)]) as run, run.connect() as sock:
                assert read_exactly(sock, 8) == b"and data"


class TestTurns:
    @pytest.mark.parametrize("to_gateway", [True, False])
    def test_echo_is_answered_beside_bulk(self, gateway: TestGateway, to_gateway: bool):
        stop = threading.Event()
        with targets.source(1 << 40) as source, targets.sink() as sink, targets.echo() as target:
            bulk = sink if to_gateway else source
            forwards = [local(bulk.address), local(target.address)]
            with tunnel(gateway, forwards=forwards) as run, run.connect() as busy:

                def work() -> None:
                    while not stop.is_set():
                        if to_gateway:
                            busy.sendall(bytes(1 << 16))
                        else:
                            busy.recv(1 << 18)

                worker = threading.Thread(target=work)
                worker.start()
                try:
                    with run.connect(1) as sock:
                        for _ in range(100):
                            assert exchange(sock, b"x" * 100) == b"x" * 100
                finally:
                    stop.set()
                    worker.join()

    def test_queue_towards_a_stuck_gateway_is_bounded(self, sshd: TestGateway):
        with FaultProxy(sshd.port) as proxy, targets.sink() as sink:
            with tunnel(sshd.behind(proxy.port), forwards=[local(sink.address)]) as run:
                socks = [run.connect() for _ in range(8)]
                run.events.wait(FlowOpened, count=8)
                proxy.freeze(Direction.TO_TARGET)
                try:
                    for sock in socks:
                        sock.setblocking(False)
                    wait_until(
                        lambda: not sum(sends_more(sock) for sock in socks),
                        timeout=30,
                        what="eight stopped senders",
                    )
                    assert run.link.stream.queued <= SLOT * SLOTS + 4096
                finally:
                    for sock in socks:
                        sock.close()
                    proxy.thaw()
                run.events.wait(FlowClosed, count=8, timeout=20)
