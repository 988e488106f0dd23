"""The machine of a run: the real one unchanged, recorded, replayed."""

from __future__ import annotations

from typing import Any

from netkit.cli.doctor.command import Request
from netkit.cli.doctor.machine import Machine
from netkit.cli.services import Services
from netkit.model import Gateway, HostKeyPolicy, TunnelSpec
from support.machine import FakeSystem
from support.reports import FINDING, report, result

SPEC = TunnelSpec(gateway=Gateway("gw"))


def test_an_examination_records_no_host_key():
    asked: list[TunnelSpec] = []

    def machine(spec: Any, **_more: Any) -> Any:
        asked.append(spec)
        return FakeSystem()

    services = Services(machine=machine)
    with Machine(Request(spec=SPEC), services, lambda: (None, None)):
        pass
    said = TunnelSpec(gateway=Gateway("gw"), host_key=HostKeyPolicy.ACCEPT_NEW)
    with Machine(Request(spec=said), services, lambda: (None, None)):
        pass
    assert [spec.host_key for spec in asked] == [HostKeyPolicy.STRICT, HostKeyPolicy.ACCEPT_NEW]


def test_a_recording_is_played_back(tmp_path):
    file = tmp_path / "it.json"
    services = Services(machine=lambda spec, **_more: FakeSystem("darwin"))
    with Machine(Request(record=file), services, lambda: (None, None)) as machine:
        account = machine.system.account()
        machine.finish(report(result(FINDING)))
    with Machine(Request(replay=file), services, lambda: (None, None)) as machine:
        assert machine.system.os == "darwin"
        assert machine.system.account() == account
        assert machine.target is not None
