"""What the fuzzer feeds: every machine and parser that reads a peer's or a file's bytes.

Each target states the rule: the declared errors may come, nothing else, and the bounds hold.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from netkit.errors import (
    GatewayUnreachableError,
    KeyFileError,
    NetkitError,
    RemoteProtocolError,
    UsageError,
)
from netkit.model import ForwardKind
from netkit.text.endpoints import parse_bind, parse_endpoint, parse_gateway
from netkit.text.forwards import format_forward, parse_forward
from netkit.text.known_hosts import parse_known_hosts
from netkit.text.openssh_key import comment_in, encode
from netkit.text.ppk import Argon2, write_ppk
from netkit.text.ppk_reading import parse_ppk
from netkit.text.public_keys import find_keys
from netkit.wire.banner import MAX_BYTES, Identification
from netkit.wire.compression import MAX_PAYLOAD, Compressor, Decompressor
from netkit.wire.mux import ChannelRequest, Data, Eof, GlobalRequest, Mux, Opened, OpenRequest
from netkit.wire.packets import MAX_PACKET_LENGTH, PacketReader
from netkit.wire.proxy import NeedMore, ProxyServer, Request
from netkit.wire.x11 import MAGIC_COOKIE, Passed, SetupGate, setup
from support.fuzz import Target

_MAX_CHANNELS = 8
_COOKIE = bytes(range(16))


class _OpenSeal:
    """An AEAD without secrets, so that the fuzzer gets past the tag."""

    def encrypt_into(self, nonce: bytes, data: memoryview, aad: memoryview, buf: memoryview) -> int:
        raise NotImplementedError

    def decrypt_into(self, nonce: bytes, data: memoryview, aad: memoryview, buf: memoryview) -> int:
        return len(buf)


class _OpenStream:
    """A stream cipher that changes nothing."""

    def update_into(self, data: memoryview, buf: memoryview) -> int:
        return len(data)


def _pieces(data: bytes) -> Iterator[bytes]:
    """Cut ``data`` as the data itself says: a length byte, then that many bytes."""
    at = 0
    while at < len(data):
        size = data[at]
        yield data[at + 1 : at + 1 + size]
        at += 1 + size


def packets(data: bytes) -> None:
    """Packets in pieces of any size, plain, AEAD or EtM, compressed or not."""
    reader = PacketReader(1)
    mode = data[0] if data else 0
    if mode & 3 == 1:
        reader.set_aead(_OpenSeal(), bytes(12))
    elif mode & 3 == 2:
        # a MAC of no bytes is always right
        reader.set_stream(
            _OpenStream(), block=16, digest="sha256", key=b"k", mac_size=0, etm=bool(mode & 8)
        )
    if mode & 4:
        reader.zlib = Decompressor()
    with contextlib.suppress(RemoteProtocolError):
        for piece in _pieces(data[1:]):
            space = reader.space()
            assert len(space) >= len(piece)
            space[: len(piece)] = piece
            reader.filled(len(piece))
            while (payload := reader.next()) is not None:
                assert len(payload) <= MAX_PACKET_LENGTH
            assert reader.buffered <= MAX_PACKET_LENGTH + 128


def mux(data: bytes) -> None:
    """Messages of a peer that says anything, to a side that opens, sends and answers."""
    side = Mux(max_incoming=_MAX_CHANNELS)
    mine = [side.open("direct-tcpip", b"") for _ in range(2)]
    side.global_request("keepalive@openssh.com", token=1)
    with contextlib.suppress(RemoteProtocolError):
        for piece in _pieces(data):
            if not piece:
                continue
            _answer(side, side.feed(memoryview(piece)), piece)
            assert len(side.channels) <= _MAX_CHANNELS + len(mine)
            for channel in side.channels.values():
                assert channel.sendable >= 0
            side.out.clear()


def _answer(side: Mux, event: object, piece: bytes) -> None:
    match event:
        case OpenRequest(channel=channel) if piece[-1] & 1:
            side.confirm(channel)
        case OpenRequest(channel=channel):
            side.refuse(channel, 1, "no")
        case Opened(channel=channel):
            side.request(channel, "keepalive@openssh.com")
            side.send(channel, b"hello"[: channel.sendable])
        case Data(channel=channel, view=view) if piece[-1] & 1:
            side.taken(channel, len(view))
        case Eof(channel=channel) if piece[-1] & 1 == 0 and not channel.close_sent:
            side.close(channel)
        case ChannelRequest(channel=channel, want_reply=True):
            side.answer(channel, ok=True)
        case GlobalRequest(want_reply=True):
            side.answer_global(ok=False)


def proxy(data: bytes) -> None:
    """The client of a dynamic forward; chunks must not matter."""
    whole, cut = ProxyServer(), ProxyServer()
    expected = whole.receive(data)
    event: object = NeedMore()
    taken = 0
    while taken < len(data) and isinstance(event, NeedMore):
        size = 1 + data[taken] % 7
        event = cut.receive(data[taken : taken + size])
        taken += size
    if data:
        assert event == expected
        assert whole.take_output() == cut.take_output()
    if isinstance(expected, Request):
        assert 0 <= expected.target.port <= 65_535
        assert whole.leftover == cut.leftover + data[taken:]
        whole.succeeded()


def x11_setup(data: bytes) -> None:
    """The first packet of an X client, in pieces: without the cookie nothing goes through."""
    gate = SetupGate(_COOKIE, b"R" * 16)
    said = b""
    for piece in _pieces(data):
        said += piece
        event = gate.receive(piece)
        if isinstance(event, Passed):
            assert _COOKIE in said
            assert said.endswith(gate.leftover)
        if not isinstance(event, NeedMore):
            return
        assert len(said) < 12 + 64 + 256


def banner(data: bytes) -> None:
    """Whatever answers on a port that should be an SSH server's."""
    reader, identification = PacketReader(), Identification()
    with contextlib.suppress(GatewayUnreachableError):
        for piece in _pieces(data):
            reader.space()[: len(piece)] = piece
            reader.filled(len(piece))
            while (line := reader.take_line(MAX_BYTES)) is not None:
                if identification.accept(line.decode("utf-8", "replace")):
                    return


