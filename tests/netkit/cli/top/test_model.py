from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.cli.top.model import (
    COLUMNS,
    MAX_TYPED,
    Change,
    Kick,
    Kill,
    Look,
    Mode,
    Quit,
    Scene,
    State,
    press,
    rows,
    shown,
)
from netkit.control.client import Running
from support.supervised import FLOW, view

KEYS = st.one_of(
    st.sampled_from(["up", "down", "left", "right", "tab", "enter", "escape", "backspace"]),
    st.characters(),
)


def look(*flows, at: float = 0.0) -> Look:
    return Look(at, "office", Running("office", "gw", 42, view()), tuple(flows))


def flow(number: int, up: int = 0, down: int = 0, **more):
    return replace(
        FLOW, number=number, bytes_to_gateway=up, bytes_from_gateway=down, seconds=100.0, **more
    )


def numbers(state: State, before: Look | None, now: Look) -> list[int]:
    return [row.view.number for row in rows(before, now, {}, state)]


class TestRows:
    def test_rates(self):
        before = look(flow(1, 100, 1000), at=10.0)
        (row,) = rows(before, look(flow(1, 300, 2000), at=12.0), {FLOW.source: "psql (1)"}, State())
        assert (row.up, row.down, row.peer, row.round_trip) == (100.0, 500.0, "psql (1)", 0.012)

    def test_of_one_that_is_new(self):
        new = replace(flow(2, 50, 500), seconds=0.5)
        (row,) = rows(look(at=10.0), look(new, at=11.0), {}, State())
        assert (row.up, row.down) == (50.0, 500.0)

    def test_without_a_look_before_there_are_none(self):
        (row,) = rows(None, look(flow(1, 9, 9)), {}, State())
        assert (row.up, row.down) == (0.0, 0.0)

    def test_the_busiest_are_first_and_the_rest_keeps_its_order(self):
        before = look(*(flow(n) for n in (1, 2, 3, 4)), at=0.0)
        now = look(flow(4), flow(2), flow(3, down=900), flow(1), at=1.0)
        assert numbers(State(), before, now) == [3, 1, 2, 4]
        assert numbers(State(backwards=True), before, now)[-1] == 3

    @pytest.mark.parametrize("column", COLUMNS)
    def test_by_any_column(self, column):
        before, now = look(flow(1), flow(2), at=0.0), look(flow(1, 5), flow(2, 9), at=1.0)
        forth = numbers(State(sort=column), before, now)
        assert sorted(forth) == [1, 2]
        assert sorted(numbers(State(sort=column, backwards=True), before, now)) == [1, 2]

    def test_names_begin_with_the_first(self):
        now = look(flow(1, target="b:1"), flow(2, target="a:1"))
        assert numbers(State(sort="target"), None, now) == [2, 1]
        assert numbers(State(sort="target", backwards=True), None, now) == [1, 2]


def test_which_tunnel_is_shown():
    looks = [Look(0, "a"), Look(0, "b")]
    assert shown(State(), []) is None
    assert shown(State(), looks) is looks[0]
    assert shown(State(tunnel="b"), looks) is looks[1]
    assert shown(State(tunnel="gone"), looks) is looks[0]


SCENE = Scene(("a", "b"), (7, 3, 5))


def after(*keys: str, state: State | None = None):
    now, action = state or State(tunnel="a"), None
    for key in keys:
        now, action = press(now, key, SCENE)
    return now, action


class TestKeys:
    def test_leaving(self):
        assert after("q")[1] == Quit()

    def test_connecting(self):
        assert after("c")[1] == Kick()

    def test_selecting(self):
        assert [after(*["down"] * n)[0].flow for n in (1, 2, 3, 4)] == [7, 3, 5, 5]
        assert after("up")[0].flow == 5
        assert after("down", "down", "up")[0].flow == 7
        assert press(State(), "down", Scene())[0].flow == 0

    def test_killing_is_asked_about(self):
        asked, action = after("down", "down", "k")
        assert (asked.mode, action) == (Mode.KILL, None)
        assert after("down", "down", "k", "y")[1] == Kill(3)
        assert after("down", "down", "k", "n") == (replace(asked, mode=Mode.WATCH), None)
        assert "select a flow" in after("k")[0].message

    def test_sorting(self):
        assert after(">")[0].sort == "age"
        assert after("<")[0].sort == "up/s"
        assert after(*[">"] * len(COLUMNS))[0].sort == "down/s"
        assert after("r")[0].backwards

    def test_the_next_tunnel(self):
        assert after("tab")[0].tunnel == "b"
        assert after("tab", "tab")[0].tunnel == "a"
        assert press(State(), "tab", Scene())[0].tunnel == ""

    def test_holding(self):
        assert after(" ")[0].paused
        assert not after(" ", " ")[0].paused

    def test_help_ends_with_any_key(self):
        assert after("?")[0].mode is Mode.HELP
        assert after("?", "q")[0].mode is Mode.WATCH

    def test_typing_a_forward(self):
        typed, action = after("a", *"1:b:2", "x", "backspace")
        assert (typed.mode, typed.typed, action) == (Mode.ADD, "-L 1:b:2", None)
        assert after("a", *"1:b:2", "enter")[1] == Change(Mode.ADD, "-L 1:b:2")
        assert after("d", *"1", "enter")[1] == Change(Mode.REMOVE, "-L 1")
        assert after("a", *"1", "escape") == (State(tunnel="a"), None)

    @given(st.lists(KEYS, max_size=300))
    def test_any_keys(self, keys):
        now = State()
        for key in keys:
            now, _ = press(now, key, SCENE)
        assert len(now.typed) <= MAX_TYPED
        assert now.sort in COLUMNS
