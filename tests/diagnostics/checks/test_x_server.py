"""Whether an X server answers where DISPLAY leads, and what became of it if not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from diagnostics.checks.x_server import CHECK, Facts, judge, probe
from diagnostics.model import Finding, Severity, Target, Unknown
from diagnostics.system import FileStat, ProcessInfo, Resolution, Talk
from support.any_values import any_of
from support.machine import ACCOUNT, FakeSystem
from support.xservers import FULL, Fake, rejected, talk

CODES = {kind.code for kind in CHECK.finds}
X0 = "/tmp/.X11-unix/X0"
DIRECTORY = {"/tmp/.X11-unix": FileStat("/tmp/.X11-unix", "directory", 0o1777, 0)}
LOCK = "/tmp/.X0-lock"


def examine(text: str, servers: dict[str, Fake] | None = None, **more):
    target = more.pop("target", Target())
    variables = {"DISPLAY": text, **more.pop("variables", {})}
    os = more.pop("os", "linux")
    more = {"stats": DIRECTORY, "talk": talk(servers or {}), **more}
    return judge(probe(target, FakeSystem(os, variables=variables, **more)))


def only(*given, **more) -> Finding:
    (found,) = examine(*given, **more)
    assert isinstance(found, Finding)
    return found


def words_of(found: Finding) -> list[tuple[str, ...]]:
    return [fix.argv for fix in found.fixes]


def test_healthy():
    assert examine(":0", {X0: Fake()}) == ()
    assert examine(":0", {X0: Fake(cookie=b"c" * 16)}) == ()
    assert examine("gw:1", {"192.0.2.1:6001": Fake()}, names={"gw": ("192.0.2.1",)}) == ()


def test_not_ours_to_say():
    """DISPLAY is not set, or is for another check."""
    assert examine("") == ()
    assert examine("nonsense") == ()


def test_dead():
    found = only(":0")
    assert (found.code, found.severity) == ("x-server-dead", Severity.WARNING)
    assert "never started" in found.explain
    assert words_of(found) == [("ls", "/tmp/.X11-unix")]
    assert only(":0", target=Target(protocol="x11")).severity is Severity.ERROR


def test_crashed():
    """Its socket is there and nobody listens."""

    def refuse(address, _said) -> Talk:
        return Talk(address, "refused", error="ECONNREFUSED")

    assert "without cleaning up" in only("unix/:0", talk=refuse).explain


def test_dead_over_tcp():
    found = only("localhost:0")
    assert "-listen tcp" in found.explain
    assert words_of(found)[0] == ("export", "DISPLAY=:0")


def test_dead_on_macos():
    assert words_of(only(":0", os="darwin")) == [("open", "-a", "XQuartz")]
    found = only("localhost:0", os="darwin")
    assert "XQuartz takes no TCP" in found.explain
    assert found.fixes[1].undo == ("defaults", "delete", "org.xquartz.X11", "nolisten_tcp")


def test_dead_on_windows():
    names = {"127.0.0.1": ("127.0.0.1",)}
    assert only("127.0.0.1:0.0", os="windows", names=names).fixes == ()


WSL = replace(ACCOUNT, system="Linux 5.15.90-Microsoft-standard-WSL2")


def test_dead_in_wsl():
    found = only("172.20.0.1:0", account=WSL, names={"172.20.0.1": ("172.20.0.1",)})
    assert "Windows side" in found.explain
    assert words_of(found) == [("export", "DISPLAY=:0")]


@pytest.mark.parametrize("account", [WSL, ACCOUNT])
def test_unreachable(account):
    def drop(address, _said) -> Talk:
        return Talk(address, "timed-out", error="ETIMEDOUT")

    found = only(
        "10.0.0.9:0",
        account=account,
        names={"10.0.0.9": ("10.0.0.9",)},
        talk=drop,
        connect=lambda address: replace(FakeSystem().connect(address), outcome="timed-out"),
    )
    assert found.code == "x-server-silent"
    assert "firewall" in found.explain
    assert bool(found.fixes) is (account is WSL)


@pytest.mark.parametrize(
    ("variable", "explain"),
    [("TMUX", "tmux keeps"), ("STY", "start-up file"), ("SSH_CONNECTION", "start-up file")],
)
def test_stale(variable: str, explain: str):
    found = only("localhost:10.0", variables={variable: "x"})
    assert found.code == "x-display-stale"
    assert explain in found.explain
    assert ("unset", "DISPLAY") in words_of(found)


def test_stale_of_an_unknown_login():
    assert only("localhost:10.0").explain == "The ssh session that carried this display has ended."


@pytest.mark.parametrize(
    ("data", "evidence"), [(b"      4711\n", "process 4711 is gone"), (b"junk", "no process")]
)
def test_lock(data: bytes, evidence: str):
    found = examine(":0", files={LOCK: data})
    assert [each.code for each in found] == ["x-stale-lock", "x-server-dead"]
    assert evidence in found[0].evidence[0].value
    assert "sudo" in found[0].fixes[0].argv


def test_lock_of_another_program():
    processes = {4711: ProcessInfo(4711, "bash")}
    found = examine(":0", files={LOCK: b"      4711\n"}, processes=processes)
    assert found[0].evidence[0].value == "process 4711 is bash"


def test_lock_of_a_server_that_runs():
    processes = {4711: ProcessInfo(4711, "Xorg")}
    assert only(":0", files={LOCK: b"      4711\n"}, processes=processes).code == "x-server-dead"


def test_unknown_host():
    found = only("nowhere.example:0")
    assert found.code == "x-display-host"
    (unknown,) = examine("slow:0", names={"slow": Resolution("slow", error="timeout")})
    assert isinstance(unknown, Unknown)


def test_no_addresses_at_all():
    found = only("empty:0", names={"empty": ()})
    assert found.code == "x-server-dead"


def test_socket_is_missing():
    found = only(":0", {f"@{X0}": Fake()})
    assert found.code == "x-socket-missing"
    assert found.fixes[0].argv == ()
    found = only(":0", {"127.0.0.1:6000": Fake()}, stats={})
    assert words_of(found)[0][:2] == ("sudo", "install")
    assert words_of(found)[1] == ("export", "DISPLAY=localhost:0")


def test_silent():
    found = only(":0", {X0: Fake(words=b"", outcome="timed-out")})
    assert found.code == "x-server-silent"


def test_strange():
    found = only(":0", {X0: Fake(words=b"SSH-2.0-OpenSSH_9.2\r\n")})
    assert found.code == "x-not-a-server"
    assert "SSH-2.0" in found.explain


def test_full():
    found = only(":0", {X0: Fake(words=rejected(FULL))})
    assert found.code == "x-server-full"


def test_no_answer_of_facts():
    facts = probe(Target(), FakeSystem(variables={"DISPLAY": ":0"}, talk=talk({})))
    (found,) = judge(replace(facts, answers=(), lock=None, directory=None))
    assert isinstance(found, Finding)
    assert found.code == "x-server-dead"
    answered = probe(
        Target(), FakeSystem(variables={"DISPLAY": ":0"}, talk=talk({f"@{X0}": Fake()}))
    )
    (found,) = judge(replace(answered, directory=None))
    assert isinstance(found, Finding)
    assert found.evidence[-1].value == ""


@given(any_of(Facts))
def test_any_facts(facts: Facts):
    assert {each.code for each in judge(facts) if isinstance(each, Finding)} <= CODES
