"""Who holds a socket: the process, whose it is, and what stands behind it.

A listener may belong to a service, a container or systemd, whose process says little; those are
asked too, each where the socket looks like theirs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from diagnostics.knowledge.port_holders import CONTAINERS, TUNNELS, WSL_RELAYS
from diagnostics.knowledge.ports import AIRPLAY
from diagnostics.parsers import containers, systemd
from diagnostics.parsers.text import clean
from diagnostics.ports.points import WILDCARDS, bare
from diagnostics.system import Account, SocketRow, System
from netkit.model import Endpoint

_DOCKER = "/var/run/docker.sock"
_SYSTEMD = "/run/systemd/system"
_MUX = re.compile(r"ssh: (.{1,1000}) \[mux\]")
_AIRTUNES = b"airtunes"
_TOOL_TIME = 2.0


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds one socket.

    Attributes:
        host, port: what is held.
        pid: None where this user may not know, or where no process has it.
        user: the login name of the owner.
        name: the program, lower case and without ``.exe``; ``shown`` as the system writes it.
        ours: whether it runs as the user who asks.
        parent_name, parent_pid: who started it.
        services: Windows services in the process.
        unit: the systemd unit; ``user_unit`` is one of the user's own manager.
        container, tool: the container whose port it is, and what lists those.
        mux: the control socket of a multiplexing ssh.
        airplay: whether it answers as an AirPlay receiver.
    """

    host: str
    port: int
    pid: int | None = None
    uid: int | None = None
    user: str = ""
    name: str = ""
    shown: str = ""
    command: tuple[str, ...] = ()
    ours: bool = False
    parent_name: str = ""
    parent_pid: int | None = None
    services: tuple[str, ...] = ()
    unit: str = ""
    user_unit: bool = False
    container: str = ""
    tool: str = ""
    mux: str = ""
    airplay: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names it may be known by, lower case."""
        return (self.name, *(service.lower() for service in self.services))

    @property
    def is_tunnel(self) -> bool:
        """Whether it is a program that forwards ports, run by the user who asks."""
        return self.ours and (self.name in TUNNELS or bool(self.mux) or _is_netkit(self.command))

    @property
    def is_airplay(self) -> bool:
        """Whether it is the AirPlay receiver of macOS; lsof cuts ControlCenter short."""
        return self.port in AIRPLAY and (self.airplay or self.name.startswith("controlce"))

    @property
    def is_wsl_relay(self) -> bool:
        """Whether it mirrors a listener of WSL."""
        return self.name in WSL_RELAYS

    @property
    def is_portproxy(self) -> bool:
        """Whether it is the service of Windows that forwards ports (IP Helper)."""
        return "iphlpsvc" in self.names

    @property
    def is_neighbour(self) -> bool:
        """Whether the check for known neighbours speaks about it."""
        return self.is_airplay or self.is_wsl_relay or self.is_portproxy


def program(path: str) -> str:
    """Return the name of a program from its path, lower case and without ``.exe``."""
    return re.split(r"[\\/]", path)[-1].lower().removesuffix(".exe")


def _is_netkit(command: Sequence[str]) -> bool:
    """Return whether it is netkit's own command line, by whatever Python runs it."""
    first = [program(word) for word in command[:2]]
    if "netkit" in first:
        return True
    module = [index for index, word in enumerate(command[:6]) if word == "-m"]
    return any(command[index + 1 : index + 2] == ("netkit",) for index in module)


def identify(system: System, row: SocketRow, account: Account) -> Holder:
    """Return who holds the socket of ``row``."""
    user = "" if row.uid is None else clean(system.user_name(row.uid), 60)
    holder = Holder(bare(row.host), row.port, row.pid, row.uid, user)
    if row.pid is not None:
        holder = _of_process(system, holder, row.pid)
    holder = replace(holder, ours=_is_ours(holder, account))
    if system.os == "darwin" and row.port in AIRPLAY and not holder.name:
        holder = replace(holder, airplay=_answers_as_airplay(system, holder))
    return _behind(system, holder)


def _of_process(system: System, holder: Holder, pid: int) -> Holder:
    found = system.process(pid)
    if found is None:
        return holder
    command = tuple(clean(word, 300) for word in found.command[:40])
    mux = _MUX.match(" ".join(command))
    parent = None if found.parent is None else system.process(found.parent)
    return replace(
        holder,
        user=holder.user or clean(found.user, 60),
        name=program(clean(found.name, 60)),
        shown=clean(found.name, 60),
        command=command,
        parent_name="" if parent is None else program(clean(parent.name, 60)),
        parent_pid=found.parent,
        services=tuple(clean(each, 60) for each in found.services[:8]),
        mux="" if mux is None else mux[1],
    )


def _is_ours(holder: Holder, account: Account) -> bool:
    if holder.uid is not None and account.uid is not None:
        return holder.uid == account.uid
    # Windows writes MACHINE\user
    mine, theirs = (name.rpartition("\\")[2].lower() for name in (account.user, holder.user))
    return bool(mine) and mine == theirs


def _answers_as_airplay(system: System, holder: Holder) -> bool:
    """Ask as a browser would: the receiver answers 403 and calls itself AirTunes."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(holder.host, holder.host)
    asked = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    talk = system.talk(Endpoint(host, holder.port), asked, receive=2048, timeout=1.0)
    return _AIRTUNES in talk.data.lower()


def _behind(system: System, holder: Holder) -> Holder:
    """Add the container, the socket unit or the service that the socket is really for."""
    unseen = holder.pid is None and holder.uid == 0
    tool = CONTAINERS.get(holder.name, "docker" if unseen else "")
    for each in published(system, tool) if tool else ():
        if publishes(each, holder.host, holder.port):
            return replace(holder, container=each.name or each.container, tool=tool)
    if system.os != "linux":
        return holder
    if (unseen or holder.pid == 1) and system.stat(_SYSTEMD).kind == "directory":
        return replace(holder, unit=_socket_unit(system, holder))
    if holder.pid is None or holder.pid == 1:
        return holder
    member = systemd.membership(system.read(f"/proc/{holder.pid}/cgroup", 8192).data)
    tool = "docker" if member.container else ""
    return replace(
        holder, unit=member.unit, user_unit=member.user, container=member.container, tool=tool
    )


def published(system: System, tool: str) -> tuple[containers.Published, ...]:
    """Return the ports that containers of docker or podman publish here, as far as it tells."""
    if system.os == "linux" and tool == "docker" and system.stat(_DOCKER).kind != "socket":
        return ()
    output = system.run((tool, "ps", "--format", containers.FORMAT), timeout=_TOOL_TIME)
    return containers.published(output.stdout)


def publishes(container: containers.Published, host: str, port: int) -> bool:
    """Return whether connections to ``host`` and ``port`` are for that container."""
    everywhere = bool({container.host, host} & {*WILDCARDS, ""})
    return container.low <= port <= container.high and (everywhere or container.host == host)


def _socket_unit(system: System, holder: Holder) -> str:
    output = system.run(systemd.LIST_SOCKETS, timeout=_TOOL_TIME)
    units = [each for each in systemd.listening(output.stdout) if each.port == holder.port]
    for each in units:
        if each.host in (holder.host, "::", "0.0.0.0"):
            return each.unit
    return ""
