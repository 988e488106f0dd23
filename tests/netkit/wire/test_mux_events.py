from __future__ import annotations

from typing import get_args

from netkit.wire import mux, mux_events


def test_every_event_is_in_the_union_and_behind_the_front_door() -> None:
    classes = {
        value
        for value in vars(mux_events).values()
        if isinstance(value, type) and value.__module__ == mux_events.__name__
    }
    assert classes == set(get_args(mux_events.Event))
    assert all(getattr(mux, event.__name__) is event for event in classes)
    assert set(mux.__all__) >= {event.__name__ for event in classes}


def test_events_of_a_channel_start_with_it() -> None:
    for event in get_args(mux_events.Event):
        of_the_link = event.__name__.startswith("Global")
        assert (event._fields[0] == "channel") is not of_the_link
