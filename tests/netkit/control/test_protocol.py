from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.control.protocol import (
    MAX_ANSWER,
    MAX_REQUEST,
    WORDS,
    ControlError,
    Request,
    format_answer,
    format_failure,
    format_request,
    parse_answer,
    parse_request,
)
from netkit.errors import BindError, NetkitError, UsageError
from netkit.model import Endpoint, Fix, ForwardKind, ForwardSpec, UnixPath
from netkit.text.forwards import format_forward, parse_forward

FORWARDS = [
    parse_forward(ForwardKind.LOCAL, "127.0.0.1:5432:db:5432"),
    parse_forward(ForwardKind.LOCAL, "0:[2001:db8::1]:80"),
    parse_forward(ForwardKind.REMOTE, "*:8080:localhost:80"),
    parse_forward(ForwardKind.DYNAMIC, "1080"),
    parse_forward(ForwardKind.LOCAL, "/tmp/a b.sock:/run/x.sock"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
MEMBERS = st.sampled_from(["do", "forwards", "flow", "drain", "token", "ok", "error"])


@given(
    st.sampled_from(WORDS),
    st.lists(st.sampled_from(FORWARDS), max_size=5),
    st.integers(0, 1 << 40),
    st.none() | st.floats(0, 3600),
    st.text(max_size=30),
)
def test_a_request_comes_back(do, forwards, flow, drain, token):
    request = Request(do, tuple(forwards), flow, drain, token)
    line = format_request(request)
    assert line.count(b"\n") == 1
    came = parse_request(line)
    assert (came.do, came.flow, came.drain, came.token) == (do, flow, drain, token)
    assert [(each.kind, each.bind, each.to) for each in came.forwards] == [
        (each.kind, each.bind, each.to) for each in forwards
    ]


@pytest.mark.parametrize("bind", [Endpoint("127.0.0.1", 5432), UnixPath("/run/x"), Endpoint("", 0)])
def test_one_to_remove_needs_no_target(bind):
    spec = ForwardSpec(ForwardKind.LOCAL, bind)
    (came,) = parse_request(format_request(Request("remove", (spec,)))).forwards
    assert (came.kind, came.bind, came.to) == (spec.kind, spec.bind, None)
    with pytest.raises(ControlError):
        parse_request(format_request(Request("add", (spec,))))


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_no_request_and_no_answer(data: bytes):
    for parse in (parse_request, parse_answer):
        with pytest.raises(ControlError):
            parse(data)


@given(st.dictionaries(MEMBERS | st.text(max_size=8), JSON, max_size=6))
def test_arbitrary_members_give_a_value_or_a_declared_error(said):
    line = json.dumps({"do": "status", **said, "netkit": 1}).encode()
    for parse in (parse_request, parse_answer):
        try:
            parse(line)
        except NetkitError as error:
            assert error.code


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{}", "control-version"),
        (b'{"netkit": 2, "do": "status"}', "control-version"),
        (b'{"netkit": 1, "do": "format-disk"}', "control-protocol"),
        (b'{"netkit": 1, "do": ["status"]}', "control-protocol"),
        (b'{"netkit": 1, "do": "stop", "drain": NaN}', "control-protocol"),
        (b'{"netkit": 1, "do": "stop", "drain": -1}', "control-protocol"),
        (b'{"netkit": 1, "do": "stop", "drain": true}', "control-protocol"),
        (b'{"netkit": 1, "do": "kill", "flow": "1"}', "control-protocol"),
        (b'{"netkit": 1, "do": "add", "forwards": [["local", "x"]]}', "bad-forward"),
        (b'{"netkit": 1, "do": "add", "forwards": [["sideways", "1:x:1"]]}', "control-protocol"),
        (b'{"netkit": 1, "do": "add", "forwards": [["local", "1", "bind"]]}', "control-protocol"),
        (b'{"netkit": 1, "do": "status", "token": 5}', "control-protocol"),
        (b"[" * 50_000, "control-protocol"),
        (b" " * (MAX_REQUEST + 1), "control-too-long"),
    ],
)
def test_what_is_no_request(line: bytes, code: str):
    with pytest.raises(NetkitError) as caught:
        parse_request(line)
    assert caught.value.code == code


def test_a_request_is_bounded():
    with pytest.raises(ControlError, match="65536 bytes"):
        format_request(Request("status", token="x" * MAX_REQUEST))


def test_an_answer_comes_back():
    said = parse_answer(format_answer({"forward": FORWARDS[0], "text": "a\n\udc80"}))
    assert said["forward"]["bind"] == {"host": "127.0.0.1", "port": 5432}
    assert said["text"] == "a\n\udc80"


def test_an_answer_is_bounded():
    with pytest.raises(ControlError):
        format_answer({"text": "x" * MAX_ANSWER})
    with pytest.raises(ControlError):
        parse_answer(b" " * (MAX_ANSWER + 1))


@pytest.mark.parametrize("kind", [UsageError, BindError])
def test_a_failure_comes_back(kind):
    error = kind(
        "cannot listen on 127.0.0.1:1",
        code="bind-privileged-port",
        cause="it is the administrator's",
        fixes=(Fix(("netkit", "add", "x", "-L", format_forward(FORWARDS[0])), note="free"),),
    )
    with pytest.raises(kind) as caught:
        parse_answer(format_failure(error))
    for name in ("code", "summary", "cause", "fixes", "exit_code", "retryable"):
        assert getattr(caught.value, name) == getattr(error, name)


def test_a_failure_of_another_kind_is_a_control_error():
    with pytest.raises(ControlError, match="bang") as caught:
        parse_answer(b'{"netkit": 1, "error": {"summary": "bang", "fixes": [1, {"argv": []}]}}')
    assert (caught.value.exit_code, caught.value.fixes) == (3, ())


def test_a_long_failure_goes_without_its_fixes():
    fix = Fix(tuple(["x" * 1000] * 1000))
    error = ControlError("s" * 10_000, fixes=(fix,) * 10)
    with pytest.raises(ControlError) as caught:
        parse_answer(format_failure(error))
    assert (len(caught.value.summary), caught.value.fixes) == (4096, ())
