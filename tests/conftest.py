"""Fixtures and guards for every test.

The guards: a test that leaves a thread, a descriptor or a child process behind fails, and so does
one that makes netkit log an ERROR, unless it is marked ``logs_errors``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

from support import doctor, leaks, peers

# Time per example says more about the machine than about the code; pytest-timeout bounds a test.
hypothesis.settings.register_profile("fast", max_examples=50, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=100, deadline=None, print_blob=True)
hypothesis.settings.register_profile("deep", max_examples=5_000, deadline=None, print_blob=True)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if peers.under_ci() else "fast")
)

TESTS = Path(__file__).parent
PURE = {"diagnostics", "netkit/plan", "netkit/text", "netkit/wire"}
"""Folders whose tests only compute."""

CROWD = {
    "integration/faults",
    "integration/observe",
    "integration/recipe",
    "netkit/advise",
    "netkit/bench",
    "netkit/cli",
    "netkit/desktop",
    "netkit/doctor",
    "netkit/engine",
    "netkit/keys",
}
"""Folders whose tests wait for processes of their own, however long those take."""

_failed = pytest.StashKey[bool]()
_excused = pytest.StashKey[set[leaks.Thing]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_excused] = set()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tell the tests that may run beside others: they compute, or wait for their own processes."""
    for item in items:
        parts = item.path.relative_to(TESTS).parts
        folders = {"/".join(parts[:depth]) for depth in (1, 2)}
        if folders & PURE:
            item.add_marker("pure")
        elif folders & CROWD and not any(map(item.get_closest_marker, ("alone", "serial"))):
            item.add_marker("crowd")


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Excuse what a fixture of wider scope opens: it is not the test's to close."""
    if fixturedef.scope == "function":
        return (yield)
    before = leaks.snapshot()
    try:
        return (yield)
    finally:
        request.config.stash[_excused].update(leaks.snapshot() - before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[_failed] = True
    return report


class _ErrorRecords(logging.Handler):
    """Keeps the text of what netkit logs at ERROR and above."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(f"{record.name}: {record.getMessage()}")


# Autouse fixtures of the root conftest are set up before, and torn down after, a test's own.
@pytest.fixture(autouse=True)
def _guard(request: pytest.FixtureRequest) -> Iterator[None]:
    before = leaks.snapshot()
    records = _ErrorRecords()
    logger = logging.getLogger("netkit")
    logger.addHandler(records)
    yield
    logger.removeHandler(records)
    if request.node.stash.get(_failed, False):
        return  # the traceback holds the test's locals, and the failure is what matters
    excused = request.config.stash[_excused]
    left = leaks.leaked(before | excused)
    assert not left, "the test left behind:\n" + "\n".join(f"  {thing}" for thing in left)
    if request.node.get_closest_marker("logs_errors") is None:
        assert not records.texts, "netkit logged errors:\n" + "\n".join(records.texts)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the faults that the doctor found; count what was not tested, and why."""
    rows = [
        str(value)
        for report in terminalreporter.stats.get("passed", [])
        for name, value in report.user_properties
        if name == doctor.ROWS
    ]
    if rows:
        terminalreporter.section(f"{len(rows)} faults: fault -> codes found -> hidden")
        for row in rows:
            terminalreporter.line(row)
    skipped = terminalreporter.stats.get("skipped", [])
    lines = peers.summary(str(report.longrepr) for report in skipped)
    if lines:
        terminalreporter.section("missing peers (`make setup` installs them)")
        for line in lines:
            terminalreporter.line(line)
