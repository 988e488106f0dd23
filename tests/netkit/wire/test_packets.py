"""The packet codec, against RFC 4253 section 6, RFC 5647 and OpenSSH's PROTOCOL 1.6."""

from __future__ import annotations

import hmac
import zlib

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import RemoteProtocolError
from netkit.wire import packets as p
from netkit.wire.packets import PacketReader, PacketWriter
from support.packet_forms import (
    ETM,
    FORMS,
    GCM,
    MAC,
    PLAIN,
    SEALED,
    Form,
    opened,
    put,
    received,
)

forms = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
sealed_forms = pytest.mark.parametrize("form", SEALED, ids=lambda form: form.name)
compressed_or_not = pytest.mark.parametrize("compressed", [False, True], ids=["", "zlib"])
some_form = st.sampled_from(FORMS)
payloads = st.lists(
    st.binary(min_size=1, max_size=80) | st.integers(1, 70_000).map(lambda n: bytes([n & 255]) * n),
    min_size=1,
    max_size=12,
)


def expected_packet(form: Form, payload: bytes, *, seqno: int = 0, counter: int = 0) -> bytes:
    """Build the first packet under fresh keys the long way, from the RFCs."""
    outside = 0 if form.length_is_outside else 4
    padding = next(n for n in range(4, 256) if (outside + 1 + len(payload) + n) % form.block == 0)
    length = (1 + len(payload) + padding).to_bytes(4, "big")
    body = bytes([padding]) + payload + bytes(padding)
    if form.aead:
        nonce = form.iv[:4] + ((int.from_bytes(form.iv[4:], "big") + counter) % 2**64).to_bytes(8)
        return length + AESGCM(form.key).encrypt(nonce, body, length)
    if not form.key_size:
        return length + body
    number = seqno.to_bytes(4, "big")
    if form.etm:
        cut = length + form.encryptor().update(body)
        mac = hmac.digest(form.mac_key, number + cut, form.digest)
    else:
        cut = form.encryptor().update(length + body)
        mac = hmac.digest(form.mac_key, number + length + body, form.digest)
    return cut + mac[: form.tag_size]


class TestBytes:
    @pytest.mark.parametrize(
        ("payload", "packet"),
        [
            # RFC 4253 section 6: multiples of 8, at least 4 bytes of padding, at least 16 bytes.
            (b"\x15", "0000000c 0a 15 00000000000000000000"),
            (b"\x15" * 7, "0000000c 04 15151515151515 00000000"),
            (b"\x15" * 8, "00000014 0b 1515151515151515 0000000000000000000000"),
            (
                b"\x05\0\0\0\x0cssh-userauth",
                "0000001c 0a 05 0000000c 7373682d7573657261757468" + "00" * 10,
            ),
        ],
    )
    def test_plain(self, payload: bytes, packet: str) -> None:
        assert bytes(PacketWriter().seal(payload)) == bytes.fromhex(packet)
        assert received(PacketReader(), bytes.fromhex(packet)) == [payload]

    @forms
    @pytest.mark.parametrize("size", [1, 2, 3, 10, 11, 12, 13, 26, 27, 28, 255, 32_777])
    def test_first_packet_is_what_the_rfcs_say(self, form: Form, size: int) -> None:
        payload = bytes(i & 255 for i in range(1, size + 1))
        writer, reader = form.pair()
        packet = bytes(writer.seal(payload))
        assert packet == expected_packet(form, payload)
        assert received(reader, packet) == [payload]

    @forms
    def test_random_padding_of_any_length_is_accepted(self, form: Form) -> None:
        """RFC 4253 section 6: up to 255 bytes, and any bytes."""
        for padding in range(4, 256):
            content = (b"\x2a" * (form.block * 40 - 1 - padding))[
                4 * (not form.length_is_outside) :
            ]
            body = bytes([padding]) + content + b"\xee" * padding
            _, reader = form.pair()
            assert received(reader, sealed_body(form, body)) == [content]


