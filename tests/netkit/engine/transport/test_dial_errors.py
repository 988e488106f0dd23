"""Each way not to reach a gateway has its own code, cause and remedy."""

from __future__ import annotations

import errno
import socket

import pytest

from netkit.engine.transport import dial_errors
from netkit.model import Hop

HOP = Hop(alias="alias", host="gate.example", port=2222, connect_timeout=9)


def error(*codes: int):
    return dial_errors.unreachable(
        HOP, [(f"192.0.2.{i}:2222", dial_errors.as_error(code)) for i, code in enumerate(codes)]
    )


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (errno.ECONNREFUSED, "connection-refused"),
        (errno.ETIMEDOUT, "timed-out"),
        (errno.EHOSTUNREACH, "no-route"),
        (errno.ENETUNREACH, "no-route"),
        (errno.ECONNRESET, "connection-reset"),
        (errno.ENOTCONN, "connection-reset"),
        (errno.EPERM, "blocked-locally"),
        (errno.EIO, "gateway-unreachable"),
    ],
)
def test_code_for_each_answer(code, name):
    assert error(code).code == name
    assert "gate.example:2222" in error(code).summary
    assert error(code).retryable
    assert error(code).fixes


def test_most_telling_answer_wins_and_all_are_listed():
    both = error(errno.ENETUNREACH, errno.ECONNREFUSED)
    assert both.code == "connection-refused"
    assert "192.0.2.0:2222" in both.cause
    assert "192.0.2.1:2222" in both.cause


def test_texts_differ():
    codes = [errno.ECONNREFUSED, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ECONNRESET, errno.EPERM]
    assert len({error(code).cause.split(" (")[0] for code in codes}) == len(codes)


def test_names():
    unknown = dial_errors.not_resolved(HOP, "x", socket.gaierror(socket.EAI_NONAME, "no"))
    assert (unknown.code, unknown.retryable) == ("name-not-resolved", False)
    offline = dial_errors.not_resolved(HOP, "x", socket.gaierror(socket.EAI_AGAIN, "later"))
    assert (offline.code, offline.retryable) == ("dns-failed", True)
