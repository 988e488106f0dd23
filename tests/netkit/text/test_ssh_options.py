"""Typed looks at resolved options."""

from __future__ import annotations

import pytest

from netkit.errors import ConfigError
from netkit.text.ssh_options import first, is_off, is_on, is_set, names, number

OPTIONS = {
    "user": ("me", "you"),
    "yes": ("Yes",),
    "true": ("true",),
    "no": ("no",),
    "false": ("false",),
    "none": ("None",),
    "number": ("30",),
    "ciphers": ("a,b,,c",),
    "odd": ("-1",),
}


def test_first():
    assert first(OPTIONS, "user") == "me"
    assert first(OPTIONS, "absent", "x") == "x"


def test_flags():
    assert [is_on(OPTIONS, name) for name in ("yes", "true", "no", "absent")] == [
        True,
        True,
        False,
        False,
    ]
    assert [is_off(OPTIONS, name) for name in ("no", "false", "yes", "absent")] == [
        True,
        True,
        False,
        False,
    ]


def test_is_set():
    assert is_set(OPTIONS, "user")
    assert not is_set(OPTIONS, "none")
    assert not is_set(OPTIONS, "absent")


def test_number():
    assert number(OPTIONS, "number", 1) == 30
    assert number(OPTIONS, "none", 1) == 1
    assert number(OPTIONS, "absent", 1) == 1


@pytest.mark.parametrize("name", ["odd", "user"])
def test_bad_number(name: str):
    with pytest.raises(ConfigError, match=name):
        number(OPTIONS, name, 1)


def test_names():
    assert names(OPTIONS, "ciphers") == ("a", "b", "c")
    assert names(OPTIONS, "absent") == ()
