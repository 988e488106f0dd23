"""A throw-away sshd on 127.0.0.1, with keys and configuration of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from processes import Child, Processes, ProcessFailedError, ended_within, free_port


@dataclass(frozen=True, slots=True)
class Crypto:
    """Which algorithms a link uses; empty means each side's defaults.

    Given to the clients that can be told, and to the gateway, so that a client that cannot be
    told has no other choice.
    """

    ciphers: str = ""
    macs: str = ""
    compressed: bool = False


DEFAULT = Crypto()
GCM = Crypto("aes128-gcm@openssh.com")
CTR = Crypto("aes128-ctr", "hmac-sha2-256-etm@openssh.com")
ZLIB = Crypto("aes128-gcm@openssh.com", compressed=True)


@dataclass(frozen=True, slots=True)
class Login:
    """Everything a client needs to reach and enter a gateway.

    ``directory`` is the client's to write in.  ``known_hosts`` names the gateway by address and
    port; ``fingerprint`` is the SHA-256 of its key, for clients that pin keys in argv.
    """

    port: int
    user: str
    identity: Path
    host_key: str
    fingerprint: str
    directory: Path

    @property
    def known_hosts(self) -> Path:
        """A known_hosts file for this very port, written on first use."""
        path = self.directory / f"known_hosts-{self.port}"
        if not path.exists():
            path.write_text(f"[127.0.0.1]:{self.port} {self.host_key}\n")
        return path

    def through(self, port: int) -> Login:
        """The same gateway behind a proxy on another port."""
        return replace(self, port=port)


def find_sshd() -> str | None:
    """The sshd program; sbin is often not on the PATH of a user."""
    return shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def new_key(path: Path) -> str:
    """Make an ed25519 key without passphrase; its public line without the comment."""
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", str(path)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


def fingerprint(path: Path) -> str:
    """``SHA256:…`` of a public key file."""
    argv = ["ssh-keygen", "-l", "-E", "sha256", "-f", str(path)]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()[1]


class Gateways:
    """Starts gateways on demand, one for each set of options, and remembers them."""

    def __init__(self, processes: Processes, directory: Path) -> None:
        self._processes = processes
        self._directory = directory
        self._running: dict[tuple[Crypto, tuple[str, ...]], tuple[Child, Login]] = {}
        self._host_key = new_key(directory / "host_key")
        self._identity = directory / "identity"
        (directory / "authorized_keys").write_text(new_key(self._identity) + "\n")

    def get(self, crypto: Crypto = DEFAULT, options: Sequence[str] = ()) -> Login:
        """A running gateway that speaks only ``crypto``.

        ``options`` are further lines of sshd_config, such as ``RekeyLimit 1M``.
        """
        wanted = (crypto, tuple(options))
        child, login = self._running.get(wanted, (None, None))
        if child is None or login is None or child.poll() is not None:
            child, login = self._start(crypto, options)
            self._running[wanted] = (child, login)
        return login

    def _start(self, crypto: Crypto, options: Sequence[str]) -> tuple[Child, Login]:
        program = find_sshd()
        if program is None:
            raise ProcessFailedError("no sshd here: install openssh-server")
        if os.geteuid() == 0:
            # sshd started by root insists on its privilege separation directory.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        port = free_port()
        config = self._directory / f"sshd_config-{port}"
        # sshd takes the first value of a keyword, so the options go before ours.
        lines = [*options, *algorithms(crypto), *self._lines(port)]
        config.write_text("\n".join(lines) + "\n")
        child = self._processes.start([program, "-D", "-e", "-f", str(config)])
        self._wait_for_banner(child, port)
        login = Login(
            port=port,
            user=getpass.getuser(),
            identity=self._identity,
            host_key=self._host_key,
            fingerprint=fingerprint(self._directory / "host_key.pub"),
            directory=self._directory,
        )
        return child, login

    def _lines(self, port: int) -> list[str]:
        return [
            f"Port {port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self._directory / 'host_key'}",
            f"AuthorizedKeysFile {self._directory / 'authorized_keys'}",
            f"PidFile {self._directory / f'sshd-{port}.pid'}",
            "PermitRootLogin yes",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "UsePAM no",
            "StrictModes no",
            "UseDNS no",
            "PrintMotd no",
            "PrintLastLog no",
            "AllowTcpForwarding yes",
            "MaxStartups 100",
            "LogLevel ERROR",
        ]

    def _wait_for_banner(self, child: Child, port: int) -> None:
        for _ in range(250):
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
                    if probe.recv(4) == b"SSH-":
                        return
            except OSError:
                pass
            if ended_within(child, 0.02):
                break
        raise ProcessFailedError(f"sshd did not start: {self._processes.said(child)}")


def algorithms(crypto: Crypto) -> list[str]:
    """``crypto`` as lines that ssh_config and sshd_config have in common."""
    lines = [f"Ciphers {crypto.ciphers}"] if crypto.ciphers else []
    lines += [f"MACs {crypto.macs}"] if crypto.macs else []
    return [*lines, f"Compression {'yes' if crypto.compressed else 'no'}"]
