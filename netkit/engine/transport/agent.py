"""A client of the SSH agent protocol (draft-miller-ssh-agent): list keys, sign.

Keys are opaque blobs, so security keys and certificates work without being understood here.
Everything the agent says is bounded, and it cannot hold the login up without end.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from dataclasses import dataclass
from typing import Final, Protocol, Self

from netkit.errors import AuthenticationError, RemoteProtocolError
from netkit.text.fingerprints import key_type
from netkit.wire.messages import Fields, string, u32
from netkit.wire.untrusted import printable

MAX_REPLY: Final = 256 * 1024
"""Bytes of one reply; OpenSSH's own bound."""
MAX_KEYS: Final = 2048
LIST_TIMEOUT: Final = 10.0
SIGN_TIMEOUT: Final = 120.0
"""Seconds; signing may wait for a person to confirm, or to touch a security key."""

_REQUEST_IDENTITIES: Final = 11
_IDENTITIES_ANSWER: Final = 12
_SIGN_REQUEST: Final = 13
_SIGN_RESPONSE: Final = 14
_FLAGS: Final = {"rsa-sha2-256": 2, "rsa-sha2-512": 4}


class AgentError(AuthenticationError):
    """The agent cannot be talked to, or would not sign."""

    default_code = "agent-failed"


@dataclass(frozen=True, slots=True)
class AgentKey:
    """A key an agent holds; ``blob`` is a public key or certificate in wire form."""

    blob: bytes
    comment: str


class _Pipe(Protocol):
    def send(self, data: bytes) -> int | None: ...
    def recv(self, n: int, /) -> bytes: ...
    def close(self) -> None: ...


class Agent:
    """A connection to an agent; a context manager.

    On Windows `open_agent` connects to Pageant or to the OpenSSH service, whichever runs.
    """

    def __init__(self, pipe: _Pipe) -> None:
        self._pipe = pipe

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; the agent keeps its keys."""
        with contextlib.suppress(OSError):
            self._pipe.close()

    def list_keys(self, timeout: float = LIST_TIMEOUT) -> tuple[AgentKey, ...]:
        """Return the keys in the agent's order; wait ``timeout`` seconds for them.

        Raises:
            AgentError: the agent does not answer, or not in its protocol.
        """
        number, fields = self._call(bytes([_REQUEST_IDENTITIES]), timeout)
        if number != _IDENTITIES_ANSWER:
            raise AgentError("the SSH agent would not list its keys")
        try:
            count = fields.u32()
            if count > MAX_KEYS:
                raise AgentError(f"the SSH agent says it holds {count} keys")
            pairs = ((bytes(fields.string()), bytes(fields.string())) for _ in range(count))
            return tuple(
                AgentKey(blob, printable(comment, 80)) for blob, comment in pairs if key_type(blob)
            )
        except RemoteProtocolError as error:
            raise AgentError("the SSH agent's list of keys is damaged") from error

    def sign(self, blob: bytes, algorithm: str, data: bytes) -> bytes:
        """Return the signature blob over ``data`` by the key ``blob``.

        ``algorithm`` is the plain signature algorithm wanted; for RSA it is passed as a flag.

        Raises:
            AgentError: the agent refused, or signed with another algorithm.
        """
        body = string(blob) + string(data) + u32(_FLAGS.get(algorithm, 0))
        number, fields = self._call(bytes([_SIGN_REQUEST]) + body, SIGN_TIMEOUT)
        if number != _SIGN_RESPONSE:
            raise AgentError(
                "the SSH agent would not sign",
                code="agent-refused",
                cause="the confirmation was denied, the agent is locked, or the security key "
                "is absent or was not touched",
            )
        try:
            signature = bytes(fields.string())
        except RemoteProtocolError as error:
            raise AgentError("the SSH agent's signature is damaged") from error
        made = key_type(signature)
        if made != algorithm:
            raise AgentError(
                f"the SSH agent signed with {printable(made, 40) or 'something'}, not {algorithm}",
                code="agent-too-old",
                cause="an agent from before RSA with SHA-2 (RFC 8332, 2018), or one that "
                "ignores its flags",
            )
        return signature

    def _call(self, message: bytes, timeout: float) -> tuple[int, Fields]:
        deadline = time.monotonic() + timeout
        try:
            self._limit(deadline)
            if isinstance(self._pipe, socket.socket):
                self._pipe.sendall(u32(len(message)) + message)
            else:
                self._pipe.send(u32(len(message)) + message)
            length = int.from_bytes(self._read(4, deadline), "big")
            if not 0 < length <= MAX_REPLY:
                raise AgentError(f"the SSH agent answered with {length} bytes")
            payload = self._read(length, deadline)
        except TimeoutError as error:
            raise AgentError(
                f"the SSH agent did not answer within {timeout:.0f} s", code="agent-timeout"
            ) from error
        except OSError as error:
            raise AgentError("the SSH agent's connection broke", cause=str(error)) from error
        return payload[0], Fields(payload)

    def _read(self, count: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < count:
            self._limit(deadline)
            piece = self._pipe.recv(count - len(data))
            if not piece:
                raise AgentError("the SSH agent closed the connection")
            data += piece
        return bytes(data)

    def _limit(self, deadline: float) -> None:
        if isinstance(self._pipe, socket.socket):
            # 0 would mean "do not wait", which raises another error than a time-out
            self._pipe.settimeout(max(deadline - time.monotonic(), 0.001))


def open_agent(path: str) -> Agent | None:
    """Connect to the agent of a hop's ``identity_agent``; ``None`` when it names none.

    Raises:
        AgentError: there is a path and nobody behind it.
    """
    if not path:
        return None
    if sys.platform == "win32":
        return _windows_agent(path)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(LIST_TIMEOUT)
        connection.connect(path)
    except (OSError, ValueError) as error:
        connection.close()
        raise AgentError(
            f"no SSH agent answers at {path}",
            code="agent-unreachable",
            cause=f"{error}; it has ended, or SSH_AUTH_SOCK is left over from an old session",
        ) from error
    return Agent(connection)


def _windows_agent(path: str) -> Agent:
    from paramiko.agent import get_agent_connection  # noqa: PLC0415 (Windows only)

    pipe = get_agent_connection()
    if pipe is None:
        raise AgentError(f"neither Pageant nor the OpenSSH agent runs ({path})")
    return Agent(pipe)
