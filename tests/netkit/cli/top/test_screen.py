from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.cli.top.model import Look, Mode, Row, State
from netkit.cli.top.screen import KEYS, fitting, screen
from netkit.control.client import Running
from netkit.events import State as TunnelState
from support.supervised import FLOW, LINK, view

LOOK = Look(1.0, "office", Running("office", "gw", 42, view()), (FLOW,))
ROWS = [
    Row(replace(FLOW, number=n), up=n, down=1000 * n, peer=f"psql ({n})") for n in range(9, 0, -1)
]


def texts(width: int = 160, height: int = 40, state: State | None = None, **more) -> list[str]:
    return [each.text for each in screen(LOOK, ROWS, state or State(), width, height, **more)]


def test_a_wide_one():
    lines = texts()
    assert lines[0] == "office through gw (process 42): up for 1 h 2 min"
    assert lines[1] == "  127.0.0.1:5432 -> db.internal:5432  not yet proved"
    assert lines[2].startswith("  link 1 to gw: up for 1 min, round trip 12.0 ms")
    head = next(line for line in lines if "down/sv" in line)
    assert head.split() == [
        *("flow", "peer", "source", "target", "up", "down", "up/s", "down/sv"),
        *("age", "idle", "window", "waits"),
    ]
    first = lines[lines.index(head) + 1]
    assert "psql (9)" in first
    assert "9.0 kB/s" in first
    assert lines[-1] == KEYS
    assert len(lines) == 40


@given(st.integers(1, 250), st.integers(1, 80), st.sampled_from(list(Mode)), st.integers(0, 12))
def test_any_size(width, height, mode, flow):
    lines = screen(LOOK, ROWS, State(mode=mode, flow=flow), width, height)
    assert len(lines) == height
    assert all(len(line.text) <= width for line in lines)


def test_what_fits():
    assert fitting(1) == ("flow",)
    assert fitting(20) == ("flow",)
    assert fitting(55) == ("flow", "target", "up/s", "down/s")
    assert len(fitting(300)) == 13


def test_the_selected_flow_is_in_sight():
    lines = screen(LOOK, ROWS, State(flow=1), 100, 10)
    chosen = [line for line in lines if line.style == "bold reverse"]
    assert [line.text.split()[0] for line in chosen] == ["1"]
    assert any(line.style == "reverse" for line in lines)


def test_questions_and_messages_are_at_the_bottom():
    assert texts(state=State(mode=Mode.KILL, flow=7))[-1] == "reset flow 7? y or n"
    assert texts(state=State(mode=Mode.ADD, typed="-L 1"))[-1] == "add a forward: -L 1_"
    assert texts(state=State(mode=Mode.REMOVE, typed="-L 1"))[-1] == "remove a forward: -L 1_"
    assert texts(state=State(message="no\x1b[2J"))[-1].startswith("no")
    assert "\x1b" not in texts(state=State(message="no\x1b[2J"))[-1]


def test_no_tunnel_and_one_that_does_not_answer():
    assert screen(None, [], State(), 80, 5)[0].text.startswith("no tunnel runs")
    silent = screen(Look(0, "office", trouble="no answer in 2 s"), [], State(), 80, 5)
    assert silent[0].text == "office: no answer in 2 s"


def test_others_and_holding_are_told():
    assert "[tab: 2 more]" in texts(others=2)[0]
    assert "[held: space]" in texts(state=State(paused=True))[0]


def test_many_links_are_counted():
    many = view(links=tuple(replace(LINK, number=n) for n in range(1, 21)))
    lines = screen(Look(0, "office", Running("office", "gw", 42, many)), [], State(), 160, 60)
    assert "  and 12 more" in [each.text for each in lines]


@pytest.mark.parametrize(("state", "style"), [("up", "green"), ("waiting", "yellow")])
def test_colours(state, style):
    running = Running("office", "gw", 42, view(state=TunnelState(state)))
    assert style in screen(Look(0, "office", running), [], State(), 80, 10)[0].style
