"""A real OpenSSH server for tests: over TCP on a free loopback port, or over a socketpair.

    with Sshd(tmp_path, Ciphers="aes128-gcm@openssh.com") as sshd:
        sshd.port, sshd.user, sshd.client_key, sshd.known_hosts()
        sshd.wait_log(r"Accepted publickey")
        sock = sshd.pipe()            # a socket to a fresh `sshd -i`, no port involved

Keyword options are sshd_config words; a tuple or list repeats the word.  ``prefix`` are words to
start it with, such as `support.netns.Namespace.prefix`, and ``host`` is its address in there.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil

from netkit.model import Endpoint
from support.peers import require
from support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

_DEFAULTS = {
    "StrictModes": "no",
    "UsePAM": "no",
    "PidFile": "none",
    "LogLevel": "DEBUG1",
    "PermitRootLogin": "yes",
    "KbdInteractiveAuthentication": "no",
    "PasswordAuthentication": "no",
    "PrintMotd": "no",
    "PrintLastLog": "no",
    # tests open many connections at once; the default starts dropping them at ten
    "MaxStartups": "1000:30:2000",
}


def make_key(path: Path, kind: str = "ed25519", *options: str, passphrase: str = "") -> Path:
    """Make a key pair with ssh-keygen; ``options`` are passed through (``-m PEM``, ``-b 2048``)."""
    argv = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", str(path)]
    subprocess.run([*argv, *options], check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return path


def public_line(key: Path) -> str:
    """Return ``type base64`` of ``key``'s public half."""
    return " ".join(Path(f"{key}.pub").read_text().split()[:2])


class Sshd:
    """An sshd with keys and configuration of its own.

    Attributes:
        host, port: where it listens, 127.0.0.1 unless asked; port 0 with ``tcp=False``.
        user: who may log in (the user who runs the tests).
        client_key: a private key that is in ``authorized_keys``.
    """

    def __init__(
        self,
        tmp_path: Path,
        *,
        tcp: bool = True,
        host_keys: Sequence[str] = ("ed25519",),
        extra: Sequence[str] = (),
        host: str = "127.0.0.1",
        prefix: Sequence[str] = (),
        **options: str | Sequence[str],
    ) -> None:
        self.binary = require("sshd")
        self.dir = tmp_path / f"sshd-{id(self):x}"
        self.dir.mkdir(parents=True)
        self.user = getpass.getuser()
        self.host = host
        self.port = 0
        self.host_key_files = [
            make_key(self.dir / f"host_{kind}", kind, *(("-b", "2048") if kind == "rsa" else ()))
            for kind in host_keys
        ]
        self.client_key = make_key(self.dir / "client")
        self.authorized_keys = self.dir / "authorized_keys"
        self.authorized_keys.write_text(public_line(self.client_key) + "\n")
        self.config = self.dir / "sshd_config"
        self._tcp = tcp
        self._options = options
        self._extra = tuple(extra)
        self._prefix = tuple(prefix)
        self._log: list[str] = []
        self._logged = threading.Condition()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._readers: list[threading.Thread] = []

    def __enter__(self) -> Self:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd's privilege separation
        self._write_config()
        if self._tcp:
            self._listen()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server and every process that serves a connection."""
        for process in self._processes:
            _kill_tree(process)
        for reader in self._readers:
            reader.join(10)
        self._processes.clear()
        self._readers.clear()

    def listen_again(self) -> None:
        """Start anew after `stop`, on the port it had."""
        with self._logged:
            self._log.clear()
        address = Endpoint(self.host, self.port)
        process = self._spawn(["-D", "-o", f"ListenAddress={address}"], None)
        if not self._started(process):
            raise AssertionError(f"sshd did not start again:\n{self.log()}")

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The listening process (TCP) or the latest ``sshd -i``."""
        return self._processes[-1]

    def pipe(self) -> socket.socket:
        """Return a socket that talks to a fresh ``sshd -i``."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._spawn(["-i"], theirs)
        return ours

    def host_key(self, index: int = 0) -> str:
        """``type base64`` of a host key."""
        return public_line(self.host_key_files[index])

    def known_hosts(self, path: Path | None = None, name: str = "") -> Path:
        """Write a known_hosts file that knows this server; ``name`` gets ``[name]:port``."""
        path = path or self.dir / "known_hosts"
        name = name or self.host
        label = f"[{name}]:{self.port}" if self.port not in (0, 22) else name
        lines = [f"{label} {public_line(key)}\n" for key in self.host_key_files]
        path.write_text("".join(lines))
        return path

    def log(self) -> str:
        """What sshd has logged so far."""
        with self._logged:
            return "".join(self._log)

    def wait_log(self, pattern: str, timeout: float = 10.0) -> re.Match[str]:
        """Wait until the log matches ``pattern``; fails with the log otherwise."""
        regex = re.compile(pattern, re.MULTILINE)
        deadline = time.monotonic() + timeout
        with self._logged:
            while not (match := regex.search("".join(self._log))):
                left = deadline - time.monotonic()
                if left <= 0 or not self._logged.wait(left):
                    text = "".join(self._log)
                    raise AssertionError(f"sshd never logged {pattern!r}; its log:\n{text}")
        return match

    def _write_config(self) -> None:
        words = {**_DEFAULTS, "AuthorizedKeysFile": str(self.authorized_keys), **self._options}
        lines = [f"HostKey {key}" for key in self.host_key_files]
        for word, value in words.items():
            values = (value,) if isinstance(value, str) else value
            lines += [f"{word} {each}" for each in values]
        self.config.write_text("\n".join([*lines, *self._extra]) + "\n")

    def _listen(self) -> None:
        for _ in range(20):
            # sshd cannot choose a free port itself, and another process may take this one first
            self.port = free_port()
            address = Endpoint(self.host, self.port)
            process = self._spawn(["-D", "-o", f"ListenAddress={address}"], None)
            if self._started(process):
                return
            if "in use" not in self.log():
                raise AssertionError(f"sshd did not start:\n{self.log()}")
        raise AssertionError("no free port found for sshd")

    def _started(self, process: subprocess.Popen[bytes]) -> bool:
        listening = f"port {self.port}."
        with self._logged:
            # the reader notifies once more when the process has ended
            self._logged.wait_for(
                lambda: listening in "".join(self._log) or process.poll() is not None, 20
            )
            return listening in "".join(self._log)

    def _spawn(self, mode: list[str], sock: socket.socket | None) -> subprocess.Popen[bytes]:
        stdio = sock.fileno() if sock else subprocess.DEVNULL
        process = subprocess.Popen(
            [*self._prefix, str(self.binary), "-e", "-f", str(self.config), *mode],
            stdin=stdio,
            stdout=stdio,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._processes.append(process)
        reader = threading.Thread(target=self._read_log, args=(process,), daemon=True)
        self._readers.append(reader)
        reader.start()
        return process

    def _read_log(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        with process.stderr as stream:
            for line in stream:
                with self._logged:
                    self._log.append(line.decode(errors="replace").replace("\r\n", "\n"))
                    self._logged.notify_all()
        process.wait()
        with self._logged:
            self._logged.notify_all()


def _kill_tree(process: subprocess.Popen[bytes]) -> None:
    try:
        # sshd gives each connection a session of its own, so its process group is not enough
        top = psutil.Process(process.pid)
        tree = [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        tree = []
    for each in tree:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()
