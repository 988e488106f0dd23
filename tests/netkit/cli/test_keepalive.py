"""An automatic keepalive, and what the doctor keeps for it."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from diagnostics.checks import nat_timeout
from diagnostics.model import Report, Result, Status
from diagnostics.ssh import IdleProbe, Route
from netkit import networks
from netkit.cli import keepalive
from netkit.cli.services import Services
from netkit.errors import UsageError
from netkit.events import Event, KeepaliveTightened, Notice
from netkit.model import Gateway, Hop, Keepalive, Plan, TunnelSpec
from netkit.text.networks import Timeout, way_of
from support.cli import FakeTunnel
from support.machine import HOP, FakeSsh, FakeSystem

PLAN = Plan(hops=(Hop(alias="gw", host="gw.example"),))
KNOWN = Timeout(
    network="0" * 32,
    gateway="1" * 32,
    alive=28.0,
    dead=45.0,
    how="silence",
    interval=14.0,
    measured=0.0,
)
ARP = b"192.0.2.1 0x1 0x2 00:18:01:8f:23:ed * eth0\n"
PROBES = (
    IdleProbe(mode="push", idle=10, outcome="alive"),
    IdleProbe(mode="push", idle=15, outcome="silence"),
)


@pytest.fixture(autouse=True)
def _state(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def machine():
    ssh = FakeSsh(route=Route(hops=(replace(HOP, host="gw.example"),)))
    return FakeSystem(files={"/proc/net/arp": ARP}, ssh=ssh)


def report(facts):
    result = Result(check=nat_timeout.CHECK, status=Status.RAN, facts=facts)
    other = Result(check=replace(nat_timeout.CHECK, code="x"), status=Status.RAN, facts=facts)
    return Report(results=(other, result))


class TestAutomatic:
    def warned(self, known, **more):
        plan = keepalive.automatic(PLAN, known, counted=False, **more)
        return plan.keepalive, plan.warnings[-1]

    def test_unknown(self):
        beat, text = self.warned(None)
        assert beat == Keepalive(30, 3)
        assert "netkit doctor gw --nat" in text

    def test_known(self):
        assert self.warned(replace(KNOWN, measured=time.time()))[0] == Keepalive(14, 7)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({}, "after 28 to 45 s, measured today"),
            ({"alive": 0.0, "dead": 4.0}, "after 4 s at most"),
            ({"dead": 0.0}, "survived 28 s of silence here"),
            ({"how": "traffic"}, "a tunnel's link broke here after 45 s of silence, today"),
        ],
    )
    def test_what_was_measured(self, change, words):
        known = replace(KNOWN, measured=time.time(), **change)
        assert words in self.warned(known)[1]

    @pytest.mark.parametrize(("days", "words"), [(1, "1 day ago"), (9, "9 days ago")])
    def test_when(self, days, words):
        known = replace(KNOWN, measured=time.time() - days * 86400)
        assert self.warned(known)[1].endswith(words)

    def test_a_patient_setting_stays(self):
        patient = replace(PLAN, keepalive=Keepalive(30, 50))
        assert keepalive.automatic(patient, KNOWN, counted=False).keepalive == Keepalive(14, 50)

    def test_a_count_that_was_asked_for_stays(self):
        asked = replace(PLAN, keepalive=Keepalive(30, 2))
        assert keepalive.automatic(asked, KNOWN, counted=True).keepalive == Keepalive(14, 2)


class TestSettled:
    SPEC = TunnelSpec(gateway=Gateway("gw"))

    def test_the_spec_has_the_keepalive(self):
        services = Services(plan=lambda _spec: PLAN, recall=lambda _plan: KNOWN)
        settled = keepalive.settled(self.SPEC, services, counted=False)
        assert settled == replace(self.SPEC, keepalive=Keepalive(14, 7))

    def test_what_cannot_be_planned_stays(self):
        def refuse(_spec):
            raise UsageError("no")

        assert keepalive.settled(self.SPEC, Services(plan=refuse), counted=False) == self.SPEC


class TestRemember:
    def test_what_was_measured_is_recalled_in_the_same_network(self):
        assert keepalive.remember(report(nat_timeout.Facts(probes=PROBES)), machine())
        known = keepalive.recall(PLAN, machine())
        assert known is not None
        assert (known.alive, known.dead, known.interval) == (10, 15, 5)
        told = keepalive.remembered(known)
        assert told is not None
        assert (told.alive, told.dead) == (10, 15)
        assert 0 <= told.age < 60

    def test_and_not_in_another(self):
        keepalive.remember(report(nat_timeout.Facts(probes=PROBES)), machine())
        elsewhere = FakeSystem(files={"/proc/net/arp": ARP.replace(b"ed", b"ee")})
        assert keepalive.recall(PLAN, elsewhere) is None
        assert keepalive.remembered(None) is None

    def test_of_several_gateways_the_shortest_is_taken(self):
        ways = (PLAN.hops, (Hop(alias="b", host="b"),), (Hop(alias="c", host="c"),))
        for way, interval in zip(ways, (20.0, 9.0, 15.0), strict=True):
            told = replace(TIGHTENED, way=way_of(way), interval=interval)
            keepalive.learn(told, machine())
        plan = Plan(hops=ways[0], ways=ways[1:])
        known = keepalive.recall(plan, machine())
        assert known is not None
        assert known.interval == 9.0
        alone = keepalive.recall(PLAN, machine())
        assert alone is not None
        assert alone.interval == 20.0

    @pytest.mark.parametrize("facts", [nat_timeout.Facts(), None])
    def test_nothing_measured_is_nothing_kept(self, facts):
        assert not keepalive.remember(report(facts), machine())
        assert not networks.state_file().exists()

    def test_without_a_file_the_machine_is_not_asked(self):
        assert keepalive.recall(PLAN) is None

    def test_the_real_machine_can_be_asked(self):
        networks.remember("r", "g", alive=1, dead=2, how="", interval=1)
        assert keepalive.recall(PLAN) is None


TIGHTENED = KeepaliveTightened(
    code="keepalive-tightened",
    text="…",
    way=way_of(PLAN.hops),
    alive=12.0,
    dead=30.0,
    interval=15.0,
)


class TestLearning:
    """What a running tunnel finds out is there at the next start."""

    def test_it_is_kept_for_this_network(self):
        keepalive.learn(TIGHTENED, machine())
        known = keepalive.recall(PLAN, machine())
        assert known is not None
        assert (known.alive, known.dead, known.how) == (12.0, 30.0, "traffic")
        plan = keepalive.automatic(PLAN, known, counted=False)
        assert plan.keepalive.interval == 15.0

    def test_only_what_tells_of_it_is_written_down_and_the_end_waits_for_that(self):
        kept: list[KeepaliveTightened] = []
        events: list[Event] = []
        pause = threading.Event()

        def learn(event):
            pause.wait(0.1)
            kept.append(event)

        watcher = keepalive.Learning(learn)
        watcher.begin(FakeTunnel(), PLAN, events.append)
        watcher.see(Notice(code="x", text="y"))
        watcher.up()
        watcher.end()
        assert (kept, events) == ([], [])
        watcher.see(TIGHTENED)
        watcher.end()
        assert kept == [TIGHTENED]
