from __future__ import annotations

import base64
import json
import random
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnostics import tape
from diagnostics.model import Target
from diagnostics.ssh import RemoteOutput
from diagnostics.system import FileRead, SocketRow, SocketTable
from diagnostics.tape import Question, RecordingError, Tape, decode, encode
from netkit.model import Endpoint, ForwardKind, ForwardSpec, UnixPath
from support.any_values import NAMES, QUESTIONS, any_of, arguments_of, hints_of

TARGET = Target(
    gateway="me@gw",
    forwards=(ForwardSpec(ForwardKind.LOCAL, Endpoint("", 1), UnixPath("/x"), "1:/x"),),
)


def read(path: str, data: bytes = b"", error: str = "") -> Question:
    return Question("system", "read", {"path": path, "limit": 10}, FileRead(path, error, data))


EMPTY = {"schema_version": 1, "os": "linux", "target": {}, "left_out": [], "answers": []}


def document(**changes: object) -> bytes:
    return json.dumps({**EMPTY, **changes}).encode()


def answer(**changes: object) -> bytes:
    found = {"ask": "system.read", "path": "/x", "limit": 1, "answer": {"path": "/x"}}
    return document(answers=[{**found, **changes}])


def test_what_is_written_can_be_read_by_people():
    data = encode(Tape("linux", TARGET, (read("/etc/motd", b"Gr\xc3\xbc\xc3\x9fe\n\xff\\"),)))
    assert b'"data":"Gr\xc3\xbc\xc3\x9fe\\n\\\\xff\\\\\\\\"' in data
    assert len(data.splitlines()) == 4
    assert json.loads(data)["schema_version"] == 1


def test_round_trip():
    written = Tape("linux", TARGET, (read("/x", b"1"), read("/y", error="ENOENT")), ("run(x)",))
    assert decode(encode(written)) == written


def test_an_empty_one():
    assert decode(encode(Tape("darwin", Target()))) == Tape("darwin", Target())
    assert decode(document()) == Tape("linux", Target())


@pytest.mark.parametrize(("of", "method"), QUESTIONS, ids=NAMES)
@settings(max_examples=20)
@given(st.data())
def test_every_question_comes_back(of: str, method: str, data: st.DataObject):
    arguments = data.draw(arguments_of(of, method))
    kept = {name: value for name, value in arguments.items() if name not in tape.ASIDE}
    question = Question(of, method, kept, data.draw(any_of(hints_of(of, method)["return"])))
    (found,) = decode(encode(Tape("linux", Target(), (question,)))).questions
    assert found == question
    assert type(found.answer) is type(question.answer)
    assert found.key == question.key


@given(any_of(Target), st.text(max_size=30), st.lists(st.text(max_size=9), max_size=3))
def test_the_rest_comes_back(target: Target, os: str, left_out: list[str]):
    written = Tape(os, target, (), tuple(left_out))
    assert decode(encode(written)) == written


def test_time_limits_are_no_part_of_a_question():
    one = tape.key("system", "run", {"argv": ("a",), "timeout": 1.0})
    assert one == tape.key("system", "run", {"argv": ("a",), "timeout": 9.0})
    assert one != tape.key("system", "run", {"argv": ("b",)})
    assert one != tape.key("ssh", "run", {"argv": ("a",)})
    idle = {"times": (1.0, 2.0), "modes": ()}
    assert tape.key("ssh", "idle", {**idle, "progress": print}) == tape.key(
        "ssh", "idle", {"times": (1, 2), "modes": ()}
    )


@pytest.mark.parametrize(
    ("value", "kept"),
    [(2**70, 2**63 - 1), (-(2**70), -(2**63) + 1)],
)
def test_numbers_are_bounded(value: int, kept: int):
    question = Question("system", "user_name", {"uid": value}, "x")
    assert decode(encode(Tape("x", Target(), (question,)))).questions[0].arguments == {"uid": kept}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_json_cannot_say(value: float):
    question = Question("ssh", "keepalive", {}, RemoteOutput(command="", outcome="", seconds=value))
    assert b'"seconds":' in encode(Tape("x", Target(), (question,)))
    assert b"nan" not in encode(Tape("x", Target(), (question,))).lower()


def test_half_a_character():
    """File names are bytes; those that are no text become one."""
    found = decode(encode(Tape("linux", Target(), (read("/a\udcff\ud800"),)))).questions[0]
    assert found.arguments["path"] == "/a??"
    assert found.key == read("/a\udcff\ud800").key


def test_what_is_too_large_is_left_out_and_named(monkeypatch):
    monkeypatch.setattr(tape, "MAX_SIZE", (1 << 18) + 3000)
    large, small = read("/large", b"x" * 5000), read("/small", b"y" * 1000)
    found = decode(encode(Tape("linux", Target(), (large, small), ("before",))))
    assert found.questions == (small,)
    assert found.left_out == ("before", str(large))
    assert "/large" in str(large)


def test_how_a_question_reads():
    assert str(read("/x")) == "read('/x', 10)"
    question = Question("ssh", "run", {"command": "x" * 500})
    assert str(question).startswith("ssh.run('xxx")
    assert len(str(question)) < 250


