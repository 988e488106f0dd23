"""asyncssh's server in a thread: every kind of forwarding, any set of algorithms, any login.

    with AsyncsshServer(tmp_path, encryption_algs=["aes256-ctr"], password="pw") as server:
        server.port, server.user, server.client_key, server.known_hosts()

Keyword options go to ``asyncssh.listen``.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncssh

Decide = Callable[[str, int], bool]
"""Whether a forward to, or a listening point at, (host, port) is allowed."""


class _Login(asyncssh.SSHServer):
    """One connection's login and forwarding rules, those of its ``AsyncsshServer``."""

    def __init__(self, rules: AsyncsshServer) -> None:
        self._rules = rules
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._rules.connections.append(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection in self._rules.connections:
            self._rules.connections.remove(self._connection)

    def begin_auth(self, username: str) -> bool:
        return not self._rules.is_open_to_all

    def password_auth_supported(self) -> bool:
        return self._rules.password is not None

    def validate_password(self, username: str, password: str) -> bool:
        return password == self._rules.password

    def kbdint_auth_supported(self) -> bool:
        return bool(self._rules.questions)

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:
        prompts = [(text, echo) for text, echo, _ in self._rules.questions]
        return "netkit test", "answer these", "en", prompts

    def validate_kbdint_response(self, username: str, responses: Any) -> bool:
        return list(responses) == [answer for _, _, answer in self._rules.questions]

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> bool:
        return self._rules.may_connect(dest_host, dest_port)

    def server_requested(self, listen_host: str, listen_port: int) -> bool:
        return self._rules.may_listen(listen_host, listen_port)

    def unix_connection_requested(self, dest_path: str) -> bool:
        return self._rules.may_connect(dest_path, 0)

    def unix_server_requested(self, listen_path: str) -> bool:
        return self._rules.may_listen(listen_path, 0)


def _always(_host: str, _port: int) -> bool:
    return True


class AsyncsshServer:
    """A server on 127.0.0.1 that listens when the constructor returns.

    Args:
        tmp_path: for keys.
        password: accept it for any user.
        questions: ``(prompt, echo, right answer)`` for keyboard-interactive.
        may_connect, may_listen: called in the server's thread; a unix path comes with port 0.
        is_open_to_all: log anybody in without a question.
        host_key: an asyncssh algorithm name such as ``ssh-ed25519`` or ``ssh-rsa``.
        options: for ``asyncssh.listen``: ``encryption_algs``, ``mac_algs``, ``kex_algs``,
            ``compression_algs``, ``signature_algs``, ``rekey_bytes``, ``max_pktsize`` …
    """

    def __init__(
        self,
        tmp_path: Path,
        *,
        password: str | None = None,
        questions: tuple[tuple[str, bool, str], ...] = (),
        may_connect: Decide = _always,
        may_listen: Decide = _always,
        is_open_to_all: bool = False,
        host_key: str = "ssh-ed25519",
        **options: Any,
    ) -> None:
        self.user = "tester"
        self.password = password
        self.questions = questions
        self.may_connect = may_connect
        self.may_listen = may_listen
        self.is_open_to_all = is_open_to_all
        self.connections: list[asyncssh.SSHServerConnection] = []
        self._dir = tmp_path / f"asyncssh-{id(self):x}"
        self._dir.mkdir(parents=True)
        self.client_key = self._dir / "client"
        client = asyncssh.generate_private_key("ssh-ed25519")
        client.write_private_key(self.client_key)
        self.client_key.chmod(0o600)
        client.write_public_key(f"{self.client_key}.pub")
        self._host_key = asyncssh.generate_private_key(host_key)
        self._options = {
            "server_host_keys": [self._host_key],
            "authorized_client_keys": asyncssh.import_authorized_keys(
                client.export_public_key().decode("ascii")
            ),
            **options,
        }
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name="asyncssh server")
        self._thread.start()
        try:
            self._acceptor = self.call(self._listen())
        except BaseException:
            self._end_loop()
            raise
        self.port: int = self._acceptor.get_port()

    def call(self, work: Coroutine[Any, Any, Any], *, timeout: float = 10.0) -> Any:
        """Run ``work`` in the server's loop and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)

    @property
    def host_key_line(self) -> str:
        """``type base64`` of the host key."""
        return " ".join(self._host_key.export_public_key().decode("ascii").split()[:2])

    def known_hosts(self, path: Path | None = None, name: str = "127.0.0.1") -> Path:
        """Write a known_hosts file that knows this server and return its path."""
        path = path or self._dir / "known_hosts"
        path.write_text(f"[{name}]:{self.port} {self.host_key_line}\n")
        return path

    def abort_connections(self) -> None:
        """Cut every connection without a goodbye."""

        async def abort() -> None:
            for connection in list(self.connections):
                connection.abort()

        self.call(abort())

    def stop(self) -> None:
        """Close everything and join the thread; twice is fine."""
        if not self._thread.is_alive():
            return

        async def close() -> None:
            self._acceptor.close()
            for connection in list(self.connections):
                connection.abort()
            await self._acceptor.wait_closed()
            mine = asyncio.current_task()
            others = [task for task in asyncio.all_tasks() if task is not mine]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        try:
            self.call(close())
        finally:
            self._end_loop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    async def _listen(self) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1", 0, server_factory=lambda: _Login(self), **self._options
        )

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
