"""Can each local listening point be bound, and if not, who holds it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from diagnostics.model import (
    Check,
    Effect,
    Evidence,
    Finding,
    Judgement,
    Kind,
    Target,
    Unknown,
)
from diagnostics.parsers.text import clean
from diagnostics.system import BindResult, System
from netkit.model import Endpoint, Fix, ForwardKind, ForwardSpec

TAKEN, HALF, PRIVILEGED, ABSENT = (
    "port-taken",
    "port-half-bound",
    "port-privileged",
    "address-not-available",
)
LOOPBACKS = ("127.0.0.1", "::1")
WILDCARDS = ("0.0.0.0", "::")
_HOSTS = {"": LOOPBACKS, "localhost": LOOPBACKS, "*": WILDCARDS}
_NO_IPV6 = {"EADDRNOTAVAIL", "EAFNOSUPPORT"}
_TRIES = 64


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a port; ``pid`` and ``name`` stay empty where this user may not know."""

    host: str
    pid: int | None = None
    name: str = ""
    command: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True)
class Bind:
    """What became of binding every address of one forward; ``free`` is a port to use instead."""

    forward: str
    option: tuple[str, str]
    results: tuple[BindResult, ...]
    holders: tuple[Holder, ...] = ()
    free: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """The binds that were asked for."""

    os: str
    binds: tuple[Bind, ...]


def _tcp(target: Target) -> list[tuple[ForwardSpec, Endpoint]]:
    return [
        (forward, forward.bind)
        for forward in target.forwards
        if forward.kind is not ForwardKind.REMOTE and isinstance(forward.bind, Endpoint)
    ]


def applies(target: Target) -> str:
    """Apply where something is to listen here."""
    return "" if _tcp(target) else "no forward listens on this machine"


def probe(target: Target, system: System) -> Facts:
    """Bind each address for a moment; look up who holds those that cannot be had."""
    return Facts(system.os, tuple(_bind(f, bind, system) for f, bind in _tcp(target)))


def _bind(forward: ForwardSpec, bind: Endpoint, system: System) -> Bind:
    hosts = _HOSTS.get(bind.host.lower(), (bind.host,))
    results = tuple(system.bind(Endpoint(host, bind.port)) for host in hosts)
    if all(not result.error for result in results):
        return Bind(str(forward), ("", ""), results)
    free = _free_port(hosts, bind.port, system)
    option = "-D" if forward.kind is ForwardKind.DYNAMIC else "-L"
    text = str(Endpoint(bind.host, free)) if bind.host else str(free)
    if forward.to is not None:
        text += f":{forward.to}"
    return Bind(str(forward), (option, text), results, _holders(bind.port, system), free)


def _free_port(hosts: tuple[str, ...], port: int, system: System) -> int:
    start = port + 1 if port >= 1024 else port + 8000
    for candidate in range(start, min(start + _TRIES, 32768 if start < 32768 else 65536)):
        tried = [system.bind(Endpoint(host, candidate)) for host in hosts]
        if all(not each.error or each.error in _NO_IPV6 for each in tried):
            return candidate
    return 0


