"""paramiko's packetizer, played by a link."""

from __future__ import annotations

import logging
import socket
import threading
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from paramiko.message import Message
from paramiko.packet import NeedRekeyException

from netkit.engine.link import Link
from netkit.engine.transport.packetizer import LinkPacketizer, driving
from netkit.errors import LinkLostError, NetkitError, RemoteProtocolError
from netkit.wire import packets
from netkit.wire.compression import Compressor, Decompressor
from netkit.wire.deflate import ladder
from netkit.wire.messages import DISCONNECT, KEXINIT, NEWKEYS, USERAUTH_SUCCESS, string, u32
from netkit.wire.packets import PacketReader, PacketWriter
from support.waiting import wait_until


class Peer:
    """The other end of the socket: packets in, packets out."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.writer, self.reader = PacketWriter(), PacketReader()

    def send(self, payload: bytes) -> None:
        self.sock.sendall(self.writer.seal(payload))

    def receive(self) -> bytes:
        while (payload := self.reader.next()) is None:
            count = self.sock.recv_into(self.reader.space())
            assert count, "the connection ended"
            self.reader.filled(count)
        return bytes(payload)


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)
    link = Link(ours)
    packetizer = LinkPacketizer(link)
    with theirs:
        yield packetizer, Peer(theirs), link
    link.end(None)


def read_to_the_end(packetizer: LinkPacketizer) -> None:
    with pytest.raises(EOFError):
        while True:
            packetizer.read_message()


def body(packetizer: LinkPacketizer) -> tuple[int, bytes]:
    kind, message = packetizer.read_message()
    return kind, message.asbytes()


class TestMessages:
    def test_in(self, ends):
        packetizer, peer, _ = ends
        peer.send(bytes([KEXINIT]) + b"first")
        peer.send(bytes([NEWKEYS]))
        kind, message = packetizer.read_message()
        assert (kind, message.asbytes(), message.seqno) == (KEXINIT, b"first", 0)
        kind, message = packetizer.read_message()
        assert (kind, message.seqno) == (NEWKEYS, 1)

    def test_out(self, ends):
        packetizer, peer, _ = ends
        packetizer.send_message(Message(bytes([KEXINIT]) + b"hello"))
        packetizer.link.loop.run_once(wait=False)
        packetizer.link.flush()
        assert peer.receive() == bytes([KEXINIT]) + b"hello"

    def test_out_from_another_thread_goes_through_the_loop(self, ends):
        packetizer, peer, _ = ends
        reader = threading.Thread(target=read_to_the_end, args=(packetizer,))
        reader.start()
        wait_until(lambda: packetizer.link.loop.thread is reader, what="the loop's thread")
        for number in range(100):
            packetizer.send_message(Message(bytes([2]) + str(number).encode()))
        assert [peer.receive()[1:] for _ in range(100)] == [str(n).encode() for n in range(100)]
        packetizer.close()
        reader.join(10)
        assert not reader.is_alive()

    def test_new_keys_wait_for_the_cipher(self, ends):
        """What is sent behind NEWKEYS would be sealed with the old keys otherwise."""
        packetizer, _, link = ends
        link.loop.thread = threading.current_thread()
        packetizer.send_message(Message(bytes([NEWKEYS])))
        assert link.stream.queued > 0

    def test_login_opens_the_connection_layer(self, ends):
        packetizer, peer, link = ends
        peer.send(bytes([USERAUTH_SUCCESS]))
        assert not link.authenticated
        packetizer.read_message()
        assert link.authenticated

    def test_login_that_a_client_claims_does_not(self):
        ours, theirs = socket.socketpair()
        link = Link(ours, peer="client")
        packetizer = LinkPacketizer(link)
        with theirs:
            Peer(theirs).send(bytes([USERAUTH_SUCCESS]))
            packetizer.read_message()
            assert not link.authenticated
        link.end(None)


class TestEnd:
    def test_peer_closes(self, ends):
        packetizer, peer, link = ends
        peer.sock.shutdown(socket.SHUT_RDWR)
        with pytest.raises(EOFError):
            packetizer.read_message()
        assert packetizer.closed
        assert isinstance(link.error, LinkLostError)
        assert link.has_ended

    def test_garbage(self, ends):
        packetizer, peer, link = ends
        peer.sock.sendall(b"\xff" * 1000)
        with pytest.raises(EOFError):
            packetizer.read_message()
        assert isinstance(link.error, RemoteProtocolError)

    def test_bug_of_ours_ends_the_link_and_is_told(self, ends, monkeypatch):
        packetizer, _, link = ends
        monkeypatch.setattr(link, "next_message", lambda: dict[str, int]()["missing"])
        with pytest.raises(EOFError):
            packetizer.read_message()
        assert link.error.code == "internal-error"
        assert "missing" in link.error.summary

    def test_disconnect_is_the_reason(self, ends):
        packetizer, peer, link = ends
        peer.send(bytes([DISCONNECT]) + u32(11) + string("good \x1b bye") + string(""))
        assert packetizer.read_message()[0] == DISCONNECT
        packetizer.close()  # as paramiko's thread does
        assert link.error.code == "link-disconnected"
        assert "good" in link.error.cause
        assert link.error.cause.isprintable()

    @pytest.mark.parametrize(
        ("failure", "kind"),
        [
            (None, LinkLostError),
            (EOFError(), LinkLostError),
            (OSError("broken"), LinkLostError),
            (ValueError("what is this"), RemoteProtocolError),
        ],
    )
    def test_what_ended_the_thread_is_the_reason(self, ends, failure, kind):
        packetizer, _, link = ends
        packetizer.failure = lambda: failure
        packetizer.close()
        assert type(link.error) is kind

    def test_error_of_ours_passes_as_it_is(self, ends):
        packetizer, _, link = ends
        error = NetkitError("the host key changed in the middle", code="host-key-changed")
        packetizer.failure = lambda: error
        packetizer.close()
        assert link.error is error

    def test_close_from_another_thread(self, ends):
        packetizer, _, link = ends
        reader = threading.Thread(target=read_to_the_end, args=(packetizer,))
        reader.start()
        wait_until(lambda: link.loop.thread is reader, what="the loop's thread")
        packetizer.close()
        assert link.wait(10)
        reader.join(10)
        assert link.error is None


class TestBeforeThePackets:
    def test_lines(self, ends):
        packetizer, peer, _ = ends
        peer.sock.sendall(b"hello\r\nSSH-2.0-x\n\xff\n")
        assert packetizer.readline(5) == "hello"
        assert packetizer.readline(5) == "SSH-2.0-x"
        assert packetizer.readline(5) == "�"

    def test_version_line(self, ends):
        packetizer, peer, _ = ends
        packetizer.write_all(b"SSH-2.0-netkit\r\n")
        assert peer.sock.recv(100) == b"SSH-2.0-netkit\r\n"

    def test_nothing_in_time(self, ends):
        packetizer, peer, _ = ends
        peer.sock.sendall(b"half a line")
        with pytest.raises(TimeoutError):
            packetizer.readline(0.05)

    def test_endless_line(self, ends):
        packetizer, peer, _ = ends
        sender = threading.Thread(target=peer.sock.sendall, args=(b"x" * 200_000,))
        sender.start()
        with pytest.raises(RemoteProtocolError):
            packetizer.readline(5)
        sender.join()

    def test_end(self, ends):
        packetizer, peer, _ = ends
        peer.sock.shutdown(socket.SHUT_RDWR)
        with pytest.raises(EOFError):
            packetizer.readline(5)

    def test_stop_meanwhile(self, ends):
        packetizer, _, link = ends
        threading.Timer(0.05, link.stop).start()
        with pytest.raises(EOFError):
            packetizer.readline(30)

    def test_key_exchange_that_takes_too_long(self, ends):
        packetizer, _, link = ends
        packetizer.start_handshake(0.05)
        with pytest.raises(EOFError):
            packetizer.read_message()
        assert link.error.code == "key-exchange-timeout"

    def test_key_exchange_in_time(self, ends):
        packetizer, peer, link = ends
        packetizer.start_handshake(0.05)
        packetizer.complete_handshake()
        packetizer.complete_handshake()
        link.loop.call_later(0.1, lambda: peer.send(bytes([2])))
        assert packetizer.read_message()[0] == 2
        assert packetizer.handshake_timed_out() is False


KEY, IV = bytes(range(16)), bytes(12)


def switch(packetizer: LinkPacketizer, peer: Peer) -> None:
    """Both sides take AES-GCM into use, each way, as after a key exchange."""
    engine = AESGCM(KEY)
    packetizer.set_outbound_cipher(engine, 16, None, 16, None, aead=True, iv_out=IV)
    packetizer.set_inbound_cipher(engine, 16, None, 16, None, aead=True, iv_in=IV)
    peer.reader.set_aead(AESGCM(KEY), IV)
    peer.writer.set_aead(AESGCM(KEY), IV)


class TestKeys:
    def test_gcm(self, ends):
        packetizer, peer, _ = ends
        switch(packetizer, peer)
        peer.send(b"\x02hello")
        assert body(packetizer) == (2, b"hello")
        packetizer.send_message(Message(b"\x02back"))
        assert peer.receive() == b"\x02back"

    @pytest.mark.parametrize("etm", [False, True])
    def test_ctr(self, ends, etm):
        packetizer, peer, link = ends

        def cipher() -> Any:
            return Cipher(algorithms.AES(KEY), modes.CTR(bytes(16))).encryptor()

        packetizer.set_outbound_cipher(cipher(), 16, sha256, 32, b"k" * 32, etm=etm)
        packetizer.set_inbound_cipher(cipher(), 16, sha256, 32, b"k" * 32, etm=etm)
        words: dict[str, Any] = {
            "block": 16,
            "digest": "sha256",
            "key": b"k" * 32,
            "mac_size": 32,
            "etm": etm,
        }
        peer.reader.set_stream(cipher(), **words)
        peer.writer.set_stream(cipher(), **words)
        peer.send(b"\x02hello")
        assert body(packetizer) == (2, b"hello")
        packetizer.send_message(Message(b"\x02back"))
        link.flush()
        assert peer.receive() == b"\x02back"

    def test_compression(self, ends):
        packetizer, peer, link = ends
        packetizer.set_outbound_compressor(Compressor())
        packetizer.set_inbound_compressor(Decompressor())
        peer.writer.zlib, peer.reader.zlib = Compressor(), Decompressor()
        peer.send(b"\x02" + bytes(1000))
        assert body(packetizer) == (2, bytes(1000))
        assert link.stream.received < 100
        packetizer.send_message(Message(b"\x02" + bytes(1000)))
        assert link.stream.writer.total < 100
        assert peer.receive() == b"\x02" + bytes(1000)

    def test_how_hard_to_compress_outlives_the_keys(self, ends):
        packetizer, _, link = ends
        packetizer.set_outbound_compressor(Compressor())
        levels = link.stream.levels
        assert levels is not None
        levels.level = 0
        compressor = Compressor()
        packetizer.set_outbound_compressor(compressor)
        assert link.stream.levels is levels
        assert compressor.method == ladder().methods[0]

    def test_strict_kex_counts_anew(self, ends):
        packetizer, peer, link = ends
        peer.send(b"\x02x")
        body(packetizer)
        assert link.stream.reader.seqno == 1
        packetizer.reset_seqno_in()
        packetizer.reset_seqno_out()
        assert (link.stream.reader.seqno, link.stream.writer.seqno) == (0, 0)

    def test_rekey_is_asked_for_once(self, ends, monkeypatch):
        packetizer, peer, link = ends
        switch(packetizer, peer)
        monkeypatch.setattr(packets, "REKEY_BYTES", 10)
        assert not packetizer.need_rekey()
        link.stream.writer.bytes = 100
        with pytest.raises(NeedRekeyException):
            packetizer.read_message()
        assert packetizer.need_rekey()
        peer.send(b"\x02x")
        assert body(packetizer) == (2, b"x")
        switch(packetizer, peer)
        assert not packetizer.need_rekey()

    def test_relay_rests_from_kexinit_to_the_new_keys(self, ends):
        packetizer, peer, link = ends
        switch(packetizer, peer)
        assert link.stream.can_relay
        link.loop.thread = threading.current_thread()
        packetizer.send_message(Message(bytes([KEXINIT]) + b"x" * 20))
        assert not link.stream.can_relay
        switch(packetizer, peer)
        assert link.stream.can_relay


class TestFace:
    def test_is_what_transport_takes(self):
        ours, theirs = socket.socketpair()
        link = Link(ours)
        with theirs:
            packetizer = driving(link)(ours)
            assert isinstance(packetizer, LinkPacketizer)
            assert packetizer.link is link
        link.end(None)

    def test_what_paramiko_sets_is_accepted(self, ends):
        packetizer, _, _ = ends
        packetizer.set_log(logging.getLogger("x"))
        packetizer.set_hexdump(True)
        packetizer.set_keepalive(5, print)
        assert packetizer.get_hexdump() is False
