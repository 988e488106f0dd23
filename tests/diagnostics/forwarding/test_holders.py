"""Who holds a port of the gateway: another program, or an earlier session of ours."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.forwarding.holders import STALE, TAKEN, Client, Taken, judge_taken, look
from diagnostics.forwarding.shell import Asked
from diagnostics.model import Confidence
from diagnostics.parsers.gateway_survey import GatewayAccount, GatewayProcess
from diagnostics.parsers.port_holder import Holder, Listener
from diagnostics.ssh import Login
from diagnostics.system import ProcessInfo, SocketRow, SocketTable
from netkit.model import Endpoint, ForwardKind, ForwardSpec, UnixPath
from support.any_values import any_of
from support.machine import LOGIN, FakeSsh, FakeSystem

FORWARD = ForwardSpec(ForwardKind.REMOTE, Endpoint("", 8080), Endpoint("127.0.0.1", 80))
US, OLD = Endpoint("192.0.2.10", 50000), Endpoint("192.0.2.10", 40000)
ACCOUNT = GatewayAccount(uid=1000, user="me", client=US)
SESSION = GatewayProcess(pid=77, parent=1, uid=1000, age="02:03", title="sshd: me", user="me")
OTHER = GatewayProcess(pid=8, parent=1, uid=5, age="1", title="", user="you")
CLIENT = Client(pid=5, command="ssh -N -R 8080:localhost:80 gw", port=40000)
ASKED = Asked(server="SSH-2.0-OpenSSH_9.2p1")


def held(*listeners: Listener, **more: Any) -> Holder:
    return Holder(port=8080, readable=True, account=ACCOUNT, listeners=listeners, **more)


def judged(holder: Holder | None, **more: Any):
    return judge_taken("gw", Taken(forward=FORWARD, holder=holder, **more), ASKED)


def by(uid: int | None = None, pid: int | None = None, name: str = "", host: str = "127.0.0.1"):
    return Listener(host=host, uid=uid, pid=pid, name=name)


@pytest.mark.parametrize(
    ("holder", "who"),
    [
        (None, "something else"),
        (held(), "something else"),
        (held(by(pid=9, name="nginx")), "nginx (process 9 there)"),
        (held(by()), "another program"),
        (held(by(uid=33)), "account 33 there"),
        (held(by(uid=1000)), "a program of this account there"),
        (
            held(by(uid=5, pid=8), sessions=(OTHER,)),
            "an SSH session of you (process 8 there)",
        ),
    ],
)
def test_another_program(holder, who):
    found = judged(holder, free=8081)
    assert found.code == TAKEN
    assert found.title == f"Port 8080 of gw is taken by {who}"
    assert "8081:127.0.0.1:80" in found.fixes[0].argv
    assert ("nothing there tells" in found.explain) is (holder is None)


def test_one_address_alone():
    listeners = (by(uid=33, host="::1"), by(uid=34))
    found = judged(held(*listeners), hosts=("127.0.0.1",))
    assert found.title.startswith("127.0.0.1:8080 of gw is taken by account 34 there, and the")
    assert found.fixes[0].note == "lets the gateway choose the port"
    assert len(found.evidence) == 3


def test_a_session_that_is_seen():
    holder = held(by(uid=1000, pid=77), sessions=(SESSION,))
    found = judged(holder)
    assert (found.code, found.confidence) == (STALE, Confidence.CERTAIN)
    assert "(process 77 there, since 02:03)" in found.title
    assert found.fixes[0].argv == ("kill", "77")
    assert "If its client is gone" in found.explain


def test_a_session_that_is_supposed():
    found = judged(held(by(uid=1000), sessions=(SESSION,)), clients=(CLIENT,))
    assert (found.code, found.confidence) == (STALE, Confidence.LIKELY)
    assert "process 5 of this machine: ssh -N" in found.explain
    assert [fix.argv[:2] for fix in found.fixes[:2]] == [("kill", "5"), ("kill", "77")]


def test_several_sessions_that_may_be():
    found = judged(held(by(uid=1000), sessions=(SESSION, SESSION)))
    assert found.code == STALE
    assert found.fixes[0].argv == ("ps", "-u", "me", "-o", "pid,etime,args")
    nameless = Holder(
        port=8080,
        account=GatewayAccount(uid=1000),
        listeners=(by(uid=1000),),
        sessions=(SESSION, SESSION),
    )
    assert judged(nameless).fixes[0].argv[:2] == ("ps", "-A")


def test_the_client_by_its_port():
    holder = held(by(uid=1000, pid=77), sessions=(SESSION,), clients=((77, OLD),))
    found = judged(holder, clients=(CLIENT,), local=US, complete=True)
    assert found.fixes[0].argv == ("kill", "5")
    gone = judged(holder, local=US, complete=True)
    assert gone.explain.startswith("Its client is gone")
    behind_nat = judged(holder, clients=(CLIENT,), local=Endpoint("10.0.0.1", 1), complete=True)
    assert behind_nat.explain.startswith("If its client is gone")


def test_no_shell_and_a_client_that_says_so():
    found = judged(None, clients=(CLIENT,))
    assert found.code == STALE
    assert [fix.argv[0] for fix in found.fixes] == ["kill", "sudo", "netkit"]
    other = Client(pid=6, command="ssh -R 80801:x:1 gw", port=1)
    assert judged(None, clients=(other,)).code == TAKEN
    assert judged(None, clients=(CLIENT, CLIENT)).code == TAKEN


def test_a_session_of_another_account():
    root = GatewayProcess(pid=77, parent=1, uid=0, age="1", title="", user="me")
    found = judged(held(by(pid=77), sessions=(root,)))
    assert found.fixes[0].argv == ("sudo", "kill", "77")


def test_a_forward_of_a_socket():
    forward = ForwardSpec(ForwardKind.REMOTE, UnixPath("/s"), None)
    found = judge_taken("gw", Taken(forward=forward), ASKED)
    assert found.code == TAKEN
    assert len(found.fixes) == 1


def test_looking():
    peer = LOGIN.peer
    assert peer is not None

    def row(port: int, host: str = peer.host, state: str = "ESTABLISHED", pid: int | None = 5):
        return SocketRow("192.0.2.10", port, state, host, peer.port, pid=pid)

    rows = (
        *(row(40000), row(50000), row(40001, "::ffff:198.51.100.1", pid=None)),
        *(row(40002, state="TIME_WAIT"), row(40003, "203.0.113.1"), row(40004, pid=99)),
    )
    system = FakeSystem(
        sockets=SocketTable(rows=rows, complete=True),
        processes={5: ProcessInfo(5, "ssh", command=("ssh", "gw"))},
    )
    taken = look(FORWARD, ("::1",), 8081, system)
    assert [(each.pid, each.command, each.port) for each in taken.clients] == [
        (5, "ssh gw", 40000),
        (0, "", 40001),
        (99, "", 40004),
    ]
    assert (taken.hosts, taken.free, taken.complete, taken.port) == (("::1",), 8081, True, 8080)
    assert taken.holder is None


def test_looking_without_a_connection_of_our_own():
    ssh = FakeSsh(login=Login(stage="done"))
    forward = ForwardSpec(ForwardKind.REMOTE, UnixPath("/s"), None)
    taken = look(forward, (), 0, FakeSystem(ssh=ssh))
    assert (taken.clients, taken.complete, taken.port) == ((), False, 0)


@given(st.text(max_size=9), any_of(Taken), any_of(Asked))
def test_total(gateway, taken, asked):
    assert judge_taken(gateway, taken, asked).code in (TAKEN, STALE)
