"""Running checks: dependencies, deadlines, crashes, interrupts, order of results."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from diagnostics import runner
from diagnostics.model import (
    Check,
    Finding,
    InconclusiveError,
    Kind,
    Result,
    Severity,
    Status,
    Target,
    Unknown,
)
from diagnostics.runner import Run, Watcher, select
from support.machine import FakeSystem

TARGET = Target()


def check(code: str, *found: str, probe: Callable[..., object] | None = None, **more) -> Check:
    """A check that reports the codes ``found``."""
    severity = more.pop("severity", Severity.ERROR)
    kinds = more.pop("finds", tuple(Kind(each, "") for each in found))
    return Check(
        code=code,
        title=f"the {code}",
        probe=probe or (lambda _target, _system: found),
        judge=more.pop(
            "judge",
            lambda facts: tuple(Finding(code=c, title=c, severity=severity) for c in facts),
        ),
        finds=kinds,
        **more,
    )


def run(*checks: Check, **more) -> list[Result]:
    return list(Run(checks, TARGET, FakeSystem(), **more).run().results)


def test_every_check_runs_and_results_keep_the_order():
    gate = threading.Event()

    def slow(*_: object) -> tuple[()]:
        assert gate.wait(10)
        return ()

    def quick(*_: object) -> tuple[()]:
        gate.set()
        return ()

    shown: list[str] = []
    watcher = Watcher(result=lambda result, _hidden: shown.append(result.check.code))
    results = run(check("first", probe=slow), check("second", probe=quick), watcher=watcher)
    assert [each.check.code for each in results] == ["first", "second"]
    assert shown == ["first", "second"]
    assert all(each.status is Status.RAN for each in results)


def test_facts_are_kept():
    assert run(check("a", "x"))[0].facts == ("x",)


def test_a_dependent_is_skipped_after_an_error_and_counted():
    report = Run(
        (check("a", "broken"), check("b", depends_on=("a",)), check("c", depends_on=("b",))),
        TARGET,
        FakeSystem(),
    ).run()
    assert [each.status for each in report.results] == [
        Status.RAN,
        Status.SKIPPED,
        Status.SKIPPED,
    ]
    assert [(each.what, each.cause) for each in report.hidden] == [("b", "broken"), ("c", "broken")]


def test_a_warning_does_not_stop_dependents():
    results = run(check("a", "odd", severity=Severity.WARNING), check("b", depends_on=("a",)))
    assert results[1].status is Status.RAN


def test_a_dependent_of_a_crash_is_skipped_with_the_reason():
    def crash(*_: object) -> None:
        raise ZeroDivisionError("a\x1bb")

    results = run(check("a", probe=crash), check("b", depends_on=("a",)))
    assert results[0].status is Status.CRASHED
    assert results[0].findings[0].code == runner.CRASHED
    assert "ZeroDivisionError: a?b" in results[0].findings[0].title
    assert (results[1].status, results[1].reason) == (Status.SKIPPED, "a crashed")


def test_a_judge_that_raises_is_a_crash_too():
    results = run(check("a", judge=lambda _facts: 1 / 0))
    assert results[0].status is Status.CRASHED


def test_a_dependency_that_does_not_apply_is_no_obstacle():
    results = run(check("a", applies=lambda _target: "no reason"), check("b", depends_on=("a",)))
    assert [(each.status, each.reason) for each in results] == [
        (Status.SKIPPED, "no reason"),
        (Status.RAN, ""),
    ]


def test_what_is_left_out_on_request_is_said():
    results = run(check("a", "x"), check("b", depends_on=("a",)), skipped=frozenset({"a"}))
    assert results[0].reason == "left out on request"
    assert results[1].status is Status.RAN


def test_after_waits_without_needing():
    order: list[str] = []

    def note(code: str, *found: str):
        def probe(*_: object) -> tuple[str, ...]:
            order.append(code)
            return found

        return probe

    second = check("b", probe=note("b"), after=("a",))
    first = check("a", probe=note("a", "bad"), finds=(Kind("bad", ""),))
    results = run(second, first)
    assert order == ["a", "b"]
    assert results[0].status is Status.RAN


def test_inconclusive_is_no_success_and_no_failure():
    def unsure(*_: object) -> None:
        raise InconclusiveError("only root may know")

    results = run(
        check("a", probe=unsure),
        check("b", judge=lambda _facts: (Unknown(reason="who knows"),), depends_on=("a",)),
    )
    assert [each.status for each in results] == [Status.INCONCLUSIVE] * 2
    assert [each.unknowns[0].reason for each in results] == ["only root may know", "who knows"]


def test_a_check_that_hangs_is_given_up():
    gate = threading.Event()
    hung = check("a", probe=lambda *_: gate.wait(20), timeout=0.05)
    results = run(hung, check("b", depends_on=("a",)))
    gate.set()
    assert results[0].status is Status.TIMED_OUT
    assert results[0].unknowns
    assert results[1].status is Status.SKIPPED


def test_the_timeout_may_depend_on_the_target():
    gate = threading.Event()
    results = run(check("a", probe=lambda *_: gate.wait(20), timeout=lambda _target: 0.05))
    gate.set()
    assert results[0].status is Status.TIMED_OUT


def test_a_slow_check_is_mentioned_once(monkeypatch):
    monkeypatch.setattr(runner, "SLOW", 0.02)
    gate = threading.Event()
    told: list[str] = []

    def tell(title: str) -> None:
        told.append(title)
        gate.set()

    run(check("a", probe=lambda *_: gate.wait(20) and ()), watcher=Watcher(slow=tell))
    assert told == ["the a"]


def test_a_result_waits_for_what_may_make_it_a_consequence():
    gate = threading.Event()
    shown: list[tuple[str, tuple[str, ...]]] = []

    def note(result: Result, hidden: tuple[object, ...]) -> None:
        shown.append((result.check.code, tuple(f.code for f in result.findings)))

    def late(*_: object) -> tuple[str]:
        assert gate.wait(10)
        assert shown == []
        return ("root",)

    def early(*_: object) -> tuple[str]:
        gate.set()
        return ("effect",)

    effect = check("a", finds=(Kind("effect", "", caused_by=("root",)),), probe=early)
    report = Run(
        (effect, check("b", probe=late, finds=(Kind("root", ""),))),
        TARGET,
        FakeSystem(),
        watcher=Watcher(result=note),
    ).run()
    assert shown == [("a", ()), ("b", ("root",))]
    assert [(each.what, each.cause) for each in report.hidden] == [("effect", "root")]
    assert [finding.code for finding in report.findings] == ["root"]


def test_an_interrupt_keeps_what_is_known(monkeypatch):
    monkeypatch.setattr(runner, "GRACE", 0.3)
    gate, stuck = threading.Event(), threading.Event()
    system = FakeSystem()
    system.ssh.cancel = gate.set

    def long(*_: object) -> tuple[str]:
        assert gate.wait(10)
        return ("partial",)

    def interrupt(result: Result, _hidden: object) -> None:
        if result.check.code == "a":
            going.interrupt()

    going = Run(
        (
            check("a", "known"),
            check("b", probe=long, finds=(Kind("partial", ""),)),
            check("c", probe=lambda *_: stuck.wait(20)),
            check("d", after=("b",)),
        ),
        TARGET,
        system,
        watcher=Watcher(result=interrupt),
    )
    report = going.run()
    stuck.set()
    assert report.interrupted
    assert {f.code for f in report.findings} == {"known", "partial"}
    assert [(r.status, r.reason) for r in report.results[2:]] == [
        (Status.SKIPPED, "interrupted"),
        (Status.SKIPPED, "interrupted"),
    ]


def test_more_checks_than_run_at_once(monkeypatch):
    monkeypatch.setattr(runner, "AT_ONCE", 2)
    assert len(run(*(check(f"c{n}") for n in range(9)))) == 9


A, B, C = check("a", "x"), check("b", depends_on=("a",)), check("c", "z")


def test_select_everything():
    assert select((A, B, C)) == ((A, B, C), frozenset())


def test_select_takes_along_what_is_needed():
    assert select((A, B, C), only=["b"])[0] == (A, B)


def test_select_by_what_a_check_finds():
    assert select((A, B, C), only=["z"], skip=["x"]) == ((C,), frozenset({"a"}))


def test_select_refuses_unknown_codes():
    with pytest.raises(KeyError, match="nonsense"):
        select((A, B, C), only=["nonsense"])
