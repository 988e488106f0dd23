"""The agent: absent, dead, deaf, empty, crowded, somebody else's, or open to all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from diagnostics.checks.agent import CHECK, MAX_TRIES, Facts, judge, probe
from diagnostics.model import Finding, Severity, Target
from diagnostics.ssh import AgentFacts, AgentKeyFacts, HopFacts, KeyFileFacts, Route
from diagnostics.system import FileStat
from support.any_values import any_of
from support.machine import FakeSsh, FakeSystem

CODES = {kind.code for kind in CHECK.finds}
HOME = "/home/me/.ssh"
SOCKET = "/tmp/ssh-x/agent.1"
PLAIN = KeyFileFacts(path=f"{HOME}/id_ed25519", fingerprint="P")
LOCKED = replace(PLAIN, encrypted=True, fingerprint="L")
OK = AgentFacts(outcome="ok", path=SOCKET)
GATEWAY = HopFacts(alias="gw", host="gw")
ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO


def held(*prints: str) -> AgentFacts:
    keys = tuple(AgentKeyFacts(key_type="ssh-rsa", bits=1, fingerprint=p) for p in prints)
    return replace(OK, keys=keys)


def look(
    agent: AgentFacts, *keys: KeyFileFacts, hop: HopFacts | None = None, **words: Any
) -> Facts:
    if hop is not None:
        hop = replace(hop, identities=tuple(key.path for key in keys))
    route = Route(hops=() if hop is None else (hop,))
    ssh = FakeSsh(route=route, agent=agent, keys={key.path: key for key in keys})
    names = tuple(key.path.rpartition("/")[2] for key in keys)
    system = FakeSystem(
        words.pop("os", "linux"),
        ssh=ssh,
        directories={HOME: names},
        variables={"SSH_AUTH_SOCK": agent.path} if agent.path else {},
        **words,
    )
    return probe(Target(), system)


def found(facts: Facts) -> list[tuple[str, Severity]]:
    return [(each.code, each.severity) for each in judge(facts) if isinstance(each, Finding)]


def test_no_agent_and_no_need_for_one():
    none = AgentFacts(outcome="none")
    assert found(look(none)) == []
    assert found(look(none, PLAIN, hop=GATEWAY)) == []
    assert found(look(none, LOCKED)) == [("agent-absent", INFO)]
    assert found(look(none, LOCKED, os="windows")) == [("agent-absent", INFO)]


@pytest.mark.parametrize("os", ["linux", "windows"])
def test_a_dead_agent(os: str):
    dead = AgentFacts(outcome="absent", path=SOCKET, text="it has ended")
    assert found(look(dead, PLAIN, os=os)) == [("agent-dead", WARNING)]
    assert found(look(dead, LOCKED, hop=GATEWAY, os=os)) == [("agent-dead", ERROR)]
    assert found(look(dead, os=os)) == [("agent-dead", ERROR)]


def test_a_deaf_agent():
    failed = AgentFacts(outcome="failed", path=SOCKET, text="it did not answer")
    assert found(look(failed, PLAIN)) == [("agent-failed", WARNING)]
    denied = replace(failed, text="[Errno 13] Permission denied")
    assert found(look(denied)) == [("agent-denied", ERROR)]
    shut = {"/tmp/ssh-x": FileStat("/tmp/ssh-x", error="EACCES")}
    assert found(look(failed, PLAIN, stats=shut)) == [("agent-denied", WARNING)]


def test_an_empty_agent():
    assert found(look(OK, PLAIN)) == []
    (empty,) = judge(look(OK, LOCKED))
    assert isinstance(empty, Finding)
    assert (empty.code, empty.severity) == ("agent-empty", INFO)
    assert empty.fixes[0].argv == ("ssh-add", LOCKED.path)
    (mac,) = judge(look(OK, LOCKED, os="darwin"))
    assert isinstance(mac, Finding)
    assert mac.fixes[0].argv[1] == "--apple-use-keychain"


def test_a_key_that_it_lacks():
    assert found(look(held("L"), LOCKED)) == []
    assert found(look(held("x"), LOCKED)) == [("agent-key-missing", INFO)]
    assert found(look(held("x"), replace(LOCKED, fingerprint=""))) == [("agent-key-missing", INFO)]
    token = replace(PLAIN, error_code="key-needs-agent")
    assert found(look(held("x"), token)) == []


def test_too_many_keys():
    crowd = held(*map(str, range(MAX_TRIES)))
    assert found(look(crowd)) == [("agent-too-many-keys", WARNING)]
    assert found(look(crowd, PLAIN, hop=GATEWAY)) == [("agent-too-many-keys", WARNING)]
    assert found(look(crowd, hop=replace(GATEWAY, identities_only=True))) == []
    assert found(look(crowd, hop=replace(GATEWAY, identities_explicit=True))) == []
    assert found(look(held("1", "2"))) == []


def test_who_else_can_use_it():
    def stats(mode: int, uid: int | None = 1000, directory: int = 0o700, **words: Any) -> Facts:
        both = {
            SOCKET: FileStat(SOCKET, "socket", mode, uid),
            "/tmp/ssh-x": FileStat("/tmp/ssh-x", "directory", directory, uid),
        }
        return look(held("x"), stats=both, **words)

    assert found(stats(0o600)) == []
    assert found(stats(0o777)) == []  # nobody else gets to it
    assert found(stats(0o600, directory=0o755)) == []
    assert found(stats(0o777, directory=0o711)) == [("agent-exposed", WARNING)]
    assert found(stats(0o600, 1001)) == [("agent-foreign", WARNING)]
    assert found(stats(0o600, 0)) == []
    assert found(stats(0o777, directory=0o711, os="windows")) == []


def test_a_pipe_of_windows_has_no_directory():
    agent = AgentFacts(outcome="ok", path="\\\\.\\pipe\\openssh-ssh-agent")
    assert look(agent, os="windows").socket.path == ""
    assert look(replace(agent, path="agent"), os="linux").directory.path == "/"


@given(any_of(Facts))
def test_is_total(facts: Facts):
    for outcome in ("ok", "none", "absent", "failed"):
        agent = replace(facts.agent, outcome=outcome)
        for each in judge(replace(facts, agent=agent)):
            if isinstance(each, Finding):
                assert each.code in CODES
                assert each.title.isprintable()
