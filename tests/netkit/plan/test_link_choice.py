from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.model import ForwardKind
from netkit.plan.link_choice import (
    MOST,
    Load,
    Traffic,
    behaves,
    choose,
    expected,
    spare,
    wants_more,
)
from netkit.text.forwards import parse_forward

U, I, B, D = Traffic.UNKNOWN, Traffic.INTERACTIVE, Traffic.BULK, Traffic.DYNAMIC  # noqa: E741

counts = st.dictionaries(st.sampled_from(list(Traffic)), st.integers(0, 5))
loads = st.lists(counts, min_size=1, max_size=6).map(
    lambda all_: [Load(number, each) for number, each in enumerate(all_, 1)]
)


@pytest.mark.parametrize(
    ("kind", "text", "learned", "what"),
    [
        (ForwardKind.LOCAL, "3389:desk:3389", B, I),
        (ForwardKind.LOCAL, "1:x:6001", None, I),
        (ForwardKind.LOCAL, "1:db:5432", None, U),
        (ForwardKind.LOCAL, "1:db:5432", B, B),
        (ForwardKind.DYNAMIC, "1080", I, D),
        (ForwardKind.REMOTE, "8080:web:80", None, U),
        (ForwardKind.REMOTE, "2222:localhost:22", None, I),
    ],
)
def test_what_a_new_flow_is_likely_to_be(kind, text, learned, what):
    assert expected(parse_forward(kind, text), learned) is what


@pytest.mark.parametrize(
    ("moved", "seconds", "what"),
    [
        (0, 0.1, U),
        (5_000, 2.0, I),
        (2 << 20, 2.0, B),
        (2 << 20, 3600.0, I),
        (900_000, 2.0, U),
        (100, 0.0, U),
    ],
)
def test_behaviour(moved, seconds, what):
    assert behaves(moved, seconds) is what


@given(loads, st.sampled_from(list(Traffic)))
def test_one_of_those_there_are(there, kind):
    assert choose(there, kind) in {each.number for each in there}


@given(loads)
def test_keystrokes_never_meet_bulk_while_another_link_is_there(there):
    chosen = choose(there, I)
    if any(not each.of(B) for each in there):
        assert not next(each for each in there if each.number == chosen).of(B)


@given(loads)
def test_bulk_never_meets_keystrokes_while_it_can_be_elsewhere(there):
    chosen = next(each for each in there if each.number == choose(there, B))
    free = [each for each in there if not each.of(I)]
    # the last link without bulk is left for those who need it
    if any(each.of(B) for each in free):
        assert not chosen.of(I)


@given(st.integers(2, 8))
def test_bulk_leaves_a_link_for_others(links):
    counts_of: list[dict[Traffic, int]] = [{} for _ in range(links)]
    for _ in range(4 * links):
        there = [Load(number, counts_of[number]) for number in range(links)]
        counts_of[choose(there, B)][B] = counts_of[choose(there, B)].get(B, 0) + 1
    assert sum(not each for each in counts_of) == 1
    used = [each[B] for each in counts_of if each]
    assert max(used) - min(used) <= 1


def test_the_emptiest_is_taken():
    assert choose([Load(1, {I: 3}), Load(2, {I: 2}), Load(3, {I: 3})], I) == 2
    assert choose([Load(1, {U: 1}), Load(2, {})], U) == 2


def test_strangers_may_be_kept_together():
    strangers = [Load(1), Load(2, {U: 3}), Load(3, {I: 1}), Load(4, {B: 1})]
    assert choose(strangers, U) == 1
    assert choose(strangers, U, together=True) == 2
    assert choose([Load(1, {U: 32}), Load(2)], U, together=True) == 2


def test_a_dynamic_forward_is_alone():
    assert choose([Load(1, {U: 1}), Load(2, {}), Load(3, {D: 4})], D) == 3
    assert choose([Load(1, {I: 1}), Load(2, {D: 1})], I) == 1
    assert choose([Load(1, {B: 1}), Load(2, {D: 1})], B) == 1


def test_one_link_carries_everything():
    for kind in Traffic:
        assert choose([Load(1, {I: 1, B: 2})], kind) == 1


def test_another_is_wanted_while_none_is_empty():
    assert wants_more([Load(1, {U: 1})], MOST)
    assert not wants_more([Load(1, {U: 1}), Load(2)], MOST)
    assert not wants_more([Load(n, {U: 1}) for n in range(MOST)], MOST)


def test_one_that_nobody_needs():
    assert spare([Load(1), Load(2)], 1) == 2
    assert spare([Load(1, {U: 1}), Load(2)], 1) is None
    assert spare([Load(1)], 1) is None
