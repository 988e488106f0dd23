"""`ServerTransport`: paramiko's Transport as the server side of a link, for netkit's own gateway.

As on the client's side, paramiko exchanges keys and its thread is the loop of a `Link`; what a
client may do is for the caller to say in ``logged_in``.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from paramiko import Transport
from paramiko.common import MSG_NAMES
from paramiko.message import Message

from netkit._version import __version__
from netkit.engine.link import Link
from netkit.engine.transport.algorithms import MACS, is_aead
from netkit.engine.transport.client import LOG_CHANNEL, SshTransport, supported_kex
from netkit.engine.transport.packetizer import LinkPacketizer
from netkit.engine.transport.server_login import PROTOCOL_ERROR, Identity, Login, LoginRules
from netkit.engine.transport.signatures import (
    SIGNATURE_ALGORITHMS,
    PrivateKey,
    public_blob,
    sign,
)
from netkit.errors import NetkitError, RemoteProtocolError
from netkit.events import Event
from netkit.model import Endpoint
from netkit.text.fingerprints import key_type
from netkit.wire.banner import MAX_VERSION
from netkit.wire.messages import DISCONNECT, UNIMPLEMENTED, USERAUTH_SUCCESS, string, u32
from netkit.wire.packets import REKEY_BYTES
from netkit.wire.untrusted import printable

KEY_EXCHANGE_FAILED: Final = 3
BY_APPLICATION: Final = 11
"""Reasons of a disconnect (RFC 4253 section 11.1), beside those of the login."""

# Group exchange needs a file of primes, which only some systems have.
KEX: Final = tuple(name for name in supported_kex() if "group-exchange" not in name)


class HostKey:
    """A private key as paramiko's key exchange asks for it."""

    def __init__(self, key: PrivateKey) -> None:
        self._key = key
        self.blob = public_blob(key)
        kind = key_type(self.blob)
        self.algorithms = ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)

    def asbytes(self) -> bytes:
        """The public key's wire form."""
        return self.blob

    def sign_ssh_data(self, data: bytes, algorithm: str) -> Message:
        """Sign an exchange hash."""
        return Message(sign(self._key, algorithm, data))


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """What all connections of a server share.

    ``logged_in`` is called in the connection's thread once its client has proved who it is, and
    ``ended`` when the connection is over and has let go of everything.  ``rekey_bytes`` after
    which new keys are asked for, ``login_grace`` in seconds.
    """

    host_key: HostKey
    login: LoginRules
    ciphers: tuple[str, ...]
    rekey_bytes: int
    login_grace: float
    logged_in: Callable[[ServerTransport, Identity], None]
    ended: Callable[[ServerTransport], None]
    emit: Callable[[Event], None]


class _Packetizer(LinkPacketizer):
    """Adds what only a server needs.

    These are a guess of the client's to skip, a last word, a server's words for the end, and a
    limit after which to rekey.
    """

    def __init__(self, link: Link, rekey_bytes: int) -> None:
        super().__init__(link)
        self.skip_next = False
        self._head_start = REKEY_BYTES - rekey_bytes

    def read_message(self) -> tuple[int, Message]:
        message = self._read()
        if self.skip_next:
            self.skip_next = False
            return self._read()
        return message

    def _read(self) -> tuple[int, Message]:
        message = super().read_message()
        if message[0] == USERAUTH_SUCCESS:
            self._fail(RemoteProtocolError("sent a message that only servers send"))
            raise EOFError
        return message

    def set_outbound_cipher(self, *args: Any, **options: Any) -> None:
        super().set_outbound_cipher(*args, **options)
        self.link.stream.writer.bytes = self._head_start

    def set_inbound_cipher(self, *args: Any, **options: Any) -> None:
        super().set_inbound_cipher(*args, **options)
        self.link.stream.reader.bytes = self._head_start

    def _fail(self, error: NetkitError) -> None:
        if isinstance(error, RemoteProtocolError):
            self.disconnect(PROTOCOL_ERROR, error.summary)
        super()._fail(error)

    def disconnect(self, code: int, text: str) -> None:
        """Tell the peer why we leave, as far as it still listens; in the loop's thread."""
        stream = self.link.stream
        with contextlib.suppress(NetkitError, OSError):
            stream.send(bytes([DISCONNECT]) + u32(code) + string(text) + string(""))
            stream.flush()


