"""What the commands need of the rest of netkit, as ports; the real ones load on first use.

A test passes its own: ``run(argv, Services(tunnel=FakeTunnel))``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from diagnostics.system import System
    from netkit.cli.naming import Naming
    from netkit.cli.tunnel_job import Watcher
    from netkit.desktop.display import LocalDisplay
    from netkit.engine.tunnel import Lending
    from netkit.engine.x11 import XServer
    from netkit.errors import NetkitError
    from netkit.events import Event, KeepaliveTightened
    from netkit.model import Address, Endpoint, ForwardSpec, Plan, TunnelSpec, X11Trust
    from netkit.prompt import Prompter
    from netkit.text.networks import Timeout

    Observer = Callable[[Event], None]


class ForwardLike(Protocol):
    """A forward of a started tunnel: where it really listens."""

    @property
    def spec(self) -> ForwardSpec: ...
    @property
    def addresses(self) -> tuple[Address, ...]: ...


class TunnelLike(Protocol):
    """What the commands use of ``netkit.engine.tunnel.Tunnel``."""

    @property
    def forwards(self) -> Sequence[ForwardLike]: ...
    def start(self) -> None: ...
    def wait(self, timeout: float | None = None) -> NetkitError | None: ...
    def stop(self, drain: float = 5.0) -> None: ...


class GatewayLike(Protocol):
    """What the commands use of ``netkit.engine.gateway.GatewayServer``."""

    @property
    def address(self) -> Endpoint: ...
    @property
    def host_key_line(self) -> str: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


class TunnelMaker(Protocol):
    """The constructor of ``Tunnel``."""

    def __call__(
        self,
        plan: Plan,
        *,
        prompter: Prompter | None,
        password: str | None,
        observer: Observer | None,
        x11: Lending | None = None,
    ) -> TunnelLike: ...


class GatewayMaker(Protocol):
    """The constructor of ``GatewayServer``."""

    def __call__(
        self,
        *,
        host: str,
        port: int,
        authorized_keys: Sequence[str],
        password: str | None,
        allow: tuple[Endpoint, ...] | None,
        observer: Observer | None,
    ) -> GatewayLike: ...


class MachineMaker(Protocol):
    """Makes the machine that the doctor examines, and the gateway of ``spec`` with it."""

    def __call__(
        self,
        spec: TunnelSpec | None,
        *,
        prompter: Prompter | None,
        password: str | None,
        progress: Callable[[str], None] | None,
    ) -> System: ...


def _plan(spec: TunnelSpec) -> Plan:
    from netkit.environment import plan_of

    return plan_of(spec)


def _tunnel(
    plan: Plan,
    *,
    prompter: Prompter | None,
    password: str | None,
    observer: Observer | None,
    x11: Lending | None = None,
) -> TunnelLike:
    from netkit.engine.tunnel import Tunnel

    return Tunnel(plan, prompter=prompter, password=password, observer=observer, x11=x11)


def _gateway(
    *,
    host: str,
    port: int,
    authorized_keys: Sequence[str],
    password: str | None,
    allow: tuple[Endpoint, ...] | None,
    observer: Observer | None,
) -> GatewayLike:
    from netkit.engine.gateway import GatewayServer

    return GatewayServer(
        host=host,
        port=port,
        authorized_keys=authorized_keys,
        password=password,
        allow=allow,
        observer=observer,
    )


def _machine(
    spec: TunnelSpec | None,
    *,
    prompter: Prompter | None,
    password: str | None,
    progress: Callable[[str], None] | None,
) -> System:
    from diagnostics.real_system import RealSystem
    from netkit.doctor.gateway import GatewayExaminer

    return RealSystem(GatewayExaminer(spec, prompter=prompter, password=password), progress)


def _display(trust: X11Trust) -> LocalDisplay:
    from netkit.desktop.display import find

    return find(trust)


def _where() -> XServer:
    from netkit.desktop.display import where

    return where()


def _recall(plan: Plan) -> Timeout | None:
    from netkit.cli.keepalive import recall

    return recall(plan)


def _learn(event: KeepaliveTightened) -> None:
    from netkit.cli.keepalive import learn

    learn(event)


class ControlMaker(Protocol):
    """Makes what answers for a tunnel while it runs, and ends it when asked to."""

    def __call__(
        self, naming: Naming, gateway: str, end: Callable[[float | None], None]
    ) -> Watcher: ...


def _control(naming: Naming, gateway: str, end: Callable[[float | None], None]) -> Watcher:
    from netkit.cli.controlled import Control

    return Control(naming, gateway, end)


@dataclass(frozen=True, slots=True)
class Services:
    """The ports, with the real implementations as defaults."""

    plan: Callable[[TunnelSpec], Plan] = _plan
    tunnel: TunnelMaker = _tunnel
    gateway: GatewayMaker = _gateway
    machine: MachineMaker = _machine
    recall: Callable[[Plan], Timeout | None] = _recall
    learn: Callable[[KeepaliveTightened], None] = _learn
    display: Callable[[X11Trust], LocalDisplay] = _display
    where: Callable[[], XServer] = _where
    control: ControlMaker | None = _control
