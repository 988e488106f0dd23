"""A machine and its SSH whose every question goes through one function, by name.

`AskedSystem` and `AskedSsh` are the ports of `diagnostics.system` and `diagnostics.ssh` in terms
of ``_ask``: a recorder asks another machine and notes the answer, a recording looks it up.
"""

from __future__ import annotations

from typing import Any, Protocol

from diagnostics import ssh as s
from diagnostics import system as y
from netkit.model import Address, Endpoint


class AskedSystem(y.System, Protocol):
    """A machine in terms of `_ask`."""

    def _ask(self, method: str, /, **arguments: Any) -> Any:
        """Return the answer to ``method`` with these arguments."""

    def account(self) -> y.Account:
        answer: y.Account = self._ask("account")
        return answer

    def variable(self, name: str) -> str | None:
        answer: str | None = self._ask("variable", name=name)
        return answer

    def clocks(self) -> y.Clocks:
        answer: y.Clocks = self._ask("clocks")
        return answer

    def read(self, path: str, limit: int = y.MAX_READ) -> y.FileRead:
        answer: y.FileRead = self._ask("read", path=path, limit=limit)
        return answer

    def stat(self, path: str) -> y.FileStat:
        answer: y.FileStat = self._ask("stat", path=path)
        return answer

    def list_dir(self, path: str, limit: int = 1000) -> tuple[str, ...]:
        answer: tuple[str, ...] = self._ask("list_dir", path=path, limit=limit)
        return answer

    def run(self, argv: tuple[str, ...], timeout: float = 3.0) -> y.ToolOutput:
        answer: y.ToolOutput = self._ask("run", argv=argv, timeout=timeout)
        return answer

    def sockets(self) -> y.SocketTable:
        answer: y.SocketTable = self._ask("sockets")
        return answer

    def process(self, pid: int) -> y.ProcessInfo | None:
        answer: y.ProcessInfo | None = self._ask("process", pid=pid)
        return answer

    def user_name(self, uid: int) -> str:
        answer: str = self._ask("user_name", uid=uid)
        return answer

    def interfaces(self) -> tuple[y.Interface, ...]:
        answer: tuple[y.Interface, ...] = self._ask("interfaces")
        return answer

    def default_routes(self) -> tuple[y.DefaultRoute, ...]:
        answer: tuple[y.DefaultRoute, ...] = self._ask("default_routes")
        return answer

    def source_address(self, destination: str) -> str:
        answer: str = self._ask("source_address", destination=destination)
        return answer

    def resolve(self, name: str, family: str = "any", timeout: float = 3.0) -> y.Resolution:
        answer: y.Resolution = self._ask("resolve", name=name, family=family, timeout=timeout)
        return answer

    def bind(self, address: Endpoint) -> y.BindResult:
        answer: y.BindResult = self._ask("bind", address=address)
        return answer

    def connect_back(self, address: Endpoint, size: int = 0, timeout: float = 2.0) -> y.ConnectBack:
        answer: y.ConnectBack = self._ask(
            "connect_back", address=address, size=size, timeout=timeout
        )
        return answer

    def connect(self, address: Endpoint, timeout: float = 5.0) -> y.Connected:
        answer: y.Connected = self._ask("connect", address=address, timeout=timeout)
        return answer

    def talk(
        self,
        address: Address,
        send: bytes = b"",
        *,
        receive: int = 4096,
        timeout: float = 3.0,
        shut: bool = False,
    ) -> y.Talk:
        answer: y.Talk = self._ask(
            "talk", address=address, send=send, receive=receive, timeout=timeout, shut=shut
        )
        return answer


class AskedSsh(s.Ssh, Protocol):
    """SSH in terms of `_ask`."""

    def _ask(self, method: str, /, **arguments: Any) -> Any:
        """Return the answer to ``method`` with these arguments."""

    def route(self) -> s.Route:
        answer: s.Route = self._ask("route")
        return answer

    def login(self) -> s.Login:
        answer: s.Login = self._ask("login")
        return answer

    def run(self, command: str, timeout: float = 10.0) -> s.RemoteOutput:
        answer: s.RemoteOutput = self._ask("run", command=command, timeout=timeout)
        return answer

    def sessions(self, count: int) -> int:
        answer: int = self._ask("sessions", count=count)
        return answer

    def open(
        self, target: Address, timeout: float = 10.0, *, send: bytes = b"", receive: int = 0
    ) -> s.Opened:
        answer: s.Opened = self._ask(
            "open", target=target, timeout=timeout, send=send, receive=receive
        )
        return answer

    def listen(self, bind: Address, knocks: tuple[s.Knock, ...] = ()) -> s.Listened:
        answer: s.Listened = self._ask("listen", bind=bind, knocks=knocks)
        return answer

    def x11(self, command: str = "", timeout: float = 10.0) -> s.X11Answer:
        answer: s.X11Answer = self._ask("x11", command=command, timeout=timeout)
        return answer

    def half_close(self) -> s.HalfClose:
        answer: s.HalfClose = self._ask("half_close")
        return answer

    def keepalive(self, timeout: float = 5.0) -> s.Answered:
        answer: s.Answered = self._ask("keepalive", timeout=timeout)
        return answer

    def server_keepalives(self) -> int:
        answer: int = self._ask("server_keepalives")
        return answer

    def agent(self) -> s.AgentFacts:
        answer: s.AgentFacts = self._ask("agent")
        return answer

    def key_file(self, path: str) -> s.KeyFileFacts:
        answer: s.KeyFileFacts = self._ask("key_file", path=path)
        return answer

    def idle(
        self, times: tuple[float, ...], modes: tuple[str, ...], progress: s.Progress
    ) -> s.IdleRun:
        answer: s.IdleRun = self._ask("idle", times=times, modes=modes, progress=progress)
        return answer
