from __future__ import annotations

from dataclasses import replace
from typing import Any

from netkit.cli.rereading import apply, changes
from netkit.errors import BindError
from netkit.model import ForwardKind, Hop, Keepalive, Plan
from netkit.text.forwards import parse_forward
from support.supervised import DB, FakeSupervised

WEB = parse_forward(ForwardKind.LOCAL, "8080:web:80")
PROXY = parse_forward(ForwardKind.DYNAMIC, "1080")
BEFORE = Plan(hops=(Hop(alias="gw", host="gw"),), forwards=(DB, WEB))

NOTHING: list[Any] = []


def test_what_changed():
    same = replace(DB, text="said in another way")
    assert changes(BEFORE, replace(BEFORE, forwards=(PROXY, same))) == ([WEB], [PROXY], False)
    assert changes(BEFORE, replace(BEFORE, warnings=("x",))) == ([], [], False)
    assert changes(BEFORE, replace(BEFORE, keepalive=Keepalive(5))) == ([], [], True)


def test_forwards_come_and_go():
    tunnel, said = FakeSupervised(), NOTHING.copy()
    apply(tunnel, replace(BEFORE, forwards=(DB,)), replace(BEFORE, forwards=(WEB,)), said.append)
    assert [each.forward for each in tunnel.view().forwards] == [WEB]
    assert [each.text for each in said] == ["the profile was read again: 1 new, 1 gone"]


def test_one_that_cannot_begin_is_said_and_the_rest_goes_on():
    refusal = BindError("cannot listen on it", code="bind-address-in-use")
    tunnel, said = FakeSupervised(refuses=refusal), NOTHING.copy()
    more = parse_forward(ForwardKind.LOCAL, "8081:web:80")
    after = replace(BEFORE, forwards=(DB, WEB, more, PROXY))
    now = apply(tunnel, replace(BEFORE, forwards=(DB,)), after, said.append)
    assert [each.forward for each in tunnel.view().forwards] == [DB, WEB, PROXY]
    assert [each.code for each in said] == ["reread-failed", "reread"]
    assert said[1].text == "the profile was read again: 2 new, 0 gone"
    assert now.forwards == (DB, WEB, PROXY)
    tunnel.refuses = None  # the next time it can
    assert apply(tunnel, now, after, said.append) == after
    assert tunnel.view().forwards[-1].forward == more


def test_what_needs_a_new_start_is_said():
    said = NOTHING.copy()
    after = replace(BEFORE, keepalive=Keepalive(5))
    assert apply(FakeSupervised(), BEFORE, after, said.append) == BEFORE  # not yet
    assert said[0].text.endswith("the rest takes effect at the next start")
    apply(FakeSupervised(), BEFORE, BEFORE, said.append)
    assert said[1].text.endswith("nothing has changed")
