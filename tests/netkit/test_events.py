from __future__ import annotations

import dataclasses
import json
from pathlib import PurePosixPath

import pytest

from netkit import events as e
from netkit.model import Endpoint, Fix, ForwardKind, ForwardSpec, HostKeyPolicy, UnixPath, X11Trust

FORWARD = ForwardSpec(
    ForwardKind.LOCAL, Endpoint("127.0.0.2", 3389), Endpoint("ts", 3389), text="-L 3389:ts:3389"
)
LINK = {"server": "SSH-2.0-x", "cipher": "a", "mac": "b", "kex": "c", "compression": "none"}


def link_up(hop: int, hops: int) -> e.LinkUp:
    return e.LinkUp(gateway="gw", hop=hop, hops=hops, auth="publickey", seconds=0.1, **LINK)


def flow_closed(error: str = "") -> e.FlowClosed:
    return e.FlowClosed(
        flow=1,
        forward=FORWARD,
        bytes_to_gateway=10,
        bytes_from_gateway=20,
        seconds=1.5,
        error=error,
    )


EVENTS = [
    e.Connecting(gateway="gw", hop=1, hops=1),
    link_up(1, 1),
    e.ForwardBound(forward=FORWARD, addresses=(Endpoint("::1", 22), UnixPath("/run/x"))),
    e.Notice(code="bind-overridden", text="it listens elsewhere"),
    e.FlowOpened(flow=1, forward=FORWARD, source="a", target="b"),
    e.FlowFailed(flow=2, forward=None, source="a", target="b", code="refused", reason="no"),
    flow_closed(),
    e.LinkDown(gateway="gw", code="stopped", reason=""),
    e.Stopping(flows=3, seconds=5.0),
    e.DisplayLent(display="localhost:10.0", server=":0", trust=X11Trust.TRUSTED),
    e.Retrying(gateway="gw", attempt=2, seconds=0.4, code="link-lost", reason="it ended"),
    e.HealthChanged(forward=FORWARD, health=e.Health.STALE, reason="no answer"),
    e.KeepaliveTightened(code="c", text="t", way="gw:22", alive=0.0, dead=30.0, interval=15.0),
]


def test_every_event_is_tried_here() -> None:
    defined = {value for value in vars(e).values() if isinstance(value, type)}
    below = {value for value in defined if issubclass(value, e.Event)} - {e.Event}
    assert {type(event) for event in EVENTS} == below


@pytest.mark.parametrize("event", EVENTS, ids=e.kind)
def test_events_are_values_that_json_can_hold(event: e.Event) -> None:
    document = e.to_dict(event)
    assert json.loads(json.dumps(document)) == document
    assert document["event"] == e.kind(event)
    assert set(document) == {"event", *(field.name for field in dataclasses.fields(event))}
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(event, dataclasses.fields(event)[0].name, "changed")


def test_kinds_are_kebab_case() -> None:
    assert [e.kind(event) for event in EVENTS[:3]] == ["connecting", "link-up", "forward-bound"]


def test_document_of_a_bound_forward() -> None:
    assert e.to_dict(EVENTS[2]) == {
        "event": "forward-bound",
        "forward": {
            "kind": "local",
            "bind": {"host": "127.0.0.2", "port": 3389},
            "to": {"host": "ts", "port": 3389},
            "text": "-L 3389:ts:3389",
        },
        "addresses": [{"host": "::1", "port": 22}, {"path": "/run/x"}],
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (1.5, 1.5),
        ("x", "x"),
        (HostKeyPolicy.ACCEPT_NEW, "accept-new"),
        (PurePosixPath("/a/b"), "/a/b"),
        ([UnixPath("x"), (1, 2)], [{"path": "x"}, [1, 2]]),
        (
            Fix(("a", "b")),
            {
                "argv": ["a", "b"],
                "where": "here",
                "note": "",
                "needs_admin": False,
                "persistent": False,
                "undo": [],
            },
        ),
        (
            ForwardSpec(ForwardKind.DYNAMIC, Endpoint("", 1080)),
            {
                "kind": "dynamic",
                "bind": {"host": "", "port": 1080},
                "to": None,
                "text": "dynamic :1080 -> any",
            },
        ),
    ],
)
def test_plain(value: object, expected: object) -> None:
    assert e.plain(value) == expected


class TestStatus:
    def test_of_a_tunnel_from_start_to_end(self) -> None:
        status = e.Status()
        assert status.state is e.State.CONNECTING
        status = e.evolve(status, e.Connecting(gateway="gw", hop=1, hops=2))
        status = e.evolve(status, link_up(1, 2))
        assert status.state is e.State.CONNECTING, "the second hop is still missing"
        status = e.evolve(status, link_up(2, 2))
        assert status.state is e.State.UP
        for event in EVENTS[2:7]:
            status = e.evolve(status, event)
        expected = e.Status(
            state=e.State.UP,
            flows_total=1,
            flows_failed=1,
            bytes_to_gateway=10,
            bytes_from_gateway=20,
        )
        assert status == expected
        status = e.evolve(status, EVENTS[8])
        assert status.state is e.State.STOPPING
        status = e.evolve(status, e.LinkDown(gateway="gw", code="link-cut", reason="cut"))
        assert (status.state, status.reason) == (e.State.DOWN, "cut")
        assert e.evolve(status, link_up(1, 1)) == dataclasses.replace(
            status, state=e.State.UP, reason="", code=""
        )

    def test_counts_open_flows(self) -> None:
        status = e.Status()
        for event in (EVENTS[4], EVENTS[4], flow_closed("cut")):
            status = e.evolve(status, event)
        assert (status.flows_open, status.flows_total) == (1, 2)
