"""paramiko's packetizer, played by a link: the transport thread becomes the link's event loop.

paramiko's Transport asks its packetizer for the next message and hands it messages to send.  Ours
relays all flows while it waits (`Link.next_message`) and returns only what paramiko is for: key
exchange, host keys, authentication.  The method names and signatures are paramiko's
(paramiko.packet.Packetizer, passed through ``Transport(packetizer_class=...)``).
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from paramiko.message import Message
from paramiko.packet import NeedRekeyException

from netkit.engine.link import Link, RekeyDueError
from netkit.errors import LinkLostError, NetkitError, RemoteProtocolError
from netkit.wire.banner import MAX_BYTES
from netkit.wire.messages import NEWKEYS, USERAUTH_SUCCESS
from netkit.wire.untrusted import printable

if TYPE_CHECKING:
    from paramiko.packet import Packetizer

    from netkit.engine.loop import Timer
    from netkit.wire.compression import Compressor, Decompressor
    from netkit.wire.packets import Direction

log = logging.getLogger("netkit.packetizer")

HIGHEST_KEX_MESSAGE = 49
"""Messages above it may not be sent during a key exchange (RFC 4253 section 7.1)."""


class LinkPacketizer:
    """Drives ``link`` with the thread of a paramiko Transport.

    Attributes:
        failure: says what ended the transport's thread, where that is not the link's doing.
    """

    def __init__(self, link: Link) -> None:
        self.link = link
        self.failure: Callable[[], BaseException | None] = _no_failure
        # Transport has just given the socket a timeout, which would put a poll() before each call.
        link.stream.sock.setblocking(False)
        self._initial_kex_done = False
        self._need_rekey = False
        self._switched = 0
        self._closed = False
        self._held: list[bytes] = []
        self._deadline: Timer | None = None

    # --- life ---

    @property
    def closed(self) -> bool:
        """Whether the packetizer was closed."""
        return self._closed

    def close(self) -> None:
        """End the link: at once in its own thread, soon from any other."""
        self._closed = True
        thread = self.link.loop.thread
        if thread is None or thread is threading.current_thread():
            self.link.end(self.link.error or _loss(self.link, self.failure()))
        else:
            self.link.stop()

    def _fail(self, error: NetkitError) -> None:
        self._closed = True
        self.link.end(error)

    # --- messages ---

    def send_message(self, data: Message) -> None:
        """Seal and send a message; from another thread through the loop, in order."""
        payload = data.asbytes()
        if threading.current_thread() is self.link.loop.thread:
            self._send(payload)
        else:
            self.link.loop.post(lambda: self._send(payload))

    def _send(self, payload: bytes) -> None:
        stream = self.link.stream
        if stream.in_kex and self._initial_kex_done and payload[0] > HIGHEST_KEX_MESSAGE:
            self._held.append(payload)
            return
        stream.send(payload)
        if payload[0] == USERAUTH_SUCCESS:
            self.link.authenticated = True
        if payload[0] != NEWKEYS:
            stream.flush()

    def read_message(self) -> tuple[int, Message]:
        """Relay until there is a message for paramiko; return its type and content.

        Raises:
            NeedRekeyException: the keys have protected enough.
            EOFError: the link has ended; `Link.error` says why.
        """
        link = self.link
        link.loop.thread = threading.current_thread()
        try:
            payload = link.next_message()
        except RekeyDueError:
            self._need_rekey = True
            raise NeedRekeyException from None
        except NetkitError as error:
            self._fail(error)
            raise EOFError(error.summary) from error
        except Exception as error:
            log.debug("the link's loop failed", exc_info=True)
            self._fail(
                NetkitError(f"internal error in the relay: {error!r}", code="internal-error")
            )
            raise EOFError(str(error)) from error
        if not payload:
            raise EOFError("empty message")
        if payload[0] == USERAUTH_SUCCESS and link.peer == "gateway":
            link.authenticated = True
        message = Message(bytes(payload[1:]))
        message.seqno = (link.stream.reader.seqno - 1) & 0xFFFFFFFF
        return payload[0], message

    # --- before the first packet ---

    def write_all(self, out: bytes) -> None:
        """Send the version line."""
        self.link.loop.thread = threading.current_thread()
        self.link.stream.write(out)
        try:
            self.link.stream.flush()
        except NetkitError as error:
            self._fail(error)
            raise EOFError(error.summary) from error

    def readline(self, timeout: float) -> str:
        """Return the next line before the first packet, without its end.

        Raises:
            TimeoutError: there is none within ``timeout`` seconds.
            EOFError: the connection ended.
            RemoteProtocolError: the line is too long.
        """
        link, stream = self.link, self.link.stream
        deadline = time.monotonic() + timeout
        alarm = link.loop.call_later(timeout, _nothing)
        try:
            while (line := stream.reader.take_line(MAX_BYTES)) is None:
                if self._closed or link.is_stopping:
                    raise EOFError
                if time.monotonic() >= deadline:
                    raise TimeoutError
                link.loop.run_once(wait=not stream.readable)
                stream.flush()
                if stream.readable:
                    stream.receive()
        except LinkLostError as error:
            raise EOFError(error.summary) from error
        finally:
            alarm.cancel()
        text = line.removesuffix(b"\r").decode("utf-8", "replace")
        if text.startswith("SSH-"):
            link.peer_version = text
        return text

    @property
    def begun_line(self) -> bytes:
        """What has come of a line that is not whole: it tells what answered instead of SSH."""
        return self.link.stream.reader.peek(MAX_BYTES)

    def start_handshake(self, timeout: float) -> None:
        """Bound the first key exchange to ``timeout`` seconds."""
        self._deadline = self.link.loop.call_later(timeout, self._handshake_expired)

    def _handshake_expired(self) -> None:
        raise LinkLostError(
            "the key exchange did not finish in time", code="key-exchange-timeout", retryable=True
        )

    def handshake_timed_out(self) -> bool:
        """Never: a handshake that takes too long ends the link instead."""
        return False

    def complete_handshake(self) -> None:
        """Stop the clock of `start_handshake`."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # --- keys ---

    def need_rekey(self) -> bool:
        """Whether new keys are due and have not been agreed yet."""
        return self._need_rekey

    def set_outbound_cipher(
        self,
        block_engine: Any,
        block_size: int,
        mac_engine: Any,
        mac_size: int,
        mac_key: bytes | None,
        sdctr: bool = False,  # noqa: FBT001, FBT002 (paramiko's signature)
        etm: bool = False,  # noqa: FBT001, FBT002
        aead: bool = False,  # noqa: FBT001, FBT002
        iv_out: bytes | None = None,
    ) -> None:
        """Use new keys for what we send from now on; data may flow again."""
        del sdctr
        writer = self.link.stream.writer
        _switch(writer, block_engine, block_size, mac_engine, mac_size, mac_key, etm, iv_out)
        assert aead == (writer.aead is not None)
        self._keys_in_use(1)
        self.link.stream.in_kex = False
        # Held messages follow once paramiko has set up compression, before any channel data.
        held, self._held = self._held, []
        for payload in held:
            self.link.loop.post(functools.partial(self._send, payload))
        self.link.loop.post(self.link.flush)

    def set_inbound_cipher(
        self,
        block_engine: Any,
        block_size: int,
        mac_engine: Any,
        mac_size: int,
        mac_key: bytes | None,
        etm: bool = False,  # noqa: FBT001, FBT002 (paramiko's signature)
        aead: bool = False,  # noqa: FBT001, FBT002
        iv_in: bytes | None = None,
    ) -> None:
        """Use new keys for what comes from now on."""
        reader = self.link.stream.reader
        _switch(reader, block_engine, block_size, mac_engine, mac_size, mac_key, etm, iv_in)
        assert aead == (reader.aead is not None)
        self._keys_in_use(2)

    def _keys_in_use(self, direction: int) -> None:
        self._switched |= direction
        if self._switched == 3:
            self._switched = 0
            self._need_rekey = False
            self.link.rekeying = False

    def set_outbound_compressor(self, compressor: Compressor) -> None:
        """Compress what we send from now on."""
        self.link.stream.compress(compressor)

    def set_inbound_compressor(self, compressor: Decompressor) -> None:
        """Decompress what comes from now on."""
        self.link.stream.reader.zlib = compressor

    def reset_seqno_out(self) -> None:
        """Strict key exchange: count outbound packets from 0."""
        self.link.stream.writer.seqno = 0

    def reset_seqno_in(self) -> None:
        """Strict key exchange: count inbound packets from 0."""
        self.link.stream.reader.seqno = 0

    # --- what paramiko sets and netkit does itself ---

    def set_log(self, logger: logging.Logger) -> None:
        """Ignored: the link has its own log."""

    def set_hexdump(self, hexdump: bool) -> None:  # noqa: FBT001 (paramiko's signature)
        """Ignored: packets are never logged."""

    def get_hexdump(self) -> bool:
        """Whether packets are logged: never."""
        return False

    def set_keepalive(self, interval: int, callback: Any) -> None:
        """Ignored: `KeepaliveClock` notices dead peers, paramiko's keepalive cannot."""


