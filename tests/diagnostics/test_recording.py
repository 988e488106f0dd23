from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnostics import recording
from diagnostics import system as y
from diagnostics.model import InconclusiveError, Target
from diagnostics.real_system import RealSystem
from diagnostics.recorded import RecordedSystem
from diagnostics.recording import RecordingSystem
from diagnostics.redact import Redactor
from netkit.model import Endpoint, UnixPath
from support.any_values import NAMES, QUESTIONS, any_of, arguments_of, hints_of
from support.machine import FakeSsh, FakeSystem

COOKIE = bytes.fromhex("00112233445566778899aabbccddeeff")


class Answering:
    """Answers everything with what was given, and remembers the questions."""

    def __init__(self, answer: object, ssh: Any = None) -> None:
        self.answer = answer
        self.ssh = ssh
        self.os = "linux"
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        def ask(**arguments: Any) -> object:
            self.asked.append((name, arguments))
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

        return ask


def side(system: Any, of: str) -> Any:
    return system if of == "system" else system.ssh


@pytest.mark.parametrize(("of", "method"), QUESTIONS, ids=NAMES)
@settings(max_examples=15)
@given(st.data())
def test_recorded_and_played_back(of: str, method: str, data: st.DataObject):
    arguments = data.draw(arguments_of(of, method))
    answer = data.draw(any_of(hints_of(of, method)["return"]))
    target = data.draw(any_of(Target))
    below = Answering(answer)
    machine = Answering(None, ssh=below) if of == "ssh" else Answering(answer, ssh=Answering(None))
    recorder = RecordingSystem(machine)
    assert getattr(side(recorder, of), method)(**arguments) is answer
    assert (below if of == "ssh" else machine).asked == [(method, arguments)]
    played = RecordedSystem(recorder.encode(target))
    assert (played.os, played.target) == ("linux", target)
    for _ in range(2):
        assert getattr(side(played, of), method)(**arguments) == answer


def test_what_is_no_question_is_passed_on():
    machine = Answering(None, ssh=Answering(None))
    recorder = RecordingSystem(machine)
    recorder.ssh.cancel()
    recorder.ssh.close()
    assert machine.ssh.asked == [("cancel", {}), ("close", {})]
    told: list[str] = []
    RecordingSystem(RealSystem(FakeSsh(), told.append)).progress("slow")
    assert told == ["slow"]
    assert b'"answers":[\n\n]' in recorder.encode(Target())


def test_what_could_not_be_asked_is_not_noted():
    recorder = RecordingSystem(Answering(InconclusiveError("no"), ssh=Answering(None)))
    with pytest.raises(InconclusiveError):
        recorder.account()
    with pytest.raises(InconclusiveError, match="was not recorded"):
        RecordedSystem(recorder.encode(Target())).account()


def test_answers_that_change_keep_their_order(monkeypatch):
    monkeypatch.setattr(recording, "MAX_REPEATS", 4)
    machine = Answering("", ssh=Answering(0))
    recorder = RecordingSystem(machine)
    for answer in "aabacdef":
        machine.answer = answer
        recorder.user_name(1)
    played = RecordedSystem(recorder.encode(Target()))
    assert "".join(played.user_name(1) for _ in range(6)) == "abaccc"


def test_threads_may_share_it():
    recorder = RecordingSystem(FakeSystem())

    def work() -> None:
        for number in range(50):
            recorder.user_name(number)
            recorder.ssh.login()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    played = RecordedSystem(recorder.encode(Target()))
    assert [played.user_name(number) for number in (0, 49)] == ["root", "49"]


def test_a_real_machine(tmp_path: Path):
    (tmp_path / "file").write_bytes(bytes(range(256)))
    recorder = RecordingSystem(RealSystem(FakeSsh()))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = Endpoint(*taken.getsockname())
        questions = [
            lambda s: s.account(),
            lambda s: s.variable("HOME"),
            lambda s: s.read(str(tmp_path / "file")),
            lambda s: s.stat(str(tmp_path / "file")),
            lambda s: s.list_dir(str(tmp_path)),
            lambda s: s.run(("sh", "-c", r"printf '\377\\'")),
            lambda s: s.sockets(),
            lambda s: s.process(os.getpid()),
            lambda s: s.process(2**30),
            lambda s: s.interfaces(),
            lambda s: s.default_routes(),
            lambda s: s.resolve("localhost"),
            lambda s: s.bind(where),
            lambda s: s.connect_back(where),
            lambda s: s.connect(where),
            lambda s: s.talk(UnixPath("/nonexistent"), b"\xff"),
            lambda s: s.ssh.route(),
            lambda s: s.ssh.login(),
            lambda s: s.ssh.open(Endpoint("web", 80)),
        ]
        answers = [question(recorder) for question in questions]
    played = RecordedSystem(recorder.encode(Target()))
    assert [question(played) for question in questions] == answers


