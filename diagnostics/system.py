"""What probes may ask of a machine: the port between probes and the operating system.

Answers are frozen values of plain types, so that a whole machine can be recorded and played back
(`diagnostics.recorded`).  No method raises for what a machine can do wrong: a missing file, a tool
that hangs or a refused bind is an answer.  Every wait is bounded by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from diagnostics.ssh import Ssh
from netkit.model import Address, Endpoint

MAX_READ = 1 << 20
"""Bytes read of one file unless more is asked for."""

MAX_OUTPUT = 4 << 20
"""Bytes kept of what one tool prints."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs this, and where.  ``uid`` is None on Windows; ``system`` is like ``uname -sr``."""

    user: str
    uid: int | None
    home: str
    is_admin: bool
    hostname: str
    system: str = ""


@dataclass(frozen=True, slots=True)
class FileRead:
    """A file's beginning.  ``error`` is empty, or an errno name (``ENOENT``, ``EACCES``, …)."""

    path: str
    error: str = ""
    data: bytes = b""
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class FileStat:
    """``kind`` is ``file``, ``directory``, ``socket``, ``fifo``, ``link``, ``other`` or ""
    (absent).

    A link is followed; ``link`` is a dangling one.  ``mode`` holds the permission bits; ``uid`` is
    None on Windows.
    """

    path: str
    kind: str = ""
    mode: int = 0
    uid: int | None = None
    size: int = 0
    modified: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What running a tool gave.

    ``outcome`` is ``ran`` (see ``status``), ``missing``, ``denied``, ``timed-out`` or ``failed``.
    """

    argv: tuple[str, ...]
    outcome: str
    status: int | None = None
    stdout: bytes = b""
    stderr: bytes = b""

    @property
    def text(self) -> str:
        """Standard output as text; undecodable bytes are replaced."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def ok(self) -> bool:
        """Whether it ran and ended with 0."""
        return self.outcome == "ran" and self.status == 0


@dataclass(frozen=True, slots=True)
class SocketRow:
    """One TCP socket of the machine's table.

    ``state`` is as in RFC 9293, upper case with underscores (``LISTEN``, ``TIME_WAIT``).  A
    wildcard host is ``0.0.0.0`` or ``::``.  ``pid`` and ``uid`` are None where this user may not
    know.
    """

    host: str
    port: int
    state: str
    peer_host: str = ""
    peer_port: int = 0
    pid: int | None = None
    uid: int | None = None


