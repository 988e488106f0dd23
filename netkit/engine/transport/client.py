"""`SshTransport`: paramiko's Transport with netkit's algorithms, bounds and errors.

paramiko keeps what it does well (key exchange, rekeying, its thread).  Replaced here: the
identification exchange, what is offered and how agreement fails, the check of the kex signature
(certificates, one key for the life of the link), unbounded extension parsing, the log level of
expected failures, and authentication (`netkit.engine.transport.userauth`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from hashlib import sha1
from typing import TYPE_CHECKING, Any, ClassVar, Final

from paramiko import Transport
from paramiko.common import MSG_NAMES
from paramiko.kex_curve25519 import KexCurve25519
from paramiko.message import Message
from paramiko.ssh_exception import SSHException

from netkit._version import __version__
from netkit.engine.transport import signatures
from netkit.engine.transport.algorithms import CERT, KEX, Agreed, Offer, agree, is_aead, type_of
from netkit.engine.transport.hostcert import Certificate, parse_certificate
from netkit.engine.transport.packetizer import LinkPacketizer
from netkit.errors import GatewayUnreachableError, NetkitError, RemoteProtocolError
from netkit.text.fingerprints import key_type
from netkit.wire.banner import Identification
from netkit.wire.compression import Compressor, Decompressor
from netkit.wire.messages import UNIMPLEMENTED, Fields, u32
from netkit.wire.untrusted import printable

if TYPE_CHECKING:
    import socket

    from paramiko.packet import Packetizer

    from netkit.engine.transport.userauth import UserAuth

LOG_CHANNEL: Final = "netkit.ssh"
MAX_EXTENSIONS: Final = 64
EXTRA_LINE_SECONDS: Final = 5.0
"""How long a peer that has spoken may take for each further line before the version line."""


class SshTransport(Transport):
    """One client side of an SSH connection.

    Attributes:
        agreed: the algorithms client to server; None before the first key exchange.
        agreed_reverse: those server to client.
        theirs: what the server offers client to server; None before it did.
        host_key_blob: the key (or certificate) the server proved to own.
        certificate: the parsed certificate, if it is one; its CA has not been judged.
        disconnected: code and text of the server's disconnect message.
        auth_method: how the login succeeded, such as ``publickey ED25519 SHA256:…``.
    """

    # paramiko's own, absent from its stubs
    _handler_table: dict[int, Callable[[Message], None]]
    agreed_on_strict_kex: bool
    server_extensions: dict[str, bytes]
    _send_user_message: Callable[[Message], None]
    _send_message: Callable[[Message], None]
    _auth_trigger: Callable[[], None]

    _CLIENT_ID = f"netkit_{__version__}"
    _kex_info: ClassVar[dict[str, Any]] = {
        # the name of RFC 8731; paramiko knows only the older one of libssh.org
        "curve25519-sha256": KexCurve25519,
        **Transport._kex_info,  # type: ignore[attr-defined]
    }
    _mac_info: ClassVar[dict[str, Any]] = {
        "hmac-sha1-etm@openssh.com": {"class": sha1, "size": 20},
        **Transport._mac_info,  # type: ignore[attr-defined]
    }
    _compression_info: ClassVar[dict[str, Any]] = {
        "zlib@openssh.com": (Compressor, Decompressor),
        "zlib": (Compressor, Decompressor),
        "none": (None, None),
    }

    def __init__(
        self,
        sock: socket.socket,
        offer: Offer,
        *,
        packetizer_class: type[Packetizer] | None = None,
        timeout: float = 30.0,
    ) -> None:
        """Wrap a connected socket; ``timeout`` seconds bound identification and key exchange."""
        super().__init__(sock, packetizer_class=packetizer_class)
        if isinstance(self.packetizer, LinkPacketizer):
            self.packetizer.failure = lambda: self.saved_exception
        self.name = "netkit-link"
        self.set_log_channel(LOG_CHANNEL)
        self.banner_timeout = timeout
        # the caller's own deadline comes first, and tells a slow gateway from one that hung up
        self.handshake_timeout = timeout + 1
        self.offer = offer
        self.agreed: Agreed | None = None
        self.agreed_reverse: Agreed | None = None
        self.theirs: Offer | None = None
        self.host_key_blob = b""
        self.certificate: Certificate | None = None
        self.disconnected: tuple[int, str] | None = None
        self.auth_method = ""
        # run() dies of a KeyError for types that paramiko has no name for
        for number in set(range(1, 256)) - MSG_NAMES.keys():
            self._handler_table[number] = self._reply_unimplemented

    @property
    def server_version(self) -> str:
        """The server's version line, ``SSH-2.0-OpenSSH_9.2p1``."""
        return self.remote_version

    @property
    def strict_kex(self) -> bool:
        """Whether both sides use strict key exchange, the answer to CVE-2023-48795."""
        return self.agreed_on_strict_kex

    def send_payload(self, payload: bytes) -> None:
        """Send one message from any thread; waits while keys are being exchanged.

        On a connection that has ended it does nothing, or raises an OSError or EOFError.

        Raises:
            GatewayUnreachableError: a key exchange does not come to its end.
        """
        try:
            self._send_user_message(Message(payload))
        except SSHException as error:
            raise GatewayUnreachableError(
                "the gateway did not finish a key exchange", code="key-exchange-timeout"
            ) from error

    def use_auth(self, handler: UserAuth) -> None:
        """Give authentication messages to ``handler`` from now on."""
        # paramiko's run() needs of a handler only _handler_table, abort and is_authenticated
        self.auth_handler = handler  # type: ignore[assignment]

    def login_done(self) -> None:
        """Switch delayed compression on; the transport thread calls it on USERAUTH_SUCCESS."""
        self._auth_trigger()

    def shut(self, timeout: float = 5.0) -> None:
        """Close the connection and wait for the thread; safe at any time and in any state."""
        # `active` stays: run() wakes waiting threads and closes the packetizer only where it is set
        self.packetizer.close()
        self.packetizer.complete_handshake()  # ends the timer thread of paramiko's packetizer
        if self.is_alive():
            # The thread waits for this very socket; closed under it, its number could be another's.
            self.join(timeout)
        self.sock.close()

    def run(self) -> None:
        """Run the connection; whatever ends it, the packetizer is closed in its own thread."""
        try:
            super().run()
        finally:
            # paramiko leaves that out where `shut` was called while a message was on its way
            self.packetizer.close()

    # what paramiko calls

    def _log(self, level: int, msg: str | list[str], *args: object) -> None:
        # Failures reach the user as exceptions.  Without a handler Python prints warnings and
        # errors to stderr, so paramiko's copies of them, tracebacks included, stay below that.
        lines = msg if isinstance(msg, list) else [msg]
        for line in lines:
            self.logger.log(min(level, logging.DEBUG), line, *args)

    @property
    def preferred_kex(self) -> tuple[str, ...]:
        return self.offer.kex

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        return self.offer.host_keys

    @property
    def preferred_ciphers(self) -> tuple[str, ...]:
        return self.offer.ciphers

    @property
    def preferred_macs(self) -> tuple[str, ...]:
        return self.offer.macs

    @property
    def preferred_compression(self) -> tuple[str, ...]:
        return self.offer.compression

    def _check_banner(self) -> None:
        deadline = time.monotonic() + self.banner_timeout
        identification = Identification()
        while True:
            left = deadline - time.monotonic()
            if identification.lines:
                left = min(left, EXTRA_LINE_SECONDS)
            try:
                if left <= 0:
                    raise TimeoutError
                line = self.packetizer.readline(left)
            except TimeoutError as error:
                raise identification.silent(self.banner_timeout, self._begun_line()) from error
            except (EOFError, OSError) as error:
                raise identification.ended(self._begun_line()) from error
            except RemoteProtocolError as error:
                raise identification.flood() from error
            if identification.accept(line):
                self.remote_version = identification.version
                return

    def _begun_line(self) -> bytes:
        # netkit's packetizer can tell; paramiko's forgets it
        begun: bytes = getattr(self.packetizer, "begun_line", b"")
        return begun

    def _really_parse_kex_init(
        self,
        m: Message,
        ignore_first_byte: bool = False,  # noqa: FBT001, FBT002 (paramiko's)
    ) -> dict[str, Any]:
        parsed: dict[str, Any] = super()._really_parse_kex_init(m, ignore_first_byte)  # type: ignore[misc]
        if not ignore_first_byte:
            self._agree(parsed)
        return parsed

    def _agree(self, parsed: dict[str, Any]) -> None:
        def offer(side: str) -> Offer:
            return Offer(
                kex=tuple(parsed["kex_algo_list"]),
                host_keys=tuple(parsed["server_key_algo_list"]),
                ciphers=tuple(parsed[f"{side}_encrypt_algo_list"]),
                macs=tuple(parsed[f"{side}_mac_algo_list"]),
                compression=tuple(parsed[f"{side}_compress_algo_list"]),
            )

        self.theirs = offer("client")
        self.agreed, self.agreed_reverse = agree(self.offer, self.theirs, offer("server"))
        for side, way in (("client", self.agreed), ("server", self.agreed_reverse)):
            if is_aead(way.cipher):
                # RFC 5647: the MAC lists do not count; paramiko wants a common member all the same
                parsed[f"{side}_mac_algo_list"] = [self.offer.macs[0]]

    def _verify_key(self, host_key: bytes, sig: bytes) -> None:
        algorithm = self.host_key_type or ""
        if self.host_key_blob and host_key != self.host_key_blob:
            raise RemoteProtocolError(
                "the gateway showed another host key when new keys were exchanged",
                code="host-key-changed-in-session",
            )
        certificate = parse_certificate(host_key) if algorithm.endswith(CERT) else None
        blob = certificate.key_blob if certificate else host_key
        if key_type(host_key) != type_of(algorithm) or not signatures.verify(
            blob, sig, self.H or b"", algorithms=(algorithm.removesuffix(CERT),)
        ):
            raise RemoteProtocolError(
                "the gateway could not prove that it owns its host key",
                code="bad-host-key-signature",
                cause=f"the signature ({printable(algorithm)}) over the key exchange is wrong: "
                "a broken server, or someone in between",
            )
        self.host_key_blob, self.certificate = bytes(host_key), certificate

    def _parse_ext_info(self, msg: Message) -> None:
        # RFC 8308 section 2.3; paramiko would loop up to the peer's uint32
        fields = Fields(msg.asbytes(), 0)
        count = fields.u32()
        if count > MAX_EXTENSIONS:
            raise RemoteProtocolError(f"the gateway sent {count} protocol extensions")
        extensions: dict[str, bytes] = {}
        for _ in range(count):
            name = fields.text()
            extensions[name] = bytes(fields.string())
        self.server_extensions = extensions

    def _parse_disconnect(self, m: Message) -> None:
        fields = Fields(m.asbytes(), 0)
        self.disconnected = (fields.u32(), printable(fields.text(1024)))
        self._log(logging.INFO, "disconnect code %d: %s", *self.disconnected)

    def _reply_unimplemented(self, m: Message) -> None:
        self._send_message(Message(bytes([UNIMPLEMENTED]) + u32(m.seqno)))


