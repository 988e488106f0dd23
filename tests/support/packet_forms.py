"""Every form a packet takes on the wire (RFC 4253 section 6), with real keys, for both ends."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from netkit.wire.compression import Compressor, Decompressor
from netkit.wire.packets import PacketReader, PacketWriter

MAC_SIZES = {"sha1": 20, "sha256": 32, "sha512": 64}


def secret(label: str, size: int) -> bytes:
    """Return ``size`` bytes that look random and are always the same."""
    return hashlib.shake_256(label.encode()).digest(size)


@dataclass(frozen=True, slots=True)
class Form:
    """A cipher, a MAC and how they are joined; ``mac_size`` 0 takes the digest's own size."""

    name: str
    key_size: int = 0
    aead: bool = False
    digest: str = ""
    etm: bool = False
    mac_size: int = 0

    @property
    def key(self) -> bytes:
        return secret("key", self.key_size)

    @property
    def iv(self) -> bytes:
        return secret("iv", 12 if self.aead else 16)

    @property
    def mac_key(self) -> bytes:
        return secret("mac", MAC_SIZES[self.digest])

    @property
    def tag_size(self) -> int:
        if self.aead:
            return 16
        return self.mac_size or MAC_SIZES.get(self.digest, 0)

    @property
    def is_sealed(self) -> bool:
        """Whether a changed packet has to be noticed."""
        return self.key_size > 0

    @property
    def block(self) -> int:
        return 16 if self.key_size else 8

    @property
    def length_is_outside(self) -> bool:
        """Whether the length is no part of the padded blocks."""
        return self.aead or self.etm

    def _stream(self) -> Cipher[modes.CTR]:
        return Cipher(algorithms.AES(self.key), modes.CTR(self.iv))

    def encryptor(self) -> CipherContext:
        return self._stream().encryptor()

    def decryptor(self) -> CipherContext:
        return self._stream().decryptor()

    def use(self, end: PacketReader | PacketWriter, *, compressed: bool = False) -> None:
        """Take these keys into use at one end."""
        reads = isinstance(end, PacketReader)
        if self.aead:
            end.set_aead(AESGCM(self.key), self.iv)
        elif self.key_size:
            end.set_stream(
                self.decryptor() if reads else self.encryptor(),
                block=16,
                digest=self.digest,
                key=self.mac_key,
                mac_size=self.tag_size,
                etm=self.etm,
            )
        if compressed:
            end.zlib = Decompressor() if reads else Compressor()

    def pair(
        self, *, compressed: bool = False, size: int = 1 << 20
    ) -> tuple[PacketWriter, PacketReader]:
        """Return a writer and the reader that understands it."""
        writer, reader = PacketWriter(), PacketReader(size)
        self.use(writer, compressed=compressed)
        self.use(reader, compressed=compressed)
        return writer, reader


PLAIN = Form("plain")
GCM = Form("aes256-gcm", 32, aead=True)
ETM = Form("aes256-ctr, hmac-sha2-256-etm", 32, digest="sha256", etm=True)
MAC = Form("aes256-ctr, hmac-sha2-256", 32, digest="sha256")

FORMS = (
    PLAIN,
    Form("aes128-gcm", 16, aead=True),
    GCM,
    MAC,
    Form("aes192-ctr, hmac-sha2-512", 24, digest="sha512"),
    Form("aes128-ctr, hmac-sha1", 16, digest="sha1"),
    Form("aes128-ctr, hmac-sha1-96", 16, digest="sha1", mac_size=12),
    ETM,
    Form("aes192-ctr, hmac-sha2-512-etm", 24, digest="sha512", etm=True),
    Form("aes128-ctr, hmac-sha1-etm", 16, digest="sha1", etm=True),
)
SEALED = tuple(form for form in FORMS if form.is_sealed)


def put(reader: PacketReader, data: bytes | bytearray | memoryview) -> int:
    """Receive as much of ``data`` as there is room for; return how much."""
    space = reader.space()
    count = min(len(space), len(data))
    space[:count] = data[:count]
    reader.filled(count)
    return count


def opened(reader: PacketReader) -> Iterator[bytes]:
    """Open every packet that is there."""
    while (payload := reader.next()) is not None:
        yield bytes(payload)


def received(reader: PacketReader, stream: bytes, cuts: Iterable[int] = ()) -> list[bytes]:
    """Receive ``stream`` in pieces of these sizes, then the rest; return the payloads."""
    payloads: list[bytes] = []
    rest = memoryview(stream)
    sizes = iter(cuts)
    while rest:
        rest = rest[put(reader, rest[: next(sizes, len(rest))]) :]
        payloads += opened(reader)
    return payloads