# --- secrets ---


def xauthority(cookie: bytes, host: bytes = b"host") -> bytes:
    def counted(data: bytes) -> bytes:
        return len(data).to_bytes(2, "big") + data

    fields = (host, b"0", b"MIT-MAGIC-COOKIE-1", cookie)
    return (256).to_bytes(2, "big") + b"".join(map(counted, fields))


def setup(cookie: bytes) -> bytes:
    head = b"l\0\x0b\0\0\0\x12\0\x10\0\0\0"
    return head + b"MIT-MAGIC-COOKIE-1\0\0" + cookie


def test_no_cookie_is_written():
    """The same other cookie stands in the file and in what was said to the X server."""
    path = "/home/me/.Xauthority"
    listed = f"host/unix:0  MIT-MAGIC-COOKIE-1  {COOKIE.hex()}\n"
    machine = FakeSystem(
        files={path: xauthority(COOKIE)},
        tools={("xauth", "list"): listed},
        talk=lambda address, send: y.Talk(address, "ok", send),
    )
    recorder = RecordingSystem(machine)
    recorder.read(path)
    recorder.run(("xauth", "list"))
    recorder.talk(UnixPath("/tmp/.X11-unix/X0"), setup(COOKIE))
    data = recorder.encode(Target())
    for form in (COOKIE.hex().encode(), COOKIE.hex().upper().encode(), COOKIE):
        assert form not in data
    assert rb"\"3D" not in data
    played = RecordedSystem(data)
    kept = played.read(path).data
    stand_in = kept[-16:]
    assert kept == xauthority(stand_in)
    assert stand_in != COOKIE
    assert stand_in.hex() in played.run(("xauth", "list")).text
    address = UnixPath("/tmp/.X11-unix/X0")
    assert played.talk(address, setup(stand_in)).data == setup(stand_in)


def test_no_private_key_is_written(tmp_path: Path):
    path = tmp_path / "id"
    path.write_text(
        "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n"
    )
    recorder = RecordingSystem(RealSystem(FakeSsh()))
    recorder.read(str(path))
    assert b"c2VjcmV0" not in recorder.encode(Target())


# --- redaction ---


def test_a_redacted_recording_can_still_be_judged():
    account = y.Account("alice", 1000, "/home/alice", is_admin=False, hostname="laptop.corp.net")
    machine = FakeSystem(
        account=account,
        variables={"HOME": "/home/alice", "DISPLAY": "laptop.corp.net:10.0"},
        files={
            "/home/alice/.ssh/config": b"Host gw\n  HostName gw.corp.net\n  User alice\n",
            "/home/alice/.Xauthority": xauthority(COOKIE, b"laptop.corp.net"),
        },
        routes=(y.DefaultRoute("inet", "10.1.2.1", "eth0"),),
        interfaces=(
            y.Interface(
                "eth0",
                is_up=True,
                addresses=(
                    y.InterfaceAddress("inet", "10.1.2.3", "255.255.255.0"),
                    y.InterfaceAddress("link", "a4:83:e7:00:11:22"),
                ),
            ),
        ),
        names={"gw.corp.net": ("198.51.100.7", "2a01:4f8::7")},
    )

    def look(system: Any) -> list[Any]:
        account = system.account()
        config = system.read(f"{account.home}/.ssh/config")
        name = config.data.split(b"HostName ")[1].split(b"\n")[0].decode()
        return [
            account,
            config,
            system.variable("HOME"),
            system.read(f"{account.home}/.Xauthority"),
            system.interfaces(),
            system.default_routes(),
            system.resolve(name),
            system.ssh.route(),
        ]

    recorder = RecordingSystem(machine)
    plain = look(recorder)
    redactor = Redactor()
    redactor.learn(account)
    data = recorder.encode(Target(gateway="alice@gw"), redactor)
    for secret in (b"alice", b"laptop", b"corp", b"10.1.2", b"198.51", b"2a01", b"a4:83", b"gw."):
        assert secret not in data
    played = RecordedSystem(data)
    found = look(played)
    home = found[0].home
    assert found[2] == home
    assert home != plain[0].home
    assert f"User {found[0].user}".encode() in found[1].data
    network = [found[4][0].addresses[0].address, found[5][0].router]
    assert len({address.rpartition(".")[0] for address in network}) == 1
    assert network[0].startswith("10.")
    assert len(found[6].addresses) == 2
    assert found[0].hostname.encode() in found[3].data
    assert played.target.gateway == f"{found[0].user}@{found[7].hops[0].alias}"
