"""Where a listening point of the gateway can be reached, proved by where nonces arrive.

127.0.0.2 stands for another machine's way in: sshd's GatewayPorts decides whether it leads to us.
"""

from __future__ import annotations

import signal
import threading
import time

import pytest

from diagnostics.ssh import Knock
from netkit.doctor import knocks
from netkit.doctor.knocks import listen
from netkit.model import Endpoint
from support import targets, tunnels
from support.examiner import session
from support.hostile import HostileServer
from support.waiting import wait_until

HERE = Knock(origin="here", address=Endpoint("127.0.0.1", 0))
THERE = Knock(origin="gateway", address=Endpoint("127.0.0.1", 0))
OTHER_WAY_IN = Knock(origin="here", address=Endpoint("127.0.0.2", 0))
OTHER_WAY_THERE = Knock(origin="gateway", address=Endpoint("127.0.0.2", 0))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with tunnels.start("sshd", tmp_path_factory.mktemp("sshd"), LogLevel="INFO") as gateway:
        yield gateway


def ask(subject, bind=Endpoint("", 0), *made: Knock, cancelled=None):
    return listen(
        subject,
        bind,
        made,
        cancelled=cancelled or threading.Event(),
        turn=threading.Lock(),
    )


def outcomes(listened) -> list[str]:
    return [knock.outcome for knock in listened.knocks]


def test_loopback_alone(gateway):
    with session(gateway) as subject:
        found = ask(subject, Endpoint("*", 0), HERE, THERE, OTHER_WAY_IN, OTHER_WAY_THERE)
        assert (found.outcome, found.text) == ("ok", "")
        assert found.port > 0
        assert outcomes(found) == ["arrived", "arrived", "refused", "refused"]
        assert [k.address.port for k in found.knocks] == [found.port] * 4
        assert all(k.originator.startswith("127.0.0.1:") for k in found.knocks[:2])
        # The port is given back.
        with pytest.raises(OSError, match="refused"):
            tunnels.dial(Endpoint("127.0.0.1", found.port))
        wait_until(lambda: not subject.link.mux.channels)


@pytest.mark.parametrize("value", ["yes", "clientspecified"])
def test_open_to_others(tmp_path, value):
    with tunnels.start("sshd", tmp_path, LogLevel="INFO", GatewayPorts=value) as gateway:
        with session(gateway) as subject:
            asked = ask(subject, Endpoint("*", 0), OTHER_WAY_IN, OTHER_WAY_THERE)
            assert outcomes(asked) == ["arrived", "arrived"]
            assert asked.messages == ()
            default = ask(subject, Endpoint("", 0), HERE, OTHER_WAY_IN)
            opened = value == "yes"
            assert outcomes(default) == ["arrived", "arrived" if opened else "refused"]
            assert bool(default.messages) == opened
            if opened:
                assert "overridden by server GatewayPorts" in default.messages[0]


@pytest.mark.parametrize("name", ["dropbear", "netkit", "asyncssh"])
def test_servers_of_other_make(tmp_path, name):
    with tunnels.start(name, tmp_path) as gateway, session(gateway) as subject:
        found = ask(subject, Endpoint("", 0), HERE, THERE, OTHER_WAY_IN)
        assert outcomes(found) == ["arrived", "arrived", "refused"]


def test_somebody_else_is_there(gateway):
    with session(gateway) as subject, targets.greeting(b"220 mail\r\n") as mail:
        with targets.blackhole() as silent, targets.sink() as sink:
            there = [
                Knock(origin=origin, address=Endpoint(each.host, each.port))
                for each in (mail, silent, sink)
                for origin in ("here", "gateway")
            ]
            began = time.monotonic()
            found = ask(subject, Endpoint("", 0), *there)
            assert time.monotonic() - began < knocks.KNOCK_TIME + 3
        assert outcomes(found) == ["elsewhere"] * 6
        assert "220 mail" in found.knocks[0].text
        assert "220 mail" in found.knocks[1].text
        assert found.knocks[2].text == found.knocks[3].text


def test_the_other_family_is_somebody_elses(gateway):
    """sshd agrees to listen where one address of two is free."""
    with targets.greeting(b"mine") as taken, session(gateway) as subject:
        six = Knock(origin="here", address=Endpoint("::1", 0))
        found = ask(subject, Endpoint("", taken.port), HERE, six)
        assert outcomes(found) == ["elsewhere", "arrived"]


def test_a_door_that_is_slammed(gateway):
    with session(gateway) as subject, targets.reset() as rude:
        slammed = Knock(origin="here", address=Endpoint(rude.host, rude.port))
        assert outcomes(ask(subject, Endpoint("", 0), slammed)) == ["elsewhere"]


def test_refused(tmp_path):
    with tunnels.start("sshd", tmp_path, LogLevel="INFO", AllowTcpForwarding="local") as gateway:
        with session(gateway) as subject:
            found = ask(subject, Endpoint("", 0), HERE)
    assert (found.outcome, found.port, found.knocks) == ("refused", 0, ())
    assert "refused to listen" in found.text


