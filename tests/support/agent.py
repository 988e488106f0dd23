"""A real ssh-agent on a socket of its own.

with Agent() as agent:
    agent.add(key_file)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent.socket))
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from support.peers import require
from support.waiting import wait_until


class Agent:
    """An agent without keys; its socket's path is short enough for every system."""

    def __init__(self) -> None:
        binary = require("ssh-agent")
        self._add = require("ssh-add")
        self._directory = tempfile.TemporaryDirectory(prefix="nk-agent-")
        self.socket = Path(self._directory.name) / "agent"
        self._process = subprocess.Popen(
            [binary, "-D", "-a", str(self.socket)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(self._answers, what="ssh-agent listening")
        except BaseException:
            self.stop()
            raise

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment with this agent in it."""
        return {**os.environ, "SSH_AUTH_SOCK": str(self.socket)}

    def add(self, key: Path, *options: str) -> None:
        """Hand ``key`` (a private key file without passphrase) to the agent."""
        self._ssh_add(*options, str(key))

    def remove_all(self) -> None:
        """Make the agent forget every key."""
        self._ssh_add("-D")

    def keys(self) -> list[str]:
        """Return the public keys that it holds, one ``type base64 comment`` each."""
        done = subprocess.run(
            [self._add, "-L"], env=self.environment, capture_output=True, text=True, check=False
        )
        return done.stdout.splitlines() if done.returncode == 0 else []

    def stop(self) -> None:
        """End the agent and remove its socket; twice is fine."""
        self._process.terminate()
        self._process.wait(10)
        self._directory.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def _ssh_add(self, *arguments: str) -> None:
        subprocess.run(
            [self._add, "-q", *arguments],
            env=self.environment,
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )
