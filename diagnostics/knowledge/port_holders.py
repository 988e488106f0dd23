"""Programs that are known to hold ports, by system, and how each lets go of them."""

from __future__ import annotations

from dataclasses import dataclass

from netkit.model import Fix

TUNNELS = frozenset(["ssh", "autossh", "plink", "putty", "netkit"])
"""Programs whose listeners are forwards."""

CONTAINERS = {
    "docker-proxy": "docker",
    "dockerd": "docker",
    "com.docker.backend": "docker",
    "com.docker.vpnkit": "docker",
    "rootlessport": "podman",
    "conmon": "podman",
    "pasta": "podman",
    "slirp4netns": "podman",
}
"""Programs that hold the published ports of containers, and the tool that lists those.

docs.docker.com/engine/network/port-publishing and podman-run(1)."""

WSL_RELAYS = frozenset(["wslrelay", "wslhost"])
"""They mirror WSL's listeners on Windows (microsoft/WSL issue 5732, CzBiX/WSLHostPatcher 18)."""


@dataclass(frozen=True, slots=True)
class Known:
    """A holder by the name of its process or service; ``port`` 0 is any."""

    os: str
    name: str
    what: str
    port: int = 0
    fixes: tuple[Fix, ...] = ()


_SHARING = Fix((), note="turn it off in System Settings > General > Sharing")
_HTTP = Fix(("netsh", "http", "show", "servicestate"), note="shows which program asked for it")

KNOWN: tuple[Known, ...] = (
    # Process 4 of Windows is the kernel: its SMB server and http.sys, which listens for IIS, WinRM
    # and others (learn.microsoft.com/windows/win32/http).
    Known("windows", "system", "Windows' file sharing (SMB)", 445),
    Known("windows", "system", "Windows' file sharing (NetBIOS)", 139),
    Known("windows", "system", "the Windows kernel, mostly http.sys for IIS or WinRM", 0, (_HTTP,)),
    # learn.microsoft.com/troubleshoot/windows-server/networking/service-overview-and-network-port-
    # requirements
    Known("windows", "termservice", "Remote Desktop of this machine"),
    Known("windows", "sharedaccess", "Internet Connection Sharing"),
    # support.apple.com/103229, "TCP and UDP ports used by Apple software products"
    Known("darwin", "launchd", "Remote Login, the SSH server of this Mac", 22, (_SHARING,)),
    Known("darwin", "launchd", "Screen Sharing", 5900, (_SHARING,)),
    Known("darwin", "screensharingd", "Screen Sharing", 5900, (_SHARING,)),
    Known("darwin", "mdnsresponder", "the name server of Internet Sharing", 53, (_SHARING,)),
    Known("darwin", "cupsd", "the printing system", 631),
)


def known(os: str, names: tuple[str, ...], port: int) -> Known | None:
    """Return what is known of a holder with one of these names (lower case)."""
    for each in KNOWN:
        if each.os == os and each.name in names and each.port in (0, port):
            return each
    return None
