from __future__ import annotations

from netkit.cli.clients.order import ClientEnded, ClientStarted, Order, ServerAnswered
from netkit.desktop.clients import Kind, View
from netkit.events import to_dict
from netkit.model import Endpoint

AT = Endpoint("127.0.0.2", 3389)


def test_the_events_as_json_has_them():
    assert [
        to_dict(event)
        for event in (
            ServerAnswered(address=AT, target="desk:3389", server="RDP"),
            ClientStarted(argv=("xfreerdp", "/v:127.0.0.2:3389"), pid=7),
            ClientEnded(status=0, stays=False),
        )
    ] == [
        {
            "event": "server-answered",
            "address": {"host": "127.0.0.2", "port": 3389},
            "target": "desk:3389",
            "server": "RDP",
        },
        {"event": "client-started", "argv": ["xfreerdp", "/v:127.0.0.2:3389"], "pid": 7},
        {"event": "client-ended", "status": 0, "stays": False},
    ]


def test_an_order_starts_a_client_of_a_server_that_has_answered():
    order = Order(view=View(kind=Kind.RDP, at=AT))
    assert (order.launch, order.again, order.alone) == (True, False, False)
    assert order.limit > 0