def compression(data: bytes) -> None:
    """Compressed payloads: bombs are refused."""
    inflate = Decompressor()
    with contextlib.suppress(RemoteProtocolError):
        for piece in _pieces(data):
            assert len(inflate(piece)) <= MAX_PAYLOAD


def known_hosts(data: bytes) -> None:
    """A known_hosts file: a bad line is noted and hides no other."""
    hosts = parse_known_hosts(data)
    hosts.match("gateway", 2222, "127.0.0.1").verdict(b"key")


def key_files(data: bytes) -> None:
    """Key files: PuTTY's, OpenSSH's comment, and lists of public keys."""
    find_keys(data.decode("utf-8", "replace"))
    comment_in(data, None)
    with contextlib.suppress(KeyFileError):
        file = parse_ppk(data, "fuzz")
        if file.derivation is None or file.derivation.memory * file.derivation.passes < 1000:
            file.unlock("x")


def command_line(data: bytes) -> None:
    """Endpoints, gateways and forwards as a user or a configuration writes them."""
    text = data.decode("utf-8", "surrogateescape")
    for parse in (parse_endpoint, parse_gateway, parse_bind):
        with contextlib.suppress(UsageError):
            str(parse(text))
    for kind in ForwardKind:
        with contextlib.suppress(NetkitError):
            spec = parse_forward(kind, text)
            again = parse_forward(kind, format_forward(spec))
            assert (again.bind, again.to) == (spec.bind, spec.to)


def _message(*pieces: bytes) -> bytes:
    return b"".join(bytes([len(piece)]) + piece for piece in pieces)


def _words(*names: str) -> tuple[bytes, ...]:
    return tuple(len(name).to_bytes(4, "big") + name.encode() for name in names)


