from __future__ import annotations

import shlex

import pytest

from netkit.advise.model import Need, Technology
from support import advice
from support.cli import run_cli


def test_forward():
    found = advice.made(Technology.TCP_FORWARD, Need.TCP)
    assert found.steps[0].argv == (
        *("netkit", "forward", "me@gw.example:2222"),
        *("--bind", "127.0.0.2:3390", "--to", "desktop:3389"),  # what Windows' client accepts
        *("--bind", "127.0.0.1:5432", "--to", "db.internal:5432"),
    )
    assert "127.0.0.2:3390 in place of desktop:3389" in found.steps[1].note


def test_low_ports_move_up():
    found = advice.made(Technology.TCP_FORWARD, Need.TCP, to=("mail:110",))
    assert "127.0.0.1:10110" in found.steps[0].argv


@pytest.mark.parametrize("technology", [Technology.TCP_FORWARD, Technology.SOCKS])
def test_netkit_takes_its_own_commands(technology):
    command = advice.made(technology, Need.TCP).steps[0].command
    assert run_cli(*shlex.split(command)[1:], "--dry-run").code == 0


def test_sshuttle():
    found = advice.made(Technology.SSHUTTLE, Need.NETWORK)
    assert found.steps[0].argv == (
        *("sshuttle", "-r", "me@gw.example:2222", "10.1.0.0/16", "10.3.0.0/24"),
    )


@pytest.mark.parametrize(("need", "udp"), [(Need.TCP, "false"), (Need.UDP, "true")])
def test_zebedee(need, udp):
    found = advice.made(Technology.ZEBEDEE, need)
    text = advice.file(found, "here/netkit0.zbd")
    assert f"udpmode {udp}\n" in text
    assert "tunnel 3390:desktop:3389\n" in text
    assert "listenip 127.0.0.1\n" in text
    assert any("weak cryptography" in warning for warning in found.warnings)
