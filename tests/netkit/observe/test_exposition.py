from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from netkit.events import State
from netkit.observe.exposition import COUNTERS, GAUGES, exposed
from netkit.observe.fleet import Fleet, label
from support.cli import LINK_UP
from support.watched import DESKTOP, SaysOfItself, closed, failed, opened, view


def samples(page: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def test_a_page():
    fleet = Fleet()
    watched = fleet.add('off"ice\n')
    watched.attach(SaysOfItself())
    for event in (LINK_UP, opened(1), closed(1), failed(2)):
        watched.see(event)
    found = samples(exposed(fleet.figures)())

    def value(name: str, **labels: str) -> float:
        return found[name, frozenset({"tunnel": 'off"ice\n', **labels}.items())]

    link = {"link": "1", "gateway": "gw"}
    forward = {"forward": label(DESKTOP)}
    assert value("netkit_tunnel_up") == 1
    assert value("netkit_tunnel_state", state="up") == 1
    assert value("netkit_tunnel_state", state="waiting") == 0
    assert value("netkit_link_up", **link) == 1
    assert value("netkit_link_round_trip_seconds", **link) == 0.02
    assert value("netkit_forward_health", health="up", **forward) == 1
    assert value("netkit_forward_health", health="stale", **forward) == 0
    assert value("netkit_forward_held", **forward) == 2
    assert value("netkit_flows_opened_total", **forward) == 1
    assert value("netkit_flows_failed_total", code="connect-failed", **forward) == 1
    assert value("netkit_flows_closed_total", result="clean", **forward) == 1
    assert value("netkit_bytes_total", direction="from_gateway", **forward) == 20


def test_the_page_is_made_anew():
    fleet = Fleet()
    tunnel = SaysOfItself()
    fleet.add("office").attach(tunnel)
    page = exposed(fleet.figures)
    key = ("netkit_tunnel_up", frozenset({("tunnel", "office")}))
    assert samples(page())[key] == 1
    tunnel.shown = view(State.WAITING)
    assert samples(page())[key] == 0


def test_every_metric_is_on_the_page():
    page = exposed(Fleet().figures)().decode()
    for name in (*GAUGES, *(f"{name}_total" for name in COUNTERS)):
        assert f"# TYPE {name} " in page, name


def test_nothing_is_registered_for_the_whole_process():
    from prometheus_client import REGISTRY

    exposed(Fleet().figures)
    assert not [family for family in REGISTRY.collect() if family.name.startswith("netkit")]
