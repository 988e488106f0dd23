from __future__ import annotations

import pickle
import re
from collections.abc import Iterator

import pytest

from netkit import errors
from netkit.errors import NetkitError, OpenError
from netkit.model import Fix


def tree(error: type[NetkitError] = NetkitError) -> Iterator[type[NetkitError]]:
    """Return the class and all below it that this module defines."""
    yield error
    for below in error.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from tree(below)


CLASSES = list(tree())


def test_the_tree_is_whole() -> None:
    defined = {value for value in vars(errors).values() if isinstance(value, type)} - {Fix}
    assert {value for value in defined if issubclass(value, BaseException)} == set(CLASSES)


@pytest.mark.parametrize("error", CLASSES)
def test_codes_are_kebab_case_and_their_own(error: type[NetkitError]) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", error.default_code)
    assert [other.default_code for other in CLASSES].count(error.default_code) == 1


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (errors.NetkitError, 70),
        (errors.LocalProtocolError, 70),
        (errors.UsageError, 2),
        (errors.ConfigError, 2),
        (errors.OpenError, 3),
        (errors.GatewayUnreachableError, 4),
        (errors.AlgorithmError, 4),
        (errors.LinkLostError, 4),
        (errors.RemoteProtocolError, 4),
        (errors.HostKeyError, 5),
        (errors.AuthenticationError, 6),
        (errors.KeyFileError, 6),
        (errors.BindError, 7),
        (errors.DisplayError, 3),
        (errors.RemoteForwardError, 8),
    ],
)
def test_exit_codes(error: type[NetkitError], exit_code: int) -> None:
    """Scripts rely on them (`netkit forward --help`)."""
    assert error.exit_code == exit_code


def test_what_an_error_says() -> None:
    fixes = (Fix(("ssh-keygen", "-R", "gw")),)
    error = errors.HostKeyError(
        "changed", code="host-key-changed", cause="new key", fixes=fixes, retryable=True
    )
    assert str(error) == error.summary == "changed"
    assert (error.code, error.cause) == ("host-key-changed", "new key")
    assert (error.fixes, error.retryable) == (fixes, True)


def test_what_an_error_says_when_little_is_known() -> None:
    error = errors.BindError("in use")
    assert (error.code, error.cause, error.fixes) == ("bind-failed", "", ())
    assert not error.retryable


@pytest.mark.parametrize("reason", range(6))
def test_an_open_is_worth_retrying_when_it_may_pass_later(reason: int) -> None:
    error = OpenError("no", reason=reason)
    assert error.reason == reason
    assert error.retryable == (reason in {2, 4})


@pytest.mark.parametrize("error", CLASSES)
def test_errors_survive_a_process_boundary(error: type[NetkitError]) -> None:
    copy = pickle.loads(pickle.dumps(error("gone", cause="because")))
    assert type(copy) is error
    assert (copy.summary, copy.code, copy.cause) == ("gone", error.default_code, "because")
