"""An account with a home of its own behind a real sshd, in a mount namespace.

    with home() as there:
        there.sshd.port, there.user, there.password
        there.path / ".ssh" / "authorized_keys"     # as we reach it

sshd reads the authorized_keys of the home as on any machine (StrictModes, both file names); its
configuration is what /etc/ssh/sshd_config is there, so ``sshd -T`` and readers of that file see it.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.cli import Outcome, environment
from support.dropbear import can_mount
from support.peers import unavailable
from support.sshd import Sshd

UID = 65534
USER = "nobody"
PASSWORD = "secret"
_HASH = (
    "$6$netkit0tests$"
    "YLc.3V07hdcCfFZj29c1uC27HVKTHs80rysnQrBsYMsgx7p60iNyU/0dTfSOOLG11jfeFWvCfBBwQ2sojVUG2."
)
_MOUNT = """
mount --bind "$1" /etc/passwd && mount --bind "$2" /etc/shadow &&
mount --bind "$3" /etc/ssh/sshd_config &&
{ [ -z "$4" ] || mount -t tmpfs -o "size=$4,uid=65534,mode=755" netkit-home "$5"; } &&
shift 5 && exec "$@"
"""


@dataclass(frozen=True)
class Home:
    """A running sshd and the home of the account that may log in; ``path`` as we reach it."""

    sshd: Sshd
    path: Path

    @property
    def authorized_keys(self) -> Path:
        return self.path / ".ssh" / "authorized_keys"

    def write(self, text: str, mode: int = 0o600, uid: int = UID) -> Path:
        """Give the account an authorized_keys."""
        folder = self.authorized_keys.parent
        folder.mkdir(mode=0o700, exist_ok=True)
        os.chown(folder, UID, UID)
        self.authorized_keys.write_text(text)
        self.authorized_keys.chmod(mode)
        os.chown(self.authorized_keys, uid, uid)
        return self.authorized_keys


@contextlib.contextmanager
def home(
    *, tmpfs: str = "", shell: str = "/bin/sh", uid: int = UID, **options: Any
) -> Iterator[Home]:
    """Start it.  ``tmpfs`` is the size of a file system for the home alone, such as ``64k``."""
    if not can_mount():
        unavailable("mount namespaces", "run as root, with CAP_SYS_ADMIN")
    with tempfile.TemporaryDirectory(prefix="netkit-home-") as name:
        base = Path(name)
        base.chmod(0o755)
        path = base / "home"
        path.mkdir(mode=0o755)
        os.chown(path, uid, uid)
        passwd, shadow = base / "passwd", base / "shadow"
        own = f"sshd:x:{pwd.getpwnam('sshd').pw_uid}:65534::/run/sshd:/bin/false"
        accounts = ("root:x:0:0::/root:/bin/sh", f"{USER}:x:{uid}:{uid}::{path}:{shell}", own)
        passwd.write_text("\n".join([*accounts, ""]))
        hashes = {"root": "NP", USER: _HASH, "sshd": "NP"}
        shadow.write_text("".join(f"{who}:{text}:1:0:99999:7:::\n" for who, text in hashes.items()))
        settings = {
            "StrictModes": "yes",
            "AuthorizedKeysFile": ".ssh/authorized_keys .ssh/authorized_keys2",
            "PasswordAuthentication": "yes",
            **options,
        }
        sshd = Sshd(base, **settings)
        words = (str(passwd), str(shadow), str(sshd.config), tmpfs, str(path))
        sshd._prefix = ("unshare", "--mount", "sh", "-c", _MOUNT, "sh", *words)
        sshd.user = USER
        sshd.dir.chmod(0o755)
        with sshd:
            seen = Path(f"/proc/{sshd.process.pid}/root{path}") if tmpfs else path
            yield Home(sshd, seen)


def netkit(
    *argv: str | Path, cwd: Path, stdin: str = "", timeout: float = 60, **env: str
) -> Outcome:
    """Run the command line as a user whose home is ``cwd``; nobody is at a terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "netkit", *map(str, argv)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=cwd,
        env=environment(cwd, **env),
        start_new_session=True,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def config(cwd: Path, known_hosts: Path, *lines: str) -> Path:
    """Write an ssh_config that knows the server and nothing of this machine's."""
    path = cwd / "ssh_config"
    own = (f"UserKnownHostsFile {known_hosts}", "GlobalKnownHostsFile none", "IdentityAgent none")
    path.write_text("\n".join(("Host *", *own, *lines)) + "\n")
    return path