def _ppk(passphrase: str | None, version: int) -> bytes:
    cheap = Argon2(memory=8, passes=1)
    return write_ppk(
        _KEY,
        comment="me",
        passphrase=passphrase,
        version=version,
        derivation=cheap,
        salt=bytes(16),
    )


_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
_OPEN = b"\x5a" + _words("forwarded-tcpip")[0] + bytes([0, 0, 0, 9, 0, 32, 0, 0, 0, 0, 128, 0])
_CONFIRM = b"\x5b" + bytes([0, 0, 0, 0, 0, 0, 0, 9, 0, 32, 0, 0, 0, 0, 128, 0])
_DATA = b"\x5e\x00\x00\x00\x00\x00\x00\x00\x02hi"
_DONE = b"\x60\x00\x00\x00\x00"
_CLOSE = b"\x61\x00\x00\x00\x00"
_PACKET = b"\x00\x00\x00\x10\x04" + b"\x5e\x00\x00\x00\x00\x00\x00\x00\x02hi" + bytes(4)

TARGETS = (
    Target(
        "packets",
        packets,
        (
            b"\0" + _message(_PACKET),
            b"\1" + _message(_PACKET + bytes(16)),
            b"\x0a" + _message(_PACKET),
        ),
    ),
    Target(
        "mux",
        mux,
        (
            _message(_CONFIRM, _DATA, _DONE, _CLOSE),
            _message(_OPEN + b"\1"),
            _message(b"\x51", b"\x52"),
        ),
        words=_words(
            "forwarded-tcpip", "direct-tcpip", "session", "exit-status", "hostkeys-00@openssh.com"
        ),
    ),
    Target(
        "proxy",
        proxy,
        (
            b"\x05\x01\x00\x05\x01\x00\x03\x04host\x00\x50rest",
            b"\x04\x01\x00\x50\x00\x00\x00\x01me\x00host\x00",
            b"CONNECT host:443 HTTP/1.1\r\nHost: host\r\n\r\n",
            b"GET http://host/path HTTP/1.1\r\nHost: host\r\nProxy-Authorization: x\r\n\r\n",
        ),
        words=(b"\r\n", b"HTTP/1.0", b"Host: ", b"[::1]", b"Content-Length: "),
    ),
    Target(
        "x11_setup",
        x11_setup,
        (
            _message(setup("<", MAGIC_COOKIE, _COOKIE) + b"more"),
            _message(setup(">", MAGIC_COOKIE, bytes(16))),
        ),
        words=(MAGIC_COOKIE, _COOKIE),
    ),
    Target(
        "banner",
        banner,
        (_message(b"SSH-2.0-x\r\n"), _message(b"HTTP/1.1 400\r\n", b"220 ftp\r\n")),
    ),
    Target("compression", compression, (_message(Compressor()(b"hello" * 50)),)),
    Target(
        "known_hosts",
        known_hosts,
        (
            b"gateway,10.0.0.1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== me\n",
            b"@revoked *.corp,!x ssh-rsa AAAA\n# comment\n@cert-authority * ecdsa AAAA\n",
            b"|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= ssh-ed25519 AAAA\n",
        ),
        words=(b"@cert-authority ", b"@revoked ", b"|1|", b"[gateway]:2222", b"ssh-ed25519 "),
    ),
    Target(
        "key_files",
        key_files,
        (
            _ppk(None, 3),
            _ppk("x", 3),
            _ppk("x", 2),
            encode(_KEY, comment="me", passphrase=None, seed=bytes(20)),
        ),
        words=(b"ssh-ed25519 AAAA", b"Public-Lines: 1", b"Argon2-Memory: ", b"Encryption: none"),
    ),
    Target(
        "command_line",
        command_line,
        (
            b"[::1]:80:host:443",
            b"8080:/run/x.sock",
            b"me@[fe80::1%eth0]:22",
            b"ssh://me@host:22",
            b"*:1",
        ),
    ),
)
