"""Channels being opened: pitfalls 8 and 9, rule 3."""

from __future__ import annotations

import contextlib
import fcntl
import selectors
import socket
import struct
import termios
import threading
import time
from typing import Self

import pytest

from netkit.errors import OpenError
from netkit.events import FlowClosed, FlowFailed, FlowOpened
from netkit.model import Endpoint
from netkit.wire import messages as wire
from support import targets, tunnels
from support.hostile import HostileServer, confirmation, data, refusal
from support.tunnels import (
    TestGateway,
    dynamic,
    exchange,
    local,
    outcome,
    read_all,
    read_exactly,
    tunnel,
)
from support.waiting import wait_until

ANYWHERE = Endpoint("target.test", 1)


def unread(sock: socket.socket) -> int:
    """Return how many bytes wait in the kernel."""
    answer: int = struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, bytes(4)))[0]
    return answer


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class TestBeforeConfirmation:
    def test_local_side_is_not_read(self):
        with HostileServer() as server:
            with tunnel(server.hop(), forwards=[local(ANYWHERE)]) as run, run.connect() as sock:
                sock.sendall(b"early bird")
                channel = server.channel()
                (flow,) = run.link.flows
                # a whole turn of the loop with bytes there to be read
                run.link.run(lambda: None)
                wait_until(lambda: unread(flow.sock) == 10, what="ten bytes in the kernel")
                assert server.count(wire.CHANNEL_DATA) == 0
                server.send(confirmation(channel))
                assert server.wait_for(wire.CHANNEL_DATA).endswith(b"early bird")
                assert unread(flow.sock) == 0

    def test_early_fin_is_half_a_close_and_not_a_goodbye(self):
        with HostileServer() as server:
            with tunnel(server.hop(), forwards=[local(ANYWHERE)]) as run, run.connect() as sock:
                sock.sendall(b"question")
                sock.shutdown(socket.SHUT_WR)
                channel = server.channel()
                server.send(confirmation(channel))
                server.wait_for(wire.CHANNEL_EOF)
                server.send(
                    data(channel, b"answer"),
                    bytes([wire.CHANNEL_EOF]) + wire.u32(channel),
                    bytes([wire.CHANNEL_CLOSE]) + wire.u32(channel),
                )
                assert read_all(sock) == b"answer"

    def test_client_that_leaves_cancels_the_open(self):
        with HostileServer() as server:
            with tunnel(server.hop(), forwards=[local(ANYWHERE)]) as run:
                sock = run.connect()
                channel = server.channel()
                reset(sock)
                assert run.events.wait(FlowFailed).code == "client-left"
                assert not run.link.flows
                # The channel lives until the gateway's answer, and is closed then.
                assert channel in run.link.mux.channels
                server.send(confirmation(channel, ours=42))
                assert server.wait_for(wire.CHANNEL_CLOSE) == wire.u32(42)
                server.send(bytes([wire.CHANNEL_CLOSE]) + wire.u32(channel))
                run.wait_idle()

    def test_client_that_leaves_before_a_refusal(self):
        with HostileServer() as server:
            with tunnel(server.hop(), forwards=[local(ANYWHERE)]) as run:
                sock = run.connect()
                channel = server.channel()
                reset(sock)
                run.events.wait(FlowFailed)
                server.send(refusal(channel, 2, "Connection refused"))
                run.wait_idle()
                assert len(run.events.of(FlowFailed)) == 1

    def test_many_that_leave_at_once(self, gateway: TestGateway):
        with targets.echo() as target, tunnel(gateway, forwards=[local(target.address)]) as run:
            for _ in range(200):
                reset(run.connect())
            with run.connect() as sock:
                assert exchange(sock, b"still here") == b"still here"
            run.wait_idle()


