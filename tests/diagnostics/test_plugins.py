"""Checks of other packages: loaded, and broken ones told of."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from types import SimpleNamespace

from diagnostics import plugins
from diagnostics.model import Target
from diagnostics.runner import Run
from support.machine import FakeSystem
from support.reports import check

HERE = SimpleNamespace(name="some-package")
ONE = check("their-check", "their-code")
SEVERAL = (check("a"), check("b"))
NO_CHECK = "text"


def entry(name: str, value: str, dist: object = HERE) -> EntryPoint:
    point = EntryPoint(name, f"{__name__}:{value}" if ":" not in value else value, plugins.GROUP)
    made: EntryPoint = point._for(dist)  # type: ignore[attr-defined]
    return made


def load(monkeypatch, *entries: EntryPoint, taken=()):
    import sys

    module = SimpleNamespace(ONE=ONE, SEVERAL=SEVERAL, NO_CHECK=NO_CHECK)
    monkeypatch.setitem(sys.modules, __name__, module)
    return plugins.load(taken, lambda: entries)


def broken(checks) -> list[str]:
    report = Run(checks, Target(), FakeSystem()).run()
    return [finding.title for finding in report.findings]


def test_nothing_installed():
    assert plugins.load() == ()


def test_one_check_or_several(monkeypatch):
    checks = load(monkeypatch, entry("b", "SEVERAL"), entry("a", "ONE"))
    assert [each.code for each in checks] == ["their-check", "a", "b"]


def test_what_cannot_be_loaded_is_told(monkeypatch):
    checks = load(
        monkeypatch,
        entry("x", "no.such.module:it"),
        entry("y", "NO_CHECK", dist=None),
        entry("z", "ONE"),
    )
    assert [each.code for each in checks] == ["their-check", "plugins"]
    titles = broken(checks)
    assert "some-package cannot be used: ModuleNotFoundError" in titles[0]
    assert "y cannot be used: TypeError: it names a str, not a Check" in titles[1]


def test_a_name_that_is_taken_is_told(monkeypatch):
    checks = load(monkeypatch, entry("x", "ONE"), taken=(check("their-check"),))
    assert [each.code for each in checks] == ["plugins"]
    assert "a check named their-check exists already" in broken(checks)[0]