def supported_kex() -> tuple[str, ...]:
    """Return those of `KEX` that this installation of paramiko and cryptography can do."""
    return tuple(name for name in KEX if name in SshTransport._kex_info)


def describe_loss(transport: SshTransport, stage: str = "login") -> NetkitError:
    """Return the error for a connection that ended during ``stage``."""
    error = transport.saved_exception
    if isinstance(error, EOFError) and isinstance(error.__cause__, RemoteProtocolError):
        error = error.__cause__  # a packetizer may end the thread with an EOFError
    if isinstance(error, NetkitError):
        return error
    if transport.disconnected:
        code, text = transport.disconnected
        return GatewayUnreachableError(
            f"the gateway ended the connection during {stage}",
            code="disconnected-by-gateway",
            cause=f"it said {text!r} (code {code})",
            retryable=True,
        )
    if error is None or isinstance(error, EOFError | OSError):
        return GatewayUnreachableError(
            f"the gateway closed the connection during {stage}",
            code="closed-during-login",
            cause=f"{error}"
            if isinstance(error, OSError)
            else "its log says why; often it is "
            "full (MaxStartups), bans this address, or its LoginGraceTime was over",
            retryable=True,
        )
    return RemoteProtocolError(
        f"the gateway broke the SSH protocol during {stage}", cause=printable(str(error))
    )