class TestFailures:
    """The gateway's reason, as an event and as an error of `open`."""

    @pytest.mark.parametrize("through", ["forward", "open"])
    def test_refused(self, gateway: TestGateway, through: str):
        with targets.refuse() as closed:
            assert failure(gateway, closed.address, through) == "target-refused"

    @pytest.mark.parametrize("through", ["forward", "open"])
    def test_unknown_name(self, gateway: TestGateway, through: str):
        unknown = Endpoint("no-such-host.invalid", 80)
        assert failure(gateway, unknown, through) in {
            "target-name-unknown",
            # dropbear says nothing but "connect failed" for every reason
            *(["open-failed"] if gateway.name == "dropbear" else []),
        }

    @pytest.mark.parametrize(
        ("name", "options", "words"),
        [
            ("sshd", (), {"AllowTcpForwarding": "no"}),
            ("sshd", (), {"PermitOpen": "127.0.0.1:1"}),
            ("sshd", (), {"AllowTcpForwarding": "remote"}),
            ("dropbear", ("-j",), {}),
            ("netkit", ("--allow", "127.0.0.1:1"), {}),
        ],
    )
    def test_prohibited(self, tmp_path, name, options, words):
        with tunnels.start(name, tmp_path, *options, **words) as gateway, targets.echo() as target:
            for through in ("forward", "open"):
                assert failure(gateway, target.address, through) == "forwarding-prohibited"

    @pytest.mark.parametrize(
        ("reason", "text", "code"),
        [
            (1, "administratively prohibited: open failed", "forwarding-prohibited"),
            (1, "Connection refused", "target-refused"),
            (2, "Connection timed out", "target-timed-out"),
            (2, "No route to host", "target-unreachable"),
            (2, "Network is unreachable", "target-unreachable"),
            (2, "Name or service not known", "target-name-unknown"),
            (3, "whatever", "channel-type-unknown"),
            (4, "", "gateway-out-of-resources"),
            (2, "", "open-failed"),
            (77, "\x1b[2Jnonsense\r\n", "open-failed"),
        ],
    )
    def test_every_reason_has_its_code(self, reason, text, code):
        def script(server, kind, _fields):
            if kind == wire.CHANNEL_OPEN:
                server.send(refusal(server.opened[-1], reason, text))

        with HostileServer(script) as server, tunnel(server.hop()) as run:
            with pytest.raises(OpenError) as caught:
                run.tunnel.open("target.test", 1)
        assert caught.value.code == code
        assert caught.value.reason == reason
        assert "\x1b" not in caught.value.summary

    def test_no_answer_at_all(self):
        """An allowed target that answers nothing: bounded by our own time limit, nothing leaks."""
        with HostileServer() as server, tunnel(server.hop()) as run:
            with pytest.raises(OpenError) as caught:
                run.tunnel.open("target.test", 1, timeout=0.3)
            assert caught.value.code == "target-timed-out"
            assert "within 0.3 s" in caught.value.summary
            server.send(confirmation(server.channel()))
            server.wait_for(wire.CHANNEL_CLOSE)

    def test_black_hole_does_not_hold_others_up(self, gateway: TestGateway):
        """A full accept queue drops SYNs, as a firewall does."""
        with full_port() as port, targets.echo() as target:
            forwards = [local(Endpoint("127.0.0.1", port)), local(target.address)]
            with tunnel(gateway, forwards=forwards) as run, run.connect() as waiting:
                wait_until(lambda: run.link.flows, what="the open to be under way")
                with run.connect(1) as sock:
                    assert exchange(sock, b"ping") == b"ping"
                run.tunnel.stop(0)
                assert outcome(waiting) == "reset"


def failure(gateway: TestGateway, target, through: str) -> str:
    """Return the code with which opening a channel to ``target`` fails."""
    if through == "open":
        with tunnel(gateway) as run:
            with pytest.raises(OpenError) as caught:
                run.tunnel.open(target.host, target.port)
            assert str(target) in caught.value.summary
            run.wait_idle()
        return caught.value.code
    with tunnel(gateway, forwards=[local(target)]) as run:
        assert run.how_it_ends() == "reset"
        failed = run.events.wait(FlowFailed)
        run.wait_idle()
    return failed.code


