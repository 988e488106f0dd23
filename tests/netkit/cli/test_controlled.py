from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from netkit.cli.controlled import Control, addresses_of, binds_of
from netkit.cli.naming import Naming
from netkit.control import client, places
from netkit.control.protocol import Request
from netkit.desktop import instance
from netkit.desktop.instance import Claim
from netkit.errors import BindError
from netkit.events import Notice
from netkit.model import ForwardKind, Gateway, Hop, Plan
from netkit.text.forwards import parse_forward
from support.supervised import DB, FLOW, FakeSupervised

PLAN = Plan(hops=(Hop(alias="gw", host="gw"),), forwards=(DB,))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with tempfile.TemporaryDirectory(prefix="nk") as made:  # a path of pytest's is too long
        monkeypatch.setattr(places, "runtime_folder", lambda: Path(made) / "run")
        yield


class Tunnel(FakeSupervised):
    @property
    def forwards(self):
        return [
            SimpleNamespace(spec=each.forward, addresses=each.addresses)
            for each in self.now.forwards
        ]

    def start(self) -> None:
        """Nothing to do."""

    def wait(self, timeout: float | None = None) -> None:
        self.ended.wait(timeout)


def begun(
    name: str,
    plan: Plan = PLAN,
    *,
    is_profile: bool = False,
    first: int = 1,
    tunnel: Any = None,
    end: Any = None,
) -> Control:
    control = Control(Naming(name, is_profile, first), str(Gateway("gw")), end)
    control.begin(tunnel or Silent(), plan, lambda _event: None)
    return control


class Silent:
    """A tunnel that cannot be asked."""

    forwards = ()

    def start(self) -> None:
        """Nothing to do."""

    def wait(self, timeout: float | None = None) -> None:
        """It is over."""

    def stop(self, drain: float = 5.0) -> None:
        """It is."""


def test_a_tunnel_is_found_asked_and_ended():
    tunnel, drains = Tunnel(), []

    def end(drain: float | None) -> None:
        drains.append(drain)
        tunnel.ended.set()

    control = begun("office", is_profile=True, tunnel=tunnel, end=end)
    (starting,) = client.running()
    assert (starting.name, starting.pid, starting.addresses) == ("office", os.getpid(), ())
    assert client.status(starting).gateway == "gw"
    control.up()
    control.see(Notice(code="x", text="seen"))
    (holder,) = client.running()
    assert str(holder.addresses[0]) == "127.0.0.1:5432"
    assert client.status(holder).gateway == "gw"
    assert client.flows(holder)[0].number == FLOW.number
    assert client.ask(holder, Request("events"))["events"][0]["text"] == "seen"
    client.ask(holder, Request("stop", drain=0.0))
    assert tunnel.ended.wait(10)
    assert drains == [0.0]
    control.end()
    control.end()
    assert client.running() == ()


def test_a_profile_runs_once():
    first = begun("office", is_profile=True)
    with pytest.raises(BindError) as caught:
        begun("office", is_profile=True)
    assert (caught.value.code, caught.value.exit_code) == ("already-running", 7)
    assert [each.command for each in caught.value.fixes] == [
        "netkit status office",
        "netkit down office",
    ]
    first.end()
    begun("office", is_profile=True).end()


def test_a_gateway_may_have_several_tunnels_but_not_twice_the_same():
    other = Plan(hops=PLAN.hops, forwards=(parse_forward(ForwardKind.DYNAMIC, "1080"),))
    free = Plan(hops=PLAN.hops, forwards=(parse_forward(ForwardKind.DYNAMIC, "0"),))
    made = [begun("gw"), begun("gw", other), begun("gw", free), begun("gw", free)]
    assert [each.name for each in made] == ["gw", "gw-2", "gw-3", "gw-4"]
    for plan, name in ((PLAN, "gw"), (other, "gw-2")):
        with pytest.raises(BindError, match=f"^{name} starts already"):
            begun("gw", plan)
    for each in made:
        each.end()
    again = begun("gw", first=2)
    assert again.name == "gw-2"
    again.end()


def test_a_claim_of_somebody_else_is_left_to_them():
    claim = instance.claim("office")
    assert isinstance(claim, Claim)
    control = Control(Naming("office", True, claim=claim), "gw", lambda _drain: None)
    control.begin(Tunnel(), PLAN, lambda _event: None)
    control.up()
    assert client.status(client.running()[0]).name == "office"
    control.end()
    assert [each.name for each in client.running()] == ["office"]
    claim.close()


@pytest.mark.parametrize("broken", ["lock", "socket"])
def test_without_a_place_the_tunnel_goes_on_and_says_so(tmp_path, monkeypatch, broken):
    (tmp_path / "file").touch()
    if broken == "lock":
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    else:
        monkeypatch.setattr(places, "runtime_folder", lambda: tmp_path / "file")
    told: list[Any] = []
    control = Control(Naming("office"), "gw", lambda _drain: None)
    control.begin(Tunnel(), PLAN, told.append)
    control.up()
    control.end()
    assert [each.code for each in told] == ["control-unavailable"]


def test_a_port_that_the_system_chooses_is_no_bind_to_compare():
    free = parse_forward(ForwardKind.LOCAL, "0:web:80")
    assert binds_of(Plan(hops=(), forwards=(DB, free))) == ("local 127.0.0.1:5432",)


def test_the_client_is_shown_its_own_address():
    assert [str(each) for each in addresses_of(Tunnel().forwards, "")] == ["127.0.0.1:5432"]
