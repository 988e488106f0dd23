"""Running the command line in tests: with fakes in this process, or for real in another one."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netkit import events
from netkit.cli.main import run
from netkit.cli.services import Services
from netkit.errors import NetkitError
from netkit.model import Address, Endpoint, ForwardSpec, Hop, Plan, TunnelSpec

ROOT = Path(__file__).resolve().parents[2]
GATEWAY = "gw"


@dataclass
class FakeForward:
    spec: ForwardSpec
    addresses: tuple[Address, ...]


@dataclass
class FakeTunnel:
    """A tunnel that does what its test says; records how it was stopped.

    ``start_error`` and ``end_error`` are raised and returned; ``blocks`` makes ``start`` wait for
    ``stop``; ``deaf`` makes ``stop`` do nothing.  ``on_start`` is given the tunnel.
    """

    start_error: BaseException | None = None
    end_error: NetkitError | None = None
    blocks: bool = False
    deaf: bool = False
    stays: bool = False
    on_start: Callable[[FakeTunnel], None] = lambda _tunnel: None
    drains: list[float] = field(default_factory=list)
    started: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def __call__(self, plan, *, prompter, password, observer, x11=None):
        self.plan, self.prompter, self.password, self.observer = plan, prompter, password, observer
        self.x11 = x11
        return self

    @property
    def forwards(self) -> Sequence[FakeForward]:
        return [FakeForward(spec, (bound(spec.bind),)) for spec in self.plan.forwards]

    def start(self) -> None:
        self.started.set()
        self.on_start(self)
        if self.blocks:
            self.ended.wait()
        if self.start_error is not None:
            raise self.start_error

    def wait(self, timeout: float | None = None) -> NetkitError | None:
        if self.stays:
            self.ended.wait(timeout)
        return self.end_error

    def stop(self, drain: float = 5.0) -> None:
        self.drains.append(drain)
        if not self.deaf:
            self.ended.set()


def bound(address: Address) -> Address:
    """Return what a fake listens at: port 0 becomes 40000, no host 127.0.0.1."""
    if isinstance(address, Endpoint):
        return Endpoint(address.host or "127.0.0.1", address.port or 40000)
    return address


def plan_of(spec: TunnelSpec) -> Plan:
    """Return a plan without reading anything of this machine."""
    hop = Hop(alias=spec.gateway.host, host=spec.gateway.host, port=spec.port or 22, user="me")
    return Plan(hops=(hop,), forwards=spec.forwards, x11=spec.x11)


@dataclass(frozen=True)
class Outcome:
    """What a run printed and returned."""

    code: int
    out: str
    err: str


def run_cli(*argv: str, tunnel: Any = None, **services: Any) -> Outcome:
    """Run the command line in this process, with fakes; no stream is a terminal.

    Nothing is known of the network unless ``recall`` says so.
    """
    services.setdefault("recall", lambda _plan: None)
    services.setdefault("control", None)
    ports = Services(plan=services.pop("plan", plan_of), tunnel=tunnel or FakeTunnel(), **services)
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)  # click writes bytes as well
    err = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(argv, ports)
    out.seek(0)
    return Outcome(code, out.read(), err.getvalue())


LINK_UP = events.LinkUp(
    gateway=GATEWAY,
    hop=1,
    hops=1,
    server="OpenSSH_9.2",
    cipher="aes128-gcm@openssh.com",
    mac="implicit",
    kex="curve25519-sha256",
    compression="none",
    auth="publickey",
    seconds=0.25,
)


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return the environment of a user with ``home`` and nothing else of this machine's user."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return {**kept, "HOME": str(home), "PYTHONPATH": path, "LC_ALL": "C.UTF-8", **more}


@contextlib.contextmanager
def process(
    argv: Sequence[str], *, home: Path, tty: int | None = None, **options: Any
) -> Iterator[subprocess.Popen[str]]:
    """Start Python with ``argv`` in a session of its own; ends it afterwards.

    Without ``tty`` it has no controlling terminal, whatever the tests have.
    """

    def prepare() -> None:
        # A background job of a script has SIGINT ignored, and so would its children.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if tty is not None:
            import fcntl
            import termios

            fcntl.ioctl(tty, termios.TIOCSCTTY, 0)

    settings: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "env": environment(home),
        "text": True,
        **options,
    }
    # preexec_fn: nothing else resets an ignored signal or gives a terminal between fork and exec
    child = subprocess.Popen(
        [sys.executable, *argv],
        start_new_session=True,
        preexec_fn=prepare,  # noqa: PLW1509 - there is no thread of ours that could hold a lock
        **settings,
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        child.wait()
