"""A session's settings, read as PuTTY reads them."""

from __future__ import annotations

import pytest

from netkit.text.putty.session import Session

SESSION = Session("s", (("HostName", "gw"), ("PortNumber", 22), ("UserName", "007")))


def test_settings_by_name():
    assert SESSION.get("HostName") == "gw"
    assert SESSION.get("Nothing") is None
    assert SESSION.text("PortNumber") == "22"
    assert SESSION.text("Nothing", "x") == "x"
    assert SESSION.number("PortNumber") == 22
    assert SESSION.number("Nothing", 7) == 7


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), (" 12x", 12), ("-1", -1), ("x", 0), ("", 0), ("9" * 30, 10**18 - 1)],
)
def test_numbers_as_atoi_reads_them(text: str, number: int):
    assert Session("s", (("K", text),)).number("K") == number


def test_changes_keep_the_order():
    changed = SESSION.changed({"PortNumber": 2222, "New": 1})
    assert changed.values == (
        ("HostName", "gw"),
        ("PortNumber", 2222),
        ("UserName", "007"),
        ("New", 1),
    )
    assert SESSION.number("PortNumber") == 22