def sealed_body(form: Form, body: bytes, length: int | None = None) -> bytes:
    """Seal padding length, payload and padding as given, right or wrong, under fresh keys."""
    head = (len(body) if length is None else length).to_bytes(4, "big")
    if form.aead:
        return head + AESGCM(form.key).encrypt(form.iv, body, head)
    if not form.key_size:
        return head + body
    if form.etm:
        cut = head + form.encryptor().update(body)
        return cut + hmac.digest(form.mac_key, bytes(4) + cut, form.digest)[: form.tag_size]
    mac = hmac.digest(form.mac_key, bytes(4) + head + body, form.digest)
    return form.encryptor().update(head + body) + mac[: form.tag_size]


class TestRoundTrip:
    @compressed_or_not
    @given(form=some_form, sent=payloads, cuts=st.lists(st.integers(1, 5_000), max_size=40))
    def test_any_chunking(
        self, compressed: bool, form: Form, sent: list[bytes], cuts: list[int]
    ) -> None:
        writer, reader = form.pair(compressed=compressed)
        stream = b"".join(bytes(writer.seal(payload)) for payload in sent)
        assert received(reader, stream, cuts) == sent
        assert reader.buffered == 0
        for end in (reader, writer):
            assert (end.seqno, end.packets, end.bytes) == (len(sent), len(sent), len(stream))

    @forms
    @compressed_or_not
    def test_byte_by_byte(self, form: Form, compressed: bool) -> None:
        writer, reader = form.pair(compressed=compressed)
        sent = [b"a", b"b" * 40, bytes(range(256))]
        stream = b"".join(bytes(writer.seal(payload)) for payload in sent)
        assert received(reader, stream, [1] * len(stream)) == sent

    @forms
    def test_missing_never_says_more_than_is_missing(self, form: Form) -> None:
        """Who waits for ``missing`` bytes must get the packet when they are there."""
        writer, reader = form.pair()
        packet = bytes(writer.seal(b"x" * 300))
        for at in range(len(packet)):
            assert reader.next() is None
            assert reader.missing in {0, len(packet) - at}
            put(reader, packet[at : at + 1])
        assert list(opened(reader)) == [b"x" * 300]

    @given(form=some_form, sizes=st.lists(st.integers(1, 4_000), min_size=1, max_size=8))
    def test_slots_are_sealed_like_messages(self, form: Form, sizes: list[int]) -> None:
        """Neighbours in the arena are left alone, but for the bytes that a slot has to itself."""
        (writer, _), (other, _) = form.pair(), form.pair()
        slot = p.SLOT_PREFIX + 4_000 + p.SLOT_SUFFIX
        arena = bytearray(b"\xaa" * (slot * len(sizes)))
        view = memoryview(arena)
        for i, size in enumerate(sizes):
            before, behind = arena[: i * slot], arena[(i + 1) * slot :]
            start = i * slot + p.SLOT_PREFIX
            arena[start : start + size] = bytes([i]) * size
            packet = writer.seal_slot(view, i * slot, size)
            assert bytes(packet) == bytes(other.seal(bytes([i]) * size))
            assert arena[: i * slot] == before
            assert arena[(i + 1) * slot :] == behind

    @forms
    def test_slots_are_compressed(self, form: Form) -> None:
        writer, reader = form.pair(compressed=True)
        arena = bytearray(p.SLOT_PREFIX + 1_000 + p.SLOT_SUFFIX)
        arena[p.SLOT_PREFIX : p.SLOT_PREFIX + 1_000] = b"z" * 1_000
        packet = bytes(writer.seal_slot(memoryview(arena), 0, 1_000))
        assert len(packet) < 200
        assert received(reader, packet) == [b"z" * 1_000]

    @forms
    def test_the_largest_packet(self, form: Form) -> None:
        """Exactly MAX_PACKET_LENGTH passes; a block more does not."""
        overhead = 1 + 4 if form.length_is_outside else 1 + 4 + 4
        size = p.MAX_PACKET_LENGTH - overhead - p.MAX_PACKET_LENGTH % form.block
        while True:
            writer, reader = form.pair(size=1)
            packet = bytes(writer.seal(bytes(size + 1)))
            (length,) = (len(packet) - 4 - form.tag_size,)
            if length > p.MAX_PACKET_LENGTH:
                break
            size += 1
        writer, reader = form.pair(size=1)
        assert received(reader, bytes(writer.seal(bytes(size)))) == [bytes(size)]
        writer, reader = form.pair(size=1)
        put(reader, packet)
        with pytest.raises(RemoteProtocolError, match=r"packet of \d+ bytes"):
            reader.next()


