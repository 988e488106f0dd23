"""The messages of the authentication protocol (RFC 4252, RFC 4256), without any policy.

The transport's thread hands messages in; the thread that logs in sends requests and waits for
their answers.  Prompts therefore run in the caller's thread and never hold the connection up.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netkit.engine.transport.client import SshTransport, describe_loss
from netkit.errors import GatewayUnreachableError, RemoteProtocolError
from netkit.wire.messages import SERVICE_ACCEPT, SERVICE_REQUEST, Fields, string, u32
from netkit.wire.untrusted import printable, printable_lines

if TYPE_CHECKING:
    from paramiko.message import Message

USERAUTH_REQUEST: Final = 50
USERAUTH_FAILURE: Final = 51
USERAUTH_SUCCESS: Final = 52
USERAUTH_BANNER: Final = 53
METHOD_SPECIFIC: Final = 60
"""PK_OK, PASSWD_CHANGEREQ or INFO_REQUEST, depending on the method under way."""
INFO_RESPONSE: Final = 61

REPLY_TIMEOUT: Final = 180.0
"""Seconds for one answer: servers delay failures, and some wait for a tap on a telephone."""
MAX_BANNER_BYTES: Final = 64 * 1024
MAX_BANNERS: Final = 64
"""Over one whole login."""
MAX_PROMPTS: Final = 32
MAX_PROMPT: Final = 2048
_TICK: Final = 0.25


@dataclass(frozen=True, slots=True)
class Success:
    """USERAUTH_SUCCESS: logged in."""


@dataclass(frozen=True, slots=True)
class Failure:
    """USERAUTH_FAILURE: ``methods`` can continue; ``partial`` if this step itself succeeded."""

    methods: tuple[str, ...]
    partial: bool


@dataclass(frozen=True, slots=True)
class Specific:
    """A message 60, whose meaning depends on the method."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class InfoRequest:
    """keyboard-interactive asks: ``prompts`` are (text, whether to echo the answer)."""

    title: str
    instruction: str
    prompts: tuple[tuple[str, bool], ...]


Reply = Success | Failure | Specific


