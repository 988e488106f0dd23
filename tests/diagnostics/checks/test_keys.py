"""Which key files are looked at, how bad a fault is, and the directory they are in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given

from diagnostics.checks.keys import CHECK, DIRECTORY, Facts, judge, probe
from diagnostics.model import Finding, Severity, Target, Unknown
from diagnostics.ssh import AgentFacts, AgentKeyFacts, HopFacts, KeyFileFacts, Route
from diagnostics.system import FileStat
from support.any_values import any_of
from support.machine import FakeSsh, FakeSystem

CODES = {kind.code for kind in CHECK.finds}
HOME = "/home/me/.ssh"
GOOD = KeyFileFacts(path=f"{HOME}/id_ed25519", key_type="ssh-ed25519", bits=256, fingerprint="F")
OLD = KeyFileFacts(path=f"{HOME}/id_rsa", error_code="key-is-ssh2")
PUTTY = replace(GOOD, path=f"{HOME}/id.ppk")
PPK = {PUTTY.path: b"PuTTY-User-Key-File-3: ssh-ed25519"}


def look(*keys: KeyFileFacts, hops: tuple[HopFacts, ...] = (), **words: Any) -> Facts:
    agent = words.pop("agent", AgentFacts(outcome="none"))
    ssh = FakeSsh(route=Route(hops=hops), keys={key.path: key for key in keys}, agent=agent)
    names = tuple(key.path.rpartition("/")[2] for key in keys)
    words.setdefault("directories", {HOME: names})
    return probe(Target(gateway="gw" if hops else ""), FakeSystem(ssh=ssh, **words))


def hop(*keys: KeyFileFacts, alias: str = "gw", explicit: bool = False) -> HopFacts:
    paths = tuple(key.path for key in keys)
    return HopFacts(alias=alias, host=alias, identities=paths, identities_explicit=explicit)


def found(facts: Facts) -> list[tuple[str, Severity]]:
    return [(each.code, each.severity) for each in judge(facts) if isinstance(each, Finding)]


def test_a_home_without_keys_is_fine():
    assert judge(look()) == ()
    assert judge(look(GOOD)) == ()


def test_offline_only_private_keys_of_the_home_are_looked_at():
    names = ("config", "id_ed25519", "id_ed25519.pub", "id_x.bak", "work.pem")
    facts = look(directories={HOME: names})
    assert [view.facts.path for view in facts.keys] == [f"{HOME}/id_ed25519"]
    assert found(look(OLD)) == [("key-is-ssh2", Severity.WARNING)]


def test_a_key_that_somebody_named_is_an_error():
    assert found(look(OLD, hops=(hop(OLD, explicit=True),))) == [("key-is-ssh2", Severity.ERROR)]


def test_a_useless_key_beside_a_good_one_is_a_warning():
    facts = look(OLD, GOOD, hops=(hop(OLD, GOOD),))
    assert found(facts) == [("key-is-ssh2", Severity.WARNING)]
    assert found(look(OLD, hops=(hop(OLD),))) == [("key-is-ssh2", Severity.ERROR)]
    held = AgentFacts(
        outcome="ok", keys=(AgentKeyFacts(key_type="x", bits=0, fingerprint="SHA256:1"),)
    )
    facts = look(OLD, hops=(hop(OLD),), agent=held)
    assert found(facts) == [("key-is-ssh2", Severity.WARNING)]


def test_a_key_for_two_hops_is_told_once():
    hops = (hop(OLD, alias="jump"), hop(OLD))
    assert len(judge(look(OLD, hops=hops))) == 1


def test_a_weak_key_is_a_warning():
    weak = replace(GOOD, key_type="ssh-rsa", bits=1024)
    facts = look(weak, hops=(hop(weak, explicit=True),))
    assert found(facts) == [("key-rsa-short", Severity.WARNING)]


def test_what_the_finding_rests_on():
    (finding,) = judge(look(OLD, hops=(hop(OLD),), files={OLD.path: b"---- BEGIN SSH2"}))
    assert isinstance(finding, Finding)
    assert [(each.what, each.value) for each in finding.evidence] == [
        ("for", "gw"),
        ("netkit's code", "key-is-ssh2"),
        ("looks like", "ssh2"),
        ("mode", "0600"),
    ]


def test_a_putty_key_is_told_and_counts_as_usable():
    facts = look(PUTTY, hops=(hop(PUTTY, explicit=True),), files=PPK)
    assert found(facts) == [("key-is-ppk", Severity.INFO)]
    both = look(PUTTY, OLD, hops=(hop(PUTTY, OLD),), files=PPK)
    assert found(both) == [("key-is-ppk", Severity.INFO), ("key-is-ssh2", Severity.WARNING)]
    broken = replace(PUTTY, error_code="key-not-recognised")
    assert found(look(broken, hops=(hop(broken, explicit=True),), files=PPK)) == [
        ("key-not-recognised", Severity.ERROR)
    ]


def test_the_directory():
    def stat(**words: Any) -> Facts:
        return look(stats={HOME: FileStat(HOME, "directory", **words)})

    assert found(stat(mode=0o700, uid=1000)) == []
    assert found(stat(mode=0o755, uid=0)) == []
    assert found(stat(mode=0o700, uid=None)) == []
    assert found(stat(mode=0o775, uid=1000)) == [(DIRECTORY, Severity.WARNING)]
    (foreign,) = judge(stat(mode=0o700, uid=1001))
    assert isinstance(foreign, Finding)
    assert foreign.title.endswith("belongs to another user")
    assert judge(replace(stat(mode=0o777, uid=1000), os="windows")) == ()


def test_many_keys_are_bounded():
    many = tuple(replace(GOOD, path=f"{HOME}/id_{n}") for n in range(40))
    facts = look(*many)
    assert (len(facts.keys), facts.more) == (32, 8)
    (unknown,) = judge(facts)
    assert isinstance(unknown, Unknown)
    assert unknown.reason.startswith("8 more keys")


@given(any_of(Facts))
def test_is_total(facts: Facts):
    for each in judge(facts):
        if isinstance(each, Finding):
            assert each.code in CODES
            assert each.title.isprintable()