@contextlib.contextmanager
def full_port():
    """A port that answers no connection request: its accept queue is full (listen(2))."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        while True:
            sock = stack.enter_context(socket.socket())
            sock.settimeout(0.3)
            try:
                sock.connect(listener.getsockname())
            except TimeoutError:
                break
        yield listener.getsockname()[1]


class TestOpenSocket:
    def test_carries_data_both_ways(self, gateway: TestGateway):
        with targets.half_close() as target, tunnel(gateway) as run:
            with run.tunnel.open("127.0.0.1", target.port) as sock:
                sock.settimeout(20)
                for piece in targets.pattern(3 << 20):
                    sock.sendall(piece)
                sock.shutdown(socket.SHUT_WR)
                assert read_all(sock).decode() == targets.pattern_digest(3 << 20)
            run.wait_idle()

    def test_names_go_to_the_gateway(self):
        with HostileServer() as server, tunnel(server.hop()) as run:
            with pytest.raises(OpenError):
                run.tunnel.open("db.internal.invalid", 5432, timeout=0.1)
            assert wire.string("db.internal.invalid") + wire.u32(5432) in server.wait_for(
                wire.CHANNEL_OPEN
            )


class EchoLoop:
    """Echoes on one port with one thread, however many connections there are."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._listener.setblocking(False)
        self.address = Endpoint("127.0.0.1", self._listener.getsockname()[1])
        self._wake, self._waker = socket.socketpair()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        socks = {sock.fileno(): sock for sock in (self._listener, self._wake)}
        with selectors.DefaultSelector() as selector:
            for number in socks:
                selector.register(number, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    sock = socks[key.fd]
                    if sock is self._wake:
                        for each in socks.values():
                            each.close()
                        return
                    if sock is self._listener:
                        with contextlib.suppress(BlockingIOError):
                            made = self._listener.accept()[0]
                            socks[made.fileno()] = made
                            selector.register(made.fileno(), selectors.EVENT_READ)
                    elif not self._echo(sock):
                        selector.unregister(key.fd)
                        socks.pop(key.fd).close()

    def _echo(self, sock: socket.socket) -> bool:
        try:
            text = sock.recv(4096)
        except ConnectionResetError:
            return False
        sock.sendall(text)
        return bool(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._waker.close()
        self._thread.join()


@pytest.mark.slow
def test_a_thousand_flows(gateway: TestGateway):
    count = 1000
    with EchoLoop() as target, tunnel(gateway, forwards=[local(target.address)]) as run:
        with contextlib.ExitStack() as stack:
            socks = []
            for start in range(0, count, 100):
                # sshd refuses more than some hundred connections that are still being made
                batch = [stack.enter_context(run.connect()) for _ in range(100)]
                socks += batch
                run.events.wait(FlowOpened, count=start + 100, timeout=30)
            for number, sock in enumerate(socks):
                sock.sendall(number.to_bytes(4, "big"))
            for number, sock in enumerate(socks):
                assert read_exactly(sock, 4) == number.to_bytes(4, "big")
            assert run.tunnel.status.flows_open == count
        run.events.wait(FlowClosed, count=count, timeout=30)
        assert not [event for event in run.events.of(FlowClosed) if event.error]
        run.wait_idle()


def test_dynamic_client_that_leaves_mid_request(gateway: TestGateway):
    with targets.echo() as target, tunnel(gateway, forwards=[dynamic()]) as run:
        for part in (b"", b"\x05", b"\x05\x01\x00", b"GET http://x", b"\x04\x01"):
            with run.connect() as sock:
                sock.sendall(part)
        with run.connect() as sock:
            port = target.port.to_bytes(2, "big")
            sock.sendall(b"\x04\x01" + port + bytes([127, 0, 0, 1]) + b"\0")
            assert read_exactly(sock, 8)[1] == 0x5A
            assert exchange(sock, b"ping") == b"ping"
        run.wait_idle()


def test_client_that_said_all_and_left_costs_nothing_while_it_waits():
    """A unix socket reports its end at once; until the gateway answers there is nothing to do."""
    with targets.short_directory() as directory, HostileServer() as server:
        with tunnel(
            server.hop(), forwards=[local(ANYWHERE, tunnels.unix(f"{directory}/s"))]
        ) as run:
            with run.connect() as sock:
                sock.sendall(b"fire and forget")
            channel = server.channel()
            before = time.process_time()
            assert not run.link.wait(0.5)
            assert time.process_time() - before < 0.2
            server.send(confirmation(channel))
            assert server.wait_for(wire.CHANNEL_DATA).endswith(b"fire and forget")
            server.wait_for(wire.CHANNEL_EOF)
