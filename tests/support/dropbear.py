"""A real dropbear server on 127.0.0.1.

Dropbear reads ``~/.ssh/authorized_keys`` of the account, so it runs in a mount namespace in which
``/etc/passwd`` gives the account a home of our own; nothing outside is touched.
"""

from __future__ import annotations

import contextlib
import functools
import getpass
import os
import socket
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from support.peers import require, unavailable
from support.ports import free_port
from support.waiting import wait_until

# Shell words: the arguments are paths of ours and arrive as "$1", "$2".
_IN_NAMESPACE = 'mount --bind "$1" /etc/passwd && shift && exec "$@"'


class Dropbear:
    """A dropbear that lets ``client_key`` in, and listens when the constructor returns.

    Args:
        tmp_path: for keys and configuration.
        options: further arguments for dropbear(8): ``-j`` (no local forwarding), ``-k`` (no
            remote forwarding), ``-a`` (GatewayPorts), ``-W`` (receive window), ``-K`` …
        host_key: ``ed25519``, ``ecdsa`` or ``rsa``.
    """

    def __init__(self, tmp_path: Path, *options: str, host_key: str = "ed25519") -> None:
        binary = require("dropbear", "dropbearkey", "ssh-keygen", "unshare")
        if not can_mount():
            unavailable("mount namespaces", "run as root, with CAP_SYS_ADMIN")
        self.user = getpass.getuser()
        self._dir = tmp_path / "dropbear"
        home = self._dir / "home"
        (home / ".ssh").mkdir(parents=True, mode=0o700)
        self.client_key = self._dir / "client"
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.client_key)], check=True
        )
        public = Path(f"{self.client_key}.pub").read_text()
        (home / ".ssh/authorized_keys").write_text(public)
        passwd = self._dir / "passwd"
        passwd.write_text(f"{self.user}:x:{os.getuid()}:{os.getgid()}::{home}:/bin/sh\n")
        key_file = self._dir / "host_key"
        made = subprocess.run(
            [str(require("dropbearkey")), "-t", host_key, "-f", str(key_file)],
            check=True,
            capture_output=True,
            text=True,
        )
        lines = made.stdout.splitlines()
        self._public = " ".join(next(k for k in lines if "AAAA" in k).split()[:2])
        self._log: list[str] = []
        self.port = free_port()
        server = [str(binary), "-F", "-E", "-r", str(key_file), "-p", f"127.0.0.1:{self.port}"]
        self._process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", _IN_NAMESPACE, "sh", str(passwd), *server, *options],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read_log, name="dropbear log")
        self._reader.start()
        try:
            wait_until(self._listens_or_ended, what="dropbear listening")
            if self._process.poll() is not None:
                raise RuntimeError(f"dropbear ended:\n{self.log}")
        except BaseException:
            self.stop()
            raise

    @property
    def log(self) -> str:
        """What dropbear has said on stderr so far."""
        return "".join(self._log)

    @property
    def pid(self) -> int:
        """The listening process."""
        return self._process.pid

    def known_hosts(self, path: Path | None = None, name: str = "127.0.0.1") -> Path:
        """Write a known_hosts file that knows this server and return its path."""
        path = path or self._dir / "known_hosts"
        path.write_text(f"[{name}]:{self.port} {self._public}\n")
        return path

    def stop(self) -> None:
        """End the server and the processes of its connections; twice is fine."""
        try:
            serving = psutil.Process(self._process.pid).children(recursive=True)
        except psutil.Error:
            serving = []
        self._process.kill()
        for process in serving:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self._process.wait(10)
        self._reader.join(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _read_log(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            self._log.extend(stream)

    def _listens_or_ended(self) -> bool:
        if self._process.poll() is not None:
            return True
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@functools.cache
def can_mount() -> bool:
    """Return whether this process may make a mount namespace."""
    done = subprocess.run(
        ["unshare", "--mount", "true"], check=False, capture_output=True, stdin=subprocess.DEVNULL
    )
    return done.returncode == 0
