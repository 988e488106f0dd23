"""What ssh(1) on this machine is told to do about X11 with a gateway."""

from __future__ import annotations

from dataclasses import dataclass

from diagnostics.model import Target
from diagnostics.parsers import ssh_g
from diagnostics.ssh import HopFacts
from diagnostics.system import System

_MAX_SECONDS = 2**31 - 1
_DEFAULT_XAUTH = "/usr/bin/xauth"


@dataclass(frozen=True, slots=True)
class SshClient:
    """The options in force.

    Attributes:
        outcome: ``ok``, or why ssh did not say (`diagnostics.system.ToolOutput`).
        forward: ForwardX11; ``trusted``: ForwardX11Trusted.
        timeout: ForwardX11Timeout in seconds; 0: none.
        xauth: XAuthLocation.
    """

    outcome: str
    forward: bool = False
    trusted: bool = False
    timeout: int = 0
    xauth: str = ""


def ask(target: Target, system: System) -> SshClient:
    """Ask ``ssh -G``, which connects to nothing."""
    hops = system.ssh.route().hops
    if not hops:
        return SshClient("no-gateway")
    config = ("-F", target.config_file) if target.config_file else ()
    done = system.run(("ssh", "-G", *config, *words(hops[-1])))
    if not done.ok:
        return SshClient(done.outcome if done.outcome != "ran" else "failed")
    options = ssh_g.parse(done.stdout)
    return SshClient(
        "ok",
        options.get("forwardx11") == "yes",
        options.get("forwardx11trusted") == "yes",
        _seconds(options.get("forwardx11timeout", "")),
        options.get("xauthlocation", _DEFAULT_XAUTH),
    )


def words(hop: HopFacts) -> tuple[str, ...]:
    """Return the words after ``ssh`` that lead to a gateway."""
    port = ("-p", str(hop.port)) if hop.port != 22 else ()
    user = ("-l", hop.user) if hop.user else ()
    return (*port, *user, "--", hop.alias)


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 12:
        return 0
    return min(int(text), _MAX_SECONDS)
