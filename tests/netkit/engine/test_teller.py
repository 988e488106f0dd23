from __future__ import annotations

from netkit.engine.teller import NOTICE_EVERY, Teller


def test_a_flood_is_no_flood_of_notices():
    said = []
    now = [0.0]
    made = Teller(lambda code, text: said.append(text), lambda: now[0])
    for _ in range(1000):
        made.tell("x", "a thing")
    made.tell("y", "another")
    assert said == ["a thing", "another"]
    now[0] = NOTICE_EVERY
    made.tell("x", "a thing")
    assert said[2] == "a thing (and 999 more before it)"


def test_what_it_is_about_makes_another_kind():
    said: list[str] = []
    made = Teller(lambda code, text: said.append(text), lambda: 0.0)
    for about in ("one", "other", "one"):
        made.tell("code", about, about)
    assert said == ["one", "other"]