class TestCounters:
    @forms
    @pytest.mark.parametrize("seqno", [2**32 - 1, 2**31 - 1])
    def test_sequence_number_wraps(self, form: Form, seqno: int) -> None:
        writer, reader = form.pair()
        writer.seqno = reader.seqno = seqno
        first = bytes(writer.seal(b"one"))
        assert first == expected_packet(form, b"one", seqno=seqno)
        rest = [bytes(writer.seal(b"two")), bytes(writer.seal(b"three"))]
        assert received(reader, first + b"".join(rest)) == [b"one", b"two", b"three"]
        assert reader.seqno == writer.seqno == (seqno + 3) % 2**32

    @pytest.mark.parametrize("form", [MAC, ETM], ids=lambda form: form.name)
    def test_mac_covers_the_sequence_number(self, form: Form) -> None:
        writer, reader = form.pair()
        writer.seqno = 1
        put(reader, writer.seal(b"one"))
        with pytest.raises(RemoteProtocolError, match="MAC is wrong"):
            reader.next()

    def test_nonce_counter_wraps_and_leaves_the_fixed_part(self) -> None:
        """RFC 5647 section 7.1: the invocation counter is modulo 2**64."""
        iv = b"\xff\xff\xff\xff" + (2**64 - 2).to_bytes(8, "big")
        writer, reader = PacketWriter(), PacketReader()
        for end in (writer, reader):
            end.set_aead(AESGCM(GCM.key), iv)
        stream = [bytes(writer.seal(bytes([n]))) for n in range(4)]
        assert received(reader, b"".join(stream)) == [bytes([n]) for n in range(4)]
        assert writer.counter == reader.counter == 2
        nonce = b"\xff\xff\xff\xff" + bytes(8)
        body = AESGCM(GCM.key).decrypt(nonce, stream[2][4:], stream[2][:4])
        assert body[1:2] == b"\x02"

    def test_rekey_is_due_after_so_many_bytes_or_packets(self) -> None:
        writer, _ = GCM.pair()
        assert not writer.wants_rekey
        writer.bytes = p.REKEY_BYTES - 1
        assert not writer.wants_rekey
        writer.seal(b"x")
        assert writer.wants_rekey
        GCM.use(writer)
        assert not writer.wants_rekey
        assert writer.seqno == 1  # only a strict key exchange counts from 0 again
        writer.packets = p.REKEY_PACKETS - 1
        writer.seal(b"x")
        assert writer.wants_rekey


class TestKeySwitch:
    @given(
        st.lists(st.tuples(st.sampled_from(SEALED), st.booleans(), st.integers(1, 3)), max_size=5),
        st.lists(st.integers(1, 300), max_size=30),
    )
    def test_between_two_packets(
        self, phases: list[tuple[Form, bool, int]], cuts: list[int]
    ) -> None:
        """Bytes under the new keys may be in the buffer already when they are taken into use."""
        writer, reader = PacketWriter(), PacketReader()
        stream = bytearray(writer.seal(b"in the clear"))
        for form, compressed, count in phases:
            form.use(writer, compressed=compressed)
            for n in range(count):
                stream += writer.seal(form.name.encode() + bytes([n]))
        rest = memoryview(bytes(stream))
        sizes = iter(cuts)

        def expect(payload: bytes) -> None:
            nonlocal rest
            while (got := reader.next()) is None:
                assert rest
                rest = rest[put(reader, rest[: next(sizes, len(rest))]) :]
            assert bytes(got) == payload

        expect(b"in the clear")
        for form, compressed, count in phases:
            form.use(reader, compressed=compressed)
            for n in range(count):
                expect(form.name.encode() + bytes([n]))
        assert reader.buffered == 0

    @pytest.mark.parametrize("first", FORMS, ids=lambda form: form.name)
    @sealed_forms
    def test_nothing_of_the_old_keys_is_left(self, first: Form, form: Form) -> None:
        """Compression too starts anew, or ends (RFC 4253 section 7.3)."""
        writer, reader = first.pair(compressed=True)
        assert received(reader, bytes(writer.seal(b"old"))) == [b"old"]
        for end in (writer, reader):
            form.use(end)
            assert end.zlib is None
            assert (end.bytes, end.packets, end.seqno) == (0, 0, 1)
        packet = bytes(writer.seal(b"new"))
        assert packet == expected_packet(form, b"new", seqno=1)
        assert received(reader, packet) == [b"new"]


