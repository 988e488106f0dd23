"""What is said when a login failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from netkit.engine.transport import auth_errors
from netkit.engine.transport.auth_errors import Tried
from netkit.errors import AuthenticationError, GatewayUnreachableError, KeyFileError
from netkit.model import Hop

HOP = Hop(alias="gate", host="gate.example", port=2222, user="me")
KEY = Tried("publickey", "/k (ED25519 SHA256:x)", "refused by the gateway")
PASSWORD = Tried("password", "password", "refused by the gateway")


def refused(*tried: Tried, hop: Hop = HOP, **more) -> AuthenticationError:
    options = {
        "offered": ("publickey", "password"),
        "faults": [],
        "succeeded": [],
        "could_prompt": False,
        **more,
    }
    return auth_errors.refused(hop, tried=tried, **options)


def test_lists_what_was_tried_and_what_is_offered():
    error = refused(KEY)
    assert error.code == "authentication-failed"
    assert error.cause == f"tried {KEY}. It offers publickey, password"
    assert "gate.example" in error.summary
    assert "me" in error.summary


def test_fixes_fit_the_methods():
    argvs = [fix.argv for fix in refused(KEY).fixes]
    assert ("ssh-copy-id", "-p", "2222", "me@gate.example") in argvs
    assert ("netkit", "forward", "...", "--password-stdin") in argvs
    assert len(refused(KEY, could_prompt=True).fixes) == 1
    assert refused(KEY, offered=("hostbased",)).fixes == ()


def test_without_passwords_the_key_is_shown_for_the_administrator(tmp_path):
    (fix,) = refused(KEY, offered=("publickey",)).fixes
    assert fix.argv == ("ssh-keygen", "-t", "ed25519")
    key = tmp_path / "id"
    key.write_text("")
    hop = Hop(alias="g", host="h", user="me", identities=(tmp_path / "none", key))
    (fix,) = refused(KEY, hop=hop, offered=("publickey",)).fixes
    assert fix.argv == ("ssh-keygen", "-y", "-f", str(key))
    assert "~me/.ssh/authorized_keys" in fix.note


def test_ssh_copy_id_takes_the_key_that_was_named(tmp_path):
    key = tmp_path / "id"
    key.write_text("")
    hop = Hop(alias="g", host="h", identities=(key,), identities_explicit=True)
    assert refused(KEY, hop=hop).fixes[0].argv == ("ssh-copy-id", "-i", str(key), "h")


def test_a_named_key_file_is_not_described_twice():
    fault = KeyFileError("/k is not a private key", code="key-not-recognised", cause="no format")
    hop = Hop(alias="g", host="h", identities=(Path("/k"),), identities_explicit=True)
    assert refused(hop=hop, faults=[fault]).cause == "no format"
    missing = KeyFileError("/k does not exist", code="key-missing")
    assert "typing error" in refused(hop=hop, faults=[missing]).cause


def test_codes():
    assert refused().code == "no-credentials"
    wrong = refused(PASSWORD)
    assert wrong.code == "wrong-password"
    assert wrong.fixes[0].argv == ("netkit", "forward", "...", "--password-stdin")
    asked = refused(PASSWORD, could_prompt=True)
    assert asked.fixes[0].argv == ("netkit", "forward", "...")


def test_first_factor_is_mentioned():
    error = refused(succeeded=["publickey ED25519 SHA256:x"])
    assert error.cause.startswith("it accepted publickey ED25519 SHA256:x and wants one more")


def test_named_key_file_leads():
    fault = KeyFileError("/k does not exist", code="key-missing")
    hop = Hop(alias="g", host="h", identities=(Path("/k"),), identities_explicit=True)
    error = refused(KEY, hop=hop, faults=[fault])
    assert isinstance(error, KeyFileError)
    assert error.code == "key-missing"
    assert "refused by the gateway" in error.cause
    assert refused(KEY, faults=[fault]).code == "authentication-failed"
    assert refused(PASSWORD, hop=hop, faults=[fault]).code == "wrong-password"


@pytest.mark.parametrize(
    ("code", "cause", "tried", "expected"),
    [
        (
            "disconnected-by-gateway",
            "it said 'Too many authentication failures' (code 2)",
            [KEY],
            "too-many-auth-failures",
        ),
        ("disconnected-by-gateway", "it said 'shutting down'", [KEY], "disconnected-by-gateway"),
        ("closed-during-login", "", [KEY, KEY, KEY], "too-many-auth-failures"),
        ("closed-during-login", "", [KEY], "closed-during-login"),
    ],
)
def test_hanging_up(code, cause, tried, expected):
    error = GatewayUnreachableError("x", code=code, cause=cause)
    assert auth_errors.at_end(error, HOP, tried).code == expected


def test_expired_password_names_the_way_out():
    assert auth_errors.password_expired(HOP).fixes[0].argv == (
        "ssh",
        "-p",
        "2222",
        "me@gate.example",
    )
