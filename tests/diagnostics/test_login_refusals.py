"""Each way in which a login fails has one kind, from netkit's own words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from diagnostics import login_refusals as r
from diagnostics.login_refusals import Tried, causes, kind_of, sort_out
from diagnostics.ssh import Attempt, Login
from netkit.engine.transport import auth_errors
from netkit.engine.transport.auth_errors import Tried as Noted
from netkit.errors import KeyFileError
from netkit.model import Hop
from support.any_values import any_of

PRINT = "SHA256:" + "A" * 43
KEY = f"/home/me/.ssh/id (ED25519 {PRINT})"
REFUSED = Attempt(method="publickey", what=KEY, why="refused by the gateway")


def attempt(why: str, what: str = KEY, method: str = "publickey") -> Attempt:
    return Attempt(method=method, what=what, why=why)


def kind(code: str, *attempts: Attempt, **words: Any) -> str:
    words = {"methods": ("publickey",), **words}
    return kind_of(Login(error_code=code, attempts=attempts, **words), sort_out(attempts))


@pytest.mark.parametrize(
    ("attempts", "methods", "expected"),
    [
        ((), ("publickey", "password"), r.NO_KEY),
        ((), ("password",), r.PASSWORD_ONLY),
        ((), ("gssapi-with-mic",), r.METHOD),
        ((), (), r.METHOD),
        ((REFUSED,), ("publickey",), r.NOT_AUTHORIZED),
        ((attempt("the gateway takes no RSA with SHA-2"),), ("publickey",), r.OLD_RSA),
        ((attempt("the SSH agent would not sign: denied"),), ("publickey",), r.WOULD_NOT_SIGN),
        ((attempt("key-encrypted"), REFUSED), ("publickey",), r.LOCKED),
        ((attempt("key-wrong-passphrase"),), ("publickey",), r.PASSPHRASE),
        ((attempt("key-is-ssh2"),), ("publickey",), r.UNUSABLE),
        ((attempt("key-is-ssh2"), REFUSED), ("publickey",), r.NOT_AUTHORIZED),
        ((attempt("it died", "the SSH agent"),), ("publickey",), r.NO_KEY),
        ((attempt("'Code:' was not answered", "x", "keyboard-interactive"),), ("password",),
         r.UNANSWERED),
        ((attempt("nobody is there", "x", "keyboard-interactive"),), ("password",),
         r.PASSWORD_ONLY),
    ],
)  # fmt: skip
def test_refusals(attempts: tuple[Attempt, ...], methods: tuple[str, ...], expected: str):
    for code in ("authentication-failed", "no-credentials"):
        assert kind(code, *attempts, methods=methods) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("too-many-auth-failures", r.TOO_MANY),
        ("password-expired", r.EXPIRED),
        ("wrong-password", r.WRONG_PASSWORD),
        ("key-encrypted", r.LOCKED),
        ("key-permissions", r.UNUSABLE),
        ("login-timeout", r.TIMED_OUT),
        ("link-cut", r.CUT),
        ("protocol-error", r.FAILED),
        ("", r.FAILED),
    ],
)
def test_codes_that_say_it_all(code: str, expected: str):
    assert kind(code, REFUSED) == expected


def test_a_second_factor():
    assert kind("authentication-failed", cause="it accepted publickey and wants") == r.FACTOR


def test_what_netkit_itself_says():
    """The words that are told apart here are those of the engine."""
    noted = [
        Noted("publickey", KEY, "refused by the gateway"),
        Noted("publickey", "the SSH agent", "no SSH agent answers"),
    ]
    error = auth_errors.refused(
        Hop(alias="gw", host="gw"), offered=["publickey"], tried=noted, faults=[],
        succeeded=["publickey x"], could_prompt=False,
    )  # fmt: skip
    attempts = tuple(Attempt(method=n.method, what=n.what, why=n.why) for n in noted)
    assert kind(error.code, *attempts, cause=error.cause) == r.FACTOR
    tried = sort_out(attempts)
    assert (tried.refused[0].label, tried.agent) == ("/home/me/.ssh/id", "no SSH agent answers")
    assert sort_out((attempt("", "the SSH agent"),)).agent == "it failed"
    for code in r.KEY_FAULTS:
        assert KeyFileError("x", code=code).code == code


def test_causes_in_other_checks():
    tried = Tried(faults=(("key-is-ssh2", "x"), ("bad-certificate", "y")))
    login = Login(error_code="key-permissions")
    assert causes(r.UNUSABLE, login, tried) == ("key-permissions", "key-is-ssh2")
    assert causes(r.LOCKED, login, tried) == ("agent-dead", "agent-failed")
    assert causes(r.NOT_AUTHORIZED, login, tried) == ()


@given(any_of(Login))
def test_is_total(login: Login):
    tried = sort_out(login.attempts)
    assert causes(kind_of(login, tried), login, tried) is not None
