"""The four gateways that netkit is tested through, behind one face.

    with start("dropbear", tmp_path) as gateway, tunnel(gateway, local(target)) as run:
        with run.connect() as sock: ...

A `Run` is a started tunnel with its events.  netkit's own gateway runs as a process, like the
others, so that it can be killed and frozen.
"""

from __future__ import annotations

import contextlib
import io
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from netkit.engine.remote import RemoteForwards
from netkit.engine.tunnel import Tunnel
from netkit.events import Event
from netkit.model import (
    Address,
    Endpoint,
    Endurance,
    ForwardKind,
    ForwardSpec,
    Hop,
    HostKeyPolicy,
    Keepalive,
    Limits,
    Plan,
    UnixPath,
)
from support import cli
from support.asyncssh_server import AsyncsshServer
from support.dropbear import Dropbear
from support.sshd import Sshd, make_key
from support.waiting import holds_within

NAMES = ("sshd", "dropbear", "asyncssh", "netkit")

E = TypeVar("E", bound=Event)


@dataclass(frozen=True)
class TestGateway:
    """A running gateway and how to log in to it.

    Attributes:
        server: what runs it: `Sshd`, `Dropbear`, `AsyncsshServer`, or a process.
        main: pid of the listening process; None where it is this very process.
    """

    __test__ = False

    name: str
    port: int
    user: str
    client_key: Path
    known_hosts: Path
    server: Any
    main: int | None

    def hop(self, **more: Any) -> Hop:
        """Return the hop that leads here, with anything else overridden."""
        values: dict[str, Any] = {
            "alias": self.name,
            "host": "127.0.0.1",
            "port": self.port,
            "user": self.user,
            "name": "127.0.0.1",
            "known_hosts": (self.known_hosts,),
            "host_key": HostKeyPolicy.STRICT,
            "identities": (self.client_key,),
            "identities_explicit": True,
            "identities_only": True,
            "auth_methods": ("publickey",),
            "connect_timeout": 10.0,
            **more,
        }
        return Hop(**values)

    def behind(self, port: int, **more: Any) -> Hop:
        """Return the hop that leads here by another port of this machine (a proxy's)."""
        known = self.known_hosts.with_name(f"known_hosts-{port}")
        key = self.known_hosts.read_text().split(maxsplit=1)[1]
        known.write_text(f"[127.0.0.1]:{port} {key}")
        return self.hop(port=port, known_hosts=(known,), **more)

    @property
    def serving(self) -> list[psutil.Process]:
        """The processes that serve connections; the listening one where it does so itself."""
        if self.main is None:
            return []
        # an sshd that listens again is another process
        main = psutil.Process(self.server.process.pid if self.name == "sshd" else self.main)
        return main.children(recursive=True) or [main]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to every process that serves a connection."""
        for process in self.serving:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def kill(self) -> None:
        """End every connection as SIGKILL does: without a word."""
        if self.main is None:
            self.server.abort_connections()
        else:
            self.signal(signal.SIGKILL)


@contextlib.contextmanager
def start(name: str, tmp_path: Path, *options: str, **words: Any) -> Iterator[TestGateway]:
    """Run the gateway ``name``; ``options`` and ``words`` are those of its own class."""
    with _STARTERS[name](tmp_path, *options, **words) as gateway:
        yield gateway


@contextlib.contextmanager
def _start_sshd(tmp_path: Path, **words: Any) -> Iterator[TestGateway]:
    with Sshd(tmp_path, **words) as server:
        known = server.known_hosts()
        pid = server.process.pid
        yield TestGateway("sshd", server.port, server.user, server.client_key, known, server, pid)


@contextlib.contextmanager
def _start_dropbear(tmp_path: Path, *options: str) -> Iterator[TestGateway]:
    with Dropbear(tmp_path, *options) as server:
        known = server.known_hosts()
        yield TestGateway(
            "dropbear", server.port, server.user, server.client_key, known, server, server.pid
        )


@contextlib.contextmanager
def _start_asyncssh(tmp_path: Path, **words: Any) -> Iterator[TestGateway]:
    with AsyncsshServer(tmp_path, **words) as server:
        known = server.known_hosts()
        yield TestGateway(
            "asyncssh", server.port, server.user, server.client_key, known, server, None
        )


@contextlib.contextmanager
def _start_netkit(tmp_path: Path, *options: str) -> Iterator[TestGateway]:
    home = tmp_path / "netkit-gateway"
    home.mkdir(parents=True)
    key = make_key(home / "client")
    argv = ["-m", "netkit", "gateway", "--authorized-keys", f"{key}.pub", *options]
    with (home / "log").open("w+b") as log:
        with cli.process(argv, home=home, stderr=log) as process:
            assert process.stdout is not None
            said = {}
            for line in process.stdout:
                name, _, value = line.strip().partition(": ")
                said[name] = value
                if name == "connect":
                    break
            if "known_hosts" not in said:
                process.wait(10)
                raise AssertionError(f"no gateway: {(home / 'log').read_text()}")
            known = home / "known_hosts"
            known.write_text(said["known_hosts"] + "\n")
            port = int(said["known_hosts"].split()[0].rpartition(":")[2])
            yield TestGateway("netkit", port, "tester", key, known, process, process.pid)
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(10)


_STARTERS: dict[str, Callable[..., AbstractContextManager[TestGateway]]] = {
    "sshd": _start_sshd,
    "dropbear": _start_dropbear,
    "asyncssh": _start_asyncssh,
    "netkit": _start_netkit,
}


# ---------------------------------------------------------------- tunnels


class Events:
    """Everything a tunnel reported; an observer that can be waited on."""

    def __init__(self) -> None:
        self.all: list[Event] = []
        self._came = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self._came:
            self.all.append(event)
            self._came.notify_all()

    def of(self, kind: type[E], **fields: object) -> list[E]:
        """Return the events of ``kind`` whose fields are as given."""
        with self._came:
            return [event for event in self.all if isinstance(event, kind) and _fits(event, fields)]

    def wait(self, kind: type[E], *, count: int = 1, timeout: float = 10.0, **fields: object) -> E:
        """Wait for the ``count``-th event of ``kind`` with these fields and return it."""
        with self._came:
            found = self._came.wait_for(
                lambda: len(fit := self.of(kind, **fields)) >= count and fit, timeout
            )
        assert found, f"no {kind.__name__} {fields or ''} within {timeout} s:\n{self}"
        return found[count - 1]

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.all))


def _fits(event: Event, fields: dict[str, object]) -> bool:
    return all(getattr(event, name) == value for name, value in fields.items())


@dataclass
class Run:
    """A started tunnel, its events, and shortcuts for its forwards."""

    tunnel: Tunnel
    events: Events = field(default_factory=Events)

    def address(self, index: int = 0) -> Address:
        """Where a forward listens."""
        return self.tunnel.forwards[index].address

    def port(self, index: int = 0) -> int:
        """On which port a forward listens."""
        address = self.address(index)
        assert isinstance(address, Endpoint)
        return address.port

    def connect(self, index: int = 0, *, timeout: float = 20.0, source: str = "") -> socket.socket:
        """Return a socket connected to a forward, with a time limit on all it does."""
        return dial(self.address(index), timeout, source=source)

    def how_it_ends(self, index: int = 0, *, source: str = "") -> str:
        """Connect to a forward, from ``source``, send nothing, and return the `outcome`."""
        try:
            sock = self.connect(index, source=source)
        except ConnectionResetError:
            return "reset"  # it came faster than connect() returned
        with sock:
            return outcome(sock)

    @property
    def link(self) -> Any:
        """The link to the last gateway; a look inside."""
        chain = self.tunnel._links.chain
        assert chain is not None
        return chain.link

    @property
    def remotes(self) -> RemoteForwards:
        """The remote forwards of that link; a look inside."""
        remotes = self.tunnel._links.chain.remotes
        assert remotes is not None
        return remotes

    def wait_idle(self, timeout: float = 10.0) -> None:
        """Wait until the link holds no flow, channel or handshake: nothing has leaked."""
        link = self.link
        if not holds_within(
            lambda: not (link.flows or link.mux.channels or link.handshakes), timeout=timeout
        ):
            raise AssertionError(f"left: {link.flows} {link.mux.channels} {link.handshakes}")


def dial(address: Address, timeout: float = 20.0, *, source: str = "") -> socket.socket:
    """Return a socket connected to ``address``, from the address ``source``."""
    if isinstance(address, Endpoint):
        host = address.host.replace("*", "127.0.0.1").replace("0.0.0.0", "127.0.0.1")
        return socket.create_connection(
            (host, address.port), timeout, (source, 0) if source else None
        )
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    sock.connect(address.path)
    return sock


@contextlib.contextmanager
def tunnel(
    *gateways: TestGateway | Hop,
    forwards: tuple[ForwardSpec, ...] | list[ForwardSpec] = (),
    keepalive: Keepalive | None = None,
    drain: float = 0.0,
    **more: Any,
) -> Iterator[Run]:
    """Start a tunnel through ``gateways`` and stop it at the end."""
    run = make(*gateways, forwards=forwards, keepalive=keepalive, **more)
    run.tunnel.start()
    try:
        yield run
    finally:
        run.tunnel.stop(drain)


def make(
    *gateways: TestGateway | Hop,
    forwards: tuple[ForwardSpec, ...] | list[ForwardSpec] = (),
    keepalive: Keepalive | None = None,
    endurance: Endurance | None = None,
    limits: Limits | None = None,
    adapts: bool = False,
    **more: Any,
) -> Run:
    """Return a tunnel that has not been started; by default it ends with its link."""
    hops = tuple(each if isinstance(each, Hop) else each.hop() for each in gateways)
    plan = Plan(
        hops=hops,
        forwards=tuple(forwards),
        keepalive=keepalive or Keepalive(),
        endurance=endurance or Endurance(reconnect=False),
        limits=limits or Limits(),
        adapts=adapts,
    )
    events = Events()
    return Run(Tunnel(plan, observer=events, **more), events)


def local(to: Address, bind: Address | None = None) -> ForwardSpec:
    """Return a local forward to ``to``; by default from a free port of both loopbacks."""
    return ForwardSpec(ForwardKind.LOCAL, bind or Endpoint("", 0), to)


def dynamic(bind: Address | None = None) -> ForwardSpec:
    """Return a dynamic forward."""
    return ForwardSpec(ForwardKind.DYNAMIC, bind or Endpoint("", 0))


def remote(to: Address | None, bind: Address | None = None) -> ForwardSpec:
    """Return a remote forward to ``to``; by default from a port that the gateway chooses."""
    return ForwardSpec(ForwardKind.REMOTE, bind or Endpoint("", 0), to)


# ---------------------------------------------------------------- what clients do


def exchange(sock: socket.socket, data: bytes) -> bytes:
    """Send ``data`` and return as many bytes of the answer."""
    sock.sendall(data)
    return read_exactly(sock, len(data))


def read_exactly(sock: socket.socket, size: int) -> bytes:
    """Return ``size`` bytes.

    Raises:
        EOFError: the other side ended before.
    """
    data = io.BytesIO()
    while data.tell() < size:
        piece = sock.recv(size - data.tell())
        if not piece:
            raise EOFError(f"{data.tell()} of {size} bytes")
        data.write(piece)
    return data.getvalue()


def read_all(sock: socket.socket) -> bytes:
    """Return everything up to the FIN."""
    data = io.BytesIO()
    while piece := sock.recv(1 << 18):
        data.write(piece)
    return data.getvalue()


def outcome(sock: socket.socket) -> str:
    """Read to the end and say how it came: ``eof`` (a FIN) or ``reset``."""
    try:
        read_all(sock)
    except (ConnectionResetError, BrokenPipeError):
        return "reset"
    return "eof"


def unix(path: Path | str) -> UnixPath:
    """Return a unix socket's address."""
    return UnixPath(str(path))
