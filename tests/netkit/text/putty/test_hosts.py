"""Where a session leads to."""

from __future__ import annotations

import pytest

from netkit.text.putty.hosts import host_and_user, key_place
from netkit.text.putty.session import Session


@pytest.mark.parametrize(
    ("host", "user", "expected"),
    [
        ("gw", "", ("gw", "")),
        (" gw ", "me", ("gw", "me")),
        ("you@gw", "me", ("gw", "you")),
        ("a@b@gw", "", ("gw", "a@b")),
        ("@gw", "me", ("gw", "me")),
        ("gw:22", "", ("gw", "")),
        ("::1", "", ("::1", "")),
        ("[::1]:22", "", ("::1", "")),
        ("g w", "", ("gw", "")),
        ("", "me", ("", "me")),
    ],
)
def test_as_putty_takes_it_apart(host: str, user: str, expected: tuple[str, str]):
    session = Session("s", (("HostName", host), ("UserName", user)))
    assert host_and_user(session) == expected


@pytest.mark.parametrize(
    ("logical", "expected"),
    [
        ("", ("gw", 2222)),
        ("other", ("other", 22)),
        ("other:99", ("other", 99)),
        ("::1", ("::1", 22)),
        ("[::1]:99", ("::1", 99)),
        ("other:x", ("other:x", 22)),
    ],
)
def test_where_its_key_is_filed(logical: str, expected: tuple[str, int]):
    values = (("HostName", "me@gw"), ("PortNumber", 2222), ("LogHost", logical))
    assert key_place(Session("s", values)) == expected
