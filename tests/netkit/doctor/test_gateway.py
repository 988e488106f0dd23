"""The examiner against real servers: answers, and what each failure is called."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from diagnostics.ssh import IdleRun, Knock, Ssh
from netkit.doctor import gateway as module
from netkit.doctor.gateway import GatewayExaminer
from netkit.engine.gateway import GatewayServer
from netkit.model import Endpoint, Gateway, TunnelSpec, UnixPath
from support import targets, tunnels
from support.agent import Agent
from support.examiner import examiner, spec
from support.prompts import Person
from support.sshd import make_key
from support.waiting import wait_until

HERE = Knock(origin="here", address=Endpoint("127.0.0.1", 0))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with tunnels.start("sshd", tmp_path_factory.mktemp("sshd"), LogLevel="INFO") as gateway:
        yield gateway


@pytest.fixture
def subject(gateway, tmp_path):
    with examiner(gateway, tmp_path) as subject:
        yield subject


# ---------------------------------------------------------------- a gateway that does everything


def test_it_is_the_port():
    port: Ssh = GatewayExaminer(None)
    assert port.login().stage == "none"


def test_route(subject, gateway):
    route = subject.route()
    (hop,) = route.hops
    assert (hop.alias, hop.host, hop.port, hop.user) == (
        "gate",
        "127.0.0.1",
        gateway.port,
        gateway.user,
    )
    assert hop.identities == (str(gateway.client_key),)
    assert (route.error_code, route.keepalive_interval) == ("", 30.0)


def test_login(subject, gateway):
    found = subject.login()
    assert found.done
    assert found.server.startswith("SSH-2.0-OpenSSH")
    assert found.auth.startswith("publickey ED25519 SHA256:")
    assert (found.host_key_type, found.strict_kex) == ("ssh-ed25519", True)
    assert found.peer == Endpoint("127.0.0.1", gateway.port)
    assert found.cipher in found.ours.ciphers
    assert found.cipher in found.theirs.ciphers
    assert 0 < found.seconds_tcp <= found.seconds
    assert subject.login() is found


def test_there_is_one_login(subject, gateway):
    logins: list[Any] = []
    threads = [threading.Thread(target=lambda: logins.append(subject.login())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len({id(login) for login in logins}) == 1
    assert len(logins) == 8


def test_ten_questions_at_once(gateway, tmp_path):
    with examiner(gateway, tmp_path) as subject, targets.echo() as echo:
        questions: list[Callable[[], Any]] = [
            lambda: subject.run("echo one", 30).stdout == b"one\n",
            lambda: subject.run("echo two", 30).stdout == b"two\n",
            lambda: subject.run("head -c 3000000 /dev/zero", 30).stdout == bytes(1 << 20),
            lambda: subject.sessions(12) == 10,
            lambda: subject.open(echo.address, send=b"hi", receive=2).data == b"hi",
            lambda: subject.open(Endpoint("127.0.0.1", 1)).kind == "refused",
            lambda: subject.listen(Endpoint("", 0), (HERE,)).knocks[0].outcome == "arrived",
            lambda: subject.half_close().outcome == "kept",
            lambda: subject.keepalive(20).outcome == "ok",
            lambda: subject.login().done,
        ]
        answers: dict[int, bool] = {}

        def ask(number: int) -> None:
            answers[number] = questions[number]()

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(questions))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert answers == dict.fromkeys(range(10), True)


def test_run(subject):
    found = subject.run("echo out; echo err >&2; exit 3", 20)
    assert (found.outcome, found.status, found.ok) == ("ran", 3, False)
    assert (found.stdout, found.stderr, found.text) == (b"out\n", b"err\n", "out\n")
    assert subject.run("true", 20).ok
    late = subject.run("exec sleep 30", 0.5)
    assert (late.outcome, late.status) == ("timed-out", None)


def test_one_session_at_a_time(tmp_path):
    """Questions of ours never make a server with few sessions look as if it had no shell."""
    with tunnels.start("sshd", tmp_path, LogLevel="INFO", MaxSessions="1") as gateway:
        with examiner(gateway, tmp_path) as subject:
            results: list[str] = []
            threads = [
                threading.Thread(
                    target=lambda: results.append(subject.run("sleep 0.1", 30).outcome)
                )
                for _ in range(5)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            assert results == ["ran"] * 5
            assert subject.sessions(5) == 1


def test_dropbear_is_asked_one_by_one(tmp_path):
    """Several at once would end the connection (mkj/dropbear issue 321)."""
    with tunnels.start("dropbear", tmp_path) as gateway, examiner(gateway, tmp_path) as subject:
        results: dict[int, bytes] = {}

        def run(number: int) -> None:
            results[number] = subject.run(f"echo {number}", 30).stdout

        threads = [threading.Thread(target=run, args=(number,)) for number in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert results == {number: b"%d\n" % number for number in range(30)}


def test_a_question_waits_its_turn_no_longer_than_it_may(subject, monkeypatch):
    subject.login()
    with subject._slots.alone(time.monotonic() + 10):
        assert subject.run("true", 0.1).outcome == "timed-out"
    monkeypatch.setattr(module, "SESSIONS_TIME", 0.1)
    with subject._slots.shared(time.monotonic() + 10):
        assert subject.sessions(3) == 0


def test_open(subject):
    with targets.echo() as echo, targets.blackhole() as silent:
        found = subject.open(echo.address, send=b"question", receive=4)
        assert (found.outcome, found.data) == ("ok", b"ques")
        assert subject.open(echo.address).data == b""
        began = time.monotonic()
        nothing = subject.open(silent.address, 0.5, receive=4)
        assert (nothing.outcome, nothing.data) == ("ok", b"")
        assert time.monotonic() - began < 5
    with targets.greeting(b"hi") as greeting:
        began = time.monotonic()
        assert subject.open(greeting.address, 20, receive=1000).data == b"hi"
        assert time.monotonic() - began < 10
    found = subject.open(Endpoint("no-such-name.invalid", 1))
    assert (found.outcome, found.kind, found.reason) == ("refused-by-gateway", "name", 2)
    assert subject.open(UnixPath("/no/such/socket")).outcome == "refused-by-gateway"


def test_listen_on_a_unix_socket(subject):
    with targets.short_directory() as directory:
        found = subject.listen(UnixPath(f"{directory}/s"))
        assert (found.outcome, found.port) == ("ok", 0)


def test_the_servers_keepalives(tmp_path):
    with tunnels.start("sshd", tmp_path, LogLevel="INFO", ClientAliveInterval="1") as gateway:
        with examiner(gateway, tmp_path) as subject:
            assert subject.server_keepalives() == 0
            subject.login()
            wait_until(lambda: subject.server_keepalives() >= 1)


# ---------------------------------------------------------------- gateways that refuse


def test_forward_only_account(gateway, tmp_path):
    """A key that may only forward, and only to one place."""
    key = make_key(tmp_path / "limited")
    with targets.echo() as echo:
        options = f'restrict,port-forwarding,permitopen="127.0.0.1:{echo.port}",command="false"'
        line = f"{options} {(tmp_path / 'limited.pub').read_text()}"
        with gateway.server.authorized_keys.open("a") as file:
            file.write(line)
        with examiner(gateway, tmp_path, IdentityFile=str(key)) as subject:
            assert subject.login().done
            # The forced command runs in place of ours.
            assert (subject.run("echo hello", 20).stdout, subject.run("true", 20).status) == (
                b"",
                1,
            )
            assert subject.open(echo.address, send=b"x", receive=1).data == b"x"
            assert subject.open(Endpoint("127.0.0.1", 1)).kind == "prohibited"


@pytest.mark.parametrize(
    ("words", "session", "there", "listens"),
    [
        ({"AllowTcpForwarding": "no"}, True, "prohibited", "refused"),
        ({"AllowTcpForwarding": "local"}, True, "", "refused"),
        ({"AllowTcpForwarding": "remote"}, True, "prohibited", "ok"),
        ({"MaxSessions": "0"}, False, "", "ok"),
        ({"PermitOpen": "none", "PermitListen": "none"}, True, "prohibited", "refused"),
    ],
)
def test_what_is_switched_off(tmp_path, words, session, there, listens):
    with tunnels.start("sshd", tmp_path, LogLevel="INFO", **words) as gateway:
        with examiner(gateway, tmp_path) as subject, targets.echo() as echo:
            assert subject.run("true", 20).outcome == ("ran" if session else "refused")
            assert (subject.sessions(3) == 3) == session
            assert subject.open(echo.address).kind == there
            assert subject.listen(Endpoint("", 0)).outcome == listens


@pytest.mark.parametrize("name", ["netkit", "dropbear", "asyncssh"])
def test_servers_of_other_make(tmp_path, name):
    with tunnels.start(name, tmp_path) as gateway, examiner(gateway, tmp_path) as subject:
        found = subject.login()
        assert (found.stage, found.error_code, found.strict_kex) == ("done", "", True)
        assert subject.run("true", 20).outcome == ("ran" if name == "dropbear" else "refused")
        assert subject.open(Endpoint("127.0.0.1", 1)).kind == "refused"
        assert subject.listen(Endpoint("", 0), (HERE,)).knocks[0].outcome == "arrived"
        assert subject.half_close().outcome == "kept"
        assert subject.keepalive(20).outcome == "ok"


# ---------------------------------------------------------------- logins that fail, stage by stage


def everything(subject: GatewayExaminer) -> list[str]:
    """Return the outcomes of all questions that need a login."""
    return [
        subject.run("true").outcome,
        subject.open(Endpoint("127.0.0.1", 1)).outcome,
        subject.listen(Endpoint("", 0)).outcome,
        subject.half_close().outcome,
        subject.keepalive().outcome,
    ]


def check_failed(subject: GatewayExaminer, stage: str, code: str) -> Any:
    found = subject.login()
    assert (found.stage, found.error_code, found.done) == (stage, code, False)
    assert found.error
    assert everything(subject) == ["no-login"] * 5
    assert (subject.sessions(3), subject.server_keepalives()) == (0, 0)
    return found


def test_no_gateway():
    subject = GatewayExaminer(None)
    assert subject.route().hops == ()
    assert subject.login().stage == "none"
    assert everything(subject) == ["no-login"] * 5
    subject.close()


def test_no_plan(gateway, tmp_path):
    with examiner(gateway, tmp_path, Port="0") as subject:
        route = subject.route()
        assert (route.hops, bool(route.error), bool(route.error_code)) == ((), True, True)
        check_failed(subject, "none", route.error_code)
        assert subject.agent().outcome in {"none", "ok", "absent"}


def test_nobody_listens(tmp_path):
    with targets.refuse() as closed, examiner(closed.port, tmp_path) as subject:
        found = check_failed(subject, "tcp", "connection-refused")
    assert found.hop == "gate"


def test_no_such_name(tmp_path):
    with examiner(22, tmp_path, HostName="no-such-name.invalid") as subject:
        found = subject.login()
        assert found.stage == "tcp"
        assert found.error_code in {"name-not-resolved", "dns-failed"}


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not-ssh"),
        (b"", "silent-port"),
        (b"\x16\x03\x01\x00\x00" * 50, "not-ssh"),
    ],
)
def test_something_else_answers(tmp_path, said, code):
    with targets.greeting(said) as target:
        with examiner(target.port, tmp_path, ConnectTimeout="1") as subject:
            found = check_failed(subject, "banner", code)
    assert found.peer == Endpoint("127.0.0.1", target.port)


def test_closed_at_once(tmp_path):
    with targets.source(0) as target, examiner(target.port, tmp_path) as subject:
        check_failed(subject, "banner", "closed-early")


def test_silence(tmp_path):
    with targets.blackhole() as silent:
        with examiner(silent.port, tmp_path, ConnectTimeout="1") as subject:
            assert subject.login().stage == "banner"


def test_garbage_behind_the_version(tmp_path):
    with targets.greeting(b"SSH-2.0-garbage\r\n" + os.urandom(65536)) as target:
        with examiner(target.port, tmp_path, ConnectTimeout="2") as subject:
            found = subject.login()
    assert (found.stage, found.server) == ("kex", "SSH-2.0-garbage")
    assert found.error_code


def test_no_common_algorithm(tmp_path):
    with tunnels.start(
        "sshd", tmp_path, LogLevel="INFO", KexAlgorithms="sntrup761x25519-sha512@openssh.com"
    ) as gateway:
        with examiner(gateway, tmp_path) as subject:
            found = check_failed(subject, "kex", "no-common-algorithm")
    assert "sntrup761x25519-sha512@openssh.com" in found.theirs.kex
    assert "curve25519-sha256" in found.ours.kex
    assert (found.kex, found.strict_kex) == ("", True)


def test_a_list_that_leaves_nothing(gateway, tmp_path):
    with examiner(gateway, tmp_path, Ciphers="aes128-cbc") as subject:
        check_failed(subject, "kex", "no-usable-algorithm")


def test_unknown_host_key(gateway, tmp_path):
    with examiner(gateway, tmp_path, UserKnownHostsFile=str(tmp_path / "none")) as subject:
        found = check_failed(subject, "host-key", "host-key-unknown")
    assert found.host_key.startswith("SHA256:")
    assert found.cipher
    assert not (tmp_path / "none").exists()


def test_changed_host_key(gateway, tmp_path):
    other = (make_key(tmp_path / "other").with_suffix(".pub")).read_text()
    known = tmp_path / "known"
    known.write_text(f"[127.0.0.1]:{gateway.port} {other}")
    with examiner(gateway, tmp_path, UserKnownHostsFile=str(known)) as subject:
        check_failed(subject, "host-key", "host-key-changed")


def test_refused_login(gateway, tmp_path):
    other = make_key(tmp_path / "other")
    with examiner(gateway, tmp_path, IdentityFile=str(other)) as subject:
        found = check_failed(subject, "auth", "authentication-failed")
    assert found.methods == ("publickey",)
    (attempt,) = found.attempts
    assert (attempt.method, attempt.why) == ("publickey", "refused by the gateway")
    assert str(other) in attempt.what


def test_nobody_is_asked_without_a_prompter(gateway, tmp_path):
    locked = make_key(tmp_path / "locked", passphrase="secret")
    with gateway.server.authorized_keys.open("a") as file:
        file.write((tmp_path / "locked.pub").read_text())
    with examiner(gateway, tmp_path, IdentityFile=str(locked)) as subject:
        check_failed(subject, "auth", "key-encrypted")
    person = Person(["secret"])
    more = {"prompter": person}
    with examiner(gateway, tmp_path, more=more, IdentityFile=str(locked)) as subject:
        assert subject.login().done
    assert len(person.asked) == 1


def test_password(tmp_path):
    server = GatewayServer(password="right", user="me")
    server.start()
    try:
        known = tmp_path / "known"
        known.write_text(server.host_key_line + "\n")
        words = {"User": "me", "UserKnownHostsFile": str(known)}
        for password, code in (("right", ""), ("wrong", "wrong-password")):
            more = {"password": password}
            with examiner(server.address.port, tmp_path, more=more, **words) as subject:
                found = subject.login()
                assert found.error_code == code
                assert found.methods
                assert found.stage == ("auth" if code else "done")
    finally:
        server.stop()


def test_the_second_hop_fails(gateway, tmp_path):
    with targets.refuse() as closed:
        config = spec(gateway, tmp_path).config_file
        assert config is not None
        text = config.read_text().replace("Host gate", "Host jump")
        config.write_text(
            f"{text}Host inner\n  HostName 127.0.0.1\n  Port {closed.port}\n  ProxyJump jump\n"
        )
        subject = GatewayExaminer(TunnelSpec(gateway=Gateway("inner"), config_file=config))
        try:
            assert [hop.alias for hop in subject.route().hops] == ["jump", "inner"]
            found = subject.login()
            assert (found.stage, found.hop, found.error_code) == ("tcp", "inner", "target-refused")
            assert (found.local, found.peer) == (None, None)
        finally:
            subject.close()


def test_what_is_said_on_the_way(tmp_path):
    banner = tmp_path / "banner"
    banner.write_text("No trespassing.\n")
    with tunnels.start("sshd", tmp_path, LogLevel="INFO", Banner=str(banner)) as gateway:
        with examiner(gateway, tmp_path) as subject:
            notices = subject.login().notices
    assert ("gateway-says", "the gateway says: No trespassing.") in notices


# ---------------------------------------------------------------- gateways that go wrong later


def test_killed_in_the_middle(gateway, tmp_path):
    with examiner(gateway, tmp_path) as subject, targets.blackhole() as silent:
        assert subject.login().done
        outcomes: dict[str, str] = {}
        calls: dict[str, Callable[[], Any]] = {
            "run": lambda: subject.run("sleep 60", 60),
            "open": lambda: subject.open(silent.address, 60, receive=1),
        }

        def call(name: str) -> None:
            outcomes[name] = calls[name]().outcome

        threads = [threading.Thread(target=call, args=(name,)) for name in calls]
        for thread in threads:
            thread.start()
        silent.wait_for_connections(1)
        began = time.monotonic()
        gateway.kill()
        for thread in threads:
            thread.join(30)
        assert time.monotonic() - began < 10
        assert outcomes == {"run": "link-lost", "open": "link-lost"}
        assert subject.login().done
        assert everything(subject)[0:3] == ["link-lost"] * 3
        assert subject.keepalive().outcome == "link-lost"
        assert subject.sessions(3) == 0


def test_frozen(gateway, tmp_path):
    with examiner(gateway, tmp_path) as subject:
        subject.login()
        gateway.signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            assert subject.run("true", 0.3).outcome == "timed-out"
            assert subject.open(Endpoint("127.0.0.1", 1), 0.3).outcome == "timed-out"
            assert subject.keepalive(0.3).outcome == "timed-out"
            assert time.monotonic() - began < 5
            subject.close()
            assert time.monotonic() - began < 10
        finally:
            gateway.signal(signal.SIGCONT)


def test_cancel(gateway, tmp_path):
    with examiner(gateway, tmp_path) as subject, targets.blackhole() as silent:
        subject.login()
        gateway.signal(signal.SIGSTOP)
        try:
            calls: list[Callable[[], Any]] = [
                lambda: subject.run("true", 60),
                lambda: subject.open(silent.address, 60, receive=1),
                lambda: subject.keepalive(60),
                lambda: subject.listen(Endpoint("", 0), (HERE,)),
                subject.half_close,
                lambda: subject.sessions(5),
            ]
            threads = [threading.Thread(target=call) for call in calls]
            for thread in threads:
                thread.start()
            assert threads[0].is_alive()
            began = time.monotonic()
            subject.cancel()
            for thread in threads:
                thread.join(30)
            assert time.monotonic() - began < 3
        finally:
            gateway.signal(signal.SIGCONT)


def test_cancelled_while_it_logs_in(tmp_path):
    with targets.blackhole() as silent:
        with examiner(silent.port, tmp_path, ConnectTimeout="60") as subject:
            found: list[Any] = []
            thread = threading.Thread(target=lambda: found.append(subject.login()))
            thread.start()
            silent.wait_for_connections(1)
            waiting = threading.Thread(target=lambda: found.append(subject.run("true")))
            waiting.start()
            began = time.monotonic()
            subject.cancel()
            thread.join(30)
            waiting.join(30)
            assert time.monotonic() - began < 3
            assert subject.login().error_code == "cancelled"
            assert not subject.login().done


def test_cancelled_before(gateway, tmp_path):
    with examiner(gateway, tmp_path) as subject:
        subject.cancel()
        assert subject.login().error_code == "cancelled"
        assert everything(subject) == ["no-login"] * 5


def test_close_does_not_wait_for_what_cannot_be_interrupted(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "CLOSE_TIME", 0.1)
    subject = GatewayExaminer(None)
    with subject._login_lock:
        began = time.monotonic()
        subject.close()
        assert time.monotonic() - began < 5
        assert subject.login().error_code == "cancelled"


def test_after_close(gateway, tmp_path):
    with examiner(gateway, tmp_path) as subject:
        assert subject.login().done
        subject.close()
        subject.close()
        assert subject.run("true").outcome == "link-lost"


# ---------------------------------------------------------------- idle times


def test_idle_gets_what_it_takes_to_log_in_again(gateway, tmp_path, monkeypatch):
    given: list[Any] = []

    def idle(*arguments: Any) -> IdleRun:
        given.extend(arguments)
        return IdleRun(method="exec")

    monkeypatch.setitem(sys.modules, "netkit.doctor.idle", SimpleNamespace(idle=idle))
    with examiner(gateway, tmp_path, more={"password": "pw"}) as subject:
        assert subject.idle((1.0,), ("push",), print).method == "exec"
        access, times, modes, progress, cancelled = given
        assert (times, modes, progress) == ((1.0,), ("push",), print)
        assert (access.password, access.plan.hops[0].alias) == ("pw", "gate")
        assert access.cancelled is cancelled
        subject.cancel()
        assert cancelled.is_set()
    assert GatewayExaminer(None).idle((1.0,), ("push",), print).text
    with targets.refuse() as closed, examiner(closed.port, tmp_path) as subject:
        assert subject.idle((1.0,), ("push",), print).probes == ()


# ---------------------------------------------------------------- credentials


def test_agent_of_the_hop(gateway, tmp_path):
    with Agent() as agent, examiner(gateway, tmp_path, IdentityAgent=str(agent.socket)) as subject:
        agent.add(gateway.client_key)
        found = subject.agent()
        assert (found.outcome, len(found.keys)) == ("ok", 1)


def test_agent_of_the_environment(monkeypatch):
    with Agent() as agent:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(agent.socket))
        assert GatewayExaminer(None).agent().outcome == "ok"
    monkeypatch.delenv("SSH_AUTH_SOCK")
    assert GatewayExaminer(None).agent().outcome == "none"


def test_key_file(tmp_path):
    key = make_key(tmp_path / "id")
    assert GatewayExaminer(None).key_file(str(key)).key_type == "ssh-ed25519"


def test_without_a_gateway_nothing_heavy_is_loaded():
    code = (
        "import sys; from netkit.doctor.gateway import GatewayExaminer as G; g = G(None); "
        "g.login(); g.agent(); g.route(); g.run('x'); g.key_file('/x'); g.close(); "
        "print('paramiko' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
