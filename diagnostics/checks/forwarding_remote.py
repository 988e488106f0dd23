"""Does the gateway listen for us (ssh -R), and if not: which rule forbids, or who holds the port.

sshd says in a debug message which of its rules refused (serverloop.c, channels.c); where there is
none, asking for another port and another address tells a rule from a port that is taken.  That it
agrees says little: of ``localhost`` it binds what it can get, so knocks prove where we arrive.
"""

from __future__ import annotations

import re
from dataclasses import replace

from diagnostics.forwarding.holders import Taken, look
from diagnostics.forwarding.remote_words import DISABLED, KINDS, LISTED, Facts, Tried, judge
from diagnostics.forwarding.shell import Asked, ask, ask_keys
from diagnostics.model import Check, Effect, Target, with_gateway
from diagnostics.parsers import gateway_survey
from diagnostics.parsers.addresses import is_loopback
from diagnostics.parsers.key_options import line_of
from diagnostics.parsers.text import clean
from diagnostics.ssh import Knock, Ssh
from diagnostics.system import System
from netkit.model import Endpoint, ForwardKind, ForwardSpec, UnixPath

MAX_FORWARDS = 8
ANY = Endpoint("localhost", 0)

NOWHERE = UnixPath("/netkit-no-such-directory/socket")
"""A path at which nobody can listen.  sshd tells by a message whether a rule refuses it first; at a
path that can be had it would leave a file behind."""

_TIME = 5.0
_PATH = re.compile(r"/[A-Za-z0-9_./@:+,=-]{1,200}\Z", re.ASCII)


def remote_forwards(target: Target) -> tuple[ForwardSpec, ...]:
    """Return the forwards for which the gateway listens."""
    return tuple(each for each in target.forwards if each.kind is ForwardKind.REMOTE)


def applies(target: Target) -> str:
    """Concern a gateway, and where forwards are named, one that has to listen."""
    if target.forwards and not remote_forwards(target):
        return "no forward has the gateway listen"
    return with_gateway(target)


def seconds_for(target: Target) -> float:
    """Return how long the probe may take: one forward after the other."""
    return 30.0 + 40.0 * len(remote_forwards(target)[:MAX_FORWARDS])


def probe(target: Target, system: System) -> Facts:
    """Ask for each port that is wanted, or for any port; where that fails, find out why."""
    wanted = remote_forwards(target)
    tried = tuple(_try(each, system) for each in wanted[:MAX_FORWARDS])
    refused = any(each.listened.outcome == "refused" for each in tried)
    tcp = any(isinstance(each.forward.bind, Endpoint) for each in tried if _refused(each))
    general = system.ssh.listen(ANY) if tcp or not wanted else None
    asked, key = Asked(), None
    if refused or (general is not None and general.outcome == "refused"):
        asked = ask(system.ssh)
        key = line_of(ask_keys(system.ssh, asked), system.ssh.login().auth)
    if general is not None and general.outcome == "ok":
        tried = tuple(_explore(each, system) for each in tried)
    else:
        tried = tuple(_half(each, system) for each in tried)
    return Facts(
        gateway=clean(target.gateway),
        wanted=bool(wanted),
        general=general,
        tried=tried,
        left=len(wanted) - len(tried),
        asked=asked,
        key=key,
    )


def _refused(tried: Tried) -> bool:
    return tried.listened.outcome == "refused"


def _try(forward: ForwardSpec, system: System) -> Tried:
    bind = forward.bind
    if isinstance(bind, UnixPath):
        return Tried(
            forward=forward,
            listened=system.ssh.listen(NOWHERE),
            path=_look_at(bind.path, system.ssh),
        )
    return Tried(forward=forward, listened=system.ssh.listen(bind, _knocks(bind)))


