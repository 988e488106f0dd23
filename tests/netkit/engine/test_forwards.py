"""Forwards from one link to the next."""

from __future__ import annotations

import pytest

from netkit.engine.forwards import Forwards
from netkit.engine.remote import RemoteForwards
from netkit.errors import BindError, DisplayError, LinkLostError, RemoteForwardError
from netkit.events import ForwardBound, Health, HealthChanged, Notice
from netkit.model import Endpoint, ForwardSpec
from netkit.wire.messages import Fields, u32
from support import targets
from support.links import LinkPair
from support.tunnels import Events, dynamic, local, remote
from support.waiting import wait_until

TARGET = Endpoint("target.test", 1)


class Gateway:
    """The far link as a gateway that listens, on ports from 4001 on where it may choose."""

    def __init__(self, pair: LinkPair) -> None:
        self.pair = pair
        self.agrees = True
        self.asked: list[int] = []
        pair.far.on_global = self.request

    def request(self, event) -> bool:
        if event.kind != "tcpip-forward":
            return False
        fields = Fields(event.data, 0)
        fields.string()
        self.asked.append(fields.u32())
        data = u32(4000 + len(self.asked)) if self.agrees and not self.asked[-1] else b""
        self.pair.far.mux.answer_global(ok=self.agrees, data=data)
        return True


class Lent:
    """A display that can be lent, or not."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.links = 0

    def connected(self, _link, _remotes) -> None:
        self.links += 1
        if self.error is not None:
            raise self.error

    def accept(self, _forward):
        return None


@pytest.fixture
def pair():
    with LinkPair() as made:
        yield made


@pytest.fixture
def gateway(pair):
    return Gateway(pair)


@pytest.fixture
def events():
    return Events()


@pytest.fixture
def forwards(events):
    made = Forwards(events, None, lambda: 0.5)
    yield made
    made.close()


def settle(forwards: Forwards, pair: LinkPair, *specs: ForwardSpec) -> RemoteForwards:
    forwards.bind(specs)
    remotes = forwards.arm(pair.near, specs, lambda: None)
    forwards.listen()
    forwards.settle(specs, remotes)
    return remotes


def test_all_are_told_with_their_addresses(forwards, pair, gateway, events):
    specs = (local(TARGET), remote(TARGET), dynamic())
    settle(forwards, pair, *specs)
    assert [each.spec for each in forwards.all] == list(specs)
    assert [event.forward for event in events.of(ForwardBound)] == list(specs)
    assert forwards.all[1].address == Endpoint("localhost", 4001)
    assert len(forwards.listeners) == 2
    assert not events.of(HealthChanged)


def test_nothing_stays_bound(forwards, pair):
    with targets.echo() as taken:
        with pytest.raises(BindError):
            forwards.bind((local(TARGET), local(TARGET, taken.address)))
    forwards.close()


def test_refusal_on_the_first_link_is_an_error(forwards, pair, gateway):
    gateway.agrees = False
    with pytest.raises(RemoteForwardError):
        settle(forwards, pair, remote(TARGET))


def test_port_that_was_chosen_is_asked_for_again(forwards, pair, gateway, events):
    settle(forwards, pair, remote(TARGET))
    remotes = forwards.arm_again(pair.near)
    assert gateway.asked == [0, 4001]
    assert forwards.all[0].address == Endpoint("localhost", 4001)
    assert [entry.port for entry in remotes.table] == [4001]
    assert len(events.of(ForwardBound)) == 1


def test_refusal_on_a_later_link_is_tried_again(forwards, pair, gateway, events):
    spec = remote(TARGET)
    settle(forwards, pair, spec)
    gateway.agrees = False
    remotes = forwards.arm_again(pair.near)
    assert events.of(Notice, code="remote-port-held")
    assert forwards.health(spec)[0] is Health.REFUSED
    forwards.set_all(Health.STALE)
    assert forwards.health(spec)[0] is Health.REFUSED, "a refusal is known, whatever else is not"
    pause = forwards.retry(remotes)
    assert pause is not None
    assert 0 < pause < 2
    gateway.agrees = True
    wait_until(lambda: forwards.retry(remotes) is None, what="it to be granted")
    assert forwards.health(spec)[0] is Health.UNVERIFIED
    assert events.of(Notice, code="remote-port-back")
    assert len(events.of(Notice, code="remote-port-held")) == 1


def test_one_that_was_removed_is_not(forwards, pair, gateway):
    settle(forwards, pair, remote(TARGET))
    gateway.agrees = False
    remotes = forwards.arm_again(pair.near)
    forwards.drop(forwards.all[0])
    assert forwards.retry(remotes) is None
    assert forwards.all == ()


def test_link_that_is_lost_meanwhile(forwards, pair, gateway):
    settle(forwards, pair, remote(TARGET))
    pair.near.stop()
    assert pair.near.wait(5)
    with pytest.raises(LinkLostError):
        forwards.arm_again(pair.near)


def test_predecessor_that_is_ended_makes_way(pair, gateway, events):
    def end(_link) -> bool:
        gateway.agrees = True
        return True

    forwards = Forwards(events, None, lambda: 0.5, takeover=end)
    settle(forwards, pair, remote(TARGET))
    gateway.agrees = False
    remotes = forwards.arm_again(pair.near)
    assert forwards.retry(remotes) is None
    assert not events.of(Notice, code="remote-port-held")


def test_display_is_lent_again_or_ends_with_a_word(pair, gateway, events):
    lent = Lent()
    forwards = Forwards(events, lent, lambda: 0.5)
    settle(forwards, pair, remote(TARGET))
    forwards.arm_again(pair.near)
    assert lent.links == 2
    assert not events.of(Notice)
    lent.error = DisplayError("gone")
    forwards.arm_again(pair.near)
    assert events.of(Notice, code="x11-ended")[0].text.endswith("gone")
    lent.error = LinkLostError("cut")
    with pytest.raises(LinkLostError):
        forwards.arm_again(pair.near)


def test_display_that_is_not_lent_stays_refused_on_that_link(pair, gateway, events):
    spec, lent = remote(TARGET), Lent()
    lent.accept = lambda _forward: lambda *_anything: None
    forwards = Forwards(events, lent, lambda: 0.5)
    settle(forwards, pair, spec)
    lent.error = DisplayError("gone")
    forwards.arm_again(pair.near)
    forwards.set_all(Health.STALE, "silent")
    forwards.set_all(Health.UNVERIFIED)
    assert forwards.health(spec) == (Health.REFUSED, "gone")
    lent.error = None
    forwards.arm_again(pair.near)
    assert forwards.health(spec)[0] is Health.UNVERIFIED
    forwards.set_all(Health.STALE, "silent")
    assert forwards.health(spec)[0] is Health.STALE


def test_find_by_what_was_asked_and_by_what_it_is(forwards, pair):
    spec = local(TARGET)
    settle(forwards, pair, spec)
    (there,) = forwards.all
    assert forwards.find(spec) is there
    assert forwards.find(local(TARGET, there.address)) is there
    assert forwards.find(dynamic(there.address)) is None
    assert forwards.find(local(TARGET, Endpoint("", 1))) is None


def test_health_is_told_when_it_changes(forwards, pair, events):
    spec = local(TARGET)
    settle(forwards, pair, spec)
    for health in (Health.UP, Health.UP, Health.DOWN):
        forwards.set_all(health, "why")
    told = [(event.health, event.reason) for event in events.of(HealthChanged)]
    assert told == [(Health.UP, "why"), (Health.DOWN, "why")]
    forwards.begun()
    assert forwards.health(spec) == (Health.UNVERIFIED, "")