# --- strangers ---


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"", ""),
        (b"\xff\xfe", ""),
        (b"[]", "Expected `object`"),
        (b"{}", "schema_version"),
        (b'{"schema_version": "1"}', "$.schema_version"),
        (b'{"schema_version": -1}', "$.schema_version"),
        (document(os=7), "$.os"),
        (document(os="x" * 65), "$.os"),
        (document(more=1), "more"),
        (document(target={"gateway": 1}), "$.target.gateway"),
        (document(target={"forwards": [{"kind": "odd"}]}), "$.target.forwards[0].kind"),
        (document(answers={}), "$.answers"),
        (document(answers=[{"ask": "system.erase"}]), "$.answers[0].ask"),
        (document(answers=[{"ask": "system.progress", "text": "x"}]), "$.answers[0].ask"),
        (document(answers=[7]), "$.answers[0]"),
        (answer(more=1), "$.answers[0]"),
        (answer(path=7), "$.answers[0].path"),
        (answer(limit=2**64), "$.answers[0].limit"),
        (answer(answer={"path": "/x", "data": 7}), "$.answers[0].answer.data"),
        (answer(answer={"path": "/x", "data": "\\"}), "$.answers[0].answer.data"),
        (answer(answer={"path": "/x", "data": "\\xFF"}), "$.answers[0].answer.data"),
        (answer(answer={"path": "/x", "data": "\\\\\\n"}), "$.answers[0].answer.data"),
        (answer(answer={"path": "/x", "truncated": 1}), "$.answers[0].answer.truncated"),
        (answer(answer=None), "$.answers[0].answer"),
        (
            document(
                answers=[
                    {"ask": "system.clocks", "answer": {"wall": 1, "monotonic": 1, "boot": None}},
                    {"ask": "system.sockets", "answer": {"rows": [{"host": "x", "port": "y"}]}},
                ]
            ),
            "$.answers[1].answer.rows[0].port",
        ),
        (
            document(answers=[{"ask": "system.bind", "address": {"is": "unixpath"}, "answer": {}}]),
            "$.answers[0].address",
        ),
        (
            document(answers=[{"ask": "system.talk", "address": {"is": "device"}, "answer": {}}]),
            "$.answers[0].address",
        ),
    ],
)
def test_the_place_is_named(data: bytes, place: str):
    with pytest.raises(RecordingError) as caught:
        decode(data)
    assert caught.value.code == "bad-recording"
    assert caught.value.exit_code == 2
    assert place in caught.value.cause
    assert len(caught.value.cause) <= 500


def test_another_version():
    with pytest.raises(RecordingError, match="version 2") as caught:
        decode(document(schema_version=2, something="new"))
    assert "another version" in caught.value.cause


def test_its_size_is_bounded(monkeypatch):
    monkeypatch.setattr(tape, "MAX_SIZE", 1 << 20)
    with pytest.raises(RecordingError, match="1 MiB"):
        decode(document(os=" " * (1 << 20)))


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"schema_version":' + b"[" * 100_000,
        b'{"schema_version":1,"x":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"schema_version":' + b"9" * 100_000 + b"}",
        b'{"schema_version":1,"os":"\\ud800"}',
        answer(limit=0).replace(b'"limit": 0', b'"limit": ' + b"9" * 5_000),
        document().replace(b'"os": "linux"', b'"os": "a", "os": 7'),
        answer(answer={"path": "/x", "data": "\\" * 300_001}),
    ],
)
def test_bombs(data: bytes):
    began = time.process_time()
    with pytest.raises(RecordingError):
        decode(data)
    assert time.process_time() - began < 5


@pytest.mark.slow
def test_sixteen_mebibytes_of_the_smallest_answers():
    one = b'{"ask":"system.user_name","uid":0,"answer":""},'
    data = document()[:-2] + one * (tape.MAX_SIZE // len(one) - 10) + one[:-1] + b"]}"
    assert len(data) <= tape.MAX_SIZE
    began = time.process_time()
    assert len(decode(data).questions) > 300_000
    assert time.process_time() - began < 20


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes):
    with pytest.raises(RecordingError):
        decode(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
WHOLE = encode(
    Tape(
        "linux",
        TARGET,
        (
            read("/x", b"\xff"),
            Question("system", "sockets", {}, SocketTable((SocketRow("::", 1, "LISTEN"),))),
        ),
    )
)


@given(st.data(), JSON)
def test_any_part_may_be_anything(data: st.DataObject, part: object):
    """A part of a good recording is replaced: it is read, or refused with a reason."""
    found = json.loads(WHOLE)
    at = found
    while isinstance(at, dict | list) and at:
        place = data.draw(st.sampled_from(list(at) if isinstance(at, dict) else range(len(at))))
        inner = at[place]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            at[place] = part
            break
        at = inner
    try:
        decode(json.dumps(found).encode())
    except RecordingError as error:
        assert error.cause or "version" in error.summary


def test_bytes_that_are_changed():
    source = random.Random(7)
    for _ in range(300):
        data = bytearray(WHOLE)
        for _ in range(source.randint(1, 4)):
            data[source.randrange(len(data))] = source.randrange(256)
        try:
            decode(bytes(data))
        except RecordingError as error:
            assert error.summary


def test_nothing_of_it_is_a_path_or_a_command(monkeypatch):
    """Reading a recording opens nothing and starts nothing."""
    import io
    import os
    import subprocess

    def refuse(*_arguments: object, **_more: object) -> None:
        raise AssertionError

    for where, name in ((os, "open"), (io, "open"), (subprocess, "Popen"), (os, "system")):
        monkeypatch.setattr(where, name, refuse)
    question = Question("system", "run", {"argv": ("rm", "-rf", "/")}, None)
    found = replace(read("/etc/shadow", base64.b64encode(b"x")))
    with pytest.raises(RecordingError):
        decode(encode(Tape("linux", Target(), (found, question))))
    assert decode(encode(Tape("linux", Target(), (found,)))).questions == (found,)
