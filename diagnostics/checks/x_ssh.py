"""Can ``ssh -X`` on this machine do its part: xauth, trust, time limit."""

from __future__ import annotations

from dataclasses import dataclass

from diagnostics.model import (
    Check,
    Effect,
    Evidence,
    Finding,
    Judgement,
    Kind,
    Severity,
    Target,
    Unknown,
    with_gateway,
)
from diagnostics.parsers.text import clean
from diagnostics.parsers.x_display import parse, paths_in
from diagnostics.system import System
from diagnostics.x11 import authority, server, ssh_client, wanted
from diagnostics.x11.ssh_client import SshClient
from netkit.model import Fix

NO_XAUTH, UNTRUSTED, TIMEOUT = "x-ssh-no-xauth", "x-ssh-untrusted", "x-ssh-timeout"

_XQUARTZ_XAUTH = "/opt/X11/bin/xauth"


@dataclass(frozen=True, slots=True)
class Facts:
    """ssh's options, whether its xauth is there, and whether the X server knows distrust.

    ``words`` lead ssh to the gateway; ``security`` is None where no server said.
    """

    os: str
    client: SshClient
    words: tuple[str, ...] = ()
    xauth: bool = False
    other_xauth: str = ""
    security: bool | None = None
    asked: bool = False


def probe(target: Target, system: System) -> Facts:
    """Ask ssh for its options; nothing where X11 is neither asked for nor set up."""
    asked = wanted.asked(target)
    text = system.variable("DISPLAY") or ""
    if not (asked or text):
        return Facts(system.os, SshClient("no-display"))
    client = ssh_client.ask(target, system)
    if client.outcome != "ok" or not (asked or client.forward):
        return Facts(system.os, client, asked=asked)
    hop = system.ssh.route().hops[-1]
    config = ("-F", target.config_file) if target.config_file else ()
    other = _XQUARTZ_XAUTH if system.os == "darwin" else "/usr/bin/xauth"
    return Facts(
        system.os,
        client,
        (*config, *ssh_client.words(hop)),
        bool(system.stat(client.xauth).kind),
        other if other != client.xauth and system.stat(other).kind else "",
        None if client.trusted else _security(text, system),
        asked,
    )


def _security(text: str, system: System) -> bool | None:
    display = parse(text, {path for path in paths_in(text) if system.stat(path).kind})
    if display.kind == "error":
        return None
    places, _ = server.places_of(system, display)
    answers = server.visit(system, places, authority.read(system).entries, display.number)
    return answers[-1].reply.security if answers else None


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Return what ssh would stumble over."""
    client = facts.client
    if client.outcome == "no-display":
        return ()
    if client.outcome != "ok":
        reason = f"ssh -G does not tell what ssh does about X11 ({client.outcome})"
        return (Unknown(reason=reason),) if facts.asked else ()
    if not (facts.asked or client.forward):
        return ()
    if not facts.xauth:
        return (_no_xauth(facts),)
    if client.trusted:
        return ()
    if facts.security is False:
        return (_untrusted(facts),)
    return (_timeout(facts),) if client.timeout else ()


def _seen(facts: Facts) -> tuple[Evidence, ...]:
    client = facts.client
    trusted = "yes" if client.trusted else "no"
    options = (
        f"ForwardX11 {'yes' if client.forward else 'no'}, ForwardX11Trusted {trusted}, "
        f"ForwardX11Timeout {client.timeout}, XAuthLocation {clean(client.xauth)}"
    )
    return (Evidence("ssh -G", options),)


def _ssh(facts: Facts, *options: str, note: str = "") -> Fix:
    return Fix(("ssh", *options, *facts.words), note=note)


def _no_xauth(facts: Facts) -> Finding:
    client = facts.client
    explain = "ssh then makes up a cookie, which only an X server that asks nobody for one accepts."
    if not client.trusted:
        explain = (
            "ssh then says: untrusted X11 forwarding setup failed: xauth key data not generated."
        )
    fixes = []
    if facts.other_xauth:
        option = f"XAuthLocation={facts.other_xauth}"
        fixes.append(_ssh(facts, "-o", option, "-X", note="or that line in ~/.ssh/config"))
    elif facts.os == "linux":
        fixes.append(
            Fix(("sudo", "apt-get", "install", "xauth"), needs_admin=True, persistent=True)
        )
    elif facts.os == "darwin":
        fixes.append(Fix(("brew", "install", "--cask", "xquartz"), persistent=True))
    return Finding(
        code=NO_XAUTH,
        severity=Severity.WARNING if client.trusted else Severity.ERROR,
        subject=clean(client.xauth),
        title=f"ssh -X needs xauth, and there is none at {clean(client.xauth)}",
        explain=explain,
        evidence=_seen(facts),
        fixes=tuple(fixes),
    )


def _untrusted(facts: Facts) -> Finding:
    return Finding(
        code=UNTRUSTED,
        severity=Severity.ERROR,
        subject="ForwardX11Trusted",
        title="ssh -X cannot set up X11 forwarding: the X server here does not know untrusted "
        "programs",
        explain="It lacks the SECURITY extension. ssh does not fall back to trust, and says that "
        "xauth key data was not generated.",
        evidence=(*_seen(facts), Evidence("X server", "no SECURITY extension")),
        fixes=(_ssh(facts, "-Y", note="trusts the programs there with the whole screen"),),
    )


def _timeout(facts: Facts) -> Finding:
    seconds = facts.client.timeout
    return Finding(
        code=TIMEOUT,
        severity=Severity.WARNING,
        subject="ForwardX11Timeout",
        title=f"After {seconds} s ssh -X lets no new X program in",
        explain="ssh treats the programs as untrusted, and for those ForwardX11Timeout ends it.",
        evidence=_seen(facts),
        fixes=(
            _ssh(facts, "-o", "ForwardX11Timeout=0", "-X", note="without a limit"),
            _ssh(facts, "-Y", note="trusts the programs there with the whole screen"),
        ),
    )


CHECK = Check(
    code="x-ssh",
    title="X11 forwarding by ssh, on this side",
    probe=probe,
    judge=judge,
    finds=(
        Kind(NO_XAUTH, "ssh -X finds no xauth on this machine"),
        Kind(UNTRUSTED, "the X server here refuses what ssh -X needs"),
        Kind(TIMEOUT, "ssh -X lets no new X program in after a while"),
    ),
    effects=(Effect.RUNS_TOOLS, Effect.CONNECTS),
    timeout=10.0,
    applies=with_gateway,
)
