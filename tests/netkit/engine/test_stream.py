"""The SSH socket of a link."""

from __future__ import annotations

import socket
import struct
import time

import pytest

from netkit.engine import stream as engine
from netkit.engine.loop import READ, Loop
from netkit.engine.stream import SLOT, SLOT_DATA, SLOTS, SshStream
from netkit.errors import LinkLostError, RemoteProtocolError
from netkit.wire.compression import Compressor, Decompressor
from netkit.wire.messages import KEXINIT
from netkit.wire.packets import PacketReader
from support.links import tcp_pair


@pytest.fixture(params=[True, False], ids=["sendmsg", "send"])
def ends(request, monkeypatch):
    monkeypatch.setattr(engine, "HAS_SENDMSG", request.param)
    one, two = tcp_pair()
    loop = Loop()
    stream = SshStream(one, loop)
    stream.in_kex = False
    with two:
        yield stream, two, loop
    stream.close()
    loop.close()


def read_payloads(sock: socket.socket, count: int) -> list[bytes]:
    reader = PacketReader()
    found: list[bytes] = []
    while len(found) < count:
        while (payload := reader.next()) is not None:
            found.append(bytes(payload))
        if len(found) < count:
            reader.filled(sock.recv_into(reader.space()))
    return found


class TestOutbound:
    @pytest.mark.parametrize("count", [1, 2, 64, 65, 500])
    def test_messages_arrive_in_order(self, ends, count):
        stream, two, _ = ends
        texts = [bytes([90]) + str(number).encode() for number in range(count)]
        for text in texts:
            stream.send(text)
        stream.flush()
        assert stream.queued == 0
        assert read_payloads(two, count) == texts

    def test_version_line_goes_in_the_clear(self, ends):
        stream, two, _ = ends
        stream.write(b"SSH-2.0-test\r\n")
        stream.flush()
        assert two.recv(100) == b"SSH-2.0-test\r\n"

    def test_peer_that_does_not_read_blocks_the_relay_and_nothing_else(self, ends):
        stream, two, loop = ends
        sent = 0
        while not stream.blocked:
            stream.send(bytes([90]) + bytes(30_000))
            stream.flush()
            sent += 1
        assert not stream.can_relay
        assert stream.queued > 0
        waiting = stream.queued
        stream.send(b"\x5anext")
        stream.flush()
        assert stream.queued > waiting
        read: list[bytes] = []
        reader = PacketReader()
        two.settimeout(0.01)
        while len(read) < sent + 1:
            while (payload := reader.next()) is not None:
                read.append(bytes(payload))
            if len(read) == sent + 1:
                break
            try:
                reader.filled(two.recv_into(reader.space()))
            except TimeoutError:
                loop.run_once(wait=False)
                stream.flush()
        assert read[-1] == b"\x5anext"
        assert stream.can_relay

    def test_time_that_the_peer_does_not_read_is_counted(self, ends):
        stream, two, loop = ends
        assert stream.blocked_seconds() == 0.0
        begun = stream.clock()
        while not stream.blocked:
            stream.send(bytes([90]) + bytes(30_000))
            stream.flush()
        loop.run_once(wait=True, at_most=0.02)
        assert stream.blocked
        first = stream.blocked_seconds()
        assert 0 < first <= stream.clock() - begun
        while stream.queued:
            two.recv(1 << 20)
            loop.run_once(wait=False)
            stream.flush()
        assert not stream.blocked
        total = stream.blocked_seconds()
        assert first <= total <= stream.clock() - begun
        assert stream.blocked_seconds() == total

    def test_compressed(self, ends):
        stream, two, _ = ends
        assert stream.batch == SLOTS
        stream.compress(Compressor())
        assert stream.batch == engine.COMPRESSED_SLOTS
        stream.send(bytes([90]) + bytes(30_000))
        stream.flush()
        assert stream.writer.total < 1000
        reader = PacketReader()
        reader.zlib = Decompressor()
        reader.filled(two.recv_into(reader.space()))
        assert bytes(reader.next() or b"") == bytes([90]) + bytes(30_000)

    @pytest.mark.skipif(
        not hasattr(socket, "TCP_NOTSENT_LOWAT"), reason="no such option on this system"
    )
    def test_little_waits_in_the_kernel_in_front_of_a_link_that_compresses(self, ends):
        stream, _, _ = ends
        stream.compress(Compressor())
        option = stream.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)
        assert option == engine.COMPRESSED_UNSENT

    def test_no_such_option(self, ends, monkeypatch):
        stream, _, _ = ends
        monkeypatch.setattr(engine, "HAS_NOTSENT_LOWAT", False)
        stream.compress(Compressor())
        assert stream.writer.zlib is not None

    def test_flood_of_answers_ends_the_link(self, ends, monkeypatch):
        stream, _, _ = ends
        monkeypatch.setattr(engine, "MAX_QUEUED", 100_000)
        with pytest.raises(RemoteProtocolError) as caught:
            while True:
                stream.send(bytes([90]) + bytes(30_000))
                stream.flush()
        assert caught.value.code == "peer-flood"

    def test_kexinit_holds_the_relay(self, ends):
        stream, _, _ = ends
        assert stream.can_relay
        stream.send(bytes([KEXINIT]) + bytes(30))
        assert stream.in_kex
        assert not stream.can_relay

    def test_arena_is_used_again_when_all_of_it_has_gone(self, ends):
        stream, two, _ = ends
        for index in range(SLOTS):
            assert stream.has_slot
            packet = stream.writer.seal_slot(stream.arena_view, index * SLOT, SLOT_DATA)
            stream.queue(packet)
            stream.arena_used = (index + 1) * SLOT
        assert not stream.has_slot
        stream.flush()
        assert (stream.arena_used, stream.has_slot) == (0, True)
        assert [len(payload) for payload in read_payloads(two, SLOTS)] == [SLOT_DATA] * SLOTS

    def test_cut(self, ends):
        stream, two, _ = ends
        two.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        two.close()
        with pytest.raises(LinkLostError) as caught:
            while True:
                stream.send(bytes([90]) + bytes(30_000))
                stream.flush()
        assert caught.value.code == "link-cut"
        assert caught.value.retryable