class UserAuth:
    """The conversation of one login.

    ``show`` receives banners, stripped of control characters; ``cancelled`` ends any wait.
    """

    def __init__(
        self,
        transport: SshTransport,
        user: str,
        *,
        show: Callable[[str], None] | None = None,
        cancelled: threading.Event | None = None,
    ) -> None:
        self.user = user
        self._transport = transport
        self._show = show
        self._cancelled = cancelled
        self._waiting: queue.SimpleQueue[tuple[int, bytes] | None] = queue.SimpleQueue()
        self._banner_bytes = self._banners = 0
        self._asked = False
        self._done = False
        self._handler_table: dict[int, Callable[[Message], None]] = {
            number: self._receiver(number)
            for number in (
                SERVICE_ACCEPT,
                USERAUTH_FAILURE,
                USERAUTH_SUCCESS,
                USERAUTH_BANNER,
                METHOD_SPECIFIC,
            )
        }
        transport.use_auth(self)

    # the side of the transport's thread; the names are paramiko's

    def is_authenticated(self) -> bool:
        return self._done

    def get_username(self) -> str:
        return self.user

    def abort(self) -> None:
        self._waiting.put(None)

    def _receiver(self, number: int) -> Callable[[Message], None]:
        def receive(m: Message) -> None:
            self._receive(number, m.asbytes())

        return receive

    def _receive(self, number: int, payload: bytes) -> None:
        if number == USERAUTH_BANNER:
            self._banner_bytes += len(payload)
            self._banners += 1
            if self._banner_bytes > MAX_BANNER_BYTES or self._banners > MAX_BANNERS:
                raise RemoteProtocolError("the gateway sent banners without end")
        elif self._done or not self._asked:
            raise RemoteProtocolError("the gateway answered a login request that was never made")
        else:
            self._asked = False
        if number == USERAUTH_SUCCESS:
            self._done = True
            # here, before the next packet is read: it is the first compressed one
            self._transport.login_done()
        self._waiting.put((number, payload))

    # the side of the thread that logs in

    def begin(self) -> None:
        """Ask for the authentication service; needed once.

        Raises:
            NetkitError: no answer, or not the expected one.
        """
        number, _ = self._exchange(bytes([SERVICE_REQUEST]) + string("ssh-userauth"))
        if number != SERVICE_ACCEPT:
            raise RemoteProtocolError("the gateway answered out of turn at login")

    def request(self, method: str, fields: bytes = b"", limit: float | None = None) -> Reply:
        """Make one authentication request and return the answer; ``fields`` follow the method.

        It may take ``limit`` seconds, by default `REPLY_TIMEOUT`.

        Raises:
            NetkitError: the connection ended, or the answer breaks the protocol.
        """
        payload = self.prefix(method) + fields
        return self._reply(self._exchange(payload, limit))

    def answer(self, answers: list[str]) -> Reply:
        """Answer an INFO_REQUEST (RFC 4256 section 3.4)."""
        payload = bytes([INFO_RESPONSE]) + u32(len(answers)) + b"".join(map(string, answers))
        return self._reply(self._exchange(payload))

    def prefix(self, method: str) -> bytes:
        """Return the head of a request, which a public key signature covers too."""
        head = bytes([USERAUTH_REQUEST]) + string(self.user) + string("ssh-connection")
        return head + string(method)

    def drain(self) -> None:
        """Show banners that came behind the last answer."""
        while not self._waiting.empty():
            message = self._waiting.get()
            if message and message[0] == USERAUTH_BANNER:
                self._banner(message[1])

    def _exchange(self, payload: bytes, limit: float | None = None) -> tuple[int, bytes]:
        self._asked = True
        try:
            self._transport.send_payload(payload)
        except (EOFError, OSError) as error:
            raise describe_loss(self._transport) from error
        limit = REPLY_TIMEOUT if limit is None else limit
        deadline = time.monotonic() + limit
        while True:
            message = self._next(deadline, limit)
            if message[0] != USERAUTH_BANNER:
                return message
            self._banner(message[1])

    def _next(self, deadline: float, limit: float) -> tuple[int, bytes]:
        while True:
            try:
                message = self._waiting.get(timeout=_TICK)
            except queue.Empty:
                message = None
            if message:
                return message
            if self._cancelled and self._cancelled.is_set():
                raise GatewayUnreachableError("the login was cancelled", code="cancelled")
            if not self._transport.is_active():
                if not self._waiting.empty():
                    continue
                raise describe_loss(self._transport)
            if time.monotonic() >= deadline:
                raise GatewayUnreachableError(
                    f"the gateway did not answer a login request within {limit:.0f} s",
                    code="login-timeout",
                    cause="the server is frozen or waits for something that never comes",
                    retryable=True,
                )

    def _banner(self, payload: bytes) -> None:
        text = printable_lines(bytes(Fields(payload, 0).string()))
        if self._show and text.strip():
            self._show(text)

    @staticmethod
    def _reply(message: tuple[int, bytes]) -> Reply:
        number, payload = message
        match number:
            case 52:
                return Success()
            case 51:
                fields = Fields(payload, 0)
                names = fields.text(4096).split(",")
                methods = tuple(printable(name, 64) for name in names[:32] if name)
                return Failure(methods, fields.boolean())
            case 60:
                return Specific(payload)
        raise RemoteProtocolError("the gateway answered out of turn at login")


def parse_info_request(payload: bytes) -> InfoRequest:
    """Parse a keyboard-interactive question (RFC 4256 section 3.2), cleaned for a terminal.

    Raises:
        RemoteProtocolError: it is malformed or asks more than `MAX_PROMPTS` questions.
    """
    fields = Fields(payload, 0)
    title = printable(bytes(fields.string()))
    instruction = printable_lines(bytes(fields.string()), 50)
    fields.string()  # language tag
    count = fields.u32()
    if count > MAX_PROMPTS:
        raise RemoteProtocolError(f"the gateway asked {count} questions at once")
    prompts = tuple(
        (printable(bytes(fields.string()), MAX_PROMPT) + " ", fields.boolean())
        for _ in range(count)
    )
    return InfoRequest(title, instruction, prompts)
