"""The main job: a real RDP client reaches a real RDP server at 127.0.0.2:3389 through sshd."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import rdp
from support.forwarding import netkit_forward
from support.tunnels import TestGateway


@pytest.fixture
def display(tmp_path: Path) -> Iterator[str]:
    with rdp.x_display(tmp_path) as display:
        yield display


@pytest.fixture
def desktop(tmp_path: Path, display: str) -> Iterator[int]:
    with rdp.shared_desktop(tmp_path, display) as port:
        yield port


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="the RDP server is FreeRDP's for X11")
def test_rdp_client_logs_in_at_127_0_0_2(
    tmp_path: Path, sshd: TestGateway, display: str, desktop: int
):
    rdp.port_is_free()
    words = ("--bind", "127.0.0.2:3389", "--to", f"127.0.0.1:{desktop}")
    with netkit_forward(sshd, *words, home=tmp_path) as forward:
        assert forward.addresses == ["127.0.0.2:3389"]
        done = rdp.authenticate(tmp_path, display, rdp.PASSWORD)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{forward.stderr}"
        # and it really is the server that decides
        refused = rdp.authenticate(tmp_path, display, "wrong")
        assert refused.returncode != 0
        assert forward.stop() == 0
        assert "Traceback" not in forward.stderr