class TestInbound:
    def test_nothing_there(self, ends):
        stream, _, _ = ends
        stream.receive()
        assert not stream.readable
        assert stream.received == 0

    def test_counts_and_remembers_when(self, ends):
        stream, two, loop = ends
        stream.receive()
        two.sendall(b"12345")
        loop.run_once(wait=True)
        assert stream.readable
        stream.receive()
        assert stream.received == 5
        assert stream.last_received == loop.now
        assert stream.reader.buffered == 5

    def test_end(self, ends):
        stream, two, _ = ends
        two.close()
        with pytest.raises(LinkLostError) as caught:
            stream.receive()
        assert caught.value.code == "link-closed"
        assert "gateway" in caught.value.summary

    def test_bytes_before_the_end_are_received_first(self, ends):
        stream, two, loop = ends
        stream.receive()
        two.sendall(b"last")
        two.close()
        loop.run_once(wait=True)
        while not stream.reader.buffered:
            stream.receive()
        assert stream.readable
        with pytest.raises(LinkLostError):
            stream.receive()

    def test_reset(self, ends):
        stream, two, loop = ends
        two.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        two.close()
        loop.run_once(wait=True)
        with pytest.raises(LinkLostError) as caught:
            stream.receive()
        assert caught.value.code == "link-cut"


class TestWaiting:
    """What the kernel is told must never keep bytes from being reported."""

    def test_half_a_packet_is_waited_for(self, ends):
        stream, two, loop = ends
        stream.receive()
        two.sendall(struct.pack(">I", 100_000 + 4) + bytes(10))
        loop.run_once(wait=True)
        stream.receive()
        assert stream.reader.next() is None
        stream.before_wait(calm=True)
        two.sendall(bytes(100_000 + 4 - 10))
        limit = 0
        while stream.reader.buffered < 100_000 and limit < 100:
            loop.run_once(wait=True, at_most=1.0)
            stream.impatient()
            stream.receive()
            limit += 1
        assert stream.reader.buffered >= 100_000

    def test_end_is_reported_below_the_mark(self, ends):
        stream, two, loop = ends
        stream.receive()
        two.sendall(struct.pack(">I", 100_000 + 4) + bytes(10))
        loop.run_once(wait=True)
        stream.receive()
        stream.reader.next()
        stream.before_wait(calm=True)
        two.close()
        loop.run_once(wait=True, at_most=5.0)
        with pytest.raises(LinkLostError):
            for _ in range(3):
                stream.receive()

    @pytest.mark.skipif(not engine.HAS_LOW_WATER, reason="only Linux keeps bytes back")
    def test_rest_of_a_fast_transfer_is_taken_whatever_else_is_reported(self, ends):
        stream, two, loop = ends
        stream.receive()
        stream.is_bulk = True
        stream.last_received = loop.now
        stream.impatient()
        assert not stream.readable
        one, other = socket.socketpair()
        one.setblocking(False)
        with one, other:
            loop.add(one.fileno(), READ, lambda _events: None)
            two.sendall(b"rest")
            deadline = time.monotonic() + 2
            while not stream.readable and time.monotonic() < deadline:
                patience = stream.before_wait(calm=True)
                other.send(b"x")
                loop.run_once(wait=True, at_most=patience)
                one.recv(10)
                stream.impatient()
            loop.remove(one.fileno())
        assert stream.readable
        stream.receive()
        assert stream.reader.buffered == 4

    def test_works_on_sockets_without_such_options(self):
        one, two = socket.socketpair()
        loop = Loop()
        stream = SshStream(one, loop)
        with two:
            stream.acknowledge_soon(5)
            stream.receive()
            two.sendall(b"x")
            loop.run_once(wait=True)
            stream.receive()
            stream.before_wait(calm=True)
        stream.close()
        stream.close()
        loop.close()
