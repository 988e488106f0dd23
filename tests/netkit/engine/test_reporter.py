"""What a link tells of its flows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from netkit.engine.reporter import Reporter
from netkit.events import Event, FlowClosed, FlowFailed, FlowOpened, Notice

FLOW: Any = SimpleNamespace(
    number=7, forward=None, source="a:1", target="b:2", sent=10, delivered=20, started=100.0
)


def test_events():
    told: list[Event] = []
    report = Reporter(told.append)
    report.opened(FLOW)
    report.failed(FLOW, "target-refused", "no")
    report.closed(FLOW, 103.5, "broke")
    report.notice("code", "text")
    assert told == [
        FlowOpened(flow=7, forward=None, source="a:1", target="b:2"),
        FlowFailed(
            flow=7, forward=None, source="a:1", target="b:2", code="target-refused", reason="no"
        ),
        FlowClosed(
            flow=7,
            forward=None,
            bytes_to_gateway=10,
            bytes_from_gateway=20,
            seconds=3.5,
            error="broke",
        ),
        Notice(code="code", text="text"),
    ]


def test_refused():
    told: list[Event] = []
    report = Reporter(told.append)
    report.refused(FLOW, 1, "open failed")
    report.refused(FLOW, 2, "Connection\nrefused")
    codes = [event.code for event in told if isinstance(event, FlowFailed)]
    reasons = [event.reason for event in told if isinstance(event, FlowFailed)]
    assert codes == ["forwarding-prohibited", "open-failed"]
    assert "(" not in reasons[0]
    assert reasons[1].endswith("(Connection refused)")


def test_nobody_listens():
    report = Reporter(None)
    report.opened(FLOW)
    report.failed(FLOW, "", "")
    report.closed(FLOW, 0.0, "")
    report.notice("", "")
