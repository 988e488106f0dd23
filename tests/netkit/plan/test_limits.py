"""What limits mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import UsageError
from netkit.model import Endpoint, ForwardKind, ForwardSpec, Limits, UnixPath
from netkit.plan.limits import (
    SourceRules,
    TargetRules,
    describe,
    has_room,
    is_exposed,
    plan_limits,
)

LOCAL = ForwardSpec(ForwardKind.LOCAL, Endpoint("", 1), Endpoint("x", 2))
EXPOSED = ForwardSpec(ForwardKind.LOCAL, Endpoint("*", 1), Endpoint("x", 2))
DYNAMIC = ForwardSpec(ForwardKind.DYNAMIC, Endpoint("", 3))


def test_nothing_said_is_nothing_limited():
    assert plan_limits(Limits(), [LOCAL]) == ()
    assert describe(Limits()) == ()
    assert TargetRules(()).allow(Endpoint("anything", 1))
    assert SourceRules(()).allow("no address at all")


@pytest.mark.parametrize(
    "limits",
    [
        Limits(flows=-1),
        Limits(flows=1_000_001),
        Limits(rate=1023),
        Limits(rate=-5),
        Limits(idle=0.5),
        Limits(idle=float("nan")),
        Limits(idle=1e9),
        Limits(window=1 << 19),
        Limits(targets=("db",)),
        Limits(sources=("lan",)),
        Limits(sources=("10.0.0.0/8",) * 1001),
    ],
)
def test_impossible_limits(limits):
    with pytest.raises(UsageError) as caught:
        plan_limits(limits, [EXPOSED, DYNAMIC])
    assert caught.value.code == "bad-limit"
    assert caught.value.cause


def test_what_has_nothing_to_work_on_is_said():
    limits = Limits(targets=("db:1",), sources=("10.0.0.0/8",))
    one, two = plan_limits(limits, [LOCAL])
    assert "--allow-target has no effect" in one
    assert "--allow-source has no effect" in two
    assert plan_limits(limits, [EXPOSED, DYNAMIC]) == ()


def test_a_line_for_each_limit():
    lines = describe(
        Limits(
            flows=5,
            rate=10 << 20,
            idle=60,
            window=1 << 20,
            targets=("a:1", "b:2"),
            sources=("::/0",),
        )
    )
    assert len(lines) == 6
    assert "10M bytes/s" in lines[1]
    assert lines[4].endswith("a:1, b:2")


def test_targets():
    rules = TargetRules(("db:5432", "10.0.0.0/8:*"))
    assert rules.allow(Endpoint("DB.", 5432))
    assert rules.allow(Endpoint("10.1.1.1", 1))
    assert not rules.allow(Endpoint("db", 1))


def test_sources():
    rules = SourceRules(("10.0.0.0/8", "2001:db8::/32"))
    assert rules.allow("10.1.2.3")
    assert rules.allow("::ffff:10.1.2.3")
    assert rules.allow("2001:db8::5")
    for host in ("11.0.0.1", "::1", "localhost", "", "unix"):
        assert not rules.allow(host)


@pytest.mark.parametrize(
    ("bind", "exposed"),
    [
        (Endpoint("", 1), False),
        (Endpoint("127.0.0.2", 1), False),
        (Endpoint("*", 1), True),
        (Endpoint("10.0.0.1", 1), True),
        (UnixPath("/x"), False),
    ],
)
def test_exposed(bind, exposed):
    assert is_exposed(ForwardSpec(ForwardKind.LOCAL, bind, None)) is exposed


class TestRoom:
    @given(st.integers(1, 100))
    def test_one_machine_may_have_all(self, limit):
        assert all(has_room(limit, held, held, shared=False) for held in range(limit))
        assert not has_room(limit, limit, 0, shared=False)

    @given(st.integers(3, 300))
    def test_a_flood_leaves_room_for_others(self, limit):
        flood = 0
        while has_room(limit, flood, flood, shared=True):
            flood += 1
        assert limit / 2 < flood < limit
        assert has_room(limit, flood, 0, shared=True)

    @given(st.integers(1, 60), st.lists(st.integers(0, 5), max_size=200))
    def test_never_more_than_the_limit(self, limit, wishes):
        held = dict.fromkeys(range(6), 0)
        for who in wishes:
            if has_room(limit, sum(held.values()), held[who], shared=True):
                held[who] += 1
        assert sum(held.values()) <= limit
