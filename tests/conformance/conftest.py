"""The gateways, one of each for the whole run; tests that harm theirs start their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import gateways
from support.gateways import TestGateway


@pytest.fixture(scope="session", params=gateways.NAMES)
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestGateway]:
    """Each of the gateways in turn; shared, so not to be harmed."""
    with gateways.start(request.param, tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest.fixture(params=gateways.NAMES)
def own_gateway(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestGateway]:
    """Each of the gateways in turn, for this test alone."""
    with gateways.start(request.param, tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestGateway]:
    """OpenSSH's server; shared."""
    with gateways.start("sshd", tmp_path_factory.mktemp("sshd-shared")) as running:
        yield running
