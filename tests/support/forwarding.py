"""`netkit forward` as users run it: a process of its own, against a gateway of the tests.

with netkit_forward(gateway, "-D", "127.0.0.1:0", home=tmp_path) as cli:
    cli.addresses[0]              # "127.0.0.1:40001"
    code = cli.stop()
    cli.stderr                    # everything it said
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from netkit.model import Endpoint
from support import cli
from support.tunnels import TestGateway
from support.waiting import wait_until


class Forwarding:
    """A running `netkit forward`.

    Attributes:
        lines: what it printed so far; one line per forward.
        stderr: what it said so far.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._said: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(process.stdout, self.lines)),
            threading.Thread(target=self._read, args=(process.stderr, self._said)),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream, lines: list[str]) -> None:
        lines.extend(line.rstrip("\n") for line in stream)

    @property
    def stderr(self) -> str:
        return "\n".join(self._said)

    def wait_for_lines(self, count: int, timeout: float = 20.0) -> None:
        """Wait until it has printed ``count`` lines, or fail with what it said instead."""
        wait_until(
            lambda: len(self.lines) >= count or self.process.poll() is not None, timeout=timeout
        )
        assert len(self.lines) >= count, f"exit {self.process.poll()}:\n{self.stderr}"

    @property
    def addresses(self) -> list[str]:
        """Where the forwards listen, as printed."""
        return [line.split()[0] for line in self.lines]

    @property
    def port(self) -> int:
        """The port of the first forward."""
        return int(self.addresses[0].rpartition(":")[2])

    def wait(self, timeout: float = 20.0) -> int:
        """Wait until it ends by itself and return the exit code."""
        code = self.process.wait(timeout)
        for reader in self._readers:
            reader.join(10)
        return code

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, wait, and return the exit code."""
        self.process.send_signal(number)
        return self.wait()


def gateway_options(gateway: TestGateway, home: Path, *, port: int | None = None) -> list[str]:
    """Return the arguments that lead to ``gateway`` and nothing of this machine's user."""
    config = home / "ssh_config"
    known = gateway.known_hosts
    if port is not None:
        known = gateway.behind(port).known_hosts[0]
    config.write_text(
        f"Host *\n  UserKnownHostsFile {known}\n  GlobalKnownHostsFile none\n"
        f"  IdentitiesOnly yes\n  IdentityFile {gateway.client_key}\n  IdentityAgent none\n"
    )
    where = f"{gateway.user}@127.0.0.1:{port or gateway.port}"
    return [where, "-F", str(config)]


@contextlib.contextmanager
def netkit_forward(
    gateway: TestGateway,
    *arguments: str,
    home: Path,
    port: int | None = None,
    forwards: int | None = 1,
) -> Iterator[Forwarding]:
    """Run ``netkit forward`` to ``gateway`` and wait until it has told of its ``forwards``.

    With ``forwards`` None nothing is waited for: it is meant to fail.
    """
    argv = ["-m", "netkit", "forward", *gateway_options(gateway, home, port=port), *arguments]
    with run_netkit(argv, home=home) as running:
        if forwards is not None:
            running.wait_for_lines(forwards)
        yield running


@contextlib.contextmanager
def run_netkit(argv: list[str], *, home: Path) -> Iterator[Forwarding]:
    """Run Python with ``argv`` and collect what it says."""
    with cli.process(argv, home=home) as process:
        running = Forwarding(process)
        try:
            yield running
        finally:
            if process.poll() is None:
                process.kill()
            running.wait()


def endpoint(text: str) -> Endpoint:
    """Return the address that a line of output begins with."""
    host, _, port = text.rpartition(":")
    return Endpoint(host.strip("[]"), int(port))
