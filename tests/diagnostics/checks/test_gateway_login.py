"""The login: what it says where it fails, and which keys nobody named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from diagnostics.checks.gateway_login import CHECK, judge, probe
from diagnostics.login_advice import Refusal
from diagnostics.model import Finding, Target, Unknown
from diagnostics.ssh import Attempt, HopFacts, Login, Route
from support.any_values import any_of
from support.machine import HOP, FakeSsh, FakeSystem

CODES = {kind.code for kind in CHECK.finds}
TARGET = Target(gateway="me@gw")
KEY = "/home/me/.ssh/id (ED25519 SHA256:" + "A" * 43 + ")"


def look(login: Login, hop: HopFacts = HOP, **words: Any) -> Refusal:
    return probe(TARGET, FakeSystem(ssh=FakeSsh(route=Route(hops=(hop,)), login=login), **words))


def failed(code: str, *attempts: Attempt, **words: Any) -> Login:
    return Login(
        stage="auth", hop="gw", error_code=code, error="it failed", attempts=attempts, **words
    )


def test_logged_in():
    assert judge(probe(TARGET, FakeSystem())) == ()


def test_a_refused_key():
    tried = Attempt(method="publickey", what=KEY, why="refused by the gateway")
    login = failed("authentication-failed", tried, methods=("publickey",))
    (found,) = judge(look(login))
    assert isinstance(found, Finding)
    assert found.code == "key-not-authorized"
    assert [(each.what, each.value) for each in found.evidence] == [
        ("logs in as", "me"),
        ("it offers", "publickey"),
        (KEY, "refused by the gateway"),
        ("netkit says", "it failed"),
    ]


def test_keys_that_nobody_named():
    names = ("config", "id_ed25519", "id_ed25519.pub", "known_hosts", "old.pem.bak", "work.pem")
    hop = HopFacts(alias="gw", host="gw", identities=("/home/me/.ssh/id_ed25519",))
    login = failed("no-credentials", methods=("publickey",))
    found = look(login, hop, directories={"/home/me/.ssh": names})
    assert found.others == ("/home/me/.ssh/work.pem",)


def test_a_key_of_no_use_is_told_by_another_check():
    login = failed("key-is-ssh2", methods=("publickey",))
    (found,) = judge(look(login))
    assert isinstance(found, Finding)
    assert (found.code, found.caused_by) == ("login-key-unusable", ("key-is-ssh2",))


@pytest.mark.parametrize("login", [Login(), failed("cancelled")])
def test_what_cannot_be_known(login: Login):
    assert isinstance(judge(look(login))[0], Unknown)


@given(any_of(Refusal))
def test_is_total(refusal: Refusal):
    for found in judge(refusal):
        if isinstance(found, Finding):
            assert found.code in CODES
            assert found.title.isprintable()
