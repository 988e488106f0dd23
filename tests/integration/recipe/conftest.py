"""A desk with an X server, and a gateway that forwards X11."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.faults import FaultProxy
from support.tunnels import TestGateway
from support.xdesk import Desk, forwarding_sshd
from support.xvfb import Xvfb, entry


@pytest.fixture(scope="module")
def x_server(tmp_path_factory) -> Iterator[Xvfb]:
    """The X server of the desktop.  One that resets would forget untrusted cookies."""
    with Xvfb(tmp_path_factory.mktemp("x"), "-noreset", tcp=True) as server:
        yield server


@pytest.fixture(scope="module")
def x_gateway(tmp_path_factory) -> Iterator[TestGateway]:
    directory = tmp_path_factory.mktemp("gateway")
    with forwarding_sshd(directory) as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path, x_server: Xvfb, x_gateway: TestGateway) -> Desk:
    x_server.give(tmp_path / ".Xauthority")
    return Desk(tmp_path, x_server.display, x_gateway)


@pytest.fixture
def counted(
    tmp_path: Path, x_server: Xvfb, x_gateway: TestGateway
) -> Iterator[tuple[Desk, FaultProxy]]:
    """A desk whose X server is reached over TCP, and what is counted on the way to it."""
    with FaultProxy(x_server.port) as proxy:
        number = proxy.port - 6000
        x_server.give(tmp_path / ".Xauthority", entry(x_server.cookie, number))
        yield Desk(tmp_path, f"127.0.0.1:{number}", x_gateway), proxy
