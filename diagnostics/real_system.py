"""The machine that this process runs on, as `diagnostics.system.System`.

Every question is bounded in time and size, and none raises for what the machine does wrong.
Nothing is changed: what is bound or opened is closed at once.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from diagnostics.parsers.secrets import without_url_password
from diagnostics.real import account, dialing, files, names, network, tables, tools
from diagnostics.real.connect_back import connect_back
from diagnostics.real.processes import Services, process
from diagnostics.ssh import Ssh
from diagnostics.system import (
    MAX_READ,
    Account,
    BindResult,
    Clocks,
    ConnectBack,
    Connected,
    DefaultRoute,
    FileRead,
    FileStat,
    Interface,
    ProcessInfo,
    Resolution,
    SocketTable,
    Talk,
    ToolOutput,
)
from netkit.model import Address, Endpoint

_TABLE_TOOLS = 5.0
"""Seconds for a tool that lists sockets or routes."""

_SYSTEMS = {"win32": "windows", "linux": "linux", "darwin": "darwin"}


class RealSystem:
    """This machine; threads may share it."""

    def __init__(self, ssh: Ssh, on_progress: Callable[[str], None] | None = None) -> None:
        """``on_progress`` is told what a long wait is for."""
        self._ssh = ssh
        self._on_progress = on_progress
        self._services = Services()
        self._sockets = tables.of_this_system(self._list)
        self._lock = threading.Lock()
        self._ports: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)

    @property
    def os(self) -> str:
        """What kind of system it is."""
        platform = sys.platform
        return "freebsd" if platform.startswith("freebsd") else _SYSTEMS.get(platform, platform)

    @property
    def ssh(self) -> Ssh:
        """What was handed in."""
        return self._ssh

    def progress(self, text: str) -> None:
        """Tell whoever watches what a long wait is for."""
        if self._on_progress is not None:
            self._on_progress(text)

    def account(self) -> Account:
        """Return who runs this, and where."""
        return account.account()

    def variable(self, name: str) -> str | None:
        """Return an environment variable; the password in a URL is masked."""
        try:
            value = os.environ.get(name)
        except (ValueError, UnicodeError):
            return None
        return None if value is None else without_url_password(value)

    def clocks(self) -> Clocks:
        """Read the clocks."""
        return account.clocks()

    # files

    def read(self, path: str, limit: int = MAX_READ) -> FileRead:
        """Read the beginning of a regular file, without the secret part of a private key."""
        return files.read(path, limit)

    def stat(self, path: str) -> FileStat:
        """Return what is at ``path``."""
        return files.look(path)

    def list_dir(self, path: str, limit: int = 1000) -> tuple[str, ...]:
        """Return the sorted names in a directory, none where it cannot be read."""
        return files.names_in(path, limit)

    # tools

    def run(self, argv: tuple[str, ...], timeout: float = 3.0) -> ToolOutput:
        """Run a tool; one that hangs ends with everything it started."""
        return tools.run(argv, timeout)

    def _list(self, argv: tuple[str, ...]) -> ToolOutput:
        return tools.run(argv, _TABLE_TOOLS)

    # what the machine holds

    def sockets(self) -> SocketTable:
        """Return all TCP sockets, read after this call."""
        return self._sockets()

    def process(self, pid: int) -> ProcessInfo | None:
        """Return what this user may know of a process."""
        return process(pid, self._services)

    def user_name(self, uid: int) -> str:
        """Return the login name of ``uid``, or the number."""
        return account.user_name(uid)

    def interfaces(self) -> tuple[Interface, ...]:
        """Return every interface."""
        return network.interfaces()

    def default_routes(self) -> tuple[DefaultRoute, ...]:
        """Return the default routes, those in force first."""
        return network.default_routes(self._list)

    def source_address(self, destination: str) -> str:
        """Return the address of ours towards an IP literal; sends nothing."""
        return network.source_address(destination)

    # what the network does

    def resolve(self, name: str, family: str = "any", timeout: float = 3.0) -> Resolution:
        """Ask the system's resolver."""
        return names.resolve(name, family, timeout)

    def bind(self, address: Endpoint) -> BindResult:
        """Bind as a forward would, listen, close."""
        with self._alone(address.port):
            return dialing.bind(address)

    def connect_back(self, address: Endpoint, size: int = 0, timeout: float = 2.0) -> ConnectBack:
        """Listen, connect to it, and pass a nonce and ``size`` bytes through."""
        with self._alone(address.port):
            return connect_back(address, size, timeout)

    @contextmanager
    def _alone(self, port: int) -> Iterator[None]:
        """Let no other check bind the port meanwhile: it would look taken."""
        if not port:
            yield
            return
        with self._lock:
            lock = self._ports[port]
        with lock:
            yield

    def connect(self, address: Endpoint, timeout: float = 5.0) -> Connected:
        """Connect to an IP literal and close."""
        return dialing.connect(address, timeout)

    def talk(
        self,
        address: Address,
        send: bytes = b"",
        *,
        receive: int = 4096,
        timeout: float = 3.0,
        shut: bool = False,
    ) -> Talk:
        """Connect, send, and read what comes back."""
        return dialing.talk(address, send, receive, timeout, shut=shut)
