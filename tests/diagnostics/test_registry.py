"""The checks as a whole: unique codes, dependencies that exist and come first."""

from __future__ import annotations

from diagnostics.registry import CHECKS


def test_codes_are_unique():
    codes = [check.code for check in CHECKS]
    found = [kind.code for check in CHECKS for kind in check.finds]
    assert len(set(codes)) == len(codes)
    assert len(set(found)) == len(found)


def test_dependencies_come_first():
    seen: set[str] = set()
    for check in CHECKS:
        assert set(check.depends_on) | set(check.after) <= seen
        seen.add(check.code)


def test_causes_exist():
    found = {kind.code for check in CHECKS for kind in check.finds}
    causes = {cause for check in CHECKS for kind in check.finds for cause in kind.caused_by}
    assert causes <= found
