"""What looks on while tunnels run: ``--metrics``, ``--access-log``, a service manager."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from netkit.cli.debugging import log_format_option
from netkit.events import FlowClosed, FlowFailed, FlowOpened, Notice
from netkit.files import at_home

if TYPE_CHECKING:
    from collections.abc import Callable

    from netkit.cli.services import TunnelLike
    from netkit.events import Event
    from netkit.model import Plan
    from netkit.observe.access_log import AccessLog, FlowRecorder
    from netkit.observe.fleet import Fleet, Watched
    from netkit.observe.metrics import Exporter
    from netkit.observe.notify import Notifier

F = TypeVar("F", bound="Callable[..., Any]")


def observe_options(function: F) -> F:
    """Add the options that say who else is told what a tunnel does."""
    for option in (
        log_format_option,
        click.option(
            "--access-log",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="Append a line of JSON for each flow; rotated at 10 MiB.",
        ),
        click.option(
            "--metrics",
            metavar="ADDR:PORT",
            help="Serve /metrics for Prometheus, and /healthz (needs netkit-tunnel[metrics]).",
        ),
    ):
        function = option(function)
    return function


class Onlookers:
    """What the options and the environment ask for, for all tunnels of a command."""

    def __init__(
        self,
        fleet: Fleet,
        exporter: Exporter | None,
        access_log: AccessLog | None,
        notifier: Notifier | None,
    ) -> None:
        self._fleet = fleet
        self._exporter = exporter
        self._access_log = access_log
        self._notifier = notifier

    def of(self, name: str) -> Onlooker:
        """Return what watches the tunnel ``name``."""
        return Onlooker(name, self._fleet, self._exporter, self._access_log, self._notifier)


class Onlooker:
    """Watches one tunnel: a `netkit.cli.tunnel_job.Watcher`."""

    def __init__(
        self,
        name: str,
        fleet: Fleet,
        exporter: Exporter | None,
        access_log: AccessLog | None,
        notifier: Notifier | None,
    ) -> None:
        self._watched: Watched = fleet.add(name)
        self._exporter = exporter
        self._access_log = access_log
        self._recorder: FlowRecorder | None = None
        if access_log is not None:
            from netkit.observe.access_log import FlowRecorder

            self._recorder = FlowRecorder(name, access_log.put)
        self._is_up = False
        self._notifier = notifier
        self._ends = ExitStack()

    def begin(self, tunnel: TunnelLike, _plan: Plan, tell: Callable[[Event], None]) -> None:
        """Begin to serve and to write, before the tunnel starts."""
        # A tunnel that cannot be asked is known by its events alone.
        self._watched.attach(tunnel if _can_be_asked(tunnel) else None)  # type: ignore[arg-type]
        self._ends.callback(self._watched.end)
        if self._exporter is not None:
            self._exporter.begin()
            self._ends.callback(self._exporter.end)
            where = ", ".join(f"http://{each}/metrics" for each in self._exporter.addresses)
            tell(Notice(code="metrics", text=f"metrics are at {where}"))
        if self._access_log is not None:
            self._access_log.begin(tell)
            self._ends.callback(self._access_log.end)
        if (notifier := self._notifier) is not None:
            notifier.begin()
            self._ends.callback(lambda: notifier.end(was_up=self._is_up))

    def see(self, event: Event) -> None:
        """Count it, and make its line of the access log."""
        self._watched.see(event)
        if self._recorder is not None:
            self._recorder.see(event)
        if self._notifier is not None and not isinstance(
            event, FlowOpened | FlowClosed | FlowFailed
        ):
            self._notifier.changed()

    def up(self) -> None:
        """The forwards listen."""
        self._is_up = True
        if self._notifier is not None:
            self._notifier.up()

    def end(self) -> None:
        """The tunnel is over, or did not begin."""
        self._ends.close()


def _can_be_asked(tunnel: TunnelLike) -> bool:
    return hasattr(tunnel, "view") and hasattr(tunnel, "flows")


def onlookers(values: dict[str, Any], *, command: str) -> Onlookers | None:
    """Return what looks on for the values of `observe_options`; None where nothing is asked for.

    Raises:
        UsageError: the address of ``--metrics`` is none, or one that other machines reach.
    """
    from netkit.observe import notify

    told = notify.is_told()
    metrics, log = values.get("metrics"), values.get("access_log")
    if values.get("dry_run") or not (metrics or log or told):
        return None
    from netkit.observe.access_log import AccessLog
    from netkit.observe.fleet import Fleet

    fleet = Fleet()
    exporter = None
    if metrics:
        exporter = _exporter(fleet, metrics, command, expose=bool(values.get("expose")))
    return Onlookers(
        fleet,
        exporter,
        AccessLog(at_home(log)) if log else None,
        notify.notifier(fleet) if told else None,
    )


def _exporter(fleet: Fleet, text: str, command: str, *, expose: bool) -> Exporter:
    from netkit.observe.metrics import Exporter, parse_address

    return Exporter(fleet, parse_address(text, expose=expose, command=command), command)
