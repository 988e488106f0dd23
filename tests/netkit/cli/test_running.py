from __future__ import annotations

from typing import Any

import pytest

from netkit.cli import running
from netkit.cli.running import NotRunningError, chosen, complete_running, one
from netkit.desktop.instance import Holder
from netkit.errors import UsageError

NOBODY: Any = None


@pytest.fixture
def present(monkeypatch):
    def say(*names: str) -> None:
        holders = tuple(Holder(7 + at, name=name) for at, name in enumerate(names))
        monkeypatch.setattr(running, "all_running", lambda: holders)

    return say


def test_all_or_those_that_are_named(present):
    present("a", "b", "c")
    assert [each.name for each in chosen([])] == ["a", "b", "c"]
    assert [each.name for each in chosen(["c", "a", "c"])] == ["c", "a"]


def test_none_runs(present):
    present()
    with pytest.raises(NotRunningError) as caught:
        chosen(["office"])
    assert caught.value.exit_code == 3
    assert caught.value.fixes[0].command == "netkit up office"
    with pytest.raises(NotRunningError) as caught:
        chosen([])
    assert caught.value.fixes[0].command == "netkit forward --help"


def test_none_of_that_name(present):
    present("a", "b")
    with pytest.raises(NotRunningError, match="no tunnel c runs") as caught:
        chosen(["a", "c"])
    assert caught.value.cause == "these run: a, b"


def test_the_only_one_need_not_be_named(present):
    present("a")
    assert one(None, "down").name == "a"
    present("a", "b")
    assert one("b", "down").name == "b"
    with pytest.raises(UsageError, match="2 tunnels run, and none is named") as caught:
        one(None, "down")
    assert [fix.command for fix in caught.value.fixes] == ["netkit down ... a", "netkit down ... b"]


def test_names_complete(present):
    present("office", "home", "official")
    assert [each.value for each in complete_running(NOBODY, NOBODY, "off")] == [
        "office",
        "official",
    ]
