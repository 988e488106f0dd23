"""The port has no code; that the tunnel implements it is seen here."""

from __future__ import annotations

import inspect

from netkit.engine.tunnel import Tunnel
from netkit.supervision import Supervised


def test_a_tunnel_is_supervised():
    for name, method in inspect.getmembers(Supervised, inspect.isfunction):
        if not name.startswith("_"):
            own = inspect.signature(getattr(Tunnel, name))
            assert list(own.parameters) == list(inspect.signature(method).parameters), name
