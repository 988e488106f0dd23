"""netkit's own gateway and real clients of it, for tests.

with gateway(tmp_path) as g, OpenSsh(g, "-L", f"{sock}:127.0.0.1:{port}") as ssh:
    ssh.wait_for_file(sock)
"""

from __future__ import annotations

import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from netkit.engine.gateway import GatewayServer
from netkit.events import Event, Notice
from support.peers import require
from support.sshd import make_key, public_line
from support.waiting import wait_until


class TestGateway(GatewayServer):
    """A `GatewayServer` with a key that may log in and a record of its events."""

    __test__ = False

    def __init__(self, directory: Path, **options: Any) -> None:
        self.dir = directory
        self.client_key = make_key(directory / "client")
        self.events: list[Event] = []
        options.setdefault("authorized_keys", [public_line(self.client_key)])
        super().__init__(observer=self.events.append, **options)

    def known_hosts(self) -> Path:
        """Write and return a known_hosts file that knows this gateway."""
        path = self.dir / "known_hosts"
        path.write_text(self.host_key_line + "\n")
        return path

    def notices(self, code: str) -> list[str]:
        """The texts of the notices of that code so far."""
        return [e.text for e in list(self.events) if isinstance(e, Notice) and e.code == code]

    def wait_for_notice(self, code: str, count: int = 1, timeout: float = 10.0) -> str:
        """Return the text of the ``count``-th notice of that code, once it is there."""
        wait_until(
            lambda: len(self.notices(code)) >= count,
            timeout=timeout,
            what=f"{count} x {code} in {self.events}",
        )
        return self.notices(code)[count - 1]

    def wait_for_connections(self, count: int, timeout: float = 10.0) -> None:
        """Wait until there are exactly ``count`` connections."""
        wait_until(lambda: self.connections == count, timeout=timeout, what=f"{count} connections")


@contextmanager
def gateway(directory: Path, **options: Any) -> Iterator[TestGateway]:
    """Run a gateway with its files in ``directory``."""
    server = TestGateway(directory, **options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def connect_unix(path: Path, timeout: float = 20.0) -> socket.socket:
    """Connect to a unix socket as soon as somebody listens on it."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(timeout)

    def listens() -> bool:
        # The file is there before its owner listens.
        return sock.connect_ex(str(path)) == 0

    try:
        wait_until(listens, what=f"a listener on {path}")
    except AssertionError:
        sock.close()
        raise
    return sock


class OpenSsh:
    """A real ``ssh -N`` that is logged in to ``server``.

    Attributes:
        process: the running client.
    """

    def __init__(self, server: TestGateway, *options: str, login: bool = True) -> None:
        argv = [
            *(str(require("ssh")), "-F", "none", "-N", "-p", str(server.address.port)),
            *("-o", f"UserKnownHostsFile={server.known_hosts()}"),
            *("-o", "GlobalKnownHostsFile=none", "-o", "StrictHostKeyChecking=yes"),
            *("-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "IdentityAgent=none"),
            *("-i", str(server.client_key), *options, f"anyone@{server.address.host}"),
        ]
        self._server = server
        self._waits = login
        self._lines: list[str] = []
        self._logins = len(server.notices("gateway-login"))
        self.process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            self._lines.extend(line.decode(errors="replace") for line in stream)

    @property
    def log(self) -> str:
        """What ssh has printed so far; complete once it has ended."""
        return "".join(self._lines)

    def wait_log(self, pattern: str, timeout: float = 10.0) -> re.Match[str]:
        """Wait until ssh has printed ``pattern``."""
        regex = re.compile(pattern, re.MULTILINE)
        wait_until(lambda: regex.search(self.log), timeout=timeout, what=f"{pattern} in {self.log}")
        found = regex.search(self.log)
        assert found is not None
        return found

    def wait_ended(self, timeout: float = 10.0) -> int:
        """Wait until ssh has ended by itself; return its exit status."""
        status = self.process.wait(timeout)
        self._reader.join()
        return status

    def __enter__(self) -> Self:
        try:
            if self._waits:
                self._server.wait_for_notice("gateway-login", self._logins + 1)
        except AssertionError as error:
            self.stop()
            raise AssertionError(f"{error}\nssh said:\n{self.log}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the client, also a stopped one."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
