"""The checks as a whole: unique codes, dependencies that exist."""

from __future__ import annotations

from diagnostics.registry import CHECKS


def test_codes_are_unique():
    codes = [check.code for check in CHECKS]
    found = [kind.code for check in CHECKS for kind in check.finds]
    assert len(set(codes)) == len(codes)
    assert len(set(found)) == len(found)


def test_dependencies_exist_and_make_no_circle():
    waiting = {check.code: {*check.depends_on, *check.after} for check in CHECKS}
    assert set().union(*waiting.values()) <= set(waiting)
    done: set[str] = set()
    while ready := {code for code, needs in waiting.items() if needs <= done} - done:
        done |= ready
    assert done == set(waiting)


def test_causes_exist():
    found = {kind.code for check in CHECKS for kind in check.finds}
    causes = {cause for check in CHECKS for kind in check.finds for cause in kind.caused_by}
    assert causes <= found