def _no_failure() -> None:
    """What a transport says that does not know better."""


def _loss(link: Link, error: BaseException | None) -> NetkitError:
    if isinstance(error, NetkitError):
        return error
    if link.disconnect is not None:
        code, text = link.disconnect
        return LinkLostError(
            f"the {link.peer} ended the connection",
            code="link-disconnected",
            cause=f"it said {printable(text, 200)!r} (code {code})",
            retryable=True,
        )
    if error is None or isinstance(error, EOFError | OSError):
        return LinkLostError(
            f"the {link.peer} closed the connection", code="link-closed", retryable=True
        )
    return RemoteProtocolError("broke the SSH protocol", cause=printable(str(error), 200))


def driving(link: Link) -> type[Packetizer]:
    """Return what paramiko's Transport takes as its packetizer class: a packetizer for ``link``."""
    return cast("type[Packetizer]", lambda _sock: LinkPacketizer(link))


def _switch(
    direction: Direction,
    engine: Any,
    block: int,
    mac_engine: Any,
    mac_size: int,
    mac_key: bytes | None,
    etm: bool,  # noqa: FBT001 (passed on in paramiko's order)
    iv: bytes | None,
) -> None:
    if iv is not None:
        direction.set_aead(engine, iv)
    else:
        direction.set_stream(
            engine,
            block=block,
            digest=mac_engine().name,
            key=mac_key or b"",
            mac_size=mac_size,
            etm=etm,
        )


def _nothing() -> None:
    """What the alarm of a wait calls: waking the loop is all it is for."""
