"""Passwords in the keyring."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from netkit import secrets
from netkit.secrets import KeyringError
from support.profiles import MemoryKeyring


class NoKeyringError(RuntimeError):
    """As the package keyring calls what it raises without a backend."""


@pytest.fixture
def keyring(monkeypatch):
    made = MemoryKeyring()
    monkeypatch.setitem(sys.modules, "keyring", made)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: object())
    return made


def test_kept_recalled_forgotten(keyring):
    assert secrets.recall("office") is None
    secrets.store("office", "hush")
    assert keyring.held == {("netkit", "office"): "hush"}
    assert secrets.recall("office") == "hush"
    assert secrets.forget("office")
    assert not secrets.forget("office")
    assert keyring.held == {}


def test_moved(keyring):
    secrets.store("office", "hush")
    assert secrets.move("office", "desk")
    assert not secrets.move("office", "desk")
    assert keyring.held == {("netkit", "desk"): "hush"}


def test_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert secrets.recall("office") is None
    assert not secrets.forget("office")
    with pytest.raises(KeyringError) as raised:
        secrets.store("office", "hush")
    assert raised.value.code == "no-keyring"
    assert raised.value.fixes[0].argv == ("pip", "install", "netkit-tunnel[keyring]")


@pytest.mark.parametrize(
    ("error", "code", "cause"),
    [
        (NoKeyringError("No recommended backend"), "no-keyring", "this machine has no keyring"),
        (RuntimeError("Locked\nby you"), "keyring-refused", "Locked by you"),
        (RuntimeError(), "keyring-refused", "RuntimeError"),
    ],
)
def test_a_keyring_that_refuses(keyring, error, code, cause):
    keyring.error = error
    assert secrets.recall("office") is None
    with pytest.raises(KeyringError) as raised:
        secrets.store("office", "hush")
    assert raised.value.code == code
    assert raised.value.cause.startswith(cause)
    assert "hush" not in raised.value.summary + raised.value.cause


def test_a_keyring_that_keeps_what_it_has(keyring):
    secrets.store("office", "hush")

    def refuse(*_arguments):
        raise RuntimeError("no")

    keyring.delete_password = refuse
    with pytest.raises(KeyringError, match="cannot forget the password of office"):
        secrets.forget("office")
    assert secrets.recall("office") == "hush"


def test_the_real_package_without_a_backend():
    from keyring import get_keyring, set_keyring
    from keyring.backends import fail

    before = get_keyring()
    set_keyring(fail.Keyring())
    try:
        assert secrets.recall("office") is None
        with pytest.raises(KeyringError) as raised:
            secrets.store("office", "hush")
        assert raised.value.code == "no-keyring"
    finally:
        set_keyring(before)
