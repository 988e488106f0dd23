"""netkit: tunnels through SSH gateways, and the reason when they fail.

    import netkit

    with netkit.open_tunnel("me@gateway", ["127.0.0.1:0:db.internal:5432"]) as tunnel:
        connect(host="127.0.0.1", port=tunnel.local_bind_port)

Every public name is loaded on first use, so that ``import netkit`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from netkit._version import __version__

if TYPE_CHECKING:
    from netkit.api import dynamic, local, open_tunnel, remote
    from netkit.engine.gateway import GatewayServer
    from netkit.engine.tunnel import Tunnel
    from netkit.errors import (
        AlgorithmError,
        AuthenticationError,
        BindError,
        ConfigError,
        GatewayUnreachableError,
        HostKeyError,
        KeyFileError,
        LinkLostError,
        LocalProtocolError,
        NetkitError,
        OpenError,
        RemoteForwardError,
        RemoteProtocolError,
        ResourceError,
        UsageError,
    )
    from netkit.events import Event, State, Status
    from netkit.model import (
        Endpoint,
        Fix,
        ForwardKind,
        ForwardSpec,
        Gateway,
        HostKeyPolicy,
        Keepalive,
        Limits,
        Plan,
        TunnelSpec,
        UnixPath,
    )
    from netkit.prompt import HostKeyQuestion, Prompter

__all__ = [
    "AlgorithmError",
    "AuthenticationError",
    "BindError",
    "ConfigError",
    "Endpoint",
    "Event",
    "Fix",
    "ForwardKind",
    "ForwardSpec",
    "Gateway",
    "GatewayServer",
    "GatewayUnreachableError",
    "HostKeyError",
    "HostKeyPolicy",
    "HostKeyQuestion",
    "Keepalive",
    "KeyFileError",
    "Limits",
    "LinkLostError",
    "LocalProtocolError",
    "NetkitError",
    "OpenError",
    "Plan",
    "Prompter",
    "RemoteForwardError",
    "RemoteProtocolError",
    "ResourceError",
    "State",
    "Status",
    "Tunnel",
    "TunnelSpec",
    "UnixPath",
    "UsageError",
    "__version__",
    "dynamic",
    "local",
    "open_tunnel",
    "remote",
]

_HOMES = {
    "netkit.api": ("dynamic", "local", "open_tunnel", "remote"),
    "netkit.engine.gateway": ("GatewayServer",),
    "netkit.engine.tunnel": ("Tunnel",),
    "netkit.errors": (
        "AlgorithmError",
        "AuthenticationError",
        "BindError",
        "ConfigError",
        "GatewayUnreachableError",
        "HostKeyError",
        "KeyFileError",
        "LinkLostError",
        "LocalProtocolError",
        "NetkitError",
        "OpenError",
        "RemoteForwardError",
        "RemoteProtocolError",
        "ResourceError",
        "UsageError",
    ),
    "netkit.events": ("Event", "State", "Status"),
    "netkit.model": (
        "Endpoint",
        "Fix",
        "ForwardKind",
        "ForwardSpec",
        "Gateway",
        "HostKeyPolicy",
        "Keepalive",
        "Limits",
        "Plan",
        "TunnelSpec",
        "UnixPath",
    ),
    "netkit.prompt": ("HostKeyQuestion", "Prompter"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
