"""The real plink, with a PuTTY folder of its own, and sessions as the real PuTTY saved them.

folder = Putty(tmp_path)
folder.save("office", HostName="127.0.0.1", PortNumber=sshd.port)
folder.learn("office")                      # plink asks, and is told yes
with folder.plink("office", ("127.0.0.2", port)):
    ...                                     # it listens there
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from netkit.text.putty.names import file_name
from netkit.text.putty.session import Value
from netkit.text.putty.session_file import format_session, parse_session
from support.peers import require
from support.waiting import wait_until

RECORDED = Path(__file__).resolve().parents[1] / "recorded" / "putty"
SAVED = RECORDED / "sessions" / "My%20Office%20%28100%25%29"
"""A session that PuTTY 0.78 saved, with every setting that it has."""

Place = tuple[str, int]


class Putty:
    """A folder like ``~/.putty``; nothing of this machine's user is read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sessions = folder / "sessions"
        self.host_keys = folder / "sshhostkeys"
        self.sessions.mkdir(parents=True, exist_ok=True)

    def save(self, name: str, **changes: Value) -> Path:
        """Save a session: what PuTTY saved for another one, with changes."""
        session = parse_session(SAVED.read_bytes(), name, "recorded").changed(changes)
        path = self.sessions / file_name(name)
        path.write_bytes(format_session(session))
        return path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PUTTYDIR": str(self.folder),
        }

    def run(
        self, *arguments: str, answer: str = "", timeout: float = 20.0
    ) -> subprocess.CompletedProcess[str]:
        """Run plink to its end."""
        return subprocess.run(
            [str(require("plink")), *arguments],
            env=self.environment,
            input=answer,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def learn(self, *arguments: str) -> str:
        """Let plink ask about the host key and answer yes; return what it said."""
        done = self.run("-load", *arguments, "true", answer="y\n")
        assert "Store key in cache?" in done.stderr, done.stderr
        return done.stderr

    @contextlib.contextmanager
    def plink(self, name: str, *listening: Place) -> Iterator[subprocess.Popen[str]]:
        """Run ``plink -batch -load NAME -N`` until it listens at every one of ``listening``."""
        process = subprocess.Popen(
            [str(require("plink")), "-batch", "-v", "-load", name, "-N"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            wait_until(
                lambda: process.poll() is not None or all(map(_listens, listening)), timeout=20
            )
            assert process.stderr is not None
            if process.poll() is not None:
                raise AssertionError(f"plink ended:\n{process.stderr.read()}")
            yield process
        finally:
            process.kill()
            process.communicate()


def _listens(place: Place) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(place) == 0
