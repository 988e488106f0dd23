"""Who holds a port of the gateway that a remote forward wants: somebody else, or ourselves.

An earlier SSH session of the same account keeps its listeners until sshd notices that its client is
gone, which it may never do.  Whether that client still runs, and where, is told as far as it can be
known: here, not at all, or nobody knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from diagnostics.forwarding.fixes import moved, set_option
from diagnostics.forwarding.shell import Asked, ask_holder, by_hand
from diagnostics.model import Confidence, Evidence, Finding
from diagnostics.parsers.gateway_survey import GatewayProcess
from diagnostics.parsers.port_holder import Holder, Listener
from diagnostics.parsers.text import clean
from diagnostics.system import System
from netkit.model import Endpoint, Fix, ForwardSpec

TAKEN, STALE = "remote-port-taken", "remote-listener-stale"

_MAX_CLIENTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A process of this machine with a connection to the gateway, from ``port``."""

    pid: int
    command: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A port of the gateway that is not ours to have.

    Attributes:
        forward: the forward that wants it.
        hosts: addresses of the gateway at which something else answers, where the forward would
            still get the rest; none where it gets nothing.
        holder: who listens there; None where no shell tells.
        clients: this machine's other connections to the gateway.
        local: our end of the connection that asks, as this machine sees it.
        complete: whether ``clients`` are all there are.
        free: another port that the gateway would give us; 0: none was found.
    """

    forward: ForwardSpec
    hosts: tuple[str, ...] = ()
    holder: Holder | None = None
    clients: tuple[Client, ...] = ()
    local: Endpoint | None = None
    complete: bool = False
    free: int = 0

    @property
    def port(self) -> int:
        """The port wanted."""
        bind = self.forward.bind
        return bind.port if isinstance(bind, Endpoint) else 0


def look(forward: ForwardSpec, hosts: tuple[str, ...], free: int, system: System) -> Taken:
    """Ask the gateway and this machine who holds the port of ``forward``."""
    port = forward.bind.port if isinstance(forward.bind, Endpoint) else 0
    login = system.ssh.login()
    clients: list[Client] = []
    table = system.sockets() if login.peer and login.local else None
    for row in table.rows if table else ():
        ends = (row.peer_host.removeprefix("::ffff:"), row.peer_port)
        if login.peer is None or login.local is None or ends != (login.peer.host, login.peer.port):
            continue
        if row.state != "ESTABLISHED" or row.port == login.local.port:
            continue
        process = system.process(row.pid) if row.pid else None
        command = clean(" ".join(process.command) or process.name, 4000) if process else ""
        clients.append(Client(pid=row.pid or 0, command=command, port=row.port))
    return Taken(
        forward=forward,
        hosts=hosts,
        holder=ask_holder(system.ssh, port),
        clients=tuple(clients[:_MAX_CLIENTS]),
        local=login.local,
        complete=table is not None and table.complete and not table.error,
        free=free,
    )


def judge_taken(gateway: str, taken: Taken, asked: Asked) -> Finding:
    """Say who holds the port, and how it is had."""
    listener = _listener(taken)
    session = _own_session(taken, listener)
    if session or _is_own_account(taken, listener) or _is_forwarded(taken):
        return _stale(gateway, taken, session, asked)
    where, part = _where(gateway, taken)
    port = taken.port
    return Finding(
        code=TAKEN,
        subject=f"port {port} of {gateway}",
        title=f"{where} is taken by {_who(taken, listener)}{part}",
        explain="The gateway cannot listen there for us before that ends."
        + ("" if taken.holder else " It may be an earlier session of yours: nothing there tells."),
        evidence=_evidence(taken),
        fixes=(
            *_elsewhere(taken),
            by_hand("ss", "-ltnp", f"sport = :{port}", note="shows who", needs_admin=True),
        ),
    )


def _where(gateway: str, taken: Taken) -> tuple[str, str]:
    """Return what is taken, and what the forward would get all the same."""
    if not taken.hosts:
        return f"Port {taken.port} of {gateway}", ""
    where = f"{Endpoint(clean(taken.hosts[0], 60), taken.port)} of {gateway}"
    return where, ", and the forward gets the rest alone"


def _listener(taken: Taken) -> Listener | None:
    """Return the listener in the way: at the address that answered, if one did."""
    found = taken.holder.listeners if taken.holder else ()
    at = [each for each in found if each.host in taken.hosts]
    return next(iter(at or found), None)


def _own_session(taken: Taken, listener: Listener | None) -> GatewayProcess | None:
    """Return the session of our account that listens: the one seen, or the only one there is."""
    holder = taken.holder
    if holder is None or listener is None:
        return None
    account = holder.account
    if listener.pid is not None:
        seen = [each for each in holder.sessions if each.pid == listener.pid]
        return next((each for each in seen if each.user == account.user), None)
    candidates = _candidates(taken, listener)
    return candidates[0] if len(candidates) == 1 else None


def _candidates(taken: Taken, listener: Listener) -> list[GatewayProcess]:
    """Return our sessions that may hold a listener whose process the gateway does not show."""
    holder = taken.holder
    if holder is None or listener.uid is None or listener.uid != holder.account.uid:
        return []
    return [each for each in holder.sessions if each.uid == listener.uid]


def _is_forwarded(taken: Taken) -> bool:
    """Whether no shell tells, and one process here says that it forwards that very port."""
    return taken.holder is None and _by_command(taken) is not None


def _by_command(taken: Taken) -> Client | None:
    word = re.compile(rf"(?<![0-9]){taken.port}(?![0-9])")
    found = [e for e in taken.clients if e.pid and "-R" in e.command and word.search(e.command)]
    return found[0] if len(found) == 1 else None


def _is_own_account(taken: Taken, listener: Listener | None) -> bool:
    return listener is not None and listener.pid is None and bool(_candidates(taken, listener))


def _who(taken: Taken, listener: Listener | None) -> str:
    if listener is None:
        return "something else"
    sessions = taken.holder.sessions if taken.holder else ()
    session = next((each for each in sessions if each.pid == listener.pid), None)
    if session is not None:
        return f"an SSH session of {session.user} (process {session.pid} there)"
    if listener.pid is not None:
        return f"{listener.name} (process {listener.pid} there)"
    if listener.uid is None:
        return "another program"
    account = taken.holder.account.uid if taken.holder else None
    mine = "a program of this account" if listener.uid == account else f"account {listener.uid}"
    return f"{mine} there"


def _elsewhere(taken: Taken) -> tuple[Fix, ...]:
    bind = taken.forward.bind
    if not isinstance(bind, Endpoint):
        return ()
    note = f"port {taken.free} is free there" if taken.free else "lets the gateway choose the port"
    return (moved(taken.forward, Endpoint(bind.host, taken.free), note=note),)


def _evidence(taken: Taken) -> tuple[Evidence, ...]:
    rows = taken.holder.listeners if taken.holder else ()
    found = [
        Evidence(
            f"listener {Endpoint(clean(each.host, 60), taken.port)}",
            f"account {each.uid}, process {each.pid} {each.name}".rstrip(),
        )
        for each in rows[:8]
    ]
    found += [Evidence(clean(host, 60), "answers, and it is not us") for host in taken.hosts[:4]]
    return tuple(found)


def _stale(gateway: str, taken: Taken, session: GatewayProcess | None, asked: Asked) -> Finding:
    port = taken.port
    where, part = _where(gateway, taken)
    who = f" (process {session.pid} there, since {session.age})" if session else ""
    client, gone = _client(taken, session)
    if client is not None:
        explain = (
            f"Its client is process {client.pid} of this machine: {clean(client.command, 120)}"
        )
    elif gone:
        explain = "Its client is gone, and sshd there has not noticed: nothing tells it."
    else:
        explain = "If its client is gone, sshd there has not noticed: nothing tells it."
    return Finding(
        code=STALE,
        subject=f"port {port} of {gateway}",
        title=f"{where} is still held by an earlier SSH session of yours{who}{part}",
        explain=explain,
        evidence=_evidence(taken),
        fixes=(*_endings(taken, session, client), _notice(asked), *_elsewhere(taken)),
        confidence=Confidence.CERTAIN if _is_seen(taken) else Confidence.LIKELY,
    )


def _is_seen(taken: Taken) -> bool:
    listener = _listener(taken)
    return listener is not None and listener.pid is not None


def _client(taken: Taken, session: GatewayProcess | None) -> tuple[Client | None, bool]:
    """Return the process of this machine behind the session, and whether it is surely gone."""
    holder = taken.holder
    end = holder.client_of(session.pid) if holder is not None and session is not None else None
    known = [each for each in taken.clients if each.pid]
    ours = holder.account.client if holder is not None else None
    # The gateway sees our ports only where no NAT changes them.
    same = ours is not None and ours == taken.local
    if end is not None and ours is not None and same and end.host == ours.host:
        found = next((each for each in known if each.port == end.port), None)
        gone = taken.complete and all(each.port != end.port for each in taken.clients)
        return found, gone
    if end is not None:
        return None, False
    return _by_command(taken), False


def _endings(
    taken: Taken, session: GatewayProcess | None, client: Client | None
) -> tuple[Fix, ...]:
    found: list[Fix] = []
    if client is not None:
        found.append(Fix(("kill", str(client.pid)), note="ends it on this machine"))
    if session is not None:
        account = taken.holder.account.uid if taken.holder else None
        other = session.uid not in (account, None) and account != 0
        note = "ends that session, and what goes through it"
        found.append(by_hand("kill", str(session.pid), note=note, needs_admin=other))
    elif taken.holder is not None:
        user = taken.holder.account.user
        note = "lists your sessions there; kill PID ends the one that is no longer wanted"
        words = ("-u", user) if user else ("-A",)
        found.append(by_hand("ps", *words, "-o", "pid,etime,args", note=note))
    return tuple(found)


def _notice(asked: Asked) -> Fix:
    return set_option(
        asked, "ClientAliveInterval 15", note="lets sshd notice within a minute that a client died"
    )
