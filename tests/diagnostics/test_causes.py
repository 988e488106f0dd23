"""Consequences are hidden and counted; the root stays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from diagnostics.causes import hide, roots
from diagnostics.model import Check, Finding, Kind, Result, Status


def result(code: str, *causes: str, blocked_by: str = "", own: tuple[str, ...] = ()) -> Result:
    check = Check(
        code=f"check-{code}",
        title=code,
        probe=lambda _target, _system: None,
        judge=lambda _facts: (),
        finds=(Kind(code, "", caused_by=causes),),
    )
    findings = () if blocked_by else (Finding(code=code, title=code, caused_by=own),)
    return Result(check=check, status=Status.RAN, findings=findings, blocked_by=blocked_by)


def visible(*results: Result) -> tuple[list[str], list[tuple[str, str]]]:
    root_of = roots(results)
    shown, hidden = [], []
    for each in results:
        rest, consequences = hide(each, root_of)
        shown += [finding.code for finding in rest.findings]
        hidden += [(one.what, one.cause) for one in consequences]
    return shown, hidden


def test_a_consequence_is_hidden_when_its_cause_was_found():
    assert visible(result("a"), result("b", "a")) == (["a"], [("b", "a")])


def test_it_stays_when_the_cause_was_not_found():
    assert visible(result("b", "a")) == (["b"], [])


def test_the_order_of_the_checks_does_not_matter():
    assert visible(result("b", "a"), result("a")) == (["a"], [("b", "a")])


def test_causes_are_followed_to_the_root():
    shown, hidden = visible(result("a"), result("b", "a"), result("c", "b"))
    assert shown == ["a"]
    assert hidden == [("b", "a"), ("c", "a")]


def test_a_judge_may_name_the_cause_itself():
    assert visible(result("a"), result("b", own=("a",))) == (["a"], [("b", "a")])


def test_of_a_circle_the_first_stays():
    assert visible(result("a", "b"), result("b", "a")) == (["a"], [("b", "a")])


def test_no_code_causes_itself():
    assert visible(result("a", "a")) == (["a"], [])


def test_a_blocked_check_counts_as_a_consequence_of_the_root():
    shown, hidden = visible(result("a"), result("b", "a"), result("c", blocked_by="b"))
    assert shown == ["a"]
    assert hidden == [("b", "a"), ("check-c", "a")]


CODES = st.sampled_from("abcdef")


@given(st.lists(st.tuples(CODES, st.lists(CODES, max_size=3)), max_size=8))
def test_something_always_stays_and_nothing_is_lost(given_results):
    results = [result(code, *causes) for code, causes in given_results]
    shown, hidden = visible(*results)
    assert len(shown) + len(hidden) == len(results)
    assert bool(shown) == bool(results)
    assert {cause for _, cause in hidden} <= set(shown)
