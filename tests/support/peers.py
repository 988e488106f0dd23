"""The real programs that tests talk to: where they are, and what to install when they are not.

``require("sshd")`` returns the program's path.  Without it the test is skipped, and counted at the
end of the run with the package to install; with ``CI=true`` it fails instead, because a build
that silently skips its peers proves nothing.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

MISSING = "missing peer: "


@dataclass(frozen=True, slots=True)
class Peer:
    """A program or module by any of ``names``; ``package`` brings it on Debian and Ubuntu."""

    names: tuple[str, ...]
    package: str
    is_module: bool = False

    @property
    def remedy(self) -> str:
        return (
            f"pip install {self.package}" if self.is_module else f"apt-get install {self.package}"
        )


PEERS = {
    "asyncssh": Peer(("asyncssh",), "asyncssh", is_module=True),
    "curl": Peer(("curl",), "curl"),
    "desktop-file-validate": Peer(("desktop-file-validate",), "desktop-file-utils"),
    "dovecot": Peer(("dovecot",), "dovecot-pop3d"),
    "dropbear": Peer(("dropbear",), "dropbear-bin"),
    "dropbearkey": Peer(("dropbearkey",), "dropbear-bin"),
    "freerdp-shadow-cli": Peer(
        ("freerdp-shadow-cli", "freerdp-shadow-cli3"), "freerdp2-shadow-x11"
    ),
    "ip": Peer(("ip",), "iproute2"),
    "lsof": Peer(("lsof",), "lsof"),
    "nft": Peer(("nft",), "nftables"),
    "openssl": Peer(("openssl",), "openssl"),
    "openvpn": Peer(("openvpn",), "openvpn"),
    "ping": Peer(("ping",), "iputils-ping"),
    "plink": Peer(("plink",), "putty-tools"),
    "promtool": Peer(("promtool",), "prometheus"),
    "puttygen": Peer(("puttygen",), "putty-tools"),
    "ssh": Peer(("ssh",), "openssh-client"),
    "ssh-add": Peer(("ssh-add",), "openssh-client"),
    "ssh-agent": Peer(("ssh-agent",), "openssh-client"),
    "ssh-keygen": Peer(("ssh-keygen",), "openssh-client"),
    "sshd": Peer(("sshd",), "openssh-server"),
    "swanctl": Peer(("swanctl",), "strongswan-swanctl"),
    "systemd-analyze": Peer(("systemd-analyze",), "systemd"),
    "telnet": Peer(("telnet",), "inetutils-telnet"),
    "telnetd": Peer(("telnetd", "in.telnetd"), "inetutils-telnetd"),
    "unshare": Peer(("unshare",), "util-linux"),
    "tmux": Peer(("tmux",), "tmux"),
    "vsftpd": Peer(("vsftpd",), "vsftpd"),
    "wg-quick": Peer(("wg-quick",), "wireguard-tools"),
    "winpr-hash": Peer(("winpr-hash", "winpr-hash3"), "winpr-utils"),
    "xauth": Peer(("xauth",), "xauth"),
    "xdpyinfo": Peer(("xdpyinfo",), "x11-utils"),
    "xeyes": Peer(("xeyes",), "x11-apps"),
    "xfreerdp": Peer(("xfreerdp", "xfreerdp3"), "freerdp2-x11"),
    "xvfb": Peer(("Xvfb",), "xvfb"),
}

# Servers live where a user's PATH often does not look.
_SEARCH = os.pathsep.join(
    [os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"]
)


def find(name: str) -> Path | None:
    """Return where the peer is, absolute (sshd insists on that), or ``None``.

    Raises:
        KeyError: ``PEERS`` does not know the name.
    """
    peer = PEERS[name]
    if peer.is_module:
        spec = importlib.util.find_spec(peer.names[0])
        return Path(spec.origin) if spec and spec.origin else None
    for binary in peer.names:
        if found := shutil.which(binary, path=_SEARCH):
            return Path(found).absolute()
    return None


def require(*names: str) -> Path:
    """Return the path of the first of ``names``; without any one of them skip, or fail under CI."""
    found = [find(name) for name in names]
    for name, path in zip(names, found, strict=True):
        if path is None:
            unavailable(name, PEERS[name].remedy)
    first = found[0]
    assert first is not None
    return first


def unavailable(what: str, remedy: str) -> None:
    """Skip the running test because ``what`` is not to be had here; fail it under CI."""
    message = f"{MISSING}{what} ({remedy})"
    if under_ci():
        pytest.fail(f"{message}; with CI=true every peer must be there", pytrace=False)
    pytest.skip(message)


def under_ci() -> bool:
    """Return whether this run must not skip anything."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def summary(skip_reasons: Iterable[str]) -> list[str]:
    """Return one line per missing peer with the number of tests it cost, most first."""
    missing = Counter(
        reason.split(MISSING, 1)[1] for reason in skip_reasons if MISSING in reason
    ).most_common()
    return [f"{count} skipped for want of {what}" for what, count in missing]
