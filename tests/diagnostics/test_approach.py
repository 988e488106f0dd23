"""Which hop a login is about, and how far it got."""

from __future__ import annotations

from dataclasses import replace

import pytest

from diagnostics.approach import Approach, address_of, look, name_of, not_reached, standing
from diagnostics.model import Target
from diagnostics.ssh import HopFacts, Login, Route
from support.machine import HOP, LOGIN, FakeSsh, FakeSystem

TARGET = Target(gateway="me@gw")
JUMP = HopFacts(alias="jump", host="10.0.0.1", port=2222)


def at(login: Login, *hops: HopFacts) -> Approach:
    return look(TARGET, FakeSystem(ssh=FakeSsh(route=Route(hops=hops), login=login)))


def test_a_login_that_succeeded_is_about_the_gateway():
    found = at(LOGIN, JUMP, HOP)
    assert (found.hop, found.before, found.is_last) == (HOP, JUMP, True)
    assert (found.os, found.typed, found.user) == ("linux", "me@gw", "me")
    assert found.name == "gw (gw.example)"
    assert found.where == found.place == "gw.example:22"


def test_a_failure_is_about_its_hop():
    found = at(Login(stage="auth", hop="jump", error="no", cause="why\x1b"), JUMP, HOP)
    assert (found.hop, found.before, found.is_last) == (JUMP, None, False)
    assert found.name == "jump host jump (10.0.0.1) port 2222"
    assert found.where == "10.0.0.1:2222"
    assert found.place == "10.0.0.1:2222 (jump host jump)"
    assert found.detail == "no: why?"
    assert at(Login(stage="auth", hop="nobody", error="no"), JUMP, HOP).hop == HOP
    assert at(Login(error="no")).detail == "no"


def test_two_hops_of_one_alias():
    first, second = replace(JUMP, port=1), replace(JUMP, port=2)
    login = Login(stage="tcp", hop="jump", hop_at=1, error="no")
    found = at(login, first, second)
    assert (found.hop, found.before, found.is_last) == (second, first, True)
    assert at(replace(login, hop_at=-1), first, second).hop == first
    assert at(replace(login, hop_at=7), first, second).hop == first
    assert at(replace(login, hop_at=0), HOP, first, second).hop == first


def test_names():
    assert name_of(HopFacts(alias="gw", host="gw")) == "gw"
    assert address_of(HopFacts(alias="x", host="fe80::1", port=2)) == "[fe80::1]:2"


@pytest.mark.parametrize(
    ("stage", "asked", "standing_"),
    [("none", "tcp", -1), ("kex", "kex", 0), ("done", "auth", 1), ("odd", "none", 0)],
)
def test_standing(stage: str, asked: str, standing_: int):
    assert standing(Login(stage=stage), asked) == standing_


def test_what_was_not_reached_is_unknown():
    cancelled = Approach(login=replace(LOGIN, error_code="cancelled"))
    assert not_reached(cancelled).reason == "the login was interrupted"
    assert not_reached(Approach()).reason == "not reached: there was no login"
