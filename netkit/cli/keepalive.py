"""``--keepalive auto``: what was learnt of this network decides.

``netkit doctor --nat`` measures it, and a link that broke as one does behind a NAT tells of it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from netkit.errors import NetkitError
from netkit.events import Event, KeepaliveTightened
from netkit.model import Keepalive
from netkit.text.networks import way_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from diagnostics.model import Remembered, Report
    from diagnostics.system import System
    from netkit.cli.services import Services, TunnelLike
    from netkit.model import Plan, TunnelSpec
    from netkit.text.networks import Timeout

_DAY: Final = 86400.0
_CHECK: Final = "nat-timeout"
_TRAFFIC: Final = "traffic"
_PATIENCE: Final = 2.0


def automatic(plan: Plan, known: Timeout | None, *, counted: bool) -> Plan:
    """Return ``plan`` with the keepalive that suits ``known``, and a warning that tells of it.

    ``counted`` says that the number of unanswered ones was asked for, and is not to be changed.
    """
    from diagnostics.keepalives import DEFAULT_INTERVAL, count_for

    count = plan.keepalive.count
    if known is None:
        interval = float(DEFAULT_INTERVAL)
        gateway = plan.hops[-1].alias
        text = (
            f"nothing is known of this network's idle timeout: a keepalive is sent every"
            f" {interval:g} s (netkit doctor {gateway} --nat measures it)"
        )
    else:
        interval = known.interval
        count = count if counted else max(count, count_for(interval))
        text = f"a keepalive is sent every {interval:g} s: {_measured(known)}"
    return replace(
        plan,
        keepalive=Keepalive(interval, count),
        adapts=True,
        warnings=(*plan.warnings, text),
    )


def settled(spec: TunnelSpec, services: Services, *, counted: bool) -> TunnelSpec:
    """Return ``spec`` with the keepalive that `automatic` decides on, where it can be planned."""
    try:
        plan = services.plan(spec)
    except NetkitError:
        return spec  # whoever plans it next says why
    return replace(
        spec, keepalive=automatic(plan, services.recall(plan), counted=counted).keepalive
    )


def _measured(known: Timeout) -> str:
    days = max(0, round((time.time() - known.measured) / _DAY))
    when = "today" if not days else f"{days} day{'s' if days > 1 else ''} ago"
    if known.how == _TRAFFIC:
        return f"a tunnel's link broke here after {known.dead:.0f} s of silence, {when}"
    if not known.dead:
        return f"connections survived {known.alive:g} s of silence here, measured {when}"
    after = f"{known.alive:g} to {known.dead:g} s" if known.alive else f"{known.dead:g} s at most"
    return f"this network forgets idle connections after {after}, measured {when}"


def recall(plan: Plan, system: System | None = None) -> Timeout | None:
    """Return what is remembered of the network that this machine is in now.

    Where several gateways lead to the same place, it is what asks for the most of a keepalive.
    """
    from diagnostics.router import router_of
    from netkit import networks

    if not networks.state_file().is_file():
        return None
    router = router_of(system or _this_machine())
    known = [networks.recall(router, way_of(hops)) for hops in (plan.hops, *plan.ways)]
    return min(filter(None, known), key=lambda each: each.interval, default=None)


class Learning:
    """Keeps for the next start what a running tunnel finds out; a `Watcher`."""

    def __init__(self, learn: Callable[[KeepaliveTightened], None]) -> None:
        """``learn`` is `learn`, or stands in for it."""
        self._learn = learn
        self._thread: threading.Thread | None = None

    def begin(self, _tunnel: TunnelLike, _plan: Plan, _tell: Callable[[Event], None]) -> None:
        """The tunnel is about to start."""

    def see(self, event: Event) -> None:
        """Write it down in a thread of its own: the network's name may take a command."""
        if not isinstance(event, KeepaliveTightened):
            return
        self._thread = threading.Thread(
            target=lambda: self._learn(event), name="netkit-learning", daemon=True
        )
        self._thread.start()

    def up(self) -> None:
        """The forwards listen."""

    def end(self) -> None:
        """The tunnel is over."""
        if self._thread is not None:
            self._thread.join(_PATIENCE)


def learn(event: KeepaliveTightened, system: System | None = None) -> None:
    """Keep what a running tunnel found out about the network that this machine is in now."""
    from diagnostics.router import router_of
    from netkit import networks

    networks.remember(
        router_of(system or _this_machine()),
        event.way,
        alive=event.alive,
        dead=event.dead,
        how=_TRAFFIC,
        interval=event.interval,
    )


def _this_machine() -> System:
    from diagnostics.real_system import RealSystem
    from netkit.doctor.gateway import GatewayExaminer

    return RealSystem(GatewayExaminer(None))


def remembered(known: Timeout | None) -> Remembered | None:
    """Return what the doctor is told of it."""
    from diagnostics.model import Remembered

    if known is None:
        return None
    age = max(0.0, time.time() - known.measured)
    return Remembered(alive=known.alive, dead=known.dead, age=age)


def remember(report: Report, system: System) -> bool:
    """Keep what ``nat-timeout`` measured, where it measured anything; return whether it did.

    What was spoilt (a sleep, a change of networks) or only interrupted before anything was known is
    not kept.
    """
    from diagnostics.checks import nat_timeout
    from diagnostics.router import router_of
    from netkit import networks

    for result in report.results:
        if result.check.code != _CHECK or not isinstance(result.facts, nat_timeout.Facts):
            continue
        found = nat_timeout.learnt(result.facts)
        if found is None:
            continue
        return networks.remember(
            router_of(system),
            way_of(system.ssh.route().hops),
            alive=found.alive,
            dead=found.dead,
            how=found.how,
            interval=found.interval,
        )
    return False
