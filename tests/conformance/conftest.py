"""The gateways, one of each for the whole run; tests that harm theirs start their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import tunnels
from support.tunnels import TestGateway

# asyncssh forgets to close its connection to a target when the client's is cut.
GATEWAYS = [
    pytest.param(
        name,
        marks=[pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]
        if name == "asyncssh"
        else [],
    )
    for name in tunnels.NAMES
]


@pytest.fixture(scope="session", params=GATEWAYS)
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestGateway]:
    """Each of the gateways in turn; shared, so not to be harmed."""
    with tunnels.start(request.param, tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest.fixture(params=GATEWAYS)
def own_gateway(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestGateway]:
    """Each of the gateways in turn, for this test alone."""
    with tunnels.start(request.param, tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestGateway]:
    """OpenSSH's server; shared."""
    with tunnels.start("sshd", tmp_path_factory.mktemp("sshd-shared")) as running:
        yield running
