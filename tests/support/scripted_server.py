"""A server on paramiko whose login does what a test says: factors, questions, banners, malice.

with ScriptedServer(password="pw", factors=[{"password"}, {"publickey"}]) as server:
    establish(server.hop(), server.sock, password="pw")
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_PARTIALLY_SUCCESSFUL, AUTH_SUCCESSFUL
from paramiko.server import InteractiveQuery

from netkit.model import Hop, HostKeyPolicy


class _Rules(paramiko.ServerInterface):
    def __init__(self, server: ScriptedServer) -> None:
        self._server = server
        self._step_done = False

    def get_banner(self) -> tuple[str | None, str | None]:
        return self._server.banner, "en-US"

    def get_allowed_auths(self, username: str) -> str:
        # only a real result asks for the methods; a key that was merely offered does not
        if self._step_done:
            self._server.factors.pop(0)
            self._step_done = False
        return ",".join(sorted(self._server.factors[0]))

    def check_auth_none(self, username: str) -> int:
        return self._judge("none", "", accepted=not self._server.factors[0])

    def check_auth_password(self, username: str, password: str) -> int:
        return self._judge("password", password, accepted=password == self._server.password)

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        accepted = key.get_base64() in self._server.accepted_keys
        return self._judge("publickey", key.get_base64(), accepted=accepted)

    def check_auth_interactive(self, username: str, submethods: str) -> Any:
        self._round = 0
        return self._ask()

    def check_auth_interactive_response(self, responses: list[str]) -> Any:
        expected = [answer for _, _, answer in self._server.rounds[self._round]]
        if responses != expected:
            return self._judge("keyboard-interactive", str(responses), accepted=False)
        self._round += 1
        return self._ask()

    def _ask(self) -> Any:
        if self._round >= len(self._server.rounds):
            done = bool(self._server.rounds)
            return self._judge("keyboard-interactive", "", accepted=done)
        query = InteractiveQuery(*self._server.title)
        for text, echo, _ in self._server.rounds[self._round]:
            query.add_prompt(text, echo)
        return query

    def _judge(self, method: str, what: str, *, accepted: bool) -> int:
        server = self._server
        server.seen.append((method, what))
        self._step_done = False
        if not accepted or (method not in server.factors[0] and method != "none"):
            return AUTH_FAILED
        if len(server.factors) > 1:
            self._step_done = True
            return AUTH_PARTIALLY_SUCCESSFUL
        return AUTH_SUCCESSFUL


class ScriptedServer:
    """One connection of a server over a socketpair.

    Args:
        factors: methods that each step accepts, in order; all but the last end in partial success.
        password: what the method ``password`` accepts.
        rounds: keyboard-interactive rounds of ``(prompt, echo, right answer)``.
        accepted_keys: base64 of the public keys that may log in.
        banner: sent before the login.
        before: called with the server's transport before it starts, to bend it.

    Attributes:
        sock: the client's end.
        seen: ``(method, password or key)`` of every attempt that was judged.
    """

    def __init__(
        self,
        *,
        factors: Sequence[set[str]] = ({"password"},),
        password: str | None = None,
        rounds: Sequence[Sequence[tuple[str, bool, str]]] = (),
        accepted_keys: Sequence[str] = (),
        banner: str | None = None,
        title: tuple[str, str] = ("", ""),
        before: Callable[[paramiko.Transport], None] | None = None,
    ) -> None:
        self.factors = list(factors)
        self.password = password
        self.rounds = rounds
        self.accepted_keys = set(accepted_keys)
        self.banner = banner
        self.title = title
        self.seen: list[tuple[str, str]] = []
        self.sock, theirs = socket.socketpair()
        self.transport = paramiko.Transport(theirs)
        self.transport.add_server_key(paramiko.ECDSAKey.generate())
        self._before = before
        self._started = threading.Event()

    def __enter__(self) -> Self:
        if self._before:
            self._before(self.transport)
        self.transport.start_server(event=self._started, server=_Rules(self))
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.sock.close()
        self.transport.packetizer.close()
        self.transport.packetizer.complete_handshake()
        self.transport.join(10)
        self.transport.sock.close()

    def send(self, payload: bytes) -> None:
        """Send any message to the client."""
        self.transport._send_message(paramiko.Message(payload))  # type: ignore[attr-defined]

    def hop(self, **changes: Any) -> Hop:
        """A hop for it that accepts its host key."""
        hop = Hop(
            alias="scripted",
            host="scripted.test",
            user="tester",
            host_key=HostKeyPolicy.ACCEPT_NEW,
            connect_timeout=10,
        )
        return replace(hop, **changes)

    def methods_seen(self) -> list[str]:
        """Methods of the attempts, in order."""
        return [method for method, _ in self.seen]
