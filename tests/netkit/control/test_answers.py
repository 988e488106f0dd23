from __future__ import annotations

import pytest

from netkit.control.answers import MAX_EVENTS, MAX_FLOWS, Answers, EventLog, find
from netkit.control.protocol import MAX_ANSWER, Request, format_answer
from netkit.errors import BindError, NetkitError
from netkit.events import ForwardView, Health, Notice
from netkit.model import Endpoint, ForwardKind, ForwardSpec, UnixPath
from netkit.text.forwards import parse_forward
from support.supervised import ANY, DB, FLOW, FakeSupervised, view


def answers(tunnel: FakeSupervised) -> Answers:
    return Answers(tunnel, EventLog(), name="office", gateway="gw", end=lambda _drain: None)


def test_all_forwards_are_added_or_none():
    tunnel = FakeSupervised(refuses=BindError("no", code="bind-denied"))
    wanted = (
        parse_forward(ForwardKind.LOCAL, "127.0.0.1:1111:x:1"),
        parse_forward(ForwardKind.LOCAL, "127.0.0.1:2222:x:1"),
    )
    with pytest.raises(NetkitError, match="no"):
        answers(tunnel).answer(Request("add", wanted))
    assert [each.forward for each in tunnel.now.forwards] == [DB]


def bind(text: str, kind: ForwardKind = ForwardKind.LOCAL) -> ForwardSpec:
    return ForwardSpec(kind, parse_forward(ForwardKind.DYNAMIC, text).bind)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (bind("127.0.0.1:5432"), DB),
        (bind("5432"), DB),
        (bind("0"), ANY),
        (bind("127.0.0.1:40000"), ANY),
        (bind("40000"), ANY),
        (bind("127.0.0.2:5432"), None),
        (bind("5432", ForwardKind.DYNAMIC), None),
        (ForwardSpec(ForwardKind.LOCAL, UnixPath("/run/x.sock")), None),
    ],
)
def test_a_forward_is_found_by_what_was_asked_for_and_where_it_listens(wanted, found):
    forwards = (
        ForwardView(forward=DB, addresses=(Endpoint("127.0.0.1", 5432),), health=Health.UP),
        ForwardView(forward=ANY, addresses=(Endpoint("127.0.0.1", 40000),), health=Health.UP),
    )
    assert find(FakeSupervised(now=view(forwards=forwards)), wanted) == found


def test_the_events_are_the_last():
    log = EventLog()
    for number in range(MAX_EVENTS + 5):
        log.add(Notice(code="x", text=str(number)))
    assert log.last()[0] == Notice(code="x", text="5")
    assert len(log.last()) == MAX_EVENTS


def test_many_flows_fit_into_an_answer():
    tunnel = FakeSupervised(current=(FLOW,) * (MAX_FLOWS + 100))
    said = answers(tunnel).answer(Request("flows"))
    assert said["flows"] == (FLOW,) * MAX_FLOWS
    assert len(format_answer(said)) < MAX_ANSWER
