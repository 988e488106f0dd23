from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.cli.status import lines
from netkit.control.client import Running
from netkit.events import ForwardView, Health, State
from netkit.model import Endpoint, ForwardKind
from netkit.text.forwards import parse_forward
from support.supervised import FLOW, LINK, view


def said(**changes: object) -> list[str]:
    return list(lines.tunnel(Running("office", "gw", 42, view(**changes))))


def test_a_tunnel_that_is_up():
    assert said() == [
        "office through gw (process 42): up for 1 h 2 min",
        "  127.0.0.1:5432 -> db.internal:5432  not yet proved",
        f"  {lines.link_line(LINK)}",
        "  1 flow of 9, 1 failed; 1.0 kB to the gateway, 2.0 MB back",
        "  reconnected 2 times",
    ]


def test_why_one_waits():
    waits = said(state=State.WAITING, reason="no route", attempt=7, retry_in=12.3, links=())
    assert waits[0] == (
        "office through gw (process 42): waiting, attempt 7, next try in 12 s: no route"
    )
    trying = said(state=State.WAITING, reason="no route", attempt=7, links=())
    assert "attempt 7, trying now: no route" in trying[0]


def test_one_whose_first_link_alone_is_away():
    links = (replace(LINK, up=False), replace(LINK, number=2), replace(LINK, number=3))
    waits = said(state=State.WAITING, reason="no route", attempt=7, links=links)
    assert waits[0] == (
        "office through gw (process 42): connections from here alone are carried, by 2 links;"
        " for the first one attempt 7, trying now: no route"
    )


def test_a_forward_with_all_there_is_to_say():
    forward = ForwardView(
        forward=parse_forward(ForwardKind.REMOTE, "8080:localhost:80"),
        addresses=(Endpoint("localhost", 8080),),
        health=Health.REFUSED,
        reason="held",
        held=2,
    )
    assert lines.forward_line(forward) == (
        "localhost:8080 on the gateway -> localhost:80  refused (held), 2 connections held"
    )


def test_links():
    assert lines.link_line(LINK) == (
        "link 1 to gw: up for 1 min, round trip 12.0 ms, silent 0.5 s, 1 flow, OpenSSH_9.2,"
        " aes128-gcm@openssh.com"
    )
    assert lines.link_line(replace(LINK, up=False)) == "link 1 to gw: down"
    assert "9 flows (3 bulk)" in lines.link_line(replace(LINK, flows=9, bulk=3))


def test_hostile_text_stays_on_its_line():
    (line,) = lines.flows([replace(FLOW, target="a\x1b[2Jb\nc", waits="window")])
    assert "\x1b" not in line
    assert "\n" not in line
    assert line.endswith("waits for the window")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0 s"),
        (0.25, "0.2 s"),
        (1, "1 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3601, "1 h"),
        (11520, "3 h 12 min"),
        (86400 * 9 + 3600, "9 d 1 h"),
    ],
)
def test_durations(seconds, text):
    assert lines.duration(seconds) == text


@given(st.floats(0, 1e12))
def test_any_duration(seconds):
    assert lines.duration(seconds)


@pytest.mark.parametrize(
    ("summary", "cause", "line"),
    [
        (
            "office (process 7) cannot be asked",
            "it hangs",
            "office (process 7) cannot be asked (it hangs)",
        ),
        ("a line is no JSON", "", "office: a line is no JSON"),
        ("\x1b[2J", "", "office: "),
    ],
)
def test_one_that_cannot_be_asked(summary, cause, line):
    said = lines.failure("office", summary, cause)
    assert said.startswith(line)
    assert said.isprintable()
