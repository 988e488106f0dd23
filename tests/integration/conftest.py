"""Gateways for the integration tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support import tunnels
from support.tunnels import TestGateway


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestGateway]:
    """OpenSSH's server; shared, so not to be harmed."""
    with tunnels.start("sshd", tmp_path_factory.mktemp("sshd-integration")) as running:
        yield running
