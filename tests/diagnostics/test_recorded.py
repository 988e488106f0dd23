from __future__ import annotations

import threading

import pytest

from diagnostics.model import InconclusiveError, Target
from diagnostics.recorded import RecordedSystem
from diagnostics.system import FileRead
from diagnostics.tape import Question, RecordingError, Tape, encode
from netkit.model import Endpoint


def recorded(*questions: Question, left_out: tuple[str, ...] = ()) -> RecordedSystem:
    return RecordedSystem(encode(Tape("windows", Target(gateway="gw"), questions, left_out)))


def user(uid: int, name: str) -> Question:
    return Question("system", "user_name", {"uid": uid}, name)


def test_same_question_same_answer():
    system = recorded(user(1, "a"), user(2, "b"))
    assert [system.user_name(2), system.user_name(1), system.user_name(2)] == ["b", "a", "b"]
    assert (system.os, system.target) == ("windows", Target(gateway="gw"))


def test_answers_in_their_order():
    system = recorded(user(1, "a"), user(1, "b"), user(1, "c"))
    assert [system.user_name(1) for _ in range(4)] == ["a", "b", "c", "c"]


def test_an_answer_that_is_nothing():
    system = recorded(Question("system", "process", {"pid": 1}, None))
    assert system.process(1) is None
    assert system.process(1) is None


@pytest.mark.parametrize(
    ("ask", "named"),
    [
        (lambda s: s.user_name(7), "was not recorded: user_name(7)"),
        (lambda s: s.read("/etc/hosts"), "was not recorded: read('/etc/hosts', 1048576)"),
        (lambda s: s.read("/x", 11), "read('/x', 11)"),
        (lambda s: s.run(("ss", "-t"), 9.0), "run(('ss', '-t'))"),
        (lambda s: s.ssh.login(), "ssh.login()"),
        (lambda s: s.ssh.open(Endpoint("a", 1)), "ssh.open(Endpoint(host='a', port=1), b'', 0)"),
        (lambda s: s.ssh.idle((1.0,), ("push",), print), "ssh.idle((1.0,), ('push',))"),
    ],
)
def test_what_was_not_asked_is_not_known(ask, named: str):
    system = recorded(Question("system", "read", {"path": "/x", "limit": 10}, FileRead("/x")))
    with pytest.raises(InconclusiveError) as caught:
        ask(system)
    assert named in caught.value.reason


def test_what_was_left_out_is_named():
    assert recorded(left_out=("read('/large', 1)",)).left_out == ("read('/large', 1)",)


def test_nothing_else_happens():
    system = recorded()
    system.progress("x")
    system.ssh.cancel()
    system.ssh.close()


def test_threads_may_share_it():
    system = recorded(*(user(1, str(number)) for number in range(200)))
    seen: list[str] = []
    threads = [
        threading.Thread(target=lambda: seen.extend(system.user_name(1) for _ in range(50)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(map(int, seen)) == list(range(200))


def test_no_recording():
    with pytest.raises(RecordingError):
        RecordedSystem(b"no")
