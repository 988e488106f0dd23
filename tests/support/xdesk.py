"""A desk with a display, a gateway that forwards X11, and the X programs that run there.

The desk runs netkit as its user does; programs "of the gateway" are those of this machine with the
cookies that the gateway's sshd or user has.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support import cli, tunnels
from support.forwarding import Forwarding, gateway_options
from support.peers import require
from support.tunnels import TestGateway
from support.xvfb import Xvfb


@contextlib.contextmanager
def forwarding_sshd(directory: Path, **words: str) -> Iterator[TestGateway]:
    """An sshd that forwards X11, whose xauth keeps to a file of its own."""
    known = {
        "X11Forwarding": "yes",
        "X11DisplayOffset": str(random.randrange(300, 800)),
        "SetEnv": f"XAUTHORITY={directory / 'there'}",
        "LogLevel": "INFO",  # more of it would be in what programs say
        **words,
    }
    directory.mkdir(exist_ok=True)
    (directory / "there").touch(0o600)  # xauth tells of a file that it makes
    with tunnels.start("sshd", directory, **known) as running:
        yield running


@dataclass(frozen=True)
class Desk:
    """The user's machine: home, DISPLAY and the way to the gateway."""

    home: Path
    display: str
    gateway: TestGateway

    @property
    def environment(self) -> dict[str, str]:
        """What its programs are given."""
        authority = str(self.home / ".Xauthority")
        return cli.environment(self.home, DISPLAY=self.display, XAUTHORITY=authority)

    def argv(self, command: str, *words: str) -> list[str]:
        """Return the words for Python."""
        return ["-m", "netkit", command, *gateway_options(self.gateway, self.home), *words]

    def run(self, command: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``netkit COMMAND GATEWAY …`` to its end."""
        return self.netkit(*self.argv(command, *words)[2:])

    def netkit(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``netkit WORDS`` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "netkit", *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @contextlib.contextmanager
    def start(self, command: str, *words: str, lines: int) -> Iterator[Forwarding]:
        """Run it, and wait until it has printed ``lines``."""
        with cli.process(
            self.argv(command, *words), home=self.home, env=self.environment
        ) as process:
            running = Forwarding(process)
            try:
                running.wait_for_lines(lines)
                yield running
            finally:
                if process.poll() is None:
                    process.kill()
                running.wait()


def there(gateway: TestGateway) -> Path:
    """Return the cookie file of the gateway's user."""
    return Path(gateway.server.dir).parent / "there"


def xdpyinfo(display: str, authority: Path | str) -> subprocess.CompletedProcess[str]:
    """Ask as an X program on the gateway would."""
    return subprocess.run(
        [str(require("xdpyinfo"))],
        env={**os.environ, "DISPLAY": display, "XAUTHORITY": str(authority)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def windows(server: Xvfb, authority: Path) -> str:
    """Return the windows of a server, as xwininfo draws their tree."""
    done = subprocess.run(
        ["xwininfo", "-root", "-tree", "-display", server.display],
        env={**os.environ, "XAUTHORITY": str(authority)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout


def free_number() -> int:
    """Return a display that nothing of this machine has."""
    for number in random.sample(range(900, 5000), 50):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", 6000 + number)) != 0:
                return number
    raise AssertionError("no display is free")