def _holders(port: int, system: System) -> tuple[Holder, ...]:
    found = []
    for row in system.sockets().rows:
        if row.port != port or row.state != "LISTEN":
            continue
        user = "" if row.uid is None else system.user_name(row.uid)
        process = None if row.pid is None else system.process(row.pid)
        holder = Holder(row.host, row.pid, user=user)
        if process is not None:
            command = clean(" ".join(process.command))
            holder = replace(holder, name=clean(process.name, 60), command=command)
        found.append(holder)
    return tuple(found)


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Return what is in the way of each forward."""
    return tuple(each for bind in facts.binds for each in _judge(bind, facts.os))


def _judge(bind: Bind, os: str) -> list[Judgement]:
    failed = [result for result in bind.results if result.error]
    # A machine without IPv6 is complete with 127.0.0.1.
    if len(failed) < len(bind.results):
        failed = [result for result in failed if result.error not in _NO_IPV6]
    if not failed:
        return []
    result = failed[0]
    if result.error == "EADDRINUSE":
        half = len(failed) < len(bind.results)
        return [_taken(bind, result, HALF if half else TAKEN)]
    if result.error == "EADDRNOTAVAIL":
        return [_absent(bind, result, os)]
    if result.error in {"EACCES", "EPERM"} and result.address.port < 1024 and os != "windows":
        return [_privileged(bind, result)]
    reason = f"{result.address} cannot be bound: {clean(result.error)} ({result.number})"
    return [Unknown(reason=reason, subject=str(result.address))]


def _other_port(bind: Bind) -> tuple[Fix, ...]:
    if not bind.free:
        return ()
    argv = ("netkit", "forward", "...", *bind.option)
    return (Fix(argv, note=f"port {bind.free} is free"),)


def _taken(bind: Bind, result: BindResult, code: str) -> Finding:
    address = result.address
    holders = [
        each for each in bind.holders if each.host in {address.host, *WILDCARDS} or code == HALF
    ]
    who, fixes = "another program", _other_port(bind)
    if holders:
        holder = holders[0]
        who = _name(holder)
        if holder.pid is not None:
            fixes += (Fix(("kill", str(holder.pid)), note=f"ends {who}"),)
        else:
            look = ("sudo", "ss", "-ltnp", f"sport = :{address.port}")
            fixes += (Fix(look, note="shows which", needs_admin=True),)
    explain = "Nothing else can listen there before it ends."
    if code == HALF:
        explain = "The other loopback address is free: clients would reach one or the other."
    return Finding(
        code=code,
        subject=str(address),
        title=f"{address} is taken by {who}",
        explain=explain,
        evidence=tuple(
            Evidence(f"listens on {each.host}", f"{_name(each)} {each.command}".strip())
            for each in bind.holders[:8]
        ),
        fixes=fixes,
    )


def _name(holder: Holder) -> str:
    if holder.pid is None:
        return f"a program of {holder.user}" if holder.user else "a program of another user"
    return f"{holder.name or 'a program'} (process {holder.pid})"


def _absent(bind: Bind, result: BindResult, os: str) -> Finding:
    host = result.address.host
    explain = f"{bind.forward} asks for it."
    if os in {"darwin", "freebsd"} and host.startswith("127."):
        explain = "macOS and the BSDs configure 127.0.0.1 alone of 127.0.0.0/8."
        alias = ("sudo", "ifconfig", "lo0", "alias", host, "up")
        undo = ("sudo", "ifconfig", "lo0", "-alias", host)
        fixes = (Fix(alias, needs_admin=True, undo=undo, note="gone after a restart"),)
    else:
        show = {"linux": ("ip", "-br", "address"), "windows": ("ipconfig",)}.get(os, ("ifconfig",))
        fixes = (Fix(show, note="shows the addresses of this machine"),)
    return Finding(
        code=ABSENT,
        subject=host,
        title=f"{host} is no address of this machine, so nothing can listen there",
        explain=explain,
        evidence=(Evidence(f"bind {result.address}", result.error),),
        fixes=fixes,
    )


def _privileged(bind: Bind, result: BindResult) -> Finding:
    return Finding(
        code=PRIVILEGED,
        subject=str(result.address),
        title=f"Port {result.address.port} belongs to the administrator",
        explain="Ports below 1024 can be bound by root only, unless a sysctl says otherwise.",
        evidence=(Evidence(f"bind {result.address}", result.error),),
        fixes=_other_port(bind),
    )


CHECK = Check(
    code="port-in-use",
    title="the local listening points",
    probe=probe,
    judge=judge,
    finds=(
        Kind(TAKEN, "a program listens there", caused_by=("loopback-down",)),
        Kind(HALF, "one of the two loopback addresses is taken", caused_by=("loopback-down",)),
        Kind(PRIVILEGED, "the port belongs to the administrator"),
        Kind(
            ABSENT,
            "no interface has the address",
            caused_by=("loopback-down", "loopback-without-127"),
        ),
    ),
    effects=(Effect.BINDS,),
    applies=applies,
)