@dataclass(frozen=True, slots=True)
class SocketTable:
    """All TCP sockets of this network namespace.

    ``complete`` is False where sockets of others are missing from ``rows`` (macOS without root),
    ``owners`` is False where some rows have an owner that this user may not know.  ``error`` says
    why there are no rows at all.
    """

    rows: tuple[SocketRow, ...] = ()
    complete: bool = True
    owners: bool = True
    error: str = ""


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """A process.  ``services`` are the Windows services in it; ``started`` is epoch seconds."""

    pid: int
    name: str = ""
    command: tuple[str, ...] = ()
    user: str = ""
    executable: str = ""
    started: float = 0.0
    parent: int | None = None
    services: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """An address of an interface; ``family`` is ``inet``, ``inet6`` or ``link``."""

    family: str
    address: str
    netmask: str = ""


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface.  ``mtu`` 0: unknown."""

    name: str
    is_up: bool
    mtu: int = 0
    addresses: tuple[InterfaceAddress, ...] = ()
    is_loopback: bool = False


@dataclass(frozen=True, slots=True)
class DefaultRoute:
    """A default gateway of this machine (a router, no SSH server)."""

    family: str
    router: str
    interface: str
    is_default: bool = True


@dataclass(frozen=True, slots=True)
class Resolution:
    """What the system's resolver says.

    ``addresses`` are IP literals in its order.  ``error`` is empty, ``EAI_NONAME``-like,
    ``timeout`` or ``invalid``.
    """

    name: str
    addresses: tuple[str, ...] = ()
    error: str = ""
    text: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class BindResult:
    """Binding and listening for a moment.

    ``error`` is empty or an errno name in POSIX spelling (``EADDRINUSE``, ``EACCES``,
    ``EADDRNOTAVAIL``); ``number`` the raw code (10013 on Windows).  ``bound`` is what getsockname()
    said.
    """

    address: Endpoint
    error: str = ""
    number: int = 0
    bound: Endpoint | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ConnectBack:
    """Listening on an address, connecting to it and exchanging a nonce through it.

    ``outcome`` is ``ok``; ``bind-failed`` or ``connect-failed`` (see ``error``); ``timed-out``;
    ``someone-else`` (a listener that does not know our nonce answered); ``wrong-data``; ``stalled``
    (small data passed, ``size`` bytes did not).
    """

    address: Endpoint
    outcome: str
    error: str = ""
    bound: Endpoint | None = None
    size: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Connected:
    """A TCP connection that was made and closed again.

    ``outcome`` is ``ok``, ``refused``, ``timed-out``, ``unreachable``, ``reset``, ``denied`` or
    ``failed``; ``error`` the errno name.  ``local`` is our side's address.  ``path_mtu`` 0:
    unknown.
    """

    address: Endpoint
    outcome: str
    error: str = ""
    local: Endpoint | None = None
    seconds: float = 0.0
    path_mtu: int = 0


@dataclass(frozen=True, slots=True)
class Talk:
    """What a peer said: bytes received until ``receive`` of them, its end, or the time limit.

    ``outcome`` is that of the connect when that failed, else ``ok`` (it closed, or enough came),
    ``timed-out`` (with what had come) or ``reset``.
    """

    address: Address
    outcome: str
    data: bytes = b""
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Clocks:
    """Seconds: ``wall`` since the epoch, ``monotonic``, and ``boot`` which counts suspends too.

    ``boot`` is None where the system has no such clock.
    """

    wall: float
    monotonic: float
    boot: float | None


class System(Protocol):
    """A machine.  The real one is `diagnostics.real_system`; threads may share it."""

    @property
    def os(self) -> str:
        """``linux``, ``darwin``, ``windows``, ``freebsd``, or what Python's sys.platform says."""

    @property
    def ssh(self) -> Ssh:
        """What can be asked of the gateway, the agent and the SSH configuration."""

    def progress(self, text: str) -> None:
        """Tell whoever watches what a long wait is for."""

    def account(self) -> Account: ...

    def variable(self, name: str) -> str | None:
        """Return an environment variable."""

    def clocks(self) -> Clocks: ...

    # files

    def read(self, path: str, limit: int = MAX_READ) -> FileRead:
        """Read the beginning of a regular file (also of /proc); never waits on a pipe."""

    def stat(self, path: str) -> FileStat: ...

    def list_dir(self, path: str, limit: int = 1000) -> tuple[str, ...]:
        """Return the sorted names in a directory, none where it cannot be read."""

    # tools

    def run(self, argv: tuple[str, ...], timeout: float = 3.0) -> ToolOutput:
        """Run a tool in the C locale with nothing on its standard input; no shell."""

    # what the machine holds

    def sockets(self) -> SocketTable: ...

    def process(self, pid: int) -> ProcessInfo | None: ...

    def user_name(self, uid: int) -> str:
        """Return the login name of ``uid``, or the number."""

    def interfaces(self) -> tuple[Interface, ...]: ...

    def default_routes(self) -> tuple[DefaultRoute, ...]: ...

    def source_address(self, destination: str) -> str:
        """Return the address this machine would use towards an IP literal; empty: no route.

        Sends nothing.
        """

    # what the network does

    def resolve(self, name: str, family: str = "any", timeout: float = 3.0) -> Resolution:
        """Ask the system's resolver; ``family`` is ``any``, ``inet`` or ``inet6``."""

    def bind(self, address: Endpoint) -> BindResult:
        """Bind as a forward would (IPV6_V6ONLY; exclusive on Windows), listen, close.

        ``address.host`` is an IP literal; port 0 lets the system choose.
        """

    def connect_back(self, address: Endpoint, size: int = 0, timeout: float = 2.0) -> ConnectBack:
        """Listen on ``address``, connect to it and pass a nonce, then ``size`` bytes, through
        it."""

    def connect(self, address: Endpoint, timeout: float = 5.0) -> Connected:
        """Connect to an IP literal and close."""

    def talk(
        self,
        address: Address,
        send: bytes = b"",
        *,
        receive: int = 4096,
        timeout: float = 3.0,
        shut: bool = False,
    ) -> Talk:
        """Connect (TCP to an IP literal, or a unix socket; ``\\0name`` is an abstract one), send,
        read.

        ``shut`` half-closes after sending.
        """
