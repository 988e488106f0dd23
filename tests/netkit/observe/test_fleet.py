from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from netkit.events import (
    ForwardBound,
    ForwardView,
    Health,
    HealthChanged,
    LinkDown,
    LinkView,
    Retrying,
    State,
)
from netkit.model import Endpoint, ForwardKind, ForwardSpec
from netkit.observe import fleet
from netkit.observe.fleet import Fleet, Watched, label
from support.cli import LINK_UP
from support.watched import DESKTOP, PROXY, SaysOfItself, closed, failed, flow, opened, view

RETRY = Retrying(gateway="gw", attempt=1, seconds=0.2, code="link-lost", reason="cut")


def seen(*events) -> Watched:
    watched = Fleet().add("office")
    for event in events:
        watched.see(event)
    return watched


def test_what_events_say():
    bound = ForwardBound(forward=DESKTOP, addresses=())
    figures = seen(LINK_UP, bound, opened(1), opened(2), closed(1), failed(3)).figures()
    assert (figures.state, figures.trouble, figures.reconnects) == (State.UP, "", 0)
    assert figures.links[0].up
    (forward,) = figures.forwards
    assert forward.label == "local 127.0.0.2:3389 -> desktop:3389"
    assert forward.health is Health.UNVERIFIED
    assert (forward.opened, forward.flows_open, forward.closed_clean) == (2, 1, 1)
    assert forward.failed == (("connect-failed", 1),)
    assert (forward.bytes_to_gateway, forward.bytes_from_gateway) == (10, 20)


def test_a_link_that_comes_and_goes():
    watched = seen(LINK_UP, RETRY)
    assert watched.figures().trouble == "waiting: cut"
    assert not watched.figures().links[0].up
    watched.see(LINK_UP)
    figures = watched.figures()
    assert (figures.trouble, figures.reconnects, figures.retries) == ("", 1, 1)
    watched.see(LinkDown(gateway="gw", code="stopped", reason="the tunnel was stopped"))
    assert watched.figures().trouble == "down: the tunnel was stopped"


def test_a_tunnel_that_did_not_begin_is_in_trouble():
    watched = seen()
    assert watched.figures().trouble == "connecting"
    watched.end()
    assert watched.figures().trouble == "down"


def test_how_a_flow_ended():
    (forward,) = seen(opened(1), closed(1, error="reset")).figures().forwards
    assert (forward.closed_clean, forward.closed_badly) == (0, 1)


def test_what_the_tunnel_says_goes_before_what_events_say():
    watched = seen(LINK_UP, ForwardBound(forward=DESKTOP, addresses=()))
    watched.attach(SaysOfItself(view(State.WAITING, reason="no route", reconnects=7)))
    figures = watched.figures()
    assert (figures.trouble, figures.reconnects) == ("waiting: no route", 7)
    assert (figures.forwards[0].health, figures.forwards[0].held) == (Health.UP, 2)


def test_a_first_link_that_is_away_is_no_trouble_while_others_carry():
    watched = seen(LINK_UP)
    links = tuple(LinkView(number=n, gateway="gw", up=n == 2) for n in (1, 2))
    watched.attach(SaysOfItself(view(State.WAITING, reason="no route", links=links)))
    assert watched.figures().trouble == ""


def test_a_forward_that_was_removed_keeps_its_counters_and_no_health():
    watched = seen(opened(1), closed(1))
    proxy = ForwardView(forward=PROXY, addresses=(), health=Health.UP)
    watched.attach(SaysOfItself(view(forwards=(proxy,))))
    old, new = watched.figures().forwards
    assert (old.label, old.health, old.opened) == (label(DESKTOP), None, 1)
    assert (new.label, new.health) == (label(PROXY), Health.UP)


def test_no_forward_that_works_is_trouble():
    down = HealthChanged(forward=DESKTOP, health=Health.STALE)
    assert seen(LINK_UP, down).figures().trouble == "no forward works"
    well = HealthChanged(forward=PROXY, health=Health.UP)
    assert seen(LINK_UP, down, well).figures().trouble == ""


def test_bytes_of_open_flows_count_once():
    watched = seen(LINK_UP, opened(1))
    tunnel = SaysOfItself(carried=(flow(1, sent=4, received=5),))
    watched.attach(tunnel)
    assert _bytes(watched) == (4, 5)
    watched.see(closed(1, sent=10, received=20))  # the tunnel has not noticed yet
    assert _bytes(watched) == (10, 20)


def test_byte_counts_never_go_back():
    watched = seen(LINK_UP, opened(1))
    tunnel = SaysOfItself(carried=(flow(1, sent=4, received=5),))
    watched.attach(tunnel)
    assert _bytes(watched) == (4, 5)
    tunnel.carried = ()
    assert _bytes(watched) == (4, 5)


def _bytes(watched: Watched) -> tuple[int, int]:
    (forward,) = watched.figures().forwards
    return forward.bytes_to_gateway, forward.bytes_from_gateway


@given(st.lists(st.text(max_size=8), max_size=80))
def test_codes_are_bounded(codes: list[str]):
    (forward,) = seen(opened(), *(failed(1, code) for code in codes)).figures().forwards
    assert len(forward.failed) <= fleet.MAX_CODES + 1
    assert sum(count for _, count in forward.failed) == len(codes)


def test_forwards_are_bounded():
    many = [ForwardSpec(ForwardKind.DYNAMIC, Endpoint("127.0.0.1", port)) for port in range(1, 300)]
    forwards = seen(*(opened(at, each) for at, each in enumerate(many))).figures().forwards
    assert len(forwards) == fleet.MAX_FORWARDS + 1
    assert sum(each.opened for each in forwards) == len(many)
    assert forwards[-1].label == fleet.OTHER


def test_what_belongs_to_no_forward():
    assert label(None) == fleet.NO_FORWARD
    assert seen(opened(1, None)).figures().forwards[0].label == fleet.NO_FORWARD


def test_an_attempt_that_is_overdue():
    watched = seen()
    watched.attach(SaysOfItself(view(State.WAITING, overdue=5.0)))
    assert watched.figures().overdue == 5
    watched.attach(SaysOfItself(view(State.WAITING, retry_in=3.0)))
    assert watched.figures().overdue == 0


def test_tunnels_in_their_order():
    several = Fleet()
    several.add("b")
    several.add("a")
    assert [each.name for each in several.figures()] == ["b", "a"]
