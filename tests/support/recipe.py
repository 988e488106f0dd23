"""The world of docs/recipe.md: ``me`` at a desk, a gateway, and what is behind it.

It is made of namespaces: ``gateway`` and ``mail.internal`` are names there, port 110 is free, the
account ``me`` has a home of its own, and commands of the document run as they are written.  Needs
root.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support import cli, rdp
from support.dropbear import can_mount
from support.forwarding import Forwarding
from support.peers import require, unavailable
from support.services import Dovecot, Telnetd, Vsftpd, Website
from support.sshd import Sshd, make_key, public_line
from support.waiting import wait_until
from support.xvfb import Xvfb

HOSTS = {
    "gateway": "10.0.0.1",
    "telnet.internal": "10.0.0.2",
    "desktop.internal": "10.0.0.3",
    "mail.internal": "10.0.0.4",
    "ftp.internal": "10.0.0.5",
    "intranet": "10.0.0.6",
    "db.internal": "10.0.0.7",
}
MAIL = b"From: carroll@example.org\r\nSubject: tea\r\n\r\nAt six o'clock.\r\n"
FILE = bytes(range(256)) * 1000

# The account comes first: it is who "I" am, since it has my number.
_ENTER = """
x=/tmp/.X11-unix
mkdir -p $x && mount -t tmpfs netkit-x $x && chmod 1777 $x || exit 1
mount --bind "$1/hosts" /etc/hosts && mount --bind "$1/passwd" /etc/passwd || exit 1
ip link set lo up || exit 1
shift
for address; do ip address add "$address/32" dev lo || exit 1; done
echo ready
exec cat
"""


@dataclass(frozen=True)
class World:
    """Where commands run: words that enter it, the home there, and its environment."""

    prefix: tuple[str, ...]
    home: Path
    environment: dict[str, str]

    def words(self, command: str) -> list[str]:
        """Return what runs a command line in the home; entering the namespaces leads to ``/``."""
        return [*self.prefix, "sh", "-c", f'cd "$HOME" && {command}']

    def run(self, command: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command line of a shell to its end, at the desk."""
        return subprocess.run(
            self.words(command),
            env={**self.environment, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            start_new_session=True,  # no terminal to ask on
        )

    @contextlib.contextmanager
    def start(self, command: str, *, lines: int) -> Iterator[Forwarding]:
        """Run a command that stays, until it has printed ``lines``; it is ended afterwards."""
        process = subprocess.Popen(
            self.words(f"exec {command}"),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        with process:
            running = Forwarding(process)
            try:
                running.wait_for_lines(lines)
                yield running
            finally:
                if process.poll() is None:
                    process.kill()
                running.wait()


@contextlib.contextmanager
def world() -> Iterator[World]:
    """Make it, with every server of the recipe."""
    if os.geteuid() != 0 or not can_mount():
        unavailable("namespaces", "run as root, with the right to mount")
    require("ip", "unshare", "xauth", "xdpyinfo", "xfreerdp", "telnet", "curl")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nk-")))
        folder.chmod(0o755)
        home = folder / "home"
        home.mkdir(mode=0o700)
        _accounts(folder, home)
        prefix = stack.enter_context(_namespaces(folder))
        display = stack.enter_context(_Screen(folder, prefix))
        display.give(home / ".Xauthority")
        _login(stack.enter_context(_gateway(folder, home, prefix)), home)
        stack.enter_context(Dovecot([MAIL], host=HOSTS["mail.internal"], port=110, prefix=prefix))
        stack.enter_context(Telnetd(host=HOSTS["telnet.internal"], port=23, prefix=prefix))
        stack.enter_context(Website(host=HOSTS["intranet"], port=80, prefix=prefix))
        ftp = stack.enter_context(Vsftpd(host=HOSTS["ftp.internal"], port=21, prefix=prefix))
        (ftp.root / "incoming" / "data").write_bytes(FILE)
        stack.enter_context(_desktop(folder, prefix, display.display, home / ".Xauthority"))
        programs = rdp.client_on_path(home, "+auth-only")
        rdp.program(home, "netkit", f'exec {sys.executable} -m netkit "$@"\n')
        yield World(
            prefix,
            home,
            cli.environment(
                home,
                PATH=f"{programs}{os.pathsep}{os.environ['PATH']}",
                DISPLAY=display.display,
                XAUTHORITY=str(home / ".Xauthority"),
                TERM="vt100",
            ),
        )


def _accounts(folder: Path, home: Path) -> None:
    known = Path("/etc/passwd").read_text()
    (folder / "passwd").write_text(f"me:x:0:0:me:{home}:/bin/sh\n{known}")
    names = "".join(f"{address} {name}\n" for name, address in HOSTS.items())
    (folder / "hosts").write_text(f"127.0.0.1 localhost\n::1 localhost\n{names}")


@contextlib.contextmanager
def _namespaces(folder: Path) -> Iterator[tuple[str, ...]]:
    """Keep namespaces alive by a process that waits; yield the words that enter them."""
    argv = ["unshare", "--mount", "--net", "sh", "-c", _ENTER, "sh", str(folder), *HOSTS.values()]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as keeper:
        assert keeper.stdout is not None
        assert keeper.stderr is not None
        said = keeper.stdout.readline()
        assert said == b"ready\n", keeper.stderr.read()
        yield ("nsenter", "--target", str(keeper.pid), "--mount", "--net", "--")
        keeper.kill()


class _Screen(Xvfb):
    """An X server in the namespaces, where display numbers and their sockets are its own.

    FreeRDP does not share a screen of 8 bit; of two screens given Xvfb takes the later.
    """

    def __init__(self, folder: Path, prefix: tuple[str, ...]) -> None:
        super().__init__(folder, "-noreset")
        real, self.binary = self.binary, folder / "xvfb"
        command = shlex.join([*prefix, str(real)])
        self.binary.write_text(f'#!/bin/sh\nexec {command} "$@" -screen 0 640x480x24\n')
        self.binary.chmod(0o755)

    @property
    def socket_path(self) -> Path:
        return Path("/nonexistent", self.display)

    @property
    def lock_path(self) -> Path:
        return self.socket_path


@contextlib.contextmanager
def _gateway(folder: Path, home: Path, prefix: tuple[str, ...]) -> Iterator[Sshd]:
    words: dict[str, Any] = {
        "AuthorizedKeysFile": ".ssh/authorized_keys",
        "GatewayPorts": "clientspecified",
        "X11Forwarding": "yes",
        "SetEnv": f"XAUTHORITY={home / 'there'}",
        "LogLevel": "INFO",
    }
    (home / "there").touch(0o600)
    with Sshd(folder, host=HOSTS["gateway"], prefix=prefix, **words) as gateway:
        yield gateway


def _login(gateway: Sshd, home: Path) -> None:
    """Give ``me`` what a person has who has logged in before: a key, known_hosts, a name."""
    ssh = home / ".ssh"
    ssh.mkdir(mode=0o700)
    key = make_key(ssh / "id_ed25519")
    (ssh / "authorized_keys").write_text(public_line(key) + "\n")
    (ssh / "authorized_keys").chmod(0o600)
    gateway.known_hosts(ssh / "known_hosts", "gateway")
    (ssh / "config").write_text(f"Host gateway\n  Port {gateway.port}\n")


@contextlib.contextmanager
def _desktop(
    folder: Path, prefix: tuple[str, ...], display: str, authority: Path
) -> Iterator[None]:
    """Share a desktop by RDP, with network level authentication."""
    server = require("freerdp-shadow-cli", "winpr-hash")
    made = subprocess.run(
        [require("winpr-hash"), "-u", rdp.USER, "-p", rdp.PASSWORD, "-f", "sam"],
        check=True,
        capture_output=True,
        text=True,
    )
    sam = folder / "sam"
    sam.write_text(made.stdout.splitlines()[0] + "\n")
    address = HOSTS["desktop.internal"]
    argv = [
        *(*prefix, str(server), "/port:3389", f"/bind-address:{address}", f"/sam-file:{sam}"),
        *("+auth", "/sec:nla"),
    ]
    log = folder / "shadow.log"
    places = {"DISPLAY": display, "XAUTHORITY": str(authority), "HOME": str(folder)}
    with rdp.running(argv, log, **places) as process:
        probe = f"import socket; socket.create_connection(({address!r}, 3389), 1).close()"

        def listens() -> bool:
            assert process.poll() is None, log.read_text()
            asked = [*prefix, sys.executable, "-c", probe]
            return subprocess.run(asked, capture_output=True, check=False).returncode == 0

        wait_until(listens, timeout=30, what="the RDP server")
        yield
