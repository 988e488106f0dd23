"""netkit's commands as processes of one user, with a gateway of the tests in their ssh_config."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from support.cli import ROOT, Outcome, environment
from support.processes import is_gone
from support.tunnels import TestGateway
from support.waiting import wait_until


class User:
    """One with a home at ``home``, whose ssh_config knows the gateway as ``gw``."""

    def __init__(self, home: Path, gateway: TestGateway) -> None:
        self.home = home
        self.config = home / "ssh_config"
        self.config.write_text(
            f"Host gw\n  HostName 127.0.0.1\n  Port {gateway.port}\n  User {gateway.user}\n"
            f"  UserKnownHostsFile {gateway.known_hosts}\n  GlobalKnownHostsFile none\n"
            f"  IdentitiesOnly yes\n  IdentityFile {gateway.client_key}\n  IdentityAgent none\n"
        )

    @property
    def variables(self) -> dict[str, str]:
        return environment(self.home)

    def run(self, *words: str, timeout: float = 60.0) -> Outcome:
        """Run ``netkit WORDS`` to its end; what it leaves behind has its output no more."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "netkit", *words],
            env=self.variables,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def status(self, *names: str) -> list[dict[str, Any]]:
        """Return the documents of ``netkit status --json``."""
        said = map(json.loads, self.run("status", "--json", *names).out.splitlines())
        return [each for each in said if "name" in each]  # a failure has none

    def pid(self, name: str) -> int:
        """Return the process of a running tunnel."""
        return int(self.status(name)[0]["pid"])

    @contextlib.contextmanager
    def cleaned(self) -> Iterator[User]:
        """End at the end whatever still runs in the background."""
        try:
            yield self
        finally:
            for each in self.status():
                with contextlib.suppress(psutil.NoSuchProcess):
                    psutil.Process(each["pid"]).send_signal(signal.SIGKILL)


def gone(pid: int, timeout: float = 20.0) -> None:
    """Wait until a process that is no child of ours has ended."""
    wait_until(lambda: is_gone(pid), timeout=timeout, what=f"the end of process {pid}")