class TestCorruption:
    @sealed_forms
    def test_any_flipped_bit_is_noticed(self, form: Form) -> None:
        writer, _ = form.pair()
        packet = bytes(writer.seal(b"attack at dawn"))
        # A length that grew waits for its end, so there has to be one.
        filler = bytes(p.MAX_PACKET_LENGTH + 64)
        for bit in range(len(packet) * 8):
            wrong = bytearray(packet)
            wrong[bit // 8] ^= 1 << bit % 8
            _, reader = form.pair(size=1)
            put(reader, wrong)
            with pytest.raises(RemoteProtocolError):
                if reader.next() is None:
                    put(reader, filler)
                    reader.next()

    @sealed_forms
    @given(st.data())
    def test_any_change_of_a_later_packet_is_noticed(self, form: Form, data: st.DataObject) -> None:
        writer, reader = form.pair()
        good = bytes(writer.seal(b"good"))
        packet = bytearray(writer.seal(data.draw(st.binary(min_size=1, max_size=200))))
        at = data.draw(st.integers(4, len(packet) - 1))
        packet[at] ^= data.draw(st.integers(1, 255))
        assert received(reader, good) == [b"good"]
        put(reader, packet)
        with pytest.raises(RemoteProtocolError):
            if reader.next() is None:
                put(reader, bytes(p.MAX_PACKET_LENGTH + 64))
                reader.next()

    @sealed_forms
    def test_replay_and_reorder_are_noticed(self, form: Form) -> None:
        writer, _ = form.pair()
        first, second = bytes(writer.seal(b"first")), bytes(writer.seal(b"second"))
        for stream in (first + first, second + first):
            _, reader = form.pair()
            with pytest.raises(RemoteProtocolError):
                received(reader, stream + bytes(p.MAX_PACKET_LENGTH + 64))


class TestBadPackets:
    @forms
    @pytest.mark.parametrize(
        "length", [0, 1, 4, 5, 7, 15, 17, p.MAX_PACKET_LENGTH + 16, 2**31, 2**32 - 1]
    )
    def test_length(self, form: Form, length: int) -> None:
        """Refused as soon as the length is known: nobody waits for 4 GiB."""
        _, reader = form.pair()
        put(reader, sealed_body(form, b"\x04" + bytes(27), length)[: form.block])
        with pytest.raises(RemoteProtocolError, match=f"packet of {length} bytes"):
            reader.next()

    @forms
    @pytest.mark.parametrize("padding", [0, 1, 3, 27, 28, 255])
    def test_padding(self, form: Form, padding: int) -> None:
        """Less than 4, or so much that no payload is left."""
        size = 32 if form.length_is_outside else 28
        if padding in {27, 28}:
            padding += size - 28
        _, reader = form.pair()
        put(reader, sealed_body(form, bytes([padding]) + bytes(size - 1)))
        with pytest.raises(RemoteProtocolError, match=f"{padding} of padding"):
            reader.next()

    @forms
    def test_the_most_padding_leaves_one_byte(self, form: Form) -> None:
        size = 32 if form.length_is_outside else 28
        _, reader = form.pair()
        body = bytes([size - 2]) + b"\x15" + bytes(size - 2)
        assert received(reader, sealed_body(form, body)) == [b"\x15"]

    def test_compressed_nothing(self) -> None:
        reader, empty = PacketReader(), zlib.compressobj()
        reader.zlib = PLAIN.pair(compressed=True)[1].zlib
        put(reader, PacketWriter().seal(empty.compress(b"") + empty.flush(zlib.Z_SYNC_FLUSH)))
        with pytest.raises(RemoteProtocolError, match="without content"):
            reader.next()

    def test_compression_bomb(self) -> None:
        writer, reader = GCM.pair(compressed=True)
        put(reader, writer.seal(bytes(10_000_000)))
        with pytest.raises(RemoteProtocolError, match="inflates"):
            reader.next()

    @given(st.sampled_from((PLAIN, GCM, ETM, MAC)), st.binary(max_size=600))
    def test_arbitrary_bytes(self, form: Form, noise: bytes) -> None:
        _, reader = form.pair()
        put(reader, noise)
        try:
            got = list(opened(reader))
        except RemoteProtocolError:
            return
        assert form is PLAIN or not got


class TestBuffer:
    @forms
    def test_views_are_valid_until_the_next_space(self, form: Form) -> None:
        """Checking a MAC borrows bytes in front of its packet, which are no payload's."""
        writer, reader = form.pair()
        sent = [bytes([n]) * (n * 7 + 1) for n in range(40)]
        put(reader, b"".join(bytes(writer.seal(payload)) for payload in sent))
        views = []
        while (view := reader.next()) is not None:
            views.append(view)
        assert [bytes(view) for view in views] == sent

    @given(
        form=some_form,
        sizes=st.lists(
            st.integers(1, 500) | st.integers(200_000, 255_000) | st.integers(1, 255_000),
            min_size=1,
            max_size=8,
        ),
        cuts=st.lists(st.integers(1, 300_000), max_size=12),
    )
    def test_there_is_always_room_in_the_smallest_buffer(
        self, form: Form, sizes: list[int], cuts: list[int]
    ) -> None:
        """No room would be read as the peer's end of file."""
        writer, reader = form.pair(size=1)
        rest = memoryview(b"".join(bytes(writer.seal(bytes(size))) for size in sizes))
        most = len(reader.space())
        sizes_seen: list[int] = []
        cut = iter(cuts)
        while rest:
            count = put(reader, rest[: next(cut, len(rest))])
            assert count > 0
            assert reader.buffered <= most
            rest = rest[count:]
            while (payload := reader.next()) is not None:
                sizes_seen.append(len(payload))
        assert sizes_seen == sizes

    def test_size_is_what_was_asked_for(self) -> None:
        assert len(PacketReader(1 << 20).space()) == 1 << 20
        assert len(PacketReader(1).space()) >= p.MAX_PACKET_LENGTH + 4 + 64


class TestLines:
    def test_lines_then_packets(self) -> None:
        reader = PacketReader()
        put(reader, b"hello\nSSH-2.0-x\r\n" + bytes(PacketWriter().seal(b"\x14kex")) + b"\0\0")
        assert reader.take_line(255) == b"hello"
        assert reader.take_line(255) == b"SSH-2.0-x\r"
        assert list(opened(reader)) == [b"\x14kex"]
        assert reader.buffered == 2
        assert reader.take_line(255) is None

    def test_half_a_line_waits(self) -> None:
        reader = PacketReader()
        put(reader, b"SSH-2.0")
        assert reader.take_line(255) is None
        put(reader, b"-x\n")
        assert reader.take_line(255) == b"SSH-2.0-x"

    @pytest.mark.parametrize("tail", [b"", b"\n", b"x\n"])
    def test_endless_line(self, tail: bytes) -> None:
        reader = PacketReader()
        put(reader, b"x" * 255 + tail)
        with pytest.raises(RemoteProtocolError) as caught:
            reader.take_line(255)
        assert caught.value.code == "not-ssh"

    def test_longest_line(self) -> None:
        reader = PacketReader()
        put(reader, b"x" * 254 + b"\n")
        assert reader.take_line(255) == b"x" * 254

    def test_peek_takes_nothing(self) -> None:
        reader = PacketReader()
        put(reader, b"SSH-2.0-x\r\n\0\0\0\x0c\n")
        assert reader.take_line(100) == b"SSH-2.0-x\r"
        assert reader.peek(100) == b"\0\0\0\x0c\n"
        assert reader.peek(3) == bytes(3)
        assert reader.buffered == 5