def test_knocks_that_the_gateway_may_not_make(tmp_path):
    with tunnels.start("sshd", tmp_path, LogLevel="INFO", AllowTcpForwarding="remote") as gateway:
        with session(gateway) as subject:
            found = ask(subject, Endpoint("", 0), HERE, THERE)
    assert outcomes(found) == ["arrived", "prohibited"]


def test_unreachable_and_unknown(gateway):
    with session(gateway) as subject:
        wild = [
            Knock(origin="here", address=Endpoint("255.255.255.255", 0)),
            Knock(origin="gateway", address=Endpoint("no-such-name.invalid", 0)),
            Knock(origin="here", address=Endpoint("no-such-name.invalid", 0)),
        ]
        found = ask(subject, Endpoint("", 0), *wild)
        assert not {"arrived", "elsewhere", ""} & set(outcomes(found))
        assert outcomes(found)[1] == "failed"
        assert all(knock.text for knock in found.knocks)


def test_a_stranger_knocks(gateway):
    """Connections of others are neither arrivals nor kept."""
    with session(gateway) as subject:
        this = knocks.Round(subject, threading.Event())
        listener = subject.listen(Endpoint("", 0), this.accept, 10)
        strangers = [tunnels.dial(Endpoint("127.0.0.1", listener.port)) for _ in range(3)]
        try:
            strangers[0].sendall(b"x" * 100)
            strangers[1].sendall(b"short")
            made = this.knock_all((HERE,), listener.port)
            assert [knock.outcome for knock in made] == ["arrived"]
        finally:
            subject.unlisten(listener, 10)
            this.leave()
            for sock in strangers:
                assert tunnels.outcome(sock) in {"eof", "reset"}
                sock.close()


def test_strangers_are_bounded(gateway, monkeypatch):
    monkeypatch.setattr(knocks, "MAX_ARRIVALS", 1)
    with session(gateway) as subject:
        this = knocks.Round(subject, threading.Event())
        listener = subject.listen(Endpoint("", 0), this.accept, 10)
        with tunnels.dial(Endpoint("127.0.0.1", listener.port)) as first:
            first.sendall(b"x" * 100)
            assert tunnels.outcome(first) in {"eof", "reset"}
            made = this.knock_all((HERE,), listener.port)
            assert [knock.outcome for knock in made] == ["elsewhere"]
        subject.unlisten(listener, 10)


def test_frozen_while_knocking(gateway):
    """A gateway that froze is not somebody else."""
    with session(gateway) as subject:
        this = knocks.Round(subject, threading.Event())
        listener = subject.listen(Endpoint("", 0), this.accept, 10)
        gateway.signal(signal.SIGSTOP)
        try:
            made = this.knock_all((HERE, THERE), listener.port)
        finally:
            gateway.signal(signal.SIGCONT)
        assert [knock.outcome for knock in made] == ["timed-out", "timed-out"]


def test_frozen_before(gateway, monkeypatch):
    monkeypatch.setattr(knocks, "LISTEN_TIME", 0.3)
    with session(gateway) as subject:
        gateway.signal(signal.SIGSTOP)
        try:
            found = ask(subject, Endpoint("", 0), HERE)
        finally:
            gateway.signal(signal.SIGCONT)
    assert (found.outcome, found.knocks) == ("timed-out", ())


def test_killed(gateway):
    with session(gateway) as subject:
        this = knocks.Round(subject, threading.Event())
        listener = subject.listen(Endpoint("", 0), this.accept, 10)
        gateway.kill()
        subject.link.wait(10)
        made = this.knock_all((THERE,), listener.port)
        assert [knock.outcome for knock in made] == ["failed"]
        found = ask(subject, Endpoint("", 0), HERE)
        assert (found.outcome, found.port) == ("link-lost", 0)
        assert found.text
        assert knocks._give_back(subject, listener)[0] == "link-lost"


def test_cancelled(gateway):
    cancelled = threading.Event()
    with session(gateway) as subject, targets.blackhole() as silent:
        timer = threading.Timer(0.3, cancelled.set)
        timer.start()
        began = time.monotonic()
        knock = Knock(origin="here", address=Endpoint(silent.host, silent.port))
        found = ask(subject, Endpoint("", 0), knock, cancelled=cancelled)
        assert time.monotonic() - began < knocks.KNOCK_TIME
        assert (found.knocks[0].outcome, found.knocks[0].text) == ("failed", "interrupted")
        timer.join()


def test_a_port_that_does_not_exist():
    from netkit.wire.messages import GLOBAL_REQUEST, REQUEST_SUCCESS, u32

    def script(server, kind, _fields) -> None:
        if kind == GLOBAL_REQUEST:
            server.send(bytes([REQUEST_SUCCESS]) + u32(70000))

    with HostileServer(script) as server:
        from netkit.doctor.session import Access, open_session
        from netkit.model import Plan

        subject = open_session(Access(plan=Plan(hops=(server.hop(),))))
        try:
            assert ask(subject, Endpoint("", 0), HERE).outcome == "link-lost"
        finally:
            subject.close()
