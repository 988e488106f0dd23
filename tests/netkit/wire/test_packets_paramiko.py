"""The packet codec and paramiko's own, as each other's oracle."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from paramiko.compress import ZlibCompressor, ZlibDecompressor
from paramiko.message import Message
from paramiko.packet import Packetizer

from netkit.wire.packets import PacketReader, PacketWriter
from support.packet_forms import FORMS, Form, received

forms = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
compressed_or_not = pytest.mark.parametrize("compressed", [False, True], ids=["", "zlib"])
messages = st.lists(st.binary(min_size=1, max_size=5_000), min_size=1, max_size=8)


class Wire:
    """What paramiko takes for a socket."""

    def __init__(self) -> None:
        self.data = bytearray()

    def send(self, data: bytes) -> int:
        self.data += data
        return len(data)

    def recv(self, count: int) -> bytes:
        taken = bytes(self.data[:count])
        del self.data[:count]
        return taken

    def close(self) -> None:
        pass


def theirs(form: Form, wire: Wire, *, compressed: bool) -> Any:
    """Return paramiko's packetizer with the keys of ``form`` in both directions."""
    packetizer: Any = Packetizer(wire)  # type: ignore[arg-type]  # it asks for no more than this
    packetizer._initial_kex_done = True
    if form.aead:
        keys = AESGCM(form.key), 16, None, 16, None
        packetizer.set_outbound_cipher(*keys, aead=True, iv_out=form.iv)
        packetizer.set_inbound_cipher(*keys, aead=True, iv_in=form.iv)
    elif form.key_size:
        mac = getattr(hashlib, form.digest), form.tag_size, form.mac_key
        packetizer.set_outbound_cipher(form.encryptor(), 16, *mac, sdctr=True, etm=form.etm)
        packetizer.set_inbound_cipher(form.decryptor(), 16, *mac, etm=form.etm)
    if compressed:
        packetizer.set_outbound_compressor(ZlibCompressor())
        packetizer.set_inbound_compressor(ZlibDecompressor())
    return packetizer


@forms
@compressed_or_not
@given(sent=messages)
def test_paramiko_reads_what_we_write(form: Form, compressed: bool, sent: list[bytes]) -> None:
    wire, writer = Wire(), PacketWriter()
    form.use(writer, compressed=compressed)
    for payload in sent:
        wire.send(bytes(writer.seal(payload)))
    reader = theirs(form, wire, compressed=compressed)
    for number, payload in enumerate(sent):
        kind, message = reader.read_message()
        assert bytes([kind]) + message.asbytes() == payload
        assert message.seqno == number
    assert not wire.data


@forms
@compressed_or_not
@given(sent=messages, cuts=st.lists(st.integers(1, 3_000), max_size=20))
def test_we_read_what_paramiko_writes(
    form: Form, compressed: bool, sent: list[bytes], cuts: list[int]
) -> None:
    """Its padding is random and one byte shorter than ours may be: both are allowed."""
    wire, reader = Wire(), PacketReader()
    form.use(reader, compressed=compressed)
    writer = theirs(form, wire, compressed=compressed)
    for payload in sent:
        writer.send_message(Message(payload))
    assert received(reader, bytes(wire.data), cuts) == sent
    assert reader.seqno == len(sent)