class ServerTransport(Transport):
    """One connection; its thread is the loop of its link."""

    _CLIENT_ID = f"netkit_{__version__}"
    _kex_info: ClassVar[dict[str, Any]] = SshTransport._kex_info
    _mac_info: ClassVar[dict[str, Any]] = SshTransport._mac_info
    _compression_info: ClassVar[dict[str, Any]] = SshTransport._compression_info
    link: Link
    packetizer: _Packetizer  # type: ignore[assignment]
    # paramiko's, which its type stubs do not know
    _handler_table: dict[int, Callable[[Message], None]]
    _send_message: Callable[[Message], None]
    _auth_trigger: Callable[[], None]

    def __init__(self, sock: socket.socket, peer: Endpoint, config: ServerConfig) -> None:
        def packetizer(sock: socket.socket) -> _Packetizer:
            # Here and not earlier: Transport gives the socket a timeout, a link takes it off.
            self.link = Link(sock, observer=config.emit, peer="client")
            return _Packetizer(self.link, config.rekey_bytes)

        self._config = config
        super().__init__(sock, packetizer_class=packetizer)  # type: ignore[arg-type]
        self.name = f"netkit-gateway-link {peer}"
        self.set_log_channel(LOG_CHANNEL)
        self.packetizer.failure = lambda: self.saved_exception
        self.banner_timeout = self.handshake_timeout = config.login_grace
        self.peer = peer
        self.server_key_dict = dict.fromkeys(config.host_key.algorithms, config.host_key)  # type: ignore[arg-type]
        self._grace = self.link.loop.call_later(config.login_grace, self._too_late)
        self.auth_handler = Login(  # type: ignore[assignment]
            config.login,
            session_id=lambda: self.session_id or b"",
            send=lambda payload: self._send_message(Message(payload)),
            disconnect=self.packetizer.disconnect,
            logged_in=self._login_done,
        )
        # run() dies of a KeyError for types that paramiko has no name for
        for number in set(range(1, 256)) - MSG_NAMES.keys():
            self._handler_table[number] = self._reply_unimplemented

    def end(self, text: str) -> None:
        """Leave the client with a reason, soon; any thread."""

        def leave() -> None:
            if self.initial_kex_done:
                self.packetizer.disconnect(BY_APPLICATION, text)
            self.link.stop()

        self.link.loop.post(leave)

    def run(self) -> None:
        """Serve the connection until it ends."""
        try:
            super().run()
        finally:
            self.discard()
            self._config.ended(self)

    def discard(self) -> None:
        """Free everything; in the transport's thread, or when that was never started."""
        self.active = False
        self.link.end(self.link.error)
        self.sock.close()

    def reason(self) -> str:
        """Why the connection ended, for a log."""
        error = self.link.error
        return printable(error.summary) if error is not None else "the gateway was stopped"

    # --- login ---

    def _login_done(self, identity: Identity) -> None:
        # Before the next packet is read: it is the first compressed one.
        self._auth_trigger()
        self._grace.cancel()
        self._config.logged_in(self, identity)

    def _too_late(self) -> None:
        raise RemoteProtocolError("did not log in in time", code="login-grace")

    # --- what paramiko calls ---

    @property
    def preferred_kex(self) -> tuple[str, ...]:
        return KEX

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        return self._config.host_key.algorithms

    @property
    def preferred_ciphers(self) -> tuple[str, ...]:
        return self._config.ciphers

    @property
    def preferred_macs(self) -> tuple[str, ...]:
        return MACS

    @property
    def preferred_pubkeys(self) -> tuple[str, ...]:
        return SIGNATURE_ALGORITHMS

    @property
    def preferred_compression(self) -> tuple[str, ...]:
        # Before the login there is none, which would be one more thing to attack.
        return ("none", "zlib@openssh.com")

    def _log(self, level: int, msg: str | list[str], *args: object) -> None:
        # A client's faults are no errors of ours, and tracebacks of them are noise.
        for line in msg if isinstance(msg, list) else [msg]:
            self.logger.log(min(level, logging.DEBUG), line, *args)

    def _check_banner(self) -> None:
        # Clients send one line (RFC 4253 section 4.2); anything else is no SSH client.
        line = self.packetizer.readline(self.banner_timeout)
        if not line.startswith(("SSH-2.0-", "SSH-1.99-")) or len(line) > MAX_VERSION:
            self.packetizer.write_all(b"Invalid SSH identification string.\r\n")
            raise RemoteProtocolError(f"is no SSH client: {printable(line, 60)!r}", code="not-ssh")
        self.remote_version = line

    def _really_parse_kex_init(
        self,
        m: Message,
        ignore_first_byte: bool = False,  # noqa: FBT001, FBT002 (paramiko's)
    ) -> dict[str, Any]:
        parsed: dict[str, Any] = super()._really_parse_kex_init(m, ignore_first_byte)  # type: ignore[misc]
        if not ignore_first_byte:
            self._check_offer(parsed)
            guess = (parsed["kex_algo_list"][:1], parsed["server_key_algo_list"][:1])
            right = ([self.preferred_kex[0]], [self.preferred_keys[0]])
            # RFC 4253 section 7: the packet behind a wrong guess is to be ignored.
            self.packetizer.skip_next = parsed["kex_follows"] and guess != right
        return parsed

    def _check_offer(self, parsed: dict[str, Any]) -> None:
        self._first("key exchange", parsed["kex_algo_list"], self.preferred_kex)
        self._first("host key", parsed["server_key_algo_list"], self.preferred_keys)
        for side in ("client", "server"):
            offered = parsed[f"{side}_encrypt_algo_list"]
            cipher = self._first("cipher", offered, self.preferred_ciphers)
            if is_aead(cipher):
                # RFC 5647: the MAC lists do not count; paramiko wants a common member all the same
                parsed[f"{side}_mac_algo_list"] = [MACS[0]]
            self._first("MAC", parsed[f"{side}_mac_algo_list"], MACS)
            offered = parsed[f"{side}_compress_algo_list"]
            self._first("compression", offered, self.preferred_compression)

    def _first(self, what: str, offered: Sequence[str], ours: Sequence[str]) -> str:
        for name in offered:
            if name in ours:
                return name
        text = f"no common {what} algorithm; this gateway has {', '.join(ours)}"
        self.packetizer.disconnect(KEY_EXCHANGE_FAILED, text)
        raise RemoteProtocolError(text, code="no-common-algorithm")

    def _parse_ext_info(self, msg: Message) -> None:
        """Ignored: a client's extensions (RFC 8308) ask for nothing that matters here."""

    def _reply_unimplemented(self, m: Message) -> None:
        self._send_message(Message(bytes([UNIMPLEMENTED]) + u32(m.seqno)))
