"""Figures as Prometheus metrics.  Needs prometheus-client (the extra ``metrics``).

A registry of its own for every exporter: importing this changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)

from netkit._version import __version__
from netkit.events import Health, State
from netkit.observe.fleet import Figures

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

GAUGES: Final = {
    "netkit_build_info": ("1; its label is netkit's version.", ("version",)),
    "netkit_tunnel_up": ("1 while the tunnel carries connections.", ("tunnel",)),
    "netkit_tunnel_state": ("1 for the state the tunnel is in.", ("tunnel", "state")),
    "netkit_keepalive_seconds": (
        "Silence after which the gateway is asked for a sign of life; 0: never.",
        ("tunnel",),
    ),
    "netkit_link_up": ("1 while the link is alive.", ("tunnel", "link", "gateway")),
    "netkit_link_round_trip_seconds": (
        "Round trip to the gateway, as last measured.",
        ("tunnel", "link", "gateway"),
    ),
    "netkit_link_silent_seconds": (
        "Seconds since the last byte of the gateway.",
        ("tunnel", "link", "gateway"),
    ),
    "netkit_link_flows": ("Flows on the link.", ("tunnel", "link", "gateway")),
    "netkit_forward_health": (
        "1 for what is known of the forward.",
        ("tunnel", "forward", "health"),
    ),
    "netkit_forward_held": ("Connections that wait for a link.", ("tunnel", "forward")),
    "netkit_flows_open": ("Flows that are open.", ("tunnel", "forward")),
}
"""Name to what it means and its labels."""

COUNTERS: Final = {
    "netkit_reconnects": ("Links that were remade.", ("tunnel",)),
    "netkit_retries": ("Attempts that were planned because the link was gone.", ("tunnel",)),
    "netkit_flows_opened": ("Flows that began.", ("tunnel", "forward")),
    "netkit_flows_failed": (
        "Connections that could not be carried.",
        ("tunnel", "forward", "code"),
    ),
    "netkit_flows_closed": (
        "Flows that ended: clean, or error.",
        ("tunnel", "forward", "result"),
    ),
    "netkit_bytes": (
        "Payload carried: to_gateway, or from_gateway.",
        ("tunnel", "forward", "direction"),
    ),
}
"""The same for counters; their samples end with ``_total``."""


def exposed(figures: Callable[[], Iterable[Figures]]) -> Callable[[], bytes]:
    """Return what renders a page of metrics of ``figures``, asked anew for every page."""
    registry = CollectorRegistry()
    registry.register(_Collector(figures))
    ProcessCollector(registry=registry)
    return lambda: generate_latest(registry)


class _Collector:
    """A collector in the sense of prometheus-client: makes all families when asked."""

    def __init__(self, figures: Callable[[], Iterable[Figures]]) -> None:
        self._figures = figures

    def describe(self) -> Iterable[Metric]:
        """Return nothing: no tunnel is asked when this is registered."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Return the families as they are now."""
        page = _Page()
        page.add("netkit_build_info", (__version__,), 1)
        for figures in self._figures():
            _add_tunnel(page, figures)
        return page.families.values()


class _Page:
    def __init__(self) -> None:
        self.families: dict[str, GaugeMetricFamily | CounterMetricFamily] = {
            name: GaugeMetricFamily(name, text, labels=labels)
            for name, (text, labels) in GAUGES.items()
        }
        self.families |= {
            name: CounterMetricFamily(name, text, labels=labels)
            for name, (text, labels) in COUNTERS.items()
        }

    def add(self, name: str, labels: tuple[str, ...], value: float) -> None:
        self.families[name].add_metric(labels, value)


def _add_tunnel(page: _Page, figures: Figures) -> None:
    name = figures.name
    page.add("netkit_tunnel_up", (name,), float(not figures.trouble))
    for state in State:
        page.add("netkit_tunnel_state", (name, state.value), float(state is figures.state))
    if figures.keepalive is not None:
        page.add("netkit_keepalive_seconds", (name,), figures.keepalive)
    page.add("netkit_reconnects", (name,), figures.reconnects)
    page.add("netkit_retries", (name,), figures.retries)
    for link in figures.links:
        labels = (name, str(link.number), link.gateway)
        page.add("netkit_link_up", labels, float(link.up))
        page.add("netkit_link_flows", labels, link.flows)
        page.add("netkit_link_silent_seconds", labels, link.silent)
        if link.round_trip > 0:
            page.add("netkit_link_round_trip_seconds", labels, link.round_trip)
    for forward in figures.forwards:
        both = (name, forward.label)
        for health in Health if forward.health is not None else ():
            value = float(health is forward.health)
            page.add("netkit_forward_health", (*both, health.value), value)
        page.add("netkit_forward_held", both, forward.held)
        page.add("netkit_flows_open", both, forward.flows_open)
        page.add("netkit_flows_opened", both, forward.opened)
        for code, count in forward.failed:
            page.add("netkit_flows_failed", (*both, code), count)
        page.add("netkit_flows_closed", (*both, "clean"), forward.closed_clean)
        page.add("netkit_flows_closed", (*both, "error"), forward.closed_badly)
        page.add("netkit_bytes", (*both, "to_gateway"), forward.bytes_to_gateway)
        page.add("netkit_bytes", (*both, "from_gateway"), forward.bytes_from_gateway)
