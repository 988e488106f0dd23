"""Machines and gateways made of answers, for the tests of probes: no socket, no process.

    FakeSystem(files={"/etc/hosts": b"127.0.0.1 localhost\\n"}, tools={("ss", "-tln"): "..."})

Each answer has a default that a healthy Linux machine would give; a test overrides what it is
about.  A function in place of an answer is called with the arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from diagnostics import ssh as s
from diagnostics import system as y
from netkit.model import Endpoint

LOOPBACK = y.Interface(
    "lo",
    is_up=True,
    mtu=65536,
    addresses=(
        y.InterfaceAddress("inet", "127.0.0.1", "255.0.0.0"),
        y.InterfaceAddress("inet6", "::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ),
    is_loopback=True,
)
ETHERNET = y.Interface(
    "eth0",
    is_up=True,
    mtu=1500,
    addresses=(y.InterfaceAddress("inet", "192.0.2.10", "255.255.255.0"),),
)
HOSTS = b"127.0.0.1 localhost\n::1 localhost ip6-localhost\n127.0.1.1 host.example host\n"
ACCOUNT = y.Account("me", 1000, "/home/me", is_admin=False, hostname="host", system="Linux 6.1")


def listening(host: str, port: int, pid: int | None = None, uid: int | None = 1000) -> y.SocketRow:
    """Return the row of a listener."""
    return y.SocketRow(host, port, "LISTEN", pid=pid, uid=uid)


def _answer(given: Any, *arguments: Any) -> Any:
    return given(*arguments) if callable(given) else given


class FakeSystem:
    """A machine whose answers are given; keys of the mappings are what the method is asked."""

    def __init__(
        self,
        os: str = "linux",
        *,
        ssh: Any = None,
        account: y.Account = ACCOUNT,
        variables: Mapping[str, str] | None = None,
        files: Mapping[str, bytes | y.FileRead] | None = None,
        stats: Mapping[str, y.FileStat] | None = None,
        directories: Mapping[str, tuple[str, ...]] | None = None,
        tools: Mapping[tuple[str, ...], str | y.ToolOutput] | Callable[..., Any] | None = None,
        sockets: y.SocketTable = y.SocketTable(),
        processes: Mapping[int, y.ProcessInfo] | None = None,
        users: Mapping[int, str] | None = None,
        interfaces: tuple[y.Interface, ...] = (LOOPBACK, ETHERNET),
        routes: tuple[y.DefaultRoute, ...] = (y.DefaultRoute("inet", "192.0.2.1", "eth0"),),
        source: str | Callable[[str], str] = "192.0.2.10",
        names: Mapping[str, y.Resolution | tuple[str, ...]] | Callable[..., Any] | None = None,
        bind: Callable[[Endpoint], y.BindResult] | None = None,
        back: Callable[..., y.ConnectBack] | None = None,
        connect: Callable[..., y.Connected] | None = None,
        talk: Callable[..., y.Talk] | None = None,
        clocks: y.Clocks = y.Clocks(1_800_000_000.0, 1000.0, 1000.0),
    ) -> None:
        self.os = os
        self.ssh = ssh or FakeSsh()
        self.said: list[str] = []
        self._account = account
        self._variables = dict(variables or {})
        self._files = {"/etc/hosts": HOSTS, **(files or {})}
        self._stats = dict(stats or {})
        self._directories = dict(directories or {})
        self._tools = tools if tools is not None else {}
        self._sockets = sockets
        self._processes = dict(processes or {})
        self._users = {0: "root", 1000: "me", **(users or {})}
        self._interfaces = interfaces
        self._routes = routes
        self._source = source
        self._names = (
            names
            if callable(names)
            else {"localhost": ("::1", "127.0.0.1"), "host": ("127.0.1.1",), **(names or {})}
        )
        self._bind = bind
        self._back = back
        self._connect = connect
        self._talk = talk
        self._clocks = clocks

    def progress(self, text: str) -> None:
        self.said.append(text)

    def account(self) -> y.Account:
        return self._account

    def variable(self, name: str) -> str | None:
        return self._variables.get(name)

    def clocks(self) -> y.Clocks:
        return self._clocks

    def read(self, path: str, limit: int = y.MAX_READ) -> y.FileRead:
        found = self._files.get(path)
        if found is None:
            return y.FileRead(path, "ENOENT")
        if isinstance(found, y.FileRead):
            return found
        return y.FileRead(path, "", found[:limit], truncated=len(found) > limit)

    def stat(self, path: str) -> y.FileStat:
        if path in self._stats:
            return self._stats[path]
        data = self._files.get(path)
        if isinstance(data, bytes):
            return y.FileStat(path, "file", 0o600, self._account.uid, len(data))
        if path in self._directories:
            return y.FileStat(path, "directory", 0o700, self._account.uid)
        return y.FileStat(path, error="ENOENT")

    def list_dir(self, path: str, limit: int = 1000) -> tuple[str, ...]:
        return self._directories.get(path, ())[:limit]

    def run(self, argv: tuple[str, ...], timeout: float = 3.0) -> y.ToolOutput:
        found = self._tools(argv) if callable(self._tools) else self._tools.get(argv)
        if found is None:
            return y.ToolOutput(argv, "missing")
        if isinstance(found, str):
            return y.ToolOutput(argv, "ran", 0, found.encode())
        return replace(found, argv=argv)

    def sockets(self) -> y.SocketTable:
        return self._sockets

    def process(self, pid: int) -> y.ProcessInfo | None:
        return self._processes.get(pid)

    def user_name(self, uid: int) -> str:
        return self._users.get(uid, str(uid))

    def interfaces(self) -> tuple[y.Interface, ...]:
        return self._interfaces

    def default_routes(self) -> tuple[y.DefaultRoute, ...]:
        return self._routes

    def source_address(self, destination: str) -> str:
        return str(_answer(self._source, destination))

    def resolve(self, name: str, family: str = "any", timeout: float = 3.0) -> y.Resolution:
        found = self._names(name, family) if callable(self._names) else self._names.get(name)
        if found is None:
            return y.Resolution(name, error="EAI_NONAME", text="Name or service not known")
        if isinstance(found, y.Resolution):
            return found
        wanted = {"inet": lambda a: ":" not in a, "inet6": lambda a: ":" in a}.get(family)
        return y.Resolution(name, tuple(a for a in found if wanted is None or wanted(a)))

    def bind(self, address: Endpoint) -> y.BindResult:
        if self._bind is not None:
            return self._bind(address)
        return y.BindResult(address, bound=replace(address, port=address.port or 40001))

    def connect_back(self, address: Endpoint, size: int = 0, timeout: float = 2.0) -> y.ConnectBack:
        if self._back is not None:
            return self._back(address, size)
        return y.ConnectBack(address, "ok", bound=replace(address, port=address.port or 40001))

    def connect(self, address: Endpoint, timeout: float = 5.0) -> y.Connected:
        if self._connect is not None:
            return self._connect(address)
        return y.Connected(address, "ok", local=Endpoint("192.0.2.10", 50000), seconds=0.01)

    def talk(
        self,
        address: Any,
        send: bytes = b"",
        *,
        receive: int = 4096,
        timeout: float = 3.0,
        shut: bool = False,
    ) -> y.Talk:
        if self._talk is not None:
            return self._talk(address, send)
        return y.Talk(address, "refused", error="ECONNREFUSED")


HOP = s.HopFacts(
    alias="gw",
    host="gw.example",
    user="me",
    name="gw.example",
    known_hosts=("/home/me/.ssh/known_hosts",),
    auth_methods=("publickey", "keyboard-interactive", "password"),
)
OFFER = s.Algorithms(
    kex=("curve25519-sha256", "kex-strict-s-v00@openssh.com"),
    host_keys=("ssh-ed25519",),
    ciphers=("aes128-gcm@openssh.com",),
    macs=("hmac-sha2-256-etm@openssh.com",),
    compression=("none", "zlib@openssh.com"),
)
LOGIN = s.Login(
    stage="done",
    hop="gw",
    server="SSH-2.0-OpenSSH_9.2p1",
    ours=OFFER,
    theirs=OFFER,
    kex="curve25519-sha256",
    host_key_algorithm="ssh-ed25519",
    cipher="aes128-gcm@openssh.com",
    compression="none",
    strict_kex=True,
    host_key_type="ssh-ed25519",
    host_key="SHA256:AAAA",
    methods=("publickey",),
    auth="publickey ED25519 SHA256:BBBB",
    local=Endpoint("192.0.2.10", 50000),
    peer=Endpoint("198.51.100.1", 22),
    seconds=0.1,
    seconds_tcp=0.01,
)


class FakeSsh:
    """A gateway whose answers are given; the default is one where everything works."""

    def __init__(
        self,
        *,
        route: s.Route = s.Route(hops=(HOP,), keepalive_interval=30.0),
        login: s.Login = LOGIN,
        run: Mapping[str, str | s.RemoteOutput] | Callable[[str], Any] | None = None,
        sessions: int | Callable[[int], int] = 10,
        opened: Callable[..., s.Opened] | None = None,
        listen: Callable[..., s.Listened] | None = None,
        x11: s.X11Answer | Callable[[str], s.X11Answer] = s.X11Answer(outcome="granted"),
        half_close: s.HalfClose = s.HalfClose(outcome="kept"),
        keepalive: s.Answered = s.Answered(outcome="ok", seconds=0.01),
        server_keepalives: int = 0,
        agent: s.AgentFacts = s.AgentFacts(outcome="none"),
        keys: Mapping[str, s.KeyFileFacts] | None = None,
        idle: Callable[..., s.IdleRun] | s.IdleRun = s.IdleRun(),
    ) -> None:
        self._route = route
        self._login = login
        self._run = run if run is not None else {}
        self._sessions = sessions
        self._open = opened
        self._listen = listen
        self._x11 = x11
        self._half_close = half_close
        self._keepalive = keepalive
        self._server_keepalives = server_keepalives
        self._agent = agent
        self._keys = dict(keys or {})
        self._idle = idle

    def route(self) -> s.Route:
        return self._route

    def login(self) -> s.Login:
        return self._login

    def run(self, command: str, timeout: float = 10.0) -> s.RemoteOutput:
        found = self._run(command) if callable(self._run) else self._run.get(command)
        if found is None:
            return s.RemoteOutput(command=command, outcome="ran", status=127)
        if isinstance(found, str):
            return s.RemoteOutput(command=command, outcome="ran", status=0, stdout=found.encode())
        return found

    def sessions(self, count: int) -> int:
        return self._sessions(count) if callable(self._sessions) else min(count, self._sessions)

    def open(
        self, target: Any, timeout: float = 10.0, *, send: bytes = b"", receive: int = 0
    ) -> s.Opened:
        if self._open is not None:
            return self._open(target)
        return s.Opened(target=target, outcome="ok", seconds=0.01)

    def listen(self, bind: Any, knocks: tuple[s.Knock, ...] = ()) -> s.Listened:
        if self._listen is not None:
            return self._listen(bind, knocks)
        port = getattr(bind, "port", 0) or 40000
        made = tuple(replace(knock, outcome="arrived") for knock in knocks)
        return s.Listened(bind=bind, outcome="ok", port=port, knocks=made)

    def x11(self, command: str = "", timeout: float = 10.0) -> s.X11Answer:
        answer: s.X11Answer = _answer(self._x11, command)
        return answer

    def half_close(self) -> s.HalfClose:
        return self._half_close

    def keepalive(self, timeout: float = 5.0) -> s.Answered:
        return self._keepalive

    def server_keepalives(self) -> int:
        return self._server_keepalives

    def agent(self) -> s.AgentFacts:
        return self._agent

    def key_file(self, path: str) -> s.KeyFileFacts:
        return self._keys.get(path, s.KeyFileFacts(path=path, error_code="no-key-file"))

    def idle(self, times: Any, modes: Any, progress: Any) -> s.IdleRun:
        return self._idle(times, modes, progress) if callable(self._idle) else self._idle

    def cancel(self) -> None:
        pass

    def close(self) -> None:
        pass