def _knocks(bind: Endpoint) -> tuple[Knock, ...]:
    """Return knocks at the addresses that must lead to us when the gateway listens on ``bind``."""
    host = bind.host.lower()
    hosts: tuple[str, ...] = (bind.host,) if is_loopback(host) else ()
    if host in ("", "*", "localhost"):
        hosts = ("127.0.0.1", "::1")
    elif host in ("0.0.0.0", "::"):
        hosts = ("127.0.0.1",) if host == "0.0.0.0" else ("::1",)
    return tuple(Knock(origin="gateway", address=Endpoint(each, 0)) for each in hosts)


def _explore(tried: Tried, system: System) -> Tried:
    """The gateway listens in general: find out what is special about this port or address."""
    bind, said = tried.forward.bind, tried.listened
    if said.outcome == "ok" or not isinstance(bind, Endpoint):
        return _half(tried, system)
    if said.outcome != "refused" or any(m.startswith((DISABLED, LISTED)) for m in said.messages):
        return tried
    if bind.host.lower() not in ("", "localhost") and not is_loopback(bind.host):
        local = system.ssh.listen(Endpoint("localhost", bind.port))
        if local.outcome == "ok":
            return replace(tried, on_loopback=True)
    return replace(tried, taken=_taken(tried, (), system))


def _half(tried: Tried, system: System) -> Tried:
    """Look whether something else answers at an address that the gateway agreed to listen on."""
    if tried.listened.outcome != "ok" or not isinstance(tried.forward.bind, Endpoint):
        return tried
    knocks = tried.listened.knocks
    others = tuple(each.address.host for each in knocks if each.outcome == "elsewhere")
    if others:
        return replace(tried, taken=_taken(tried, others, system))
    if tried.forward.bind.port and any(each.outcome == "prohibited" for each in knocks):
        seen = look(tried.forward, (), 0, system)
        hosts = tuple(each.host for each in seen.holder.listeners) if seen.holder else ()
        known = seen.holder is not None and seen.holder.readable
        taken = replace(seen, hosts=hosts) if hosts else None
        return replace(tried, taken=taken, unproved=not known)
    return tried


def _taken(tried: Tried, hosts: tuple[str, ...], system: System) -> Taken:
    bind = tried.forward.bind
    assert isinstance(bind, Endpoint)
    return look(tried.forward, hosts, _free_port(system.ssh, bind), system)


def _free_port(ssh: Ssh, bind: Endpoint) -> int:
    """Return a port near the one wanted that the gateway gives us on every address; 0: none."""
    for port in range(bind.port + 1, min(bind.port + 4, 65536)):
        there = Endpoint(bind.host, port)
        said = ssh.listen(there, _knocks(there))
        if said.outcome == "ok" and all(each.outcome != "elsewhere" for each in said.knocks):
            return port
    return 0


def _look_at(path: str, ssh: Ssh) -> str:
    """Return what a shell on the gateway sees where a socket is to be made.

    ``free``, ``socket``, ``other`` (another file), ``no-directory``, ``closed`` (not writable), or
    nothing where no shell tells.
    """
    if not _PATH.match(path):
        return ""
    directory = path.rpartition("/")[0] or "/"
    command = (
        f"sh -c '{gateway_survey.START}; if [ -S {path} ]; then echo socket;"
        f" elif [ -e {path} ]; then echo other; elif [ ! -d {directory} ]; then echo no-directory;"
        f" elif [ ! -w {directory} ]; then echo closed; else echo free; fi'"
    )
    said = gateway_survey.parts(ssh.run(command, _TIME).stdout)
    last = said.get("id", [""])[-1] if said is not None else ""
    return last if last in ("free", "socket", "other", "no-directory", "closed") else ""


CHECK = Check(
    code="forwarding-remote",
    title="remote forwards through the gateway",
    probe=probe,
    judge=judge,
    finds=KINDS,
    depends_on=("gateway-login",),
    effects=(
        *(Effect.LOGS_IN, Effect.LISTENS_REMOTELY, Effect.CONNECTS),
        Effect.RUNS_REMOTELY,
    ),
    timeout=seconds_for,
    applies=applies,
)
