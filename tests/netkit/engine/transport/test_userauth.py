"""The login's messages: a gateway that answers out of turn, floods, or sends half messages."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paramiko.message import Message

from netkit.engine.transport import userauth
from netkit.engine.transport.userauth import MAX_PROMPTS, InfoRequest, parse_info_request
from netkit.errors import RemoteProtocolError
from netkit.wire.messages import string, u32
from support.login import fails, logged_in
from support.prompts import Person
from support.scripted_server import ScriptedServer


def on_service_request(*payloads: bytes):
    """A server that answers the service request with these messages."""

    def before(transport):
        def answer(m):
            for payload in payloads:
                transport._send_message(Message(payload))

        transport._handler_table[5] = answer

    return before


ACCEPT = bytes([6]) + string("ssh-userauth")
SUCCESS = bytes([52])


@pytest.mark.parametrize(
    ("payloads", "words"),
    [
        ((SUCCESS,), "out of turn"),
        ((bytes([51]) + string("password") + b"\0",), "out of turn"),
        ((ACCEPT, bytes([60]), bytes([60])), "login"),
        ((bytes([53]) + string("x" * 30_000) + string(""),) * 3, "banners without end"),
        ((bytes([53]) + string("x") + string(""),) * 500, "banners without end"),
    ],
)
def test_gateway_that_misbehaves(payloads, words):
    with ScriptedServer(password="pw", before=on_service_request(*payloads)) as server:
        error = fails(server.hop(), server.sock, password="pw", prompter=Person())
    assert isinstance(error, RemoteProtocolError)
    assert words in error.summary


def test_success_without_a_request_is_no_login():
    """A success that comes before the first request must not count as one."""
    with ScriptedServer(before=on_service_request(SUCCESS)) as server:
        error = fails(server.hop(), server.sock)
    assert isinstance(error, RemoteProtocolError)


def test_gateway_that_never_answers(monkeypatch):
    monkeypatch.setattr(userauth, "REPLY_TIMEOUT", 0.2)
    with ScriptedServer(before=on_service_request()) as server:
        error = fails(server.hop(), server.sock)
    assert error.code == "login-timeout"
    assert error.retryable


def test_messages_after_login_are_refused():
    with ScriptedServer(password="pw") as server:
        with logged_in(server.hop(), server.sock, password="pw") as transport:
            server.send(SUCCESS)
            transport.join(10)
            assert isinstance(transport.saved_exception, RemoteProtocolError)


def info_request(*prompts: tuple[str, bool], title: str = "", text: str = "") -> bytes:
    head = string(title) + string(text) + string("") + u32(len(prompts))
    return head + b"".join(string(p) + bytes([echo]) for p, echo in prompts)


def test_info_request():
    payload = info_request(("Code\x07: ", False), ("Name:", True), title="T\x1b", text="a\nb")
    assert parse_info_request(payload) == InfoRequest(
        "T?", "a\nb", (("Code?: ", False), ("Name: ", True))
    )


def test_info_request_with_too_many_questions():
    with pytest.raises(RemoteProtocolError):
        parse_info_request(info_request(*[("x", True)] * (MAX_PROMPTS + 1)))
    with pytest.raises(RemoteProtocolError):
        parse_info_request(info_request()[:-4] + b"\xff\xff\xff\xff")


@given(st.binary(max_size=200))
def test_any_info_request_is_parsed_or_refused(payload):
    with contextlib.suppress(RemoteProtocolError):
        assert len(parse_info_request(payload).prompts) <= MAX_PROMPTS
